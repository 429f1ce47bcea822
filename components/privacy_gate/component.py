"""PrivacyGate: blesses a model whose privacy metrics are within limits."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_privacy.components.artifacts import PrivacyMetrics, PrivacyVerdict
from tfx_privacy.components.privacy_gate import executor
from tfx_privacy.evaluation.code_version import code_version
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.evaluation.thresholds import resolve_gate_thresholds
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2


class PrivacyGateSpec(ComponentSpec):
    """Inputs, outputs and properties of PrivacyGate."""

    PARAMETERS = {
        executor.THRESHOLDS: ExecutionParameter(type=str),
        executor.CODE_VERSION: ExecutionParameter(type=str),
    }
    INPUTS = {
        executor.METRICS: ChannelParameter(type=PrivacyMetrics),
        executor.MODEL: ChannelParameter(type=standard_artifacts.Model),
        executor.QUALITY_BLESSING: ChannelParameter(
            type=standard_artifacts.ModelBlessing, optional=True
        ),
    }
    OUTPUTS = {
        executor.BLESSING: ChannelParameter(type=standard_artifacts.ModelBlessing),
        executor.VERDICT: ChannelParameter(type=PrivacyVerdict),
    }


class PrivacyGate(base_component.BaseComponent):
    """Judges privacy metrics by thresholds and emits a blessing that Pusher obeys.

    ```
    privacy_gate = PrivacyGate(
        metrics=privacy_evaluator.outputs["metrics"],
        model=trainer.outputs["model"],
        blessing=evaluator.outputs["blessing"],
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=privacy_gate.outputs["blessing"],
        ...
    )
    ```

    Outputs: `blessing` (a stock ModelBlessing) and `verdict`
    (tfx_privacy.PrivacyVerdict). A model that is not blessed is no failure: the
    node succeeds and Pusher does not push. Missing, broken or foreign metrics make
    the node fail, and Pusher does not run.
    """

    SPEC_CLASS = PrivacyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        metrics: types.BaseChannel,
        model: types.BaseChannel,
        thresholds: thresholds_pb2.PrivacyThresholds | None = None,
        blessing: types.BaseChannel | None = None,
    ) -> None:
        """Describes the node.

        Args:
          metrics: PrivacyEvaluator's `metrics`, of the same model.
          model: The Trainer's model.
          thresholds: The limits. Default: AUC at most 0.55, advantage at most 0.10,
            TPR at 1% FPR at most 0.02.
          blessing: The Evaluator's blessing of the same model. Where given, the
            model is blessed only if both quality and privacy allow it.

        Raises:
          InputError: If a threshold is wrong.
        """
        resolved = resolve_gate_thresholds(thresholds or thresholds_pb2.PrivacyThresholds())
        inputs = {executor.METRICS: metrics, executor.MODEL: model}
        if blessing is not None:
            inputs[executor.QUALITY_BLESSING] = blessing
        super().__init__(
            PrivacyGateSpec(
                **inputs,
                **{
                    executor.THRESHOLDS: message_to_json(resolved),
                    executor.CODE_VERSION: code_version(),
                    executor.BLESSING: types.Channel(type=standard_artifacts.ModelBlessing),
                    executor.VERDICT: types.Channel(type=PrivacyVerdict),
                },
            )
        )
