"""What enters the white-box attack network: one array for each part of what it looks at.

Losses and norms of gradients span many orders of magnitude, so their logarithms enter.
A sketch is its gradient times a random matrix: how long it is says little that the
exact norm does not, and without parting length from direction the few rows with large
gradients would be all that a layer sees. So the logarithm of its length enters, and its
direction, in units in which a direction by chance has numbers of size 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import has
from tfx_privacy.attacks.entropy import log_entropy
from tfx_privacy.attacks.probabilities import class_logits, class_probabilities
from tfx_privacy.attacks.required import required_label, required_logits, required_loss
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

OUTPUTS, LOSS, LABEL = "outputs", "loss", "label"
NORMS, SKETCH, ACTIVATIONS = "gradient_norms", "gradient_sketches", "activations"

# A feature further from the mean than this many standard deviations stops there.
_CLIP = 8.0

# Risk does not rise steadily with a loss or a norm: members of an overfitted model lie in
# a band. A bend at each of these quantiles lets the first layer follow that.
_BENDS = (0.1, 0.3, 0.5, 0.7, 0.9)

# Columns of their own for each class or label only up to this many, see features.py.
_MAX_CLASS_COLUMNS = 128
_SORTED_COLUMNS = 10

_BLOCK_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of what the network looks at.

    Attributes:
      kind: One of the names above.
      layers: The layers it is of, in the order of its columns; one of them for sketches
        and activations, none for what is not of layers.
      width: Numbers of a row that it is made of: of logits, of a label, of norms, of a
        sketch or of an activation.
    """

    kind: str
    layers: tuple[str, ...]
    width: int

    @property
    def name(self) -> str:
        """What messages call it."""
        return (
            f"{self.kind} of {self.layers[0]}" if self.kind in (SKETCH, ACTIVATIONS) else self.kind
        )


@dataclasses.dataclass(frozen=True)
class PartMap:
    """A part's features on the scale of the FIT rows.

    Attributes:
      part: The part.
      floors: [m], of each magnitude the smallest that is positive on FIT: smaller ones
        count as this much in the logarithm.
      bends: [b, 5], where each of the b columns that bend does.
      mean: [d], of each feature on FIT.
      deviation: [d], its standard deviation on FIT; infinite where it does not vary.
    """

    part: Part
    floors: NDArray[np.float64]
    bends: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @staticmethod
    def fit(part: Part, rows: Signals) -> PartMap:
        """The map with the statistics of these rows."""
        floors = _smallest_positive([_magnitudes(part, block) for block in _blocks(rows)])
        columns = [_columns(part, block, floors) for block in _blocks(rows)]
        bent = np.concatenate([bending for bending, _ in columns])
        bends = np.quantile(bent, _BENDS, axis=0).T.reshape(bent.shape[1], len(_BENDS))
        features = np.concatenate([_with_bends(*one, bends) for one in columns])
        mean, deviation = features.mean(axis=0), features.std(axis=0)
        # Not by the deviation: rounding makes that of a constant tiny, not 0.
        varies = features.max(axis=0) > features.min(axis=0)
        if part.kind == LABEL and rows.task != config_pb2.REGRESSION:
            # One for the true class, however rare it is.
            mean, deviation = np.zeros_like(mean), np.ones_like(deviation)
        return PartMap(part, floors, bends, mean, np.where(varies, deviation, np.inf))

    @property
    def features(self) -> int:
        """Numbers that enter the network."""
        return len(self.mean)

    def __call__(self, rows: Signals) -> NDArray[np.float64]:
        """[n, d] float64 within +-8: of each row to the bit the same in any batch."""
        features = _with_bends(*_columns(self.part, rows, self.floors), self.bends)
        standardised: NDArray[np.float64] = (features - self.mean) / self.deviation
        return np.clip(standardised, -_CLIP, _CLIP)


