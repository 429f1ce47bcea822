"""What reference models say of rows, as Arrow columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.signals.reference_signals import ReferenceLayout, ReferenceSignals

_INSIDE = "reference:inside"
_LOSS = "reference:loss"
# Model by model, and of a model query by query.
_LOGIT = "reference:logit"
_TARGET_LOGIT = "reference:target_logit"


def reference_fields(layout: ReferenceLayout | None) -> list[pa.Field]:
    """The columns, lists of fixed size; none without reference models."""
    if layout is None:
        return []
    kinds = {
        _INSIDE: pa.list_(pa.bool_(), layout.models),
        _LOSS: pa.list_(pa.float32(), layout.models),
    }
    if layout.has_logits:
        kinds[_LOGIT] = pa.list_(pa.float32(), layout.models * layout.queries)
        kinds[_TARGET_LOGIT] = pa.list_(pa.float32(), layout.queries)
    return [pa.field(name, kind, nullable=False) for name, kind in kinds.items()]


def reference_arrays(references: ReferenceSignals) -> Mapping[str, pa.Array]:
    """The columns of rows, by name."""
    columns = {_INSIDE: _lists(references.inside), _LOSS: _lists(references.loss)}
    if references.logit is not None and references.target_logit is not None:
        columns[_LOGIT] = _lists(references.logit.reshape(len(references), -1))
        columns[_TARGET_LOGIT] = _lists(references.target_logit)
    return columns


def references_from(
    column: Callable[[str], pa.Array | None], layout: ReferenceLayout | None
) -> ReferenceSignals | None:
    """The rows that `reference_arrays` made columns of.

    Args:
      column: Gives a column by its name; None for one that was not read.
      layout: What there is.

    Returns:
      None where there is nothing, or it was not read.
    """
    inside = None if layout is None else column(_INSIDE)
    if layout is None or inside is None:
        return None
    loss, logit, target_logit = (_rows(column(name)) for name in (_LOSS, _LOGIT, _TARGET_LOGIT))
    if loss is None:
        raise ValueError(f"found a column {_INSIDE!r} without {_LOSS!r}: expected both or neither")
    return ReferenceSignals(
        inside=np.asarray(_rows(inside), np.bool_),
        loss=loss,
        logit=None if logit is None else logit.reshape(-1, layout.models, layout.queries),
        target_logit=target_logit,
    )


def _lists(values: NDArray[Any]) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _rows(column: pa.Array | None) -> NDArray[Any] | None:
    if column is None:
        return None
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values.reshape(len(column), column.type.list_size))
