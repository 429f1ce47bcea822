"""What a failed run tells the user: the error that a worker raised, and not Beam's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tfx_privacy.signals.worker_errors import input_error_of


@contextmanager
def clear_errors() -> Iterator[None]:
    """Raises the InputError that made what happens inside fail, where there is one.

    Raises:
      InputError: If an error from inside passes one on, from a worker for instance.
    """
    try:
        yield
    except Exception as error:
        clear = input_error_of(error)
        if clear is None or clear is error:
            raise
        raise clear from error
