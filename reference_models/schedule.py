"""Several trainings at a time, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from tfx_privacy.reference_models.training_process import TrainingProcess

_POLL_SECONDS = 0.05


def run_all(
    indices: Iterable[int],
    start: Callable[[int], TrainingProcess | None],
    finish: Callable[[TrainingProcess], None],
    max_parallel: int,
) -> None:
    """Trains models in order; what still runs when something raises is killed.

    Args:
      indices: Which models.
      start: Starts the training of one; None where there is nothing to train.
      finish: Told of each process that has ended, those that ended well first.
      max_parallel: Processes at a time.
    """
    running: list[TrainingProcess] = []
    try:
        for index in indices:
            while len(running) >= max_parallel:
                _wait_for_some(running, finish)
            process = start(index)
            if process is not None:
                running.append(process)
        while running:
            _wait_for_some(running, finish)
    finally:
        for process in running:
            process.kill()


def _wait_for_some(
    running: list[TrainingProcess], finish: Callable[[TrainingProcess], None]
) -> None:
    ended = [process for process in running if process.has_ended]
    if not ended:
        time.sleep(_POLL_SECONDS)
    for process in sorted(ended, key=lambda process: process.has_failed):
        finish(process)
        running.remove(process)
