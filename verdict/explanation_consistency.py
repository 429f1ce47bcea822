"""Whether what results say of the reasons of a risk can be: numbers within their ranges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from tfx_privacy.metrics.reliability import share_of_side
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.numbers_agree import check_number


def check_explanation(results: results_pb2.PrivacyResults) -> None:
    """Refuses an explanation with numbers that nothing can have.

    No verdict rests on it, and the counts behind it are not kept: numbers are not
    computed again, but for the accuracies, whose answers are listed.

    Raises:
      ValueError: If a number is not finite or out of its range, an estimate outside its
        interval, an accuracy not that of the answers, the whole has other rows than were
        judged, or the classes have more.
    """
    explanation = results.explanation
    if not results.HasField("explanation"):
        return
    if explanation.not_computed:
        if explanation.HasField("whole") or explanation.classes or explanation.associations:
            raise ValueError(
                f"explanation: found values, and that there is none ({explanation.not_computed}); "
                "expected one of both"
            )
        return
    if not explanation.HasField("whole"):
        if explanation.classes or explanation.associations:
            raise ValueError("explanation: found classes without the whole of the rows")
        return
    edges = list(explanation.uncertainty_edges)
    if edges and not (
        edges[0] == 0.0 and edges[-1] == 1.0 and all(a < b for a, b in itertools.pairwise(edges))
    ):
        raise ValueError("explanation: expected edges of uncertainty that ascend from 0 to 1")
    bins = max(0, len(edges) - 1)
    _check_group("explanation of the whole", explanation.whole, bins)
    for index, group in enumerate(explanation.classes):
        _check_group(f"explanation of class {index}", group, bins)
    _check_rows(results)
    for found in explanation.associations:
        _check_value(f"correlation with {found.property!r}", found.correlation, -1.0, 1.0)


def _check_group(place: str, group: results_pb2.GroupStatistics, bins: int) -> None:
    for name, side in (("members", group.members), ("non-members", group.nonmembers)):
        _check_side(f"{name} in the {place}", side, bins)
    _check_number(f"spread in the {place}", group.spread, 0.0, math.inf)
    if group.HasField("gap"):
        is_share = group.members.HasField("accuracy")
        most = 1.0 if is_share else math.inf
        _check_value(f"gap in the {place}", group.gap, -most, most)
    if group.HasField("auc"):
        _check_value(f"AUC in the {place}", group.auc, 0.0, 1.0)


def _check_side(place: str, side: results_pb2.SideStatistics, bins: int) -> None:
    if side.rows < 0:
        raise ValueError(f"{place}: found {side.rows} rows, expected 0 or more")
    if side.HasField("accuracy"):
        _check_value(f"accuracy of {place}", side.accuracy, 0.0, 1.0)
    _check_number(f"mean loss of {place}", side.mean_loss, -math.inf, math.inf)
    _check_number(f"mean uncertainty of {place}", side.mean_uncertainty, 0.0, 1.0)
    counts: Sequence[int] = [*side.right, *side.wrong]
    if not counts:
        return
    if {len(side.right), len(side.wrong)} != {bins} or min(counts) < 0 or sum(counts) != side.rows:
        raise ValueError(
            f"answers of {place}: found {sum(counts)} in {len(side.right)} and {len(side.wrong)} "
            f"bins, expected the {side.rows} rows, in {bins} bins each"
        )
    if side.HasField("accuracy") and side.rows:
        found = side.accuracy
        if not 0.0 < found.confidence < 1.0:
            raise ValueError(
                f"accuracy of {place}: found the confidence {found.confidence}, expected a number "
                "in (0, 1)"
            )
        again = share_of_side(sum(side.right), side.rows, (1.0 - found.confidence) / 2.0)
        for field in ("estimate", "lower", "upper"):
            name = f"{field} of the accuracy of {place}"
            check_number(name, getattr(found, field), getattr(again, field))


def _check_rows(results: results_pb2.PrivacyResults) -> None:
    explanation, judge = results.explanation, results.records.judge
    for name, found, judged, in_classes in (
        (
            "members",
            explanation.whole.members.rows,
            judge.members,
            sum(group.members.rows for group in explanation.classes),
        ),
        (
            "non-members",
            explanation.whole.nonmembers.rows,
            judge.nonmembers,
            sum(group.nonmembers.rows for group in explanation.classes),
        ),
    ):
        if found != judged:
            raise ValueError(f"explanation: found {found} {name}, expected the {judged} judged")
        if in_classes > judged:
            raise ValueError(
                f"explanation: found {in_classes} {name} in classes, expected at most the {judged} "
                "judged"
            )


def _check_value(
    name: str, value: results_pb2.MeasuredValue, smallest: float, largest: float
) -> None:
    for number in (value.estimate, value.lower, value.upper):
        _check_number(name, number, smallest, largest)
    if not value.lower <= value.estimate <= value.upper:
        raise ValueError(
            f"{name}: found {value.estimate} outside its interval, {value.lower} to {value.upper}"
        )


def _check_number(name: str, number: float, smallest: float, largest: float) -> None:
    if not (math.isfinite(number) and smallest <= number <= largest):
        raise ValueError(f"{name}: found {number}, expected a number from {smallest} to {largest}")
