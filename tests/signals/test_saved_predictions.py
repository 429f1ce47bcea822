"""Saved predictions become the signals table that a run of the model would have written."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import special

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import word_hashes
from tfx_privacy.signals.saved_predictions import (
    SavedPredictionsOptions,
    write_saved_predictions_table,
)
from tfx_privacy.signals.table import SplitRows, TableDescription
from tfx_privacy.signals.table_reader import read_bucket, read_description

ALL = ("label", "logits", "loss", "units", "slices", "inputs")
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(8, 3)).astype(np.float32)
LABEL = np.array([0, 1, 2, 0, 1, 2, 0, 1])


class Saved:
    """A folder with the two files, and the table made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = str(folder / "table")

    def write(self, name: str, columns: dict[str, Any], suffix: str = "npz") -> str:
        path = self.folder / f"{name}.{suffix}"
        if suffix == "npz":
            np.savez(path, **columns)
        else:
            pq.write_table(
                pa.table({key: pa.array(list(value)) for key, value in columns.items()}), path
            )
        return str(path)

    def measure(
        self,
        members: dict[str, Any],
        nonmembers: dict[str, Any] | None = None,
        suffix: str = "npz",
        **options: Any,
    ) -> tuple[TableDescription, Signals]:
        description = write_saved_predictions_table(
            self.write("members", members, suffix),
            self.write("others", members if nonmembers is None else nonmembers, suffix),
            SavedPredictionsOptions(**options),
            self.table,
        )
        parts = [
            part
            for bucket in range(description.buckets)
            for part in read_bucket(self.table, description, bucket, ALL)
        ]
        return description, Signals.concatenate(parts)


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return Saved(tmp_path)


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_logits(saved: Saved, suffix: str):
    members = {"label": LABEL[:5], "logits": LOGITS[:5]}
    others = {"label": LABEL[5:], "logits": LOGITS[5:]}

    description, rows = saved.measure(members, others, suffix)

    assert description.task == config_pb2.MULTICLASS
    assert description.output_kind == config_pb2.LOGITS
    assert description.output_width == 3
    assert description.splits == (
        SplitRows("members", True, 5),
        SplitRows("non-members", False, 3),
    )
    assert not description.identity.checks_duplicates
    assert rows.member.tolist() == [True] * 5 + [False] * 3
    assert rows.ids.tolist() == [[1, n] for n in range(5)] + [[0, n] for n in range(3)]
    np.testing.assert_array_equal(rows.logits, LOGITS)
    np.testing.assert_array_equal(rows.label, LABEL)
    expected = -special.log_softmax(LOGITS.astype(float), axis=1)[np.arange(8), LABEL]
    np.testing.assert_allclose(rows.loss, expected, rtol=1e-6)
    assert read_description(saved.table) == description


def test_probabilities_stand_for_their_logarithms(saved: Saved):
    probabilities = special.softmax(LOGITS.astype(float), axis=1)

    description, rows = saved.measure({"label": LABEL, "probabilities": probabilities})

    assert description.output_kind == config_pb2.PROBABILITIES
    assert description.task == config_pb2.MULTICLASS
    np.testing.assert_allclose(rows.logits[:8], np.log(probabilities), rtol=1e-6)
    np.testing.assert_allclose(
        rows.loss[:8], -np.log(probabilities[np.arange(8), LABEL]), rtol=1e-6
    )


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_probability_a_row_is_that_of_class_1(saved: Saved, shape: tuple[int, ...]):
    probabilities = np.array([0.5, 0.25, 0.9, 0.0]).reshape(shape)

    description, rows = saved.measure(
        {"label": np.array([1, 0, 1, 0]), "probabilities": probabilities}
    )

    assert description.task == config_pb2.BINARY
    assert description.output_width == 1
    expected = [np.log(2), -np.log(0.75), -np.log(0.9), 0]
    np.testing.assert_allclose(rows.loss[:4], expected, rtol=1e-5, atol=1e-30)


