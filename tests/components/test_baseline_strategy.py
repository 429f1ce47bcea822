"""Which baseline a model gets: on LocalDagRunner, and from artifacts recorded by hand.

Training and measuring are stood in for by components that copy what was prepared; resolver, gate
and Pusher are the real ones.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_privacy.components.artifacts import PrivacyMetrics, PrivacyVerdict, RecordRisk
from tfx_privacy.components.baseline_strategy import (
    LatestBlessedMetricsStrategy,
    baseline_resolver,
)
from tfx_privacy.components.privacy_evaluator.executor import describe_outputs
from tfx_privacy.components.privacy_gate.component import PrivacyGate
from tfx_privacy.evaluation.metrics_directory import read_metrics, write_metrics
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.signals.errors import InputError

_CHANGE_LIMIT = {"metric": {"name": "auc"}, "change_limit": 0.02}


class _TrainerExecutor(base_executor.BaseExecutor):
    """Writes a model's name where the model should be."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:  # noqa: N802
        folder = Path(output_dict["model"][0].uri) / "Format-Serving"
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_text(exec_properties["name"])


class _TrainerSpec(ComponentSpec):
    PARAMETERS: ClassVar = {"name": ExecutionParameter(type=str)}
    INPUTS: ClassVar = {}
    OUTPUTS: ClassVar = {"model": ChannelParameter(type=standard_artifacts.Model)}


class _Trainer(base_component.BaseComponent):
    SPEC_CLASS = _TrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_TrainerExecutor)


