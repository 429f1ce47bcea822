"""What the command line exits with, beside 0 and click's 2 for wrong usage."""

from __future__ import annotations

EXIT_ERROR = 1
EXIT_BLOCK = 10
EXIT_CANNOT_TELL = 11
