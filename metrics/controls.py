"""Whether the measurement itself can be trusted: the tests of the controls.

Each is a pure function of counts. How often it fails by chance where nothing is wrong
is stated with each; the rates are those of simulations (see the tests, and
docs/calibration.md at full scale).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np

from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.counts import ControlRun, Evidence
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.power import smallest_found
from tfx_privacy.metrics.registry import metric_title
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

# Names of the runs in `Evidence.controls`.
BLIND_BASELINE = "blind_baseline"
NEGATIVE = "negative"

# The shares of pseudo-members that a leak is planted in, one run each.
POSITIVE_SHARES = (0.05, 0.1, 0.2, 0.4)

# An absolute limit on a metric.
Limit = tuple[Metric, float]

# The blind baseline: one-sided error over all limited metrics, and the AUC that
# differences without any consequence reach.
_BLIND_ERROR = 0.01
_HARMLESS_AUC = 0.02

# The negative control: error over all attacks and metrics.
_NEGATIVE_ERROR = 0.001

# The positive control: the error at which an attack has found the leak, and the
# probability, over all attacks, that one does not where the leak is what it is taken for.
_FOUND_ERROR = 0.01
_UNLUCKY = 0.001

# Judged rows are two thirds of the splits'.
_ROWS_PER_JUDGED = 1.5
# Records are asked for up to so many times those at hand.
_MOST_TIMES = 1000


def positive_run(share: float) -> str:
    """The name of the positive control's run with this share, such as "positive_0.05"."""
    return f"positive_{share:g}"


