"""Tables and paragraphs as plain lines, the same in every terminal and log."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from tfx_privacy.reports.names import line_of

_WIDTH = 100
# A rule of plain characters under the heading and nothing else.
_RULES = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_MOST_CHARACTERS = 600


def rule_table(title: str | None) -> Table:
    """An empty table with a rule under its heading."""
    return Table(
        title=None if title is None else cell(title),
        title_justify="left",
        box=_RULES,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def cell(line: str) -> Text:
    """One text, whatever it holds: nothing in it is obeyed."""
    # Text, not markup: square brackets in names mean nothing here.
    return Text(_shortened(line_of(line)), overflow="fold")


def cells_below(*texts: str) -> Text:
    """Texts below each other in one cell."""
    return Text("\n", overflow="fold").join(map(cell, texts))


def listed(heading: str, entries: Sequence[str]) -> list[RenderableType]:
    """A heading and its entries; nothing where there are none."""
    if not entries:
        return []
    items = Table.grid(padding=(0, 1))
    for entry in entries:
        items.add_row(Text("-"), cell(entry))
    return [cell(heading), items]


def plain(parts: Sequence[RenderableType]) -> str:
    """Lines of at most 100 columns, without colours; no line break at the end."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=_WIDTH,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        force_interactive=False,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip().splitlines())


def _shortened(line: str) -> str:
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..."
