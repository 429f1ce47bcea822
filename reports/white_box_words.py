"""What the model's parameters add to the risk, in words: also where nothing was shown."""

from __future__ import annotations

import dataclasses

from tfx_privacy.metrics.change import smallest_change_found
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.measure import one_sided_alpha
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import (
    Measure,
    MeasuredText,
    change_limit_text,
    change_text,
    measure_of,
    measured_text,
)
from tfx_privacy.reports.numerals import count_text, decimals_for, score_text

# The probability at which a difference is said to be one that would have been found.
_POWER = 0.8
_LUCK = 100


@dataclasses.dataclass(frozen=True)
class SignalWords:
    """One group of signals.

    Attributes:
      title: What tables call it.
      meaning: What it is, for people who know nothing of gradients.
    """

    title: str
    meaning: str


SIGNALS = {
    "outputs": SignalWords(
        "Answers alone (black-box)",
        "What everybody sees who may ask the model: its answer to the record, and how far that is "
        "from the truth.",
    ),
    "gradient norms": SignalWords(
        "Gradient norms",
        "By how much one more step of training on the record would change each layer: one number a "
        "layer. What the model has learned already changes little.",
    ),
    "gradient sketches": SignalWords(
        "Gradient sketches",
        "In which direction that step would change each layer, shrunk at random to a few numbers "
        "in the same way for every record.",
    ),
    "activations": SignalWords(
        "Activations",
        "What the layers pass on to each other while the model looks at the record.",
    ),
    "all": SignalWords(
        "Several of these together",
        "Attacks that look at more than one of gradient norms, gradient sketches and activations, "
        "most of them beside the answers.",
    ),
}


def signal_words(group: str) -> SignalWords:
    """The words for a group of signals; its name for one that is not known."""
    return SIGNALS.get(group, SignalWords(group, ""))


def headline_difference(
    found: results_pb2.WhiteBoxResults,
) -> results_pb2.MetricDifference | None:
    """The difference to speak of: that of the AUC, or the first."""
    by_auc = [one for one in found.differences if one.metric.name == "auc"]
    return next(iter([*by_auc, *found.differences]), None)


def adds(one: results_pb2.MetricDifference) -> bool:
    """Whether the interval of a difference lies above 0."""
    return one.difference.lower > 0.0


def lacks(one: results_pb2.MetricDifference) -> bool:
    """Whether it lies below 0."""
    return one.difference.upper < 0.0


def sentences(found: results_pb2.WhiteBoxResults) -> list[str]:
    """What was found, the most telling first, a sentence or two each.

    Returns:
      Nothing without differences.
    """
    one = headline_difference(found)
    if one is None:
        return []
    measure = measure_of(one.metric)
    if adds(one):
        said = [
            "Who holds the model's parameters tells members from non-members better than who gets "
            f"its answers alone: {_by(one, 'higher')}, {_instead(measure, one)}."
        ]
    elif lacks(one):
        said = [
            "The white-box attacks that ran did worse than the best black-box attack: "
            f"{_by(one, 'lower')}, {_instead(measure, one)}.",
            "This says that they made less of what they saw, not that the parameters protect: who "
            "holds them can mount the black-box attack as well, so the risk of handing them out is "
            "at least that of giving answers.",
        ]
    else:
        said = [
            "No difference could be shown between who holds the model's parameters and who gets "
            f"its answers alone: the interval of the difference in {measure.title_inside}, "
            f"{_difference_text(one).interval}, contains 0.",
            "That is not to say that there is none: this measurement would have found one of about "
            f"{_would_find(one)} in 80 of 100 runs, a smaller one less often, and attacks that did "
            "not run may make more of the parameters.",
        ]
    return [*said, *_others(found, one)]


def one_line(results: results_pb2.PrivacyResults) -> str:
    """The same for a terminal, in one line; "" where there is nothing of it."""
    if not results.HasField("white_box"):
        return ""
    found = results.white_box
    if found.not_computed:
        return f"Black-box and white-box were not compared: {found.not_computed}."
    one = headline_difference(found)
    if one is None:
        return ""
    measure = measure_of(one.metric)
    if adds(one):
        return f"With the model's parameters {_by(one, 'higher')}, {_instead(measure, one)}."
    if lacks(one):
        return (
            f"White-box attacks did worse than black-box ones: {_by(one, 'lower')}; that does not "
            "say that parameters protect."
        )
    return (
        "No difference between holding the model's parameters and getting its answers could be "
        f"shown: {measure.title_inside} {_difference_text(one).with_interval}; one of about "
        f"{_would_find(one)} would have been."
    )


