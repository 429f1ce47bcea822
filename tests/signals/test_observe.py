"""The whole way from examples to the signals table, with a target of three lines.

The model itself has tests of its own; one test here runs a real one in worker processes.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from scipy import special
from tfx_bsl.coders.example_coder import ExampleToNumpyDict

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import examples, observe, table_writer
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit
from tfx_privacy.signals.identity import word_hashes
from tfx_privacy.signals.observe import ObserveOptions
from tfx_privacy.signals.partition import Role, assign_roles
from tfx_privacy.signals.table import SplitRows, TableDescription
from tfx_privacy.signals.table_reader import read_bucket, read_description
from tfx_privacy.signals.target_plan import InputWay, TargetPlan, plan_target
from tfx_privacy.signals.white_box_target import WhiteBoxSignals

PLAN = TargetPlan(
    model_dir="nowhere",
    signature_name="serving_default",
    output_name="outputs",
    task=config_pb2.MULTICLASS,
    output_kind=config_pb2.LOGITS,
    output_width=3,
    logits_source="the output 'outputs'",
    reads_logits=False,
    input_way=InputWay.SERIALIZED_EXAMPLES,
    parsed_features=(),
    preprocessing_function_names=(),
    transform_graph_dir=None,
    label_key="y",
    label_is_transformed=False,
    label_width=0,
    batch_size=4,
)
CONTENT = config_pb2.IdentitySpec()
ALL = ("label", "logits", "loss", "units", "weight", "slices", "inputs")


@dataclasses.dataclass
class FakeOutput:
    logits: np.ndarray
    transformed_label: np.ndarray | None


class FakeTarget:
    """Logits (x, 0, -x) of the feature x; the label, where transformed, is 2 - y."""

    loads = 0
    notes = ()

    def __init__(self, plan: TargetPlan) -> None:
        FakeTarget.loads += 1
        self.plan = plan

    def run(self, records: Sequence[bytes]) -> FakeOutput:
        rows = [ExampleToNumpyDict(record) for record in records]
        if any(row["x"][0] == 666 for row in rows):
            raise InputError("output 'outputs' has NaN in 1 of 5 examples")
        x = np.array([row["x"][0] for row in rows], np.float32)
        label = (
            np.array([2 - row["y"][0] for row in rows]) if self.plan.label_is_transformed else None
        )
        return FakeOutput(np.stack([x, np.zeros_like(x), -x], axis=1), label)

    def look_inside(self, records: Sequence[bytes], labels: np.ndarray) -> WhiteBoxSignals:
        return WhiteBoxSignals()


@pytest.fixture(autouse=True)
def fake_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "_load_model", FakeTarget)
    monkeypatch.setattr(FakeTarget, "loads", 0)


def serialized(row: dict[str, Any]) -> bytes:
    features = {name: _feature(value) for name, value in row.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _feature(value: Any) -> tf.train.Feature:
    values = value if isinstance(value, list) else [value]
    values = [each.encode() if isinstance(each, str) else each for each in values]
    if not values:
        return tf.train.Feature()
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if isinstance(values[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


class Job:
    """A folder with examples, and the table made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = folder / "table"
        self.splits: list[ExampleSplit] = []

    def add(
        self, name: str, rows: list[dict[str, Any]], *, is_member: bool, shards: int = 1
    ) -> None:
        folder = self.folder / f"Split-{name}"
        folder.mkdir()
        for shard in range(shards):
            path = folder / f"data-{shard:05d}.gz"
            with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
                for row in rows[shard::shards]:
                    writer.write(serialized(row))
        self.splits.append(ExampleSplit(name, is_member, (str(folder / "*"),)))

    def run(
        self,
        options: ObserveOptions | None = None,
        plan: TargetPlan = PLAN,
        beam_args: Sequence[str] = (),
    ) -> tuple[TableDescription, Signals]:
        description = observe.observe(
            lambda: beam.Pipeline(options=PipelineOptions(list(beam_args))),
            plan,
            self.splits,
            options or ObserveOptions(CONTENT),
            str(self.table),
        )
        return description, self.rows(description)

    def rows(self, description: TableDescription) -> Signals:
        """All rows, sorted by the feature x, which `rows_of` makes unique."""
        parts = [
            part
            for bucket in range(description.buckets)
            for part in read_bucket(str(self.table), description, bucket, ALL)
        ]
        rows = Signals.concatenate(parts)
        return rows.take(np.argsort(rows.logits[:, 0], kind="stable"))


