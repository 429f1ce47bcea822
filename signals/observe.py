"""Observing a model: one Beam job from serialized examples to a signals table.

The model sees each example once. Examples go from the file they are read from to
the file their signals are written to without being shuffled or collected.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.shared import Shared
from apache_beam.utils.windowed_value import WindowedValue
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import files, table_reader, table_writer
from tfx_privacy.signals.augmentation import Augmentation, Variants, load_augmentation
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.checks import require_finite, require_no_negative
from tfx_privacy.signals.decode import Columns, decode
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import (
    ExampleBatch,
    ExampleFile,
    ExampleSplit,
    ReadBatches,
    check_apart,
    empty_split_message,
    estimate_rows,
    files_of,
    peek,
)
from tfx_privacy.signals.inputs import InputFeature, choose_inputs, input_columns
from tfx_privacy.signals.labels import (
    Labels,
    LabelSpec,
    labels_of_array,
    labels_of_column,
)
from tfx_privacy.signals.losses import losses
from tfx_privacy.signals.record_identity import (
    describe_identity,
    ids_of,
    listed,
    names_and_types,
    present_column,
    units_of,
)
from tfx_privacy.signals.slices import class_slice_values, slice_values
from tfx_privacy.signals.table import (
    SplitRows,
    TableDescription,
    TableFile,
    TableLayout,
)
from tfx_privacy.signals.target_plan import TargetPlan
from tfx_privacy.signals.worker_errors import input_error_of

if TYPE_CHECKING:
    from tfx_privacy.signals.observed_model import ObservedModel
    from tfx_privacy.signals.target import TargetOutput

_LOGGER = logging.getLogger(__name__)

# How many examples of each split are looked at before the job.
_PEEK = 1000
# Enough to see whether an augmentation works.
_FEW = 3
# What the job's last step writes for the driver to read.
_WRITTEN_NAME = "written.json"


@dataclasses.dataclass(frozen=True)
class ObserveOptions:
    """What of an example is recorded beside what the model says of it.

    Attributes:
      identity: What makes two rows the same.
      slice_features: Features that slices are made of; the label key stands for
        the class.
      label_vocabulary: For string labels: the classes' names in the order of the
        model's output.
      example_weight_key: The feature that holds the weight; empty for none.
      inputs: The features that are kept as inputs: those that are named, or else
        every feature of the raw examples but the key, unit, weight and label
        features, and in both cases without those excluded; None for none.
        Feature lists of a tf.SequenceExample are no inputs.
      augmentation: What the model is asked about in place of the example; None for the
        example itself. All that is recorded beside the model's answer and the loss
        is of the example.
    """

    identity: config_pb2.IdentitySpec
    slice_features: tuple[str, ...] = ()
    label_vocabulary: tuple[str, ...] = ()
    example_weight_key: str = ""
    inputs: config_pb2.InputSpec | None = None
    augmentation: Augmentation | None = None


def observe(
    new_pipeline: Callable[[], beam.Pipeline],
    plan: TargetPlan,
    splits: Sequence[ExampleSplit],
    options: ObserveOptions,
    table_dir: str,
    buckets: int | None = None,
) -> TableDescription:
    """Runs the model on every example and writes what an attacker could see of it.

    Which features are inputs is decided by the first examples of each split. One
    that none of these has is not kept, unless it is named: that is an error.

    Args:
      new_pipeline: Makes the pipeline that the job is run in.
      plan: How the model is called.
      splits: What to read: members and non-members.
      options: What is recorded of an example.
      table_dir: Where the table goes; a table that is there is replaced.
      buckets: How many buckets it has: as many as a table whose rows lie in the same
        buckets. Default: by the number of examples.

    Returns:
      The table's description, which also lies in its folder.

    Raises:
      InputError: If something is wrong with the examples or the model. No table is
        left then, nor parts of one.
    """
    check_apart(splits)
    found = [file for split in splits for file in files_of(split)]
    input_features = _look_at_samples(plan, splits, options)
    with table_writer.removed_on_failure(table_dir):
        table_writer.remove_table(table_dir)
        layout = _layout(plan, options, input_features)
        if buckets is None:
            buckets = table_writer.buckets_for(estimate_rows(found))
        job = _Job(plan, options, layout, table_dir, buckets)
        parts = _run(new_pipeline, job, found)
        _require_rows(splits, parts)
        names = {name for part in parts for name in part.features}
        identity_of_rows = describe_identity(options.identity, names)
        description = table_writer.commit(
            table_dir,
            _noted(layout, parts),
            identity_of_rows,
            buckets,
            [part.written for part in parts],
        )
        if options.identity.key_feature:
            table_reader.require_unique_ids(
                table_dir, description, f"key feature {options.identity.key_feature!r}"
            )
    return description


@dataclasses.dataclass(frozen=True)
class _Job:
    """What every worker is told."""

    plan: TargetPlan
    options: ObserveOptions
    layout: TableLayout
    table_dir: str
    buckets: int

    @property
    def label_spec(self) -> LabelSpec:
        return _label_spec(self.plan, self.options)


@dataclasses.dataclass(frozen=True)
class _Part:
    """What one bundle of the job did."""

    written: table_writer.Written
    features: tuple[str, ...]
    notes: tuple[str, ...]


def _layout(
    plan: TargetPlan, options: ObserveOptions, input_features: tuple[InputFeature, ...]
) -> TableLayout:
    has_numbers = plan.task in (config_pb2.MULTILABEL, config_pb2.REGRESSION)
    return TableLayout(
        task=plan.task,
        output_kind=plan.output_kind,
        output_width=plan.output_width,
        logits_source=plan.logits_source,
        label_vocabulary=options.label_vocabulary,
        label_width=plan.output_width if has_numbers else 0,
        slice_features=options.slice_features,
        input_features=input_features,
        has_label=True,
        has_logits=True,
        has_loss=True,
        has_units=bool(options.identity.unit_feature),
        has_weight=bool(options.example_weight_key),
        white_box=plan.white_box.layout if plan.white_box else None,
    )


def _noted(layout: TableLayout, parts: Sequence[_Part]) -> TableLayout:
    """The layout with what any worker had to note, which the user is told once."""
    if layout.white_box is None:
        return layout
    told = {note for part in parts for note in part.notes}
    notes = tuple(sorted(told | {*layout.white_box.notes}))
    for note in notes:
        _LOGGER.warning("white-box signals: %s", note)
    return dataclasses.replace(layout, white_box=dataclasses.replace(layout.white_box, notes=notes))


def _label_spec(plan: TargetPlan, options: ObserveOptions) -> LabelSpec:
    return LabelSpec(plan.label_key, plan.task, plan.output_width, options.label_vocabulary)


def _run(
    new_pipeline: Callable[[], beam.Pipeline], job: _Job, found: list[ExampleFile]
) -> list[_Part]:
    path = files.join(job.table_dir, _WRITTEN_NAME)
    try:
        with new_pipeline() as pipeline:
            _ = (
                pipeline
                | "ReadExamples" >> ReadBatches(found)
                | "Observe" >> beam.ParDo(_Observe(job))
                | "Together" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
                | "TellDriver" >> beam.Map(_tell_driver, path)
            )
        return _told(path)
    except Exception as error:
        input_error = input_error_of(error)
        if input_error is None:
            raise
        raise input_error from error
    finally:
        files.remove([path])
        # Beam keeps the object that was shared last, here the model, until another is.
        Shared().acquire(_Nothing)


class _Nothing:
    """An object to share instead of a model."""


def _tell_driver(parts: list[_Part], path: str) -> None:
    files.write_text_whole(path, json.dumps([dataclasses.asdict(part) for part in parts]))


def _told(path: str) -> list[_Part]:
    return [
        _Part(
            table_writer.Written(
                tuple(TableFile(**file) for file in part["written"]["files"]),
                tuple(SplitRows(**split) for split in part["written"]["splits"]),
                part["written"]["input_bytes"],
            ),
            tuple(part["features"]),
            tuple(part["notes"]),
        )
        for part in json.loads(files.read_bytes(path))
    ]


def _require_rows(splits: Sequence[ExampleSplit], parts: Sequence[_Part]) -> None:
    filled = {split.split for part in parts for split in part.written.splits if split.rows}
    for split in splits:
        if split.name not in filled:
            raise InputError(empty_split_message(split, len(files_of(split))))


class _Observe(beam.DoFn):
    """From batches of examples to table files: emits a `_Part` for each bundle."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._shared_model = Shared()
        self._model: ObservedModel | None = None
        self._writer: table_writer.TableWriter | None = None
        self._variants: Variants | None = None
        self._features: set[str] = set()

    def setup(self) -> None:
        self._model = self._shared_model.acquire(lambda: _load_model(self._job.plan))
        wanted = self._job.options.augmentation
        self._variants = load_augmentation(wanted) if wanted else None

    def start_bundle(self) -> None:
        self._discard()
        job = self._job
        self._writer = table_writer.TableWriter(job.table_dir, job.layout, job.buckets)
        self._features = set()

    def process(self, batch: ExampleBatch) -> None:
        assert self._model is not None
        assert self._writer is not None
        columns = decode(batch.records, batch.where)
        self._features.update(names_and_types(columns))
        signals = _signals(self._job, self._model, self._variants, batch, columns)
        self._writer.append(signals, batch.source.split)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        assert self._model is not None
        assert self._writer is not None
        features = tuple(sorted(self._features))
        part = _Part(self._writer.finish(), features, self._model.notes)
        self._writer = None
        yield WindowedValue(part, GlobalWindow().max_timestamp(), [GlobalWindow()])

    def teardown(self) -> None:
        self._discard()

    def _discard(self) -> None:
        """Leaves nothing of a bundle that failed."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None


def _load_model(plan: TargetPlan) -> ObservedModel:
    # Imports TensorFlow.
    from tfx_privacy.signals.observed_model import ObservedModel

    return ObservedModel.load(plan)


def _signals(
    job: _Job,
    model: ObservedModel,
    variants: Variants | None,
    batch: ExampleBatch,
    columns: Columns,
) -> Signals:
    """What is seen of a batch of examples."""
    where, plan, options = batch.where, job.plan, job.options
    asked = batch.records if variants is None else variants(batch.records, where)
    output = _run_model(model, asked, where + _asked_in_place(options))
    if plan.label_is_transformed:
        # Of the example itself, whatever the model was asked about.
        of_example = output if variants is None else _run_model(model, batch.records, where)
        if of_example.transformed_label is None:
            raise ValueError(f"the target gave no transformed label {plan.label_key!r}")
        label = labels_of_array(of_example.transformed_label, job.label_spec, where)
    else:
        label = labels_of_column(columns.features, columns.rows, job.label_spec, where)
    loss = losses(plan.task, output.logits, label)
    require_finite(loss, "losses", where)
    try:
        inside = model.look_inside(batch.records, label)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return Signals(
        task=plan.task,
        ids=ids_of(columns, options.identity, where),
        member=np.full(columns.rows, batch.source.is_member),
        label=label,
        logits=output.logits,
        loss=loss,
        units=units_of(columns, options.identity, where),
        weight=_weights(columns, options.example_weight_key, where),
        slices={
            feature: _slice_column(feature, columns, label, plan, options)
            for feature in options.slice_features
        },
        inputs=input_columns(columns.features, columns.rows, job.layout.input_features, where),
        gradient_norms=inside.gradient_norms,
        gradient_sketches=inside.gradient_sketches,
        activations=inside.activations,
    )


def _asked_in_place(options: ObserveOptions) -> str:
    """What stood in the records' place, where an augmentation made it; "" otherwise."""
    made = options.augmentation
    if made is None:
        return ""
    return f", as the augmentation {made.function!r}, query {made.query}, returned them"


