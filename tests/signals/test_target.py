from __future__ import annotations

import concurrent.futures
import dataclasses
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target import Target
from tfx_privacy.signals.target_plan import InputWay, TargetPlan, plan_target

Rows = NDArray[np.float32]
SPEC = config_pb2.ModelSpec(label_key="label")
PARSING = ("keras3_save_parsing", "tf_keras_save_parsing", "module_parsing")
ON_FEATURES = ("keras3_export", "tf_keras_save", "module_features")


@pytest.mark.parametrize("width", [1, 10])
@pytest.mark.parametrize("how", PARSING + ON_FEATURES)
def test_logits_are_the_models_own(
    exporter: Any, how: str, width: int, rows: Rows, examples: Sequence[bytes]
) -> None:
    model = exporter.export(how, width)
    plan = plan_target(model.directory, SPEC, 32, examples[:10])
    assert plan.task == (config_pb2.BINARY if width == 1 else config_pb2.MULTICLASS)
    assert plan.output_kind == config_pb2.PROBABILITIES
    assert plan.output_width == width
    assert plan.input_way is (InputWay.SERIALIZED_EXAMPLES if how in PARSING else InputWay.FEATURES)
    activation = "Sigmoid" if width == 1 else "Softmax"
    assert plan.logits_source.startswith(f"the input of {activation} '")
    assert plan.logits_source.endswith("in signature 'serving_default'")
    output = Target.load(plan).run(examples)
    assert output.logits.dtype == np.float32
    assert output.logits.shape == (70, width)
    assert output.transformed_label is None
    np.testing.assert_allclose(output.logits, model.logits(rows), atol=1e-6)


@pytest.fixture(scope="module")
def plan(exporter: Any, examples: Sequence[bytes]) -> TargetPlan:
    return plan_target(
        exporter.export("keras3_save_parsing", 10).directory, SPEC, 32, examples[:10]
    )


@pytest.fixture(scope="module")
def target(plan: TargetPlan) -> Target:
    return Target.load(plan)


def test_a_rows_answer_is_the_same_to_the_bit_whatever_stands_beside_it(
    target: Target, examples: Sequence[bytes]
) -> None:
    together = target.run(examples).logits
    alone = np.concatenate([target.run([example]).logits for example in examples[:20]])
    np.testing.assert_array_equal(alone, together[:20])
    order = np.random.default_rng(1).permutation(len(examples))
    np.testing.assert_array_equal(target.run([examples[i] for i in order]).logits, together[order])
    for n in (1, 31, 32, 33, 64, 65):
        np.testing.assert_array_equal(target.run(examples[:n]).logits, together[:n])


def test_a_plan_travels_to_workers(plan: TargetPlan, target: Target, examples: list[bytes]) -> None:
    there = pickle.loads(pickle.dumps(plan))
    assert there == plan
    np.testing.assert_array_equal(
        Target.load(there).run(examples).logits, target.run(examples).logits
    )


def test_several_threads_may_run_it(target: Target, examples: Sequence[bytes]) -> None:
    expected = target.run(examples).logits
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for output in pool.map(lambda _: target.run(examples), range(40)):
            np.testing.assert_array_equal(output.logits, expected)


def test_it_is_traced_once(exporter: Any, examples: Sequence[bytes]) -> None:
    directory = exporter.export("module_features", 10).directory
    target = Target.load(plan_target(directory, SPEC, 16, examples[:3]))
    target.run(examples)
    before = _functions_in_context()
    for n in (1, 5, 16, 17, 70):
        target.run(examples[:n])
    assert _functions_in_context() == before


def _functions_in_context() -> int:
    from tensorflow.python.eager import context

    return len(context.context().list_function_names())


def test_no_examples_is_misuse(target: Target) -> None:
    with pytest.raises(ValueError, match="no examples"):
        target.run([])


def test_an_example_without_a_feature_names_it(
    target: Target, examples: Sequence[bytes], serialize: Callable[[Mapping[str, Any]], bytes]
) -> None:
    short = serialize({"age": 1.0, "height": 2.0, "label": 1})
    with pytest.raises(
        InputError,
        match=r"signature 'serving_default' of the model.*32 examples: .*Feature: weight",
    ):
        target.run([*examples[:5], short])


def save(folder: Path, scores: Callable[[tf.Tensor], tf.Tensor], **specs: tf.TensorSpec) -> str:
    """A module whose one output is a function of its inputs, by default `x` of [batch, 2]."""
    module = tf.Module()
    specs = specs or {"x": tf.TensorSpec([None, 2], tf.float32)}
    named = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()]
    module.serve = tf.function(lambda *inputs: {"scores": scores(*inputs)}, input_signature=named)
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})
    return str(folder)