def test_losses_need_no_label(saved: Saved):
    loss = np.array([0.5, 2.0, 0.0])

    description, rows = saved.measure({"loss": loss})

    assert not description.has_label
    assert not description.has_logits
    assert description.output_width == 0
    assert rows.loss.tolist() == [0.5, 2.0, 0.0] * 2
    assert rows.label is None
    assert rows.logits is None


def test_entropies_need_no_label(saved: Saved):
    # Of a sure prediction p, -(p * log(p + 1e-12)).sum() is -1e-12.
    description, rows = saved.measure({"entropy": np.array([0.5, -1e-12, 0.0])})

    assert description.has_entropy
    there = (description.has_label, description.has_logits, description.has_loss)
    assert there == (False, False, False)
    assert description.task == config_pb2.MULTICLASS
    assert rows.entropy.tolist() == [0.5, 0, 0] * 2
    assert rows.entropy.dtype == np.float32
    assert rows.logits is None
    assert rows.loss is None


def test_losses_and_entropies_may_stand_together(saved: Saved):
    _, rows = saved.measure({"loss": np.array([[1.0], [2.0]]), "entropy": np.array([3, 4])})

    assert rows.loss.tolist() == [1, 2] * 2
    assert rows.entropy.tolist() == [3, 4] * 2


@pytest.mark.parametrize("name", ["logits", "probabilities"])
def test_what_the_model_answers_needs_no_label(saved: Saved, name: str):
    values = {"logits": LOGITS, "probabilities": special.softmax(LOGITS, axis=1)}[name]

    description, rows = saved.measure({name: values})

    assert description.has_logits
    there = (description.has_label, description.has_loss, description.has_entropy)
    assert there == (False, False, False)
    # Logarithms of probabilities are the logits but for what is the same in a row.
    difference = rows.logits[:8] - LOGITS
    np.testing.assert_allclose(difference, difference[:, :1] @ np.ones((1, 3)), atol=1e-5)
    assert rows.label is None
    assert rows.loss is None


@pytest.mark.parametrize(
    ("kind", "task", "values", "loss"),
    [
        # -log .75 and -log .5; -log sigmoid(0) of both; squares of .25 - 1 and .5 - 0.
        (config_pb2.PROBABILITIES, 0, "0.25,0.75;1\n0.5,0.5;0", [0.287682, 0.693147]),
        (config_pb2.LOGITS, 0, "0;1\n0;0", [0.693147, 0.693147]),
        (config_pb2.REGRESSION_VALUE, 0, "0.25;1\n0.5;0", [0.5625, 0.25]),
        (0, config_pb2.REGRESSION, "0.25;1\n0.5;0", [0.5625, 0.25]),
    ],
)
def test_files_without_names_are_what_the_configuration_says(
    saved: Saved, kind: int, task: int, values: str, loss: list[float]
):
    members, others = saved.folder / "members.txt", saved.folder / "others.txt"
    for path in (members, others):
        path.write_text(values)

    description = write_saved_predictions_table(
        str(members),
        str(others),
        SavedPredictionsOptions(task=task, output_kind=kind),
        saved.table,
    )

    (rows,) = read_bucket(saved.table, description, 0)
    np.testing.assert_allclose(rows.loss, loss * 2, rtol=1e-5)
    assert description.output_kind == (kind or config_pb2.REGRESSION_VALUE)


def test_losses_may_have_a_label(saved: Saved):
    _, rows = saved.measure({"loss": np.ones(2), "label": np.array([5, 0])})

    assert rows.label.tolist() == [5, 0] * 2


