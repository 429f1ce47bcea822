"""Columns of files of saved predictions, as NumPy arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_privacy.signals import saved_files
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.saved_files import open_saved


def read(path: Path, *names: str) -> list[dict[str, np.ndarray]]:
    with open_saved(str(path)) as saved:
        return list(saved.chunks(names or saved.names))


def parquet(folder: Path, **columns: pa.Array) -> Path:
    path = folder / "saved.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def npz(folder: Path, **columns: np.ndarray) -> Path:
    path = folder / "saved.npz"
    np.savez(path, **columns)
    return path


@pytest.mark.parametrize("kind", ["parquet", "npz"])
def test_columns_come_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str):
    monkeypatch.setattr(saved_files, "_CHUNK_ROWS", 4)
    logits, label = np.arange(20.0).reshape(10, 2), np.arange(10)
    if kind == "npz":
        path = npz(tmp_path, logits=logits, label=label)
    else:
        path = parquet(tmp_path, logits=pa.array(logits.tolist()), label=pa.array(label))

    with open_saved(str(path)) as saved:
        assert saved.names == ("logits", "label")
        assert saved.rows == 10
        chunks = list(saved.chunks(["label", "logits"]))

    assert [len(chunk["label"]) for chunk in chunks] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([chunk["logits"] for chunk in chunks]), logits)
    np.testing.assert_array_equal(np.concatenate([chunk["label"] for chunk in chunks]), label)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)), [[1, 2], [3, 4]]),
        (pa.array([[1.0], [3.0]], pa.large_list(pa.float64())), [[1], [3]]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([b"a", None]), [b"a", None]),
        (pa.array([7, None]), [7, None]),
        (pa.array([True, False]), [True, False]),
    ],
)
def test_columns_of_parquet(tmp_path: Path, column: pa.Array, expected: list):
    (chunk,) = read(parquet(tmp_path, x=column))

    assert chunk["x"].tolist() == expected


def test_integers_stay_integers_where_some_are_missing(tmp_path: Path):
    (chunk,) = read(parquet(tmp_path, x=pa.array([2**53 + 1, None])))

    assert chunk["x"].tolist() == [2**53 + 1, None]


@pytest.mark.parametrize(
    "column", [pa.array([[1.0], [1.0, 2.0]]), pa.array([[1.0], None]), pa.array([[], [1.0]])]
)
def test_lists_of_different_lengths_are_an_error(tmp_path: Path, column: pa.Array):
    with pytest.raises(
        InputError, match=r"column 'x' of '.*saved\.parquet' has lists of different"
    ):
        read(parquet(tmp_path, x=column))


def test_columns_of_other_types_are_an_error(tmp_path: Path):
    with pytest.raises(InputError, match=r"column 'x' of .* is datetime64"):
        read(parquet(tmp_path, x=pa.array([0], pa.timestamp("us"))))
    with pytest.raises(InputError, match=r"column 'x' of .* shape \(1, 2, 3\)"):
        read(npz(tmp_path, x=np.zeros((1, 2, 3))))


def test_arrays_of_different_lengths_are_an_error(tmp_path: Path):
    with pytest.raises(InputError, match=r"shapes \{'a': \(2,\), 'b': \(3,\)\}"):
        read(npz(tmp_path, a=np.zeros(2), b=np.zeros(3)))
    with pytest.raises(InputError, match=r"shapes \{'a': \(2,\), 'b': \(\)\}"):
        read(npz(tmp_path, a=np.zeros(2), b=np.array(3)))


def test_pickles_are_not_loaded(tmp_path: Path):
    message = (
        r"cannot read '.*saved\.npz' .* pickled Python objects, .*: expected arrays of numbers"
    )
    with pytest.raises(InputError, match=message):
        read(npz(tmp_path, x=np.array([object()])))


@pytest.mark.parametrize("name", ["saved.npz", "saved.parquet"])
def test_damaged_files_are_an_error_that_names_them(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"PK\x03\x04 and nothing else")

    with pytest.raises(InputError, match=f"cannot read '{tmp_path / name}' as saved predictions"):
        read(tmp_path / name)


def test_files_of_another_kind_are_an_error_that_says_which_are_read(tmp_path: Path):
    with pytest.raises(InputError, match=r"expected \.parquet, \.npz, \.npy or \.txt"):
        read(tmp_path / "saved.csv")


@pytest.mark.parametrize("kind", ["parquet", "npz"])
def test_files_without_rows_are_an_error(tmp_path: Path, kind: str):
    path = (
        npz(tmp_path, x=np.zeros(0)) if kind == "npz" else parquet(tmp_path, x=pa.array([], "f4"))
    )

    with pytest.raises(InputError, match="has no rows"):
        read(path)


def test_files_without_names_get_the_name_that_is_said(tmp_path: Path):
    path = tmp_path / "saved.txt"
    path.write_text("0.25,0.75;1\n0.5,0.5;0\n")

    with open_saved(str(path), "probabilities") as saved:
        assert not saved.has_names
        assert saved.names == ("probabilities", "label")
        assert saved.rows == 2
        (chunk,) = saved.chunks(saved.names)
    assert chunk["probabilities"].tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert chunk["label"].tolist() == [1, 0]

    with open_saved(str(npz(tmp_path, x=np.ones(2))), "probabilities") as saved:
        assert (saved.has_names, saved.names) == (True, ("x",))


@pytest.mark.parametrize("name", ["saved.txt", "saved.npy"])
def test_a_file_without_names_needs_to_be_told_what_it_holds(tmp_path: Path, name: str):
    with pytest.raises(InputError, match=f"{name}' has no names .* set model_spec.output_kind to"):
        read(tmp_path / name)
