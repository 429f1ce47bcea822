"""PrivacyEvaluator: measures what a model gives away about its training records."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_privacy.components.artifacts import (
    PrivacyMetrics,
    PrivacySignals,
    RecordRisk,
    ReferenceModels,
)
from tfx_privacy.components.privacy_evaluator import executor
from tfx_privacy.evaluation.code_version import code_version
from tfx_privacy.evaluation.config import require_label_key, resolve_config
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.evaluation.reference_pool import with_references
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError


class PrivacyEvaluatorSpec(ComponentSpec):
    """Inputs, outputs and properties of PrivacyEvaluator."""

    PARAMETERS = {
        executor.CONFIG: ExecutionParameter(type=str),
        executor.CODE_VERSION: ExecutionParameter(type=str),
    }
    INPUTS = {
        executor.MODEL: ChannelParameter(type=standard_artifacts.Model),
        executor.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        executor.TRANSFORM_GRAPH: ChannelParameter(
            type=standard_artifacts.TransformGraph, optional=True
        ),
        executor.SCHEMA: ChannelParameter(type=standard_artifacts.Schema, optional=True),
        # May be left out; given and empty, attacks must not be fitted on something else.
        executor.FIT_ON: ChannelParameter(type=PrivacySignals, optional=True, allow_empty=False),
        executor.REFERENCE_MODELS: ChannelParameter(
            type=ReferenceModels, optional=True, allow_empty=False
        ),
    }
    OUTPUTS = {
        executor.METRICS: ChannelParameter(type=PrivacyMetrics),
        executor.SIGNALS: ChannelParameter(type=PrivacySignals),
        executor.RECORD_RISK: ChannelParameter(type=RecordRisk),
    }


class PrivacyEvaluator(base_beam_component.BaseBeamComponent):
    """Mounts membership-inference attacks on a model and measures their success.

    ```
    privacy_evaluator = PrivacyEvaluator(
        model=trainer.outputs["model"],
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        config=PrivacyConfig(model_spec={"label_key": "label"}),
    )
    ```

    Outputs: `metrics` (tfx_privacy.PrivacyMetrics), `signals`
    (tfx_privacy.PrivacySignals), `record_risk` (tfx_privacy.RecordRisk). What the
    numbers mean is in the report inside `metrics`; whether they are acceptable is
    PrivacyGate's to say.
    """

    SPEC_CLASS = PrivacyEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel | None = None,
        schema: types.BaseChannel | None = None,
        config: config_pb2.PrivacyConfig | None = None,
        fit_on: types.BaseChannel | None = None,
        reference_models: types.BaseChannel | None = None,
    ) -> None:
        """Describes the node.

        Args:
          model: The Trainer's model.
          examples: Raw examples, or Transform's `transformed_examples`, with the
            splits that `config.splits` names.
          transform_graph: Transform's graph. Needed where the model's signature
            wants transformed features, or the label is made by Transform.
          schema: The examples' schema. Where given, features that the
            configuration names are looked up in it.
          config: What to measure and how; `model_spec.label_key` is required.
          fit_on: The output `signals` of a PrivacyEvaluator of another model: attacks are
            fitted on what that gives away of its members, and judged on this one. Records
            that both have are left out of it. Where attacks see white-box signals, both
            models are of one architecture and both configurations have the same `seed`.
          reference_models: ReferenceTrainer's output: an attacker that has trained models
            of its own is measured too. `config.references` says how; `examples` have the
            splits that they were trained on.

        Raises:
          InputError: If the configuration is wrong.
        """
        config = config or config_pb2.PrivacyConfig()
        if reference_models is not None:
            config = with_references(config)
        elif config.HasField("references"):
            raise InputError(
                "PrivacyEvaluator: found config.references, and no reference_models; expected "
                "ReferenceTrainer's output as reference_models as well"
            )
        resolved = resolve_config(config)
        require_label_key(resolved)
        inputs = {executor.MODEL: model, executor.EXAMPLES: examples}
        if transform_graph is not None:
            inputs[executor.TRANSFORM_GRAPH] = transform_graph
        if schema is not None:
            inputs[executor.SCHEMA] = schema
        if fit_on is not None:
            inputs[executor.FIT_ON] = fit_on
        if reference_models is not None:
            inputs[executor.REFERENCE_MODELS] = reference_models
        super().__init__(
            PrivacyEvaluatorSpec(
                **inputs,
                **{
                    executor.CONFIG: message_to_json(resolved),
                    executor.CODE_VERSION: code_version(),
                    executor.METRICS: types.Channel(type=PrivacyMetrics),
                    executor.SIGNALS: types.Channel(type=PrivacySignals),
                    executor.RECORD_RISK: types.Channel(type=RecordRisk),
                },
            )
        )