class ControlOutcome(enum.Enum):
    """What came of a control."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclasses.dataclass(frozen=True)
class ControlFinding:
    """What came of a control, and why.

    Attributes:
      outcome: FAILED where the measurement cannot be trusted.
      reason: In one or two sentences, for a reader without statistics.
    """

    outcome: ControlOutcome
    reason: str


def judge_blind_baseline(
    control: results_pb2.BlindBaseline, evidence: Evidence, limits: Sequence[Limit]
) -> ControlFinding:
    """Whether the splits differ so much that membership numbers cannot be trusted.

    Fails where, for a limited metric, the lower bound at one-sided .01 (divided by the
    number of limited metrics) is above m0 + (L - m0) / 2, at least .02 above m0 for AUC:
    m0 is the metric's value without a leak, L its limit. Where members and non-members
    do not differ that is less than 1% of runs; a difference of AUC .51 does not fail,
    however many the rows: with no tolerance it would in up to 99.8% of large runs. Of a
    baseline that saw the label alone only a failure counts.

    Args:
      control: What was measured, and the features that give the splits away.
      evidence: With the counts of the run `BLIND_BASELINE`.
      limits: The absolute limits that must be passed on the whole; with none, AUC alone.

    Raises:
      ValueError: If the run is of no or of several attacks.
    """
    run = evidence.controls.get(BLIND_BASELINE)
    if control.not_run or run is None:
        return _not_run("blind baseline", control.not_run)
    if len(run.counts) != 1:
        raise ValueError(
            f"the run {BLIND_BASELINE!r}: found attacks {', '.join(run.counts) or 'none'}, "
            "expected one"
        )
    (name,) = run.counts
    counts, thresholds = run.counts[name], run.edges[name].thresholds
    if counts.n_members == 0 or counts.n_nonmembers == 0:
        return _one_side("blind baseline")
    limits = limits or _AUC_ALONE
    seen, beyond = [], []
    for metric, limit in limits:
        found = metric.measure(counts, thresholds, _BLIND_ERROR / len(limits))
        value = f"{metric_title(metric)} {_number(found.estimate)}, at least {_number(found.lower)}"
        if found.lower > metric.no_leak:
            seen.append(value)
        if found.lower > metric.no_leak + _tolerance(metric, limit):
            beyond.append(value)
    if beyond:
        return ControlFinding(
            ControlOutcome.FAILED,
            f"An attacker that sees {_sight(control)} alone, never the model, tells members from "
            f"non-members ({beyond[0]}): the splits differ, and membership numbers cannot be "
            f"trusted. {_culprits(control)}",
        )
    if seen and not control.label_alone:
        return ControlFinding(
            ControlOutcome.PASSED,
            "There is a drift: an attacker that sees the input features alone, never the model, "
            f"tells members from non-members a little ({seen[0]}), too little to matter at these "
            f"limits. {_culprits(control)}",
        )
    auc = Auc().measure(counts, thresholds, _BLIND_ERROR)
    if control.label_alone:
        return ControlFinding(
            ControlOutcome.NOT_RUN,
            "The blind baseline saw the label alone, by which members were not told from "
            f"non-members (AUC at most {_number(auc.upper)}): no input features were kept that it "
            "could look at.",
        )
    return ControlFinding(
        ControlOutcome.PASSED,
        "An attacker that sees the input features alone, never the model, was not seen to tell "
        f"members from non-members (AUC {_number(auc.estimate)}, at most {_number(auc.upper)}).",
    )


def _sight(control: results_pb2.BlindBaseline) -> str:
    return "the label" if control.label_alone else "the input features"


def judge_negative(
    control: results_pb2.NegativeControl, evidence: Evidence, limits: Sequence[Limit]
) -> ControlFinding:
    """Whether an attack finds members among non-members.

    Fails where an attack's lower bound is above the value without a leak, or its upper
    bound of AUC below .5, at an error of .001 divided by the number of attacks and
    bounds: so in less than .1% of healthy runs. At ordinary 95% intervals a healthy run
    would fail in 6 to 21%.

    Args:
      control: What was measured.
      evidence: With the counts of the run `NEGATIVE`.
      limits: The absolute limits that must be passed on the whole; with none, AUC alone.
    """
    run = evidence.controls.get(NEGATIVE)
    if control.not_run or run is None or not run.counts:
        return _not_run("negative control", control.not_run)
    if _lacks_a_side(run):
        return _one_side("negative control")
    metrics = [metric for metric, _ in limits or _AUC_ALONE]
    bounds = len(metrics) + metrics.count(Auc())
    error = _NEGATIVE_ERROR / (bounds * len(run.counts))
    for name, counts in run.counts.items():
        for metric in metrics:
            found = metric.measure(counts, run.edges[name].thresholds, error)
            wrong = f"at least {_number(found.lower)}" if found.lower > metric.no_leak else None
            if metric == Auc() and found.upper < metric.no_leak:
                wrong = f"at most {_number(found.upper)}"
            if wrong is not None:
                return ControlFinding(
                    ControlOutcome.FAILED,
                    f"'{name}' told two random halves of the non-members apart "
                    f"({metric_title(metric)} {_number(found.estimate)}, {wrong}), where there is "
                    "nothing to find: the suite is broken.",
                )
    return ControlFinding(
        ControlOutcome.PASSED,
        f"None of the attacks told two random halves of the non-members apart, on "
        f"{_rows(run)}: as it should be.",
    )


def judge_positive(
    control: results_pb2.PositiveControl, evidence: Evidence, auc_limit: float
) -> ControlFinding:
    """Whether the attacks find a leak that was planted.

    Read is the run with the smallest share p of planted pseudo-members that is at least
    2 (L - .5), which is a leak of AUC L (the largest share of all for limits beyond),
    and at least the share that an attack which sees it finds with a probability of
    1 - .001 / A, A attacks. Found it has where its lower bound of AUC is above .5 at
    one-sided .01. So a healthy suite fails in less than .1% of runs, and a suite with an
    attack that returns noise passes in 1%.

    Attacks that cannot see the leak (`Attack.sees_planted`) are not in these runs.

    Args:
      control: The shares that ran.
      evidence: With the counts of the runs `positive_run(share)`.
      auc_limit: The limit on AUC, in (0.5, 1).
    """
    if control.not_run or not control.runs:
        return _not_run("positive control", control.not_run)
    runs = {
        planted.share: evidence.controls[positive_run(planted.share)]
        for planted in sorted(control.runs, key=lambda planted: planted.share)
        if positive_run(planted.share) in evidence.controls
    }
    if not runs or not all(run.counts for run in runs.values()):
        return ControlFinding(
            ControlOutcome.NOT_RUN,
            "The positive control could show nothing: no attack ran that can see the leak it "
            "plants.",
        )
    if any(_lacks_a_side(run) for run in runs.values()):
        return _one_side("positive control")
    # Shares are decimal numbers; a limit of .55 is to mean .1.
    wanted = min(2.0 * (auc_limit - 0.5), max(runs)) - 1e-9
    for share, run in runs.items():
        if share >= wanted and share >= _share_seen(run):
            return _found_by_all(share, run)
    return _too_few(max(runs), runs[max(runs)])


def judge_duplicates(records: results_pb2.Records) -> ControlFinding:
    """Whether duplicates were looked for, and how many there were. Never fails."""
    read = records.read.members + records.read.nonmembers
    if not records.duplicates_checked:
        return ControlFinding(
            ControlOutcome.NOT_RUN,
            "Duplicates were not looked for, because the rows have no ids: a record that stands "
            "in both splits may count as member and as non-member.",
        )
    left_out = records.duplicate.members + records.duplicate.nonmembers
    if left_out == 0:
        return ControlFinding(
            ControlOutcome.PASSED, f"No record occurs more than once among {read:,}."
        )
    both = records.on_both_sides
    return ControlFinding(
        ControlOutcome.PASSED,
        f"{left_out:,} of {read:,} records ({100.0 * left_out / max(read, 1):.2g}%) occur more "
        f"than once and were left out; of these {both.members:,} members occur among the "
        f"non-members too, and {both.nonmembers:,} non-members among the members.",
    )


_AUC_ALONE: tuple[Limit, ...] = ((Auc(), 0.5),)


def _tolerance(metric: Metric, limit: float) -> float:
    """How far above its value without a leak a metric may be proved before it matters."""
    half_way = (limit - metric.no_leak) / 2.0
    return max(_HARMLESS_AUC, half_way) if metric == Auc() else half_way


def _culprits(control: results_pb2.BlindBaseline) -> str:
    if not control.features:
        return "No feature alone gives them away: several together do."
    named = ", ".join(f"'{one.feature}' (AUC {_number(one.auc)})" for one in control.features)
    return f"By itself each of these gives them away: {named}."


def _share_seen(run: ControlRun) -> float:
    """The smallest share that each attack of a healthy suite finds."""
    return max(
        2.0 * (_auc_seen(counts.n_members, counts.n_nonmembers, len(run.counts)) - 0.5)
        for counts in run.counts.values()
    )


def _auc_seen(members: int, nonmembers: int, attacks: int) -> float:
    power = 1.0 - _UNLUCKY / attacks
    return smallest_found(Auc(), members, nonmembers, 0.5, _FOUND_ERROR, power)


def _found_by_all(share: float, run: ControlRun) -> ControlFinding:
    planted = f"a leak planted in {100.0 * share:g}% of one half of the non-members"
    for name, counts in run.counts.items():
        found = Auc().measure(counts, run.edges[name].thresholds, _FOUND_ERROR)
        if found.lower <= 0.5:
            return ControlFinding(
                ControlOutcome.FAILED,
                f"A planted leak was not found by '{name}': the suite is broken. Of {planted}, "
                f"AUC {_number(0.5 + share / 2.0)}, it saw AUC {_number(found.estimate)} on "
                f"{_rows(run)}.",
            )
    return ControlFinding(
        ControlOutcome.PASSED,
        f"All attacks found {planted} (AUC {_number(0.5 + share / 2.0)}): it shows that the "
        "machinery works, not that the attacks are strong.",
    )


def _too_few(share: float, run: ControlRun) -> ControlFinding:
    counts = next(iter(run.counts.values()))
    rows = counts.n_members + counts.n_nonmembers
    ratio = counts.n_members / rows
    enough = next(
        (
            needed
            for needed in np.geomspace(rows, _MOST_TIMES * rows, 40).round().astype(int).tolist()
            if 2.0 * (_auc_seen(*_halves(needed, ratio), len(run.counts)) - 0.5) <= share
        ),
        None,
    )
    asked = "many more" if enough is None else f"about {_round_up(enough * _ROWS_PER_JUDGED):,}"
    return ControlFinding(
        ControlOutcome.NOT_RUN,
        f"There are too few non-members for the positive control: {rows:,} were judged, of whose "
        f"leaks the attacks could miss the largest planted one by chance. It needs {asked} "
        "non-members in the split.",
    )


def _halves(rows: int, ratio: float) -> tuple[int, int]:
    members = min(max(round(ratio * rows), 1), rows - 1)
    return members, rows - members


def _round_up(number: float) -> int:
    """To two digits."""
    unit = 10 ** max(len(str(int(number))) - 2, 0)
    return int(-(-number // unit) * unit)


def _lacks_a_side(run: ControlRun) -> bool:
    return any(one.n_members == 0 or one.n_nonmembers == 0 for one in run.counts.values())


def _one_side(title: str) -> ControlFinding:
    return ControlFinding(
        ControlOutcome.NOT_RUN, f"There are too few records for the {title}: a side has no rows."
    )


def _not_run(title: str, reason: str) -> ControlFinding:
    return ControlFinding(
        ControlOutcome.NOT_RUN,
        f"The {title} did not run: {reason or 'the measurement has none'}".rstrip(".") + ".",
    )


def _rows(run: ControlRun) -> str:
    counts = next(iter(run.counts.values()))
    return f"{counts.n_members + counts.n_nonmembers:,} records"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 0.1 else f"{value:.3f}"
