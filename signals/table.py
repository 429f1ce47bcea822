"""The signals table: its columns, and the description that lies beside its rows.

A table is a folder of Parquet files and `table.json`. Rows lie in hash buckets, of
units where there are units and of ids otherwise, so that all rows of an id are in
one bucket and a bucket fits into memory.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.inputs import InputFeature, input_type
from tfx_privacy.signals.reference_columns import (
    reference_arrays,
    reference_fields,
    references_from,
)
from tfx_privacy.signals.reference_signals import ReferenceLayout
from tfx_privacy.signals.white_box_layout import WhiteBoxLayout

SCHEMA_VERSION = 5
DESCRIPTION_NAME = "table.json"
_SLICE_PREFIX = "slice:"
_INPUT_PREFIX = "input:"
_NORM_PREFIX = "gradient_norm:"
_SKETCH_PREFIX = "gradient_sketch:"
_ACTIVATION_PREFIX = "activation:"


@dataclasses.dataclass(frozen=True)
class TableLayout:
    """What is known of a table before its first row: its columns and their meaning.

    Attributes:
      task: What the model answers.
      output_kind: What the model's output holds.
      output_width: Columns of `logits`; 0 where there are none.
      logits_source: Where the logits came from, in words.
      label_vocabulary: The classes' names, or ().
      label_width: Numbers in a label; 0 where it is a class.
      slice_features: The features that rows keep the values of.
      input_features: The features that rows keep as inputs: names, and "number" or
        "word".
      has_label: Whether there is a `label` column.
      has_logits: Whether there is a `logits` column.
      has_loss: Whether there is a `loss` column.
      has_entropy: Whether there is an `entropy` column.
      has_units: Whether there is a `unit` column.
      has_weight: Whether there is a `weight` column.
      white_box: The white-box columns; None where there are none.
      references: What there is of reference models; None where there is nothing. It lies
        in files of its own, row by row beside the table's.
    """

    task: config_pb2.Task.ValueType
    output_kind: config_pb2.OutputKind.ValueType
    output_width: int
    logits_source: str
    label_vocabulary: tuple[str, ...]
    label_width: int
    slice_features: tuple[str, ...]
    input_features: tuple[InputFeature, ...]
    has_label: bool
    has_logits: bool
    has_loss: bool
    has_units: bool
    has_weight: bool
    has_entropy: bool = dataclasses.field(default=False, kw_only=True)
    white_box: WhiteBoxLayout | None = dataclasses.field(default=None, kw_only=True)
    references: ReferenceLayout | None = dataclasses.field(default=None, kw_only=True)


@dataclasses.dataclass(frozen=True)
class IdentityDescription:
    """How the ids of a table were made. Tables relate only where this is equal.

    Attributes:
      kind: "content" (a digest of the example), "key" (of the key feature) or
        "row" (side and row number).
      feature: The key feature; empty for other kinds.
      features_digest: For "content", a digest of the names and types of the
        features that the examples have; it tells raw from transformed ones.
      unit_feature: The unit feature; empty where there is none.
      checks_duplicates: Whether equal ids mean equal rows.
    """

    kind: str
    feature: str = ""
    features_digest: str = ""
    unit_feature: str = ""
    checks_duplicates: bool = True

    def in_words(self) -> str:
        """The description as one line for a report."""
        words = {
            "content": f"digest of the example's content (features {self.features_digest})",
            "key": f"digest of the key feature {self.feature!r}",
            "row": "side and row number; duplicates are not checked",
        }[self.kind]
        return f"{words}; unit {self.unit_feature!r}" if self.unit_feature else words


@dataclasses.dataclass(frozen=True)
class SplitRows:
    """How many rows a split has."""

    split: str
    is_member: bool
    rows: int


@dataclasses.dataclass(frozen=True)
class TableFile:
    """One Parquet file of a table: its name in the folder, its bucket and its rows."""

    name: str
    bucket: int
    rows: int


@dataclasses.dataclass(frozen=True)
class TableDescription(TableLayout):
    """All that `table.json` holds.

    Attributes:
      identity: How the ids were made.
      splits: The rows of each split.
      buckets: How many buckets there are, some of which may have no file.
      files: The files, sorted by bucket.
      input_bytes: What the inputs of all rows take in memory.
      schema_version: Version of this description and of the columns.
    """

    identity: IdentityDescription
    splits: tuple[SplitRows, ...]
    buckets: int
    files: tuple[TableFile, ...]
    input_bytes: int = 0
    schema_version: int = SCHEMA_VERSION

    @property
    def members(self) -> int:
        """Rows of members."""
        return sum(split.rows for split in self.splits if split.is_member)

    @property
    def nonmembers(self) -> int:
        """Rows of non-members."""
        return sum(split.rows for split in self.splits if not split.is_member)

    def to_json(self) -> str:
        """The description as indented JSON."""
        content = dataclasses.asdict(self)
        content["task"] = config_pb2.Task.Name(self.task)
        content["output_kind"] = config_pb2.OutputKind.Name(self.output_kind)
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> TableDescription:
        """Reads what `to_json` wrote.

        Raises:
          InputError: If it is of another version, or no description.
        """
        try:
            content: dict[str, Any] = json.loads(text)
            version = content["schema_version"]
            if version != SCHEMA_VERSION:
                raise InputError(
                    f"the signals table has schema version {version}: expected {SCHEMA_VERSION}; "
                    "it was written by another version of tfx-privacy"
                )
            content["task"] = config_pb2.Task.Value(content["task"])
            content["output_kind"] = config_pb2.OutputKind.Value(content["output_kind"])
            content["identity"] = IdentityDescription(**content["identity"])
            content["splits"] = tuple(SplitRows(**split) for split in content["splits"])
            content["files"] = tuple(TableFile(**file) for file in content["files"])
            for name in ("label_vocabulary", "slice_features"):
                content[name] = tuple(content[name])
            content["input_features"] = tuple(map(tuple, content["input_features"]))
            if content["white_box"] is not None:
                content["white_box"] = WhiteBoxLayout.from_json_content(content["white_box"])
            if content["references"] is not None:
                content["references"] = ReferenceLayout(**content["references"])
            return cls(**content)
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise InputError(f"not the description of a signals table: {error!r}") from error


def arrow_schema(layout: TableLayout) -> pa.Schema:
    """The columns of a table's rows, those of reference models among them.

    A table's own Parquet files are written without the latter.
    """
    has_class = layout.label_width == 0
    optional = [
        (layout.has_units, "unit", pa.binary(16)),
        (layout.has_label, "label", pa.int64() if has_class else _floats(layout.label_width)),
        (layout.has_logits, "logits", _floats(layout.output_width)),
        (layout.has_loss, "loss", pa.float32()),
        (layout.has_entropy, "entropy", pa.float32()),
        (layout.has_weight, "weight", pa.float32()),
    ]
    fields = [
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("member", pa.bool_(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        *(pa.field(name, kind, nullable=False) for there, name, kind in optional if there),
        *(
            pa.field(slice_column(feature), pa.list_(pa.string()), nullable=False)
            for feature in layout.slice_features
        ),
        *(
            pa.field(input_column(name), input_type(kind), nullable=False)
            for name, kind in layout.input_features
        ),
        *(pa.field(name, kind, nullable=False) for name, kind in _white_box_fields(layout)),
        *reference_fields(layout.references),
    ]
    return pa.schema(fields)


def white_box_columns(layout: TableLayout) -> list[str]:
    """Names of the columns of gradient norms, gradient sketches and activations."""
    return [name for name, _ in _white_box_fields(layout)]


def _white_box_fields(layout: TableLayout) -> list[tuple[str, pa.DataType]]:
    found = layout.white_box
    if found is None:
        return []
    return [
        *((_NORM_PREFIX + layer, pa.float32()) for layer in found.norm_layers),
        *((_SKETCH_PREFIX + layer, _floats(found.sketch_size)) for layer in found.sketch_layers),
        *(
            (_ACTIVATION_PREFIX + layer, _floats(width))
            for layer, width in found.activation_widths.items()
        ),
    ]


def slice_column(feature: str) -> str:
    """The column of a feature's slice words."""
    return _SLICE_PREFIX + feature


