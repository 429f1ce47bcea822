"""What goes with the risk: counted by class as rows are scored, told in results."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Hashable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.evaluation.associations import associations
from tfx_privacy.evaluation.class_rows import class_rows, has_classes, loss_unit
from tfx_privacy.evaluation.class_spread import spread_by_class
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.evaluation.suite import ChosenOnFit
from tfx_privacy.evaluation.tally import Addable, ScoredRows, Tally
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.class_statistics import (
    MEMBER,
    NONMEMBER,
    WHOLE_CLASS,
    ClassSums,
    Group,
    fewer_edges,
    sum_by_class,
    uncertainty_edges,
)
from tfx_privacy.metrics.counts import WHOLE, Evidence
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role
from tfx_privacy.signals.table import TableLayout

_MOST_CLASSES_LISTED = 200
# All sums stand in one value.
_SUMS = "sums"


@dataclasses.dataclass(frozen=True)
class ClassTally(Tally[str, ClassSums]):
    """How the model does on members and non-members of each class. JUDGE rows.

    Attributes:
      best_attack: The attack that was best on FIT, "" where none ran.
      edges: Where its scores are cut: a few of its edges.
      loss_unit: What the loss is counted in.
    """

    best_attack: str
    edges: NDArray[np.float64]
    loss_unit: float

    name: ClassVar[str] = "classes"

    @staticmethod
    def prepare(fit: Signals, chosen: ChosenOnFit) -> ClassTally:
        """From FIT rows, and what was chosen on them."""
        best = chosen.best_attack
        edges = fewer_edges(chosen.edges[best]) if best else np.empty(0)
        return ClassTally(best, edges, loss_unit(fit))

    def count(self, rows: ScoredRows) -> Mapping[str, ClassSums]:
        """See Tally."""
        if rows.role != Role.JUDGE:
            return {}
        if not self.best_attack:
            return {_SUMS: sum_by_class(class_rows(rows.signals, self.loss_unit), 0)}
        bins = np.searchsorted(self.edges, rows.scores[self.best_attack], side="right")
        counted = class_rows(rows.signals, self.loss_unit, bins.astype(np.int64))
        return {_SUMS: sum_by_class(counted, len(self.edges) + 1)}

    def to_bytes(self, totals: Mapping[str, ClassSums]) -> bytes:
        """See Tally."""
        if _SUMS not in totals:
            return b""
        sums = totals[_SUMS]
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, classes=sums.classes, **sums.sums())
        return content.getvalue()

    def from_bytes(self, content: bytes) -> dict[str, ClassSums]:
        """See Tally."""
        if not content:
            return {}
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {_SUMS: ClassSums.from_arrays(arrays)}


def explanation_results(
    table: TableLayout,
    tallies: Mapping[str, Mapping[Hashable, Addable]],
    selection: Selection,
    evidence: Evidence,
    results: results_pb2.PrivacyResults,
) -> results_pb2.Explanation:
    """What results say of what goes with the risk.

    Args:
      table: What the signals table holds.
      tallies: By name, the totals; those of ClassTally are among them.
      selection: FIT rows, from which spread and associations take the properties of
        classes.
      evidence: The counts of the JUDGE rows.
      results: Configuration, best attack and what was measured.
    """
    sums = tallies[ClassTally.name].get(_SUMS)
    if not isinstance(sums, ClassSums):
        return results_pb2.Explanation(not_computed="no row was judged")
    if not (table.has_logits or table.has_loss):
        return results_pb2.Explanation(
            not_computed="needs logits or loss, which the signals do not have"
        )
    teller = _Teller(
        has_accuracy=has_classes(table.task) and table.has_logits and table.has_label,
        has_uncertainty=has_classes(table.task) and table.has_logits,
        has_loss=table.has_loss,
        loss_unit=loss_unit(selection.fit),
        confidence=results.config.confidence,
    )
    groups = sums.groups()
    spreads = spread_by_class(selection)
    explanation = results_pb2.Explanation(whole=teller.group("", groups.pop(WHOLE_CLASS), 0.0))
    whole_auc = _auc_of_whole(results.best_attack, evidence, teller.alpha)
    if whole_auc is not None:
        judge = results.records.judge
        value = teller.measured(whole_auc, judge.members, judge.nonmembers)
        explanation.whole.auc.CopyFrom(value)
    for number in _with_most_rows(groups):
        told = teller.group(_class_name(table, number), groups[number], spreads.get(number, 0.0))
        if results.best_attack and groups[number].has_both_sides():
            area = groups[number].auc(teller.alpha)
            told.auc.CopyFrom(teller.measured_of(area, groups[number]))
        explanation.classes.append(told)
    if teller.has_accuracy:
        explanation.uncertainty_edges.extend(uncertainty_edges().tolist())
    if results.best_attack:
        fit = sum_by_class(class_rows(selection.fit, teller.loss_unit), 0).groups()
        found = associations(groups, fit, spreads, teller.alpha, has_answers=teller.has_accuracy)
        explanation.associations.extend(
            results_pb2.Association(
                property=name, correlation=teller.measured(value, classes, classes)
            )
            for name, value, classes in found
        )
    return explanation


@dataclasses.dataclass(frozen=True)
class _Teller:
    """Writes sums as messages.

    Attributes:
      has_accuracy: Whether answers are right or wrong.
      has_uncertainty: Whether the model predicts a distribution over classes.
      has_loss: Whether the loss is known.
      loss_unit: What the loss was counted in.
      confidence: Of intervals.
    """

    has_accuracy: bool
    has_uncertainty: bool
    has_loss: bool
    loss_unit: float
    confidence: float

    @property
    def alpha(self) -> float:
        return (1.0 - self.confidence) / 2.0

    def measured(self, value: Interval, members: int, nonmembers: int) -> results_pb2.MeasuredValue:
        return results_pb2.MeasuredValue(
            estimate=value.estimate,
            lower=value.lower,
            upper=value.upper,
            confidence=self.confidence,
            members=members,
            nonmembers=nonmembers,
        )

    def measured_of(self, value: Interval, group: Group) -> results_pb2.MeasuredValue:
        return self.measured(value, int(group.rows[MEMBER]), int(group.rows[NONMEMBER]))

    def group(self, name: str, group: Group, spread: float) -> results_pb2.GroupStatistics:
        """A group without its AUC."""
        told = results_pb2.GroupStatistics(
            class_name=name,
            members=self._side(group, MEMBER),
            nonmembers=self._side(group, NONMEMBER),
            spread=spread,
        )
        gap = self._gap(group)
        if gap is not None:
            told.gap.CopyFrom(self.measured_of(gap, group))
        return told

    def _side(self, group: Group, side: int) -> results_pb2.SideStatistics:
        rows = int(group.rows[side])
        told = results_pb2.SideStatistics(rows=rows)
        if self.has_accuracy:
            told.right.extend(group.histogram[side, 1].tolist())
            told.wrong.extend(group.histogram[side, 0].tolist())
        if not rows:
            return told
        if self.has_accuracy:
            members, nonmembers = (rows, 0) if side == MEMBER else (0, rows)
            accuracy = group.accuracy(side, self.alpha)
            told.accuracy.CopyFrom(self.measured(accuracy, members, nonmembers))
        if self.has_loss:
            told.mean_loss = self.loss_unit * group.mean_loss(side)
        if self.has_uncertainty:
            told.mean_uncertainty = group.mean_uncertainty(side)
        return told

    def _gap(self, group: Group) -> Interval | None:
        if not group.has_both_sides():
            return None
        if self.has_accuracy:
            return group.accuracy_gap(self.alpha)
        rise = group.loss_rise(self.alpha) if self.has_loss else None
        if rise is None:
            return None
        unit = self.loss_unit
        return Interval(unit * rise.estimate, unit * rise.lower, unit * rise.upper)


def _with_most_rows(groups: Mapping[int, Group]) -> list[int]:
    """The classes with the most rows, in their order."""
    by_size = sorted(groups, key=lambda number: (-int(groups[number].rows.sum()), number))
    return sorted(by_size[:_MOST_CLASSES_LISTED])


def _class_name(table: TableLayout, number: int) -> str:
    known = number < len(table.label_vocabulary)
    return table.label_vocabulary[number] if known else str(number)


def _auc_of_whole(attack: str, evidence: Evidence, alpha: float) -> Interval | None:
    counts = evidence.counts.get((attack, WHOLE))
    if counts is None or not counts.n_members or not counts.n_nonmembers:
        return None
    return Auc().measure(counts, evidence.edges[attack].thresholds, alpha)
