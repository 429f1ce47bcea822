"""The demo's command line."""

from __future__ import annotations

import subprocess
import sys

from click.testing import CliRunner

from tfx_privacy.pipelines.taxi_demo import RUNS, main


def test_help_says_what_happens() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert "--output" in result.output


def test_output_is_required() -> None:
    assert CliRunner().invoke(main, []).exit_code == 2


def test_first_line_does_not_wait_for_tfx() -> None:
    code = (
        "import sys, tfx_privacy.pipelines.taxi_demo\n"
        "print([name for name in ('tfx', 'tensorflow', 'apache_beam') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_runs_differ_in_values_and_not_in_names() -> None:
    leaky, tame = RUNS
    assert leaky.hyperparameters.keys() == tame.hyperparameters.keys()
    assert leaky.hyperparameters != tame.hyperparameters
