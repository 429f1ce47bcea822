"""Models that stand behind a real Transform, with vocabularies and a raw feature with gaps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.observed_model import ObservedModel
from tfx_privacy.signals.target import Target, TargetOutput
from tfx_privacy.signals.target_features import features_seen
from tfx_privacy.signals.target_plan import InputWay, TargetPlan, plan_target
from tfx_privacy.signals.target_transform_graph import ExampleState, TransformGraph

Serialize = Callable[[Mapping[str, Any]], bytes]

RAW_SPEC = {
    "number": tf.io.VarLenFeature(tf.float32),
    "colour": tf.io.FixedLenFeature([1], tf.string),
    "answer": tf.io.VarLenFeature(tf.string),
}
# 20 rows; every fifth has no number. "red" is the most frequent colour, "no" the answer.
RAW_ROWS: list[dict[str, Any]] = [
    {
        "number": [float(index)] if index % 5 else [],
        "colour": [b"red" if index % 3 else b"blue"],
        "answer": [b"yes" if index % 3 == 1 else b"no"],
    }
    for index in range(20)
]
# By hand: mean and deviation of 0 for a gap, else the index; vocabularies by frequency.
NUMBERS = np.array([index if index % 5 else 0 for index in range(20)], np.float64)
SCALED = (NUMBERS - NUMBERS.mean()) / NUMBERS.std()
COLOURS = np.array([0 if index % 3 else 1 for index in range(20)])
ANSWERS = np.array([1 if index % 3 == 1 else 0 for index in range(20)])


def preprocessing_fn(inputs: Mapping[str, Any]) -> dict[str, Any]:
    import tensorflow_transform as tft

    number = inputs["number"]
    filled = tf.sparse.to_dense(
        tf.SparseTensor(number.indices, number.values, [number.dense_shape[0], 1])
    )
    return {
        "number_xf": tft.scale_to_z_score(filled),
        "colour_xf": tft.compute_and_apply_vocabulary(inputs["colour"], num_oov_buckets=1),
        # Sparse, as the raw label is.
        "answer_xf": tft.compute_and_apply_vocabulary(inputs["answer"]),
    }


@dataclasses.dataclass(frozen=True)
class Transformed:
    """A Transform's output and a model behind it."""

    graph: str
    model: str
    logits: NDArray[np.float32]
    raw: Sequence[bytes]
    materialised: Sequence[bytes]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, serialize: Serialize) -> Transformed:
    folder = tmp_path_factory.mktemp("transform")
    graph = str(folder / "graph")
    run_transform(graph, str(folder / "temp"))
    weights = np.array([[1.0, -1.0, 0.5], [2.0, 0.0, 1.0]], np.float32)
    return Transformed(
        graph=graph,
        model=export_model(graph, weights, str(folder / "model")),
        logits=(np.stack([SCALED, COLOURS], axis=1) @ weights).astype(np.float32),
        raw=[serialize(row) for row in RAW_ROWS],
        materialised=[
            serialize(
                {"number_xf": float(number), "colour_xf": int(colour), "answer_xf": int(answer)}
            )
            for number, colour, answer in zip(SCALED, COLOURS, ANSWERS, strict=True)
        ],
    )


def run_transform(graph: str, temp: str) -> None:
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.beam.tft_beam_io import transform_fn_io
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

    schema = schema_utils.schema_from_feature_spec(RAW_SPEC)
    metadata = dataset_metadata.DatasetMetadata(schema)
    with tft_beam.Context(temp_dir=temp):
        transform_fn = (RAW_ROWS, metadata) | tft_beam.AnalyzeDataset(preprocessing_fn)
        transform_fn | transform_fn_io.WriteTransformFn(graph)
    # As TFX's Transform does.
    metadata_io.write_metadata(metadata, str(Path(graph) / "metadata"))


