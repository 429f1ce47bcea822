"""Notes of a measurement as sentences of a page: whole, ended, and not too long."""

from __future__ import annotations

# A longer note is cut; it stands whole in metrics.json.
LONGEST_NOTE = 1_000


def note_text(note: str) -> str:
    """The note from a capital letter to a full stop, or to where it is cut."""
    cut = note if len(note) <= LONGEST_NOTE else f"{note[:LONGEST_NOTE]}…"
    begun = cut[:1].upper() + cut[1:]
    return begun if begun.endswith((".", "…")) else f"{begun}."
