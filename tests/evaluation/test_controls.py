"""The controls as they run: on halved non-members, and with a leak planted."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack, FittedAttack
from tfx_privacy.attacks.correctness import Correctness
from tfx_privacy.attacks.logistic_regression import LogisticRegression
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.evaluation.controls import (
    HalvedNonmembers,
    fit_blind_baseline,
    run_on_halved_nonmembers,
)
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.metrics.auc import auc
from tfx_privacy.metrics.controls import (
    NEGATIVE,
    POSITIVE_SHARES,
    ControlOutcome,
    judge_negative,
    judge_positive,
    positive_run,
)
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.reference_signals import ReferenceSignals

_CONFIG = config_pb2.PrivacyConfig()
_CLASSES = 4
_SUITE = (LossThreshold(), Correctness(), LogisticRegression())


def _rows(number: int, seed: int, *, member: bool) -> Signals:
    """A model that knows something of every row; members no more than others."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, _CLASSES, number)
    logits = rng.normal(size=(number, _CLASSES))
    logits[np.arange(number), label] += 1.0
    loss = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(number), label]
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=rng.integers(0, 2**64, (number, 2), dtype=np.uint64),
        member=np.full(number, member),
        label=label,
        logits=logits.astype(np.float32),
        loss=loss.astype(np.float32),
    ).sorted_by_id()


def _selection(fit: int = 1_000, judge: int = 4_000) -> Selection:
    sides = [_rows(fit, 1, member=True), _rows(fit, 2, member=False)]
    both = Signals.concatenate(sides).sorted_by_id()
    return Selection(
        records=results_pb2.Records(judge=results_pb2.SideCounts(members=judge, nonmembers=judge)),
        fit=both,
        judge_sample=both.take(np.arange(0)),
        fit_inputs=both,
        fit_wide=both,
        judge_wide=both.take(np.arange(0)),
        control_nonmembers=_rows(judge, 3, member=False),
    )


@dataclasses.dataclass(frozen=True)
class _Noise(Attack, FittedAttack):
    """An attack that is broken: what it says hangs on the id alone."""

    name: ClassVar[str] = "noise"
    description: ClassVar[str] = "Guesses."
    needs: ClassVar[frozenset[str]] = frozenset()
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset({config_pb2.MULTICLASS})
    is_trained: ClassVar[bool] = False

    def fit(self, signals: Signals, seed: int) -> _Noise:
        return self

    def score(self, signals: Signals) -> NDArray[np.float64]:
        return (signals.ids[:, 0] % np.uint64(1009)).astype(np.float64)

    def save(self, directory: Path) -> None:
        raise AssertionError("controls send no attack anywhere")

    def load(self, directory: Path) -> _Noise:
        raise AssertionError("controls read no attack")


class _Cheat(_Noise):
    """It knows what it was told to find out."""

    name: ClassVar[str] = "cheat"

    def score(self, signals: Signals) -> NDArray[np.float64]:
        return signals.member.astype(np.float64)


class _Spy(_Noise):
    """It writes down what it is fitted on and what it scores."""

    name: ClassVar[str] = "spy"
    seen: ClassVar[list[Signals]] = []

    def score(self, signals: Signals) -> NDArray[np.float64]:
        self.seen.append(signals)
        return super().score(signals)


def _evidence(halved: HalvedNonmembers) -> Evidence:
    return Evidence(edges={}, counts={}, controls=halved.runs)


def _positive(halved: HalvedNonmembers) -> ControlOutcome:
    listed = results_pb2.PositiveControl(
        not_run=halved.positive_not_run,
        runs=[results_pb2.PlantedLeak(share=share) for share in POSITIVE_SHARES],
    )
    return judge_positive(listed, _evidence(halved), 0.55).outcome


def _negative(halved: HalvedNonmembers) -> ControlOutcome:
    listed = results_pb2.NegativeControl(not_run=halved.negative_not_run)
    return judge_negative(listed, _evidence(halved), ()).outcome


@pytest.fixture(scope="module")
def healthy() -> HalvedNonmembers:
    return run_on_halved_nonmembers(_SUITE, _selection(), _CONFIG)


def test_every_judged_nonmember_stands_in_one_half(healthy: HalvedNonmembers) -> None:
    assert list(healthy.runs) == [NEGATIVE, *map(positive_run, POSITIVE_SHARES)]
    everything = {attack.name for attack in _SUITE}
    for name, run in healthy.runs.items():
        # How sure a right answer is means nothing to correctness.
        expected = everything if name == NEGATIVE else everything - {Correctness.name}
        assert set(run.counts) == set(run.edges) == expected
        for counts in run.counts.values():
            assert counts.n_members + counts.n_nonmembers == 4_000
            # A fair hash: four deviations of a binomial.
            assert abs(counts.n_members - 2_000) < 4 * 4_000**0.5 / 2


def test_a_healthy_suite_finds_what_is_planted_and_nothing_else(healthy: HalvedNonmembers) -> None:
    """Expected: AUC .5 + p / 2, of a share p known for certain and nothing of the others."""
    # The deviation of an AUC without a leak: sqrt((m + n + 1) / (12 m n)).
    deviation = (4_001 / (12 * 2_000 * 2_000)) ** 0.5
    for attack in (LossThreshold(), LogisticRegression()):
        assert abs(auc(healthy.runs[NEGATIVE].counts[attack.name]) - 0.5) < 4 * deviation
        for share in POSITIVE_SHARES:
            found = auc(healthy.runs[positive_run(share)].counts[attack.name])
            assert abs(found - (0.5 + share / 2)) < 4 * deviation
    assert _negative(healthy) == ControlOutcome.PASSED
    assert _positive(healthy) == ControlOutcome.PASSED


