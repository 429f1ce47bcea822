"""Several trainings at a time, and no more."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable

from tfx_privacy.reference_models.training_process import TrainingProcess
from tfx_privacy.signals.errors import InputError

_POLL_SECONDS = 0.05


def run_all(
    indices: Iterable[int],
    start: Callable[[int], TrainingProcess | None],
    finish: Callable[[TrainingProcess], None],
    max_parallel: int,
) -> None:
    """Trains models in order; when something raises, what has ended well is finished first.

    What still runs then is killed.

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
    except Exception:
        # The next pair's subsets may have taken long, and failed, when a training was over.
        _finish_what_ended_well(running, finish)
        raise
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


def _finish_what_ended_well(
    running: list[TrainingProcess], finish: Callable[[TrainingProcess], None]
) -> None:
    for process in running:
        if process.has_ended and not process.has_failed:
            # What went wrong first is what is told.
            with contextlib.suppress(InputError):
                finish(process)
