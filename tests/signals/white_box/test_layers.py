"""Which layers a frozen model has, and choosing among them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.white_box.layers import Layer, LayerSpec, select_layers

IMAGES = np.zeros((5, 8, 8, 3), np.float32)


def model() -> Any:
    inputs = keras.Input((8, 8, 3))
    x = layers.Normalization(mean=[0.0, 0.0, 0.0], variance=[1.0, 1.0, 1.0])(inputs)
    x = layers.Conv2D(4, 3, use_bias=False, name="first")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.BatchNormalization(center=False, scale=False, name="fixed")(x)
    x = layers.GlobalAveragePooling2D(name="pooling")(x)
    again = layers.Dense(4, activation="relu", name="again")
    return keras.Model(inputs, layers.Dense(3, name="out")(again(again(x))))


@pytest.fixture(scope="module")
def found(serving: Callable) -> tuple[Layer, ...]:
    return serving(model, IMAGES).layers


def test_layers_come_in_forward_order_with_their_weights(found: tuple[Layer, ...]) -> None:
    assert [(layer.name, layer.kind, [w.name for w in layer.weights]) for layer in found] == [
        ("first", "convolution", ["first/kernel"]),
        ("norm", "scale and offset", ["norm/gamma", "norm/beta"]),
        ("fixed", "scale and offset", []),
        ("again", "dense", ["again/kernel", "again/bias"]),
        ("out", "dense", ["out/kernel", "out/bias"]),
    ]
    assert [layer.index for layer in found] == [0, 1, 2, 3, 4]
    assert [layer.size for layer in found] == [3 * 3 * 3 * 4, 8, 0, 4 * 4 + 4, 4 * 3 + 3]


def test_a_shared_weight_has_several_uses(found: tuple[Layer, ...]) -> None:
    again = found[3]
    uses = [[use.operation.type for use in again.uses[w.node]] for w in again.weights]
    assert uses == [["MatMul", "MatMul"], ["BiasAdd", "BiasAdd"]]


SPECS = {
    "all with weights": (LayerSpec(), [0, 1, 3, 4]),
    "by name": (LayerSpec(names=("out", "first")), [0, 4]),
    "by index": (LayerSpec(indices=(0, -1)), [0, 4]),
    "by pattern": (LayerSpec(pattern="first|a.*"), [0, 3]),
    "the last": (LayerSpec(last=3), [1, 3, 4]),
    "together": (LayerSpec(names=("first",), last=1), [0, 4]),
}


@pytest.mark.parametrize("case", SPECS)
def test_layers_are_chosen(case: str, found: tuple[Layer, ...]) -> None:
    spec, expected = SPECS[case]
    assert [layer.index for layer in select_layers(found, spec)] == expected


WRONG = {
    "no such name": (LayerSpec(names=("frst",)), "called 'frst'; did you mean 'first'?"),
    "pooling": (LayerSpec(names=("pooling",)), "no layer with weights is called 'pooling'"),
    "without weights": (LayerSpec(names=("fixed",)), "'fixed' has no trainable weights"),
    "without weights, by index": (LayerSpec(indices=(2,)), "'fixed' has no trainable weights"),
    "no such index": (LayerSpec(indices=(5,)), "no layer 5: the model has 5 with weights, 0 to 4"),
    "no match": (LayerSpec(pattern="conv"), "matches 'conv' as a whole; there are: 0 'first', 1"),
    "no pattern": (LayerSpec(pattern="(("), "'((' is no regular expression"),
    "too many": (LayerSpec(last=5), "expected between 1 and the 4 that have weights"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_matches_no_layer_is_an_error_that_lists_them(
    case: str, found: tuple[Layer, ...]
) -> None:
    spec, message = WRONG[case]
    with pytest.raises(InputError, match=re.escape(message)):
        select_layers(found, spec)


def test_a_quantised_model_says_which_weights_are_integers(serving: Callable) -> None:
    def quantised() -> Any:
        inputs = keras.Input((8, 8, 3))
        x = layers.Flatten()(inputs)
        model = keras.Model(inputs, layers.Dense(3, name="out")(x))
        model.quantize("int8")
        return model

    found = serving(quantised, IMAGES).layers
    for spec in (LayerSpec(), LayerSpec(names=("out",))):
        with pytest.raises(InputError, match=r"layer 'out' .* small integers: 'out/kernel'"):
            select_layers(found, spec)
