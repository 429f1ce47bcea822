"""Progress: lines in a log, a spinner on a terminal."""

from __future__ import annotations

import logging
from io import StringIO

import pytest
from rich.console import Console

from tfx_privacy.attacks.progress_log import PROGRESS_LOGGER, tell_progress
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
    stages = (
        "observe",
        "read",
        "references",
        "select",
        "fit",
        "controls",
        "score",
        "exact",
        "evidence",
    )
    assert not [stage for stage in (*stages, "report") if stage not in STAGES]


def test_on_a_terminal_the_last_line_told_stands_below_the_stage_while_it_runs() -> None:
    console = _terminal()
    with StageProgress(console) as progress:
        progress("fit", None)
        tell_progress("network: epoch 1 of 9 [b]")
        tell_progress("network: epoch 2 of 9 [b]")
        progress._progress.refresh()
        shown = _written(console)
        progress("fit", 1.0)
    after = _written(console)[len(shown) :]
    lines = shown.splitlines()
    (below,) = (index for index, line in enumerate(lines) if "  network: epoch 2 of 9 [b]" in line)
    assert "fitting attacks" in lines[below - 1]
    assert "network" not in after.rpartition("fitting attacks")[2]


def test_in_a_log_what_is_told_is_a_line_now_and_then() -> None:
    console, time = _log(), [0.0]
    with StageProgress(console, now=lambda: time[0]) as progress:
        progress("fit", None)
        for second in range(0, 25, 3):
            time[0] = second
            tell_progress(f"after {second} s")
        progress("fit", 25.0)
        tell_progress("between stages")
    assert _written(console).splitlines() == [
        "fitting attacks ...",
        "fitting attacks: after 12 s",
        "fitting attacks: after 24 s",
        "fitting attacks: 25.0 s",
    ]


def test_what_is_told_goes_to_others_again_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    logger = logging.getLogger(PROGRESS_LOGGER)
    before = (logger.level, logger.propagate, list(logger.handlers))
    with StageProgress(_log()):
        tell_progress("inside")
    tell_progress("outside")
    assert (logger.level, logger.propagate, logger.handlers) == before
    assert [record.getMessage() for record in caplog.records] == ["outside"]
