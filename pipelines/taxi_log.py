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

_STDOUT, _STDERR = 1, 2


@contextlib.contextmanager
def logs_in(path: Path) -> Iterator[TextIO]:
    """Sends what this process and its children write to a file, and logs notes there too.

    Errors that Python code logs are shown on the terminal as well.

    Args:
      path: The file; what is there stays, and new lines follow.

    Yields:
      What still writes to the terminal's standard output.
    """
    with (
        path.open("a", buffering=1, encoding="utf-8") as log,
        os.fdopen(os.dup(_STDOUT), "w") as terminal,
        _descriptors_to(log),
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
        _logging_to(log, errors_to=terminal),
    ):
        yield terminal


@contextlib.contextmanager
def _descriptors_to(log: TextIO) -> Iterator[None]:
    """Redirects what children inherit and libraries in C++ write to."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {stream: os.dup(stream) for stream in (_STDOUT, _STDERR)}
    try:
        for stream in kept:
            os.dup2(log.fileno(), stream)
        yield
    finally:
        for stream, original in kept.items():
            os.dup2(original, stream)
            os.close(original)


@contextlib.contextmanager
def _logging_to(log: TextIO, errors_to: TextIO) -> Iterator[None]:
    notes, errors = logging.StreamHandler(log), logging.StreamHandler(errors_to)
    notes.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    errors.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    errors.setLevel(logging.ERROR)
    verbosity = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.INFO)
    root = logging.getLogger()
    root.addHandler(notes)
    root.addHandler(errors)
    try:
        yield
    finally:
        root.removeHandler(notes)
        root.removeHandler(errors)
        absl_logging.set_verbosity(verbosity)