def export_model(graph: str, weights: NDArray[np.float32], directory: str) -> str:
    """A Keras 3 model with the signatures of TFX's templates, and two more."""
    import keras
    import tensorflow_transform as tft

    inputs = {
        "number_xf": keras.layers.Input((1,), name="number_xf"),
        "colour_xf": keras.layers.Input((1,), name="colour_xf", dtype="int64"),
    }
    number, colour = inputs["number_xf"], keras.ops.cast(inputs["colour_xf"], "float32")
    both = keras.layers.Concatenate()([number, colour])
    dense = keras.layers.Dense(3, activation="softmax", use_bias=False)
    model = keras.Model(inputs, dense(both))
    dense.set_weights([weights])
    output = tft.TFTransformOutput(graph)
    model.tft_layer = output.transform_features_layer()
    unlabelled = {name: spec for name, spec in RAW_SPEC.items() if name != "answer"}
    serialized = tf.TensorSpec([None], tf.string, "examples")

    @tf.function(input_signature=[serialized])
    def transform_features(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return model.tft_layer(tf.io.parse_example(examples, RAW_SPEC))

    @tf.function(input_signature=[serialized])
    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        transformed = model.tft_layer(tf.io.parse_example(examples, unlabelled))
        return {"outputs": model({name: transformed[name] for name in inputs})}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 1], tf.float32, "number_xf"),
            tf.TensorSpec([None, 1], tf.int64, "colour_xf"),
        ]
    )
    def on_transformed(number_xf: tf.Tensor, colour_xf: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": model({"number_xf": number_xf, "colour_xf": colour_xf})}

    signatures = {
        "transform_features": transform_features,
        "serving_default": serve,
        "on_transformed": on_transformed,
    }
    tf.saved_model.save(model, directory, signatures)
    return directory


def planned(
    behind: Transformed, examples: Sequence[bytes], graph: str | None = None, **fields: Any
) -> TargetPlan:
    spec = config_pb2.ModelSpec(**{"label_key": "answer", **fields})
    return plan_target(behind.model, spec, 8, examples[:10], graph)


def run(plan: TargetPlan, examples: Sequence[bytes]) -> TargetOutput:
    return Target.load(plan).run(examples)


def test_the_templates_own_signature(behind: Transformed) -> None:
    plan = planned(behind, behind.raw, behind.graph)
    assert plan.input_way is InputWay.SERIALIZED_EXAMPLES
    assert plan.transform_graph_dir is None
    assert not plan.label_is_transformed
    output = run(plan, behind.raw)
    np.testing.assert_allclose(output.logits, behind.logits, atol=1e-6)
    assert output.transformed_label is None


@pytest.mark.parametrize(
    ("graph", "functions"),
    [(True, []), (False, ["transform_features"]), (True, ["transform_features"])],
)
def test_a_transformed_label_beside_the_templates_own_signature(
    behind: Transformed, graph: bool, functions: list[str]
) -> None:
    plan = planned(
        behind,
        behind.raw,
        behind.graph if graph else None,
        label_key="answer_xf",
        preprocessing_function_names=functions,
    )
    assert plan.input_way is InputWay.SERIALIZED_EXAMPLES
    assert plan.label_is_transformed
    assert plan.preprocessing_function_names == tuple(functions)
    assert plan.transform_graph_dir == (None if functions else behind.graph)
    output = run(plan, behind.raw)
    np.testing.assert_allclose(output.logits, behind.logits, atol=1e-6)
    np.testing.assert_array_equal(output.transformed_label, ANSWERS)


@pytest.mark.parametrize("function", ["transform_features", "tft_layer"])
def test_the_models_own_functions(behind: Transformed, function: str) -> None:
    plan = planned(
        behind,
        behind.raw,
        signature_name="on_transformed",
        preprocessing_function_names=[function],
    )
    assert plan.input_way is InputWay.PREPROCESSING_FUNCTIONS
    np.testing.assert_allclose(run(plan, behind.raw).logits, behind.logits, atol=1e-6)


@pytest.mark.parametrize("label", ["answer", "answer_xf"])
def test_transforms_graph_on_raw_examples(behind: Transformed, label: str) -> None:
    plan = planned(
        behind, behind.raw, behind.graph, signature_name="on_transformed", label_key=label
    )
    assert plan.input_way is InputWay.TRANSFORM_GRAPH
    output = run(plan, behind.raw)
    np.testing.assert_allclose(output.logits, behind.logits, atol=1e-6)
    if label == "answer":
        assert output.transformed_label is None
    else:
        np.testing.assert_array_equal(output.transformed_label, ANSWERS)


# How the model is called, on which examples, and which way they go.
WAYS: dict[str, tuple[str, bool, dict[str, Any], InputWay]] = {
    "templates": ("raw", True, {"label_key": "answer_xf"}, InputWay.SERIALIZED_EXAMPLES),
    "functions": (
        "raw",
        False,
        {
            "label_key": "answer_xf",
            "signature_name": "on_transformed",
            "preprocessing_function_names": ["transform_features"],
        },
        InputWay.PREPROCESSING_FUNCTIONS,
    ),
    "a layer": (
        "raw",
        False,
        {"signature_name": "on_transformed", "preprocessing_function_names": ["tft_layer"]},
        InputWay.PREPROCESSING_FUNCTIONS,
    ),
    "graph": ("raw", True, {"signature_name": "on_transformed"}, InputWay.TRANSFORM_GRAPH),
    "graph for the label": (
        "raw",
        True,
        {"signature_name": "on_transformed", "label_key": "answer_xf"},
        InputWay.TRANSFORM_GRAPH,
    ),
    "materialised": (
        "materialised",
        True,
        {"signature_name": "on_transformed", "label_key": "answer_xf"},
        InputWay.FEATURES,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_gradients_on_every_way(behind: Transformed, way: str) -> None:
    """By hand: of softmax(x W) the gradient is x^T (p - y), of norm |x| |p - y|."""
    kind, with_graph, fields, expected_way = WAYS[way]
    examples = getattr(behind, kind)
    plan = plan_target(
        behind.model,
        config_pb2.ModelSpec(**{"label_key": "answer", **fields}),
        8,
        examples[:10],
        behind.graph if with_graph else None,
        config_pb2.WhiteBoxSpec(
            sketch_rows=2, sketch_columns=2, activation_width=4, activations={"indices": [0]}
        ),
    )
    assert plan.input_way is expected_way
    model = ObservedModel.load(plan)
    label = ANSWERS
    if plan.label_is_transformed:
        label = np.ravel(model.run(examples).transformed_label)
    inside = model.look_inside(examples, label)

    ((layer, norms),) = inside.gradient_norms.items()
    x = np.stack([SCALED, COLOURS], axis=1)
    p = np.exp(behind.logits.astype(float))
    p /= p.sum(axis=1, keepdims=True)
    error = np.linalg.norm(p - np.eye(3)[ANSWERS], axis=1)
    np.testing.assert_allclose(norms, np.linalg.norm(x, axis=1) * error, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(inside.activations[layer], behind.logits, rtol=1e-5, atol=1e-6)
    assert inside.gradient_sketches[layer].shape == (20, 4)


@pytest.mark.parametrize("with_graph", [True, False])
def test_materialised_examples(behind: Transformed, with_graph: bool) -> None:
    plan = planned(
        behind,
        behind.materialised,
        behind.graph if with_graph else None,
        signature_name="on_transformed",
        label_key="answer_xf",
    )
    assert plan.input_way is InputWay.FEATURES
    assert plan.transform_graph_dir is None
    # It lies in the examples themselves.
    assert not plan.label_is_transformed
    np.testing.assert_allclose(run(plan, behind.materialised).logits, behind.logits, atol=1e-6)


def test_materialised_examples_into_a_signature_on_raw_ones(behind: Transformed) -> None:
    with pytest.raises(
        InputError, match=r"parses the features colour, number, of which the examples have none"
    ):
        planned(behind, behind.materialised, behind.graph, label_key="answer_xf")


def test_raw_examples_into_a_signature_on_transformed_ones(behind: Transformed) -> None:
    with pytest.raises(
        InputError,
        match=r"wants colour_xf, number_xf, which the examples lack: the examples have answer, "
        r"colour, number\. Set model_spec.signature_name to a signature that takes serialised "
        r"examples.*serving_default\(examples: string \[batch\]\) -> outputs",
    ):
        planned(behind, behind.raw, signature_name="on_transformed")


def test_a_label_that_is_nowhere(behind: Transformed) -> None:
    with pytest.raises(
        InputError,
        match=r"no label 'tips' .*: the examples have answer, colour, number; Transform's graph "
        "makes answer_xf, colour_xf, number_xf",
    ):
        planned(behind, behind.raw, behind.graph, label_key="tips")


def test_a_label_that_the_sample_lacks_may_be_in_other_raw_examples(
    behind: Transformed, serialize: Serialize
) -> None:
    unlabelled = [serialize({"number": 1.0, "colour": b"red"})]
    assert not planned(behind, unlabelled, behind.graph).label_is_transformed
    with pytest.raises(InputError, match="no label 'answer'"):
        planned(behind, unlabelled)


def test_a_row_without_a_transformed_label_is_noticed(
    behind: Transformed, serialize: Serialize
) -> None:
    plan = planned(behind, behind.raw, behind.graph, label_key="answer_xf")
    unlabelled = serialize({"number": 1.0, "colour": b"red"})
    with pytest.raises(InputError, match="label 'answer_xf' has from 0 to 1 values an example"):
        run(plan, [*behind.raw[:3], unlabelled])
    with pytest.raises(InputError, match="label 'answer_xf' has no value"):
        run(plan, [unlabelled])


def test_no_transform_graph_there(behind: Transformed, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no Transform graph in .*nothing.*metadata"):
        planned(behind, behind.raw, str(tmp_path / "nothing"), signature_name="on_transformed")


FLOAT = tf.io.FixedLenFeature([1], tf.float32)
INTEGER = tf.io.FixedLenFeature([1], tf.int64)
ANY = tf.io.VarLenFeature(tf.float32)
# Raw and transformed specification, and what examples with "a" (and "b") of floats are.
TOLD = {
    "names": ({"a": FLOAT}, {"a_xf": FLOAT}, ["a"], ExampleState.RAW),
    "kinds": ({"a": INTEGER}, {"a": FLOAT}, ["a"], ExampleState.TRANSFORMED),
    "what must be there": ({"a": FLOAT}, {"a": FLOAT, "b": FLOAT}, ["a"], ExampleState.RAW),
    "what is known": ({"a": FLOAT}, {"a": FLOAT, "b": FLOAT}, ["a", "b"], ExampleState.TRANSFORMED),
    "what is over": ({"a": FLOAT, "b": ANY}, {"a": FLOAT}, ["a"], ExampleState.TRANSFORMED),
    "a sparse pair": (
        {"s": tf.io.SparseFeature("i", "v", tf.float32, 9)},
        {"s": ANY},
        ["v"],
        ExampleState.RAW,
    ),
    "both": ({"a": FLOAT}, {"a": FLOAT}, ["a"], "are both what the Transform graph 'graph' takes"),
    "neither": ({"a": FLOAT}, {"b": FLOAT}, ["c"], "are neither what .* nor what it gives"),
}


@pytest.mark.parametrize("case", TOLD)
def test_raw_is_told_from_transformed(case: str, serialize: Serialize) -> None:
    raw, transformed, names, expected = TOLD[case]
    graph = TransformGraph.__new__(TransformGraph)
    graph.directory, graph.raw_spec, graph.transformed_spec = "graph", raw, transformed
    features = features_seen([serialize(dict.fromkeys(names, 1.0))])
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            graph.tell(features)
    else:
        assert graph.tell(features) is expected
