"""Finding the baseline that a model's change is counted from, on LocalDagRunner."""

from __future__ import annotations

from collections.abc import Iterable

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.components.common import resolver

from tfx_privacy.components.artifacts import PrivacyMetrics, PrivacyVerdict, RecordRisk

MODEL = "model"
METRICS = "metrics"
RECORD_RISK = "record_risk"
VERDICT = "verdict"


def baseline_resolver(model: types.BaseChannel) -> resolver.Resolver:
    """The node that finds the baseline of a model.

    ```
    baseline = baseline_resolver(trainer.outputs["model"])
    privacy_gate = PrivacyGate(
        metrics=privacy_evaluator.outputs["metrics"],
        model=trainer.outputs["model"],
        record_risk=privacy_evaluator.outputs["record_risk"],
        baseline=baseline.outputs["metrics"],
        baseline_record_risk=baseline.outputs["record_risk"],
    )
    ```

    The node has to be among the pipeline's components. Its outputs are `metrics`,
    `record_risk` and `verdict` of the baseline, or nothing, and `model`. What counts as
    one is LatestBlessedMetricsStrategy's to say.

    Args:
      model: The Trainer's model, the one at hand.
    """
    return resolver.Resolver(
        strategy_class=LatestBlessedMetricsStrategy,
        **{
            MODEL: model,
            METRICS: types.Channel(type=PrivacyMetrics),
            RECORD_RISK: types.Channel(type=RecordRisk),
            VERDICT: types.Channel(type=PrivacyVerdict),
        },
    ).with_id("privacy_baseline")


class LatestBlessedMetricsStrategy(resolver.ResolverStrategy):
    """The newest metrics whose latest verdict is blessed, not of the model at hand.

    Metrics are refused if the latest verdict on them is not blessed, or the latest on
    their model, by whatever metrics: a blessing that was taken back is none. The model's
    own metrics are left out, so that a rerun finds what the first run found and is
    served from the cache.

    What is newest, and latest, goes by the last run that brought it, from the cache or
    not: who goes back to earlier thresholds gets the verdict of those times again.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """See the base class.

        Args:
          store: Where all artifacts are recorded.
          input_dict: `model` (the one at hand) and all `metrics`, `record_risk` and
            `verdict` of the pipeline.

        Returns:
          The same keys; but for the model one artifact, or none where there is no
          baseline or it has no record risk.
        """
        models = [artifact.uri for artifact in input_dict[MODEL]]
        found: dict[str, list[types.Artifact]] = {
            MODEL: input_dict[MODEL],
            METRICS: [],
            RECORD_RISK: [],
            VERDICT: [],
        }
        verdicts = _oldest_first(store, input_dict[VERDICT])
        on_metrics = {_said(verdict, "metrics_uri"): verdict for verdict in verdicts}
        on_model = {_said(verdict, "model_uri"): verdict for verdict in verdicts}
        for metrics in reversed(_oldest_first(store, input_dict[METRICS])):
            model_uri = _said(metrics, "model_uri")
            if not model_uri or model_uri in models:
                continue
            verdict = on_metrics.get(metrics.uri)
            if _is_blessed(verdict) and _is_blessed(on_model.get(model_uri)):
                found[METRICS], found[VERDICT] = [metrics], [verdict]
                found[RECORD_RISK] = [
                    table
                    for table in _oldest_first(store, input_dict[RECORD_RISK])
                    if _said(table, "metrics_uri") == metrics.uri
                ][-1:]
                break
        return found


def _oldest_first(
    store: mlmd.MetadataStore, artifacts: Iterable[types.Artifact]
) -> list[types.Artifact]:
    """By the last execution that brought them; a cached one brings its outputs again."""
    by_id = {artifact.id: artifact for artifact in artifacts}
    latest = dict.fromkeys(by_id, 0)
    for event in store.get_events_by_artifact_ids(list(by_id)) if by_id else ():
        if event.type == metadata_store_pb2.Event.OUTPUT:
            latest[event.artifact_id] = max(latest[event.artifact_id], event.execution_id)
    return [by_id[number] for number in sorted(by_id, key=lambda n: (latest[n], n))]


def _said(artifact: types.Artifact, name: str) -> str:
    return artifact.get_string_custom_property(name)


def _is_blessed(verdict: types.Artifact | None) -> bool:
    return verdict is not None and verdict.get_int_custom_property("blessed") == 1
