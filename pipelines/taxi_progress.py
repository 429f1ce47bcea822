"""Shows which node of a pipeline is running, and how long each one took."""

from __future__ import annotations

import logging
import time
from types import TracebackType

from absl import logging as absl_logging
from rich.console import Console

# What LocalDagRunner and its launcher log, to the letter. Should a later TFX word it
# otherwise, the lines are missing and nothing else is.
_STARTED = "Component %s is running."
_CACHED = "A cached execution %d is used."
_ENDED = "Component %s is finished."
# What ReferenceTrainer logs for each model, to the letter too: it takes long.
_REFERENCES = "ReferenceTrainer: %s"


class NodeProgress(logging.Handler):
    """A line for each node as it ends; on a terminal, a spinner while it runs.

    To be entered around `LocalDagRunner.run`, with absl's verbosity at INFO.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console
        self._status = console.status("packing the user's module")
        self._start = time.monotonic()
        self._cached = False

    def __enter__(self) -> NodeProgress:
        absl_logging.get_absl_logger().addHandler(self)
        self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.stop()
        absl_logging.get_absl_logger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Shows the record if it is about a node."""
        if record.msg == _STARTED:
            self._start, self._cached = time.monotonic(), False
            self._status.update(_node(record))
        elif record.msg == _CACHED:
            self._cached = True
        elif record.msg == _REFERENCES:
            self._status.update(record.getMessage())
        elif record.msg == _ENDED:
            seconds = time.monotonic() - self._start
            took = "from the cache" if self._cached else f"{seconds:.1f} s"
            self._console.print(f"  {_node(record):<18} {took}", highlight=False)


def _node(record: logging.LogRecord) -> str:
    return record.getMessage().split()[1]
