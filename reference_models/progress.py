"""How far the training of reference models has come, and how long the rest will take."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_LOGGER = logging.getLogger(__name__)

# Called with what has happened, in a sentence.
Listener = Callable[[str], None]


def log_progress(sentence: str) -> None:
    """A listener that writes to the log."""
    _LOGGER.info("%s", sentence)


class TimeLeft:
    """An estimate from the models that are finished.

    Models that were finished earlier, by another run, cost nothing and tell nothing.
    """

    def __init__(self, to_train: int, max_parallel: int) -> None:
        """Starts the clock.

        Args:
          to_train: Models that are to be trained.
          max_parallel: How many are trained at a time.
        """
        self._left = to_train
        self._max_parallel = max_parallel
        self._trained = 0
        self._seconds = 0.0
        self._start = time.monotonic()

    def trained(self, seconds: float) -> None:
        """Tells of a model that took so long."""
        self._left -= 1
        self._trained += 1
        self._seconds += seconds

    def skipped(self) -> None:
        """Tells of a model that somebody else has trained."""
        self._left -= 1

    def in_words(self) -> str:
        """How many models are left and how long they will take: "5 left, about 4 min"."""
        if not self._left:
            return f"none left, {duration(time.monotonic() - self._start)} in all"
        if not self._trained:
            return f"{self._left} left"
        # The last ones take as long as one does, however many run at a time.
        rounds = max(self._left / self._max_parallel, 1.0)
        return f"{self._left} left, about {duration(rounds * self._seconds / self._trained)}"


def duration(seconds: float) -> str:
    """Seconds in the largest units that tell them: "45 s", "12 min", "3 h 20 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Bytes in words: "31 MB"."""
    for unit, name in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"
