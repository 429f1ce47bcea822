from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target import Target
from tfx_privacy.signals.target_plan import InputWay, TargetPlan, plan_target

Serialize = Callable[[Mapping[str, Any]], bytes]


def plan(directory: str, examples: Sequence[bytes], **fields: Any) -> TargetPlan:
    spec = config_pb2.ModelSpec(**{"label_key": "label", **fields})
    return plan_target(directory, spec, 8, examples)


def test_planning_is_light_to_import() -> None:
    code = (
        "import sys; import tfx_privacy.signals.target_plan; sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def museum(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One model with signatures of many kinds."""
    module = tf.Module()
    module.weights = tf.Variable([[1.0, 2.0, -1.0], [0.5, -0.25, 3.0]])

    def exhibit(*specs: tf.TensorSpec) -> Callable[[Callable[..., Any]], Any]:
        return tf.function(input_signature=list(specs), autograph=False)

    pair = tf.TensorSpec([None, 2], tf.float32, "pair")

    @exhibit(pair)
    def serving_default(pair: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"p": tf.nn.softmax(pair @ module.weights)}

    @exhibit(pair)
    def two_outputs(pair: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = pair @ module.weights
        return {"p": tf.nn.softmax(scores), "class": tf.argmax(scores, axis=1)}

    @exhibit(pair)
    def attention(pair: tf.Tensor) -> dict[str, tf.Tensor]:
        seen = tf.nn.softmax(pair[:, :, None] * pair[:, None, :]) @ pair[:, :, None]
        return {"scores": tf.squeeze(seen, 2) @ module.weights}

    @exhibit(pair)
    def a_position(pair: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"p": tf.nn.softmax(pair[:, :, None] * module.weights[None])}

    @exhibit(pair)
    def a_batch(pair: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"p": tf.nn.sigmoid(tf.reduce_mean(pair, keepdims=True)[:, 0])}

    @exhibit(pair)
    def two_softmaxes(pair: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"p": tf.reshape(tf.nn.softmax(pair[:, :, None] * module.weights[None]), [-1, 6])}

    @exhibit(pair)
    def sigmoids(pair: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"p": tf.nn.sigmoid(pair @ module.weights)}

    @exhibit(pair)
    def words(pair: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"p": tf.strings.as_string(pair)}

    @exhibit(
        tf.TensorSpec([None], tf.float32, "number_input"),
        tf.TensorSpec([None, 1], tf.int32, "count"),
        tf.TensorSpec([None, None], tf.int64, "many"),
        tf.TensorSpec([None], tf.string, "word"),
    )
    def mixed(
        number_input: tf.Tensor, count: tf.Tensor, many: tf.Tensor, word: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        columns = [number_input, count[:, 0], tf.reduce_sum(many, axis=1), tf.strings.length(word)]
        columns = [tf.cast(column, tf.float32) for column in columns]
        return {"p": tf.nn.softmax(tf.stack(columns, axis=1))}

    @exhibit(tf.TensorSpec([None], tf.string, "text"))
    def text(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"p": tf.nn.sigmoid(tf.cast(tf.strings.length(text), tf.float32))}

    @exhibit(tf.TensorSpec([None], tf.string, "examples"))
    def parsing(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"rare": tf.io.VarLenFeature(tf.float32)}
        rare = tf.io.parse_example(examples, spec)["rare"]
        return {"p": tf.nn.sigmoid(tf.sparse.reduce_sum(rare, axis=1))}

    @exhibit(tf.TensorSpec([None], tf.string, "examples"))
    def sequences(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        _, steps, _ = tf.io.parse_sequence_example(
            examples, sequence_features={"steps": tf.io.VarLenFeature(tf.float32)}
        )
        return {"p": tf.nn.sigmoid(tf.sparse.reduce_sum(steps["steps"], axis=[1, 2]))}

    @exhibit(tf.TensorSpec([None], tf.string, "examples"))
    def to_pair(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"raw": tf.io.FixedLenFeature([1], tf.float32)})
        return {"half": parsed["raw"] / 2, "sign": tf.cast(parsed["raw"] > 0, tf.int64)}

    @exhibit(tf.TensorSpec([None, 1], tf.float32, "half"), tf.TensorSpec([None], tf.float32, "raw"))
    def join(half: tf.Tensor, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"pair": tf.concat([half, raw[:, None]], axis=1)}

    # An attribute that is no signature.
    module.join = join
    signatures = [
        serving_default, two_outputs, attention, a_position, a_batch, two_softmaxes, sigmoids,
        words, mixed, text, parsing, sequences, to_pair,
    ]  # fmt: skip
    directory = str(tmp_path_factory.mktemp("museum") / "model")
    named = {each.python_function.__name__: each for each in signatures}
    tf.saved_model.save(module, directory, named)
    return directory


@pytest.fixture(scope="module")
def pairs(serialize: Serialize) -> list[bytes]:
    random = np.random.default_rng(0)
    return [
        serialize({"pair": [float(value) for value in random.normal(size=2)], "label": index % 3})
        for index in range(10)
    ]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no such signature": (
        {"signature_name": "serve"},
        r"has no signature 'serve'.*serving_default\(pair: float32 \[batch, 2\]\) -> p;",
    ),
    "several outputs": (
        {"signature_name": "two_outputs"},
        "has 2 outputs: set model_spec.output_name; its outputs are class, p",
    ),
    "no such output": (
        {"output_name": "q"},
        r"no output 'q' \(model_spec.output_name\): its outputs are p",
    ),
    "attention": (
        {"signature_name": "attention"},
        r"'scores' of signature 'attention'.*cannot be known.*first other operation is MatMul",
    ),
    "a position": ({"signature_name": "a_position"}, r"has the shape \[batch, 2, 3\]"),
    "a batch": ({"signature_name": "a_batch"}, r"the shape \[1\] for 8 examples: expected one row"),
    "two softmaxes in a row": (
        {"signature_name": "two_softmaxes"},
        "cannot be known.*not the Softmax over the columns of Softmax",
    ),
    "sigmoids": ({"signature_name": "sigmoids"}, "3 columns out of a Sigmoid"),
    "words": (
        {"signature_name": "words", "output_kind": config_pb2.LOGITS},
        "output 'p' of signature 'words'.* is object: expected floating-point",
    ),
    "class numbers": (
        {
            "signature_name": "two_outputs",
            "output_name": "class",
            "output_kind": config_pb2.PROBABILITIES,
        },
        "is int64: expected floating-point numbers for PROBABILITIES",
    ),
    "features lacking": (
        {"signature_name": "mixed"},
        r"wants count, many, number_input, word, which the examples lack: the examples have label, "
        r"pair\. Set model_spec.signature_name to a signature that takes serialised examples.*"
        r"preprocessing_function_names; .*parsing\(examples: string \[batch\]\)",
    ),
    "a text lacking": ({"signature_name": "text"}, r"wants text, which the examples lack"),
    "other examples parsed": (
        {"signature_name": "parsing"},
        "parses the features rare, of which the examples have none: they have label, pair",
    ),
    "no label": ({"label_key": ""}, "label_key is empty"),
    "label lacking": (
        {"label_key": "tips"},
        r"no label 'tips' \(model_spec.label_key\): the examples have label, pair",
    ),
    "vocabulary": ({"label_vocabulary": ["a", "b"]}, "has 2 names.*tells 3 classes"),
    "no such function": (
        {"preprocessing_function_names": ["tft_layer"]},
        "has 'tft_layer', but the model .* has no signature and no function of that name; its sign",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_the_door(museum: str, pairs: list[bytes], case: str) -> None:
    fields, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        plan(museum, pairs, **fields)


def test_no_model_and_no_examples(museum: str, pairs: list[bytes], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no SavedModel in '.*nothing'"):
        plan(str(tmp_path / "nothing"), pairs)
    with pytest.raises(InputError, match="no example to look at"):
        plan(museum, [])
    with pytest.raises(InputError, match="record 1 of the examples is not a serialised"):
        plan(museum, [pairs[0], b"garbage"])
    with pytest.raises(InputError, match="batch_size is 0"):
        plan_target(museum, config_pb2.ModelSpec(label_key="label"), 0, pairs)


def test_an_output_of_several_by_name(museum: str, pairs: list[bytes]) -> None:
    planned = plan(museum, pairs, signature_name="two_outputs", output_name="p")
    assert (planned.output_name, planned.output_width) == ("p", 3)


def test_what_the_configuration_adds(museum: str, pairs: list[bytes]) -> None:
    planned = plan(museum, pairs, signature_name="sigmoids", task=config_pb2.MULTILABEL)
    assert planned.task == config_pb2.MULTILABEL
    assert planned.reads_logits
    planned = plan(museum, pairs, signature_name="attention", output_kind=config_pb2.LOGITS)
    assert planned.task == config_pb2.MULTICLASS
    assert planned.logits_source == "output 'scores' of signature 'attention', as configured"


def test_features_are_parsed_as_the_inputs_want(museum: str, serialize: Serialize) -> None:
    # A name without Keras' suffix, [batch] and [batch, 1], integers cast, an open dimension.
    examples = [
        serialize({"number": 1.5, "count": 2, "many": [1, 2, 4], "word": b"four", "label": 0}),
        serialize({"number": -2.5, "count": 3, "many": [0, 0, 1], "word": b"", "label": 1}),
    ]
    planned = plan(museum, examples, signature_name="mixed")
    assert planned.input_way is InputWay.FEATURES
    np.testing.assert_array_equal(
        Target.load(planned).run(examples).logits, [[1.5, 2, 7, 4], [-2.5, 3, 1, 0]]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 2.0}, "input 'count' .* cannot take feature 'count', which holds floats"),
        ({"word": 7}, "input 'word' .* cannot take feature 'word', which holds int64s"),
        ({"count": [2, 3]}, "input 'count' .* wants 1 values an example, but .* has 2"),
    ],
)
def test_features_that_do_not_suit(
    museum: str, serialize: Serialize, change: dict[str, Any], message: str
) -> None:
    features = {"number": 1.5, "count": 2, "many": [1, 2], "word": b"four", "label": 0}
    with pytest.raises(InputError, match=message):
        plan(museum, [serialize({**features, **change})], signature_name="mixed")


def test_examples_that_differ(museum: str, serialize: Serialize) -> None:
    features = {"number": 1.5, "count": 2, "many": [1, 2], "word": b"four", "label": 0}
    first = serialize(features)
    with pytest.raises(InputError, match="'many' has 2, 3 values an example: expected one number"):
        plan(museum, [first, serialize({**features, "many": [1, 2, 3]})], signature_name="mixed")
    with pytest.raises(InputError, match="'count' holds float and int64 values in different"):
        plan(museum, [first, serialize({**features, "count": 2.0})], signature_name="mixed")


def test_a_text_is_a_feature_and_not_an_example(museum: str, serialize: Serialize) -> None:
    examples = [serialize({"text": b"abc", "label": 0})]
    planned = plan(museum, examples, signature_name="text")
    assert planned.input_way is InputWay.FEATURES
    np.testing.assert_array_equal(Target.load(planned).run(examples).logits, [[3]])


def test_sequence_examples_need_a_signature_that_parses_them(museum: str) -> None:
    example = tf.train.SequenceExample()
    example.context.feature["label"].int64_list.value.append(1)
    for value in (1.0, 2.5):
        step = example.feature_lists.feature_list["steps"].feature.add()
        step.float_list.value.append(value)
    examples = [example.SerializeToString()]
    planned = plan(museum, examples, signature_name="sequences")
    assert planned.input_way is InputWay.SERIALIZED_EXAMPLES
    np.testing.assert_array_equal(Target.load(planned).run(examples).logits, [[3.5]])
    with pytest.raises(
        InputError, match=r"are tf.SequenceExamples, and serving_default.*not parse"
    ):
        plan(museum, examples)


def test_preprocessing_functions_are_applied_in_order(museum: str, serialize: Serialize) -> None:
    examples = [serialize({"raw": value, "label": 1}) for value in (1.0, -3.0)]
    # A signature that parses, then an attribute on its output and a raw feature.
    planned = plan(museum, examples, preprocessing_function_names=["to_pair", "join"])
    assert planned.input_way is InputWay.PREPROCESSING_FUNCTIONS
    assert [feature.name for feature in planned.parsed_features] == ["raw"]
    expected = np.array([[0.5, 1.0], [-1.5, -3.0]]) @ [[1.0, 2.0, -1.0], [0.5, -0.25, 3.0]]
    output = Target.load(planned).run(examples)
    np.testing.assert_allclose(output.logits, expected, atol=1e-6)
    assert output.transformed_label is None


def test_a_label_that_the_preprocessing_functions_make(museum: str, serialize: Serialize) -> None:
    examples = [serialize({"raw": value}) for value in (1.0, -3.0, 2.0)]
    planned = plan(
        museum, examples, preprocessing_function_names=["to_pair", "join"], label_key="sign"
    )
    assert planned.label_is_transformed
    label = Target.load(planned).run(examples).transformed_label
    np.testing.assert_array_equal(label, [1, 0, 1])


def test_preprocessing_functions_that_do_not_suit(museum: str, serialize: Serialize) -> None:
    examples = [serialize({"raw": 1.0, "label": 1})]
    with pytest.raises(InputError, match=r"wants pair, .*functions make half, sign"):
        plan(museum, examples, preprocessing_function_names=["to_pair"])
    with pytest.raises(InputError, match=r"join\(half: .*wants 'half', which the examples lack"):
        plan(museum, examples, preprocessing_function_names=["join"])


def test_a_signature_that_parses_needs_no_preprocessing(museum: str, serialize: Serialize) -> None:
    # As in TFMA: the functions then serve the label alone.
    examples = [serialize({"rare": value, "raw": value, "label": 1}) for value in (1.0, -3.0)]
    fields = {"signature_name": "parsing", "preprocessing_function_names": ["to_pair"]}
    planned = plan(museum, examples, **fields)
    assert planned.input_way is InputWay.SERIALIZED_EXAMPLES
    assert planned.preprocessing_function_names == ()
    planned = plan(museum, examples, label_key="sign", **fields)
    assert planned.preprocessing_function_names == ("to_pair",)
    output = Target.load(planned).run(examples)
    np.testing.assert_array_equal(output.logits, [[1], [-3]])
    np.testing.assert_array_equal(output.transformed_label, [1, 0])
