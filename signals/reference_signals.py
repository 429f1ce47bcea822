"""What reference models say of a number of examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class ReferenceLayout:
    """What is known of reference signals before the first row.

    Attributes:
      models: k, even.
      queries: q, how often each model was asked about a record; 1 without augmentation.
      has_logits: Whether there are `logit` and `target_logit`: for BINARY and MULTICLASS.
    """

    models: int
    queries: int
    has_logits: bool

    @property
    def row_bytes(self) -> int:
        """What a row takes in memory."""
        logits = 4 * (self.models + 1) * self.queries if self.has_logits else 0
        return self.models * 5 + logits


@dataclasses.dataclass(frozen=True)
class ReferenceSignals:
    """Of n rows, k reference models and q queries.

    Attributes:
      inside: [n, k] bool, whether the model was trained on the row (or on a row of its unit).
      loss: [n, k] float32, the model's loss on the row itself; as `Signals.loss`.
      logit: [n, k, q] float32, the log-odds of the true class under the model:
        log p_y - log(sum of the others). None for other tasks than BINARY and MULTICLASS.
      target_logit: [n, q] float32, the same under the target. Query 0 is the row itself;
        attacks take that from `Signals.logits`.
    """

    inside: NDArray[np.bool_]
    loss: NDArray[np.float32]
    logit: NDArray[np.float32] | None = None
    target_logit: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.inside)

    @property
    def layout(self) -> ReferenceLayout:
        """What there is."""
        queries = 1 if self.logit is None else self.logit.shape[2]
        return ReferenceLayout(self.inside.shape[1], queries, self.logit is not None)

    def take(self, rows: NDArray[np.generic] | slice) -> ReferenceSignals:
        """The rows at the given indices."""
        return ReferenceSignals(
            inside=self.inside[rows],
            loss=self.loss[rows],
            logit=None if self.logit is None else self.logit[rows],
            target_logit=None if self.target_logit is None else self.target_logit[rows],
        )

    def first(self, models: int) -> ReferenceSignals:
        """The same rows with the first so many models."""
        return ReferenceSignals(
            inside=self.inside[:, :models],
            loss=self.loss[:, :models],
            logit=None if self.logit is None else self.logit[:, :models],
            target_logit=self.target_logit,
        )

    @staticmethod
    def concatenate(parts: Sequence[ReferenceSignals]) -> ReferenceSignals:
        """The rows of all parts, in order; they are of one layout."""
        logits = [part.logit for part in parts if part.logit is not None]
        target_logits = [part.target_logit for part in parts if part.target_logit is not None]
        return ReferenceSignals(
            inside=np.concatenate([part.inside for part in parts]),
            loss=np.concatenate([part.loss for part in parts]),
            logit=np.concatenate(logits) if logits else None,
            target_logit=np.concatenate(target_logits) if target_logits else None,
        )
