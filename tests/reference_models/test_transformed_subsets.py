"""Subsets of what Transform makes: compared with tensorflow_transform's own job on the records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.reference_models.subset_records import RecordsSource
from tfx_privacy.reference_models.subsets import write_pair
from tfx_privacy.signals import identity, tfrecord
from tfx_privacy.signals.decode import decode
from tfx_privacy.signals.errors import InputError

RAW_SPEC = {
    "number": tf.io.FixedLenFeature([], tf.float32),
    "colour": tf.io.VarLenFeature(tf.string),
    "answer": tf.io.FixedLenFeature([], tf.string),
}
# The rare answer is in the pool once.
ROWS: list[dict[str, Any]] = [
    {
        "number": float(row),
        "colour": [b"red"] * (row % 3),
        "answer": b"rare" if row == 39 else b"yes" if row % 2 else b"no",
    }
    for row in range(40)
]
COMMON = ROWS[:-1]


def preprocessing_fn(inputs: Mapping[str, Any]) -> dict[str, Any]:
    import tensorflow_transform as tft

    return {
        "number_xf": tft.scale_to_0_1(inputs["number"]),
        # Sparse, with as many values as the record has.
        "colour_xf": tft.compute_and_apply_vocabulary(inputs["colour"]),
        "answer_xf": tft.compute_and_apply_vocabulary(inputs["answer"]),
    }


def serialize(row: Mapping[str, Any]) -> bytes:
    made = tf.train.Example()
    made.features.feature["number"].float_list.value.append(row["number"])
    made.features.feature["colour"].bytes_list.value.extend(row["colour"])
    made.features.feature["answer"].bytes_list.value.append(row["answer"])
    return made.SerializeToString()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> str:
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.beam.tft_beam_io import transform_fn_io
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

    folder = tmp_path_factory.mktemp("transform")
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(RAW_SPEC))
    with tft_beam.Context(temp_dir=str(folder / "temp")):
        transform_fn = (ROWS, metadata) | tft_beam.AnalyzeDataset(preprocessing_fn)
        transform_fn | transform_fn_io.WriteTransformFn(str(folder / "graph"))
    # As TFX's Transform does.
    metadata_io.write_metadata(metadata, str(folder / "graph" / "metadata"))
    return str(folder / "graph")


def settings(label_key: str) -> dict[str, Any]:
    return {
        "models": 2,
        "training_examples": references_pb2.TRANSFORMED_EXAMPLES,
        "model_spec": {"label_key": label_key},
    }


def test_subsets_hold_what_transform_makes_of_the_rows(run: Any, graph: str):
    records = [serialize(row) for row in ROWS]
    split = run.write_split("train-t", [records], suffix="")
    folder = run.folder / "pair"

    written = write_pair(
        beam.Pipeline,
        [split],
        run.resolved(**settings("answer_xf")),
        0,
        RecordsSource(graph),
        str(folder),
    )

    columns = decode(records, "records")
    is_inside = inside(identity.content_ids(columns.features, 40), 0, 2)
    # By hand: scaled to [0, 1]; ranks by frequency, "yes" and "no" apart by one.
    rank = {b"no": 0, b"yes": 1, b"rare": 2}
    for half in (0, 1):
        # Stock Transform packs what it writes.
        path = folder / f"half-{half}" / "data_tfrecord-00000-of-00001.gz"
        chosen = [row for row, is_in in zip(ROWS, is_inside[:, half], strict=True) if is_in]
        features = decode(list(tfrecord.read_records(str(path))), "half").features
        assert sorted(features) == ["answer_xf", "colour_xf", "number_xf"]
        np.testing.assert_allclose(
            np.concatenate(features["number_xf"].to_pylist()),
            [row["number"] / 39 for row in chosen],
            rtol=1e-6,
        )
        assert [value or [] for value in features["colour_xf"].to_pylist()] == [
            [0] * len(row["colour"]) for row in chosen
        ]
        assert features["answer_xf"].to_pylist() == [[rank[row["answer"]]] for row in chosen]
    assert written.classes.of["2"] == (1, *is_inside[39].astype(int))
    assert written.first.records == is_inside[:, 0].sum()


def test_the_same_data_make_the_same_bytes(run: Any, graph: str):
    split = run.write_split("train-t", [[serialize(row) for row in ROWS]])
    content = []
    for name in ("one", "two"):
        folder = run.folder / name
        config = run.resolved(**settings("answer_xf"))
        write_pair(beam.Pipeline, [split], config, 0, RecordsSource(graph), str(folder))
        content.append([path.read_bytes() for path in sorted(folder.rglob("*.gz"))])

    assert len(content[0]) == 2
    assert content[0] == content[1]


def pool_of(run: Any, rows: list[dict[str, Any]]) -> list[Any]:
    halves = (rows[::2], rows[1::2])
    return [
        run.write_split(f"{name}-t", [[serialize(row) for row in half]])
        for name, half in zip(("train", "eval"), halves, strict=True)
    ]


def test_models_are_trained_on_transformed_records(run: Any, graph: str):
    splits = pool_of(run, COMMON)

    description = run(
        splits=splits, pool=splits, transform_graph_dir=graph, config=settings("answer_xf")
    )

    # Ids are of the raw records.
    columns = decode([serialize(row) for row in COMMON], "rows")
    ids = identity.content_ids(columns.features, 39)
    assert description.models[0].trained_on.records == inside(ids, 0, 2)[:, 0].sum()
    assert Path(run.job(0).examples_dir).name == "examples"


def test_a_transformed_class_that_is_missing_is_an_error(run: Any, graph: str):
    splits = pool_of(run, ROWS)

    with pytest.raises(InputError, match=r"is of class 2 of the label 'answer_xf', of which .* 1:"):
        run(splits=splits, pool=splits, transform_graph_dir=graph, config=settings("answer_xf"))

    assert run.left_of_runs() == []


def test_rows_that_the_graph_does_not_take_are_an_error(run: Any, graph: str):
    with pytest.raises(
        InputError, match=r"split 'train', records 0 to 99 of .*: Transform's graph"
    ):
        run(transform_graph_dir=graph, config=settings("label"))
