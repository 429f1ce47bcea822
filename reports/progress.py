"""What is going on, on a terminal: the running stage and how long it has taken."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from tfx_privacy.attacks.progress_log import PROGRESS_LOGGER

STAGES = {
    "import": "loading libraries",
    "read": "reading predictions",
    "observe": "running the model on every example",
    "references": "running the reference models on every example",
    "select": "choosing rows for fitting and for judging",
    "fit": "fitting attacks",
    "controls": "running the controls",
    "score": "scoring and counting",
    "exact": "measuring without bins, for comparison",
    "evidence": "computing intervals",
    "judge": "judging the metrics",
    "compare": "comparing the metrics",
    "report": "writing the report",
}


# In a log, what a stage tells of itself comes no more often than this.
_SECONDS_BETWEEN_LINES = 10.0


class StageProgress:
    """Shows stages on standard error; a listener for evaluation's StageClock.

    On a terminal the running stage has a spinner and its seconds; elsewhere each
    stage is a line as it starts and ends, so that logs show progress too. What attacks
    tell of their training (attacks/progress_log.py) is shown with the stage: on a terminal
    the last line below it, elsewhere a line now and then.
    """

    def __init__(
        self, console: Console | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(stderr=True)
        self._now = now
        self._told = _Told(self._show_line)
        self._running = ""
        self._last_line = -_SECONDS_BETWEEN_LINES
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> StageProgress:
        self._told.listen()
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        self._told.stop()

    def __call__(self, stage: str, seconds: float | None) -> None:
        """A stage starts (`seconds` is None) or has ended."""
        words = STAGES.get(stage, stage)
        self._running = stage if seconds is None else ""
        self._last_line = self._now()
        if self._console.is_terminal:
            self._show(stage, words, seconds)
        elif seconds is None:
            self._console.print(f"{words} ...", highlight=False)
        else:
            self._console.print(f"{words}: {seconds:.1f} s", highlight=False)

    def _show(self, stage: str, words: str, seconds: float | None) -> None:
        if seconds is None:
            self._tasks[stage] = self._progress.add_task(words, total=1)
        else:
            self._progress.update(self._tasks[stage], description=words, completed=1)

    def _show_line(self, line: str) -> None:
        """Shows what the running stage tells of itself."""
        if not self._running:
            return
        words = STAGES.get(self._running, self._running)
        if self._console.is_terminal:
            described = f"{words}\n  {escape(line)}"
            self._progress.update(self._tasks[self._running], description=described)
        elif self._now() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = self._now()
            self._console.print(f"{words}: {line}", highlight=False, markup=False)


class _Told(logging.Handler):
    """Passes on the lines of the progress logger while it listens, and to nobody else."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._show = show
        self._logger = logging.getLogger(PROGRESS_LOGGER)
        self._before = (self._logger.level, self._logger.propagate)

    def listen(self) -> None:
        self._before = (self._logger.level, self._logger.propagate)
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False

    def stop(self) -> None:
        self._logger.removeHandler(self)
        level, self._logger.propagate = self._before
        self._logger.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record.getMessage())
