"""What is going on, on a terminal: the running stage and how long it has taken."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

STAGES = {
    "import": "loading libraries",
    "read": "reading predictions",
    "observe": "running the model on every example",
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


class StageProgress:
    """Shows stages on standard error; a listener for evaluation's StageClock.

    On a terminal the running stage has a spinner and its seconds; elsewhere each
    stage is a line as it starts and ends, so that logs show progress too.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> StageProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, stage: str, seconds: float | None) -> None:
        """A stage starts (`seconds` is None) or has ended."""
        words = STAGES.get(stage, stage)
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
            self._progress.update(self._tasks[stage], completed=1)
