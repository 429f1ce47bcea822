"""Help is there at once, and what is slow to import is imported when a command runs."""

from __future__ import annotations

import subprocess
import sys

from click.testing import CliRunner

from tfx_privacy.__main__ import main

# What takes seconds.
HEAVY = ("apache_beam", "keras", "matplotlib", "numpy", "pandas", "pyarrow", "tensorflow", "tfx")


def test_the_command_line_itself_imports_nothing_heavy() -> None:
    code = "import sys, tfx_privacy.__main__; print([m for m in sys.argv[1:] if m in sys.modules])"
    printed = subprocess.run(
        [sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True
    ).stdout
    assert printed == "[]\n"


def test_every_command_is_listed_with_what_it_does() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    commands = {"canaries", "compare", "evaluate", "gate", "layers", "measure", "report"}
    assert set(main.commands) == commands
    listed = result.output.partition("Commands:")[2].splitlines()
    told = {words[0]: words[1] for line in listed if (words := line.split(maxsplit=1))}
    assert set(told) == commands
    assert all(len(text) > 20 for text in told.values())


def test_measure_names_every_kind_of_file() -> None:
    output = " ".join(CliRunner().invoke(main, ["measure", "--help"]).output.split())
    for words in ("Parquet", ".npz", ".npy", ".txt", "Privacy Meter", "`entropy` alone"):
        assert words in output
