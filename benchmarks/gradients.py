"""Per-example gradient norms and sketches beside a training step of the same model and batch.

    python benchmarks/gradients.py --repeats 15

Four models: dense 600-1024-512-256-128-100, an embedding bag of 20,000 x 64, three
convolutions at 32 x 32, ResNet-8 with batch normalisation; and, asked for by name, an LSTM
of 64 units over 32 steps. Each is timed in one process,
the steps in turn, and medians are shown: the training step (forward in training mode,
backward, SGD with dense updates, one tf.function), a forward pass, a backward pass to the
activations alone (the floor), exact norms of all layers, 16 x 16 sketches of all layers
that have as many weights, norms of the last two dense layers. With --slow also what people
do without it, on a few examples and scaled to the batch: the Jacobian, and one example at
a time, eager and in a graph's loop.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_CLASSES = 100
_FEW = 16
_SHOWN = ("dense", "embedding", "convolution", "resnet")
Timed = dict[str, Callable[[], Any]]


@dataclasses.dataclass(frozen=True)
class Case:
    """A model and a batch.

    Attributes:
      name: For the table.
      make: Makes the Keras model, from inputs to logits.
      inputs: [b, ...].
      labels: [b].
    """

    name: str
    make: Callable[[], Any]
    inputs: np.ndarray
    labels: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument(
        "--models", nargs="*", help="some of dense, embedding, convolution, resnet, lstm"
    )
    parser.add_argument("--slow", action="store_true", help="also the Jacobian and the loops")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    from tfx_privacy.benchmarks.populations import markdown_table

    rows = []
    for case in _cases():
        if case.name not in (options.models or _SHOWN):
            continue
        timed = _timed(case) | (_slow(case) if options.slow else {})
        both = _medians(timed, options.repeats)
        step, forward = both["training step"], both["forward"]
        rows += [
            (
                case.name,
                name,
                f"{1e3 * wall:,.1f}",
                f"{wall / step[0]:.2f}",
                f"{wall / forward[0]:.2f}",
                f"{1e3 * cpu:,.1f}",
                f"{cpu / step[1]:.2f}",
                f"{cpu / forward[1]:.2f}",
            )
            for name, (wall, cpu) in both.items()
        ]
    columns = ("ms a batch", "steps", "forwards", "CPU ms", "CPU steps", "CPU forwards")
    print(markdown_table(("model", "what", *columns), rows))


def _medians(timed: Timed, repeats: int) -> dict[str, tuple[float, float]]:
    """Seconds of each, wall clock and CPU.

    All in turn, so that what else the machine does meets all alike.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
    for run in timed.values():
        run()
    for repeat in range(repeats):
        for name, run in timed.items():
            if "scaled" in name and repeat >= 3:
                continue
            start, cpu = time.perf_counter(), time.process_time()
            factor = run() or 1
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            found[name].append((wall * factor, cpu * factor))
    return {
        name: (statistics.median(wall for wall, _ in each), statistics.median(c for _, c in each))
        for name, each in found.items()
    }


def _timed(case: Case) -> Timed:
    """What is timed, by name."""
    import tensorflow as tf

    from tfx_privacy.proto import privacy_config_pb2 as config_pb2
    from tfx_privacy.signals.frozen_function import freeze
    from tfx_privacy.signals.white_box.layers import LayerSpec, list_layers, select_layers
    from tfx_privacy.signals.white_box.program import Wanted, WhiteBoxProgram
    from tfx_privacy.signals.white_box.projections import SketchSize
    from tfx_privacy.signals.white_box.weights import find_weights

    model = case.make()
    inputs, labels = tf.constant(case.inputs), tf.constant(case.labels, tf.int64)

    @tf.function(input_signature=[tf.TensorSpec.from_tensor(inputs)], autograph=False)
    def forward(batch: Any) -> list[Any]:
        return [model(batch, training=False)]

    concrete = forward.get_concrete_function()
    frozen = freeze(concrete)
    logits = frozen.outputs[0]
    layers = list_layers(frozen, logits, find_weights(concrete, frozen))
    chosen = select_layers(layers, LayerSpec())
    size = SketchSize(16, 16)
    large = tuple(layer for layer in chosen if layer.size >= size.size)

    def program(wanted: Wanted) -> Callable[[], None]:
        built = WhiteBoxProgram.build(frozen, logits, config_pb2.MULTICLASS, wanted, seed=0)
        assert not built.notes, built.notes

        def run() -> None:
            for values in built.run(inputs, labels).values():
                values.numpy()

        return run

    step = _training_step(model)
    fetch = frozen.fetch([logits])
    floor = _floor(frozen, logits, chosen, len(case.labels))
    found = {
        "training step": lambda: _wait(step(inputs, labels)),
        "forward": lambda: _wait(fetch(inputs)),
        "backward to activations": lambda: _wait(floor(inputs, labels)[:1]),
        "norms": program(Wanted(norms=chosen)),
        f"sketches of {len(large)} of {len(chosen)} layers": program(
            Wanted(sketches=large, sketch_size=size)
        ),
        "norms and sketches": program(Wanted(norms=chosen, sketches=large, sketch_size=size)),
    }
    dense = tuple(layer for layer in chosen if layer.kind == "dense")[-2:]
    return found | {f"norms of the last {len(dense)} dense layers": program(Wanted(norms=dense))}


def _wait(values: Any) -> None:
    for value in values:
        value.numpy()