def _run_model(model: ObservedModel, records: Sequence[bytes], where: str) -> TargetOutput:
    try:
        return model.run(records)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _weights(columns: Columns, key: str, where: str) -> NDArray[np.float32] | None:
    if not key:
        return None
    column = present_column(columns, key, "example weight", where)
    if pa.types.is_large_binary(column.type.value_type) or len(column.values) != columns.rows:
        raise InputError(
            f"{where}: example weight {key!r} is {column.type.value_type}, "
            f"{len(column.values)} values in {columns.rows} examples: expected one number in each"
        )
    weights: NDArray[np.float32] = column.values.to_numpy().astype(np.float32)
    require_finite(weights, f"example weights {key!r}", where)
    require_no_negative(weights, f"example weights {key!r}", where)
    return weights


def _slice_column(
    feature: str, columns: Columns, label: Labels, plan: TargetPlan, options: ObserveOptions
) -> pa.Array:
    if feature == plan.label_key and plan.task != config_pb2.REGRESSION:
        return class_slice_values(label, plan.task, options.label_vocabulary)
    return slice_values(columns.features.get(feature), columns.rows)


def _look_at_samples(
    plan: TargetPlan, splits: Sequence[ExampleSplit], options: ObserveOptions
) -> tuple[InputFeature, ...]:
    """Finds on the driver, in seconds, most of what workers would stumble over.

    Returns:
      The features that are inputs.
    """
    seen: set[str] = set()
    samples: dict[str, Mapping[str, pa.Array]] = {}
    for split in splits:
        where = f"split {split.name!r}"
        first = peek(split, _PEEK)
        columns = decode(first, where)
        seen.update(columns.features)
        samples[where] = columns.features
        ids_of(columns, options.identity, where)
        units_of(columns, options.identity, where)
        _weights(columns, options.example_weight_key, where)
        if not plan.label_is_transformed:
            labels_of_column(columns.features, columns.rows, _label_spec(plan, options), where)
        if options.augmentation is not None:
            load_augmentation(options.augmentation)(first[:_FEW], where)
    for feature in options.slice_features:
        if feature not in seen and feature != plan.label_key:
            raise InputError(
                f"slice feature {feature!r} is in none of the first {_PEEK} examples of "
                f"{', '.join(f'split {split.name!r}' for split in splits)}. "
                f"Features found: {listed(seen)}"
            )
    if options.inputs is None:
        return ()
    return choose_inputs(options.inputs, samples, _no_inputs_by_default(plan, options))


def _no_inputs_by_default(plan: TargetPlan, options: ObserveOptions) -> set[str]:
    """What attackers are not taken to know, and the label, which is a column already."""
    spec = options.identity
    return {spec.key_feature, spec.unit_feature, options.example_weight_key, plan.label_key}
