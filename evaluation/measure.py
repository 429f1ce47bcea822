"""The measurement for people who have saved predictions and no model at hand."""

from __future__ import annotations

from collections.abc import Callable

import apache_beam as beam

from tfx_privacy.evaluation.attack_table import Outputs, attack_table
from tfx_privacy.evaluation.clear_errors import clear_errors
from tfx_privacy.evaluation.config import (
    DEFAULT_SIGNATURE,
    recorded_inputs,
    resolve_config,
    slice_features,
)
from tfx_privacy.evaluation.fit_on import FitOn, read_fit_on
from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent
from tfx_privacy.evaluation.stages import Listener, StageClock, log_stage
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.saved_files import LABEL
from tfx_privacy.signals.saved_predictions import (
    ID,
    LOGITS,
    LOSS,
    PROBABILITIES,
    SavedPredictionsOptions,
    write_saved_predictions_table,
)


def measure(
    members_file: str,
    nonmembers_file: str,
    config: config_pb2.PrivacyConfig,
    outputs: Outputs,
    new_pipeline: Callable[[], beam.Pipeline],
    listener: Listener = log_stage,
    fit_on: FitOn | None = None,
) -> PrivacyMetricsContent:
    """Attacks saved predictions and writes the results.

    Args:
      members_file: Parquet or .npz with predictions for records that the model was
        trained on: `logits` or `probabilities`, and `label`, without which few attacks
        can run; or `loss` alone, or `entropy` alone. Or .npy or .txt, where
        `model_spec.output_kind` says what the values are (see signals/unnamed_files.py).
      nonmembers_file: The same for records that it was not trained on.
      config: What to measure; defaults are filled in.
      outputs: Where the results go.
      new_pipeline: Makes a Beam pipeline; called for each job.
      listener: Told of each stage.
      fit_on: Another model's signals to fit attacks on; both need ids by a key.

    Raises:
      InputError: If the configuration or the files cannot be used, the configuration
        sets what saved predictions have no room for (another label, signature or split,
        white-box signals, reference models), or the other model's signals cannot be used.
    """
    _require_honourable(config)
    resolved = resolve_config(config)
    if fit_on is not None:
        read_fit_on(fit_on)
    clock = StageClock(listener)
    with clear_errors():
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
        return attack_table(model, table, resolved, outputs, new_pipeline, clock, fit_on)


def _require_honourable(config: config_pb2.PrivacyConfig) -> None:
    """Raises InputError for what is set as given, and saved predictions cannot follow."""
    model, splits = config.model_spec, config.splits
    columns = f"{LOGITS!r}, {PROBABILITIES!r} or {LOSS!r}"
    files = "members and non-members in a file each"
    for field, value, without_effect, instead in (
        ("identity.key_feature", config.identity.key_feature, ("",), f"the column {ID!r}"),
        ("model_spec.label_key", model.label_key, ("", LABEL), f"the column {LABEL!r}"),
        (
            "model_spec.signature_name",
            model.signature_name,
            ("", DEFAULT_SIGNATURE),
            "what a signature answered and none to call",
        ),
        ("model_spec.output_name", model.output_name, ("",), f"the column {columns}"),
        ("model_spec.example_weight_key", model.example_weight_key, ("",), "no weights"),
        (
            "model_spec.preprocessing_function_names",
            list(model.preprocessing_function_names),
            ([],),
            "what the model answered and no features to preprocess",
        ),
        ("splits.members", list(splits.members), ([], ["train"]), files),
        ("splits.nonmembers", list(splits.nonmembers), ([], ["eval"]), files),
    ):
        if value not in without_effect:
            raise InputError(
                f"{field} is {value!r}, which cannot be followed: saved predictions have "
                f"{instead}; expected it unset"
            )
    if config.HasField("white_box"):
        raise InputError(
            "white_box is set, which cannot be followed: gradients and activations are computed "
            "from a model, and saved predictions have its answers alone; expected it unset, or a "
            "SavedModel (`tfx-privacy evaluate`)"
        )
    if config.HasField("references"):
        raise InputError(
            "references is set, which cannot be followed: reference models are asked about "
            "examples, and saved predictions have none; expected it unset, or a SavedModel and its "
            "examples (`tfx-privacy evaluate`)"
        )


def _options(config: config_pb2.PrivacyConfig) -> SavedPredictionsOptions:
    return SavedPredictionsOptions(
        task=config.model_spec.task,
        output_kind=config.model_spec.output_kind,
        label_vocabulary=tuple(config.model_spec.label_vocabulary),
        slice_features=slice_features(config),
        unit_feature=config.identity.unit_feature,
        inputs=recorded_inputs(config),
    )
