"""A Keras callback that measures a model while it is trained: privacy over epochs.

run_fn:  model.fit(..., callbacks=[PrivacyCallback(members, nonmembers, log_dir=...)])
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.in_memory import measure_in_memory
from tfx_privacy.evaluation.metrics_directory import write_metrics
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import hash_fractions, row_ids
from tfx_privacy.signals.labels import LabelSpec, labels_of_array
from tfx_privacy.signals.losses import losses
from tfx_privacy.signals.target_output import (
    Activation,
    Reading,
    logits_of_values,
    output_width,
    resolve_reading,
)

DEFAULT_ROWS_PER_SIDE = 5_000
# Keras's own TensorBoard callback writes to "train" and "validation" in the same folder.
_RUN = "privacy"
_SALT = "callback sample"
_WHERE = "the model's output"
_HEADLINE_FPR = 0.01
_ACTIVATIONS = {"softmax": Activation.SOFTMAX, "sigmoid": Activation.SIGMOID}


@dataclasses.dataclass(frozen=True)
class EpochPrivacy:
    """What was measured after one epoch, on JUDGE rows.

    Attributes:
      epoch: Counted from 1.
      best_attack: The attack that was best on FIT rows.
      auc: The best of the attacks, with its interval.
      advantage: The same.
      tpr_at_1_percent_fpr: The same.
      train_accuracy: Of members; None where the task has no right or wrong.
      test_accuracy: Of non-members.
      seconds: What measuring took of the training's time.
    """

    epoch: int
    best_attack: str
    auc: Interval
    advantage: Interval
    tpr_at_1_percent_fpr: Interval
    train_accuracy: Interval | None
    test_accuracy: Interval | None
    seconds: float


class PrivacyCallback(keras.callbacks.Callback):
    """Measures membership inference every n epochs on a fixed sample.

    The model runs in inference mode, and its state (weights, seeds of dropout, statistics
    of normalisation) is put back: training goes on, to the bit, as if nothing had been
    measured. A third of the sample is to fit attacks on (FIT), the rest to judge them by
    (JUDGE), by a hash of the row's number, the same rows every time.

    A measurement takes a prediction for every row of the sample and, with the attacks
    "fast" on 5,000 + 5,000 rows of 10 classes, some 2 seconds of processor time; as much
    again where a directory of metrics, with its report, is written. `EpochPrivacy.seconds`
    says what it took.

    Compare with `tfx-privacy evaluate`: there are no controls, no slices and no risk of
    records here, rows are not checked for duplicates, and from probabilities that float32
    rounds to 1 nothing more can be read. Gate the finished model by that.

    Attributes:
      history: What was measured, one `EpochPrivacy` an epoch.
    """

    def __init__(
        self,
        members: tuple[Any, ArrayLike],
        nonmembers: tuple[Any, ArrayLike],
        every_n_epochs: int = 1,
        log_dir: str | None = None,
        metrics_dir: str | None = None,
        attacks: Sequence[str] = ("fast",),
        task: str = "TASK_UNSPECIFIED",
        output_kind: str = "OUTPUT_KIND_UNSPECIFIED",
        rows_per_side: int = DEFAULT_ROWS_PER_SIDE,
        batch_size: int = 512,
        seed: int = 0,
        confidence: float = 0.95,
    ) -> None:
        """Checks what is given; the model is looked at when training begins.

        Args:
          members: (x, y) that the model is trained on: x an array of n rows, or a tuple,
            list or dict of such; y [n] classes, [n, k] one-hot, labels or numbers.
          nonmembers: (x, y) that it is not trained on, of the same form.
          every_n_epochs: After which epochs to measure: those that this divides.
          log_dir: Where TensorBoard looks; scalars go to "privacy" in it, at the steps of
            Keras's own callback, which counts epochs from 0. None for none.
          metrics_dir: Where a directory of metrics for each measurement goes, "epoch_5"
            after the fifth, for `tfx-privacy compare` and `load_metrics`. None for none.
          attacks: Names of attacks, or of sets of attacks.
          task: "BINARY", "MULTICLASS", "MULTILABEL" or "REGRESSION". Default: found from
            the output's width.
          output_kind: "LOGITS", "PROBABILITIES" or "REGRESSION_VALUE". Default: found from
            the last layer's activation (softmax, sigmoid) or the loss (from_logits).
          rows_per_side: Rows of the sample a side, at most.
          batch_size: Rows that the model sees at once.
          seed: Of the sample and of the attacks.
          confidence: Two-sided, of the intervals, in (0, 1).

        Raises:
          InputError: If one of these is wrong, or TensorFlow, which writes for
            TensorBoard, is missing.
        """
        super().__init__()
        for name, value in (
            ("every_n_epochs", every_n_epochs),
            ("rows_per_side", rows_per_side),
            ("batch_size", batch_size),
        ):
            if value < 1:
                raise InputError(f"{name} is {value}; expected 1 or more")
        self._config = resolve_config(
            config_pb2.PrivacyConfig(
                attacks=attacks,
                model_spec=config_pb2.ModelSpec(
                    task=_known("task", task, config_pb2.Task.keys()),
                    output_kind=_known("output_kind", output_kind, config_pb2.OutputKind.keys()),
                ),
                seed=seed,
                confidence=confidence,
                skip_controls=_ALL_CONTROLS,
            )
        )
        self._every = every_n_epochs
        self._batch_size = batch_size
        self._metrics_dir = metrics_dir
        self._samples = [
            _Sample.drawn(given, rows_per_side, seed, is_member=is_member)
            for given, is_member in ((members, True), (nonmembers, False))
        ]
        self._scalars = None if log_dir is None else _Scalars(os.path.join(log_dir, _RUN))
        self.history: list[EpochPrivacy] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Finds out early what the output is, and that the labels belong to it."""
        for sample in self._samples:
            self._signals(sample.first(self._batch_size))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measures, where this epoch is one of the n-th."""
        if (epoch + 1) % self._every:
            return
        start = time.perf_counter()
        parts = [self._signals(sample) for sample in self._samples]
        signals = Signals.concatenate([signals for signals, _ in parts])
        model = _target_model(self.model.name, epoch + 1, signals, parts[0][1])
        content = measure_in_memory(signals, model, self._config)
        if self._metrics_dir is not None:
            write_metrics(content, os.path.join(self._metrics_dir, f"epoch_{epoch + 1}"))
        _require_attack(content.results)
        measured = _epoch_privacy(epoch + 1, content.results, time.perf_counter() - start)
        self.history.append(measured)
        if self._scalars is not None:
            self._scalars.write(epoch, measured)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Leaves the file that TensorBoard reads complete."""
        if self._scalars is not None:
            self._scalars.close()

    def _signals(self, sample: _Sample) -> tuple[Signals, Reading]:
        """What an attacker sees of the sample's rows, and how the output was read."""
        kept = _State.of(self.model)
        try:
            output = self.model.predict(sample.x, batch_size=self._batch_size, verbose=0)
        finally:
            kept.put_back()
        if not hasattr(output, "shape"):
            raise InputError(
                f"the model has {len(output)} outputs ({type(output).__name__}); expected one. "
                "Give the callback to a model of that output alone"
            )
        values = np.asarray(output)
        width = output_width(values.shape, _WHERE)
        reading = self._reading(width)
        logits = logits_of_values(
            values.reshape(len(values), width), reading.task, reading.output_kind, _WHERE
        )
        side = "members" if sample.is_member else "non-members"
        label = labels_of_array(sample.y, LabelSpec("y", reading.task, width), side)
        signals = Signals(
            task=reading.task,
            ids=sample.ids,
            member=np.full(len(values), sample.is_member),
            label=label,
            logits=logits,
            loss=losses(reading.task, logits, label),
        )
        return signals, reading

    def _reading(self, width: int) -> Reading:
        spec = config_pb2.ModelSpec()
        spec.CopyFrom(self._config.model_spec)
        activation = _activation_of(self.model)
        if not spec.output_kind and activation is None and _loss_takes_logits(self.model):
            spec.output_kind = config_pb2.LOGITS
        return resolve_reading(
            spec,
            width,
            activation,
            "the last layer has another activation or none, and the loss does not say "
            "from_logits=True",
            _WHERE,
        )


