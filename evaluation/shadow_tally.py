"""Shokri's attack, counted class by class at its own decision as rows are scored."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Hashable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.reference_names import SHADOW_MODELS
from tfx_privacy.evaluation.tally import Addable, ScoredRows, Tally
from tfx_privacy.metrics.called_members import CalledMembers
from tfx_privacy.metrics.class_statistics import MEMBER, MOST_CLASSES, NONMEMBER, WHOLE_CLASS
from tfx_privacy.signals.partition import Role

_CALLED = 1
# All counts stand in one value.
_COUNTS = "counts"


@dataclasses.dataclass(frozen=True)
class ShadowCounts:
    """Rows of k classes, and those called members.

    Attributes:
      classes: [k] int64, ascending; WHOLE_CLASS, which stands for all rows, is the first.
      rows: [k, 2, 2] int64: by NONMEMBER and MEMBER, then by not called and called.
    """

    classes: NDArray[np.int64]
    rows: NDArray[np.int64]

    def __add__(self, other: ShadowCounts) -> ShadowCounts:
        classes = np.union1d(self.classes, other.classes)
        rows = np.zeros((len(classes), 2, 2), np.int64)
        rows[np.searchsorted(classes, self.classes)] = self.rows
        rows[np.searchsorted(classes, other.classes)] += other.rows
        return ShadowCounts(classes, rows)

    def by_class(self) -> dict[int, CalledMembers]:
        """By class, WHOLE_CLASS among them; those alone that have rows on both sides."""
        return {
            int(number): CalledMembers(
                members=int(rows[MEMBER].sum()),
                members_called=int(rows[MEMBER, _CALLED]),
                nonmembers=int(rows[NONMEMBER].sum()),
                nonmembers_called=int(rows[NONMEMBER, _CALLED]),
            )
            for number, rows in zip(self.classes, self.rows, strict=True)
            if rows.sum(axis=1).all()
        }


@dataclasses.dataclass(frozen=True)
class ShadowTally(Tally[str, ShadowCounts]):
    """JUDGE rows by class, side and what Shokri's attack calls them.

    A score above 0 is the attack model's own "member": no threshold is chosen with the
    target's members at hand, which the attack does not know. Nothing is counted where the
    attack does not run. Classes beyond MOST_CLASSES are part of the whole alone.
    """

    name: ClassVar[str] = "shadow_models"

    def count(self, rows: ScoredRows) -> Mapping[str, ShadowCounts]:
        """See Tally."""
        scores, labels = rows.scores.get(SHADOW_MODELS), rows.signals.label
        if rows.role != Role.JUDGE or scores is None or labels is None:
            return {}
        called = (scores > 0.0).astype(np.int64)
        side = np.where(rows.signals.member, MEMBER, NONMEMBER)
        number = labels.astype(np.int64)
        kept = (number >= 0) & (number < MOST_CLASSES)
        classes, codes = np.unique(number[kept], return_inverse=True)
        counts = np.zeros((len(classes) + 1, 2, 2), np.int64)
        np.add.at(counts, (np.zeros_like(side), side, called), 1)
        np.add.at(counts, (codes + 1, side[kept], called[kept]), 1)
        of_classes = np.concatenate(([WHOLE_CLASS], classes)).astype(np.int64)
        return {_COUNTS: ShadowCounts(of_classes, counts)}

    def to_bytes(self, totals: Mapping[str, ShadowCounts]) -> bytes:
        """See Tally."""
        if _COUNTS not in totals:
            return b""
        counts = totals[_COUNTS]
        content = io.BytesIO()
        np.savez_compressed(content, classes=counts.classes, rows=counts.rows)
        return content.getvalue()

    def from_bytes(self, content: bytes) -> dict[str, ShadowCounts]:
        """See Tally."""
        if not content:
            return {}
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {_COUNTS: ShadowCounts(arrays["classes"], arrays["rows"])}


def shadow_counts(totals: Mapping[Hashable, Addable]) -> dict[int, CalledMembers]:
    """By class, WHOLE_CLASS among them, those that have rows on both sides.

    Args:
      totals: Of ShadowTally.

    Returns:
      Nothing where the attack did not run.
    """
    counts = totals.get(_COUNTS)
    return counts.by_class() if isinstance(counts, ShadowCounts) else {}
