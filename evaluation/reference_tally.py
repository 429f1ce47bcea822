"""What is counted of reference models on the records of their pool."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.identity import Ids
from tfx_privacy.signals.record_index import RecordIndex

_INSIDE, _OUTSIDE = 0, 1


@dataclasses.dataclass(frozen=True)
class PoolTally:
    """Sums over buckets of the pool, which can be added.

    Attributes:
      sets: [k], of each model the records that it was trained on, and the others.
      losses: [k], of each model the sum of its losses on both.
      rows: Records of which a difference is known: the mean loss of the models that were
        trained on it less that of the others.
      difference: The sum of these differences.
      squares: The sum of the squares of these differences, those of one key (a unit, or an
        id that occurs more than once) added up before.
    """

    sets: tuple[tuple[IdSet, IdSet], ...]
    losses: tuple[tuple[float, float], ...]
    rows: int = 0
    difference: float = 0.0
    squares: float = 0.0

    @staticmethod
    def none(models: int) -> PoolTally:
        """Of no records."""
        return PoolTally(((IdSet(), IdSet()),) * models, ((0.0, 0.0),) * models)

    @staticmethod
    def of_model(
        models: int,
        model: int,
        sets: tuple[IdSet, IdSet],
        losses: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> PoolTally:
        """Of one model alone: records that it was trained on, and others; losses on both."""
        of_all = PoolTally.none(models)
        all_sets, all_losses = list(of_all.sets), list(of_all.losses)
        all_sets[model] = sets
        all_losses[model] = (_sum(losses[_INSIDE]), _sum(losses[_OUTSIDE]))
        return PoolTally(tuple(all_sets), tuple(all_losses))

    def __add__(self, other: PoolTally) -> PoolTally:
        return PoolTally(
            sets=tuple(
                (a[_INSIDE] + b[_INSIDE], a[_OUTSIDE] + b[_OUTSIDE])
                for a, b in zip(self.sets, other.sets, strict=True)
            ),
            losses=tuple(
                (a[_INSIDE] + b[_INSIDE], a[_OUTSIDE] + b[_OUTSIDE])
                for a, b in zip(self.losses, other.losses, strict=True)
            ),
            rows=self.rows + other.rows,
            difference=self.difference + other.difference,
            squares=self.squares + other.squares,
        )

    def mean_losses(self, model: int) -> tuple[float, float]:
        """A model's mean loss on records that it was trained on, and on others; 0 of none."""
        inside, outside = (
            total / found.records if found.records else 0.0
            for total, found in zip(self.losses[model], self.sets[model], strict=True)
        )
        return inside, outside

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> PoolTally:
        """Reads what `to_json` wrote."""
        content = json.loads(text)
        sets = tuple((_id_set(inside), _id_set(outside)) for inside, outside in content["sets"])
        losses = tuple((inside, outside) for inside, outside in content["losses"])
        return PoolTally(sets, losses, content["rows"], content["difference"], content["squares"])


def losses_of_keys(models: int, keys: Ids, differences: NDArray[np.float64]) -> PoolTally:
    """The differences of all rows of a bucket.

    Args:
      models: k.
      keys: [n, 2], of each row its unit, or its id where there are no units.
      differences: [n], mean loss of models trained on the row less that of the others.
    """
    index = RecordIndex(keys)
    # In one order, so that the sums are the same on every run.
    order = np.lexsort((differences, index.places))
    of_keys = np.bincount(index.places[order], differences[order], index.size).astype(np.float64)
    return dataclasses.replace(
        PoolTally.none(models),
        rows=len(keys),
        difference=_sum(differences),
        squares=_sum(of_keys**2),
    )


def _sum(values: NDArray[np.float64]) -> float:
    """Sorted before, so that the same numbers in another order have the same sum."""
    return float(np.sort(values).sum())


def _id_set(content: Mapping[str, Any]) -> IdSet:
    first, second = content["sums"]
    return IdSet(content["records"], (first, second))
