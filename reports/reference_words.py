"""What attacks with reference models found, beside the best attack without, in words."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import measure_of, measured_text
from tfx_privacy.reports.numerals import share_text
from tfx_privacy.reports.reference_comparison import (
    ComparedMetric,
    Comparison,
    Overlap,
    comparison_of,
)
from tfx_privacy.reports.reference_growth import one_change
from tfx_privacy.reports.reference_training_words import models_text


def comparison_sentences(results: results_pb2.PrivacyResults) -> list[str]:
    """The attacks with references beside the best without, the most telling first."""
    compared = comparison_of(results)
    if compared is None:
        return [
            "No attack that learns from reference models ran, so nothing here says what they would "
            "have found."
        ]
    name = compared.with_references.name
    metrics = compared.metrics
    if compared.without is None or not metrics:
        return [f"{name} is spoken of below; no black-box attack without reference models ran."]
    first, others = metrics[0], metrics[1:]
    told = [_opening(compared, first), *(_beside(one) for one in others)]
    how = [_how_chosen(compared)]
    if any(one.overlap is Overlap.OVERLAPS for one in metrics):
        how.append(
            "Where intervals overlap, it is not shown which of the two sees more: both scored the "
            "same records, and luck with these moves both."
        )
    return [" ".join(told), " ".join(how)]


def one_line(results: results_pb2.PrivacyResults) -> str:
    """The same for a terminal, in one line; "" where there were no reference models."""
    if not results.HasField("references"):
        return ""
    compared = comparison_of(results)
    if compared is None:
        return f"{models_text(results)}: no attack with them ran."
    told = f"With {models_text(results)}: {compared.with_references.name}"
    metrics = compared.metrics
    if compared.without is None or not metrics:
        return f"{told}; no black-box attack without them ran."
    beside = "; ".join(
        f"{measure_of(one.metric).title} {_text(one.metric, one.with_references)} against "
        f"{_text(one.metric, one.without)}"
        for one in metrics
    )
    change = one_change(results)
    more = f" {change}." if change else ""
    return f"{told} beside {compared.without.name}, the best without: {beside}.{more}"


def overlap_words(overlap: Overlap) -> str:
    """How an interval lies to that of the best attack without references."""
    return {
        Overlap.ABOVE: "higher",
        Overlap.BELOW: "lower",
        Overlap.OVERLAPS: "intervals overlap",
    }[overlap]


def _opening(compared: Comparison, one: ComparedMetric) -> str:
    measure = measure_of(one.metric)
    assert compared.without is not None, "there is something to compare with"
    openings = {
        Overlap.ABOVE: "Reference models let the attacker see more",
        Overlap.BELOW: "Attacks with these reference models see less than the best without",
        Overlap.OVERLAPS: (
            "It is not shown that reference models let the attacker see more"
            if one.with_references.estimate >= one.without.estimate
            else "Attacks with these reference models were not shown to see more"
        ),
    }
    after = {
        Overlap.ABOVE: "",
        Overlap.BELOW: (
            " That says that these models serve attacks badly, being few or unlike the target, and "
            "nothing of the target's safety."
        ),
        Overlap.OVERLAPS: "",
    }
    confidence = share_text(one.with_references.confidence)
    ours = measured_text(measure, one.with_references)
    theirs = measured_text(measure, one.without)
    return (
        f"{openings[one.overlap]}: {compared.with_references.name} has {_article(measure.title)} "
        f"{measure.title_inside} of {ours.estimate} ({confidence} interval: {ours.interval}), "
        f"{compared.without.name}, the best black-box attack without them, {theirs.estimate} "
        f"({theirs.interval}).{after[one.overlap]}"
    )


def _beside(one: ComparedMetric) -> str:
    measure = measure_of(one.metric)
    said = {
        Overlap.ABOVE: "higher with them",
        Overlap.BELOW: "lower with them",
        Overlap.OVERLAPS: "the intervals overlap",
    }[one.overlap]
    return (
        f"{measure.title} is {_text(one.metric, one.with_references)} against "
        f"{_text(one.metric, one.without)}: {said}."
    )


def _how_chosen(compared: Comparison) -> str:
    assert compared.without is not None, "there is something to compare with"
    ours, theirs = compared.with_references.name, compared.without.name
    if compared.with_is_of_fit and compared.without_is_of_fit:
        return "Both were chosen on FIT, where no number here comes from."
    if compared.with_is_of_fit:
        return (
            f"{ours} was best of all attacks on FIT. {theirs} is the best without by the judged "
            "records themselves, which flatters it a little."
        )
    if compared.without_is_of_fit:
        return (
            f"{theirs} was best on FIT. {ours} is the best with reference models by the judged "
            "records themselves, which flatters it a little."
        )
    return (
        "Each is the best of its kind by the judged records themselves, which flatters both a "
        "little."
    )


def _text(metric: config_pb2.MetricSpec, value: results_pb2.MeasuredValue) -> str:
    return measured_text(measure_of(metric), value).with_interval


def _article(title: str) -> str:
    return "an" if title[0] in "AEIOU" else "a"
