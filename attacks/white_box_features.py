"""Features of white-box signals on the scale of the FIT rows, for logistic regression and trees.

Gradients span many orders of magnitude and members' are the smaller ones, so norms
enter by their logarithms, with bends (see feature_map.py): each layer's, that of all
layers together, and for trees each layer's share of it. Of a sketch its length enters
in the same way, and its numbers divided by the root of the length: it has a sign and a
direction, in which classes lie, and rows with large gradients do not drown the others.
Numbers divided by the whole length said less, on a real model, and the sketch's rows,
columns and singular values nothing that its length does not. Activations enter as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.feature_map import FeatureMap
from tfx_privacy.attacks.gradient_norm import total_norm
from tfx_privacy.attacks.scaled_columns import ScaledColumns
from tfx_privacy.signals.batch import Signals

NORMS, SKETCHES, ACTIVATIONS = "gradient_norms", "gradient_sketches", "activations"

# Groups of columns.
_LOG_NORM, _LOG_NORMS, _LOG_SHARES = "log_norm", "log_norms", "log_shares"
_LOG_LENGTH, _LOG_LENGTHS, _ENTRIES = "log_length", "log_lengths", "entries"
_UNITS = "units"

# Groups of many columns of which no single one says much.
_WIDE = (_ENTRIES, _UNITS)

# With more layers than these, a layer by itself does not bend.
_MAX_BENT_LAYERS = 16

# What a norm below 0 counts as, below the smallest: planted.py plants such.
_NATS_BELOW = 10.0


@dataclasses.dataclass(frozen=True)
class LayerNumbers:
    """What is looked at of a layer's sketch or activation.

    Attributes:
      layer: Its name.
      width: How many numbers it has.
      kept: [k] int64, which of them are columns.
    """

    layer: str
    width: int
    kept: NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class WhiteBoxFeatures:
    """Standardised features of white-box signals; with those of the outputs, or without.

    Attributes:
      outputs: Of logits, loss and label; None where the attack does not look at them.
      norms: The layers whose gradients' norms it looks at.
      sketches: What it looks at of sketches.
      activations: What it looks at of activations.
      norm_floors: The smallest positive norm on FIT, of each layer, then of all.
      length_floors: The same of the lengths of sketches.
      columns: The scale of the columns of white-box signals.
      wide: [d] bool, which features are of groups of many columns of which no single one
        says much.
    """

    outputs: FeatureMap | None
    norms: tuple[str, ...]
    sketches: tuple[LayerNumbers, ...]
    activations: tuple[LayerNumbers, ...]
    norm_floors: NDArray[np.float64]
    length_floors: NDArray[np.float64]
    columns: ScaledColumns
    wide: NDArray[np.bool_]

    @staticmethod
    def fit(
        signals: Signals, seen: frozenset[str], most_columns: int, *, with_outputs: bool
    ) -> WhiteBoxFeatures:
        """Features of whatever is there of what is seen.

        Args:
          signals: FIT rows, at least one.
          seen: Of `WHITE_BOX`.
          most_columns: Of the numbers of all sketches so many at most are columns, evenly
            spaced; and of those of all activations.
          with_outputs: Whether logits, loss and label are looked at too.

        Raises:
          ValueError: If nothing of that is there.
        """
        norms = signals.gradient_norms if NORMS in seen else {}
        sketches = signals.gradient_sketches if SKETCHES in seen else {}
        activations = signals.activations if ACTIVATIONS in seen else {}
        if not (norms or sketches or activations):
            raise ValueError(
                f"found signals without {' and '.join(sorted(seen))}, which this attack needs"
            )
        raw = WhiteBoxFeatures(
            outputs=FeatureMap.fit(signals) if with_outputs else None,
            norms=tuple(norms),
            sketches=_spaced(sketches, most_columns),
            activations=_spaced(activations, most_columns),
            norm_floors=np.ones(len(norms) + 1),
            length_floors=np.ones(len(sketches) + 1),
            columns=_NO_COLUMNS,
            wide=np.empty(0, np.bool_),
        )
        raw = dataclasses.replace(
            raw,
            norm_floors=_smallest_positive(raw.all_norms, signals),
            length_floors=_smallest_positive(raw.lengths, signals),
        )
        groups = {
            name: values.shape[1] for name, values in raw.groups(signals.take(np.arange(1))).items()
        }
        columns = ScaledColumns.of(in_blocks(raw.unscaled, signals), groups, _bent(raw), {})
        wide = np.zeros(len(columns.scale), np.bool_)
        wide[: sum(groups.values())] = np.repeat(
            [name in _WIDE for name in groups], list(groups.values())
        )
        of_outputs = 0 if raw.outputs is None else len(raw.outputs.columns.scale)
        wide = np.concatenate([np.zeros(of_outputs, np.bool_), wide])
        return dataclasses.replace(raw, columns=columns, wide=wide)

    @property
    def limit(self) -> float:
        """No feature is larger than this."""
        return max(self.columns.limit, 0.0 if self.outputs is None else self.outputs.limit)

    def __call__(self, signals: Signals) -> NDArray[np.float64]:
        """The features of n rows, [n, d] float64.

        Raises:
          ValueError: If the rows lack a layer, or have more or less of it.
        """
        self._check(signals)
        return in_blocks(self._scaled, signals)

    def groups(self, signals: Signals) -> dict[str, NDArray[np.float64]]:
        """The columns of white-box signals before scaling, in groups, each [n, columns]."""
        groups: dict[str, NDArray[np.float64]] = {}
        if self.norms:
            logs = _log(self.all_norms(signals), self.norm_floors)
            groups[_LOG_NORM] = logs[:, -1:]
            # Of a single layer they would say the same, but for rounding.
            if len(self.norms) > 1:
                groups |= {_LOG_NORMS: logs[:, :-1], _LOG_SHARES: logs[:, :-1] - logs[:, -1:]}
        if self.sketches:
            lengths = np.maximum(self.lengths(signals), self.length_floors)
            logs = _log(lengths, self.length_floors)
            groups[_LOG_LENGTH] = logs[:, -1:]
            if len(self.sketches) > 1:
                groups[_LOG_LENGTHS] = logs[:, :-1]
            groups[_ENTRIES] = np.concatenate(
                [
                    signals.gradient_sketches[one.layer][:, one.kept] / np.sqrt(lengths[:, [place]])
                    for place, one in enumerate(self.sketches)
                ],
                axis=1,
            )
        if self.activations:
            units = [signals.activations[one.layer][:, one.kept] for one in self.activations]
            groups[_UNITS] = np.concatenate(units, axis=1).astype(np.float64)
        return groups

    def unscaled(self, signals: Signals) -> NDArray[np.float64]:
        """The groups side by side, [n, c]."""
        return np.concatenate(list(self.groups(signals).values()), axis=1)

    def all_norms(self, signals: Signals) -> NDArray[np.float64]:
        """Of the gradient of each layer, then of all together, [n, layers + 1]."""
        norms = {layer: signals.gradient_norms[layer] for layer in self.norms}
        columns = [norm.astype(np.float64) for norm in norms.values()]
        total = total_norm(norms) if norms else np.zeros(len(signals))
        return np.stack([*columns, total], axis=1)

    def lengths(self, signals: Signals) -> NDArray[np.float64]:
        """Of the sketch of each layer, then of all together, [n, layers + 1]."""
        squares = np.zeros((len(signals), len(self.sketches) + 1))
        for place, one in enumerate(self.sketches):
            # One row's numbers side by side: so the order of a sum does not hang on the batch.
            entries = np.ascontiguousarray(signals.gradient_sketches[one.layer], np.float64)
            squares[:, place] = (entries * entries).sum(axis=1)
            squares[:, -1] += squares[:, place]
        return np.sqrt(squares)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything in it, as arrays."""
        arrays: dict[str, NDArray[np.generic]] = {
            "norm_layers": np.array(self.norms, np.str_),
            "norm_floors": self.norm_floors,
            "length_floors": self.length_floors,
            "wide": self.wide,
            **self.columns.arrays(),
        }
        for kind, numbers in ((SKETCHES, self.sketches), (ACTIVATIONS, self.activations)):
            arrays[kind] = np.array([one.layer for one in numbers], np.str_)
            for place, one in enumerate(numbers):
                arrays[f"{kind}_{place}"] = np.append(one.width, one.kept)
        if self.outputs is not None:
            named = self.outputs.arrays().items()
            arrays |= {f"{_OUTPUTS}{name}": array for name, array in named}
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> WhiteBoxFeatures:
        """The features that `arrays` came from; further arrays are left alone."""
        of_outputs = {
            name.removeprefix(_OUTPUTS): array
            for name, array in arrays.items()
            if name.startswith(_OUTPUTS)
        }
        numbers = {
            kind: tuple(
                LayerNumbers(layer, int(found[0]), found[1:])
                for place, layer in enumerate(arrays[kind].tolist())
                for found in [arrays[f"{kind}_{place}"]]
            )
            for kind in (SKETCHES, ACTIVATIONS)
        }
        return WhiteBoxFeatures(
            outputs=FeatureMap.from_arrays(of_outputs) if of_outputs else None,
            norms=tuple(arrays["norm_layers"].tolist()),
            sketches=numbers[SKETCHES],
            activations=numbers[ACTIVATIONS],
            norm_floors=arrays["norm_floors"],
            length_floors=arrays["length_floors"],
            columns=ScaledColumns.from_arrays(arrays),
            wide=arrays["wide"],
        )

    def _scaled(self, signals: Signals) -> NDArray[np.float64]:
        scaled = self.columns.scaled(self.unscaled(signals))
        if self.outputs is None:
            return scaled
        return np.concatenate([self.outputs(signals), scaled], axis=1)

    def _check(self, signals: Signals) -> None:
        """Raises ValueError where the rows are of another kind than those of `fit`."""
        _require(NORMS, dict.fromkeys(self.norms, 1), signals.gradient_norms)
        _require(SKETCHES, _widths(self.sketches), signals.gradient_sketches)
        _require(ACTIVATIONS, _widths(self.activations), signals.activations)


