"""PrivacyGate: blesses a model whose privacy metrics are within limits."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_privacy.components.artifacts import PrivacyMetrics, PrivacyVerdict, RecordRisk
from tfx_privacy.components.privacy_gate import executor
from tfx_privacy.evaluation.code_version import code_version
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.evaluation.thresholds import resolve_gate_thresholds
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.signals.errors import InputError


class PrivacyGateSpec(ComponentSpec):
    """Inputs, outputs and properties of PrivacyGate."""

    PARAMETERS = {
        executor.THRESHOLDS: ExecutionParameter(type=str),
        executor.BASELINE_URI: ExecutionParameter(type=str),
        executor.CODE_VERSION: ExecutionParameter(type=str),
    }
    INPUTS = {
        executor.METRICS: ChannelParameter(type=PrivacyMetrics),
        executor.MODEL: ChannelParameter(type=standard_artifacts.Model),
        executor.QUALITY_BLESSING: ChannelParameter(
            type=standard_artifacts.ModelBlessing, optional=True
        ),
        executor.RECORD_RISK: ChannelParameter(type=RecordRisk, optional=True),
        executor.BASELINE: ChannelParameter(type=PrivacyMetrics, optional=True),
        executor.BASELINE_RECORD_RISK: ChannelParameter(type=RecordRisk, optional=True),
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

    Thresholds on the change need another measurement to count from. On LocalDagRunner
    that is the newest whose latest verdict is blessed and that is not of the model at
    hand, and `baseline` is to be among the pipeline's components:

    ```
    baseline = baseline_resolver(trainer.outputs["model"])
    privacy_gate = PrivacyGate(
        ...,
        baseline=baseline.outputs["metrics"],
        record_risk=privacy_evaluator.outputs["record_risk"],
        baseline_record_risk=baseline.outputs["record_risk"],
    )
    ```

    A first model finds none; `thresholds.on_no_baseline` says what follows. Kubeflow
    resolves no such thing: give `baseline_uri` there, or the output of an Importer.

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
        record_risk: types.BaseChannel | None = None,
        baseline: types.BaseChannel | None = None,
        baseline_record_risk: types.BaseChannel | None = None,
        baseline_uri: str | data_types.RuntimeParameter | None = None,
    ) -> None:
        """Describes the node.

        Args:
          metrics: PrivacyEvaluator's `metrics`, of the same model.
          model: The Trainer's model.
          thresholds: The limits. Default: AUC at most 0.55, advantage at most 0.10,
            TPR at 1% FPR at most 0.02.
          blessing: The Evaluator's blessing of the same model. Where given, the
            model is blessed only if both quality and privacy allow it.
          record_risk: PrivacyEvaluator's `record_risk`. With that of the baseline,
            intervals of changes are paired, and narrower the more records they share.
          baseline: The metrics of another model, which changes are counted from. A
            channel that resolves to nothing is no baseline.
          baseline_record_risk: The record risk of the baseline.
          baseline_uri: In place of `baseline`, the URI of a directory of metrics.

        Raises:
          InputError: If a threshold is wrong, or both `baseline` and `baseline_uri` are
            given, or record risk of a baseline that is not given.
        """
        _check_baseline(baseline, baseline_record_risk, baseline_uri)
        resolved = resolve_gate_thresholds(thresholds or thresholds_pb2.PrivacyThresholds())
        inputs = {executor.METRICS: metrics, executor.MODEL: model}
        optional = {
            executor.QUALITY_BLESSING: blessing,
            executor.RECORD_RISK: record_risk,
            executor.BASELINE: baseline,
            executor.BASELINE_RECORD_RISK: baseline_record_risk,
        }
        inputs.update({key: channel for key, channel in optional.items() if channel is not None})
        super().__init__(
            PrivacyGateSpec(
                **inputs,
                **{
                    executor.THRESHOLDS: message_to_json(resolved),
                    executor.BASELINE_URI: baseline_uri or "",
                    executor.CODE_VERSION: code_version(),
                    executor.BLESSING: types.Channel(type=standard_artifacts.ModelBlessing),
                    executor.VERDICT: types.Channel(type=PrivacyVerdict),
                },
            )
        )


def _check_baseline(
    baseline: types.BaseChannel | None,
    baseline_record_risk: types.BaseChannel | None,
    baseline_uri: str | data_types.RuntimeParameter | None,
) -> None:
    if baseline is not None and baseline_uri:
        raise InputError(
            f"PrivacyGate: found both baseline and baseline_uri ({baseline_uri}); expected one "
            "of them"
        )
    if baseline_record_risk is not None and baseline is None and not baseline_uri:
        raise InputError(
            "PrivacyGate: found baseline_record_risk without a baseline; expected baseline or "
            "baseline_uri as well"
        )
