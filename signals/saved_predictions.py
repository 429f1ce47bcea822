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
from tfx_privacy.signals.checks import require_finite, require_no_negative
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.inputs import WORD, InputFeature, input_columns
from tfx_privacy.signals.labels import Labels, LabelSpec, labels_of_array
from tfx_privacy.signals.losses import losses
from tfx_privacy.signals.saved_files import LABEL, SavedFile, open_saved
from tfx_privacy.signals.slices import class_slice_values, slice_values
from tfx_privacy.signals.table import IdentityDescription, TableDescription, TableLayout
from tfx_privacy.signals.target_output import logits_of_values, resolve_reading

LOGITS, PROBABILITIES, LOSS, ENTROPY, ID = "logits", "probabilities", "loss", "entropy", "id"
# What the model answers, as numbers or as what is computed of them. Together stand a loss
# and an entropy alone: beside logits, which tell both, they could only contradict.
_ANSWERS = (LOGITS, PROBABILITIES, LOSS, ENTROPY)
# How far below 0 rounding may carry an entropy.
_ENTROPY_SLACK = 1e-6
_PANDAS_INDEX_PREFIX = "__index_level_"


@dataclasses.dataclass(frozen=True)
class SavedPredictionsOptions:
    """How saved predictions are read.

    Attributes:
      task: What the model answers. Unspecified: found from the width of the output;
        MULTICLASS where there are no logits or probabilities.
      output_kind: What the values are in files without names for their columns (.npy,
        .txt); files with names say it themselves.
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
    output_kind: config_pb2.OutputKind.ValueType = config_pb2.OUTPUT_KIND_UNSPECIFIED
    label_vocabulary: tuple[str, ...] = ()
    slice_features: tuple[str, ...] = ()
    unit_feature: str = ""
    inputs: config_pb2.InputSpec | None = None


def write_saved_predictions_table(
    members_file: str, nonmembers_file: str, options: SavedPredictionsOptions, table_dir: str
) -> TableDescription:
    """Writes the signals table of saved predictions.

    The files are Parquet or .npz and have one of the columns `logits` and
    `probabilities` ([n, w], or [n] for a binary model), or else `loss`, `entropy` or
    both ([n], in nats; any measure of a row's loss or of the model's doubt will do,
    an entropy from 0 on). If wanted they have `label`, without which there is no loss,
    and `id` (integers or strings, a value of its own for every row). For the task
    REGRESSION `logits` holds predictions.

    Or they are .npy or .txt, without names: see unnamed_files.py. `output_kind` says
    what their values are.

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
    name = _name_of_values(options)
    with open_saved(members_file, name) as members, open_saved(nonmembers_file, name) as nonmembers:
        _require_names_to_say_it(members, nonmembers, options)
        _require_same_columns(members, nonmembers, options)
        answers = _answer_columns(members)
        input_features = _input_features(members, nonmembers, options)
        layout = _layout(members, answers, options, input_features)
        buckets = table_writer.buckets_for(members.rows + nonmembers.rows)
        with table_writer.removed_on_failure(table_dir):
            table_writer.remove_table(table_dir)
            with table_writer.TableWriter(table_dir, layout, buckets) as writer:
                for saved, name in ((members, "members"), (nonmembers, "non-members")):
                    for signals in _signals(saved, saved is members, answers, layout, options):
                        writer.append(signals, name)
                written = writer.finish()
            description = table_writer.commit(
                table_dir, layout, _identity(members, options), buckets, [written]
            )
            if ID in members.names:
                table_reader.require_unique_ids(table_dir, description, f"column {ID!r}")
    return description


def _name_of_values(options: SavedPredictionsOptions) -> str:
    """The column that values without a name are; "" where that is not known."""
    if options.output_kind == config_pb2.PROBABILITIES:
        return PROBABILITIES
    is_known = options.output_kind or options.task == config_pb2.REGRESSION
    return LOGITS if is_known else ""


def _require_names_to_say_it(
    members: SavedFile, nonmembers: SavedFile, options: SavedPredictionsOptions
) -> None:
    if options.output_kind and members.has_names and nonmembers.has_names:
        raise InputError(
            f"model_spec.output_kind is {config_pb2.OutputKind.Name(options.output_kind)!r}, "
            "which cannot be followed: saved predictions have the column 'logits', "
            "'probabilities' or 'loss', whose name says it; expected it unset"
        )


def _require_same_columns(
    members: SavedFile, nonmembers: SavedFile, options: SavedPredictionsOptions
) -> None:
    for name in (*_ANSWERS, LABEL, ID):
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


def _answer_columns(saved: SavedFile) -> tuple[str, ...]:
    """The columns of what the model answers."""
    found = tuple(name for name in _ANSWERS if name in saved.names)
    if len(found) == 1 or found == (LOSS, ENTROPY):
        return found
    raise InputError(
        f"{saved.path!r} has {' and '.join(found) or 'none'} of the columns {LOGITS}, "
        f"{PROBABILITIES}, {LOSS} and {ENTROPY}: expected one of them, or {LOSS} and {ENTROPY}. "
        f"Columns found: {', '.join(saved.names)}"
    )


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
    known = {*_ANSWERS, LABEL, ID, options.unit_feature}
    chosen = sorted(
        name for name in both - known - excluded if not name.startswith(_PANDAS_INDEX_PREFIX)
    )
    kinds = {name: (members.input_kind(name), nonmembers.input_kind(name)) for name in chosen}
    return tuple((name, ours) for name, (ours, theirs) in kinds.items() if ours and ours == theirs)


