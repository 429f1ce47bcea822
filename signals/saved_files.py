"""Files of saved predictions: Parquet and .npz, as columns, some rows at a time."""

from __future__ import annotations

import abc
import contextlib
import zipfile
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.inputs import NUMBER, WORD

# Rows may be wide: an image as a list of numbers.
_CHUNK_ROWS = 16384


class SavedFile(abc.ABC):
    """A file of named columns with the same number of rows.

    Attributes:
      path: The file.
      names: The names of its columns.
      rows: How many rows it has.
    """

    path: str
    names: tuple[str, ...]
    rows: int

    @abc.abstractmethod
    def chunks(self, names: Collection[str]) -> Iterator[dict[str, NDArray[Any]]]:
        """The columns of the given names, some rows at a time, in order.

        Numbers are [n] or [n, w]; strings and bytes are [n] of objects, None where
        there is none.

        Raises:
          InputError: If a column has no such form.
        """

    @abc.abstractmethod
    def input_kind(self, name: str) -> str | None:
        """NUMBER or WORD, what a column is as an input; None if of no form that `chunks` gives."""


@contextlib.contextmanager
def open_saved(path: str) -> Iterator[SavedFile]:
    """Opens a file of saved predictions by the suffix of its name.

    Raises:
      InputError: If it is of another kind, cannot be read, or has no rows.
    """
    readers = {".parquet": _ParquetFile, ".npz": _NpzFile}
    reader = next((kind for suffix, kind in readers.items() if path.endswith(suffix)), None)
    if reader is None:
        raise InputError(f"cannot read {path!r} as saved predictions: expected .parquet or .npz")
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(files.open_to_read(path))
        try:
            saved = reader(path, stream)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, pa.ArrowException) as error:
            raise InputError(f"cannot read {path!r} as saved predictions: {error}") from error
        if saved.rows == 0:
            raise InputError(f"{path!r} has no rows: expected at least one")
        yield saved


class _NpzFile(SavedFile):
    def __init__(self, path: str, stream: Any) -> None:
        self.path = path
        with np.load(stream, allow_pickle=False) as content:
            self._columns = {name: content[name] for name in content.files}
        self.names = tuple(self._columns)
        lengths = {name: len(column) for name, column in self._columns.items() if column.ndim}
        if len(set(lengths.values())) > 1 or len(lengths) < len(self._columns):
            shapes = {name: column.shape for name, column in self._columns.items()}
            raise InputError(
                f"the arrays of {path!r} have the shapes {shapes}: expected the same number of "
                "rows in all"
            )
        self.rows = next(iter(lengths.values()), 0)

    def chunks(self, names: Collection[str]) -> Iterator[dict[str, NDArray[Any]]]:
        for name in names:
            _check_form(self._columns[name], name, self.path)
        for start in range(0, self.rows, _CHUNK_ROWS):
            yield {name: self._columns[name][start : start + _CHUNK_ROWS] for name in names}

    def input_kind(self, name: str) -> str | None:
        column = self._columns[name]
        if column.dtype.kind in "SU" and column.ndim == 1:
            return WORD
        return NUMBER if column.dtype.kind in "buif" and column.ndim <= 2 else None


class _ParquetFile(SavedFile):
    def __init__(self, path: str, stream: Any) -> None:
        self.path = path
        self._content = pq.ParquetFile(stream)
        self.names = tuple(self._content.schema_arrow.names)
        self.rows = self._content.metadata.num_rows

    def chunks(self, names: Collection[str]) -> Iterator[dict[str, NDArray[Any]]]:
        try:
            for batch in self._content.iter_batches(_CHUNK_ROWS, columns=list(names)):
                yield {
                    name: _from_arrow(
                        batch.column(batch.schema.get_field_index(name)), name, self.path
                    )
                    for name in names
                }
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"cannot read {self.path!r} as saved predictions: {error}") from error

    def input_kind(self, name: str) -> str | None:
        kind = self._content.schema_arrow.field(name).type
        if _is_list(kind):
            fits = _is_number(kind.value_type) and self._has_equal_lists(name)
            return NUMBER if fits else None
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if any(test(kind) for test in _WORD_TYPES):
            return WORD
        return NUMBER if _is_number(kind) else None

    def _has_equal_lists(self, name: str) -> bool:
        seen: set[int | None] = set()
        for batch in self._content.iter_batches(_CHUNK_ROWS, columns=[name]):
            column = batch.column(batch.schema.get_field_index(name))
            seen.update(pc.unique(pc.list_value_length(column)).to_pylist())
        return len(seen) == 1 and None not in seen


_WORD_TYPES = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)


def _is_number(kind: pa.DataType) -> bool:
    return any(
        test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    )


def _from_arrow(column: pa.Array, name: str, path: str) -> NDArray[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_list(column.type):
        return _check_form(_matrix_from_arrow(column, name, path), name, path)
    if column.null_count and not pa.types.is_floating(column.type):
        # Arrow would make floats of integers where some are missing.
        return _check_form(np.array(column.to_pylist(), object), name, path)
    return _check_form(column.to_numpy(zero_copy_only=False), name, path)


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _matrix_from_arrow(column: pa.Array, name: str, path: str) -> NDArray[Any]:
    lengths = np.unique(pc.list_value_length(column).to_numpy(zero_copy_only=False))
    if column.null_count or len(lengths) > 1:
        raise InputError(
            f"column {name!r} of {path!r} has lists of different lengths, or none in some rows: "
            "expected as many values in every row"
        )
    values: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), -1)


def _check_form(values: NDArray[Any], name: str, path: str) -> NDArray[Any]:
    is_words = values.dtype.kind in "OSU"
    if values.ndim > (1 if is_words else 2) or values.dtype.kind not in "OSUbiuf":
        raise InputError(
            f"column {name!r} of {path!r} is {values.dtype} of shape {values.shape}: expected "
            "numbers, one or as many in every row, or one string"
        )
    return values
