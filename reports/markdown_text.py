"""Markdown whose text is shown as it is, whatever it holds, by every common renderer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tfx_privacy.reports.names import line_of

# Entities by name: Kubeflow's renderer knows no others.
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Also a dash or plus of its own: Kubeflow's renderer sees lists after any sign, not only at the
# beginning of a line.
_ANYWHERE = re.compile(r"[\\`*_\[\]~|$^@#]|(?<!\S)[-+](?!\S)")
_NUMBERED = re.compile(r"(?<!\S)(\d+)(?=[.)](?!\S))")
# A colon before text makes links of addresses and pictures of words.
_COLON = re.compile(r":(?=\S)")
_MARKED = re.compile(r"={2,}")
_BARE_LINK = re.compile(r"(?<=www)\.", re.IGNORECASE)
# What makes a rule or underlines a heading at the beginning of a line.
_OPENING = re.compile(r"^(?=--|=\s*$)")


def escaped(text: str, most: int) -> str:
    """A text from data in Markdown, on one line: neither Markdown nor HTML in it is obeyed.

    Args:
      text: Any text.
      most: Characters shown at most; the rest is cut off, with a sign.

    Returns:
      At most 5 * most + 1 characters.
    """
    line = line_of(text).strip()
    if len(line) > most:
        line = f"{line[: most - 1]}…"
    line = _ANYWHERE.sub(r"\\\g<0>", line)
    line = _COLON.sub(r"\:", line)
    line = _MARKED.sub(lambda found: r"\=" * len(found[0]), line)
    line = _BARE_LINK.sub(r"\.", line)
    line = _NUMBERED.sub(r"\1\\", line)
    line = _OPENING.sub(r"\\", line)
    return re.sub("[&<>]", lambda found: _ENTITIES[found[0]], line)


def bullets(entries: Iterable[str]) -> list[str]:
    """Lines of a list of entries that are Markdown already, and a blank line; none of none."""
    lines = [f"- {entry}" for entry in entries]
    return [*lines, ""] if lines else []


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table of cells that are Markdown already, and a blank line."""
    cells = [headings, ["---"] * len(headings), *rows]
    return [*(f"| {' | '.join(row)} |" for row in cells), ""]