def _training_step(model: Any) -> Any:
    import tensorflow as tf

    @tf.function(autograph=False)
    def step(inputs: Any, labels: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        variables = [variable.value for variable in model.trainable_variables]
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(1e-4 * tf.convert_to_tensor(gradient))
        return [loss]

    return step


def _floor(frozen: Any, logits: Any, layers: Sequence[Any], batch: int) -> Any:
    """The backward pass to the activations, and nothing made of it."""
    import tensorflow as tf

    from tfx_privacy.proto import privacy_config_pb2 as config_pb2
    from tfx_privacy.signals.white_box.gradient_plan import GradientPlan
    from tfx_privacy.signals.white_box.loop_probes import first_values, with_probes
    from tfx_privacy.signals.white_box.loss_gradient import loss_gradient
    from tfx_privacy.signals.white_box.model_copy import ModelDefinition

    definition = ModelDefinition.of(frozen, logits)
    plan = GradientPlan.of(layers, definition, batch, frozenset())
    probes = plan.all_probes()
    definition = with_probes(definition, probes)

    @tf.function(autograph=False)
    def floor(inputs: Any, labels: Any) -> list[Any]:
        copy = definition.copy({definition.inputs[0]: inputs, **first_values(probes)})
        outputs = copy.tensor(logits)
        gradient = tf.cast(loss_gradient(config_pb2.MULTICLASS, outputs, labels), tf.float32)
        found = plan.gradients_at(copy, outputs, gradient).values()
        return [outputs, *(value for value in found if value is not None)]

    return floor


def _slow(case: Case) -> Timed:
    """What does without any of this: on a few examples, the time scaled to the batch."""
    import tensorflow as tf

    model = case.make()
    inputs = tf.constant(case.inputs[:_FEW])
    labels = tf.constant(case.labels[:_FEW], tf.int64)
    factor = len(case.labels) / _FEW
    variables = [variable.value for variable in model.trainable_variables]

    def squares(gradients: Sequence[Any], rows: int) -> Any:
        flat = [tf.reshape(tf.convert_to_tensor(each), [rows, -1]) for each in gradients]
        return tf.add_n([tf.reduce_sum(tf.square(each), axis=1) for each in flat])

    def losses(batch: Any, given: Any) -> Any:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(given, model(batch, training=False))

    @tf.function(autograph=False)
    def jacobian() -> Any:
        with tf.GradientTape() as tape:
            found = losses(inputs, labels)
        return squares(tape.jacobian(found, variables), _FEW)

    def of_one(row: Any) -> Any:
        with tf.GradientTape() as tape:
            found = losses(inputs[row : row + 1], labels[row : row + 1])
        return squares(tape.gradient(found, variables), 1)

    @tf.function(autograph=False)
    def loop() -> Any:
        return tf.map_fn(lambda row: of_one(row)[0], tf.range(_FEW), fn_output_signature=tf.float32)

    def run(function: Callable[[], Any]) -> Callable[[], float]:
        def timed() -> float:
            _wait([function()])
            return factor

        return timed

    return {
        "Jacobian (scaled)": run(jacobian),
        "one at a time, eager (scaled)": run(
            lambda: tf.concat([of_one(row) for row in range(_FEW)], axis=0)
        ),
        "one at a time, in a graph's loop (scaled)": run(loop),
    }


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)

    def labels(rows: int) -> np.ndarray:
        return rng.integers(0, _CLASSES, rows)

    def images(rows: int) -> np.ndarray:
        return rng.normal(size=(rows, 32, 32, 3)).astype(np.float32)

    dense = rng.normal(size=(512, 600)).astype(np.float32)
    words = rng.integers(0, 20_000, (512, 64))
    return [
        Case("dense", _dense, dense, labels(512)),
        Case("embedding", _embedding, words, labels(512)),
        Case("convolution", _convolution, images(256), labels(256)),
        Case("resnet", _resnet, images(128), labels(128)),
        Case("lstm", _lstm, rng.normal(size=(128, 32, 32)).astype(np.float32), labels(128)),
    ]


def _dense() -> Any:
    import keras

    layers = [keras.layers.Dense(width, activation="relu") for width in (1024, 512, 256, 128)]
    return keras.Sequential([keras.Input((600,)), *layers, keras.layers.Dense(_CLASSES)])


def _embedding() -> Any:
    import keras

    return keras.Sequential(
        [
            keras.Input((64,), dtype="int64"),
            keras.layers.Embedding(20_000, 64),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(_CLASSES),
        ]
    )


def _convolution() -> Any:
    import keras

    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(_CLASSES),
        ]
    )


def _resnet() -> Any:
    import keras

    def convolved(x: Any, width: int, size: int, strides: int) -> Any:
        convolution = keras.layers.Conv2D(
            width, size, strides=strides, padding="same", use_bias=False
        )
        return keras.layers.BatchNormalization()(convolution(x))

    inputs = keras.Input((32, 32, 3))
    x = keras.layers.ReLU()(convolved(inputs, 16, 3, 1))
    for width, strides in ((16, 1), (32, 2), (64, 2)):
        main = keras.layers.ReLU()(convolved(x, width, 3, strides))
        main = convolved(main, width, 3, 1)
        shortcut = x if strides == 1 else convolved(x, width, 1, strides)
        x = keras.layers.ReLU()(keras.layers.Add()([main, shortcut]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(_CLASSES)(x))


def _lstm() -> Any:
    import keras

    return keras.Sequential(
        [keras.Input((32, 32)), keras.layers.LSTM(64), keras.layers.Dense(_CLASSES)]
    )


if __name__ == "__main__":
    main()
