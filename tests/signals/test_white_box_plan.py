"""White-box signals at the door: which layers are taken, and what is refused, of real models."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import frozen_function
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_plan import TargetPlan, plan_target
from tfx_privacy.signals.white_box.program import BatchTooLargeError, WhiteBoxProgram
from tfx_privacy.signals.white_box_plan import WhiteBoxPlan

Save = Callable[..., str]
SIZES = {"sketch_rows": 4, "sketch_columns": 4, "activation_width": 16}
LABEL = "label"


def weights(*shape: int, name: str, trainable: bool = True, dtype: Any = tf.float32) -> tf.Variable:
    values = np.random.default_rng(len(name)).normal(size=shape)
    return tf.Variable(tf.cast(values * 20, dtype), name=name, trainable=trainable)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Saves a module whose `answer` is a function of [n, 3], or [batch, 3] where that is given."""

    def saved(module: tf.Module, answer: Callable[..., Any], batch: int | None = None) -> str:
        spec = tf.TensorSpec([batch, 3], tf.float32, name="x")
        module.serve = tf.function(lambda x: {"y": answer(x)}, input_signature=[spec])
        directory = str(tmp_path / "model")
        tf.saved_model.save(module, directory, {"serving_default": module.serve})
        return directory

    return saved


@pytest.fixture
def records(serialize: Callable[..., bytes]) -> Sequence[bytes]:
    values = np.random.default_rng(0).normal(size=(6, 3))
    return [serialize({"x": [*map(float, row)], LABEL: 0}) for row in values]


def deep(save: Save) -> str:
    """first (3 x 20), fixed (not trained), tiny (20), second (20 x 8), answer (8 x 5)."""
    module = tf.Module()
    module.first = weights(3, 20, name="first/kernel")
    module.fixed = weights(20, name="fixed/scale", trainable=False)
    module.tiny = weights(1, name="tiny/offset")
    module.second = weights(20, 8, name="second/kernel")
    module.answer = weights(8, 5, name="answer/kernel")

    def answer(x: tf.Tensor) -> tf.Tensor:
        hidden = tf.nn.relu(x @ module.first) * module.fixed + module.tiny
        return tf.nn.softmax(tf.nn.relu(hidden @ module.second) @ module.answer)

    return save(module, answer)


def plan(
    directory: str, records: Sequence[bytes], spec: dict[str, Any], **model: Any
) -> TargetPlan:
    return plan_target(
        directory,
        config_pb2.ModelSpec(label_key=LABEL, **model),
        4,
        records,
        white_box=config_pb2.WhiteBoxSpec(**(SIZES | spec)),
        seed=11,
    )


def white_box(*args: Any, **model: Any) -> WhiteBoxPlan:
    found = plan(*args, **model).white_box
    assert found is not None
    return found


def test_defaults(save: Save, records: Sequence[bytes]) -> None:
    found = white_box(deep(save), records, {})

    layout = found.layout
    assert [(layer.index, layer.name) for layer in layout.layers] == [
        (0, "first"), (2, "tiny"), (3, "second"), (4, "answer"),
    ]  # fmt: skip
    assert layout.norm_layers == ("first", "tiny", "second", "answer")
    assert layout.sketch_layers == ("second", "answer")
    assert layout.activation_widths == {"tiny": 16, "second": 8}
    assert [layer.weight_shapes for layer in layout.layers][:2] == [((3, 20),), ((1,),)]
    assert (layout.sketch_rows, layout.sketch_columns, layout.seed) == (4, 4, 11)
    assert (found.batch_size, found.activation_width, layout.notes) == (4, 16, ())
    assert pickle.loads(pickle.dumps(found)) == found


def test_the_last_of_the_layers_that_are_large_enough_are_sketched(
    save: Save, records: Sequence[bytes]
) -> None:
    found = white_box(deep(save), records, {"sketch_rows": 6, "sketch_columns": 10})
    assert found.layout.sketch_layers == ("first", "second")
    assert found.layout.notes == ()

    found = white_box(deep(save), records, {"sketch_rows": 20, "sketch_columns": 20})
    assert found.layout.sketch_layers == ()
    assert len(found.layout.norm_layers) == 4
    # Nobody asked to do without sketches, and attacks on them will not run.
    assert found.layout.notes == (
        "no gradient was sketched: none of the layers has the 400 weights of a sketch of 20 x 20 "
        "(set sketch_rows and sketch_columns in white_box to smaller numbers)",
    )
    without = {"sketch_rows": 20, "sketch_columns": 20, "skip": [config_pb2.GRADIENT_SKETCHES]}
    assert white_box(deep(save), records, without).layout.notes == ()


def test_one_layer_has_no_activations_that_are_not_the_logits(
    save: Save, records: Sequence[bytes]
) -> None:
    module = tf.Module()
    module.kernel = weights(3, 5, name="kernel")
    directory = save(module, lambda x: tf.nn.softmax(x @ module.kernel))

    found = white_box(directory, records, {"skip": [config_pb2.GRADIENT_SKETCHES]})
    assert found.layout.activation_widths == {}
    assert found.layout.notes == (
        "no activations were taken: of the layers before the last there is none whose output is "
        "known (name layers in white_box.activations)",
    )
    asked = white_box(directory, records, {"activations": {"last": 1}})
    assert asked.layout.activation_widths == {"kernel": 5}