class _MeasureExecutor(base_executor.BaseExecutor):
    """Passes prepared metrics off as those of the model."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:  # noqa: N802
        prepared = Path(exec_properties["prepared"])
        metrics, risk = output_dict["metrics"][0], output_dict["record_risk"][0]
        shutil.copytree(prepared, metrics.uri, dirs_exist_ok=True)
        shutil.copytree(prepared / "record_risk", risk.uri, dirs_exist_ok=True)
        content = read_metrics(metrics.uri)
        content.results.model.uri = input_dict["model"][0].uri
        write_metrics(content, metrics.uri)
        describe_outputs(content.results, metrics, risk)


class _MeasureSpec(ComponentSpec):
    PARAMETERS: ClassVar = {"prepared": ExecutionParameter(type=str)}
    INPUTS: ClassVar = {"model": ChannelParameter(type=standard_artifacts.Model)}
    OUTPUTS: ClassVar = {
        "metrics": ChannelParameter(type=PrivacyMetrics),
        "record_risk": ChannelParameter(type=RecordRisk),
    }


class _Measure(base_component.BaseComponent):
    SPEC_CLASS = _MeasureSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_MeasureExecutor)


@dataclasses.dataclass(frozen=True)
class _Run:
    """What the metadata store says of the newest run.

    Attributes:
      states: Of each node.
      verdict: The content of verdict.json.
      metrics_uri: Of the model at hand.
      pushed: Names of the models in the serving folder, in the order of their versions.
    """

    states: Mapping[str, int]
    verdict: Mapping[str, Any]
    metrics_uri: str
    pushed: list[str]

    @property
    def baseline(self) -> str | None:
        return self.verdict.get("baseline", {}).get("metrics_uri")


class _Pipelines:
    """Runs of one pipeline, with one model after another."""

    def __init__(self, root: Path, measured: Callable[[str], Path]) -> None:
        self._root, self._measured = root, measured

    def run(self, name: str, auc_limit: float = 0.7) -> _Run:
        trainer = _Trainer(_TrainerSpec(name=name, model=types.Channel(standard_artifacts.Model)))
        measure = _Measure(
            _MeasureSpec(
                prepared=str(self._measured(name.split("-")[0])),
                model=trainer.outputs["model"],
                metrics=types.Channel(PrivacyMetrics),
                record_risk=types.Channel(RecordRisk),
            )
        )
        baseline = baseline_resolver(trainer.outputs["model"])
        gate = PrivacyGate(
            metrics=measure.outputs["metrics"],
            model=trainer.outputs["model"],
            record_risk=measure.outputs["record_risk"],
            baseline=baseline.outputs["metrics"],
            baseline_record_risk=baseline.outputs["record_risk"],
            thresholds=thresholds_pb2.PrivacyThresholds(
                thresholds=[
                    {"metric": {"name": "auc"}, "upper_limit": auc_limit},
                    _CHANGE_LIMIT,
                ]
            ),
        )
        pusher = tfx.components.Pusher(
            model=trainer.outputs["model"],
            model_blessing=gate.outputs["blessing"],
            push_destination=tfx.proto.PushDestination(
                filesystem=tfx.proto.PushDestination.Filesystem(
                    base_directory=str(self._root / "serving")
                )
            ),
        )
        metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(self._root / "metadata.sqlite")
        )
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline(
                pipeline_name="series",
                pipeline_root=str(self._root / "artifacts"),
                components=[trainer, measure, baseline, gate, pusher],
                enable_cache=True,
                metadata_connection_config=metadata,
            )
        )
        return self._newest(mlmd.MetadataStore(metadata))

    def _newest(self, store: mlmd.MetadataStore) -> _Run:
        runs = {c.id: c for c in store.get_contexts_by_type("pipeline_run")}
        executions = store.get_executions_by_context(max(runs))
        names = {each.id: each.name.rsplit(".", 1)[-1] for each in store.get_execution_types()}
        outputs = {}
        for event in store.get_events_by_execution_ids([each.id for each in executions]):
            if event.type == metadata_store_pb2.Event.OUTPUT:
                artifact = store.get_artifacts_by_id([event.artifact_id])[0]
                outputs[artifact.type] = artifact.uri
        serving = self._root / "serving"
        return _Run(
            states={names[each.type_id]: each.last_known_state for each in executions},
            verdict=json.loads(
                (Path(outputs["tfx_privacy.PrivacyVerdict"]) / "verdict.json").read_text()
            ),
            metrics_uri=outputs["tfx_privacy.PrivacyMetrics"],
            pushed=[
                path.read_text()
                for path in sorted(serving.glob("*/saved_model.pb") if serving.exists() else ())
            ],
        )


def test_a_series_of_models(measured_series: Callable[[str], Path], tmp_path: Path) -> None:
    pipelines = _Pipelines(tmp_path, measured_series)

    first = pipelines.run("first")
    assert first.baseline is None
    assert first.verdict["findings"][1]["skipped"]
    assert first.pushed == ["first"]

    # An identical rerun: its own metrics are no baseline, nothing is judged, nothing pushed.
    again = pipelines.run("first")
    assert again.metrics_uri == first.metrics_uri
    cached = {name for name, state in again.states.items() if state == _CACHED}
    assert {"_Trainer", "_Measure", "PrivacyGate", "Pusher"} <= cached
    assert again.pushed == ["first"]

    worse = pipelines.run("worse")
    assert worse.baseline == first.metrics_uri
    assert worse.verdict["outcome"] == "BLOCK"
    assert worse.verdict["findings"][0]["outcome"] == "PASS"
    assert worse.verdict["findings"][1]["outcome"] == "BLOCK"
    assert int(worse.verdict["baseline"]["shared_records"]["members"]) > 5_000
    assert worse.pushed == ["first"]

    # The one before was refused.
    third = pipelines.run("third")
    assert third.baseline == first.metrics_uri
    assert third.verdict["outcome"] == "PASS"
    assert third.pushed == ["first", "third"]
    # So does its rerun find the first, though it is blessed itself.
    rerun = pipelines.run("third")
    assert rerun.states["PrivacyGate"] == _CACHED
    assert rerun.pushed == ["first", "third"]

    # Judged again by a limit that it does not keep, the third loses its blessing.
    revoked = pipelines.run("third", auc_limit=0.501)
    assert not revoked.verdict.get("blessed")
    assert pipelines.run("first-again").baseline == first.metrics_uri


_CACHED = metadata_store_pb2.Execution.CACHED


class _Store:
    """As much of a metadata store as the strategy asks: who brought which artifact."""

    def __init__(self) -> None:
        self.events: list[metadata_store_pb2.Event] = []

    def brought(self, artifact: types.Artifact, execution: int) -> None:
        event = metadata_store_pb2.Event(
            artifact_id=artifact.id,
            execution_id=execution,
            type=metadata_store_pb2.Event.OUTPUT,
        )
        self.events.append(event)

    def get_events_by_artifact_ids(self, ids: list[int]) -> list[metadata_store_pb2.Event]:
        return [event for event in self.events if event.artifact_id in ids]


class _History:
    """Artifacts, each brought by an execution of its own, in the order of the calls."""

    def __init__(self) -> None:
        self.store = _Store()
        self.inputs: dict[str, list[types.Artifact]] = {
            key: [] for key in ("model", "metrics", "record_risk", "verdict")
        }
        self._number = 0

    def measured(self, uri: str, model: str) -> None:
        self._add("metrics", PrivacyMetrics, uri, model_uri=model)
        self._add("record_risk", RecordRisk, f"{uri}/risk", model_uri=model, metrics_uri=uri)

    def judged(self, metrics: str, model: str, blessed: int) -> types.Artifact:
        verdict = self._add(
            "verdict",
            PrivacyVerdict,
            f"/verdict/{self._number}",
            metrics_uri=metrics,
            model_uri=model,
        )
        verdict.set_int_custom_property("blessed", blessed)
        return verdict

    def brought_again(self, artifact: types.Artifact) -> None:
        self._number += 1
        self.store.brought(artifact, self._number)

    def baseline_of(self, model: str) -> list[str]:
        self.inputs["model"] = [standard_artifacts.Model()]
        self.inputs["model"][0].uri = model
        found = LatestBlessedMetricsStrategy().resolve_artifacts(self.store, self.inputs)
        assert set(found) == set(self.inputs)
        risk = [table.uri for table in found["record_risk"]]
        assert risk == [f"{metrics.uri}/risk" for metrics in found["metrics"]]
        return [metrics.uri for metrics in found["metrics"]]

    def _add(
        self, key: str, artifact_type: type[types.Artifact], uri: str, **properties: str
    ) -> types.Artifact:
        self._number += 1
        artifact = artifact_type()
        artifact.uri = uri
        artifact.id = self._number
        for name, value in properties.items():
            artifact.set_string_custom_property(name, value)
        self.inputs[key].append(artifact)
        self.store.brought(artifact, self._number)
        return artifact


def test_nothing_yet() -> None:
    assert _History().baseline_of("a") == []


def test_newest_blessed_and_never_the_models_own() -> None:
    history = _History()
    for model in ("a", "b", "c"):
        history.measured(f"/{model}", model)
        history.judged(f"/{model}", model, blessed=int(model != "c"))
    history.measured("/d", "d")
    assert history.baseline_of("d") == ["/b"]
    assert history.baseline_of("b") == ["/a"]


def test_a_blessing_that_was_taken_back_is_none() -> None:
    history = _History()
    history.measured("/a", "a")
    blessed = history.judged("/a", "a", blessed=1)
    assert history.baseline_of("b") == ["/a"]
    history.judged("/a", "a", blessed=0)
    assert history.baseline_of("b") == []
    # The gate with the earlier thresholds, from the cache, brings the earlier verdict again.
    history.brought_again(blessed)
    assert history.baseline_of("b") == ["/a"]


def test_a_model_refused_by_other_metrics_has_lost_its_blessing() -> None:
    history = _History()
    history.measured("/a1", "a")
    history.judged("/a1", "a", blessed=1)
    history.measured("/a2", "a")
    assert history.baseline_of("b") == ["/a1"]
    history.judged("/a2", "a", blessed=0)
    assert history.baseline_of("b") == []


def test_a_baseline_is_given_once() -> None:
    given = {
        "metrics": types.Channel(PrivacyMetrics),
        "model": types.Channel(standard_artifacts.Model),
    }
    with pytest.raises(InputError, match="found both baseline and baseline_uri"):
        PrivacyGate(**given, baseline=types.Channel(PrivacyMetrics), baseline_uri="/metrics/1")
    with pytest.raises(InputError, match="baseline_record_risk without a baseline"):
        PrivacyGate(**given, baseline_record_risk=types.Channel(RecordRisk))