def difference_text(one: results_pb2.MetricDifference) -> MeasuredText:
    """A difference with its interval: "+0.031", "+0.010 to +0.052"."""
    return _difference_text(one)


def finding_of(one: results_pb2.MetricDifference) -> str:
    """What the interval of a difference, taken by itself, says of the white-box attack."""
    if adds(one):
        return "higher"
    return "lower" if lacks(one) else "no difference shown"


def norms_sentence(whole: results_pb2.NormDistribution) -> str:
    """The medians of all layers together."""
    member, other = whole.median_member, whole.median_nonmember
    told = (
        f"Half of the members have a norm below {score_text(member)}, half of the non-members one "
        f"below {score_text(other)} (on FIT)."
    )
    if member > 0 and other > 0 and not 0.5 < other / member < 2:
        side, times = ("non-members'", other / member)
        if member > other:
            side, times = ("members'", member / other)
        told += f" The {side} median is {_times(times)} as large."
    return told


def fitted_on_sentence(results: results_pb2.PrivacyResults) -> str:
    """That attacks were built on another model, without its name; "" where they were not."""
    if not results.HasField("fitted_on"):
        return ""
    fit, shared = results.fitted_on.fit, results.fitted_on.shared
    left_out = shared.members + shared.nonmembers
    apart = (
        f" {count_text(left_out)} records that both models' signals have were left out of them."
        if left_out
        else " No record is in both."
    )
    return (
        f"The attacks were built on another model, of which the attacker knows "
        f"{count_text(fit.members)} members and {count_text(fit.nonmembers)} non-members, and were "
        f"judged on this one.{apart}"
    )


HOW_CHOSEN = (
    "Each is the best of its kind on FIT, by AUC; every number here is of JUDGE, where nothing was "
    "chosen. Both attacks scored the same records: luck with these moves both, and the difference "
    "is known better than two intervals side by side would have it. Each interval stands for "
    "itself. Who holds the parameters has the black-box attack as well: a difference below 0 says "
    "that nothing is added, not that anything is taken away."
)
UNITS_DIFFER = (
    "The hidden units of two models that began with different parameters do not correspond, even "
    "where the architecture is one: what an attack learned of a unit of the other says little of "
    "the unit in its place here. So each group of signals is told apart; answers and gradient "
    "norms carry over best."
)


def _others(
    found: results_pb2.WhiteBoxResults, headline: results_pb2.MetricDifference
) -> list[str]:
    """Further metrics whose interval does not contain 0."""
    others = [one for one in found.differences if one is not headline]
    shown = [one for one in others if adds(one) or lacks(one)]
    if not shown:
        return []
    told = "; ".join(_by(one, "higher" if adds(one) else "lower") for one in shown)
    which = "Also" if adds(headline) or lacks(headline) else "By other metrics"
    number = len(found.differences)
    each = round(_LUCK * 2 * one_sided_alpha(headline.difference.confidence), 6)
    return [
        f"{which}: {told}. Each of the {number} intervals stands for itself: where nothing "
        f"differs, up to {each:g} in {_LUCK} exclude 0 by luck."
    ]


def _by(one: results_pb2.MetricDifference, direction: str) -> str:
    """By how much: "the AUC is higher by 0.031 (95% interval: 0.010 to 0.052)"."""
    value = one.difference
    if direction == "lower":
        value = results_pb2.MeasuredValue(
            estimate=-value.estimate,
            lower=-value.upper,
            upper=-value.lower,
            confidence=value.confidence,
        )
    measure = measure_of(one.metric)
    text = change_text(measure, value, 0.0)
    amount, interval = (part.replace("+", "") for part in (text.estimate, text.interval))
    return (
        f"the {measure.title_inside} is {direction} by {amount} "
        f"({text.confidence} interval: {interval})"
    )


def _instead(measure: Measure, one: results_pb2.MetricDifference) -> str:
    white = measured_text(measure, one.white_box).estimate
    return f"{white} instead of {measured_text(measure, one.black_box).estimate}"


def _difference_text(one: results_pb2.MetricDifference) -> MeasuredText:
    return change_text(measure_of(one.metric), one.difference, 0.0)


def _would_find(one: results_pb2.MetricDifference) -> str:
    value = one.difference
    smallest = smallest_change_found(
        Interval(value.estimate, value.lower, value.upper),
        one_sided_alpha(value.confidence),
        _POWER,
    )
    measure = measure_of(one.metric)
    unit = 100 if measure.in_percent else 1
    decimals = decimals_for([0.0, unit * smallest], [], fewest=0, most=5)
    return change_limit_text(measure, round(smallest * unit, decimals) / unit)


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio < 10 else f"{score_text(float(f'{ratio:.2g}'))} times"
