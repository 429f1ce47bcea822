"""Which trainings run when, and what becomes of them when something goes wrong."""

from __future__ import annotations

import dataclasses
from typing import cast

import pytest

from tfx_privacy.reference_models.schedule import run_all
from tfx_privacy.reference_models.training_process import TrainingProcess
from tfx_privacy.signals.errors import InputError


@dataclasses.dataclass
class Process:
    """Stands for a TrainingProcess."""

    index: int
    status: int | None = None
    killed: bool = False

    @property
    def has_ended(self) -> bool:
        return self.status is not None

    @property
    def has_failed(self) -> bool:
        return bool(self.status)

    def kill(self) -> None:
        self.killed = True


def test_a_model_that_is_trained_when_the_next_cannot_start_is_kept() -> None:
    started: list[Process] = []
    kept: list[int] = []

    def start(index: int) -> TrainingProcess:
        if index == 3:
            # Meanwhile one has been trained, one has failed, and one goes on.
            started[0].status, started[1].status = 0, 1
            raise InputError("a half lacks a class")
        started.append(Process(index))
        return cast(TrainingProcess, started[-1])

    with pytest.raises(InputError, match="lacks a class"):
        run_all(range(4), start, lambda process: kept.append(cast(Process, process).index), 4)

    assert kept == [0]
    assert started[2].killed


def test_what_went_wrong_first_is_told() -> None:
    def start(index: int) -> TrainingProcess:
        if index == 1:
            raise InputError("first")
        return cast(TrainingProcess, Process(index, status=0))

    def finish(_: TrainingProcess) -> None:
        raise InputError("second")

    with pytest.raises(InputError, match="first"):
        run_all(range(2), start, finish, 2)
