"""Training reference models: on halves of a pool, each in a process of its own.

A model that is finished is kept in the work directory, whatever becomes of the next, and
found there by every later run on the same data with the same code, a run for more models
among them. What a subset takes on disk is given back as soon as its pair is trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import apache_beam as beam

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models import artifact
from tfx_privacy.reference_models.class_counts import require_classes, require_label
from tfx_privacy.reference_models.model_job import ModelJob as ModelJob
from tfx_privacy.reference_models.model_job import TrainingCode as TrainingCode
from tfx_privacy.reference_models.model_job import model_name
from tfx_privacy.reference_models.pool_count import PoolCount, count_pool
from tfx_privacy.reference_models.progress import Listener, TimeLeft, duration, log_progress
from tfx_privacy.reference_models.schedule import run_all
from tfx_privacy.reference_models.subset_records import RecordsSource, transformed_features
from tfx_privacy.reference_models.trainings import Trainings, id_set
from tfx_privacy.reference_models.work_directory import use_work_directory, work_digest
from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit
from tfx_privacy.signals.record_identity import describe_identity
from tfx_privacy.version import __version__


def train_reference_models(
    *,
    splits: Sequence[ExampleSplit],
    pool: Sequence[ExampleSplit],
    config: references_pb2.ReferenceModelsConfig,
    code: TrainingCode,
    train_steps: int,
    only: Sequence[int] | None,
    work_directory: str,
    output_dir: str,
    max_parallel: int,
    transform_graph_dir: str | None,
    synthesis: references_pb2.Synthesis | None,
    new_pipeline: Callable[[], beam.Pipeline],
    listener: Listener = log_progress,
    package_digest: str = "",
) -> references_pb2.ReferenceModels:
    """Trains reference models, or finds them finished, and writes the artifact.

    Args:
      splits: Members and non-members of the target.
      pool: What the models are trained on halves of: `splits`, or other splits.
      config: From `resolve_reference_config`.
      code: What makes a model of a half.
      train_steps: Steps of the target's training, which `config.steps` may scale; 0 for
        none.
      only: Indices of the models to train; None for all.
      work_directory: Where finished models are kept, local or remote. Runs may share it.
      output_dir: The artifact's folder.
      max_parallel: Trainings at a time.
      transform_graph_dir: Transform's graph, or None.
      synthesis: How the pool was made, where it was made.
      new_pipeline: Makes the pipelines that the records are counted and divided in.
      listener: Told how far it has come, in sentences.
      package_digest: Of this package's sources, for the artifact.

    Returns:
      The artifact's description, which also lies in its folder, written last.

    Raises:
      InputError: If the data cannot be used, or a training fails. Finished models are kept.
    """
    wanted = _wanted(only, config.models)
    if max_parallel < 1:
        raise InputError(f"max_parallel is {max_parallel}: expected at least 1 training at a time")
    start = time.monotonic()
    count = count_pool(new_pipeline, splits, pool, config, work_directory)
    listener(
        f"reference models: {count.pool.records:,} records in the pool, {count.members:,} that the "
        f"target was trained on, counted in {duration(time.monotonic() - start)}"
    )
    _check_halves(wanted, count, config, transform_graph_dir)
    digest = work_digest(count.pool, count.content, code.digest, config, count.members, train_steps)
    reads_transformed = config.training_examples == references_pb2.TRANSFORMED_EXAMPLES
    source = RecordsSource(transform_graph_dir if reads_transformed else None)
    with use_work_directory(work_directory, digest) as work:
        trainings = Trainings(
            wanted=wanted,
            pool=pool,
            config=config,
            code=code,
            train_steps=train_steps,
            source=source,
            new_pipeline=new_pipeline,
            listener=listener,
            count=count,
            work=work,
            time_left=TimeLeft(len(wanted), max_parallel),
        )
        try:
            run_all(wanted, trainings.start, trainings.finish, max_parallel)
        finally:
            source.release()
        models = [_put_out(trainings.finished(index), output_dir) for index in wanted]
    identity = describe_identity(config.identity, count.names)
    description = references_pb2.ReferenceModels(
        schema_version=artifact.SCHEMA_VERSION,
        package_version=__version__,
        code_digest=package_digest,
        config=config,
        identity_kind=identity.kind,
        key_feature=identity.feature,
        features_digest=identity.features_digest,
        unit_feature=identity.unit_feature,
        target_records=count.members,
        pool=id_set(count.pool),
        models=models,
        synthesis=synthesis,
    )
    artifact.write_description(output_dir, description)
    return description


def _wanted(only: Sequence[int] | None, k: int) -> list[int]:
    if only is None:
        return list(range(k))
    outside = sorted(index for index in only if not 0 <= index < k)
    if outside or not only:
        raise InputError(
            f"the models to train are {list(only)}: expected indices from 0 to {k - 1}, of "
            f"{k} models, one at least"
        )
    return sorted(set(only))


def _check_halves(
    wanted: Sequence[int],
    count: PoolCount,
    config: references_pb2.ReferenceModelsConfig,
    transform_graph_dir: str | None,
) -> None:
    k, label_key = config.models, config.model_spec.label_key
    for index in wanted:
        records = count.inside[index]
        if not 0 < records < count.pool.records:
            raise InputError(
                f"{model_name(index, k)} would be trained on {records:,} of the pool's "
                f"{count.pool.records:,} records: expected about half of them. Which half a record "
                "is in is drawn by "
                + (
                    f"its unit {config.identity.unit_feature!r}: are there enough of them?"
                    if config.identity.unit_feature
                    else "its id: are there enough different ones?"
                )
            )
    if label_key and config.model_spec.task != config_pb2.REGRESSION:
        if label_key not in count.features:
            require_label(label_key, count.features, transformed_features(transform_graph_dir))
        records_of = {index: count.inside[index] for index in wanted}
        require_classes(count.classes, label_key, range(k), records_of, k)


def _put_out(
    model: references_pb2.ReferenceModel, output_dir: str
) -> references_pb2.ReferenceModel:
    """Copies a model from the work directory to the artifact."""
    told = references_pb2.ReferenceModel()
    told.CopyFrom(model)
    told.directory = artifact.model_folder(model.index)
    target = files.join(output_dir, told.directory)
    files.remove_folder(target)
    files.copy_folder(model.directory, target)
    return told
