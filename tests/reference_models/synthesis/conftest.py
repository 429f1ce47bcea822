"""Tables and data that several tests of synthesis use."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.reference_models.synthesis.features import (
    Binary,
    BoundedReal,
    Categorical,
    Feature,
    FeatureTable,
)


@pytest.fixture(scope="session")
def binary_table():
    """Makes a table of so many binary features."""
    return lambda width: FeatureTable((Feature("bits", Binary(), (width,)),))


@pytest.fixture(scope="session")
def mixed():
    """A table of each kind: columns member, colour, size, age."""
    return FeatureTable(
        (
            Feature("member", Binary(("no", "yes"))),
            Feature("colour", Categorical(("red", "green", "blue"))),
            Feature("size", BoundedReal(-1.0, 3.0)),
            Feature("age", Categorical(range(18, 58))),
        )
    )


@pytest.fixture(scope="session")
def location30(data_dir):
    """Records [5010, 446] of zeros and ones, and their classes, 0 to 29, in random order."""
    stored = np.load(data_dir / "location30.npz")
    width = int(stored["x_shape"][1])
    rows = np.unpackbits(stored["x_packed"], axis=1)[:, :width].astype(np.float64)
    labels = stored["y"].astype(np.int64) - int(stored["y"].min())
    order = np.random.default_rng(0).permutation(len(rows))
    return rows[order], labels[order]


LABELS = ("no", "yes", "maybe")

_SCHEMA = """
    feature { name: "bits" type: INT bool_domain {} shape { dim { size: 4 } } }
    feature {
      name: "colour" type: BYTES shape {}
      string_domain { value: "red" value: "green" value: "blue" }
    }
    feature { name: "size" type: FLOAT float_domain { min: -1 max: 3 } shape {} }
    feature { name: "age" type: INT int_domain { min: 18 max: 57 } shape {} }
    feature { name: "label" type: BYTES shape {} }
    feature { name: "key" type: BYTES shape {} }
    feature { name: "weight" type: FLOAT shape {} }
"""


@pytest.fixture(scope="session")
def schema():
    """Of examples with features bits (4), colour, size and age; label, key and weight."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    return text_format.Parse(_SCHEMA, schema_pb2.Schema())


@pytest.fixture(scope="session")
def config_of():
    """Makes a configuration of a synthetic pool from text, for examples of that schema."""
    from google.protobuf import text_format

    from tfx_privacy.proto import reference_models_pb2 as references_pb2

    def make(synthetic, **fields):
        config = text_format.Parse(
            f"synthetic {{ {synthetic} }}", references_pb2.ReferenceModelsConfig(seed=3, **fields)
        )
        config.model_spec.label_key = "label"
        config.model_spec.label_vocabulary.extend(LABELS)
        config.model_spec.example_weight_key = "weight"
        config.identity.key_feature = "key"
        return config

    return make


@pytest.fixture(scope="session")
def expected_logits():
    """[n, 3], what the models below are to answer to values, written once more in NumPy.

    The third class is never the likeliest where "colour" is not blue.
    """

    def logits(values):
        blue = np.array([word in ("blue", b"blue") for word in values["colour"].ravel()], float)
        first = 2.0 * values["bits"][:, 0] - values["bits"][:, 1]
        second = 0.5 * values["size"].ravel() + values["age"].ravel() / 40.0
        return np.stack([first, second, 4.0 * blue - 2.0], axis=1)

    return logits


def _parsed_logits(examples):
    import tensorflow as tf

    parsed = tf.io.parse_example(
        examples,
        {
            "bits": tf.io.FixedLenFeature([4], tf.int64),
            "colour": tf.io.FixedLenFeature([], tf.string),
            "size": tf.io.FixedLenFeature([], tf.float32),
            "age": tf.io.FixedLenFeature([], tf.int64),
        },
    )
    bits = tf.cast(parsed["bits"], tf.float32)
    blue = tf.cast(parsed["colour"] == "blue", tf.float32)
    first = 2.0 * bits[:, 0] - bits[:, 1]
    second = 0.5 * parsed["size"] + tf.cast(parsed["age"], tf.float32) / 40.0
    return tf.stack([first, second, 4.0 * blue - 2.0], axis=1)


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    """Folders of SavedModels that parse those examples: softmax, sigmoid, regression.

    The softmax has the three classes of `expected_logits`, the sigmoid the first of them alone;
    the regression answers with it as it is.
    """
    import tensorflow as tf

    answers = {
        "softmax": tf.nn.softmax,
        "sigmoid": lambda logits: tf.sigmoid(logits[:, :1]),
        "regression": lambda logits: logits[:, :1],
    }
    folders = {}
    for name, answer in answers.items():

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(examples, answer=answer):
            return {"output": answer(_parsed_logits(examples))}

        folders[name] = str(tmp_path_factory.mktemp(name))
        tf.saved_model.save(tf.Module(), folders[name], signatures={"serving_default": serve})
    return folders