@dataclasses.dataclass(frozen=True)
class NetworkFeatures:
    """The parts that a network looks at, each on its scale.

    Attributes:
      task: The task of the rows it was made from.
      parts: The parts.
    """

    task: config_pb2.Task.ValueType
    parts: tuple[PartMap, ...]

    limit = _CLIP

    @staticmethod
    def fit(parts: Sequence[Part], rows: Signals) -> NetworkFeatures:
        """Features of these parts with the statistics of these rows."""
        return NetworkFeatures(rows.task, tuple(PartMap.fit(part, rows) for part in parts))

    def __call__(self, rows: Signals) -> list[NDArray[np.float64]]:
        """[n, d] float64 of each part.

        Raises:
          ValueError: If the rows are of another kind than those the map was made from.
        """
        if rows.task != self.task:
            raise ValueError(
                f"found signals of the task {config_pb2.Task.Name(rows.task)}; the attack was "
                f"fitted on {config_pb2.Task.Name(self.task)}"
            )
        for one in self.parts:
            found = _width(one.part, rows)
            if found != one.part.width and not _are_classes(one.part, rows):
                raise ValueError(
                    f"found {found} numbers of {one.part.name} in each row; the attack was fitted "
                    f"on {one.part.width}"
                )
        return [one(rows) for one in self.parts]

    def training_arrays(self, rows: Signals) -> list[NDArray[np.float32]]:
        """The same in single precision, for as many rows as there are."""
        arrays = [np.empty((len(rows), one.features), np.float32) for one in self.parts]
        start = 0
        for block in _blocks(rows):
            for array, values in zip(arrays, self(block), strict=True):
                array[start : start + len(block)] = values
            start += len(block)
        return arrays

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything in it, as arrays."""
        arrays: dict[str, NDArray[np.generic]] = {
            "task": np.asarray(self.task),
            "kinds": np.array([one.part.kind for one in self.parts]),
            "widths": np.array([one.part.width for one in self.parts]),
        }
        for index, one in enumerate(self.parts):
            arrays[f"layers_{index}"] = np.array(one.part.layers, dtype=np.str_)
            for name in ("floors", "bends", "mean", "deviation"):
                arrays[f"{name}_{index}"] = getattr(one, name)
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> NetworkFeatures:
        """What `arrays` came from; further arrays are left alone."""
        parts = []
        for index, kind in enumerate(arrays["kinds"].tolist()):
            layers = tuple(arrays[f"layers_{index}"].tolist())
            part = Part(kind, layers, int(arrays["widths"][index]))
            names = ("floors", "bends", "mean", "deviation")
            parts.append(PartMap(part, *(arrays[f"{name}_{index}"] for name in names)))
        return NetworkFeatures(config_pb2.Task.ValueType(int(arrays["task"])), tuple(parts))


def parts_there(
    rows: Signals,
    kinds: Iterable[str],
    gradient_layers: Sequence[str],
    activation_layers: Sequence[str],
) -> list[Part]:
    """The parts of these kinds that the rows have.

    Args:
      rows: The signals.
      kinds: The kinds wanted.
      gradient_layers: Layers whose norms and sketches are wanted; none for all.
      activation_layers: Layers whose activations are wanted; none for all.
    """
    wanted = {
        NORMS: gradient_layers,
        SKETCH: gradient_layers,
        ACTIVATIONS: activation_layers,
    }
    parts = []
    for kind in kinds:
        layers = _layers(rows, kind, wanted.get(kind, ()))
        if kind in (SKETCH, ACTIVATIONS):
            parts += [Part(kind, (layer,), 0) for layer in layers]
        elif kind == NORMS and layers:
            parts.append(Part(kind, layers, 0))
        elif kind not in wanted and has(rows, _COLUMN[kind]):
            parts.append(Part(kind, (), 0))
    sized = [dataclasses.replace(part, width=_width(part, rows)) for part in parts]
    return [part for part in sized if part.width and not _has_too_many_columns(part)]


_COLUMN = {OUTPUTS: "logits", LOSS: "loss", LABEL: "label"}


def _layers(rows: Signals, kind: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Sorted by the order in which the rows have them."""
    found: Mapping[str, object] = getattr(rows, kind) if kind not in _COLUMN else {}
    return tuple(layer for layer in found if not wanted or layer in wanted)


def _has_too_many_columns(part: Part) -> bool:
    return part.kind == LABEL and part.width > _MAX_CLASS_COLUMNS


def _width(part: Part, rows: Signals) -> int:
    """Numbers of a row that the part is made of; 0 where something is missing."""
    if part.kind == OUTPUTS:
        return 0 if rows.logits is None else rows.logits.shape[1]
    if part.kind == LOSS:
        return int(rows.loss is not None)
    if part.kind == LABEL:
        return _label_width(rows)
    found: Mapping[str, NDArray[np.float32]] = getattr(rows, part.kind)
    if any(layer not in found for layer in part.layers):
        return 0
    if part.kind == NORMS:
        return len(part.layers)
    return int(found[part.layers[0]].shape[1])


def _label_width(rows: Signals) -> int:
    if rows.label is None:
        return 0
    if rows.label.ndim == 2:
        return int(rows.label.shape[1])
    # How many classes there are, the logits say where they are seen; rows may lack the last.
    known = rows.label.max(initial=0) + 1 if rows.logits is None else rows.logits.shape[1]
    return max(int(known), 2)