@pytest.fixture(scope="module")
def pairs() -> Rows:
    return np.random.default_rng(2).normal(size=(20, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def pair_examples(pairs: Rows, serialize: Callable[[Mapping[str, Any]], bytes]) -> Sequence[bytes]:
    return [serialize({"x": [float(value) for value in pair], "label": 0}) for pair in pairs]


def logits_of(directory: str, examples: Sequence[bytes], **fields: Any) -> NDArray[np.float32]:
    spec = config_pb2.ModelSpec(label_key="label", **fields)
    return Target.load(plan_target(directory, spec, 8, examples)).run(examples).logits


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_other_floating_types_are_cast(
    tmp_path: Path, dtype: tf.DType, pairs: Rows, pair_examples: Sequence[bytes]
) -> None:
    directory = save(tmp_path / "m", lambda x: tf.nn.softmax(tf.cast(x, dtype)))
    expected = np.asarray(tf.cast(tf.cast(pairs, dtype), tf.float32))
    np.testing.assert_array_equal(logits_of(directory, pair_examples), expected)


def test_logits_and_predictions_as_configured(
    tmp_path: Path, pairs: Rows, pair_examples: Sequence[bytes]
) -> None:
    directory = save(tmp_path / "m", lambda x: x * 2)
    for kind in (config_pb2.LOGITS, config_pb2.REGRESSION_VALUE):
        np.testing.assert_array_equal(
            logits_of(directory, pair_examples, output_kind=kind), pairs * 2
        )


def test_a_rate_is_read_behind_its_sigmoid(
    tmp_path: Path, pairs: Rows, pair_examples: Sequence[bytes]
) -> None:
    directory = save(tmp_path / "m", lambda x: tf.nn.sigmoid(x[:, 0]))
    np.testing.assert_allclose(
        logits_of(directory, pair_examples, task=config_pb2.REGRESSION),
        1 / (1 + np.exp(-pairs[:, :1])),
        atol=1e-6,
    )


def test_probabilities_as_configured_become_logits(
    tmp_path: Path, pairs: Rows, pair_examples: Sequence[bytes]
) -> None:
    # exp / sum, as a decomposed softmax: no Softmax to be found.
    directory = save(
        tmp_path / "m", lambda x: tf.exp(x) / tf.reduce_sum(tf.exp(x), axis=1, keepdims=True)
    )
    logits = logits_of(directory, pair_examples, output_kind=config_pb2.PROBABILITIES)
    differences = pairs[:, 1] - pairs[:, 0]
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], differences, atol=1e-5)


def test_a_model_that_cannot_be_frozen_still_answers_as_configured(
    tmp_path: Path, pairs: Rows, pair_examples: Sequence[bytes]
) -> None:
    module = tf.Module()
    module.calls = tf.Variable(0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        module.calls.assign_add(1)
        return {"scores": tf.nn.softmax(x)}

    module.serve = serve
    directory = str(tmp_path / "m")
    tf.saved_model.save(module, directory, {"serving_default": serve})
    with pytest.raises(InputError, match=r"cannot be known.*it cannot be searched"):
        logits_of(directory, pair_examples)
    logits = logits_of(directory, pair_examples, output_kind=config_pb2.PROBABILITIES)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], pairs[:, 1] - pairs[:, 0], atol=1e-5)


def test_logits_that_are_not_finite_are_counted(
    tmp_path: Path, pair_examples: Sequence[bytes], serialize: Callable[[Mapping[str, Any]], bytes]
) -> None:
    directory = save(tmp_path / "m", lambda x: tf.nn.softmax(1 / x))
    target = Target.load(plan_target(directory, SPEC, 8, pair_examples))
    zero = serialize({"x": [0.0, 1.0], "label": 0})
    with pytest.raises(
        InputError, match=r"2 of 12 examples have NaN or infinity in the logits of signature 'serv"
    ):
        target.run([*pair_examples[:10], zero, zero])
    with pytest.raises(InputError, match="1 of 1 examples"):
        plan_target(directory, SPEC, 8, [zero])


def test_probabilities_that_are_none_are_refused_while_running(
    tmp_path: Path, pair_examples: Sequence[bytes], serialize: Callable[[Mapping[str, Any]], bytes]
) -> None:
    directory = save(tmp_path / "m", lambda x: x)
    spec = config_pb2.ModelSpec(label_key="label", output_kind=config_pb2.PROBABILITIES)
    good = serialize({"x": [0.25, 0.75], "label": 0})
    target = Target.load(plan_target(directory, spec, 8, [good]))
    with pytest.raises(InputError, match=r"output 'scores' of signature.*but holds "):
        target.run([good, *pair_examples])


def test_a_fixed_batch_of_the_signature_is_kept(
    tmp_path: Path, pairs: Rows, pair_examples: Sequence[bytes]
) -> None:
    fixed = tf.TensorSpec([4, 2], tf.float32)
    directory = save(tmp_path / "m", tf.nn.softmax, x=fixed)
    plan = plan_target(directory, SPEC, 512, pair_examples)
    assert plan.batch_size == 4
    np.testing.assert_array_equal(Target.load(plan).run(pair_examples).logits, pairs)


def test_another_model_in_the_same_place_is_noticed(
    tmp_path: Path, pair_examples: Sequence[bytes]
) -> None:
    directory = save(tmp_path / "m", tf.nn.softmax)
    plan = dataclasses.replace(plan_target(directory, SPEC, 8, pair_examples), output_width=3)
    with pytest.raises(InputError, match=r"shape \[8, 2\] for 8 examples: expected 3 columns"):
        Target.load(plan).run(pair_examples)


def test_loading_leaves_keras_as_it_is(exporter: Any, examples: Sequence[bytes]) -> None:
    import os

    before = os.environ.get("TF_USE_LEGACY_KERAS")
    model = exporter.export("tf_keras_save", 10)
    Target.load(plan_target(model.directory, SPEC, 8, examples[:3]))
    assert os.environ.get("TF_USE_LEGACY_KERAS") == before
    assert tf.keras.__version__.startswith("3.")
