"""Progress: lines in a log, a spinner on a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from tfx_privacy.reports.progress import STAGES, StageProgress


def _log() -> Console:
    return Console(file=StringIO(), force_terminal=False, width=80)


def _terminal() -> Console:
    return Console(file=StringIO(), force_terminal=True, width=80)


def _written(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_in_a_log_a_stage_is_a_line_as_it_starts_and_as_it_ends() -> None:
    console = _log()
    with StageProgress(console) as progress:
        progress("import", None)
        progress("import", 9.04)
        progress("judge", None)
        progress("judge", 0.26)
    assert _written(console).splitlines() == [
        "loading libraries ...",
        "loading libraries: 9.0 s",
        "judging the metrics ...",
        "judging the metrics: 0.3 s",
    ]


def test_a_stage_without_words_goes_by_its_name() -> None:
    console = _log()
    with StageProgress(console) as progress:
        progress("polish", None)
    assert _written(console) == "polish ...\n"


def test_on_a_terminal_the_words_stay_with_a_mark_when_done() -> None:
    console = _terminal()
    with StageProgress(console) as progress:
        progress("fit", None)
        progress("fit", 1.0)
        progress("report", None)
    lines = _written(console).splitlines()
    done = [line for line in lines if "fitting attacks" in line][-1]
    running = [line for line in lines if "writing the report" in line][-1]
    assert "✓" in done
    assert "✓" not in running
    assert "0:00:00" in running


def _fail(progress: StageProgress, error: ValueError) -> None:
    with progress:
        progress("score", None)
        raise error


@pytest.mark.parametrize("console", [_log(), _terminal()], ids=["log", "terminal"])
def test_an_error_in_a_stage_goes_through_as_it_is(console: Console) -> None:
    error = ValueError("wrong")
    with pytest.raises(ValueError, match="wrong") as raised:
        _fail(StageProgress(console), error)
    assert raised.value is error
    assert error.__context__ is None
    assert "scoring and counting" in _written(console)
    assert "scoring and counting:" not in _written(console)


def test_every_stage_that_results_tell_the_time_of_has_words() -> None:
    """Those of StageTime in the results, and of a terminal the report."""
    stages = ("observe", "read", "select", "fit", "controls", "score", "exact", "evidence")
    assert not [stage for stage in (*stages, "report") if stage not in STAGES]
