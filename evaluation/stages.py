"""The stages of a run: how long each took, and who wants to know."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from absl import logging

from tfx_privacy.proto import privacy_results_pb2 as results_pb2

# Called with a stage's name as it starts and, as it ends, with its seconds.
Listener = Callable[[str, float | None], None]


def log_stage(stage: str, seconds: float | None) -> None:
    """A listener that writes to the log."""
    if seconds is None:
        logging.info("privacy evaluation: %s", stage)
    else:
        logging.info("privacy evaluation: %s took %.1f s", stage, seconds)


class StageClock:
    """Times the stages of one run."""

    def __init__(self, listener: Listener = log_stage) -> None:
        self._listener = listener
        self._times: list[results_pb2.StageTime] = []

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what happens inside; a stage that fails is not recorded."""
        self._listener(name, None)
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self._times.append(results_pb2.StageTime(stage=name, seconds=seconds))
        self._listener(name, seconds)

    @property
    def times(self) -> tuple[results_pb2.StageTime, ...]:
        return tuple(self._times)
