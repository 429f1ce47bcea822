"""What a lower bound on epsilon means, in sentences."""

from __future__ import annotations

import math

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import measure_of, measured_text
from tfx_privacy.reports.numerals import number_below
from tfx_privacy.reports.reading import Reading, Shown

_NAMES = ("epsilon", "canary_epsilon")


def epsilon_sentences(reading: Reading) -> list[str]:
    """A few sentences for each bound on epsilon that was measured.

    None where the numbers cannot be trusted: a difference between the splits would
    pass for a property of the training.
    """
    if reading.shown is Shown.NOT_TRUSTED:
        return []
    best = reading.results.best_of_attacks
    return [_said(entry) for entry in best if entry.metric.name in _NAMES]


def _said(entry: results_pb2.MetricValue) -> str:
    text = measured_text(measure_of(entry.metric), entry.value)
    by_canaries = "By the planted canaries: " if entry.metric.name == "canary_epsilon" else ""
    guarantee = f"(epsilon, delta = {entry.metric.delta:g}) guarantee of this training"
    if entry.value.lower > 0:
        shown = f"any {guarantee} would need epsilon {text.estimate} ({text.confidence})"
    else:
        shown = f"no epsilon above 0 was shown to be needed by an {guarantee} ({text.confidence})"
    said = f"{by_canaries}{shown}. This is no upper limit."
    sentences = [said[0].upper() + said[1:]]
    if entry.HasField("largest_attainable"):
        sentences.append(_attainable(entry.largest_attainable))
    return " ".join(sentences)


def _attainable(largest: float) -> str:
    if math.isnan(largest) or largest <= 0:
        return "So few records could not show any epsilon above 0, whatever the model gives away."
    return (
        f"So many records could show at most {number_below(largest, 2)} for the best of all "
        "attacks, even if it makes no mistake."
    )
