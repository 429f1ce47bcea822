"""Errors of Beam's workers, as the user should see them."""

from __future__ import annotations

import re

from tfx_privacy.signals.errors import InputError

_NAME = f"{InputError.__module__}.{InputError.__qualname__}: "
# What Beam and Python append to the message of the error they pass on.
_APPENDED = re.compile(
    r" \[while running '|\n\nDuring handling of the above|\n\nThe above exception was"
)


def input_error_of(error: BaseException) -> InputError | None:
    """The InputError that a worker raised, if that is why a pipeline failed.

    Beam's in-memory runner raises the worker's error with the name of the step
    added; others raise a RuntimeError with the worker's traceback as its text.

    Args:
      error: What running the pipeline raised.

    Returns:
      An InputError with the message that the worker gave it, `error` itself where
      that is one, or None.
    """
    text = str(error)
    if isinstance(error, InputError):
        return error if _message(text) == text else InputError(_message(text))
    _, found, rest = text.rpartition(_NAME)
    return InputError(_message(rest)) if found else None


def _message(text: str) -> str:
    return _APPENDED.split(text, maxsplit=1)[0].rstrip("\n")
