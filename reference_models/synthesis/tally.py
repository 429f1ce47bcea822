"""What becomes of the records that synthesis is asked for."""

from __future__ import annotations

import collections
import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(eq=False)
class SynthesisTally:
    """Counted and noted while records are made.

    Attributes:
      asked: Records by class, for sources that are asked for classes.
      made: Records by class.
      notes: What went otherwise than asked, in sentences.
    """

    asked: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)
    made: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)
    notes: list[str] = dataclasses.field(default_factory=list)

    def ask_for(self, labels: NDArray[np.int64]) -> None:
        """Counts records that are wanted of classes [n]."""
        self.asked.update(labels.tolist())

    def count_made(self, labels: NDArray[np.int64]) -> None:
        """Counts records that were made, of classes [n]."""
        self.made.update(labels.tolist())