_OUTPUTS = "outputs_"

_NO_COLUMNS = ScaledColumns(
    np.empty(0, np.int64), np.empty((0, 5)), np.empty(0), np.empty(0), np.empty(0)
)


def _bent(features: WhiteBoxFeatures) -> tuple[str, ...]:
    bent = [_LOG_NORM, _LOG_LENGTH]
    if len(features.norms) <= _MAX_BENT_LAYERS:
        bent.append(_LOG_NORMS)
    if len(features.sketches) <= _MAX_BENT_LAYERS:
        bent.append(_LOG_LENGTHS)
    return tuple(bent)


def _log(values: NDArray[np.float64], floors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms; what is below the floor counts as the floor, and below 0 as less."""
    logs: NDArray[np.float64] = np.log(np.maximum(values, floors))
    return logs - _NATS_BELOW * (values < 0)


def _smallest_positive(
    function: Callable[[Signals], NDArray[np.float64]], signals: Signals
) -> NDArray[np.float64]:
    """Of each column; 1 where none is positive."""
    values = in_blocks(function, signals)
    smallest = np.where(values > 0, values, np.inf).min(axis=0)
    return np.where(np.isfinite(smallest), smallest, 1.0)


def _spaced(layers: Mapping[str, NDArray[np.float32]], most: int) -> tuple[LayerNumbers, ...]:
    """So many numbers at most of all layers together, evenly spaced, each layer the same share."""
    widths = {layer: values.shape[1] for layer, values in layers.items()}
    share = min(most / max(sum(widths.values()), 1), 1.0)
    return tuple(
        LayerNumbers(layer, width, np.linspace(0, width - 1, kept).round().astype(np.int64))
        for layer, width in widths.items()
        for kept in [max(int(share * width), 1)]
    )


def _widths(numbers: tuple[LayerNumbers, ...]) -> dict[str, int]:
    return {one.layer: one.width for one in numbers}


def _require(
    kind: str, expected: Mapping[str, int], found: Mapping[str, NDArray[np.float32]]
) -> None:
    widths = {layer: 1 if found[layer].ndim == 1 else found[layer].shape[1] for layer in found}
    for layer, width in expected.items():
        if widths.get(layer) != width:
            there = ", ".join(f"{name!r} ({number})" for name, number in widths.items())
            raise ValueError(
                f"found {kind} of {there or 'no layer'}; the attack was fitted on those of "
                f"{layer!r}, {width} to a row"
            )