def test_several_labels_and_numbers(saved: Saved):
    flags = np.array([[0, 1], [1, 1]])
    _, rows = saved.measure(
        {"label": flags, "logits": np.zeros((2, 2))}, task=config_pb2.MULTILABEL
    )
    np.testing.assert_allclose(rows.loss, 2 * np.log(2), rtol=1e-6)
    assert rows.label[:2].tolist() == flags.tolist()

    description, rows = saved.measure(
        {"label": np.array([1.5, 2.0]), "logits": np.array([1.0, 4.0])}, task=config_pb2.REGRESSION
    )
    assert description.output_kind == config_pb2.REGRESSION_VALUE
    assert rows.loss[:2].tolist() == [0.25, 4.0]


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_string_labels_and_slices(saved: Saved, suffix: str):
    columns = {
        "label": np.array(["b", "a"]),
        "logits": LOGITS[:2],
        "city": np.array(["Zürich", "Zug"]),
        "age": np.array([30, 31]),
    }

    _, rows = saved.measure(
        columns,
        suffix=suffix,
        label_vocabulary=("a", "b", "c"),
        slice_features=("label", "city", "age"),
    )

    assert rows.label[:2].tolist() == [1, 0]
    assert {name: words.to_pylist()[:2] for name, words in rows.slices.items()} == {
        "label": [["b"], ["a"]],
        "city": [["Zürich"], ["Zug"]],
        "age": [["30"], ["31"]],
    }


def test_a_row_without_a_slice_value_is_in_no_slice_and_others_keep_their_words(saved: Saved):
    columns = {"loss": [1.0, 2.0], "age": [30, None]}

    _, rows = saved.measure(columns, {"loss": [3.0], "age": [30]}, "parquet",
                            slice_features=("age",))  # fmt: skip

    assert rows.slices["age"].to_pylist() == [["30"], [], ["30"]]


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_inputs_are_every_column_that_means_nothing_else(saved: Saved, suffix: str):
    columns = {
        "id": np.array([5, 6]),
        "label": np.array([0, 1]),
        "logits": LOGITS[:2],
        "user": np.array([1, 2]),
        "age": np.array([30, 31]),
        "city": np.array(["Zug", "Bern"]),
        "image": np.array([[0.5, 1.5], [2.5, 3.5]]),
        "old": np.array([True, False]),
        "__index_level_0__": np.array([8, 9]),
    }
    others = {
        **columns,
        "id": np.array([7, 8]),
        "only here": np.array([1, 2]),
        "city": np.array(["Zug", "Uri"]),
    }
    del others["old"]

    description, rows = saved.measure(
        columns, others, suffix, unit_feature="user", inputs=config_pb2.InputSpec()
    )

    assert description.input_features == (("age", "number"), ("city", "word"), ("image", "number"))
    assert rows.inputs["age"].to_pylist() == [[30], [31]] * 2
    assert rows.inputs["image"].to_pylist() == [[0.5, 1.5], [2.5, 3.5]] * 2
    words = pa.array([b"Zug", b"Bern", b"Zug", b"Uri"], pa.large_binary())
    assert rows.inputs["city"].to_pylist() == [[word] for word in word_hashes(words).tolist()]

    description, rows = saved.measure(columns, others, suffix)
    assert (description.input_features, rows.inputs) == ((), {})


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_inputs_that_are_named_must_be_in_both_files(saved: Saved, suffix: str):
    members = {"loss": [1.0, 2.0], "a": [1, 2], "b": ["x", "y"], "c": [1, 2]}
    others = {"loss": [1.0, 2.0], "a": [0.5, 1.5], "b": [3, 4]}

    def inputs_named(*names: str) -> Signals:
        spec = config_pb2.InputSpec(feature_keys=names)
        return saved.measure(members, others, suffix, inputs=spec)[1]

    assert inputs_named("a").inputs["a"].to_pylist() == [[1], [2], [0.5], [1.5]]
    # By default what the files do not agree on is left out.
    assert inputs_named().inputs.keys() == {"a"}
    with pytest.raises(InputError, match=r"names 'b', a word in .*members.* and a number in "):
        inputs_named("a", "b")
    with pytest.raises(InputError, match=r"names 'c', which '.*others.*' has no column of"):
        inputs_named("c")
    with pytest.raises(InputError, match="names 'loss', which is what the model answers"):
        inputs_named("loss")


