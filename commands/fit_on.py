"""The option that names another model's signals to fit attacks on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from tfx_privacy.commands.paths import DIRECTORY

if TYPE_CHECKING:
    from tfx_privacy.evaluation.fit_on import FitOn

# Where a run leaves the signals in its output.
_SIGNALS = "signals"

fit_on_option = click.option(
    "--fit-on",
    type=DIRECTORY,
    help="Fit attacks on the signals of another model: the output of its measurement.",
)


def signals_to_fit_on(directory: str | None, output: str) -> FitOn | None:
    """The other model's signals, in an output directory or in its folder `signals`.

    Args:
      directory: As it was given; None where it was not.
      output: Where the run at hand writes.

    Raises:
      InputError: If the run would replace them.
    """
    from tfx_privacy.evaluation.fit_on import FitOn
    from tfx_privacy.signals.errors import InputError

    if directory is None:
        return None
    within = os.path.join(directory, _SIGNALS)
    signals = within if os.path.isdir(within) else directory
    if os.path.realpath(signals) == os.path.realpath(os.path.join(output, _SIGNALS)):
        raise InputError(
            f"--fit-on and --output are both {output}: the results would replace the signals that "
            "attacks are fitted on; expected an output of its own for each model"
        )
    return FitOn(signals_dir=signals, uri=os.path.abspath(signals))