def _kind_of_named(name: str, members: SavedFile, nonmembers: SavedFile) -> str:
    if name in _ANSWERS:
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
    answers: tuple[str, ...],
    options: SavedPredictionsOptions,
    input_features: tuple[InputFeature, ...],
) -> TableLayout:
    width, label_width = _widths(saved, answers)
    where = f"column {answers[0]!r} of {saved.path!r}"
    kind, task = _reading(answers, width, options, where)
    has_label = LABEL in saved.names
    if not has_label and LABEL in options.slice_features:
        raise InputError(f"{saved.path!r} has no column {LABEL!r} to make slices of")
    has_numbers = has_label and task in (config_pb2.MULTILABEL, config_pb2.REGRESSION)
    return TableLayout(
        task=task,
        output_kind=kind,
        output_width=width,
        logits_source=f"the saved {answers[0]}" if width else "",
        label_vocabulary=options.label_vocabulary,
        label_width=label_width if has_numbers else 0,
        slice_features=options.slice_features,
        input_features=input_features,
        has_label=has_label,
        has_logits=width > 0,
        has_loss=LOSS in answers or (width > 0 and has_label),
        has_entropy=ENTROPY in answers,
        has_units=bool(options.unit_feature),
        has_weight=False,
    )


def _widths(saved: SavedFile, answers: tuple[str, ...]) -> tuple[int, int]:
    """Columns of the output, 0 where only loss or entropy are known, and of the label."""
    names = [name for name in (*answers, LABEL) if name in saved.names]
    first = next(iter(saved.chunks(names)))
    outputs = [first[name] for name in (LOGITS, PROBABILITIES) if name in answers]
    width = _as_matrix(outputs[0]).shape[1] if outputs else 0
    return width, _as_matrix(first[LABEL]).shape[1] if LABEL in first else 0


def _reading(
    answers: tuple[str, ...], width: int, options: SavedPredictionsOptions, where: str
) -> tuple[config_pb2.OutputKind.ValueType, config_pb2.Task.ValueType]:
    if ENTROPY in answers and options.task == config_pb2.REGRESSION:
        raise InputError(
            f"model_spec.task is REGRESSION, and there is a column {ENTROPY!r}: expected the "
            "entropy of a classifier's prediction, or no such column"
        )
    if not width:
        return config_pb2.OUTPUT_KIND_UNSPECIFIED, options.task or config_pb2.MULTICLASS
    kind = config_pb2.PROBABILITIES if PROBABILITIES in answers else config_pb2.LOGITS
    if options.task == config_pb2.REGRESSION and kind == config_pb2.LOGITS:
        kind = config_pb2.REGRESSION_VALUE
    kind = options.output_kind or kind
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
    answers: tuple[str, ...],
    layout: TableLayout,
    options: SavedPredictionsOptions,
) -> Iterator[Signals]:
    names = {*answers, *options.slice_features, *(name for name, _ in layout.input_features)}
    names.update(name for name in (LABEL, ID) if name in saved.names)
    names.update({options.unit_feature} - {""})
    first = 0
    for chunk in saved.chunks(sorted(names)):
        rows = len(chunk[answers[0]])
        yield _signals_of_chunk(chunk, first, is_member, answers, layout, options, saved.path)
        first += rows


def _signals_of_chunk(
    chunk: Mapping[str, NDArray[Any]],
    first: int,
    is_member: bool,
    answers: tuple[str, ...],
    layout: TableLayout,
    options: SavedPredictionsOptions,
    path: str,
) -> Signals:
    where = f"{path!r}"
    rows = len(chunk[answers[0]])
    logits = _logits(chunk, answers[0], layout, where, first) if layout.has_logits else None
    label = _label(chunk, layout, where)
    loss = _given(chunk, LOSS, "losses", where) if LOSS in answers else None
    if logits is not None and label is not None:
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
        entropy=_entropies(chunk, where) if ENTROPY in answers else None,
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
    chunk: Mapping[str, NDArray[Any]], name: str, layout: TableLayout, where: str, first: int
) -> NDArray[np.float32]:
    matrix = _as_matrix(chunk[name])
    if matrix.shape[1] != layout.output_width or matrix.dtype.kind not in "iuf":
        raise InputError(
            f"{where}: column {name!r} has {matrix.shape[1]} values of type {matrix.dtype} a "
            f"row: expected {layout.output_width} numbers, as in the other file"
        )
    place = f"{where}, column {name!r}"
    return logits_of_values(matrix, layout.task, layout.output_kind, place, first)


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


def _given(
    chunk: Mapping[str, NDArray[Any]], name: str, what: str, where: str
) -> NDArray[np.float32]:
    """A column of one finite number a row."""
    values = chunk[name]
    # An [n, 1] array is what a matrix of one model's losses is cut to.
    flat = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.ndim != 1 or flat.dtype.kind not in "iuf":
        raise InputError(
            f"{where}: column {name!r} is {values.dtype} of shape {values.shape}: expected one "
            "number a row"
        )
    numbers: NDArray[np.float32] = flat.astype(np.float32)
    require_finite(numbers, what, where)
    return numbers


def _entropies(chunk: Mapping[str, NDArray[Any]], where: str) -> NDArray[np.float32]:
    entropy = _given(chunk, ENTROPY, "entropies", where)
    entropy[(entropy < 0) & (entropy > -_ENTROPY_SLACK)] = 0
    require_no_negative(entropy, "entropies", where)
    return entropy


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
