"""The finding in words, for a reader without statistics."""

from __future__ import annotations

from tfx_privacy.metrics.controls import ControlOutcome
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.attack_words import has_reference_attacks, has_white_box_attacks
from tfx_privacy.reports.measures import Measure, measure_of, spoken_text
from tfx_privacy.reports.numerals import count_text
from tfx_privacy.reports.reading import Reading, Shown, headline, is_below_chance

_NOT_SAFE = (
    "This does not show that the model is safe: it holds for the attacks that ran, "
    "and others may find more."
)
_SPLITS_DIFFER = (
    "The splits differ, so the numbers of this report cannot be trusted: members and non-members "
    "can be told apart without the model, and an attack may find that difference and no leak."
)
_MEASUREMENT_BROKEN = (
    "The measurement is broken, so the numbers of this report cannot be trusted: an attack found "
    "something where there is nothing to find."
)


def finding(reading: Reading) -> str:
    """What the best of the attacks found, in a few sentences.

    It says what was shown and what was not, each number with its interval and with
    what guessing would reach; it gives no verdict.
    """
    match reading.shown:
        case Shown.NOT_MEASURED:
            return "No attack could run, so nothing is known about what the model gives away."
        case Shown.NOT_TRUSTED:
            said = _not_trusted(reading)
        case Shown.LEAK:
            said = _leak(reading)
        case _:
            said = _no_leak(reading)
    judge = reading.results.records.judge
    return (
        f"{said} Judged on {count_text(judge.members)} members "
        f"and {count_text(judge.nonmembers)} non-members."
    )


def attacker(results: results_pb2.PrivacyResults) -> str:
    """Who the attacker is: "An attacker who sees the model's outputs"."""
    beside = " and has trained models like it" if has_reference_attacks(results) else ""
    if has_white_box_attacks(results):
        return f"An attacker who holds the model's parameters{beside}"
    seen = "outputs" if results.model.output_width else "loss on a record"
    return f"An attacker who sees the model's {seen}{beside}"


def _not_trusted(reading: Reading) -> str:
    failed = (
        (reading.controls.blind_baseline, _SPLITS_DIFFER),
        (reading.controls.negative, _MEASUREMENT_BROKEN),
    )
    openings = [said for control, said in failed if control.outcome is ControlOutcome.FAILED]
    entry = headline(reading)[0]
    measure = measure_of(entry.metric)
    told = _told(measure, entry.value, "", name_interval=True)
    return (
        f"{' '.join(openings)} Taken at its face value, an attacker {told}; by chance it would be "
        f"{measure.spoken_chance}. How much of that comes from the model is not known."
    )


def _leak(reading: Reading) -> str:
    sentences = []
    for position, entry in enumerate(headline(reading)):
        measure = measure_of(entry.metric)
        subject = "It" if position else attacker(reading.results)
        told = _told(measure, entry.value, "", name_interval=position == 0)
        beside = f"; by chance it would be {measure.spoken_chance}"
        if entry.value.lower > measure.chance and not reading.is_above_chance(entry):
            beside += ", which so many metrics at once do not exclude"
        elif not reading.is_above_chance(entry) and not is_below_chance(entry):
            beside += ", which the interval includes"
        sentences.append(f"{subject} {told}{beside}.")
    return " ".join(sentences)


def _no_leak(reading: Reading) -> str:
    if reading.shown is Shown.TOO_UNCERTAIN:
        opening = (
            "No attack that ran was shown to do better than chance, "
            "but the records at hand leave room for a leak."
        )
    else:
        opening = "No attack that ran was shown to do better than chance."
    sentences = [opening]
    for position, entry in enumerate(headline(reading)):
        measure = measure_of(entry.metric)
        subject = "It" if position else attacker(reading.results)
        told = _told(measure, entry.value, "at most ", name_interval=position == 0)
        sentences.append(f"{subject} {told}; by chance it would be {measure.spoken_chance}.")
    return " ".join([*sentences, _NOT_SAFE])


def _told(
    measure: Measure, value: results_pb2.MeasuredValue, at_most: str, *, name_interval: bool
) -> str:
    text = spoken_text(measure, value)
    if not text.interval:
        return f"{measure.deed.format(text.estimate)} ({text.confidence})"
    number = f"{at_most}{text.upper}" if at_most else text.estimate
    interval = f"{text.confidence} interval: {text.interval}" if name_interval else text.interval
    return f"{measure.deed.format(number)} ({interval})"
