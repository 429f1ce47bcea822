"""Saved predictions as a signals table: for models that only their answers are known of.

Needs neither Beam nor TensorFlow.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import files, identity, table_reader, table_writer
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.checks import require_finite
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.inputs import WORD, InputFeature, input_columns
from tfx_privacy.signals.labels import Labels, LabelSpec, labels_of_array
from tfx_privacy.signals.losses import losses
from tfx_privacy.signals.saved_files import SavedFile, open_saved
from tfx_privacy.signals.slices import class_slice_values, slice_values
from tfx_privacy.signals.table import IdentityDescription, TableDescription, TableLayout
from tfx_privacy.signals.target_output import logits_of_values, resolve_reading

LABEL, LOGITS, PROBABILITIES, LOSS, ID = "label", "logits", "probabilities", "loss", "id"
_PANDAS_INDEX_PREFIX = "__index_level_"


@dataclasses.dataclass(frozen=True)
class SavedPredictionsOptions:
    """How saved predictions are read.

    Attributes:
      task: What the model answers. Unspecified: found from the width of the output;
        MULTICLASS where there is only the loss.
      label_vocabulary: For string labels: the classes' names, in the order of the
        output's columns.
      slice_features: Columns that slices are made of; "label" stands for the class.
      unit_feature: The column that names the person behind a row; empty for none.
      inputs: The columns that are kept as inputs: those that are named, or else
        every column that means nothing else, is of numbers or strings, and of the
        same kind in both files; in both cases without those excluded. None for
        none. By default the index that pandas may add is left out too.
    """

    task: config_pb2.Task.ValueType = config_pb2.TASK_UNSPECIFIED
    label_vocabulary: tuple[str, ...] = ()
    slice_features: tuple[str, ...] = ()
    unit_feature: str = ""
    inputs: config_pb2.InputSpec | None = None


def write_saved_predictions_table(
    members_file: str, nonmembers_file: str, options: SavedPredictionsOptions, table_dir: str
) -> TableDescription:
    """Writes the signals table of saved predictions.

    The files are Parquet or .npz and have one of the columns `logits`,
    `probabilities` ([n, w], or [n] for a binary model) and `loss`; `label`, which
    may be missing beside `loss`; and if wanted `id` (integers or strings, a value
    of its own for every row). For the task REGRESSION `logits` holds predictions.

    Args:
      members_file: Predictions for examples that the model was trained on.
      nonmembers_file: Predictions for examples that it was not trained on.
      options: How they are read.
      table_dir: Where the table goes; a table that is there is replaced.

    Raises:
      InputError: If something is wrong with the files. No table is left then.
    """
    if _resolved(members_file) == _resolved(nonmembers_file):
        raise InputError(f"members and non-members are the same file: {members_file!r}")
    with open_saved(members_file) as members, open_saved(nonmembers_file) as nonmembers:
        _require_same_columns(members, nonmembers, options)
        source = _output_column(members)
        input_features = _input_features(members, nonmembers, options)
        layout = _layout(members, source, options, input_features)
        buckets = table_writer.buckets_for(members.rows + nonmembers.rows)
        with table_writer.removed_on_failure(table_dir):
            table_writer.remove_table(table_dir)
            with table_writer.TableWriter(table_dir, layout, buckets) as writer:
                for saved, name in ((members, "members"), (nonmembers, "non-members")):
                    for signals in _signals(saved, saved is members, source, layout, options):
                        writer.append(signals, name)
                written = writer.finish()
            description = table_writer.commit(
                table_dir, layout, _identity(members, options), buckets, [written]
            )
            if ID in members.names:
                table_reader.require_unique_ids(table_dir, description, f"column {ID!r}")
    return description


def _require_same_columns(
    members: SavedFile, nonmembers: SavedFile, options: SavedPredictionsOptions
) -> None:
    known = (LABEL, LOGITS, PROBABILITIES, LOSS, ID)
    for name in known:
        if (name in members.names) != (name in nonmembers.names):
            has, lacks = members, nonmembers
            if name in nonmembers.names:
                has, lacks = nonmembers, members
            raise InputError(
                f"{has.path!r} has a column {name!r} and {lacks.path!r} has none: expected it in "
                "both or in neither"
            )
    wanted = [*options.slice_features, *([options.unit_feature] if options.unit_feature else [])]
    for saved in (members, nonmembers):
        for name in wanted:
            if name not in saved.names:
                raise InputError(
                    f"{saved.path!r} has no column {name!r}, which the configuration names: "
                    f"found {', '.join(saved.names)}"
                )


def _output_column(saved: SavedFile) -> str:
    outputs = [name for name in (LOGITS, PROBABILITIES, LOSS) if name in saved.names]
    if len(outputs) != 1:
        raise InputError(
            f"{saved.path!r} has {' and '.join(outputs) or 'none'} of the columns {LOGITS}, "
            f"{PROBABILITIES} and {LOSS}: expected one of them. "
            f"Columns found: {', '.join(saved.names)}"
        )
    if LABEL not in saved.names and outputs[0] != LOSS:
        raise InputError(
            f"{saved.path!r} has no column {LABEL!r}: expected it beside {outputs[0]!r}. "
            f"Columns found: {', '.join(saved.names)}"
        )
    return outputs[0]


def _input_features(
    members: SavedFile, nonmembers: SavedFile, options: SavedPredictionsOptions
) -> tuple[InputFeature, ...]:
    if options.inputs is None:
        return ()
    excluded = set(options.inputs.excluded_feature_keys)
    named = set(options.inputs.feature_keys)
    if named:
        chosen = sorted(named - excluded)
        return tuple((name, _kind_of_named(name, members, nonmembers)) for name in chosen)
    both = set(members.names) & set(nonmembers.names)
    known = {LABEL, LOGITS, PROBABILITIES, LOSS, ID, options.unit_feature}
    chosen = sorted(
        name for name in both - known - excluded if not name.startswith(_PANDAS_INDEX_PREFIX)
    )
    kinds = {name: (members.input_kind(name), nonmembers.input_kind(name)) for name in chosen}
    return tuple((name, ours) for name, (ours, theirs) in kinds.items() if ours and ours == theirs)


def _kind_of_named(name: str, members: SavedFile, nonmembers: SavedFile) -> str:
    if name in (LOGITS, PROBABILITIES, LOSS):
        raise InputError(
            f"inputs.feature_keys names {name!r}, which is what the model answers: expected "
            "columns that an attacker knows without the model"
        )
    kinds = []
    for saved in (members, nonmembers):
        if name not in saved.names:
            raise InputError(
                f"inputs.feature_keys names {name!r}, which {saved.path!r} has no column of: "
                f"found {', '.join(saved.names)}"
            )
        kind = saved.input_kind(name)
        if kind is None:
            raise InputError(
                f"inputs.feature_keys names column {name!r} of {saved.path!r}: expected numbers, "
                "one or as many in every row, or one string"
            )
        kinds.append(kind)
    if kinds[0] != kinds[1]:
        raise InputError(
            f"inputs.feature_keys names {name!r}, a {kinds[0]} in {members.path!r} and a "
            f"{kinds[1]} in {nonmembers.path!r}: expected the same in both"
        )
    return kinds[0]


def _layout(
    saved: SavedFile,
    source: str,
    options: SavedPredictionsOptions,
    input_features: tuple[InputFeature, ...],
) -> TableLayout:
    width, label_width = _widths(saved, source)
    where = f"column {source!r} of {saved.path!r}"
    kind, task = _reading(source, width, options, where)
    has_label = LABEL in saved.names
    if not has_label and LABEL in options.slice_features:
        raise InputError(f"{saved.path!r} has no column {LABEL!r} to make slices of")
    has_numbers = has_label and task in (config_pb2.MULTILABEL, config_pb2.REGRESSION)
    return TableLayout(
        task=task,
        output_kind=kind,
        output_width=width,
        logits_source="" if source == LOSS else f"the saved {source}",
        label_vocabulary=options.label_vocabulary,
        label_width=label_width if has_numbers else 0,
        slice_features=options.slice_features,
        input_features=input_features,
        has_label=has_label,
        has_logits=source != LOSS,
        has_loss=has_label or source == LOSS,
        has_units=bool(options.unit_feature),
        has_weight=False,
    )


def _widths(saved: SavedFile, source: str) -> tuple[int, int]:
    """Columns of the output, 0 where there is only the loss, and of the label."""
    names = [name for name in (source, LABEL) if name in saved.names]
    first = next(iter(saved.chunks(names)))
    width = 0 if source == LOSS else _as_matrix(first[source]).shape[1]
    return width, _as_matrix(first[LABEL]).shape[1] if LABEL in first else 0


def _reading(
    source: str, width: int, options: SavedPredictionsOptions, where: str
) -> tuple[config_pb2.OutputKind.ValueType, config_pb2.Task.ValueType]:
    if source == LOSS:
        return config_pb2.OUTPUT_KIND_UNSPECIFIED, options.task or config_pb2.MULTICLASS
    kind = config_pb2.PROBABILITIES if source == PROBABILITIES else config_pb2.LOGITS
    if options.task == config_pb2.REGRESSION and source == LOGITS:
        kind = config_pb2.REGRESSION_VALUE
    spec = config_pb2.ModelSpec(
        task=options.task, output_kind=kind, label_vocabulary=options.label_vocabulary
    )
    return kind, resolve_reading(spec, width, None, "", where).task


def _identity(saved: SavedFile, options: SavedPredictionsOptions) -> IdentityDescription:
    if ID in saved.names:
        return IdentityDescription("key", ID, unit_feature=options.unit_feature)
    return IdentityDescription("row", unit_feature=options.unit_feature, checks_duplicates=False)


def _signals(
    saved: SavedFile,
    is_member: bool,
    source: str,
    layout: TableLayout,
    options: SavedPredictionsOptions,
) -> Iterator[Signals]:
    names = {source, *options.slice_features, *(name for name, _ in layout.input_features)}
    names.update(name for name in (LABEL, ID) if name in saved.names)
    names.update({options.unit_feature} - {""})
    first = 0
    for chunk in saved.chunks(sorted(names)):
        rows = len(chunk[source])
        yield _signals_of_chunk(chunk, first, is_member, source, layout, options, saved.path)
        first += rows


def _signals_of_chunk(
    chunk: Mapping[str, NDArray[Any]],
    first: int,
    is_member: bool,
    source: str,
    layout: TableLayout,
    options: SavedPredictionsOptions,
    path: str,
) -> Signals:
    where = f"{path!r}"
    rows = len(chunk[source])
    logits = None if source == LOSS else _logits(chunk[source], source, layout, where)
    label = _label(chunk, layout, where)
    if source == LOSS:
        loss = _losses_given(chunk[LOSS], where)
    else:
        assert label is not None
        assert logits is not None
        loss = losses(layout.task, logits, label)
    units = None
    if options.unit_feature:
        units = identity.value_ids(_keys(chunk, options.unit_feature, where))
    if ID in chunk:
        ids = identity.value_ids(_keys(chunk, ID, where))
    else:
        ids = identity.row_ids(first, rows, is_member=is_member)
    slices = {
        feature: _slice_column(feature, chunk, label, layout) for feature in layout.slice_features
    }
    return Signals(
        task=layout.task,
        ids=ids,
        member=np.full(rows, is_member),
        label=label,
        logits=logits,
        loss=loss,
        units=units,
        slices=slices,
        inputs=input_columns(
            {name: _input_lists(chunk[name], kind) for name, kind in layout.input_features},
            rows,
            layout.input_features,
            where,
        ),
    )


def _logits(
    values: NDArray[Any], source: str, layout: TableLayout, where: str
) -> NDArray[np.float32]:
    matrix = _as_matrix(values)
    if matrix.shape[1] != layout.output_width or matrix.dtype.kind not in "iuf":
        raise InputError(
            f"{where}: column {source!r} has {matrix.shape[1]} values of type {matrix.dtype} a "
            f"row: expected {layout.output_width} numbers, as in the other file"
        )
    return logits_of_values(matrix, layout.task, layout.output_kind, f"{where}, column {source!r}")


def _label(chunk: Mapping[str, NDArray[Any]], layout: TableLayout, where: str) -> Labels | None:
    if not layout.has_label:
        return None
    values = chunk[LABEL]
    missing = sum(value is None for value in values) if values.dtype == object else 0
    if missing:
        raise InputError(
            f"{where}: column {LABEL!r} is empty in {missing} of {len(values)} rows read together: "
            "expected a label in every row"
        )
    spec = LabelSpec(LABEL, layout.task, layout.output_width, layout.label_vocabulary)
    label = labels_of_array(values, spec, where)
    if label.ndim == 2 and label.shape[1] != layout.label_width:
        raise InputError(
            f"{where}: column {LABEL!r} has {label.shape[1]} values a row: expected "
            f"{layout.label_width}, as in the other file"
        )
    return label


def _losses_given(values: NDArray[Any], where: str) -> NDArray[np.float32]:
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise InputError(
            f"{where}: column {LOSS!r} is {values.dtype} of shape {values.shape}: expected one "
            "number a row"
        )
    loss = values.astype(np.float32)
    require_finite(loss, "losses", where)
    return loss


def _keys(chunk: Mapping[str, NDArray[Any]], name: str, where: str) -> pa.Array:
    column = _value_lists(chunk[name])
    if column is None or pa.types.is_float32(column.type.value_type):
        raise InputError(
            f"{where}: column {name!r} is {chunk[name].dtype} of shape {chunk[name].shape[1:]} a "
            "row: expected one integer or string in every row"
        )
    if len(column.values) < len(column):
        missing = len(column) - len(column.values)
        raise InputError(f"{where}: column {name!r} is empty in {missing} rows: expected a value")
    return column


def _slice_column(
    feature: str, chunk: Mapping[str, NDArray[Any]], label: Labels | None, layout: TableLayout
) -> pa.Array:
    if feature == LABEL and layout.task != config_pb2.REGRESSION:
        assert label is not None
        return class_slice_values(label, layout.task, layout.label_vocabulary)
    column = _value_lists(chunk[feature])
    if column is None:
        raise InputError(
            f"column {feature!r} has {chunk[feature].shape[1]} values a row: expected one, to make "
            "slices of"
        )
    return slice_values(column, len(chunk[feature]))


def _value_lists(values: NDArray[Any]) -> pa.Array | None:
    """One value a row as the lists that decoded examples have; None if there are several."""
    if values.ndim != 1:
        return None
    if values.dtype.kind in "OSUb":
        there = np.array([value is not None for value in values])
        words = [
            value if isinstance(value, bytes) else str(value).encode() for value in values[there]
        ]
        flat = pa.array(words, pa.large_binary())
    else:
        there = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), np.bool_)
        kind = pa.float32() if values.dtype.kind == "f" else pa.int64()
        flat = pa.array(values[there].astype(kind.to_pandas_dtype()))
    offsets = np.concatenate([[0], np.cumsum(there)])
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat)


def _input_lists(values: NDArray[Any], kind: str) -> pa.Array:
    """An input as the lists that decoded examples have."""
    if values.ndim == 2:
        offsets = np.arange(len(values) + 1) * values.shape[1]
        numbers = pa.array(np.ascontiguousarray(values, np.float32).ravel())
        return pa.LargeListArray.from_arrays(pa.array(offsets), numbers)
    if kind == WORD:
        return _value_lists(values)
    # Numbers of which some are missing are objects, and booleans are no words here.
    if values.dtype == object:
        values = np.array([math.nan if value is None else value for value in values], np.float32)
    return _value_lists(values.astype(np.float32))


def _as_matrix(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(len(values), -1)


def _resolved(path: str) -> str:
    return str(Path(path).resolve()) if files.is_local(path) else path
