"""The .npy files of judged records, filled bucket by bucket."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from tfx_privacy.evaluation.class_rows import has_classes
from tfx_privacy.evaluation.privacy_meter_counts import RiskCounts
from tfx_privacy.evaluation.privacy_meter_features import FeatureLayout, FeatureLengths
from tfx_privacy.evaluation.privacy_meter_rows import JudgedRows, read_judged, signals_of
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.table import TableDescription

_INPUTS = ("inputs",)


@dataclasses.dataclass(frozen=True)
class JudgedTable:
    """Where judged records are found.

    Attributes:
      signals_dir: The signals table, with its rows.
      table: Its description.
      record_risk_dir: The record-risk table of the same records.
    """

    signals_dir: str
    table: TableDescription
    record_risk_dir: str


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
      shapes: By the name of a file its shape.
      features: The columns of the features; None where there are none.
      counts: Records by membership probability; None where there is none.
    """

    shapes: dict[str, tuple[int, ...]]
    features: FeatureLayout | None
    counts: RiskCounts | None


def probabilities_file(*, is_member: bool) -> str:
    """The file of the membership probabilities of a side."""
    return "member_probs.npy" if is_member else "nonmember_probs.npy"


def side_file(what: str, *, is_member: bool) -> str:
    """The file of the "ids", "features" or "labels" of a side."""
    return f"{'m' if is_member else 'nm'}_{what}.npy"


def write_arrays(folder: Path, source: JudgedTable, prior: float | None) -> Written:
    """Writes ids, probabilities, features and labels, as far as there are any.

    One bucket's ids, labels and probabilities are in memory at a time, and a part of
    its features.

    Args:
      folder: A local folder.
      source: The records.
      prior: The share of members that the risks are stated for; None where the
        record-risk table has no risk.

    Raises:
      InputError: If the tables cannot be read, or do not belong together.
    """
    rows, features = _measured(source)
    files = _Files(folder)
    for is_member in (True, False):
        _make_files(files, rows[is_member], features, source.table, prior, is_member=is_member)
    counts = None if prior is None else RiskCounts(prior)
    start = {True: 0, False: 0}
    for bucket in range(source.table.buckets):
        judged = read_judged(source.record_risk_dir, bucket)
        place = judged.place + np.where(judged.member, start[True], start[False])
        labels = _write_signals(files, source, bucket, judged, place, features)
        _put(files, "ids", judged.member, place, judged.hex_ids)
        if counts is not None and judged.risk is not None:
            for is_member, side in _sides(judged.member):
                name = probabilities_file(is_member=is_member)
                files.put(name, place[side], judged.risk[side, None])
            classes = labels if has_classes(source.table.task) else None
            counts.add(judged.risk, judged.member, classes)
        for is_member, side in _sides(judged.member):
            start[is_member] += int(side.sum())
    return Written(files.shapes, features, counts)


class _Files:
    """Arrays in files, of which a part is in memory while it is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.shapes: dict[str, tuple[int, ...]] = {}

    def make(self, name: str, shape: tuple[int, ...], dtype: type[np.generic] | str) -> None:
        """Makes a file of a shape."""
        path = str(self._folder / name)
        if 0 in shape:
            # Of no bytes there is no memory map.
            np.save(path, np.empty(shape, dtype))
        else:
            open_memmap(path, "w+", np.dtype(dtype), shape)
        self.shapes[name] = shape

    def put(self, name: str, rows: NDArray[np.int64], values: NDArray[np.generic]) -> None:
        """Fills rows of a file."""
        if values.size:
            open_memmap(str(self._folder / name), "r+")[rows] = values


def _make_files(
    files: _Files,
    rows: int,
    features: FeatureLayout | None,
    table: TableDescription,
    prior: float | None,
    *,
    is_member: bool,
) -> None:
    files.make(side_file("ids", is_member=is_member), (rows,), "U32")
    if prior is not None:
        files.make(probabilities_file(is_member=is_member), (rows, 1), np.float64)
    if table.has_label:
        name = side_file("labels", is_member=is_member)
        files.make(name, *_label_form(table, rows))
    if features is not None:
        name = side_file("features", is_member=is_member)
        files.make(name, (rows, features.columns), np.float32)


def _label_form(
    table: TableDescription, rows: int
) -> tuple[tuple[int, ...], type[np.int64] | type[np.float32]]:
    """The shape and type of the labels of so many rows."""
    if table.label_width:
        return (rows, table.label_width), np.float32
    return (rows,), np.int64


def _measured(source: JudgedTable) -> tuple[dict[bool, int], FeatureLayout | None]:
    """How many judged members and non-members there are, and the columns of their features."""
    inputs = source.table.input_features
    lengths = FeatureLengths(inputs)
    rows = {True: 0, False: 0}
    for bucket in range(source.table.buckets):
        judged = read_judged(source.record_risk_dir, bucket)
        for is_member, side in _sides(judged.member):
            rows[is_member] += int(side.sum())
        if inputs:
            for _, batch in signals_of(judged, source.signals_dir, source.table, bucket, _INPUTS):
                lengths.count(batch.inputs)
    return rows, lengths.layout() if inputs else None


def _write_signals(
    files: _Files,
    source: JudgedTable,
    bucket: int,
    judged: JudgedRows,
    place: NDArray[np.int64],
    features: FeatureLayout | None,
) -> NDArray[np.int64] | None:
    """Writes labels and features of a bucket; returns the labels where they are classes."""
    table = source.table
    columns = [*(["label"] if table.has_label else []), *(_INPUTS if features else [])]
    shape, dtype = _label_form(table, len(judged))
    labels = np.empty(shape, dtype)
    if columns:
        for index, batch in signals_of(judged, source.signals_dir, table, bucket, columns):
            if batch.label is not None:
                labels[index] = batch.label
            if features is not None:
                _write_features(files, features, batch, place[index])
    if not table.has_label:
        return None
    _put(files, "labels", judged.member, place, labels)
    return None if table.label_width else labels.astype(np.int64, copy=False)


def _write_features(
    files: _Files, features: FeatureLayout, batch: Signals, place: NDArray[np.int64]
) -> None:
    for first in range(0, len(batch), features.rows_a_part):
        rows = np.arange(first, min(first + features.rows_a_part, len(batch)))
        part = batch.take(rows)
        matrix = features.matrix(part.inputs, len(part))
        _put(files, "features", part.member, place[rows], matrix)


def _put(
    files: _Files,
    what: str,
    member: NDArray[np.bool_],
    place: NDArray[np.int64],
    values: NDArray[np.generic],
) -> None:
    """Puts rows of both sides into the side's file."""
    for is_member, side in _sides(member):
        files.put(side_file(what, is_member=is_member), place[side], values[side])


def _sides(member: NDArray[np.bool_]) -> tuple[tuple[bool, NDArray[np.bool_]], ...]:
    return ((True, member), (False, ~member))
