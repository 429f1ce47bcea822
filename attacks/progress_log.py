"""Where attacks that train for long tell how far they are: a logger of its own.

Python's logging carries it to whoever listens: the command line shows the last line under
the stage that is running, a pipeline's log has each line where INFO is logged.
"""

from __future__ import annotations

import logging

PROGRESS_LOGGER = "tfx_privacy.progress"


def tell_progress(line: str) -> None:
    """Tells of progress in a line of some 60 characters; the next one replaces it."""
    logging.getLogger(PROGRESS_LOGGER).info("%s", line)
