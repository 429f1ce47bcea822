"""Running the controls: checks of the measurement, on bounded samples, where attacks are fitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.blind_baseline import BlindBaseline, giveaways
from tfx_privacy.attacks.planted import PlantedLeak
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.evaluation.suite import (
    MIN_ROWS_A_SIDE,
    FittedSuite,
    KnownRows,
    choose_on_fit,
    fit_suite,
    unlimited,
    wide_columns_of,
)
from tfx_privacy.metrics.controls import NEGATIVE, POSITIVE_SHARES, positive_run
from tfx_privacy.metrics.counts import ControlRun, ScoreEdges
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.identity import hash_fractions

# FIT non-members that are halved, at most. A planted leak is found as well by a fit on
# 1,000 rows as on 6,667, and ten fits take most of the time. What the controls can find
# hangs on the JUDGE rows.
_MOST_FIT = 2_000

_SALT_HALF = "pseudo-member"
_SALT_PLANTED = "planted"
_SALT_SAMPLE = "control sample"

_LEFT_OUT = "left out by the configuration (skip_controls)"


@dataclasses.dataclass(frozen=True)
class FittedBlindBaseline:
    """The attacker that never sees the model, ready to score JUDGE rows.

    Attributes:
      suite: The fitted baseline; empty where it does not run.
      edges: By its name, where its scores are cut; empty where it does not run.
      features: Features that tell the sides apart by themselves, with their AUC on FIT
        rows held out; the strongest first.
      features_seen: How many features it saw, the label among them.
      label_alone: Whether it saw the label and nothing else.
      not_run: Why it does not run; "" where it does.
    """

    suite: FittedSuite = dataclasses.field(default_factory=lambda: FittedSuite({}))
    edges: Mapping[str, ScoreEdges] = dataclasses.field(default_factory=dict)
    features: Sequence[tuple[str, float]] = ()
    features_seen: int = 0
    label_alone: bool = False
    not_run: str = ""


@dataclasses.dataclass(frozen=True)
class HalvedNonmembers:
    """The negative and the positive control: the suite on non-members, halved by chance.

    Attributes:
      runs: By the names of metrics/controls.py; nothing of a control that did not run.
      negative_not_run: Why the negative control did not run; "" where it did.
      positive_not_run: The same of the positive control.
    """

    runs: Mapping[str, ControlRun] = dataclasses.field(default_factory=dict)
    negative_not_run: str = ""
    positive_not_run: str = ""


def fit_blind_baseline(
    selection: Selection, config: config_pb2.PrivacyConfig
) -> FittedBlindBaseline:
    """Fits the blind baseline on FIT rows and chooses its edges there.

    It scores every JUDGE row, beside the attacks, in the job that reads them anyway.

    Args:
      selection: The samples of the measurement.
      config: Its resolved configuration.
    """
    baseline = BlindBaseline()
    fit = selection.fit_inputs
    not_run = (
        _left_out(config, config_pb2.BLIND_BASELINE)
        or baseline.cannot_run(fit)
        or _too_few(_sides(fit), selection.records.judge, "members", "non-members")
    )
    if not_run:
        return FittedBlindBaseline(not_run=not_run)
    fitted = baseline.fit(fit, config.seed)
    suite = FittedSuite({baseline.name: fitted})
    return FittedBlindBaseline(
        suite=suite,
        edges=choose_on_fit([baseline], suite, KnownRows(fit, fit), config.seed).edges,
        features=giveaways(fit, config.seed),
        features_seen=fitted.features_seen,
        label_alone=not fit.inputs,
    )


def run_on_halved_nonmembers(
    attacks: Sequence[Attack], selection: Selection, config: config_pb2.PrivacyConfig
) -> HalvedNonmembers:
    """Runs the suite on non-members that a hash of the id made members of, and plants leaks.

    Fitted on FIT rows and judged on JUDGE rows, as the measurement is. Edges come from
    the scores of the rows that the attacks were fitted on, not from scores out of fold:
    optimistic edges are as valid on JUDGE rows, and cost a third. An attack by an
    attacker that knows less is the same machinery: each attack runs once, by who knows
    most.

    Args:
      attacks: The attacks of the measurement.
      selection: Its samples.
      config: Its resolved configuration.
    """
    negative = _left_out(config, config_pb2.NEGATIVE_CONTROL)
    positive = _left_out(config, config_pb2.POSITIVE_CONTROL)
    if negative and positive:
        return HalvedNonmembers({}, negative, positive)
    attacks = unlimited(attacks)
    is_wide = bool(wide_columns_of(attacks))
    known = selection.fit_wide if is_wide else selection.fit
    nonmembers = dataclasses.replace(known.take(~known.member), slices={})
    fit = _halved(_first_by_hash(nonmembers, _MOST_FIT, config.seed), config.seed)
    judge = _halved(selection.control_nonmembers, config.seed)
    if not is_wide:
        # Carried for attacks that were asked for, and of which none could run.
        judge = _without_wide_columns(judge)
    impossible = "no attack could run"
    if attacks:
        halves = ("non-members in one half", "in the other")
        impossible = _too_few(_sides(fit), _sides(judge), *halves)
    seeing = [attack for attack in attacks if attack.sees_planted]
    negative, positive = negative or impossible, positive or impossible
    if not positive and not seeing:
        positive = "no attack ran that can see the leak it plants"
    runs: dict[str, ControlRun] = {}
    if not negative:
        runs[NEGATIVE] = _run(attacks, fit, judge, config.seed)
    if not positive:
        leak = PlantedLeak.above(Signals.concatenate([fit, judge]))
        for share in POSITIVE_SHARES:
            planted_fit = leak.plant(fit, _chosen_to_plant(fit, share, config.seed))
            planted_judge = leak.plant(judge, _chosen_to_plant(judge, share, config.seed))
            runs[positive_run(share)] = _run(seeing, planted_fit, planted_judge, config.seed)
    return HalvedNonmembers(runs, negative, positive)


def _run(attacks: Sequence[Attack], fit: Signals, judge: Signals, seed: int) -> ControlRun:
    suite = fit_suite(attacks, KnownRows(fit, fit), seed)
    edges = {name: choose_edges(scores, fit.member) for name, scores in suite.score(fit).items()}
    counts = {
        name: count_scores(scores, judge.member, edges[name])
        for name, scores in suite.score(judge).items()
    }
    return ControlRun(edges, counts)


def _without_wide_columns(rows: Signals) -> Signals:
    return dataclasses.replace(
        rows,
        inputs={},
        gradient_norms={},
        gradient_sketches={},
        activations={},
        references=None,
    )


def _halved(nonmembers: Signals, seed: int) -> Signals:
    """Non-members, half of them called members by a hash of their ids."""
    halves = hash_fractions(nonmembers.ids, seed, _SALT_HALF) < 0.5
    return dataclasses.replace(nonmembers, member=halves)


def _chosen_to_plant(rows: Signals, share: float, seed: int) -> NDArray[np.bool_]:
    """A share of the pseudo-members; those of a smaller share are among them."""
    return rows.member & (hash_fractions(rows.ids, seed, _SALT_PLANTED) < share)


def _first_by_hash(rows: Signals, most: int, seed: int) -> Signals:
    order = np.argsort(hash_fractions(rows.ids, seed, _SALT_SAMPLE), kind="stable")
    return rows.take(order[:most]).sorted_by_id()


def _left_out(config: config_pb2.PrivacyConfig, control: config_pb2.Control.ValueType) -> str:
    return _LEFT_OUT if control in config.skip_controls else ""


def _sides(rows: Signals) -> results_pb2.SideCounts:
    members = int(rows.member.sum())
    return results_pb2.SideCounts(members=members, nonmembers=len(rows) - members)


def _too_few(
    fit: results_pb2.SideCounts,
    judge: results_pb2.SideCounts,
    members: str,
    nonmembers: str,
) -> str:
    """Why nothing can be fitted or judged; "" where there are rows enough."""
    found = (fit.members, fit.nonmembers, judge.members, judge.nonmembers)
    if min(found) >= MIN_ROWS_A_SIDE:
        return ""
    return (
        f"needs at least {MIN_ROWS_A_SIDE} {members} and {MIN_ROWS_A_SIDE} {nonmembers}, in FIT "
        f"and in JUDGE; found {fit.members} and {fit.nonmembers} in FIT, {judge.members} and "
        f"{judge.nonmembers} in JUDGE"
    )
