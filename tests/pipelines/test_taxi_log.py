"""What goes to the log and what stays on the terminal."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from absl import logging as absl_logging

from tfx_privacy.pipelines.taxi_log import logs_in


def test_output_of_process_and_children_goes_to_the_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with logs_in(tmp_path / "log.txt") as terminal:
        print("from Python")
        print("to standard error", file=sys.stderr)
        subprocess.run(["echo", "from a child"], check=True)
        print("for people", file=terminal)
    print("afterwards")
    out, err = capfd.readouterr()
    assert out.splitlines() == ["for people", "afterwards"]
    assert err == ""
    log = (tmp_path / "log.txt").read_text().splitlines()
    assert {"from Python", "to standard error", "from a child"} <= set(log)


def test_notes_go_to_the_file_and_errors_to_both(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    verbosity, handlers = absl_logging.get_verbosity(), list(logging.getLogger().handlers)
    with logs_in(tmp_path / "log.txt"):
        absl_logging.info("a note")
        logging.getLogger("beam").warning("a warning")
        logging.getLogger("beam").error("an error")
    assert capfd.readouterr().out.splitlines() == ["ERROR beam: an error"]
    log = (tmp_path / "log.txt").read_text()
    assert all(text in log for text in ("a note", "a warning", "an error"))
    assert absl_logging.get_verbosity() == verbosity
    assert logging.getLogger().handlers == handlers


def test_later_lines_follow_earlier_ones(tmp_path: Path) -> None:
    for line in ("first", "second"):
        with logs_in(tmp_path / "log.txt"):
            print(line)
    assert (tmp_path / "log.txt").read_text().splitlines() == ["first", "second"]


def test_terminal_is_given_back_when_something_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), logs_in(tmp_path / "log.txt"):
        raise RuntimeError("on purpose")
    print("still here")
    assert capfd.readouterr().out == "still here\n"
