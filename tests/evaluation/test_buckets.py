"""What is measured does not depend on how the rows lie in files and buckets."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest

from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals import table_writer
from tfx_privacy.signals.files import read_bytes
from tfx_privacy.signals.table_reader import read_description

_ROWS = 2_000
# Below the third that is FIT, so that the cut of the sample counts too.
_FIT_ROWS = 400
_CONFIG = config_pb2.PrivacyConfig(
    attacks=["loss_threshold", "logistic_regression"],
    slicing_specs=[{"feature_keys": ["group"]}, {"feature_keys": ["label"]}],
    sample_sizes={"fit_rows_per_side": _FIT_ROWS},
)


def _save(folder: Path, order: np.ndarray) -> Path:
    """Members and non-members of equal columns, their rows in the given order."""
    folder.mkdir()
    for name, leak, first in (("members", 1.0, 0), ("nonmembers", 0.0, _ROWS)):
        rng = np.random.default_rng(first)
        label = rng.integers(0, 4, _ROWS)
        logits = rng.normal(size=(_ROWS, 4)).astype(np.float32)
        logits[np.arange(_ROWS), label] += leak
        columns = {
            "id": first + np.arange(_ROWS),
            "label": label,
            "logits": logits,
            "group": np.where(rng.random(_ROWS) < 0.3, "few", "many"),
            "person": (first + np.arange(_ROWS)) // 4,
        }
        columns = {key: values[order] for key, values in columns.items()}
        np.savez(folder / f"{name}.npz", **columns)
    return folder


def _measured(
    inputs: Path, output: Path, config: config_pb2.PrivacyConfig = _CONFIG
) -> results_pb2.PrivacyResults:
    with whole_output(str(output)) as outputs:
        measure(
            str(inputs / "members.npz"),
            str(inputs / "nonmembers.npz"),
            config,
            outputs,
            beam.Pipeline,
        )
    results = read_metrics(str(output)).results
    results.ClearField("stages")
    results.model.ClearField("uri")
    return results


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, results_pb2.PrivacyResults]:
    """The directory and the results of a run with one bucket."""
    folder = tmp_path_factory.mktemp("one")
    inputs = _save(folder / "inputs", np.arange(_ROWS))
    results = _measured(inputs, folder / "metrics")
    assert read_description(str(folder / "metrics" / "signals")).buckets == 1
    assert {slice_result.key[0].feature for slice_result in results.slices} == {"group", "label"}
    assert results.records.fit.members == _FIT_ROWS < _ROWS / 3
    return folder, results


def _assert_same_evidence(first: Path, second: Path) -> None:
    for name in ("evidence/edges.parquet", "evidence/counts.parquet", "evidence/slices.parquet"):
        assert read_bytes(str(first / name)) == read_bytes(str(second / name)), name
    tables = [
        pq.read_table(directory / "record_risk").to_pandas().sort_values("id", ignore_index=True)
        for directory in (first, second)
    ]
    assert len(tables[0]) == 2 * _ROWS
    for column in ("id", "member", "part"):
        assert tables[0][column].equals(tables[1][column])
    for column in ("score:loss_threshold", "score:logistic_regression"):
        np.testing.assert_allclose(tables[0][column], tables[1][column], rtol=1e-9, atol=1e-12)


def test_five_buckets_give_what_one_gives(
    expected: tuple[Path, results_pb2.PrivacyResults],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, results = expected
    monkeypatch.setattr(table_writer, "buckets_for", lambda rows: 5)

    found = _measured(folder / "inputs", tmp_path)

    assert read_description(str(tmp_path / "signals")).buckets == 5
    assert len(list((tmp_path / "record_risk").iterdir())) == 5
    assert found == results
    _assert_same_evidence(folder / "metrics", tmp_path)


@pytest.mark.parametrize("buckets", [1, 5])
def test_the_order_of_rows_with_ids_means_nothing(
    expected: tuple[Path, results_pb2.PrivacyResults],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    buckets: int,
) -> None:
    folder, results = expected
    monkeypatch.setattr(table_writer, "buckets_for", lambda rows: buckets)
    inputs = _save(tmp_path / "inputs", np.random.default_rng(9).permutation(_ROWS))

    found = _measured(inputs, tmp_path / "metrics")

    assert found == results
    _assert_same_evidence(folder / "metrics", tmp_path / "metrics")


@pytest.mark.parametrize("buckets", [1, 5])
def test_one_row_of_each_person_is_used(
    expected: tuple[Path, results_pb2.PrivacyResults],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    buckets: int,
) -> None:
    folder, _ = expected
    monkeypatch.setattr(table_writer, "buckets_for", lambda rows: buckets)
    config = config_pb2.PrivacyConfig()
    config.CopyFrom(_CONFIG)
    config.identity.unit_feature = "person"
    config.sample_sizes.fit_rows_per_side = 100

    records = _measured(folder / "inputs", tmp_path, config).records

    # Four rows a person, so a quarter of the rows is used and a twelfth (167) is FIT.
    for side in ("members", "nonmembers"):
        used = (records.fit, records.fit_beyond_sample, records.judge)
        assert sum(getattr(part, side) for part in used) == _ROWS // 4
        assert getattr(records.same_unit, side) == _ROWS - _ROWS // 4
        assert getattr(records.fit, side) == 100
        assert getattr(records.duplicate, side) == 0
    risk = pq.read_table(tmp_path / "record_risk").to_pandas()
    assert len(risk) == 2 * _ROWS // 4
    beyond = records.fit_beyond_sample
    in_fit = 200 + beyond.members + beyond.nonmembers
    assert (risk["part"] == "FIT").sum() == in_fit


def test_rows_of_a_record_risk_file_are_sorted_by_id_in_each_part(
    expected: tuple[Path, results_pb2.PrivacyResults],
) -> None:
    # All rows of a small table are one batch.
    risk = pq.read_table(expected[0] / "metrics" / "record_risk").to_pandas()
    for part in ("FIT", "JUDGE"):
        assert risk[risk["part"] == part]["id"].is_monotonic_increasing


def test_rows_that_occur_twice_are_left_out_in_every_bucket(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    from tfx_privacy.evaluation.evaluate import TargetInputs, evaluate
    from tfx_privacy.signals.examples import ExampleSplit

    rows = [row.numpy() for row in tf.data.TFRecordDataset(str(target / "train.tfrecord"))][:300]
    # 20 rows on both sides, 10 twice among members; 120 members and 150 non-members once.
    split_rows = {"train": [*rows[:150], *rows[20:30]], "eval": [*rows[150:], *rows[:20]]}
    for name, records_of_split in split_rows.items():
        with tf.io.TFRecordWriter(str(tmp_path / name)) as writer:
            for record in records_of_split:
                writer.write(record)
    splits = [
        ExampleSplit("train", True, (str(tmp_path / "train"),)),
        ExampleSplit("eval", False, (str(tmp_path / "eval"),)),
    ]
    config = config_pb2.PrivacyConfig(model_spec={"label_key": "label"}, attacks=["loss_threshold"])
    config.sample_sizes.fit_rows_per_side = 20
    records = []
    for buckets in (1, 5):
        monkeypatch.setattr(table_writer, "buckets_for", lambda rows, buckets=buckets: buckets)
        with whole_output(str(tmp_path / str(buckets))) as outputs:
            inputs = TargetInputs("model", str(target / "model"))
            content = evaluate(inputs, splits, config, outputs, beam.Pipeline)
        assert read_description(str(tmp_path / str(buckets) / "signals")).buckets == buckets
        records.append(content.results.records)

    assert records[0] == records[1]
    assert records[0].duplicate == results_pb2.SideCounts(members=20 + 20, nonmembers=20)
    assert records[0].on_both_sides == results_pb2.SideCounts(members=20, nonmembers=20)
    assert records[0].read == results_pb2.SideCounts(members=160, nonmembers=170)
    assert records[0].fit == results_pb2.SideCounts(members=20, nonmembers=20)
    assert records[0].duplicates_checked
    for side, used in (("members", 120), ("nonmembers", 150)):
        parts = (records[0].fit, records[0].fit_beyond_sample, records[0].judge)
        assert sum(getattr(part, side) for part in parts) == used
