"""The finding in words, for a reader without statistics."""

from __future__ import annotations

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import Measure, measure_of, spoken_text
from tfx_privacy.reports.numerals import count_text
from tfx_privacy.reports.reading import Reading, headline, is_above_chance, is_below_chance, read

_NOT_SAFE = (
    "This does not show that the model is safe: it holds for the attacks that ran, "
    "and others may find more."
)


def finding(results: results_pb2.PrivacyResults) -> str:
    """What the best of the attacks found, in a few sentences.

    It says what was shown and what was not, each number with its interval and with
    what guessing would reach; it gives no verdict.
    """
    reading = read(results)
    if reading is Reading.NOT_MEASURED:
        return "No attack could run, so nothing is known about what the model gives away."
    said = _leak(results) if reading is Reading.LEAK else _no_leak(results, reading)
    judge = results.records.judge
    return (
        f"{said} Judged on {count_text(judge.members)} members "
        f"and {count_text(judge.nonmembers)} non-members."
    )


def attacker(results: results_pb2.PrivacyResults) -> str:
    """Who the attacker is: "An attacker who sees the model's outputs"."""
    seen = "outputs" if results.model.output_width else "loss on a record"
    return f"An attacker who sees the model's {seen}"


def _leak(results: results_pb2.PrivacyResults) -> str:
    sentences = []
    for position, entry in enumerate(headline(results)):
        measure = measure_of(entry.metric)
        subject = "It" if position else attacker(results)
        told = _told(measure, entry.value, "", name_interval=position == 0)
        beside = f"; by chance it would be {measure.spoken_chance}"
        if not is_above_chance(entry) and not is_below_chance(entry):
            beside += ", which the interval includes"
        sentences.append(f"{subject} {told}{beside}.")
    return " ".join(sentences)


def _no_leak(results: results_pb2.PrivacyResults, reading: Reading) -> str:
    if reading is Reading.TOO_UNCERTAIN:
        opening = (
            "No attack that ran was shown to do better than chance, "
            "but the records at hand leave room for a leak."
        )
    else:
        opening = "No attack that ran was shown to do better than chance."
    sentences = [opening]
    for position, entry in enumerate(headline(results)):
        measure = measure_of(entry.metric)
        subject = "It" if position else attacker(results)
        told = _told(measure, entry.value, "at most ", name_interval=position == 0)
        sentences.append(f"{subject} {told}; by chance it would be {measure.spoken_chance}.")
    return " ".join([*sentences, _NOT_SAFE])


def _told(
    measure: Measure, value: results_pb2.MeasuredValue, at_most: str, *, name_interval: bool
) -> str:
    text = spoken_text(measure, value)
    number = f"{at_most}{text.upper}" if at_most else text.estimate
    interval = f"{text.confidence} interval: {text.interval}" if name_interval else text.interval
    return f"{measure.deed.format(number)} ({interval})"
