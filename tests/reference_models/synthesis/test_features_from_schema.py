from __future__ import annotations

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tfx_privacy.reference_models.synthesis.features import (
    Binary,
    BoundedReal,
    Categorical,
    Feature,
)
from tfx_privacy.reference_models.synthesis.features_from_schema import features_from_schema
from tfx_privacy.signals.errors import InputError


def schema_of(text):
    return text_format.Parse(text, schema_pb2.Schema())


def one(name, kind, domain, shape="shape { dim { size: 1 } }"):
    return f'feature {{ name: "{name}" type: {kind} {domain} {shape} }}\n'


def test_kinds_follow_from_domains():
    schema = schema_of(
        one("flag", "INT", "bool_domain {}")
        + one("word", "BYTES", 'bool_domain { true_value: "y" false_value: "n" }')
        + one("sex", "BYTES", 'string_domain { value: "f" value: "m" }')
        + one("city", "BYTES", 'domain: "cities"')
        + one("zone", "INT", 'string_domain { value: "3" value: "5" value: "9" }')
        + one("age", "INT", "int_domain { min: 18 max: 90 }")
        + one("bit", "INT", "int_domain { min: 0 max: 1 }", "value_count { min: 1 max: 1 }")
        + one("fare", "FLOAT", "float_domain { min: 0.5 max: 200 }", "shape {}")
        + one("places", "INT", "bool_domain {}", "shape { dim { size: 446 } }")
        + one("label", "INT", "")
        + one("old", "INT", "", "deprecated: true")
        + one("later", "INT", "", "lifecycle_stage: PLANNED")
        + 'string_domain { name: "cities" value: "Bern" value: "Chur" value: "Zug" }'
    )
    assert features_from_schema(schema, leave_out=["label"]).features == (
        Feature("flag", Binary((0, 1))),
        Feature("word", Binary(("n", "y"))),
        Feature("sex", Binary(("f", "m"))),
        Feature("city", Categorical(("Bern", "Chur", "Zug"))),
        Feature("zone", Categorical((3, 5, 9))),
        Feature("age", Categorical(range(18, 91))),
        Feature("bit", Binary((0, 1))),
        Feature("fare", BoundedReal(0.5, 200.0)),
        Feature("places", Binary((0, 1)), (446,)),
    )


@pytest.mark.parametrize(
    ("kind", "domain", "message"),
    [
        ("INT", "", "has no domain: add an int_domain with min and max, or a bool_domain"),
        (
            "FLOAT",
            "float_domain { min: 0 }",
            "has a domain without max: add a float_domain with min and max",
        ),
        ("INT", "int_domain {}", "has a domain without min and max"),
        ("FLOAT", "float_domain { min: 0 max: inf }", "has a domain from 0.0 to inf"),
        ("INT", "int_domain { min: 2 max: 1 }", "has a domain from 2 to 1, expected min <= max"),
        ("BYTES", "string_domain {}", "has a string_domain without values"),
        (
            "BYTES",
            "int_domain { min: 0 max: 1 }",
            "domain of type INT, but is itself of type BYTES",
        ),
        ("INT", 'string_domain { value: "a" }', r"values that are no integers: \['a'\]"),
        ("BYTES", 'domain: "lost"', "has the domain 'lost', which is not in the schema"),
        ("BYTES", "url_domain {}", "has a domain of another sort, url_domain: add a string_dom"),
        ("BYTES", 'string_domain { value: "a" value: "a" }', "come more than once"),
        (
            "FLOAT",
            "float_domain { min: 0 max: 9 is_categorical: true }",
            "float_domain that is categorical, which does not say its values",
        ),
    ],
)
def test_a_feature_without_a_usable_domain_is_named(kind, domain, message):
    schema = schema_of(one("fine", "INT", "bool_domain {}") + one("fare", kind, domain))
    with pytest.raises(InputError, match=f"feature 'fare' of the schema.*{message}"):
        features_from_schema(schema)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("", "any number of values: add a shape, or a value_count of at most 1"),
        ("value_count { max: 3 }", "any number of values"),
        ("shape { dim { size: 2 } dim {} }", r"the shape \(2, 0\), expected known sizes"),
    ],
)
def test_a_feature_must_be_dense(shape, message):
    with pytest.raises(InputError, match=f"feature 'x' of the schema has {message}"):
        features_from_schema(schema_of(one("x", "INT", "bool_domain {}", shape)))


def test_all_features_without_a_domain_are_named_at_once():
    schema = schema_of(
        one("fine", "INT", "bool_domain {}")
        + one("fare", "FLOAT", "")
        + one("zone", "INT", "")
        + one("words", "BYTES", "string_domain { value: 'a' value: 'b' }", "")
    )
    with pytest.raises(InputError) as found:
        features_from_schema(schema)
    assert str(found.value) == (
        "feature 'fare' of the schema has no domain: add a float_domain with min and max; feature "
        "'zone' of the schema has no domain: add an int_domain with min and max, or a "
        "bool_domain; feature 'words' of the schema has any number of values: add a shape, or a "
        "value_count of at most 1. Synthesis needs a domain and a dense shape for each feature: "
        "add them to the schema, or name the feature in excluded_feature_keys if the model does "
        "without it"
    )


def test_what_is_left_out_must_be_there():
    with pytest.raises(InputError, match=r"features \['lable'\] to leave out are not in the sch"):
        features_from_schema(schema_of(one("x", "INT", "bool_domain {}")), leave_out=["lable"])
