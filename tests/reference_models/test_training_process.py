"""The process that trains one model, by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tfx_privacy.reference_models.model_job import ModelJob, TrainingCode
from tfx_privacy.reference_models.training_process import TrainingProcess


def test_its_time_ends_when_it_ends_and_not_when_somebody_looks(
    tmp_path: Path, code_of: Callable[..., TrainingCode]
):
    output = str(tmp_path / "output")
    job = ModelJob(0, 2, str(tmp_path), 5, 5, 0, output, str(tmp_path / "log"))
    start = time.monotonic()
    process = TrainingProcess(job, code_of(), str(tmp_path / "job.json"))
    while not process.has_ended:
        time.sleep(0.01)
    ended = time.monotonic() - start
    time.sleep(0.5)

    assert 0 < process.seconds < ended + 0.25
    assert process.require_model("log", "") == f"{output}/model"
