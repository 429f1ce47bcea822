"""The score histogram of the page, and the same as a table."""

from __future__ import annotations

import dataclasses
import itertools

from markupsafe import Markup

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.histogram import Histogram, histogram
from tfx_privacy.reports.histogram_plot import score_histogram
from tfx_privacy.reports.looks import LegendEntry
from tfx_privacy.reports.numerals import count_text, percent_text, score_text
from tfx_privacy.reports.sides_plot import sides_legend
from tfx_privacy.reports.whole_counts import whole_counts


@dataclasses.dataclass(frozen=True)
class BarRow:
    """One bar: its range of scores, and both sides' number and share."""

    scores: str
    members: str
    member_share: str
    nonmembers: str
    nonmember_share: str


@dataclasses.dataclass(frozen=True)
class HistogramSection:
    """A plot, its legend, and its data.

    Attributes:
      attack: Whose scores they are.
      plot: SVG.
      legend: Which outline is which side.
      rows: The bars, from the least member-like.
      overlap: The share that both sides have in common.
    """

    attack: str
    plot: Markup
    legend: list[LegendEntry]
    rows: list[BarRow]
    overlap: str


def histogram_section(
    results: results_pb2.PrivacyResults, evidence: Evidence
) -> HistogramSection | None:
    """The scores of the best attack on the whole; None where there are no counts."""
    attack = results.best_attack
    counts = whole_counts(evidence, attack)
    if counts is None or attack not in evidence.edges:
        return None
    bars = histogram(counts, evidence.edges[attack])
    overlap = percent_text(_overlap(bars), 0)
    label = (
        f"Histogram of the scores of {attack} for members and non-members; the two shapes overlap "
        f"by {overlap}. The data is in the table below."
    )
    return HistogramSection(
        attack, score_histogram(bars, label), sides_legend(), _rows(bars), overlap
    )


def _overlap(bars: Histogram) -> float:
    members = bars.members / bars.members.sum()
    nonmembers = bars.nonmembers / bars.nonmembers.sum()
    return float(sum(min(pair) for pair in zip(members, nonmembers, strict=True)))


def _rows(bars: Histogram) -> list[BarRow]:
    starts = [score_text(start) for start in bars.starts]
    if not starts:
        ranges = ["all scores"]
    else:
        between = [f"{low} to {high}" for low, high in itertools.pairwise(starts)]
        ranges = [f"below {starts[0]}", *between, f"{starts[-1]} and above"]
    total = (bars.members.sum(), bars.nonmembers.sum())
    return [
        BarRow(
            scores,
            count_text(members),
            percent_text(members / total[0], 1),
            count_text(nonmembers),
            percent_text(nonmembers / total[1], 1),
        )
        for scores, members, nonmembers in zip(
            ranges, bars.members.tolist(), bars.nonmembers.tolist(), strict=True
        )
    ]
