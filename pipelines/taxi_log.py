"""Puts what TFX, Beam, TensorFlow and pip have to say into a file."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from absl import logging as absl_logging


@contextlib.contextmanager
def logs_in(path: Path) -> Iterator[TextIO]:
    """Sends all output of this process and its children to a file, from notes to warnings.

    Errors that Python code logs are written to the terminal as well.

    Args:
      path: The file; what is there stays, and new lines follow.

    Yields:
      What still writes to the terminal.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    verbosity = absl_logging.get_verbosity()
    with path.open("ab") as log, os.fdopen(os.dup(kept[1]), "w") as terminal:
        errors = _ErrorLines(terminal)
        for stream in kept:
            os.dup2(log.fileno(), stream)
        absl_logging.set_verbosity(absl_logging.INFO)
        logging.getLogger().addHandler(errors)
        try:
            yield terminal
        finally:
            logging.getLogger().removeHandler(errors)
            absl_logging.set_verbosity(verbosity)
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, original in kept.items():
                os.dup2(original, stream)
                os.close(original)


class _ErrorLines(logging.StreamHandler):
    """Writes errors, one line each."""

    def __init__(self, terminal: TextIO) -> None:
        super().__init__(terminal)
        self.setLevel(logging.ERROR)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
