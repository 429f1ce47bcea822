"""A verdict in TFMA's message for validations.

Importing this module imports TFMA, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

from tensorflow_model_analysis.proto import config_pb2 as tfma_config_pb2
from tensorflow_model_analysis.proto import metrics_for_slice_pb2 as tfma_pb2
from tensorflow_model_analysis.proto import validation_result_pb2 as validation_pb2

from tfx_privacy.metrics.counts import WHOLE, SliceKey
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.tfma_results import (
    metric_name,
    metric_value,
    slice_key,
    slice_key_message,
)

# The metric that a failure for no single threshold is of: controls, records, the verdict itself.
VERDICT = "privacy_verdict"


def validation_result(verdict: verdict_pb2.PrivacyVerdict) -> validation_pb2.ValidationResult:
    """The verdict as TFMA's Evaluator would give it: only PASS is valid.

    Whoever takes TFMA's result for a blessing gets none from CANNOT_TELL. On the whole the first
    failure says why, in the verdict's words; after it, and for each slice, stands each
    threshold that did not pass where it has to, with the value of the attack that decides.
    """
    result = validation_pb2.ValidationResult(validation_ok=verdict.outcome == verdict_pb2.PASS)
    failures: dict[SliceKey, list[validation_pb2.ValidationFailure]] = {}
    if not result.validation_ok:
        failures[WHOLE] = [_reasons(verdict)]
    for finding in _failed(verdict):
        failures.setdefault(slice_key(finding.slice), []).append(_failure(finding))
    for key, failed in failures.items():
        result.metric_validations_per_slice.add(slice_key=slice_key_message(key), failures=failed)
    result.validation_details.slicing_details.add(
        slicing_spec=tfma_config_pb2.SlicingSpec(), num_matching_slices=1
    )
    return result


def _failed(verdict: verdict_pb2.PrivacyVerdict) -> Iterator[verdict_pb2.Finding]:
    """Findings that did not pass, each slice's own instead of the one that stands for all."""
    whole = [f for f in verdict.findings if f.threshold.scope != thresholds_pb2.EVERY_SLICE]
    for finding in (*whole, *verdict.slice_findings):
        undecided = finding.outcome == verdict_pb2.CANNOT_TELL
        decides = not finding.skipped and not finding.too_small
        must_pass = finding.threshold.role == thresholds_pb2.MUST_PASS
        if finding.outcome == verdict_pb2.BLOCK or (undecided and decides and must_pass):
            yield finding


def _reasons(verdict: verdict_pb2.PrivacyVerdict) -> validation_pb2.ValidationFailure:
    return validation_pb2.ValidationFailure(
        metric_key=tfma_pb2.MetricKey(name=VERDICT),
        message=" ".join(verdict.reasons) or verdict_pb2.Outcome.Name(verdict.outcome),
    )


def _failure(finding: verdict_pb2.Finding) -> validation_pb2.ValidationFailure:
    failure = validation_pb2.ValidationFailure(
        metric_key=tfma_pb2.MetricKey(
            name=metric_name(finding.threshold.metric), output_name=finding.attack
        ),
        metric_threshold=_threshold(finding.threshold),
        message=finding.reason,
    )
    if finding.HasField("value"):
        failure.metric_value.CopyFrom(metric_value(finding.value))
    return failure


def _threshold(threshold: thresholds_pb2.PrivacyThreshold) -> tfma_config_pb2.MetricThreshold:
    """The limit; TFMA holds a change against the baseline, as we do."""
    if threshold.HasField("change_limit"):
        return tfma_config_pb2.MetricThreshold(
            change_threshold=tfma_config_pb2.GenericChangeThreshold(
                absolute={"value": threshold.change_limit},
                direction=tfma_config_pb2.MetricDirection.LOWER_IS_BETTER,
            )
        )
    return tfma_config_pb2.MetricThreshold(
        value_threshold=tfma_config_pb2.GenericValueThreshold(
            upper_bound={"value": threshold.upper_limit}
        )
    )
