"""What more reference models would buy: what the last of them changed, on the curve measured."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from tfx_privacy.metrics.change import difference
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.advice_entry import Advice
from tfx_privacy.reports.measures import (
    Measure,
    MeasuredText,
    change_limit_text,
    change_text,
    find_metric,
    measure_of,
    measured_text,
)
from tfx_privacy.reports.numerals import count_text, share_text
from tfx_privacy.reports.reference_comparison import is_known, shown_metrics

# A rise of a metric by less than this is called little: a point, a hundredth.
_LITTLE = 0.01
_NOT_MEASURED = "Beyond {models} models nothing was measured."


class Growth(enum.Enum):
    """What the interval of the last change says."""

    ROSE = "rose"
    FELL = "fell"
    LITTLE = "little or no rise"
    NOT_KNOWN = "no change shown"


@dataclasses.dataclass(frozen=True)
class LastStep:
    """One metric of one attack with the last two numbers of models.

    Attributes:
      attack: Its name.
      metric: Which.
      before: With how many models it began.
      after: With how many it ended: all of them.
      first: The value with `before` models.
      last: The value with `after` models.
      change: The last minus the first, with an interval that takes the two for values
        of different records (MOVER, correlation 0): wide, since they are of the same.
    """

    attack: str
    metric: config_pb2.MetricSpec
    before: int
    after: int
    first: results_pb2.MeasuredValue
    last: results_pb2.MeasuredValue
    change: results_pb2.MeasuredValue

    @property
    def measure(self) -> Measure:
        """The metric's words."""
        return measure_of(self.metric)

    @property
    def change_text(self) -> MeasuredText:
        """The change with its interval: "+0.010", "-0.004 to +0.024"."""
        return change_text(self.measure, self.change, _LITTLE)

    @property
    def growth(self) -> Growth:
        """What came of it."""
        if self.change.upper < 0:
            return Growth.FELL
        if self.change.upper < _LITTLE:
            return Growth.LITTLE
        return Growth.ROSE if self.change.lower > 0 else Growth.NOT_KNOWN


def last_steps(curve: results_pb2.ReferenceCurve) -> list[LastStep]:
    """What the last models changed, metric by metric; nothing on a curve of one point."""
    if len(curve.points) < 2:
        return []
    before, after = curve.points[-2:]
    steps = []
    for spec in shown_metrics([entry.metric for entry in after.metrics]):
        first, last = find_metric(before.metrics, spec), find_metric(after.metrics, spec)
        if first is None or last is None or not (is_known(first) and is_known(last)):
            continue
        if measure_of(spec).is_share:
            steps.append(
                LastStep(
                    attack=curve.attack,
                    metric=spec,
                    before=before.models,
                    after=after.models,
                    first=first,
                    last=last,
                    change=_change(first, last),
                )
            )
    return steps


def told_curve(results: results_pb2.PrivacyResults) -> results_pb2.ReferenceCurve | None:
    """The curve to speak of: of the best attack, or the one that ends highest."""
    curves = [curve for curve in results.references.curves if curve.points]
    best = [curve for curve in curves if curve.attack == results.best_attack]
    return max(best or curves, key=_end, default=None)


def growth_sentences(results: results_pb2.PrivacyResults) -> list[str]:
    """What more reference models would buy, by the curve to speak of."""
    curve = told_curve(results)
    if curve is None:
        return [
            "No curve was measured, so nothing here says what more reference models would buy: "
            "neither LiRA nor RMIA ran."
        ]
    steps = _by_telling(last_steps(curve))
    if not steps:
        models = curve.points[-1].models
        return [
            f"With {count_text(models)} reference models alone there is nothing to compare with, "
            "so nothing here says what more of them would buy. Twice as many would show it."
        ]
    first, *others = steps
    return [_opening(first), " ".join([*(_beside(one) for one in others), _wide(first)])]


def one_change(results: results_pb2.PrivacyResults) -> str:
    """The same in one clause for a terminal; "" where nothing can be said."""
    curve = told_curve(results)
    steps = [] if curve is None else _by_telling(last_steps(curve))
    if not steps:
        return ""
    step = steps[0]
    return (
        f"{_span(step)} of them the {step.measure.title_inside} of {step.attack} changed by "
        f"{step.change_text.with_interval}"
    )