def test_columns_of_attacks_that_could_not_run_are_not_in_the_way(
    healthy: HalvedNonmembers,
) -> None:
    """JUDGE rows carry what attacks were to see of reference models; FIT rows do not."""
    selection = _selection()
    judge = selection.control_nonmembers
    references = ReferenceSignals(
        inside=np.zeros((len(judge), 2), np.bool_), loss=np.zeros((len(judge), 2), np.float32)
    )
    carrying = dataclasses.replace(
        selection, control_nonmembers=dataclasses.replace(judge, references=references)
    )
    found = run_on_halved_nonmembers(_SUITE, carrying, _CONFIG)
    for name, run in found.runs.items():
        for attack, counts in run.counts.items():
            np.testing.assert_array_equal(counts.members, healthy.runs[name].counts[attack].members)


def test_the_same_rows_give_the_same_counts(healthy: HalvedNonmembers) -> None:
    again = run_on_halved_nonmembers(_SUITE, _selection(), _CONFIG)
    for name, run in healthy.runs.items():
        for attack, counts in run.counts.items():
            other = again.runs[name].counts[attack]
            np.testing.assert_array_equal(counts.members, other.members)
            np.testing.assert_array_equal(counts.nonmembers, other.nonmembers)


def test_another_seed_halves_otherwise(healthy: HalvedNonmembers) -> None:
    other = run_on_halved_nonmembers(_SUITE[:1], _selection(), config_pb2.PrivacyConfig(seed=1))
    sizes = [runs.runs[NEGATIVE].counts["loss_threshold"].n_members for runs in (healthy, other)]
    assert sizes[0] != sizes[1]


def test_an_attack_that_returns_noise_is_found_out() -> None:
    halved = run_on_halved_nonmembers((LossThreshold(), _Noise()), _selection(), _CONFIG)
    assert _negative(halved) == ControlOutcome.PASSED
    assert _positive(halved) == ControlOutcome.FAILED


def test_an_attack_that_sees_the_answer_is_found_out() -> None:
    halved = run_on_halved_nonmembers((LossThreshold(), _Cheat()), _selection(), _CONFIG)
    assert _negative(halved) == ControlOutcome.FAILED


def test_fitted_on_some_fit_nonmembers_and_judged_on_others() -> None:
    _Spy.seen.clear()
    selection = _selection(fit=3_000)
    run_on_halved_nonmembers((_Spy(),), selection, _CONFIG)
    fit, judge = _Spy.seen[0], _Spy.seen[1]
    nonmembers = {tuple(one) for one in selection.fit.ids[~selection.fit.member].tolist()}
    assert len(fit) == 2_000
    assert {tuple(one) for one in fit.ids.tolist()} < nonmembers
    np.testing.assert_array_equal(judge.ids, selection.control_nonmembers.ids)
    # The leak is planted in members alone, and what a smaller share has, a larger has too.
    changed = [rows.loss != judge.loss for rows in _Spy.seen[3::2]]
    for smaller, larger in itertools.pairwise(changed):
        assert not np.any(smaller & ~larger)
    for share, rows in zip(POSITIVE_SHARES, changed, strict=True):
        assert not np.any(rows & ~judge.member)
        assert rows.sum() == pytest.approx(share * judge.member.sum(), rel=0.2)


@pytest.mark.parametrize(("fit", "judge"), [(12, 4_000), (1_000, 12)])
def test_too_few_nonmembers_are_a_stated_omission(fit: int, judge: int) -> None:
    halved = run_on_halved_nonmembers(_SUITE, _selection(fit, judge), _CONFIG)
    assert not halved.runs
    assert "needs at least 10 non-members in one half and 10 in the other" in (
        halved.negative_not_run
    )
    assert halved.positive_not_run == halved.negative_not_run


def test_without_an_attack_there_is_nothing_to_control() -> None:
    halved = run_on_halved_nonmembers((), _selection(), _CONFIG)
    assert not halved.runs
    assert halved.negative_not_run == halved.positive_not_run == "no attack could run"


def test_controls_can_be_left_out() -> None:
    by_name = {"NEGATIVE_CONTROL": NEGATIVE, "POSITIVE_CONTROL": positive_run(0.05)}
    for skipped, run in by_name.items():
        config = config_pb2.PrivacyConfig(skip_controls=[skipped])
        halved = run_on_halved_nonmembers(_SUITE[:1], _selection(), config)
        assert run not in halved.runs
        assert halved.runs
        reasons = (halved.negative_not_run, halved.positive_not_run)
        assert sorted(reasons) == ["", "left out by the configuration (skip_controls)"]
    config = config_pb2.PrivacyConfig(skip_controls=[*by_name, "BLIND_BASELINE"])
    assert not run_on_halved_nonmembers(_SUITE, _selection(), config).runs
    assert "skip_controls" in fit_blind_baseline(_selection(), config).not_run


def test_without_inputs_and_label_no_blind_baseline() -> None:
    selection = _selection()
    unlabelled = dataclasses.replace(selection.fit_inputs, label=None)
    blind = fit_blind_baseline(dataclasses.replace(selection, fit_inputs=unlabelled), _CONFIG)
    assert "needs input features" in blind.not_run
    assert not blind.suite.attacks
    assert not blind.edges


def test_without_inputs_the_blind_baseline_sees_the_label_alone() -> None:
    blind = fit_blind_baseline(_selection(), _CONFIG)
    assert not blind.not_run
    assert blind.label_alone
    assert blind.features_seen == 1


def test_an_attack_that_raises_is_not_passed_over() -> None:
    class Broken(_Noise):
        def score(self, signals: Signals) -> NDArray[np.float64]:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run_on_halved_nonmembers((Broken(),), _selection(), _CONFIG)
