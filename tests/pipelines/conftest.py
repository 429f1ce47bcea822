"""Runs of the taxi pipeline that several tests look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tfx_privacy.pipelines.taxi_demo import LOG_FILE, METADATA_FILE, SERVING

if TYPE_CHECKING:
    from tfx import v1 as tfx

    from tfx_privacy.pipelines.taxi_summary import RunSummary
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2
    from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2


@pytest.fixture(scope="session")
def run_taxi() -> Callable[..., RunSummary]:
    """Runs the taxi pipeline in a folder, with the demo's layout, and sums it up."""

    def run(
        output: Path,
        example_gen: tfx.components.CsvExampleGen,
        hyperparameters: Mapping[str, object],
        thresholds: thresholds_pb2.PrivacyThresholds | None = None,
        privacy_config: config_pb2.PrivacyConfig | None = None,
        references: int | None = None,
    ) -> RunSummary:
        from tfx.orchestration.local.local_dag_runner import LocalDagRunner

        from tfx_privacy.pipelines import taxi, taxi_summary
        from tfx_privacy.pipelines.taxi_log import logs_in

        output = output.absolute()
        pipeline = taxi.create_pipeline(
            example_gen=example_gen,
            pipeline_root=output / "artifacts",
            metadata_path=output / METADATA_FILE,
            serving_dir=output / SERVING,
            hyperparameters=hyperparameters,
            thresholds=thresholds,
            privacy_config=privacy_config,
            references=references,
        )
        with logs_in(output / LOG_FILE):
            LocalDagRunner().run(pipeline)
        store = taxi_summary.open_store(output / METADATA_FILE)
        return taxi_summary.summarise(taxi_summary.latest_run(store))

    return run
