"""The white-box part of a configuration: what is filled in, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tfx_privacy.evaluation.white_box_config import resolve_white_box
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError


def resolved(spec: dict[str, Any]) -> config_pb2.WhiteBoxSpec:
    config = config_pb2.PrivacyConfig(white_box=spec)
    resolve_white_box(config)
    return config.white_box


def test_unset_stays_unset() -> None:
    config = config_pb2.PrivacyConfig()
    resolve_white_box(config)
    assert not config.HasField("white_box")


def test_defaults_are_those_the_proto_documents() -> None:
    spec = resolved({})
    assert (spec.sketch_rows, spec.sketch_columns, spec.activation_width) == (16, 16, 256)
    assert not any(spec.HasField(field) for field in ("norms", "sketches", "activations"))
    assert list(spec.skip) == []


def test_what_is_set_stays_and_resolving_twice_changes_nothing() -> None:
    given = {
        "norms": {},
        "sketches": {"names": ["a", "b"], "indices": [-1, 0], "pattern": "conv.*", "last": 2},
        "sketch_columns": 8,
        "skip": ["ACTIVATIONS"],
    }
    once = resolved(given)
    assert (once.sketch_rows, once.sketch_columns) == (16, 8)
    assert once.HasField("norms")
    assert once.sketches == config_pb2.WhiteBoxSpec(**given).sketches
    config = config_pb2.PrivacyConfig(white_box=once)
    resolve_white_box(config)
    assert config.white_box == once


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"sketch_rows": -1}, "^white_box.sketch_rows is -1; expected a number from 1 to 256"),
        ({"sketch_columns": 300}, "^white_box.sketch_columns is 300; expected .* 1 to 256"),
        ({"activation_width": -5}, "^white_box.activation_width is -5; expected .* 1 to 65,536"),
        ({"skip": [0]}, r"^white_box.skip\[0\] is 0; expected one of GRADIENT_NORMS, GRADIENT_SK"),
        ({"skip": [9]}, r"^white_box.skip\[0\] is 9"),
        ({"skip": [2, 2]}, "^white_box.skip names GRADIENT_SKETCHES more than once"),
        ({"skip": [1, 2, 3]}, "^white_box.skip names all signals, GRADIENT_NORMS, .*at most two"),
        ({"skip": [1], "norms": {"last": 1}},
         "^white_box.norms selects layers for GRADIENT_NORMS, which white_box.skip names"),
        ({"norms": {"names": [""]}}, "^white_box.norms.names has an empty name"),
        ({"norms": {"names": ["a", "a"]}}, "^white_box.norms.names has 'a' more than once"),
        ({"sketches": {"indices": [3, 3]}}, "^white_box.sketches.indices has 3 more than once"),
        ({"activations": {"last": -2}}, "^white_box.activations.last is -2; expected a positive"),
        ({"sketches": {"pattern": "conv("}},
         r"^white_box.sketches.pattern is 'conv\(', which is no regular expression"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolved(spec)
