"""PrivacyGate's executor: the verdict into a blessing that Pusher obeys."""

from __future__ import annotations

import os
from typing import Any

from absl import logging
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from tfx_privacy.evaluation.baseline import BaselinePaths, why_unpaired
from tfx_privacy.evaluation.gate import judge_metrics, write_verdict
from tfx_privacy.evaluation.message_files import message_from_json
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.terminal import verdict_table
from tfx_privacy.signals.errors import InputError

METRICS = "metrics"
MODEL = "model"
# The input and the output cannot share a name in a component's specification.
QUALITY_BLESSING = "quality_blessing"
RECORD_RISK = "record_risk"
BASELINE = "baseline"
BASELINE_RECORD_RISK = "baseline_record_risk"
BASELINE_URI = "baseline_uri"
THRESHOLDS = "thresholds"
CODE_VERSION = "code_version"
BLESSING = "blessing"
VERDICT = "verdict"


class Executor(base_executor.BaseExecutor):
    """Runs `evaluation.gate` and marks the blessing."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Judges; see PrivacyGate for inputs and outputs.

        Raises:
          InputError: If metrics or blessing are of another model, or unreadable; if
            the baseline is of the same model, or unreadable.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        thresholds = message_from_json(
            exec_properties[THRESHOLDS],
            thresholds_pb2.PrivacyThresholds,
            "the property 'thresholds'",
        )
        model = artifact_utils.get_single_instance(input_dict[MODEL])
        metrics_uri = artifact_utils.get_single_uri(input_dict[METRICS])
        baseline, record_risk = _baseline(input_dict, exec_properties, metrics_uri)
        judged = judge_metrics(
            metrics_uri,
            thresholds,
            model_uri=model.uri,
            quality_blessed=_quality_blessed(input_dict, model),
            baseline=baseline,
            record_risk_dir=record_risk,
        )
        verdict = judged.verdict
        write_verdict(judged, artifact_utils.get_single_uri(output_dict[VERDICT]))
        _describe(artifact_utils.get_single_instance(output_dict[VERDICT]), verdict)
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING])
        self._mark(blessing, model, verdict.blessed)
        # A node that succeeds and stops Pusher has to be seen; TFX hides what is info.
        tell = logging.info if verdict.blessed else logging.warning
        tell("PrivacyGate\n%s", verdict_table(verdict))

    def _mark(self, blessing: types.Artifact, model: types.Artifact, blessed: bool) -> None:
        node = self._context.pipeline_node if self._context else None
        if node is not None:
            blessing.set_string_custom_property("component_id", node.node_info.id)
        blessing.set_string_custom_property(
            constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
        )
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
        value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
        name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
        io_utils.write_string_file(os.path.join(blessing.uri, name), "")
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)


def _quality_blessed(
    input_dict: dict[str, list[types.Artifact]], model: types.Artifact
) -> bool | None:
    """The Evaluator's word on this model; None where none is asked for."""
    if QUALITY_BLESSING not in input_dict:
        return None
    if not input_dict[QUALITY_BLESSING]:
        # Asked for, and the Evaluator left no blessing at all.
        return False
    blessing = artifact_utils.get_single_instance(input_dict[QUALITY_BLESSING])
    uri = blessing.get_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY)
    if uri and uri != model.uri:
        raise InputError(
            f"the blessing at {blessing.uri} is of the model at {uri}; expected one of {model.uri}"
        )
    blessed = blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
    # An Evaluator without thresholds sets nothing: not blessed.
    return bool(uri) and blessed == constants.BLESSED_VALUE


def _baseline(
    input_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
    metrics_uri: str,
) -> tuple[BaselinePaths | None, str | None]:
    """The baseline, and the record risk of the metrics where the two can be paired."""
    uri = _optional_uri(input_dict, BASELINE) or exec_properties.get(BASELINE_URI)
    if not uri:
        # Normal for a first model.
        return None, None
    ours = _optional_uri(input_dict, RECORD_RISK)
    theirs = _optional_uri(input_dict, BASELINE_RECORD_RISK)
    if ours is None or theirs is None:
        return BaselinePaths(uri), None
    why = why_unpaired(metrics_uri, uri)
    if why is not None:
        # A pipeline whose examples get another feature must not be stuck for it.
        logging.warning("PrivacyGate: intervals of the change are unpaired: %s", why)
        return BaselinePaths(uri), None
    return BaselinePaths(uri, theirs), ours


def _optional_uri(input_dict: dict[str, list[types.Artifact]], key: str) -> str | None:
    """The artifact's URI; None where the input is not wired, or resolved to nothing."""
    found = input_dict.get(key)
    return artifact_utils.get_single_uri(found) if found else None


def _describe(artifact: types.Artifact, verdict: verdict_pb2.PrivacyVerdict) -> None:
    artifact.set_string_custom_property("outcome", verdict_pb2.Outcome.Name(verdict.outcome))
    artifact.set_int_custom_property("blessed", int(verdict.blessed))
    artifact.set_string_custom_property("reason", verdict.reasons[0])
    artifact.set_string_custom_property("model_uri", verdict.model_uri)
    artifact.set_string_custom_property("metrics_uri", verdict.metrics_uri)
    if verdict.HasField("baseline"):
        artifact.set_string_custom_property("baseline_uri", verdict.baseline.metrics_uri)