def test_layers_are_selected_each_kind_by_itself(save: Save, records: Sequence[bytes]) -> None:
    layout = white_box(
        deep(save),
        records,
        {
            "norms": {"names": ["tiny"], "indices": [-1]},
            "sketches": {"pattern": "fir.*|sec.*"},
            "activations": {"last": 3},
        },
    ).layout
    assert layout.norm_layers == ("tiny", "answer")
    assert layout.sketch_layers == ("first", "second")
    assert layout.activation_widths == {"tiny": 16, "second": 8, "answer": 5}

    layout = white_box(deep(save), records, {"norms": {}, "skip": [2, 3]}).layout
    assert layout.norm_layers == ("first", "tiny", "second", "answer")
    assert (layout.sketch_layers, layout.activation_widths) == ((), {})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"norms": {"names": ["secnd"]}},
         r"^white_box.norms: no layer .* is called 'secnd'; did you mean 'second'\?"),
        ({"activations": {"names": ["pool"]}}, "^white_box.activations: no layer .* called 'pool'"),
        ({"sketches": {"indices": [5]}},
         "^white_box.sketches: there is no layer 5: the model has 5 with weights, 0 to 4"),
        ({"norms": {"pattern": "sec"}}, "^white_box.norms: .* matches 'sec' as a whole"),
        ({"norms": {"pattern": "("}}, r"^white_box.norms: '\(' is no regular expression"),
        ({"norms": {"last": 9}}, "^white_box.norms: the last 9 layers are asked for: .* 4 that"),
        ({"norms": {"names": ["fixed"]}},
         "^white_box.norms: layer 'fixed' has no trainable weights, so no gradient"),
        ({"sketches": {"names": ["tiny"]}},
         "^white_box.sketches: layer 'tiny' has a gradient of 1 numbers, fewer than the 4 x 4"),
    ],
)  # fmt: skip
def test_a_selection_that_does_not_suit_the_model(
    save: Save, records: Sequence[bytes], spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan(deep(save), records, spec)


def test_a_model_of_constants_or_of_quantised_weights(save: Save, records: Sequence[bytes]) -> None:
    module = tf.Module()
    module.kernel = weights(3, 5, name="kernel", dtype=tf.int8)
    quantised = save(module, lambda x: tf.nn.softmax(x @ tf.cast(module.kernel, tf.float32) / 9))
    with pytest.raises(InputError, match=r"^white_box: the model has no trainable weights"):
        plan(quantised, records, {})


def test_rounding_has_no_gradient_and_is_left_out_by_a_selection(
    save: Save, records: Sequence[bytes]
) -> None:
    module = tf.Module()
    module.before = weights(3, 8, name="before/kernel")
    module.after = weights(8, 5, name="after/kernel")
    directory = save(module, lambda x: tf.nn.softmax(tf.round(x @ module.before) @ module.after))
    with pytest.raises(
        InputError, match=r"^white_box: .*no gradient with regard to 'before/kernel"
    ):
        plan(directory, records, {})

    behind = {"norms": {"names": ["after"]}, "sketches": {"names": ["after"]}}
    assert white_box(directory, records, behind).layout.norm_layers == ("after",)


def test_an_operation_that_nobody_can_differentiate(save: Save, records: Sequence[bytes]) -> None:
    module = tf.Module()
    module.kernel = weights(3, 12, name="kernel")

    def answer(x: tf.Tensor) -> tf.Tensor:
        images = tf.reshape(x @ module.kernel, [-1, 2, 2, 3])
        contrasted = tf.raw_ops.AdjustContrastv2(images=images, contrast_factor=0.5)
        return tf.nn.softmax(tf.reshape(contrasted, [-1, 12]))

    with pytest.raises(InputError, match=r"^white_box: .*AdjustContrastv2"):
        plan(save(module, answer), records, {})


def test_a_model_that_cannot_be_frozen(
    save: Save, records: Sequence[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = deep(save)
    monkeypatch.setattr(frozen_function, "_LARGEST_BYTES", 100)
    with pytest.raises(
        InputError, match=r"^white_box: signature .* cannot be looked into: .*bytes"
    ):
        plan(directory, records, {}, output_kind=config_pb2.PROBABILITIES)


def test_memory_that_does_not_suffice_shows_at_the_door(
    save: Save, records: Sequence[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, 1)
    found = white_box(deep(save), records, {})
    assert found.batch_size == 1
    assert found.layout.notes == (
        "memory did not suffice for the white-box signals of 4 examples at once: they were "
        "computed for 1 at a time",
    )

    allow(monkeypatch, 0)
    with pytest.raises(InputError, match=r"^white_box: memory .* the white-box signals of one ex"):
        plan(deep(save), records, {})


def test_a_signature_of_fixed_batches_cannot_do_with_less_memory(
    save: Save, records: Sequence[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tf.Module()
    module.kernel = weights(3, 5, name="kernel")
    directory = save(module, lambda x: tf.nn.softmax(x @ module.kernel), batch=3)
    assert white_box(directory, records, {}).batch_size == 3

    allow(monkeypatch, 2)
    with pytest.raises(InputError, match=r"^white_box: memory .* of 3 examples, and fewer are not"):
        plan(directory, records, {})


def allow(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """As if there were memory for so many examples."""
    computed = WhiteBoxProgram.__call__

    def call(program: WhiteBoxProgram, serialized: Sequence[bytes], labels: Any) -> Any:
        if program.batch_size > rows:
            raise BatchTooLargeError(f"out of memory on a batch of {program.batch_size}")
        return computed(program, serialized, labels)

    monkeypatch.setattr(WhiteBoxProgram, "__call__", call)
