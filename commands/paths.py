"""Files and directories that an option can name."""

from __future__ import annotations

import click

FILE = click.Path(exists=True, dir_okay=False)
DIRECTORY = click.Path(exists=True, file_okay=False)