def advise_more(results: results_pb2.PrivacyResults) -> Advice | None:
    """To train more reference models where that may show more; None where it hardly would."""
    if not results.HasField("references"):
        return None
    curve = told_curve(results)
    if curve is None:
        return None
    steps = last_steps(curve)
    growths = {one.growth for one in steps}
    if steps and not growths & {Growth.ROSE, Growth.NOT_KNOWN}:
        return None
    title = (
        "Train more reference models"
        if Growth.ROSE in growths or not steps
        else "See whether more reference models find more"
    )
    told = " ".join(growth_sentences(results))
    return Advice(
        title,
        f"{told} Models are added in pairs, and those that are trained already are kept: raise "
        "`models` of ReferenceTrainer and leave everything else as it is.",
    )


def _by_telling(steps: Sequence[LastStep]) -> list[LastStep]:
    """What rose first, so that nothing that is said takes back what stands before it."""
    return sorted(steps, key=lambda one: one.growth is not Growth.ROSE)


def _opening(step: LastStep) -> str:
    told = (
        f"{_span(step)} reference models the {step.measure.title_inside} of {step.attack} changed "
        f"by {step.change_text.with_interval}, {_from_to(step)}"
    )
    models = count_text(step.after)
    match step.growth:
        case Growth.ROSE:
            return (
                f"More reference models may well find more. {told}: it was still rising, and an "
                f"attacker who trains more than {models} may do better than this report says. How "
                "much better was not measured."
            )
        case Growth.LITTLE:
            return (
                f"By {step.measure.title_inside} more reference models may find little more. "
                f"{told}: a rise of less than {change_limit_text(step.measure, _LITTLE)}, if any. "
                f"{_NOT_MEASURED.format(models=models)}"
            )
        case Growth.FELL:
            return (
                f"By {step.measure.title_inside} more reference models helped no further. {told}. "
                f"{_NOT_MEASURED.format(models=models)}"
            )
        case _:
            return (
                f"By {step.measure.title_inside} it is not known whether more reference models "
                f"would find more. {told}: the interval contains 0, and a rise of "
                f"{_amount(step, step.change.upper)} as well."
            )


def _beside(step: LastStep) -> str:
    said = {
        Growth.ROSE: "it was still rising",
        Growth.LITTLE: f"a rise of less than {change_limit_text(step.measure, _LITTLE)}, if any",
        Growth.FELL: "it fell",
        Growth.NOT_KNOWN: "the interval contains 0",
    }[step.growth]
    return (
        f"The {step.measure.title_inside} changed by {step.change_text.with_interval}, "
        f"{_from_to(step)}: {said}."
    )


def _wide(step: LastStep) -> str:
    return (
        f"The {share_text(step.change.confidence)} intervals of changes are over records. They are "
        "wider than need be, since both values are of the same ones; that other models would have "
        "given other values is not in them."
    )


def _span(step: LastStep) -> str:
    return f"From {count_text(step.before)} to {count_text(step.after)}"


def _change(
    first: results_pb2.MeasuredValue, last: results_pb2.MeasuredValue
) -> results_pb2.MeasuredValue:
    change = difference(
        Interval(last.estimate, last.lower, last.upper),
        Interval(first.estimate, first.lower, first.upper),
        0.0,
    )
    return results_pb2.MeasuredValue(
        estimate=change.estimate,
        lower=change.lower,
        upper=change.upper,
        confidence=min(first.confidence, last.confidence),
        members=last.members,
        nonmembers=last.nonmembers,
    )


def _amount(step: LastStep, change: float) -> str:
    """A change without its sign: "0.013", "1.3 points"."""
    value = results_pb2.MeasuredValue(estimate=change, lower=step.change.lower, upper=change)
    return change_text(step.measure, value, _LITTLE).estimate.removeprefix("+")


def _from_to(step: LastStep) -> str:
    first, last = (measured_text(step.measure, value) for value in (step.first, step.last))
    return f"from {first.estimate} to {last.estimate}"


def _end(curve: results_pb2.ReferenceCurve) -> float:
    metrics = curve.points[-1].metrics
    shown = shown_metrics([entry.metric for entry in metrics])
    value = find_metric(metrics, shown[0]) if shown else None
    return -1.0 if value is None else value.estimate
