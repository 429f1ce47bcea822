"""Arrays and Privacy Meter's layout, as its documentation describes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfx_privacy.signals import unnamed_files
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.saved_files import open_saved
from tfx_privacy.signals.unnamed_files import UnnamedColumns, columns_of_npy, columns_of_text


def text(folder: Path, content: str) -> UnnamedColumns:
    path = folder / "saved.txt"
    path.write_text(content)
    with path.open("rb") as stream:
        return columns_of_text("saved.txt", stream)


def npy(folder: Path, array: np.ndarray, name: str = "saved") -> UnnamedColumns:
    path = folder / f"{name}.npy"
    np.save(path, array)
    with path.open("rb") as stream:
        return columns_of_npy(str(path), stream)


@pytest.mark.parametrize(
    ("content", "values", "label"),
    [
        ("0.25,0.75;1\n1e-3,0.999;0\n", [[0.25, 0.75], [0.001, 0.999]], [1, 0]),
        # The channels of an image, a part each, as Privacy Meter puts them one after the other.
        ("1,2;3,4;7\n5,6;7,8;9", [[1, 2, 3, 4], [5, 6, 7, 8]], [7, 9]),
        ("1.5;2.5\r\n-1;0\r\n\n", [[1.5], [-1]], [2.5, 0]),
        ("1,2;0,1\n3,4;1,1", [[1, 2], [3, 4]], [[0, 1], [1, 1]]),
        ("1; red\n2;green, dark\n", [[1], [2]], ["red", "green, dark"]),
        ("1;1\n2;Zürich\n", [[1], [2]], ["1", "Zürich"]),
        ("1,2\n3,4", [[1, 2], [3, 4]], None),
    ],
)
def test_lines_of_values_and_label(tmp_path: Path, content: str, values: list, label: list):
    found = text(tmp_path, content)

    assert found.values.tolist() == values
    assert (None if found.label is None else found.label.tolist()) == label


def test_many_lines_are_taken_apart_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unnamed_files, "_ROWS_AT_ONCE", 3)
    lines = [f"{row},{row + 0.5};{row}" for row in range(10)]

    found = text(tmp_path, "\n".join(lines))

    assert found.values.tolist() == [[row, row + 0.5] for row in range(10)]
    assert found.label.tolist() == list(range(10))
    lines[7] = "1,two;7"
    with pytest.raises(InputError, match=r"^line 8 of 'saved.txt' has 'two' among its values"):
        text(tmp_path, "\n".join(lines))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,2;0\n\n1,2\n", "^line 3 of 'saved.txt' has 1 parts .*: expected 2, as line 1 of"),
        ("1,2;0\n1,2,3;0\n", "^line 2 of 'saved.txt' has 3 values: expected 2, as line 1 of"),
        ("1,;0", "^line 1 of 'saved.txt' has '' among its values: expected numbers"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: str, message: str):
    with pytest.raises(InputError, match=message):
        text(tmp_path, content)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_an_array_of_strings_holds_the_same_as_text(tmp_path: Path, kind: str):
    # As v1 saves the training data of its target: each row a string of values and a label.
    found = npy(tmp_path, np.array([["0.25,0.75", "1"], ["0.5,0.5", "0"]]).astype(kind))

    assert found.values.tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert found.label.tolist() == [1, 0]
    with pytest.raises(InputError, match=r"^row 1 of '.*saved.npy' has 1 values: expected 2"):
        npy(tmp_path, np.array([["0.25,0.75", "1"], ["0.5", "0"]]).astype(kind))


@pytest.mark.parametrize(
    ("name", "labels", "found"),
    [
        ("members", "members_labels", True),
        ("m_logits", "m_labels", True),
        ("m_probabilities", "m_labels", True),
        ("m_predictions", "m_predictions_labels", True),
        # Labels of something else, for all that is known.
        ("my_members", "my_labels", False),
        ("members", "labels", False),
    ],
)
def test_labels_lie_beside_an_array_of_numbers(tmp_path: Path, name: str, labels: str, found: bool):
    np.save(tmp_path / f"{labels}.npy", np.array([2, 0, 1]))

    columns = npy(tmp_path, np.eye(3), name)

    np.testing.assert_array_equal(columns.values, np.eye(3))
    assert (None if columns.label is None else columns.label.tolist()) == (
        [2, 0, 1] if found else None
    )


def test_labels_of_another_length_are_an_error_that_names_both(tmp_path: Path):
    np.save(tmp_path / "m_labels.npy", np.zeros(2))

    with pytest.raises(
        InputError, match=r"m_labels.npy' has the shape \(2,\) and '.*m_logits.npy'"
    ):
        npy(tmp_path, np.eye(3), "m_logits")


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2, 2)), np.array(1.0), np.array(["a"]), np.zeros((2, 2), complex)]
)
def test_arrays_of_other_forms_are_an_error(tmp_path: Path, array: np.ndarray):
    with pytest.raises(InputError, match=r"saved.npy' is an array of .*: expected \[n\] or"):
        npy(tmp_path, array)


@pytest.mark.parametrize("pickled", ["m_logits", "m_labels"])
def test_pickled_arrays_are_refused(tmp_path: Path, pickled: str):
    np.save(tmp_path / "m_logits.npy", np.eye(2))
    np.save(tmp_path / f"{pickled}.npy", np.array([[1], [2, 3]], object), allow_pickle=True)

    message = r"cannot read '.*m_logits.npy' .* pickled Python objects"
    with (
        pytest.raises(InputError, match=message),
        open_saved(str(tmp_path / "m_logits.npy"), "logits"),
    ):
        pass


@pytest.mark.parametrize("name", ["saved.txt", "saved.npy"])
def test_what_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"\xff\xfe;\x00")

    with (
        pytest.raises(InputError, match=f"cannot read '{tmp_path / name}' as saved predictions"),
        open_saved(str(tmp_path / name), "logits"),
    ):
        pass


@pytest.mark.parametrize("name", ["saved.txt", "saved.npy"])
def test_files_without_rows_are_an_error(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_text("\n") if name == "saved.txt" else np.save(path, np.empty((0, 3)))

    with (
        pytest.raises(InputError, match="has no rows"),
        open_saved(str(path), "logits"),
    ):
        pass
