"""What a comparison shows, in sentences."""

from __future__ import annotations

from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.comparison import Compared, Comparison, place_text
from tfx_privacy.reports.measures import change_text, measure_of
from tfx_privacy.reports.numerals import share_text


def change_sentence(comparison: Comparison) -> str:
    """Whether the first and the last differ by more than chance explains."""
    change = comparison.change
    measure = measure_of(change.metric)
    interval = change.interval
    value = results_pb2.MeasuredValue(
        estimate=interval.estimate,
        lower=interval.lower,
        upper=interval.upper,
        confidence=change.confidence,
    )
    text = change_text(measure, value, limit=0.0)
    first, last = comparison.compared[0], comparison.compared[-1]
    told = (
        f"From {_called(comparison, first)} to {_called(comparison, last)} the "
        f"{_inside(measure.title)} of the best attack changed by {text.estimate} "
        f"({share_text(change.confidence)} interval: {text.interval})"
    )
    if interval.lower > 0:
        return f"{told}: the model gives away more than it did."
    if interval.upper < 0:
        return f"{told}: the model gives away less than it did."
    return f"{told}: the interval includes no change, so chance alone may explain the difference."


def onset_sentence(comparison: Comparison) -> str:
    """From which measurement on the attacks do better than chance."""
    spec = comparison.metrics[0]
    title = _inside(measure_of(spec).title)
    chance = metric_from_spec(spec).no_leak
    shown = [_lower(each, spec) > chance for each in comparison.compared]
    if not any(shown):
        return f"In no measurement does the interval of the {title} lie above chance."
    if all(shown):
        return f"In every measurement the interval of the {title} lies above chance."
    first = shown.index(True)
    which = _called(comparison, comparison.compared[first])
    if all(shown[first:]):
        return f"From {which} on the interval of the {title} lies above chance."
    return (
        f"The interval of the {title} lies above chance first at {which}, and in "
        f"{sum(shown)} of {len(shown)} measurements."
    )


def places_sentence(comparison: Comparison) -> str:
    """What the measurements are in the order of."""
    return f"Measurements are in the order of {_ORDERED[comparison.places.name]}."


_ORDERED = {
    "EPOCHS_GIVEN": "the epochs that were given for them",
    "EPOCHS_OF_NAMES": "epochs: the numbers that their names end with",
    "ORDER": "the command line: neither epochs were given nor do the names end with numbers",
}


def accuracy_sentence(comparison: Comparison) -> str:
    """Why nothing is shown against accuracy; "" where it is."""
    lacking = comparison.lack_accuracy
    if not lacking:
        return ""
    return (
        f"Vulnerability is not shown against test accuracy: {len(lacking)} of "
        f"{len(comparison.compared)} measurements have no accuracy (saved predictions without "
        "labels have none, nor have regression and multi-label models)."
    )


def _called(comparison: Comparison, each: Compared) -> str:
    return f"epoch {place_text(each.place)}" if comparison.places.are_epochs else each.name


def _inside(title: str) -> str:
    """A title within a sentence."""
    return title if title[:2].isupper() else title[0].lower() + title[1:]


def _lower(each: Compared, spec) -> float:
    value = each.best(spec)
    assert value is not None, "a comparison has the metrics of all"
    return value.lower