def _are_classes(part: Part, rows: Signals) -> bool:
    """Whether the part is the class, of which the highest number may differ."""
    return part.kind == LABEL and rows.label is not None and rows.label.ndim == 1


def _magnitudes(part: Part, rows: Signals) -> NDArray[np.float64]:
    """What enters by its logarithm, [n, m], 0 or more."""
    if part.kind == LOSS:
        return required_loss(rows).astype(np.float64)[:, None]
    if part.kind == NORMS:
        norms = np.stack([rows.gradient_norms[layer] for layer in part.layers], axis=1)
        return _with_total(np.ascontiguousarray(norms, np.float64))
    if part.kind == SKETCH:
        return _length(_sketch(part, rows))
    return np.empty((len(rows), 0))


def _columns(
    part: Part, rows: Signals, floors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The columns that bend, and the others, [n, b] and [n, c]."""
    magnitudes = np.maximum(_magnitudes(part, rows), floors)
    logs = np.log(magnitudes)
    none = np.empty((len(rows), 0))
    if part.kind == LOSS:
        return _loss_columns(rows, magnitudes, logs), none
    if part.kind == NORMS:
        return logs, none
    if part.kind == SKETCH:
        return logs, _sketch(part, rows) / magnitudes * np.sqrt(part.width)
    if part.kind == ACTIVATIONS:
        return none, np.ascontiguousarray(rows.activations[part.layers[0]], np.float64)
    if part.kind == LABEL:
        return none, _label_columns(part, rows)
    return _output_columns(rows)


def _loss_columns(
    rows: Signals, loss: NDArray[np.float64], log_loss: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The logarithm of the loss, and for -log p that of p's odds."""
    if rows.task == config_pb2.REGRESSION:
        return log_loss
    # p = exp(-l) has the odds 1 / (exp(l) - 1).
    log_odds = -loss - np.log(-np.expm1(-loss))
    return np.concatenate([log_loss, log_odds], axis=1)


def _output_columns(rows: Signals) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if rows.task in (config_pb2.BINARY, config_pb2.MULTICLASS):
        logits = class_logits(rows)
        probabilities = class_probabilities(logits)
        top = probabilities.log_odds().max(axis=1, keepdims=True)
        bent = np.concatenate([top, log_entropy(probabilities)[:, None]], axis=1)
    else:
        logits = np.ascontiguousarray(required_logits(rows), np.float64)
        bent = np.empty((len(rows), 0))
    kept = min(logits.shape[1], _SORTED_COLUMNS)
    largest = -np.sort(-logits, axis=1)[:, :kept]
    if logits.shape[1] > _MAX_CLASS_COLUMNS:
        return bent, largest
    return bent, np.concatenate([logits, largest], axis=1)


def _label_columns(part: Part, rows: Signals) -> NDArray[np.float64]:
    label = required_label(rows)
    if label.ndim == 2:
        return np.ascontiguousarray(label, np.float64)
    is_class: NDArray[np.bool_] = label.astype(np.int64)[:, None] == np.arange(part.width)
    return is_class.astype(np.float64)


def _with_total(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each layer's norm, and that of all of them together."""
    return np.concatenate([norms, _length(norms)], axis=1)


def _sketch(part: Part, rows: Signals) -> NDArray[np.float64]:
    return np.ascontiguousarray(rows.gradient_sketches[part.layers[0]], np.float64)


def _length(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Euclidean norm of each row, [n, 1]."""
    length: NDArray[np.float64] = np.sqrt((values * values).sum(axis=1, keepdims=True))
    return length


def _with_bends(
    bent: NDArray[np.float64], others: NDArray[np.float64], bends: NDArray[np.float64]
) -> NDArray[np.float64]:
    above = np.maximum(bent[:, :, None] - bends, 0).reshape(len(bent), bends.size)
    return np.concatenate([bent, above, others], axis=1)


def _smallest_positive(blocks: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Of each column; 1 where none is positive."""
    values = np.concatenate(blocks)
    smallest = np.where(values > 0, values, np.inf).min(axis=0, initial=np.inf)
    floors: NDArray[np.float64] = np.where(np.isfinite(smallest), smallest, 1.0)
    return floors


def _blocks(rows: Signals) -> Iterator[Signals]:
    """The rows in parts, so that what is computed on the way stays small."""
    bare = dataclasses.replace(rows, units=None, weight=None, slices={}, inputs={})
    for start in range(0, len(rows), _BLOCK_ROWS):
        yield bare.take(np.arange(start, min(start + _BLOCK_ROWS, len(rows))))
