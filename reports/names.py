"""Text that came from data, made fit to be shown: never trusted, never hidden."""

from __future__ import annotations

import dataclasses
import unicodedata

_SHOWN = 80
_LONGEST = 20_000
# Embeddings, overrides and isolates: they would show a text in another order.
_DIRECTIONS = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))
# Shown in place of a character that a page or a terminal would obey.
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclasses.dataclass(frozen=True)
class Name:
    """A text of any length.

    Attributes:
      short: The text, or its beginning and end.
      full: The whole text where `short` is not; None where it is.
    """

    short: str
    full: str | None


def name_of(text: str) -> Name:
    """A text from data for a page, which escapes it and isolates its direction."""
    if not text.strip():
        return Name(f"(blank: {len(text)} characters)" if text else "(empty)", None)
    if len(text) <= _SHOWN:
        return Name(text, None)
    full = text
    if len(text) > _LONGEST:
        full = f"{text[:_LONGEST]}… ({len(text) - _LONGEST:,} more characters in metrics.json)"
    return Name(f"{text[: _SHOWN - 20]}…{text[-12:]}", full)


def visible(text: str) -> str:
    """The text with a sign in place of what a page would obey: controls, turned directions."""
    return "".join(_REPLACEMENT if _is_obeyed(character) else character for character in text)


def line_of(text: str) -> str:
    """A text from data for one line of a log, with what a terminal would obey spelled out."""
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else character
        for character in text
    )


def _is_obeyed(character: str) -> bool:
    if unicodedata.category(character) == "Cc":
        return character not in "\n\t"
    return unicodedata.bidirectional(character) in _DIRECTIONS
