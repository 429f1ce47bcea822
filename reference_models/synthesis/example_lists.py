"""Columns of values as lists of a tf.Example's three types."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.signals.target_features import FeatureKind

ARROW_TYPES = {
    FeatureKind.INT64: pa.int64(),
    FeatureKind.FLOAT: pa.float32(),
    FeatureKind.BYTES: pa.large_binary(),
}


def list_array(values: NDArray[np.generic], kind: FeatureKind) -> pa.Array:
    """Lists, one a row.

    Args:
      values: [n, width]; text or bytes for BYTES, numbers otherwise.
      kind: What they become: 64-bit integers, 32-bit floats or bytes.
    """
    flat = values.ravel()
    if kind is FeatureKind.BYTES:
        content = pa.array([_as_bytes(value) for value in flat.tolist()], pa.large_binary())
    else:
        content = pa.array(flat.astype(np.int64 if kind is FeatureKind.INT64 else np.float32))
    offsets = np.arange(len(values) + 1, dtype=np.int64) * values.shape[1]
    return pa.LargeListArray.from_arrays(pa.array(offsets), content)


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