def test_columns_of_other_forms_are_inputs_only_where_they_can_be(saved: Saved):
    columns = {
        "loss": [1.0, 2.0],
        "ragged": [[1.0], [1.0, 2.0]],
        "even": [[1, 2], [3, 4]],
        "when": [datetime.datetime(2020, 1, 1), datetime.datetime(2021, 1, 1)],
        "gaps": [7, None],
        "flags": [True, None],
        "words": [None, "a"],
        "empty": [np.nan, 0.25],
    }

    _, rows = saved.measure(columns, suffix="parquet", inputs=config_pb2.InputSpec())

    (a,) = word_hashes(pa.array([b"a"], pa.large_binary())).tolist()
    assert {name: column.to_pylist()[:2] for name, column in rows.inputs.items()} == {
        "even": [[1, 2], [3, 4]],
        "gaps": [[7], []],
        "flags": [[1], []],
        "words": [[], [a]],
        "empty": [[], [0.25]],
    }
    named = config_pb2.InputSpec(feature_keys=["ragged"])
    with pytest.raises(InputError, match=r"names column 'ragged' of .*expected numbers"):
        saved.measure(columns, suffix="parquet", inputs=named)


@pytest.mark.parametrize("ids", [np.arange(4), np.array(["a", "b", "c", "d"])])
@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_an_id_column_makes_ids(saved: Saved, suffix: str, ids: np.ndarray):
    loss = np.arange(4.0)

    description, rows = saved.measure(
        {"loss": loss[:2], "id": ids[:2]}, {"loss": loss[2:], "id": ids[2:]}, suffix
    )
    _, reversed_rows = saved.measure(
        {"loss": loss[3:1:-1], "id": ids[3:1:-1]}, {"loss": loss[1::-1], "id": ids[1::-1]}, suffix
    )

    assert (description.identity.kind, description.identity.feature) == ("key", "id")
    assert description.identity.checks_duplicates
    assert len({tuple(row) for row in rows.ids.tolist()}) == 4
    assert (rows.ids == reversed_rows.ids[::-1]).all()


def test_units_are_told_by_a_column(saved: Saved):
    description, rows = saved.measure(
        {"loss": np.arange(3.0), "user": np.array([7, 7, 8])}, unit_feature="user"
    )

    assert description.identity.unit_feature == "user"
    units = rows.units[np.argsort(rows.loss, kind="stable")].tolist()
    assert units[0] == units[1] == units[2] == units[3] != units[4]


