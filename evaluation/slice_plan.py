"""Which slices are measured, and how a worker finds the rows of each."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.attacks.correctness import Correctness
from tfx_privacy.metrics.counts import SliceKey
from tfx_privacy.metrics.loss_deciles import DECILES, choose_decile_edges, decile_of
from tfx_privacy.metrics.slice_totals import CHANCE_FROM
from tfx_privacy.metrics.slicing import (
    SIGNAL_FEATURES,
    FeatureValues,
    SliceRows,
    slice_rows,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.slices import class_slice_values
from tfx_privacy.signals.table import TableLayout

_CORRECTNESS_VALUES = ("wrong", "right")
# What each signal slice is made of.
_NEEDS: Mapping[config_pb2.SignalSlice.ValueType, tuple[str, ...]] = {
    config_pb2.CLASS: ("label",),
    config_pb2.LOSS_DECILE: ("loss",),
    config_pb2.CORRECTNESS: ("label", "logits"),
}


@dataclasses.dataclass(frozen=True)
class SlicePlan:
    """What a worker needs to know of slices: small values.

    Attributes:
      specs: What to slice by.
      label_vocabulary: The classes' names, or ().
      decile_edges: [9] float64, where tenths of the loss end; none where nobody asks.
      most: Slices that are measured, at most.
      first: Those that the FIT rows show, the one with the most rows first; at most
        `most`. Where there is room the slices that no FIT row is in come after them, by
        a hash of their keys: which of them does not depend on the order of rows.
    """

    specs: tuple[config_pb2.SlicingSpec, ...]
    label_vocabulary: tuple[str, ...]
    decile_edges: NDArray[np.float64]
    most: int
    first: tuple[SliceKey, ...]

    @staticmethod
    def prepare(
        specs: Iterable[config_pb2.SlicingSpec],
        most: int,
        fit: Signals,
        label_vocabulary: tuple[str, ...] = (),
    ) -> SlicePlan:
        """Chooses, on FIT rows, the deciles and which slices are measured.

        Args:
          specs: What to slice by.
          most: Slices to measure, at most.
          fit: FIT rows with label, logits, loss and slices.
          label_vocabulary: The classes' names, or ().
        """
        specs = tuple(specs)
        edges = np.empty(0, np.float64)
        if fit.loss is not None and any(config_pb2.LOSS_DECILE in spec.signals for spec in specs):
            edges = choose_decile_edges(fit.loss, fit.member)
        plan = SlicePlan(specs, label_vocabulary, edges, most, ())
        found = plan.rows(fit)
        sizes = np.bincount(found.slices, minlength=len(found.keys)).tolist()
        order = sorted(range(len(found.keys)), key=lambda index: (-sizes[index], found.keys[index]))
        return dataclasses.replace(plan, first=tuple(found.keys[index] for index in order[:most]))

    def rows(self, batch: Signals) -> SliceRows:
        """Which rows of a batch are in which slice."""
        features = {name: _feature_values(column) for name, column in batch.slices.items()}
        for signal in {signal for spec in self.specs for signal in spec.signals}:
            features[SIGNAL_FEATURES[signal]] = self._signal_values(signal, batch)
        return slice_rows(self.specs, features)

    def numbers(self, keys: Sequence[SliceKey]) -> NDArray[np.uint64]:
        """The number of each slice; those with the smallest are measured. See SliceTotals."""
        return np.array([self._number(key) for key in keys], np.uint64)

    def _number(self, key: SliceKey) -> int:
        place = self._places.get(key)
        if place is not None:
            return place
        digest = hashlib.blake2b(json.dumps(key).encode(), digest_size=8).digest()
        return CHANCE_FROM | int.from_bytes(digest, "little")

    @functools.cached_property
    def _places(self) -> dict[SliceKey, int]:
        return {key: place for place, key in enumerate(self.first)}

    def _signal_values(
        self, signal: config_pb2.SignalSlice.ValueType, batch: Signals
    ) -> FeatureValues:
        if signal == config_pb2.LOSS_DECILE:
            assert batch.loss is not None, "checked by require_signals"
            # Without FIT rows there are no tenths, and no row is in one.
            in_some = bool(len(self.decile_edges)) * len(batch)
            codes = decile_of(batch.loss[:in_some], self.decile_edges)
            return _one_value_each(codes, len(batch), DECILES)
        if signal == config_pb2.CORRECTNESS:
            codes = _is_right(batch).astype(np.int64)
            return _one_value_each(codes, len(batch), _CORRECTNESS_VALUES)
        assert batch.label is not None, "checked by require_signals"
        return _feature_values(class_slice_values(batch.label, batch.task, self.label_vocabulary))


def require_signals(specs: Sequence[config_pb2.SlicingSpec], layout: TableLayout) -> None:
    """Raises InputError where slices are asked for that such signals cannot make."""
    require_task(specs, layout.task)
    has = {"label": layout.has_label, "logits": layout.has_logits, "loss": layout.has_loss}
    for index, spec in enumerate(specs):
        for signal in spec.signals:
            missing = [column for column in _NEEDS[signal] if not has[column]]
            if missing:
                raise InputError(
                    f"slicing_specs[{index}] asks for slices by "
                    f"{config_pb2.SignalSlice.Name(signal)}, but of these records no "
                    f"{' and no '.join(missing)} is known; expected {' and '.join(_NEEDS[signal])}"
                )


def require_task(specs: Iterable[config_pb2.SlicingSpec], task: config_pb2.Task.ValueType) -> None:
    """Raises InputError where slices are asked for that no model of the task has."""
    if task != config_pb2.REGRESSION:
        return
    for index, spec in enumerate(specs):
        for signal in spec.signals:
            if signal != config_pb2.LOSS_DECILE:
                raise InputError(
                    f"slicing_specs[{index}] asks for slices by "
                    f"{config_pb2.SignalSlice.Name(signal)}, but the task is REGRESSION, which "
                    "has no classes and no right answers; expected LOSS_DECILE or features"
                )


def _is_right(batch: Signals) -> NDArray[np.bool_]:
    """Whether the model's answer is the label, all labels of it for MULTILABEL, [n] bool."""
    if batch.task != config_pb2.MULTILABEL:
        return Correctness().formula(batch) == 1
    assert batch.logits is not None, "checked by require_signals"
    assert batch.label is not None, "checked by require_signals"
    return np.asarray(((batch.logits > 0) == (batch.label == 1)).all(axis=1), np.bool_)


def _one_value_each(
    codes: NDArray[np.int64], rows: int, vocabulary: Sequence[str]
) -> FeatureValues:
    """One value for each row, or none at all for any of them."""
    offsets = np.minimum(np.arange(rows + 1, dtype=np.int64), len(codes))
    return FeatureValues(offsets, codes, vocabulary)


def _feature_values(column: pa.Array) -> FeatureValues:
    encoded = column.flatten().dictionary_encode()
    return FeatureValues(
        offsets=column.offsets.to_numpy().astype(np.int64),
        codes=encoded.indices.to_numpy().astype(np.int64),
        vocabulary=encoded.dictionary.to_pylist(),
    )