_ALL_CONTROLS = (
    config_pb2.BLIND_BASELINE,
    config_pb2.NEGATIVE_CONTROL,
    config_pb2.POSITIVE_CONTROL,
    config_pb2.DUPLICATES,
)


@dataclasses.dataclass(frozen=True)
class _Sample:
    """Rows of one side.

    Attributes:
      x: An array of n rows, or a nest of such.
      y: [n, ...].
      ids: [n, 2] uint64, by side and row number.
      is_member: Which side.
    """

    x: Any
    y: NDArray[Any]
    ids: NDArray[np.uint64]
    is_member: bool

    @staticmethod
    def drawn(given: tuple[Any, ArrayLike], rows: int, seed: int, *, is_member: bool) -> _Sample:
        """The rows with the smallest hashes, so many at most."""
        side = "members" if is_member else "nonmembers"
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise InputError(
                f"{side} is a {type(given).__name__}; expected a pair (x, y) of arrays"
            )
        x = keras.tree.map_structure(np.asarray, given[0])
        y = np.asarray(given[1])
        lengths = {array.shape[0] if array.ndim else 0 for array in [*keras.tree.flatten(x), y]}
        if len(lengths) != 1 or 0 in lengths:
            raise InputError(
                f"{side} has arrays of {', '.join(map(str, sorted(lengths)))} rows in x and y; "
                "expected as many in each, and at least one"
            )
        ids = row_ids(0, len(y), is_member=is_member)
        chosen = np.sort(np.argsort(hash_fractions(ids, seed, _SALT), kind="stable")[:rows])
        return _Sample(_rows_of(x, chosen), y[chosen], ids[chosen], is_member)

    def first(self, rows: int) -> _Sample:
        """The first rows of the sample."""
        some = np.arange(min(rows, len(self.y)))
        return _Sample(_rows_of(self.x, some), self.y[some], self.ids[some], self.is_member)