@pytest.mark.parametrize(
    ("members", "nonmembers", "options", "message"),
    [
        ({"label": LABEL}, None, {},
         "has none of the columns logits, probabilities, loss and entropy"),
        ({"loss": [1.0], "logits": [1.0]}, None, {}, "has logits and loss of the columns"),
        ({"logits": LOGITS, "entropy": LABEL}, None, {}, "has logits and entropy of the columns"),
        ({"logits": LOGITS}, {"logits": LOGITS, "label": LABEL}, {},
         r"others\.npz' has a column 'label' and .*members\.npz' has none"),
        ({"logits": LOGITS}, None, {"slice_features": ("label",)}, "no column 'label'"),
        ({"logits": LOGITS, "label": LABEL}, None, {"output_kind": config_pb2.LOGITS},
         "output_kind is 'LOGITS', which cannot be followed: .* whose name says it"),
        ({"entropy": [0.5, -0.5]}, None, {}, "entropies are negative in 1 of 2 .*, -0.5 in the"),
        ({"entropy": [0.5, np.nan]}, None, {}, r"members\.npz': entropies are not finite in 1"),
        ({"entropy": [0.5]}, None, {"task": config_pb2.REGRESSION},
         "task is REGRESSION, and there is a column 'entropy'"),
        ({"loss": np.ones((1, 2))}, None, {}, r"'loss' is float64 of shape \(1, 2\): expected one"),
        ({"loss": [1.0], "id": [1]}, {"loss": [1.0]}, {}, r"members\.npz' has a column 'id' and "),
        ({"loss": [1.0, 1], "id": [1, 2]}, {"loss": [1.0], "id": [2]}, {},
         "column 'id' is not unique: 2 of 3 rows"),
        ({"loss": [1.0]}, None, {"slice_features": ("age",)}, "no column 'age', .*: found loss"),
        ({"loss": [1.0]}, None, {"unit_feature": "user"}, "no column 'user'"),
        ({"loss": [1.0], "x": [[1, 2]]}, None, {"slice_features": ("x",)},
         "'x' has 2 values a row"),
        ({"loss": [1.0]}, None, {"slice_features": ("label",)}, "no column 'label'"),
        ({"loss": [1.0, np.nan]}, None, {}, r"members\.npz': losses are not finite in 1 of 2"),
        ({"loss": ["a"]}, None, {}, "column 'loss' is <U1"),
        ({"label": [0], "logits": [[0.0, np.inf]]}, None, {}, "NaN or infinity in .*logits"),
        ({"label": [0, 0], "probabilities": [[0.5, 0.5], [0.5, 0.6]]}, None, {},
         r"members\.npz', column 'probabilities' is said to .* but row 1 sums to 1.1"),
        ({"label": [0], "probabilities": [1.5]}, None, {}, r"expected \[0, 1\]"),
        ({"label": [0], "logits": [["a", "b"]]}, None, {}, "column 'logits'"),
        ({"label": [3], "logits": LOGITS[:1]}, None, {}, "label 'label' is 3 .* from 0 to 2"),
        ({"label": ["a"], "logits": LOGITS[:1]}, None, {}, "holds strings"),
        ({"label": [0], "logits": LOGITS[:1]}, {"label": [0], "logits": LOGITS[:1, :2]}, {},
         r"others\.npz': column 'logits' has 2 values .*: expected 3"),
        ({"loss": [1.0], "id": [0.5]}, None, {}, "column 'id' is float64"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_error_and_no_table(
    saved: Saved,
    members: dict[str, Any],
    nonmembers: dict[str, Any] | None,
    options: dict[str, Any],
    message: str,
):
    with pytest.raises(InputError, match=message):
        saved.measure(members, nonmembers, **options)

    assert not Path(saved.table).exists() or os.listdir(saved.table) == []


def test_missing_values_are_an_error(saved: Saved):
    with pytest.raises(InputError, match="column 'id' is empty in 1 rows"):
        saved.measure({"loss": [1.0, 2.0], "id": [1, None]}, suffix="parquet")
    with pytest.raises(InputError, match="column 'label' is empty in 1 of 2 rows"):
        saved.measure({"loss": [1.0, 2.0], "label": [1, None]}, suffix="parquet")


def test_both_sides_must_be_different_files(saved: Saved):
    path = saved.write("members", {"loss": [1.0]})
    link = saved.folder / "link.npz"
    link.symlink_to(path)

    with pytest.raises(InputError, match="members and non-members are the same file"):
        write_saved_predictions_table(path, str(link), SavedPredictionsOptions(), saved.table)


def test_neither_beam_nor_tensorflow_is_imported(saved: Saved):
    path, other = (saved.write(name, {"loss": [1.0]}) for name in ("members", "others"))
    code = f"""
import sys
from tfx_privacy.signals.saved_predictions import *
write_saved_predictions_table({path!r}, {other!r}, SavedPredictionsOptions(), {saved.table!r})
print([name for name in ("apache_beam", "tensorflow") if name in sys.modules])
"""

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
