"""How records for reference models were made up: what it cost, and which classes it missed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reports.names import Name, name_of
from tfx_privacy.reports.notes import note_text
from tfx_privacy.reports.numerals import count_text, number_text

_MOST_ROWS = 200
_MOST_NAMED = 10
_MOST_NOTES = 20


@dataclasses.dataclass(frozen=True)
class SynthesisRow:
    """One class; `asked` is empty where records are not asked for by class."""

    name: Name
    asked: str
    made: str


@dataclasses.dataclass(frozen=True)
class SynthesisSection:
    """What the template prints.

    Attributes:
      source: How records were made.
      sentences: How many there are, and what they cost.
      left_out: The classes without a record, the first of them.
      left_out_not_shown: How many more there are.
      rows: The classes as a table.
      rows_not_shown: How many more there are.
      notes: What went otherwise than asked.
    """

    source: Name
    sentences: Sequence[str]
    left_out: Sequence[Name]
    left_out_not_shown: int
    rows: Sequence[SynthesisRow]
    rows_not_shown: int
    notes: Sequence[str]


def synthesis_section(trained: references_pb2.ReferenceModels) -> SynthesisSection | None:
    """The section; None where no records were made up."""
    if not trained.HasField("synthesis"):
        return None
    found = trained.synthesis
    asked = any(one.asked for one in found.classes)
    missed = [one for one in found.classes if not one.made]
    return SynthesisSection(
        source=name_of(found.source),
        sentences=synthesis_sentences(found),
        left_out=[name_of(one.label) for one in missed[:_MOST_NAMED]],
        left_out_not_shown=max(0, len(missed) - _MOST_NAMED),
        rows=[
            SynthesisRow(
                name_of(one.label), count_text(one.asked) if asked else "", count_text(one.made)
            )
            for one in found.classes[:_MOST_ROWS]
        ],
        rows_not_shown=max(0, len(found.classes) - _MOST_ROWS),
        notes=[note_text(note) for note in found.notes[:_MOST_NOTES]],
    )


def synthesis_sentences(found: references_pb2.Synthesis) -> list[str]:
    """How many records were made, at how many queries, and whether classes are missing."""
    told = [_made(found), _queries(found), _classes(found)]
    return [sentence for sentence in told if sentence]


def _made(found: references_pb2.Synthesis) -> str:
    made = "1 record was" if found.made == 1 else f"{count_text(found.made)} records were"
    if found.made == found.asked:
        return f"{made} made up, as many as asked for."
    return f"{made} made up, where {count_text(found.asked)} were asked for."


def _queries(found: references_pb2.Synthesis) -> str:
    if not found.queries:
        return ""
    times = "once" if found.queries == 1 else f"{count_text(found.queries)} times"
    if not found.made:
        return f"The target was asked {times} for them."
    each = found.queries / found.made
    return f"The target was asked {times} for them, {number_text(each, 1)} times a record made."


def _classes(found: references_pb2.Synthesis) -> str:
    number = len(found.classes)
    if not number:
        return ""
    classes = "1 class" if number == 1 else f"{count_text(number)} classes"
    missed = sum(not one.made for one in found.classes)
    short = sum(0 < one.made < one.asked for one in found.classes)
    told = []
    if missed:
        have, are, these = ("has", "is", "it") if missed == 1 else ("have", "are", "these")
        told.append(
            f"{count_text(missed)} of {classes} {have} none and {are} left out: of {these} the "
            "models have seen nothing."
        )
    if short:
        have = "class has" if short == 1 else "classes have"
        more = " more" if missed else ""
        told.append(f"{count_text(short)}{more} {have} fewer than asked for.")
    return " ".join(told) or "No class is left out."
