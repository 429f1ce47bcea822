"""The measurement for people who have saved predictions and no model at hand."""

from __future__ import annotations

from collections.abc import Callable

import apache_beam as beam

from tfx_privacy.evaluation.attack_table import Outputs, attack_table
from tfx_privacy.evaluation.config import resolve_config, slice_features
from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent
from tfx_privacy.evaluation.stages import Listener, StageClock, log_stage
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.saved_predictions import (
    SavedPredictionsOptions,
    write_saved_predictions_table,
)
from tfx_privacy.signals.worker_errors import input_error_of


def measure(
    members_file: str,
    nonmembers_file: str,
    config: config_pb2.PrivacyConfig,
    outputs: Outputs,
    new_pipeline: Callable[[], beam.Pipeline],
    listener: Listener = log_stage,
) -> PrivacyMetricsContent:
    """Attacks saved predictions and writes the results.

    Args:
      members_file: Parquet or .npz with predictions for records that the model was
        trained on: `label` and one of `logits`, `probabilities`, `loss`.
      nonmembers_file: The same for records that it was not trained on.
      config: What to measure; defaults are filled in.
      outputs: Where the results go.
      new_pipeline: Makes a Beam pipeline; called for each job.
      listener: Told of each stage.

    Raises:
      InputError: If the configuration or the files cannot be used.
    """
    resolved = resolve_config(config)
    clock = StageClock(listener)
    try:
        with clock.stage("read"):
            table = write_saved_predictions_table(
                members_file,
                nonmembers_file,
                _options(resolved),
                outputs.signals,
            )
        model = results_pb2.TargetModel(
            uri=f"saved predictions {members_file} and {nonmembers_file}",
            task=table.task,
            output_kind=table.output_kind,
            output_width=table.output_width,
            logits_source=table.logits_source,
        )
        return attack_table(model, table, resolved, outputs, new_pipeline, clock)
    except Exception as error:
        clear = input_error_of(error)
        if clear is None or clear is error:
            raise
        raise clear from error


def _options(config: config_pb2.PrivacyConfig) -> SavedPredictionsOptions:
    return SavedPredictionsOptions(
        task=config.model_spec.task,
        label_vocabulary=tuple(config.model_spec.label_vocabulary),
        slice_features=slice_features(config),
        unit_feature=config.identity.unit_feature,
    )
