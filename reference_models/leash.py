"""Runs a command that ends when the process that wanted it does.

    python leash.py COMMAND...

Whoever starts this keeps its standard input open. Where that closes, because the process
was killed, however hard, the command and all that it has started are killed too. Nothing
but the standard library is imported, so this starts in some 20 ms.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

# As shells have it: a command that signal n has killed exits with 128 + n.
KILLED = 128


def main(command: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_kill_when_let_go, daemon=True).start()
    status = child.wait()
    return status if status >= 0 else KILLED - status


def _kill_when_let_go() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    # This process leads a group of its own, in which the command is.
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