def input_column(feature: str) -> str:
    """The column of a feature that is an input."""
    return _INPUT_PREFIX + feature


def to_record_batch(signals: Signals, split: str, schema: pa.Schema) -> pa.RecordBatch:
    """Rows of one split as a batch of a table's columns."""
    made = {
        "id": lambda: ids_to_arrow(signals.ids),
        "member": lambda: pa.array(signals.member),
        "split": lambda: pa.array([split], pa.string()).take(pa.array(np.zeros(len(signals), int))),
        "unit": lambda: ids_to_arrow(_there(signals.units, "unit")),
        "label": lambda: _numbers_to_arrow(_there(signals.label, "label")),
        "logits": lambda: _numbers_to_arrow(_there(signals.logits, "logits")),
        "loss": lambda: _numbers_to_arrow(_there(signals.loss, "loss")),
        "entropy": lambda: _numbers_to_arrow(_there(signals.entropy, "entropy")),
        "weight": lambda: _numbers_to_arrow(_there(signals.weight, "weight")),
    }
    lists = {
        **{slice_column(feature): values for feature, values in signals.slices.items()},
        **{input_column(feature): values for feature, values in signals.inputs.items()},
        **_white_box_arrays(signals, set(schema.names)),
        **({} if signals.references is None else reference_arrays(signals.references)),
    }
    columns = [lists[name] if name in lists else made[name]() for name in schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _white_box_arrays(signals: Signals, wanted: Collection[str]) -> dict[str, pa.Array]:
    columns = {
        **{_NORM_PREFIX + layer: values for layer, values in signals.gradient_norms.items()},
        **{_SKETCH_PREFIX + layer: values for layer, values in signals.gradient_sketches.items()},
        **{_ACTIVATION_PREFIX + layer: values for layer, values in signals.activations.items()},
    }
    return {name: _numbers_to_arrow(values) for name, values in columns.items() if name in wanted}


def from_table(rows: pa.Table, layout: TableLayout) -> Signals:
    """The signals in rows of a table, of whichever columns were read; id and member always."""

    def column(name: str) -> pa.Array | None:
        return _one_array(rows.column(name)) if name in rows.column_names else None

    def numbers(name: str) -> NDArray[Any] | None:
        found = column(name)
        return None if found is None else _numbers_from_arrow(found)

    units = column("unit")
    slices = {feature: column(slice_column(feature)) for feature in layout.slice_features}
    inputs = {feature: column(input_column(feature)) for feature, _ in layout.input_features}
    white_box = layout.white_box

    def of_layers(prefix: str, layers: Collection[str]) -> dict[str, NDArray[np.float32]]:
        found = {layer: numbers(prefix + layer) for layer in layers}
        return {layer: values for layer, values in found.items() if values is not None}

    return Signals(
        task=layout.task,
        ids=ids_from_arrow(_one_array(rows.column("id"))),
        member=_one_array(rows.column("member")).to_numpy(zero_copy_only=False),
        label=numbers("label"),
        logits=numbers("logits"),
        loss=numbers("loss"),
        entropy=numbers("entropy"),
        units=None if units is None else ids_from_arrow(units),
        weight=numbers("weight"),
        slices={feature: values for feature, values in slices.items() if values is not None},
        inputs={feature: values for feature, values in inputs.items() if values is not None},
        gradient_norms=of_layers(_NORM_PREFIX, white_box.norm_layers if white_box else ()),
        gradient_sketches=of_layers(_SKETCH_PREFIX, white_box.sketch_layers if white_box else ()),
        activations=of_layers(_ACTIVATION_PREFIX, white_box.activation_widths if white_box else ()),
        references=references_from(column, layout.references),
    )


def ids_to_arrow(ids: NDArray[np.uint64]) -> pa.Array:
    """[n, 2] uint64 as 16 bytes a row, the first half first, each with its high byte first."""
    content = np.ascontiguousarray(ids, ">u8").tobytes()
    return pa.Array.from_buffers(pa.binary(16), len(ids), [None, pa.py_buffer(content)])


def ids_from_arrow(column: pa.Array) -> NDArray[np.uint64]:
    """What `ids_to_arrow` wrote, as [n, 2] uint64."""
    content = column.buffers()[1]
    words = np.frombuffer(content, ">u8", 2 * len(column), 16 * column.offset)
    return words.reshape(-1, 2).astype(np.uint64)


def _floats(width: int) -> pa.DataType:
    return pa.list_(pa.float32(), width)


def _there(value: NDArray[Any] | None, name: str) -> NDArray[Any]:
    if value is None:
        raise ValueError(f"the table has a column {name!r}, the rows to write do not")
    return value


def _numbers_to_arrow(values: NDArray[Any]) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _numbers_from_arrow(column: pa.Array) -> NDArray[Any]:
    if pa.types.is_fixed_size_list(column.type):
        return np.asarray(column.flatten().to_numpy().reshape(-1, column.type.list_size))
    return np.asarray(column.to_numpy())


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1 and column.chunk(0).offset == 0:
        return column.chunk(0)
    # A copy even of one: an array that starts within a buffer is easily read wrongly.
    return pa.concat_arrays(column.chunks)
