"""What came of a run of the taxi pipeline, read from the metadata store."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import ml_metadata as mlmd
import tensorflow_model_analysis as tfma
from ml_metadata.proto import metadata_store_pb2

# The slice of TFMA that is everything.
_WHOLE = ()


@dataclasses.dataclass(frozen=True)
class NodeRun:
    """One node's part in a run.

    Attributes:
      cached: Whether its outputs came from the cache.
      outputs: The artifact of each output, by the output's name.
    """

    cached: bool
    outputs: Mapping[str, metadata_store_pb2.Artifact]


@dataclasses.dataclass(frozen=True)
class Measured:
    """An estimate and its interval."""

    estimate: float
    lower: float
    upper: float


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """What a person wants to know of a run.

    Attributes:
      accuracy: Share of evaluated rows that the model judged right.
      quality_blessed: Whether the Evaluator blessed the model.
      best_attack: Name of the attack that did best.
      auc: Its area under the ROC curve.
      outcome: "PASS", "BLOCK" or "CANNOT_TELL".
      reason: The first of the gate's reasons.
      report: The gate's page.
      model: The folder of the trained model.
      pushed_to: The folder that the model was pushed to; None where it was not.
      pushed_before: Whether it was an earlier run that pushed it.
      cached_nodes: How many nodes were served from the cache.
      nodes: How many nodes there are.
    """

    accuracy: float
    quality_blessed: bool
    best_attack: str
    auc: Measured
    outcome: str
    reason: str
    report: Path
    model: Path
    pushed_to: Path | None
    pushed_before: bool
    cached_nodes: int
    nodes: int


def open_store(metadata_path: Path) -> mlmd.MetadataStore:
    """The metadata store in a SQLite file that exists."""
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(metadata_path)
    config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
    return mlmd.MetadataStore(config)


def latest_run(store: mlmd.MetadataStore) -> dict[str, NodeRun]:
    """The nodes of the pipeline run that started last, by node id.

    Raises:
      LookupError: If nothing has run yet.
    """
    runs = store.get_contexts_by_type("pipeline_run")
    if not runs:
        raise LookupError("the metadata store has no pipeline run")
    run = max(runs, key=lambda context: context.id)
    return {
        _node_id(store, execution): NodeRun(
            cached=execution.last_known_state == metadata_store_pb2.Execution.CACHED,
            outputs=_outputs(store, execution),
        )
        for execution in store.get_executions_by_context(run.id)
    }


def summarise(nodes: Mapping[str, NodeRun]) -> RunSummary:
    """What came of a run that has ended."""
    evaluator = nodes["Evaluator"].outputs
    metrics = nodes["PrivacyEvaluator"].outputs["metrics"].custom_properties
    verdict = nodes["PrivacyGate"].outputs["verdict"]
    pusher = nodes["Pusher"]
    pushed = pusher.outputs["pushed_model"].custom_properties
    was_pushed = bool(pushed["pushed"].int_value)
    return RunSummary(
        accuracy=_accuracy(evaluator["evaluation"].uri),
        quality_blessed=bool(evaluator["blessing"].custom_properties["blessed"].int_value),
        best_attack=metrics["best_attack"].string_value,
        auc=Measured(
            metrics["auc"].double_value,
            metrics["auc_lower"].double_value,
            metrics["auc_upper"].double_value,
        ),
        outcome=verdict.custom_properties["outcome"].string_value,
        reason=verdict.custom_properties["reason"].string_value,
        report=Path(verdict.uri, "report.html"),
        model=Path(nodes["Trainer"].outputs["model"].uri, "Format-Serving"),
        pushed_to=Path(pushed["pushed_destination"].string_value) if was_pushed else None,
        pushed_before=was_pushed and pusher.cached,
        cached_nodes=sum(node.cached for node in nodes.values()),
        nodes=len(nodes),
    )


def _node_id(store: mlmd.MetadataStore, execution: metadata_store_pb2.Execution) -> str:
    """The node's id; its context is named `<pipeline>.<node id>`."""
    types = {context_type.id: context_type.name for context_type in store.get_context_types()}
    (name,) = (
        context.name
        for context in store.get_contexts_by_execution(execution.id)
        if types[context.type_id] == "node"
    )
    return name.partition(".")[2]


def _outputs(
    store: mlmd.MetadataStore, execution: metadata_store_pb2.Execution
) -> dict[str, metadata_store_pb2.Artifact]:
    events = [
        event
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    found = store.get_artifacts_by_id([event.artifact_id for event in events])
    artifacts = {artifact.id: artifact for artifact in found}
    return {event.path.steps[0].key: artifacts[event.artifact_id] for event in events}


def _accuracy(evaluation_uri: str) -> float:
    result = tfma.load_eval_result(evaluation_uri)
    metrics = result.get_metrics_for_slice(_WHOLE)
    return float(metrics["binary_accuracy"]["doubleValue"])
