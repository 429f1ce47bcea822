"""Records by risk, counted as rows are scored."""

from __future__ import annotations

import dataclasses
import heapq
import json
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.evaluation.record_risk import attacks_right
from tfx_privacy.evaluation.tally import Addable, ScoredRows, Tally
from tfx_privacy.metrics.risk_histogram import (
    RiskHistogram,
    count_risks,
    count_risks_by_group,
    fine_edges,
    shown_edges,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

# Of more classes than these the ones with the most rows in FIT are counted.
_MOST_CLASSES = 1_000
_MOST_EXPOSED = 20
_TASKS_WITH_CLASSES = (config_pb2.BINARY, config_pb2.MULTICLASS)
# The totals by key: those of each role under its name, then these.
CLASSES = "classes"
MOST_EXPOSED = "most exposed"


@dataclasses.dataclass(frozen=True)
class ClassRisks:
    """Records by class and risk, in the shown bins.

    Attributes:
      labels: [k] int64, the classes that occur, ascending.
      histograms: Arrays of shape [k, b], a row a class.
    """

    labels: NDArray[np.int64]
    histograms: RiskHistogram

    def __add__(self, other: ClassRisks) -> ClassRisks:
        labels = np.union1d(self.labels, other.labels)
        return ClassRisks(labels, self._among(labels) + other._among(labels))

    def _among(self, labels: NDArray[np.int64]) -> RiskHistogram:
        rows = np.searchsorted(labels, self.labels)

        def spread(counts: NDArray[np.int64]) -> NDArray[np.int64]:
            wider = np.zeros((len(labels), counts.shape[1]), np.int64)
            wider[rows] = counts
            return wider

        of = self.histograms
        return RiskHistogram(
            spread(of.members),
            spread(of.nonmembers),
            spread(of.member_risk),
            spread(of.nonmember_risk),
        )


@dataclasses.dataclass(frozen=True)
class Exposed:
    """A member with a high risk.

    Attributes:
      risk: P(member | score).
      score: Of the same attack; it tells records of one risk apart.
      id: 32 hexadecimal digits.
      label: Its class, None where there are none.
      attacks_right: The share of the attacks that call it a member.
    """

    risk: float
    score: float
    id: str
    label: int | None
    attacks_right: float


@dataclasses.dataclass(frozen=True)
class MostExposed:
    """The members with the highest risk, the highest first; at most 20.

    Of equal risks the higher score comes first, of equal scores the smaller id, so that
    runs agree.
    """

    records: tuple[Exposed, ...]

    def __add__(self, other: MostExposed) -> MostExposed:
        together = (*self.records, *other.records)
        order = heapq.nsmallest(
            _MOST_EXPOSED, together, key=lambda one: (-one.risk, -one.score, one.id)
        )
        return MostExposed(tuple(order))


@dataclasses.dataclass(frozen=True)
class RiskTally(Tally[str, Addable]):
    """Records by risk: of FIT and of JUDGE, by class, and those most exposed.

    Attributes:
      attack: The attack that the risk comes from.
      prior: The prior that it is told at.
      has_classes: Whether rows have one class each.
      classes: The classes that are counted; None for all.
    """

    attack: str
    prior: float
    has_classes: bool
    classes: tuple[int, ...] | None

    name: ClassVar[str] = "risk"

    @staticmethod
    def prepare(fit: Signals, attack: str, prior: float) -> RiskTally:
        """From FIT rows, which show the classes there are.

        Args:
          fit: FIT rows.
          attack: The attack that the risk comes from.
          prior: The prior that it is told at.
        """
        if fit.task not in _TASKS_WITH_CLASSES or fit.label is None:
            return RiskTally(attack, prior, has_classes=False, classes=None)
        labels, rows = np.unique(fit.label, return_counts=True)
        if len(labels) <= _MOST_CLASSES:
            return RiskTally(attack, prior, has_classes=True, classes=None)
        most = np.sort(labels[np.argsort(-rows, kind="stable")[:_MOST_CLASSES]])
        return RiskTally(attack, prior, has_classes=True, classes=tuple(most.tolist()))

    def count(self, rows: ScoredRows) -> Mapping[str, Addable]:
        """See Tally."""
        if rows.risk is None:
            return {}
        member = rows.signals.member
        counted: dict[str, Addable] = {
            rows.role.name: count_risks(rows.risk, member, fine_edges(self.prior)),
            MOST_EXPOSED: self._most_exposed(rows, rows.risk),
        }
        labels = self._labels(rows.signals)
        if labels is not None:
            counted[CLASSES] = self._by_class(labels, member, rows.risk)
        return counted

    def _labels(self, rows: Signals) -> NDArray[np.int64] | None:
        if not self.has_classes or rows.label is None:
            return None
        return rows.label.astype(np.int64, copy=False)

    def _by_class(
        self, label: NDArray[np.int64], member: NDArray[np.bool_], risk: NDArray[np.float64]
    ) -> ClassRisks:
        if self.classes is not None:
            counted = np.isin(label, self.classes)
            label, member, risk = label[counted], member[counted], risk[counted]
        labels, groups = np.unique(label, return_inverse=True)
        edges = shown_edges(self.prior)
        return ClassRisks(labels, count_risks_by_group(risk, member, edges, groups, len(labels)))

    def _most_exposed(self, rows: ScoredRows, risk: NDArray[np.float64]) -> MostExposed:
        signals, scores = rows.signals, rows.scores[self.attack]
        labels, right = self._labels(signals), attacks_right(rows)
        order = np.lexsort((signals.ids[:, 1], signals.ids[:, 0], -scores, -risk))
        first = order[signals.member[order]][:_MOST_EXPOSED]
        records = []
        for row in first.tolist():
            high, low = signals.ids[row].tolist()
            records.append(
                Exposed(
                    risk=float(risk[row]),
                    score=float(scores[row]),
                    id=f"{high:016x}{low:016x}",
                    label=None if labels is None else int(labels[row]),
                    attacks_right=float(right[row]),
                )
            )
        return MostExposed(tuple(records))

    def to_bytes(self, totals: Mapping[str, Addable]) -> bytes:
        """See Tally."""
        return json.dumps({key: _plain(total) for key, total in totals.items()}).encode()

    def from_bytes(self, content: bytes) -> dict[str, Addable]:
        """See Tally."""
        totals: dict[str, Addable] = {}
        for key, plain in json.loads(content).items():
            if key == CLASSES:
                labels = np.array(plain.pop("labels"), np.int64)
                totals[key] = ClassRisks(labels, _histogram(plain))
            elif key == MOST_EXPOSED:
                totals[key] = MostExposed(tuple(Exposed(**record) for record in plain))
            else:
                totals[key] = _histogram(plain)
        return totals


def _plain(total: Addable) -> object:
    """A total as JSON has it."""
    if isinstance(total, ClassRisks):
        return {"labels": total.labels.tolist(), **_plain_histogram(total.histograms)}
    if isinstance(total, MostExposed):
        return [dataclasses.asdict(record) for record in total.records]
    if isinstance(total, RiskHistogram):
        return _plain_histogram(total)
    raise TypeError(f"found a {type(total).__name__} among the totals of record risk")


def _plain_histogram(counts: RiskHistogram) -> dict[str, object]:
    return {
        field.name: getattr(counts, field.name).tolist() for field in dataclasses.fields(counts)
    }


def _histogram(plain: Mapping[str, object]) -> RiskHistogram:
    return RiskHistogram(**{name: np.array(counts, np.int64) for name, counts in plain.items()})
