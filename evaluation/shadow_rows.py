"""What shadow models answer for records of which it is known who was trained on them.

Shokri's attack learns from these: Shokri, Stronati, Song, Shmatikov, "Membership Inference
Attacks Against Machine Learning Models", S&P 2017, section V-B. Of each reference model as
many records that it was trained on are taken as others, the first by a hash of id and model.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.evaluation.samples import signals_from_bytes, signals_to_bytes
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.files import exists, join, read_bytes, write_bytes_whole
from tfx_privacy.signals.identity import Ids, hash_fractions
from tfx_privacy.signals.table import TableDescription, TableLayout

# In all, of all models and both sides.
MOST_ROWS = 100_000
_MOST_BYTES = 256 << 20
# Buckets offer somewhat more than are taken: so many standard deviations, and some rows.
_SPARE_DEVIATIONS = 6
_SPARE_ROWS = 6


@dataclasses.dataclass(frozen=True)
class ShadowRowsPlan:
    """Which rows are kept.

    Attributes:
      folder: Where buckets leave what they offer.
      layout: Of the rows.
      seed: Of the measurement.
      rows: The most rows a model and side.
      shares: [k], of each model the shares of records, inside and outside, that buckets
        offer.
    """

    folder: str
    layout: TableLayout
    seed: int
    rows: int
    shares: tuple[tuple[float, float], ...]


def plan_shadow_rows(
    folder: str,
    table: TableDescription,
    seed: int,
    models: Sequence[references_pb2.ReferenceModel],
) -> ShadowRowsPlan | None:
    """Decides how many rows of each model are kept.

    Args:
      folder: Where buckets leave what they offer.
      table: What a reference model's table is like.
      seed: Of the measurement.
      models: What is known of the models, in the order of their indices.

    Returns:
      None where there is nothing for Shokri's attack: no classes, or no logits.
    """
    if table.task not in (config_pb2.BINARY, config_pb2.MULTICLASS) or not table.has_logits:
        return None
    row_bytes = 4 * table.output_width + 29
    rows = max(1, min(MOST_ROWS, _MOST_BYTES // row_bytes) // (2 * len(models)))
    shares = tuple(
        (_share(rows, model.trained_on.records), _share(rows, model.held_out.records))
        for model in models
    )
    return ShadowRowsPlan(folder, _layout(table), seed, rows, shares)


class ShadowRows:
    """The rows that one bucket of the pool offers."""

    def __init__(self, plan: ShadowRowsPlan, bucket: int) -> None:
        self._plan = plan
        self._bucket = bucket
        self._offered: dict[int, list[Signals]] = {}

    def offer(self, model: int, rows: Signals, inside: NDArray[np.bool_]) -> None:
        """Takes what may be kept of rows that a model was asked about.

        Args:
          model: Its index.
          rows: With label, logits and loss.
          inside: [n], whether it was trained on the row.
        """
        of_inside, of_outside = self._plan.shares[model]
        chance = _chances(rows.ids, self._plan.seed, model)
        kept = chance < np.where(inside, of_inside, of_outside)
        if kept.any():
            taken = dataclasses.replace(rows, member=inside).take(kept)
            self._offered.setdefault(model, []).append(taken)

    def write(self) -> None:
        """Leaves the rows in files, one a model."""
        for model, parts in self._offered.items():
            content = signals_to_bytes(Signals.concatenate(parts), self._plan.layout)
            write_bytes_whole(_path(self._plan, self._bucket, model), content)


def read_shadow_rows(plan: ShadowRowsPlan, buckets: int) -> Signals | None:
    """The rows that are kept, sorted by id; `member` says whether the model was trained on it.

    A record comes once for each model that it was taken for. None where there are no rows.
    """
    kept = [
        rows
        for model in range(len(plan.shares))
        for rows in _of_model(plan, buckets, model)
        if len(rows)
    ]
    return Signals.concatenate(kept).sorted_by_id() if kept else None


def _of_model(plan: ShadowRowsPlan, buckets: int, model: int) -> list[Signals]:
    paths = [_path(plan, bucket, model) for bucket in range(buckets)]
    parts = [signals_from_bytes(read_bytes(path), plan.layout) for path in paths if exists(path)]
    if not parts:
        return []
    rows = Signals.concatenate(parts)
    chance = _chances(rows.ids, plan.seed, model)
    order = np.lexsort((rows.ids[:, 1], rows.ids[:, 0], chance))
    sides = (order[rows.member[order] == side] for side in (True, False))
    return [rows.take(side[: plan.rows]) for side in sides]


def _share(rows: int, records: int) -> float:
    spare = _SPARE_DEVIATIONS * math.sqrt(rows) + _SPARE_ROWS
    return min(1.0, (rows + spare) / max(records, 1))


def _chances(ids: Ids, seed: int, model: int) -> NDArray[np.float64]:
    return hash_fractions(ids, seed, f"shadow rows {model}")


def _path(plan: ShadowRowsPlan, bucket: int, model: int) -> str:
    return join(plan.folder, f"shadow-{model:05d}-{bucket:05d}.arrow")


def _layout(table: TableDescription) -> TableLayout:
    columns: Mapping[str, object] = {
        field.name: getattr(table, field.name) for field in dataclasses.fields(TableLayout)
    }
    layout = TableLayout(**columns)  # type: ignore[arg-type]
    return dataclasses.replace(
        layout,
        slice_features=(),
        input_features=(),
        has_units=False,
        has_weight=False,
        white_box=None,
        references=None,
    )
