"""Columns on the scale of the FIT rows, in groups that weigh the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A bend at each of these quantiles lets a linear model follow a risk that does not rise
# steadily.
_BENDS = (0.1, 0.3, 0.5, 0.7, 0.9)

# A feature further from the mean than this many standard deviations stops there.
_CLIP = 8.0


@dataclasses.dataclass(frozen=True)
class ScaledColumns:
    """Standardised columns: mean 0 and standard deviation 1 on FIT rows, within +-8.

    Then each group of g columns is divided by sqrt(g), so that under one penalty on
    the size of weights, ten sorted logits weigh as much as one loss and a hundred
    one-hot columns do not drown it. A column that does not vary on FIT is 0.

    Attributes:
      bent: [b] int64, the columns that bend.
      bends: [b, 5], where each of them does.
      mean: [d], of each column on FIT, those above bends behind the others.
      deviation: [d], its standard deviation on FIT; infinite where it does not vary.
      scale: [d], what standardised columns are multiplied by.
    """

    bent: NDArray[np.int64]
    bends: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    scale: NDArray[np.float64]

    @staticmethod
    def of(
        columns: NDArray[np.float64],
        groups: Mapping[str, int],
        bent_groups: Collection[str],
        group_scale: Mapping[str, float],
    ) -> ScaledColumns:
        """The statistics of the FIT rows.

        Args:
          columns: [n, c], group by group.
          groups: How many columns each group has.
          bent_groups: The groups that bend.
          group_scale: What else groups are multiplied by; 1 where nothing is said.
        """
        bent = _columns_of(groups, bent_groups)
        bends = np.quantile(columns[:, bent], _BENDS, axis=0).T
        columns = _with_bends(columns, bent, bends)
        # Not by the deviation: rounding makes that of a constant tiny, not 0.
        varies = columns.max(axis=0) > columns.min(axis=0)
        return ScaledColumns(
            bent=bent,
            bends=bends,
            mean=columns.mean(axis=0),
            deviation=np.where(varies, columns.std(axis=0), np.inf),
            scale=_scales(groups, bent_groups, group_scale),
        )

    @property
    def limit(self) -> float:
        """No scaled column is larger than this."""
        return _CLIP * float(self.scale.max())

    def scaled(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, d], for columns [n, c]."""
        columns = _with_bends(columns, self.bent, self.bends)
        return np.clip((columns - self.mean) / self.deviation, -_CLIP, _CLIP) * self.scale

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything in it, as arrays."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in _FIELDS}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> ScaledColumns:
        """The columns that `arrays` came from; further arrays are left alone."""
        return ScaledColumns(**{field.name: arrays[field.name] for field in _FIELDS})


_FIELDS = dataclasses.fields(ScaledColumns)


def _columns_of(groups: Mapping[str, int], names: Collection[str]) -> NDArray[np.int64]:
    """The columns of some groups."""
    ends = np.cumsum([0, *groups.values()])
    columns = [
        np.arange(ends[place], ends[place + 1], dtype=np.int64)
        for place, name in enumerate(groups)
        if name in names
    ]
    return np.concatenate([*columns, np.empty(0, np.int64)])


def _with_bends(
    columns: NDArray[np.float64], bent: NDArray[np.int64], bends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The columns, and max(0, column - bend) for each bend of each column that bends."""
    above = np.maximum(columns[:, bent, None] - bends, 0)
    return np.concatenate([columns, above.reshape(len(columns), bends.size)], axis=1)


def _scales(
    groups: Mapping[str, int], bent_groups: Collection[str], group_scale: Mapping[str, float]
) -> NDArray[np.float64]:
    of_groups = [
        np.full(width, group_scale.get(name, 1.0) / np.sqrt(width))
        for name, width in groups.items()
    ]
    of_bends = [
        np.full(width * len(_BENDS), 1.0 / np.sqrt(width * len(_BENDS)))
        for name, width in groups.items()
        if name in bent_groups
    ]
    return np.concatenate([*of_groups, *of_bends])
