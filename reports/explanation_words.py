"""What goes with the risk, in words: what goes together, never what causes what."""

from __future__ import annotations

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.explanation_findings import explanation_findings, has_accuracies
from tfx_privacy.reports.measures import Measure, MeasuredText, change_text, measured_text
from tfx_privacy.reports.numerals import count_text, decimals_for, number_text

# By property: which classes leak more where the correlation is above 0, and below.
_CLASSES_THAT_LEAK = {
    "accuracy gap": (
        "Classes with a wider gap between train and test accuracy",
        "Classes with a narrower gap between train and test accuracy",
    ),
    "class size": ("Classes with more training records", "Classes with fewer training records"),
    "spread": (
        "Classes whose records lie further apart",
        "Classes whose records lie closer together",
    ),
    "test accuracy": (
        "Classes whose other records are answered better",
        "Classes whose other records are answered worse",
    ),
    "uncertainty of members": (
        "Classes on whose training records the model is less sure",
        "Classes on whose training records the model is surer",
    ),
    "uncertainty of non-members": (
        "Classes on whose other records the model is less sure",
        "Classes on whose other records the model is surer",
    ),
}
_ACCURACY = Measure(
    title="Accuracy",
    explanation="Share of records that the model answers right",
    deed="answers {} right",
    chance=0.0,
    in_percent=True,
)


def accuracy_text(value: results_pb2.MeasuredValue) -> MeasuredText:
    """An accuracy: "98.7%", "97.1% to 99.5%"."""
    return measured_text(_ACCURACY, value)


def gap_text(group: results_pb2.GroupStatistics) -> MeasuredText:
    """A gap: "+43.7 points" of accuracy, or "+0.82" of the loss."""
    if has_accuracies(group):
        return change_text(_ACCURACY, group.gap, 0.0)
    return _loss_text(group.gap)


def correlation_text(value: results_pb2.MeasuredValue) -> MeasuredText:
    """A rank correlation: "-0.61", "-0.80 to -0.30"."""
    decimals = decimals_for([value.lower, value.upper], [0.0], fewest=2, most=3)

    def write(number: float) -> str:
        return number_text(number, decimals)

    return MeasuredText(
        write(value.estimate),
        write(value.upper),
        f"{write(value.lower)} to {write(value.upper)}",
        "",
    )


def sentences(explanation: results_pb2.Explanation) -> list[str]:
    """What is seen of all records, a sentence each."""
    whole = explanation.whole
    said = [text for text in (_of_the_whole(whole),) if text]
    if explanation_findings(explanation).is_surer:
        said.append(
            "It is surer of its answers on training records: their mean uncertainty is "
            f"{number_text(whole.members.mean_uncertainty, 3)}, that of other records "
            f"{number_text(whole.nonmembers.mean_uncertainty, 3)} (0 is sure, 1 is a guess)."
        )
    return said


def class_sentences(explanation: results_pb2.Explanation) -> list[str]:
    """What goes with the risk over classes, the strongest first, a sentence each."""
    return [_association(found) for found in explanation_findings(explanation).associations]


def nothing_stands_out(explanation: results_pb2.Explanation) -> bool:
    """Whether neither the whole nor the classes show anything that would go with a risk."""
    findings = explanation_findings(explanation)
    return not (findings.has_gap or findings.is_surer or findings.associations)


def one_line(results: results_pb2.PrivacyResults) -> str:
    """The most telling of it for a terminal, in one line without a line break.

    The gap of the whole, and the strongest of what goes with the risk over classes. Words
    from data are not in it.

    Returns:
      "" where nothing was computed.
    """
    explanation = results.explanation
    if explanation.not_computed or not explanation.HasField("whole"):
        return ""
    found = explanation_findings(explanation).associations
    parts = [_of_the_whole(explanation.whole), *(_association(one) for one in found[:1])]
    return " ".join(part for part in parts if part)


def _of_the_whole(whole: results_pb2.GroupStatistics) -> str:
    if not whole.HasField("gap"):
        return ""
    gap = gap_text(whole)
    if not has_accuracies(whole):
        side = "larger" if whole.gap.estimate >= 0 else "smaller"
        if whole.gap.lower <= 0.0 <= whole.gap.upper:
            return (
                "The mean loss on training records and on other records does not differ by more "
                f"than luck explains: {gap.with_interval}."
            )
        return (
            f"The mean loss is {side} on other records than on training records: "
            f"{gap.with_interval}."
        )
    luck = ", which luck explains" if whole.gap.lower <= 0.0 <= whole.gap.upper else ""
    train, test = (accuracy_text(side.accuracy) for side in (whole.members, whole.nonmembers))
    return (
        f"The model answers {train.with_interval} of training records right (train accuracy) and "
        f"{test.with_interval} of other records (test accuracy): a gap of {gap.with_interval}"
        f"{luck}."
    )


def _association(found: results_pb2.Association) -> str:
    above, below = _CLASSES_THAT_LEAK.get(
        found.property,
        (f"Classes with more {found.property}", f"Classes with less {found.property}"),
    )
    which = above if found.correlation.estimate > 0 else below
    return (
        f"{which} leak more: rank correlation {correlation_text(found.correlation).with_interval} "
        f"over {count_text(found.correlation.members)} classes."
    )


def _loss_text(value: results_pb2.MeasuredValue) -> MeasuredText:
    decimals = decimals_for([value.lower, value.upper], [0.0], fewest=2, most=5)

    def write(number: float) -> str:
        text = number_text(number, decimals)
        return f"+{text}" if number > 0 and float(text) > 0 else text

    return MeasuredText(
        write(value.estimate),
        write(value.upper),
        f"{write(value.lower)} to {write(value.upper)}",
        "",
    )