class _Scalars:
    """What TensorBoard shows."""

    def __init__(self, folder: str) -> None:
        try:
            import tensorflow as tf
        except ImportError as error:
            raise InputError(
                "log_dir is set, and TensorFlow, which writes for TensorBoard, cannot be "
                f"imported ({error}); expected TensorFlow, or no log_dir"
            ) from error
        self._summary = tf.summary
        self._folder = folder
        self._writer: Any = None

    def write(self, step: int, measured: EpochPrivacy) -> None:
        """Adds the scalars of one measurement."""
        if self._writer is None:
            self._writer = self._summary.create_file_writer(self._folder)
        with self._writer.as_default(step=step):
            for name in _SCALARS:
                value: Interval | None = getattr(measured, name)
                if value is not None:
                    self._summary.scalar(f"privacy/{name}", value.estimate)
                    self._summary.scalar(f"privacy/{name}_lower", value.lower)
                    self._summary.scalar(f"privacy/{name}_upper", value.upper)
        self._writer.flush()

    def close(self) -> None:
        """Ends the file; a later measurement begins another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


_SCALARS = ("auc", "advantage", "tpr_at_1_percent_fpr", "train_accuracy", "test_accuracy")


@dataclasses.dataclass(frozen=True)
class _State:
    """What a prediction may change of a model: everything but the weights that are trained.

    Dropout draws nothing in inference mode; a layer that always does moves its seed on.
    """

    variables: Sequence[Any]
    values: Sequence[NDArray[Any]]

    @staticmethod
    def of(model: keras.Model) -> _State:
        trained = {id(variable) for variable in model.trainable_variables}
        others = [variable for variable in model.variables if id(variable) not in trained]
        return _State(others, [keras.ops.convert_to_numpy(each).copy() for each in others])

    def put_back(self) -> None:
        for variable, value in zip(self.variables, self.values, strict=True):
            variable.assign(value)


def _rows_of(x: Any, rows: NDArray[np.int64]) -> Any:
    return keras.tree.map_structure(lambda array: array[rows], x)


def _activation_of(model: keras.Model) -> Activation | None:
    """Softmax or Sigmoid, where the layer that the output comes from is or ends in one."""
    last = _last_layer(model)
    if isinstance(last, keras.Model):
        return _activation_of(last)
    if isinstance(last, keras.layers.Softmax):
        return Activation.SOFTMAX
    name = getattr(getattr(last, "activation", None), "__name__", "")
    return _ACTIVATIONS.get(name)


def _last_layer(model: keras.Model) -> keras.layers.Layer | None:
    """None where it is not known, as of a model that is a class of its own."""
    if isinstance(model, keras.Sequential):
        return model.layers[-1]
    names = getattr(model, "output_names", None) or []
    found = [layer for layer in model.layers if layer.name in names]
    return found[0] if len(found) == len(names) == 1 else None


def _loss_takes_logits(model: keras.Model) -> bool:
    return getattr(getattr(model, "loss", None), "from_logits", False) is True


def _known(argument: str, name: str, names: Sequence[str]) -> Any:
    """The name of an enum's value, which protos take for the value."""
    if name not in names:
        raise InputError(f"{argument} is {name!r}; expected one of {', '.join(names[1:])}")
    return name


def _target_model(
    name: str, epoch: int, signals: Signals, reading: Reading
) -> results_pb2.TargetModel:
    assert signals.logits is not None
    return results_pb2.TargetModel(
        uri=f"{name} after epoch {epoch}",
        task=reading.task,
        output_kind=reading.output_kind,
        output_width=signals.logits.shape[1],
        logits_source="the output in training",
        identity="by the numbers of the rows given to the callback",
    )


def _epoch_privacy(epoch: int, results: results_pb2.PrivacyResults, seconds: float) -> EpochPrivacy:
    whole = results.explanation.whole
    return EpochPrivacy(
        epoch=epoch,
        best_attack=results.best_attack,
        auc=_best(results, "auc"),
        advantage=_best(results, "advantage"),
        tpr_at_1_percent_fpr=_best(results, "tpr_at_fpr"),
        train_accuracy=_accuracy(whole.members),
        test_accuracy=_accuracy(whole.nonmembers),
        seconds=seconds,
    )


def _require_attack(results: results_pb2.PrivacyResults) -> None:
    if not results.best_of_attacks:
        reasons = (f"{attack.name} {attack.reason}" for attack in results.skipped_attacks)
        raise InputError(f"none of the attacks could run: {'; '.join(reasons)}")


def _best(results: results_pb2.PrivacyResults, name: str) -> Interval:
    return next(
        _interval(entry.value)
        for entry in results.best_of_attacks
        if entry.metric.name == name and entry.metric.fpr in (0.0, _HEADLINE_FPR)
    )


def _accuracy(side: results_pb2.SideStatistics) -> Interval | None:
    return _interval(side.accuracy) if side.HasField("accuracy") else None


def _interval(value: results_pb2.MeasuredValue) -> Interval:
    return Interval(value.estimate, value.lower, value.upper)
