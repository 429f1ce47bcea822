"""The whole measurement of a model: examples in, a directory of metrics out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import apache_beam as beam

from tfx_privacy.evaluation.attack_network_config import require_network_backend, require_seen
from tfx_privacy.evaluation.attack_table import Outputs, attack_table, nothing_left_on_failure
from tfx_privacy.evaluation.clear_errors import clear_errors
from tfx_privacy.evaluation.config import (
    recorded_inputs,
    require_label_key,
    resolve_config,
    slice_features,
)
from tfx_privacy.evaluation.fit_on import FitOn, read_fit_on
from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent
from tfx_privacy.evaluation.observe_references import (
    ObservedReferences,
    ObservedTarget,
    observe_references,
    read_reference_models,
)
from tfx_privacy.evaluation.reference_models_input import ReferenceModelsInput
from tfx_privacy.evaluation.reference_pool import with_references
from tfx_privacy.evaluation.slice_plan import require_task
from tfx_privacy.evaluation.stages import Listener, StageClock, log_stage
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit, check_apart, peek
from tfx_privacy.signals.files import join
from tfx_privacy.signals.observe import ObserveOptions, observe
from tfx_privacy.signals.target_plan import TargetPlan, plan_target

__all__ = ["FitOn", "Outputs", "ReferenceModelsInput", "TargetInputs", "evaluate"]

# Enough to see which features there are, few enough to run the model on at once.
_EXAMPLES_TO_PEEK = 10


@dataclasses.dataclass(frozen=True)
class TargetInputs:
    """The model to measure.

    Attributes:
      uri: What results call the model: its artifact's URI.
      model_dir: The SavedModel's directory.
      transform_graph_dir: Transform's output, or None.
    """

    uri: str
    model_dir: str
    transform_graph_dir: str | None = None


def evaluate(
    target: TargetInputs,
    splits: Sequence[ExampleSplit],
    config: config_pb2.PrivacyConfig,
    outputs: Outputs,
    new_pipeline: Callable[[], beam.Pipeline],
    listener: Listener = log_stage,
    fit_on: FitOn | None = None,
    references: ReferenceModelsInput | None = None,
) -> PrivacyMetricsContent:
    """Observes the model on every example, attacks it, and writes the results.

    Args:
      target: The model.
      splits: Where the examples of each split lie.
      config: What to measure; defaults are filled in. `references` is set where reference
        models are given.
      outputs: Where the results go.
      new_pipeline: Makes a Beam pipeline on the caller's runner; called for each job.
      listener: Told of each stage.
      fit_on: Another model's signals to fit attacks on.
      references: Models that the target is compared with, record by record.

    Raises:
      InputError: If the configuration, the model, the examples, the other model's
        signals or the reference models cannot be used.
    """
    _require_references_where_set(config, references)
    resolved = resolve_config(config if references is None else with_references(config))
    require_label_key(resolved)
    require_network_backend(resolved)
    if fit_on is not None:
        # Observing the model takes long: what is known to fail fails before.
        read_fit_on(fit_on)
    trained = None if references is None else read_reference_models(references, resolved)
    clock = StageClock(listener)
    with clear_errors():
        with clock.stage("observe"):
            plan = _plan(target, splits, resolved)
            require_task(resolved.slicing_specs, plan.task)
            require_seen(resolved, plan.white_box.layout if plan.white_box else None)
            table = observe(new_pipeline, plan, splits, _observe_options(resolved), outputs.signals)
        with nothing_left_on_failure(outputs):
            observed: ObservedReferences | None = None
            if references is not None and trained is not None:
                with clock.stage("references"):
                    table, observed = observe_references(
                        references,
                        trained,
                        ObservedTarget(
                            plan, target.transform_graph_dir, tuple(splits), outputs.signals, table
                        ),
                        resolved,
                        join(outputs.scratch, "references"),
                        new_pipeline,
                    )
            return attack_table(
                _target_model(target, plan),
                table,
                resolved,
                outputs,
                new_pipeline,
                clock,
                fit_on,
                observed,
            )


def _require_references_where_set(
    config: config_pb2.PrivacyConfig, references: ReferenceModelsInput | None
) -> None:
    if references is None and config.HasField("references"):
        raise InputError(
            "references is set in the configuration, and no reference models are given: expected "
            "those that ReferenceTrainer trained (the input `reference_models` of "
            "PrivacyEvaluator, --reference-models of `tfx-privacy evaluate`), or `references` unset"
        )


def _plan(
    target: TargetInputs, splits: Sequence[ExampleSplit], config: config_pb2.PrivacyConfig
) -> TargetPlan:
    check_apart(splits)
    examples = [record for split in splits for record in peek(split, _EXAMPLES_TO_PEEK)]
    return plan_target(
        target.model_dir,
        config.model_spec,
        config.sample_sizes.batch_size,
        examples,
        target.transform_graph_dir,
        config.white_box if config.HasField("white_box") else None,
        config.seed,
    )


def _observe_options(config: config_pb2.PrivacyConfig) -> ObserveOptions:
    return ObserveOptions(
        identity=config.identity,
        slice_features=slice_features(config),
        label_vocabulary=tuple(config.model_spec.label_vocabulary),
        example_weight_key=config.model_spec.example_weight_key,
        inputs=recorded_inputs(config),
    )


def _target_model(target: TargetInputs, plan: TargetPlan) -> results_pb2.TargetModel:
    return results_pb2.TargetModel(
        uri=target.uri,
        signature_name=plan.signature_name,
        output_name=plan.output_name,
        task=plan.task,
        output_kind=plan.output_kind,
        output_width=plan.output_width,
        logits_source=plan.logits_source,
    )
