"""Counts of rows by the norm of the gradient of their loss."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.evaluation.tally import Addable, ScoredRows, Tally
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role

BINS = 40
# Of a model with more layers the last are told one by one: those nearest to the output.
MOST_LAYERS = 50
# Few rows of each side lie beyond the outermost edges: a single one far off would leave
# the others a few bins.
_TAIL = 0.005
# Where all norms are equal the bins reach so many times as far down and up.
_REACH = 10.0
# All counts stand in one value.
_COUNTS = "counts"


@dataclasses.dataclass(frozen=True)
class NormCounts:
    """Rows by gradient norm: of all layers together, then of each of k layers.

    Attributes:
      layers: Names of the k layers.
      edges: [k + 1, 41] float64, ascending.
      medians: [k + 1, 2] float64, of members and of non-members. FIT rows.
      members: [k + 1, 40] int64. The first bin holds what is below the second edge, the
        last what is at or above the last but one.
      nonmembers: [k + 1, 40] int64.
    """

    layers: tuple[str, ...]
    edges: NDArray[np.float64]
    medians: NDArray[np.float64]
    members: NDArray[np.int64]
    nonmembers: NDArray[np.int64]

    def __add__(self, other: NormCounts) -> NormCounts:
        return dataclasses.replace(
            self,
            members=self.members + other.members,
            nonmembers=self.nonmembers + other.nonmembers,
        )


@dataclasses.dataclass(frozen=True)
class NormTally(Tally[str, NormCounts]):
    """JUDGE rows by the norm of their loss's gradient, members and non-members.

    Attributes:
      layers: Names of the layers that are told one by one; together with
        `others` all that have norms.
      others: The layers that are part of all together alone.
      edges: [k + 1, 41] float64: of all together, then of each of the k layers; ascending
        by equal factors.
      medians: [k + 1, 2] float64, of members and of non-members on FIT.
    """

    layers: tuple[str, ...]
    others: tuple[str, ...]
    edges: NDArray[np.float64]
    medians: NDArray[np.float64]

    name: ClassVar[str] = "gradient_norms"

    @staticmethod
    def prepare(fit: Signals) -> NormTally:
        """From FIT rows with their white-box signals; it counts nothing where there are none."""
        names = tuple(fit.gradient_norms)
        members = int(fit.member.sum())
        if not names or members in (0, len(fit)):
            return NormTally((), (), np.empty((0, BINS + 1)), np.empty((0, 2)))
        others, layers = names[:-MOST_LAYERS], names[-MOST_LAYERS:]
        norms = _norms(fit, layers, others)
        sides = (fit.member, ~fit.member)
        return NormTally(
            layers,
            others,
            np.stack([_edges([of_layer[side] for side in sides]) for of_layer in norms]),
            np.array([[_median(of_layer[side]) for side in sides] for of_layer in norms]),
        )

    @property
    def wide_columns(self) -> tuple[str, ...]:
        """What it looks at of the columns that are not read unasked."""
        return ("white_box",) if self.layers else ()

    def count(self, rows: ScoredRows) -> Mapping[str, NormCounts]:
        """See Tally."""
        if rows.role != Role.JUDGE or not self.layers:
            return {}
        member = rows.signals.member
        bins = [
            np.searchsorted(edges[1:-1], norms, side="right")
            for edges, norms in zip(
                self.edges, _norms(rows.signals, self.layers, self.others), strict=True
            )
        ]
        members, nonmembers = (
            np.stack([np.bincount(of_layer[side], minlength=BINS) for of_layer in bins])
            for side in (member, ~member)
        )
        return {_COUNTS: NormCounts(self.layers, self.edges, self.medians, members, nonmembers)}

    def to_bytes(self, totals: Mapping[str, NormCounts]) -> bytes:
        """See Tally."""
        if _COUNTS not in totals:
            return b""
        counts = totals[_COUNTS]
        content = io.BytesIO()
        np.savez_compressed(
            content,
            # As JSON: an array of text would lose zeros at the end of a name.
            layers=np.frombuffer(json.dumps(counts.layers).encode(), np.uint8),
            edges=counts.edges,
            medians=counts.medians,
            members=counts.members,
            nonmembers=counts.nonmembers,
        )
        return content.getvalue()

    def from_bytes(self, content: bytes) -> dict[str, NormCounts]:
        """See Tally."""
        if not content:
            return {}
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = dict(arrays)
        layers = json.loads(found.pop("layers").tobytes())
        return {_COUNTS: NormCounts(tuple(layers), **found)}


def norm_distributions(
    totals: Mapping[Hashable, Addable],
) -> list[results_pb2.NormDistribution]:
    """Of all layers together, then of each.

    Args:
      totals: Of NormTally.

    Returns:
      Nothing where no norms were counted.
    """
    counts = totals.get(_COUNTS)
    if not isinstance(counts, NormCounts):
        return []
    return [
        results_pb2.NormDistribution(
            layer=layer,
            edges=edges.tolist(),
            members=members.tolist(),
            nonmembers=nonmembers.tolist(),
            median_member=float(medians[0]),
            median_nonmember=float(medians[1]),
        )
        for layer, edges, medians, members, nonmembers in zip(
            ("", *counts.layers),
            counts.edges,
            counts.medians,
            counts.members,
            counts.nonmembers,
            strict=True,
        )
    ]


def _norms(
    rows: Signals, layers: Sequence[str], others: Sequence[str]
) -> list[NDArray[np.float64]]:
    """[n] each: of all layers together, then of each of `layers`."""
    told = [rows.gradient_norms[layer].astype(np.float64) for layer in layers]
    # Layer after layer: the same row has the same sum, whatever rows stand beside it.
    squares = np.zeros(len(rows))
    for layer in others:
        squares += rows.gradient_norms[layer].astype(np.float64) ** 2
    for norms in told:
        squares += norms**2
    return [np.sqrt(squares), *told]


def _median(norms: NDArray[np.float64]) -> float:
    """Of the finite ones; 0 where there are none."""
    finite = norms[np.isfinite(norms)]
    return float(np.median(finite)) if len(finite) else 0.0


def _edges(sides: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """[41], ascending by equal factors, from the low end of both sides to the high one."""
    reach = []
    for norms in sides:
        positive = norms[(norms > 0) & np.isfinite(norms)]
        if len(positive):
            reach.append(np.quantile(positive, (_TAIL, 1.0 - _TAIL)))
    if not reach:
        return np.geomspace(1.0 / _REACH, _REACH, BINS + 1)
    low, high = np.min(reach), np.max(reach)
    # Between numbers too near to each other there are no 39 others.
    if high < low * (1.0 + 1e-9):
        low, high = low / _REACH, high * _REACH
    return np.geomspace(low, high, BINS + 1)
