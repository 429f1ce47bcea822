"""What is counted over scored rows beside the attacks' own counts."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Hashable, Mapping
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role


class Addable(Protocol):
    """A value that those of other rows are added to, in any order and grouping."""

    def __add__(self: _Value, other: _Value) -> _Value: ...


_Value = TypeVar("_Value", bound=Addable)
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value", bound=Addable)


@dataclasses.dataclass(frozen=True)
class ScoredRows:
    """Rows of one role with what the attacks said of them.

    Attributes:
      signals: [n] rows with label, logits, loss and slices.
      role: FIT, scored by attacks fitted on JUDGE rows, or JUDGE, scored by attacks
        fitted on FIT rows.
      scores: By attack, [n] float64.
      guesses: By attack, [n] bool: whether it calls the row a member, at the threshold
        that was chosen on FIT.
      risk: [n] float64 in (0, 1): P(member | score) by the attack that was best on FIT.
        None where no risk could be computed.
    """

    signals: Signals
    role: Role
    scores: Mapping[str, NDArray[np.float64]]
    guesses: Mapping[str, NDArray[np.bool_]]
    risk: NDArray[np.float64] | None


class Tally(abc.ABC, Generic[Key, Value]):
    """A count over all scored rows. It goes to workers: a small frozen dataclass."""

    # Keeps the totals of one tally apart from another's.
    name: ClassVar[str]

    @abc.abstractmethod
    def count(self, rows: ScoredRows) -> Mapping[Key, Value]:
        """What these rows add to the totals."""

    @abc.abstractmethod
    def to_bytes(self, totals: Mapping[Key, Value]) -> bytes:
        """The totals as a worker hands them to the machine that evaluates; no pickle."""

    @abc.abstractmethod
    def from_bytes(self, content: bytes) -> dict[Key, Value]:
        """Reads what `to_bytes` made."""