def rows_of(first: int, n: int) -> list[dict[str, Any]]:
    return [
        {
            "x": number / 64,
            "y": number % 3,
            "user": f"u{number // 2}",
            "city": ["Zug", "Bern"][: number % 3],
        }
        for number in range(first, first + n)
    ]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_every_example_is_a_row(job: Job):
    job.add("train", rows_of(0, 40), is_member=True, shards=3)
    job.add("valid", rows_of(40, 7), is_member=False)
    job.add("eval", rows_of(47, 13), is_member=False, shards=2)

    description, rows = job.run()

    assert description.splits == (
        SplitRows("eval", False, 13),
        SplitRows("train", True, 40),
        SplitRows("valid", False, 7),
    )
    x = np.arange(60) / 64
    np.testing.assert_allclose(rows.logits, np.stack([x, 0 * x, -x], axis=1))
    assert rows.member.tolist() == [True] * 40 + [False] * 20
    assert rows.label.tolist() == [number % 3 for number in range(60)]
    expected = -special.log_softmax(rows.logits.astype(float), axis=1)[np.arange(60), rows.label]
    np.testing.assert_allclose(rows.loss, expected, rtol=1e-6)
    assert len(np.unique(rows.ids, axis=0)) == 60
    assert (rows.units, rows.weight, rows.slices) == (None, None, {})
    assert (description.task, description.output_width) == (config_pb2.MULTICLASS, 3)
    assert description.identity.kind == "content"
    assert read_description(str(job.table)) == description
    assert {file.name for file in description.files} | {"table.json"} == set(os.listdir(job.table))


