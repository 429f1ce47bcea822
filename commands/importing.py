"""Loading a command's libraries, which takes seconds, as a stage that is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfx_privacy.evaluation.stages import StageClock
    from tfx_privacy.reports.progress import StageProgress


def stage_progress() -> StageProgress:
    """What shows the stages of a command as they pass."""
    from tfx_privacy.reports.progress import StageProgress

    return StageProgress()


@contextmanager
def importing(progress: StageProgress) -> Iterator[StageClock]:
    """The stage that loads a command's libraries, and the clock for its other stages."""
    from tfx_privacy.evaluation.stages import StageClock

    clock = StageClock(progress)
    with clock.stage("import"):
        yield clock
