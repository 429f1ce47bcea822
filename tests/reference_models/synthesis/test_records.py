from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.synthesis.records import RecordFormat
from tfx_privacy.signals.errors import InputError


@pytest.fixture
def record_format(schema, config_of):
    return RecordFormat.of_schema(schema, config_of("model_based {}"))


def parsed(record):
    """Lists by feature, read by TensorFlow's own class."""
    from tensorflow.core.example import example_pb2

    found = {}
    for name, feature in example_pb2.Example.FromString(record).features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = (kind, list(getattr(feature, kind).value))
    return found


def example(**features):
    from tensorflow.core.example import example_pb2

    made = example_pb2.Example()
    for name, values in features.items():
        feature = made.features.feature[name]
        if isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return made.SerializeToString()


GOOD = {"bits": [0, 1, 1, 0], "colour": [b"green"], "size": [0.5], "age": [20]}


def test_a_row_becomes_an_example_by_the_schemas_types(record_format):
    rows = np.array([[0, 1, 1, 0, 2, 0.5, 2], [1, 0, 0, 0, 0, -1.0, 39]], float)
    first, second = record_format.encode(rows, np.array([1, 2]), first=6)
    assert parsed(first) == {
        "bits": ("int64_list", [0, 1, 1, 0]),
        "colour": ("bytes_list", [b"blue"]),
        "size": ("float_list", [0.5]),
        "age": ("int64_list", [20]),
        "label": ("bytes_list", [b"yes"]),
        "key": ("bytes_list", [b"synthetic-6"]),
        "weight": ("float_list", [1.0]),
    }
    assert parsed(second)["age"] == ("int64_list", [57])
    assert parsed(second)["label"] == ("bytes_list", [b"maybe"])
    assert parsed(second)["key"] == ("bytes_list", [b"synthetic-7"])


def test_the_same_rows_make_the_same_bytes(record_format):
    rows = record_format.features.draw(100, np.random.default_rng(0))
    one, again = (record_format.encode(rows, np.zeros(100, np.int64)) for _ in range(2))
    assert one == again


def test_there_and_back(record_format):
    rows = record_format.features.draw(500, np.random.default_rng(0))
    # An example holds 32 bits of a real number.
    rows[:, 5] = rows[:, 5].astype(np.float32)
    records = record_format.encode(rows, np.zeros(500, np.int64))
    assert np.array_equal(record_format.decode(records, "here"), rows)


def test_a_bound_that_32_bits_round_is_in_the_domain():
    text = 'feature { name: "x" type: FLOAT float_domain { min: 0.3 max: 0.7 } shape {} }'
    text += 'feature { name: "label" type: INT }'
    schema = text_format.Parse(text, schema_pb2.Schema())
    config = references_pb2.ReferenceModelsConfig(model_spec={"label_key": "label"})
    found = RecordFormat.of_schema(schema, config).decode(
        [example(x=[float(np.float32(0.3))]), example(x=[float(np.float32(0.7))])], "here"
    )
    # As float32 they are .30000001 and .69999999; 0.1 would be above itself.
    assert found[:, 0].tolist() == pytest.approx([0.3, 0.7], abs=1e-7)
    assert 0.3 <= found.min() <= found.max() <= 0.7


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"age": []}, r"split 'a': feature 'age' has 0 values in one of 2 bad records of 3"),
        ({"bits": [0, 1, 1]}, r"feature 'bits' has 3 values in one of 2 bad records of 3 .*: exp"),
        ({"age": [58]}, r"feature 'age' has the value 58, one of 2 values outside its domain in 3"),
        ({"colour": [b"pink"]}, r"the value 'pink', one of 2 .* one of 3 values \('red', 'green'"),
        ({"size": [3.5]}, r"'size' has the value 3.5, one of 2 .* expected -1 to 3\. Widen its do"),
        ({"bits": [2, 0, 2, 1]}, r"'bits' has the value 2, one of 4 values outside its domain"),
        ({"size": [float("nan")]}, r"'size' has the value .*nan"),
    ],
)
def test_records_outside_the_domain_are_counted(record_format, wrong, message):
    bad = {name: values for name, values in {**GOOD, **wrong}.items() if values}
    with pytest.raises(InputError, match=message):
        record_format.decode([example(**GOOD), example(**bad), example(**bad)], "split 'a'")


def test_another_type_than_the_schemas(record_format):
    records = [example(**{**GOOD, "age": [20.0]})]
    with pytest.raises(InputError, match=r"'age' holds float, expected int64 as the schema says"):
        record_format.decode(records, "split 'a'")


def test_a_feature_that_no_record_has(record_format):
    records = [example(**{name: value for name, value in GOOD.items() if name != "colour"})]
    with pytest.raises(InputError, match=r"'colour' has 0 values in one of 1 bad records of 1"):
        record_format.decode(records, "split 'a'")


def test_a_label_that_transform_makes_is_no_raw_feature(schema, config_of):
    config = config_of("model_based {}")
    config.model_spec.label_key = "big_tipper"
    with pytest.raises(InputError, match=r"label 'big_tipper' .* is no feature of the raw exam"):
        RecordFormat.of_schema(schema, config)


def test_a_key_must_be_in_the_schema(schema, config_of):
    config = config_of("model_based {}")
    config.identity.unit_feature = "patient"
    with pytest.raises(InputError, match=r"names the feature 'patient', which is not in the sch"):
        RecordFormat.of_schema(schema, config)


def test_words_need_a_vocabulary(schema):
    config = references_pb2.ReferenceModelsConfig(model_spec={"label_key": "label"})
    config.synthetic.excluded_feature_keys.extend(["key", "weight"])
    with pytest.raises(InputError, match=r"label 'label' holds strings: set model_spec.label_voc"):
        RecordFormat.of_schema(schema, config)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("type: INT shape {}", ("int64_list", [1])),
        ("type: FLOAT shape { dim { size: 1 } }", ("float_list", [1.0])),
        ("type: FLOAT shape { dim { size: 3 } }", ("float_list", [0.0, 1.0, 0.0])),
    ],
)
def test_labels_are_numbers_or_one_hot_vectors(label, expected):
    text = 'feature { name: "x" type: INT bool_domain {} shape {} }'
    text += f'feature {{ name: "label" {label} }}'
    schema = text_format.Parse(text, schema_pb2.Schema())
    config = references_pb2.ReferenceModelsConfig(
        # Names for the report do not make words of numbers.
        model_spec=config_pb2.ModelSpec(label_key="label", label_vocabulary=["a", "b", "c"])
    )
    record_format = RecordFormat.of_schema(schema, config)
    (record,) = record_format.encode(np.array([[1.0]]), np.array([1]))
    assert parsed(record)["label"] == expected
    assert parsed(record_format.label.put(record, 1))["label"] == expected
    record_format.label.check_classes(3)


def test_as_many_names_as_classes(record_format):
    with pytest.raises(InputError, match=r"has 3 names, but the target tells 4 classes"):
        record_format.label.check_classes(4)