def test_equal_examples_are_duplicates_across_sides_whatever_bucket_they_are_in(
    job: Job, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(table_writer, "buckets_for", lambda rows: 5)
    job.add("train", rows_of(0, 50), is_member=True, shards=2)
    job.add("eval", rows_of(40, 30), is_member=False)

    description, _ = job.run()

    assert description.buckets == 5
    assert len({file.bucket for file in description.files}) == 5
    duplicates = []
    for bucket in range(5):
        parts = list(read_bucket(str(job.table), description, bucket))
        rows = Signals.concatenate(parts)
        roles = assign_roles(rows.ids, None, 0, check_duplicates=True)
        duplicates.extend((rows.logits[roles == Role.DUPLICATE, 0] * 64).tolist())
    assert sorted(duplicates) == sorted([*range(40, 50)] * 2)


def test_slices_weights_and_units_are_recorded(job: Job):
    rows = [row | {"w": 0.5 + number} for number, row in enumerate(rows_of(0, 6))]
    job.add("train", rows[:3], is_member=True)
    job.add("eval", rows[3:], is_member=False)

    description, found = job.run(
        ObserveOptions(
            config_pb2.IdentitySpec(unit_feature="user"),
            slice_features=("y", "city"),
            label_vocabulary=("red", "green", "blue"),
            example_weight_key="w",
        )
    )

    assert found.weight.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert found.slices["y"].to_pylist() == [["red"], ["green"], ["blue"]] * 2
    assert [sorted(words) for words in found.slices["city"].to_pylist()] == [
        [], ["Zug"], ["Bern", "Zug"]
    ] * 2  # fmt: skip
    units = found.units.tolist()
    assert units[0] == units[1] != units[2]
    assert units[2] == units[3]
    assert description.identity.unit_feature == "user"


def input_job(job: Job) -> None:
    rows = [row | {"w": 1.0, "key": number} for number, row in enumerate(rows_of(0, 6))]
    job.add("train", rows[:3], is_member=True)
    job.add("eval", [row | {"late": "only here"} for row in rows[3:]], is_member=False)


def test_inputs_are_every_feature_that_has_no_other_use(job: Job):
    input_job(job)
    identity = config_pb2.IdentitySpec(key_feature="key", unit_feature="user")
    spec = config_pb2.InputSpec()
    options = ObserveOptions(identity, example_weight_key="w", inputs=spec)

    description, found = job.run(options)

    assert description.input_features == (("city", "word"), ("late", "word"), ("x", "number"))
    assert description == read_description(str(job.table))
    assert found.inputs["x"].to_pylist() == [[number / 64] for number in range(6)]
    zug, bern = word_hashes(pa.array([b"Zug", b"Bern"], pa.large_binary())).tolist()
    assert found.inputs["city"].to_pylist() == [[], [zug], [zug, bern]] * 2
    assert list(map(len, found.inputs["late"].to_pylist())) == [0, 0, 0, 1, 1, 1]

    spec.excluded_feature_keys.extend(["late", "city"])
    assert job.run(options)[0].input_features == (("x", "number"),)


def test_inputs_that_are_named_are_those_and_none_are_kept_unasked(job: Job):
    input_job(job)

    description, found = job.run(
        ObserveOptions(CONTENT, inputs=config_pb2.InputSpec(feature_keys=["y", "w"]))
    )
    assert description.input_features == (("w", "number"), ("y", "number"))
    assert found.inputs["y"].to_pylist() == [[0], [1], [2]] * 2

    description, found = job.run()
    assert description.input_features == ()
    assert (description.input_bytes, found.inputs) == (0, {})

    message = "names 'cty', which is in none.*Features found: city, key, late, user, w, x, y"
    with pytest.raises(InputError, match=message):
        job.run(ObserveOptions(CONTENT, inputs=config_pb2.InputSpec(feature_keys=["cty"])))


def test_a_feature_beyond_the_examples_that_are_looked_at_is_no_input(
    job: Job, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(observe, "_PEEK", 2)
    monkeypatch.setattr(examples, "_BATCH_ROWS", 2)
    rows = rows_of(0, 6)
    rows[4]["new"] = 1
    job.add("train", rows, is_member=True)
    job.add("eval", rows_of(6, 3), is_member=False)
    options = ObserveOptions(CONTENT, inputs=config_pb2.InputSpec())

    assert [name for name, _ in job.run(options)[0].input_features] == ["city", "user", "x"]

    # Whole batches must agree on a type, so that only a later batch can be of another.
    rows = rows_of(0, 6)
    for row in rows[4:]:
        row["user"] = 7
    other = Job(job.folder / "other")
    other.folder.mkdir()
    other.add("train", rows, is_member=True)
    other.add("eval", rows_of(6, 3), is_member=False)
    with pytest.raises(InputError, match=r"split 'train'.*'user' holds numbers: expected strings"):
        other.run(options)
    assert os.listdir(other.table) == []


def test_a_key_makes_ids(job: Job):
    keyed = [row | {"key": number} for number, row in enumerate(rows_of(0, 6))]
    # Contents that are equal are told apart by their keys.
    keyed[5] |= {name: keyed[0][name] for name in ("x", "y", "user", "city")}
    job.add("train", keyed[:3], is_member=True)
    job.add("eval", keyed[3:], is_member=False)

    description, rows = job.run(ObserveOptions(config_pb2.IdentitySpec(key_feature="key")))

    assert (description.identity.kind, description.identity.feature) == ("key", "key")
    assert len(np.unique(rows.ids, axis=0)) == 6


@pytest.mark.parametrize("unit", ["", "user"])
def test_a_key_that_is_not_unique_is_an_error(job: Job, unit: str):
    keyed = [row | {"key": number % 4} for number, row in enumerate(rows_of(0, 6))]
    job.add("train", keyed[:3], is_member=True)
    job.add("eval", keyed[3:], is_member=False)

    with pytest.raises(InputError, match="key feature 'key' is not unique: 4 of 6 rows"):
        job.run(ObserveOptions(config_pb2.IdentitySpec(key_feature="key", unit_feature=unit)))

    assert os.listdir(job.table) == []


def test_a_transformed_label_is_taken_from_the_target(job: Job):
    job.add("train", rows_of(0, 6), is_member=True)
    job.add("eval", rows_of(6, 3), is_member=False)
    plan = dataclasses.replace(PLAN, label_is_transformed=True, label_key="y_xf")

    _, rows = job.run(plan=plan)

    assert rows.label.tolist() == [2, 1, 0] * 3


def test_the_model_is_loaded_once_and_let_go_of(job: Job):
    job.add("train", rows_of(0, 20), is_member=True, shards=5)
    job.add("eval", rows_of(20, 20), is_member=False, shards=5)

    job.run()

    assert FakeTarget.loads == 1
    from apache_beam.utils import shared

    assert not isinstance(shared._shared_map._keepalive[1], FakeTarget)


def test_examples_that_differ_in_order_of_features_alone_have_the_same_id(job: Job):
    row = rows_of(5, 1)[0]
    job.add("train", [row], is_member=True)
    job.add("eval", [dict(reversed(row.items()))], is_member=False)

    _, rows = job.run()

    assert rows.ids[0].tolist() == rows.ids[1].tolist()


def test_the_table_depends_on_neither_batches_nor_buckets(
    job: Job, monkeypatch: pytest.MonkeyPatch
):
    job.add("train", rows_of(0, 40), is_member=True, shards=2)
    job.add("eval", rows_of(40, 20), is_member=False)
    options = ObserveOptions(
        CONTENT, slice_features=("city",), inputs=config_pb2.InputSpec(feature_keys=["x", "city"])
    )
    description, expected = job.run(options)

    monkeypatch.setattr(examples, "_BATCH_ROWS", 7)
    monkeypatch.setattr(table_writer, "buckets_for", lambda rows: 3)
    monkeypatch.setattr(table_writer, "_BUFFER_BYTES", 500)
    again, found = job.run(options)

    assert again.identity == description.identity
    for name in ("ids", "member", "label", "logits", "loss"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
    words = [[sorted(row) for row in rows.slices["city"].to_pylist()] for rows in (found, expected)]
    assert words[0] == words[1]
    assert again.input_bytes == description.input_bytes > 0
    assert expected.inputs.keys() == {"x", "city"}
    for name, column in expected.inputs.items():
        assert found.inputs[name].to_pylist() == column.to_pylist()


def with_row(number: int, **changes: Any) -> list[dict[str, Any]]:
    """Forty rows, of which one is changed; None takes a feature away."""
    rows = [row | {"w": 1.0} for row in rows_of(0, 40)]
    changed = rows[number] | changes
    rows[number] = {name: value for name, value in changed.items() if value is not None}
    return rows


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (with_row(33, y=None), {}, "1 of 40 examples read together have no label 'y'"),
        (with_row(33, y=3), {}, "label 'y' is 3 in one of 1 bad examples of 40"),
        (with_row(33, user=None), {"identity": config_pb2.IdentitySpec(unit_feature="user")},
         "1 of 40 examples read together have no unit feature 'user'"),
        (with_row(33, user=[]), {"identity": config_pb2.IdentitySpec(key_feature="user")},
         "1 of 40 examples read together have no key feature 'user'"),
        (with_row(33, w=None), {"example_weight_key": "w"}, "1 of 40 .* no example weight 'w'"),
        (with_row(33, w=math.nan), {"example_weight_key": "w"},
         "example weights 'w' are not finite in 1 of 40"),
        (with_row(33, w=-0.5), {"example_weight_key": "w"},
         "example weights 'w' are negative in 1 of 40 .*, -0.5 in .*: expected 0 or more"),
        (with_row(33, w=[1.0, 2.0]), {"example_weight_key": "w"},
         "example weight 'w' is float, 41 values in 40 examples"),
        (with_row(33, user=7), {}, "do not agree on the type of a feature"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["at the door", "in a worker"])
def test_what_is_wrong_is_one_error_and_no_table(
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    rows: list[dict[str, Any]],
    options: dict[str, Any],
    message: str,
    where: str,
):
    if where == "in a worker":
        # So few examples are looked at before the job that nothing is seen.
        monkeypatch.setattr(observe, "_PEEK", 5)
    job.add("train", [row | {"w": 1.0} for row in rows_of(40, 10)], is_member=True)
    job.add("eval", rows, is_member=False)

    with pytest.raises(InputError) as raised:
        job.run(ObserveOptions(**{"identity": CONTENT} | options))

    assert re.search(message, str(raised.value))
    place = f", records 0 to 39 of '{job.folder}/Split-eval/data-00000.gz'"
    assert str(raised.value).startswith(f"split 'eval'{place if where == 'in a worker' else ''}: ")
    assert "while running" not in str(raised.value)
    assert not job.table.exists() or os.listdir(job.table) == []


def test_what_the_target_finds_wrong_is_said_with_the_place(job: Job):
    job.add("train", rows_of(40, 10), is_member=True)
    job.add("eval", with_row(33, x=666.0), is_member=False)

    with pytest.raises(
        InputError,
        match=r"^split 'eval', records 0 to 39 of '.*\.gz': output 'outputs' has NaN in 1",
    ):
        job.run()

    assert os.listdir(job.table) == []


def test_a_truncated_file_is_an_error_that_names_it_also_in_a_worker(
    job: Job, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(observe, "_PEEK", 5)
    job.add("train", rows_of(0, 40), is_member=True)
    job.add("eval", rows_of(40, 40), is_member=False)
    path = job.folder / "Split-eval" / "data-00000.gz"
    path.write_bytes(path.read_bytes()[:-6])

    with pytest.raises(InputError, match=f"^cannot read '{path}' as a TFRecord file: after [0-9]+"):
        job.run()

    assert not job.table.exists() or os.listdir(job.table) == []


def test_an_empty_split_is_an_error_that_names_it(job: Job):
    job.add("train", rows_of(0, 5), is_member=True)
    job.add("eval", [], is_member=False, shards=2)

    with pytest.raises(InputError, match=r"^split 'eval' is empty: 2 files match"):
        job.run()


def test_the_same_files_on_both_sides_are_an_error(job: Job):
    job.add("train", rows_of(0, 5), is_member=True)
    job.splits.append(dataclasses.replace(job.splits[0], name="eval", is_member=False))

    with pytest.raises(InputError, match="members and non-members are the same file"):
        job.run()


def test_a_slice_feature_that_no_example_has_is_an_error_that_lists_those_there_are(job: Job):
    job.add("train", rows_of(0, 5), is_member=True)
    job.add("eval", rows_of(5, 5), is_member=False)

    with pytest.raises(
        InputError,
        match=r"slice feature 'town' is in none of .* Features found: city, user, x, y$",
    ):
        job.run(ObserveOptions(CONTENT, slice_features=("city", "town")))


def test_a_failed_run_leaves_other_files_and_a_good_one_replaces_the_table(
    job: Job, monkeypatch: pytest.MonkeyPatch
):
    job.add("train", rows_of(0, 5), is_member=True)
    job.add("eval", rows_of(5, 5), is_member=False)
    first, _ = job.run()
    (job.table / "notes.txt").write_text("mine")

    second, rows = job.run()

    assert len(rows) == 10
    assert {file.name for file in first.files}.isdisjoint(file.name for file in second.files)
    assert set(os.listdir(job.table)) == {
        "notes.txt", "table.json", *(file.name for file in second.files)
    }  # fmt: skip

    monkeypatch.setattr(FakeTarget, "run", lambda self, records: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        job.run()
    assert os.listdir(job.table) == ["notes.txt"]


def test_a_table_in_an_unwritable_place_is_an_error_that_names_it(job: Job):
    job.add("train", rows_of(0, 5), is_member=True)
    job.add("eval", rows_of(5, 5), is_member=False)
    (job.folder / "file").write_text("in the way")
    job.table = job.folder / "file" / "table"

    with pytest.raises(InputError, match=r"^cannot write '.*/file/table"):
        job.run()


def _export_model(folder: Path) -> None:
    module = tf.Module()
    module.kernel = tf.Variable([[1.0, 0.0, -1.0]])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        parsed = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return {"probabilities": tf.nn.softmax(parsed["x"] @ module.kernel)}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def test_a_real_model_in_worker_processes(job: Job, monkeypatch: pytest.MonkeyPatch):
    _export_model(job.folder / "model")
    job.add("train", rows_of(0, 20), is_member=True, shards=2)
    job.add("eval", rows_of(20, 20), is_member=False, shards=2)
    plan = plan_target(
        str(job.folder / "model"),
        config_pb2.ModelSpec(label_key="y"),
        8,
        examples.peek(job.splits[0], 10),
    )

    description, rows = job.run(
        plan=plan,
        beam_args=["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
    )

    assert FakeTarget.loads == 0
    assert (description.members, description.nonmembers) == (20, 20)
    assert description.output_kind == config_pb2.PROBABILITIES
    x = np.arange(40) / 64
    np.testing.assert_allclose(rows.logits, np.stack([x, 0 * x, -x], axis=1), atol=1e-6)
    assert rows.label.tolist() == [number % 3 for number in range(40)]
