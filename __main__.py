"""The command line: `tfx-privacy`, or `python -m tfx_privacy`. A command is a file in commands/."""

from __future__ import annotations

import os
import warnings

import click

from tfx_privacy.commands.canaries import canaries_command
from tfx_privacy.commands.compare import compare_command
from tfx_privacy.commands.evaluate import evaluate_command
from tfx_privacy.commands.exit_codes import EXIT_ERROR
from tfx_privacy.commands.gate import gate_command
from tfx_privacy.commands.layers import layers_command
from tfx_privacy.commands.measure import measure_command
from tfx_privacy.commands.report import report_command
from tfx_privacy.version import __version__


class _ClearErrors(click.Group):
    """Shows an InputError as one message, without a traceback."""

    def invoke(self, context: click.Context) -> object:
        from tfx_privacy.signals.errors import InputError

        try:
            return super().invoke(context)
        except InputError as error:
            click.echo(f"tfx-privacy: error: {error}", err=True)
            raise SystemExit(EXIT_ERROR) from error


@click.group(cls=_ClearErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfx-privacy")
def main() -> None:
    """Measures whether a model gives away whom it was trained on, and judges it.

    Exit codes: 0 done, and for `gate` blessed; 10 BLOCK; 11 CANNOT_TELL and not
    blessed; 2 wrong usage; 1 any other error.
    """
    # TensorFlow and Beam greet every start with notes about the machine. TensorFlow's are
    # partly errors to it ("Unable to register cuFFT factory"); one that matters is raised too.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\..*")


for _command in (
    evaluate_command,
    measure_command,
    gate_command,
    compare_command,
    report_command,
    canaries_command,
    layers_command,
):
    main.add_command(_command)


if __name__ == "__main__":
    main()
