"""Files of saved predictions as columns, some rows at a time.

Parquet and .npz files name their columns. Those of .npy and .txt files have no names: what
the values are has to be said; see unnamed_files.py for how they are laid out.
"""

from __future__ import annotations

import abc
import contextlib
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.inputs import NUMBER, WORD
from tfx_privacy.signals.unnamed_files import UnnamedColumns, columns_of_npy, columns_of_text

# What the labels of a file without names are called.
LABEL = "label"

# Rows may be wide: an image as a list of numbers.
_CHUNK_ROWS = 16384


class SavedFile(abc.ABC):
    """A file of named columns with the same number of rows.

    Attributes:
      path: The file.
      names: The names of its columns.
      has_names: Whether the file itself says them.
      rows: How many rows it has.
    """

    path: str
    names: tuple[str, ...]
    has_names: bool
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
def open_saved(path: str, values_name: str = "") -> Iterator[SavedFile]:
    """Opens a file of saved predictions by the suffix of its name.

    Args:
      path: A .parquet, .npz, .npy or .txt file.
      values_name: What the column of values of a file without names is called; "" where
        it is not known what they are. Its labels are called LABEL.

    Raises:
      InputError: If it is of another kind, cannot be read, has no rows, or has no names
        and it is not known what its values are.
    """
    with contextlib.ExitStack() as stack:
        opened = _reader(path, values_name)
        stream = stack.enter_context(files.open_to_read(path))
        try:
            saved = opened(path, stream)
        except InputError:
            raise
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, pa.ArrowException) as error:
            raise InputError(
                f"cannot read {path!r} as saved predictions: {_in_words(error)}"
            ) from error
        if saved.rows == 0:
            raise InputError(f"{path!r} has no rows: expected at least one")
        yield saved


def _reader(path: str, values_name: str) -> Callable[[str, BinaryIO], SavedFile]:
    named = {".parquet": _ParquetFile, ".npz": _columns_of_npz}
    unnamed = {".npy": columns_of_npy, ".txt": columns_of_text}
    for suffix, reader in named.items():
        if path.endswith(suffix):
            return reader
    for suffix, columns in unnamed.items():
        if path.endswith(suffix):
            if not values_name:
                raise InputError(
                    f"{path!r} has no names for its columns, so what its values are cannot be "
                    "known: set model_spec.output_kind to LOGITS, PROBABILITIES or "
                    "REGRESSION_VALUE. Losses and entropies are read from .npz and .parquet, "
                    "where the column's name says it"
                )
            return lambda path, stream: _named(path, columns(path, stream), values_name)
    known = [*named, *unnamed]
    raise InputError(
        f"cannot read {path!r} as saved predictions: expected {', '.join(known[:-1])} or "
        f"{known[-1]}"
    )


def _columns_of_npz(path: str, stream: BinaryIO) -> SavedFile:
    with np.load(stream, allow_pickle=False) as content:
        return _ColumnsInMemory(path, {name: content[name] for name in content.files})


def _named(path: str, columns: UnnamedColumns, values_name: str) -> SavedFile:
    labels = {} if columns.label is None else {LABEL: columns.label}
    return _ColumnsInMemory(path, {values_name: columns.values, **labels}, has_names=False)


def _in_words(error: Exception) -> str:
    if "allow_pickle" in str(error):
        return (
            "it holds pickled Python objects, and reading those could run any code: expected "
            "arrays of numbers or strings"
        )
    return str(error)


class _ColumnsInMemory(SavedFile):
    def __init__(
        self, path: str, columns: Mapping[str, NDArray[Any]], *, has_names: bool = True
    ) -> None:
        self.path = path
        self.has_names = has_names
        self._columns = columns
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
    def __init__(self, path: str, stream: BinaryIO) -> None:
        self.path = path
        self.has_names = True
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
