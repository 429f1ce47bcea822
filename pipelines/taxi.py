"""A TFX pipeline with a privacy gate: Chicago taxi trips, from CSV to Pusher.

All but PrivacyEvaluator and PrivacyGate is as TFX's templates have it. taxi_demo.py
runs it twice and shows it stop a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow_model_analysis as tfma
from tfx import v1 as tfx

from tfx_privacy import (
    PrivacyConfig,
    PrivacyEvaluator,
    PrivacyGate,
    PrivacyThresholds,
    ReferenceModelsConfig,
    ReferenceTrainer,
)
from tfx_privacy.components.baseline_strategy import baseline_resolver
from tfx_privacy.pipelines import taxi_model
from tfx_privacy.verdict.limits import is_on_change

PIPELINE_NAME = "taxi"
# Of trips judged right. To say of everyone that they do not tip is right in 78%.
LEAST_ACCURACY = 0.8


def create_pipeline(
    *,
    example_gen: tfx.components.CsvExampleGen,
    pipeline_root: Path,
    metadata_path: Path,
    serving_dir: Path,
    hyperparameters: Mapping[str, object],
    thresholds: PrivacyThresholds | None = None,
    privacy_config: PrivacyConfig | None = None,
    references: int | None = None,
    beam_pipeline_args: Sequence[str] = (),
) -> tfx.dsl.Pipeline:
    """The pipeline.

    Args:
      example_gen: The trips and their splits, as taxi_examples.py makes them.
      pipeline_root: Where artifacts are written.
      metadata_path: The SQLite file of the metadata store.
      serving_dir: Where a model is pushed that is good and does not leak.
      hyperparameters: Of the model; `taxi_model.Hyperparameters` says which there are.
      thresholds: What the gate allows. Default: the package's.
      privacy_config: What is measured of the model. Default: `measured_by_default()`.
      references: How many reference models are trained, for an attacker that has models
        of its own to compare the model with. None is not measured by default: they take
        as long as so many Trainers.
      beam_pipeline_args: The runner's options, for Beam.
    """
    statistics_gen = tfx.components.StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = tfx.components.SchemaGen(
        statistics=statistics_gen.outputs["statistics"], infer_feature_shape=True
    )
    example_validator = tfx.components.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    transform = tfx.components.Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        module_file=taxi_model.__file__,
    )
    trainer = tfx.components.Trainer(
        module_file=taxi_model.__file__,
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema_gen.outputs["schema"],
        custom_config=dict(hyperparameters),
    )
    evaluator = tfx.components.Evaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        eval_config=_eval_config(),
    )

    compared_with = {}
    reference_trainers = []
    if references is not None:
        # Models like the Trainer's, each trained on half of all trips.
        reference_trainer = ReferenceTrainer(
            module_file=taxi_model.__file__,
            examples=example_gen.outputs["examples"],
            transform_graph=transform.outputs["transform_graph"],
            schema=schema_gen.outputs["schema"],
            custom_config=dict(hyperparameters),
            config=ReferenceModelsConfig(
                models=references,
                model_spec={"label_key": taxi_model.LABEL_KEY},
                training_examples="TRANSFORMED_EXAMPLES",
            ),
        )
        reference_trainers.append(reference_trainer)
        compared_with["reference_models"] = reference_trainer.outputs["reference_models"]

    # What the model gives away about the trips it was trained on ...
    privacy_evaluator = PrivacyEvaluator(
        model=trainer.outputs["model"],
        examples=example_gen.outputs["examples"],
        config=measured_by_default() if privacy_config is None else privacy_config,
        **compared_with,
    )
    # ... and whether that is little enough. It blesses what the Evaluator blessed as well.
    gate_inputs = {
        "metrics": privacy_evaluator.outputs["metrics"],
        "model": trainer.outputs["model"],
        "blessing": evaluator.outputs["blessing"],
    }
    resolvers = []
    if thresholds is not None and any(map(is_on_change, thresholds.thresholds)):
        # What the last blessed model gave away, for a gate that limits the rise above it.
        baseline = baseline_resolver(trainer.outputs["model"])
        resolvers.append(baseline)
        gate_inputs |= {
            "record_risk": privacy_evaluator.outputs["record_risk"],
            "baseline": baseline.outputs["metrics"],
            "baseline_record_risk": baseline.outputs["record_risk"],
        }
    privacy_gate = PrivacyGate(**gate_inputs, thresholds=thresholds)
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=privacy_gate.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(serving_dir))
        ),
    )

    return tfx.dsl.Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=str(pipeline_root),
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            transform,
            trainer,
            evaluator,
            *reference_trainers,
            privacy_evaluator,
            *resolvers,
            privacy_gate,
            pusher,
        ],
        enable_cache=True,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(metadata_path)
        ),
        beam_pipeline_args=list(beam_pipeline_args),
    )


def measured_by_default() -> PrivacyConfig:
    """What an attacker would find that sees the model's answers.

    Set its `white_box` to measure one that holds the model's parameters too.
    """
    return PrivacyConfig(
        model_spec={
            "label_key": taxi_model.LABEL_KEY,
            "preprocessing_function_names": ["transform_features"],
        },
        slicing_specs=[{"feature_keys": ["payment_type"]}],
    )


def _eval_config() -> tfma.EvalConfig:
    """Quality, as any pipeline has it: enough trips judged right."""
    accuracy = tfma.MetricConfig(
        class_name="BinaryAccuracy",
        threshold=tfma.MetricThreshold(
            value_threshold=tfma.GenericValueThreshold(lower_bound={"value": LEAST_ACCURACY})
        ),
    )
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="serving_default",
                label_key=taxi_model.LABEL_KEY,
                preprocessing_function_names=["transform_features"],
            )
        ],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=[accuracy])],
    )
