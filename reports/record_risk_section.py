"""The risk of single records: its spread, whether it is true, by class, and who is exposed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.looks import LegendEntry
from tfx_privacy.reports.names import Name, name_of
from tfx_privacy.reports.numerals import count_text, percent_text
from tfx_privacy.reports.record_risk_words import (
    calibration,
    finding,
    ids_note,
    is_off,
    meaning,
    risk_text,
    share_number,
)
from tfx_privacy.reports.risk_plots import (
    ReliabilityPoint,
    reliability_plot,
    risk_distribution,
)
from tfx_privacy.reports.sides_plot import sides_legend
from tfx_privacy.reports.small_panels import panel, panel_shares

_MOST_PANELS = 12
# Of a class with fewer members a histogram shows noise, and its mean is luck.
_FEWEST_MEMBERS = 20
# Of a panel's width: edges lie evenly around the prior.
_PRIOR_AT = 0.5
# A table of the distribution has about so many rows at most.
_MOST_ROWS = 20
_BINS_TOGETHER = 5


@dataclasses.dataclass(frozen=True)
class RiskRow:
    """Records of a range of risk."""

    risks: str
    members: str
    member_share: str
    nonmembers: str
    nonmember_share: str


@dataclasses.dataclass(frozen=True)
class AboveRow:
    """Shares above a risk, with their intervals."""

    risk: str
    members: str
    members_interval: str
    nonmembers: str
    nonmembers_interval: str


@dataclasses.dataclass(frozen=True)
class ReliabilityRow:
    """One group of judged records: risk said, and share found."""

    risk: str
    share: str
    interval: str
    members: str
    nonmembers: str
    is_off: bool


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """One class; `panel` is None where it stands in the table alone."""

    name: Name
    members: str
    nonmembers: str
    mean_risk: str
    panel: Markup | None


@dataclasses.dataclass(frozen=True)
class ExposedRow:
    """A member with a high risk."""

    id: str
    risk: str
    class_name: Name | None
    attacks_right: str


@dataclasses.dataclass(frozen=True)
class RecordRiskSection:
    """What the template prints.

    Attributes:
      not_computed: Why there is nothing else; empty where there is.
      attack: Whose scores the risk comes from.
      meaning: What a risk is.
      finding: Whether records stand out.
      plot: Members and non-members by risk.
      legend: Of the plot and of the classes' panels.
      rows: The plot as a table.
      above: Shares above a risk.
      calibration: Whether risks are true, in words.
      reliability: The same as a plot.
      reliability_rows: The same as a table.
      panels: The classes with the highest mean risk of members, the highest first.
      classes: All classes in that order.
      exposed: The most exposed members.
      has_classes: Whether these have a class.
      ids_note: What their ids are.
    """

    not_computed: str
    attack: str = ""
    meaning: str = ""
    finding: str = ""
    plot: Markup | None = None
    legend: Sequence[LegendEntry] = ()
    rows: Sequence[RiskRow] = ()
    above: Sequence[AboveRow] = ()
    calibration: str = ""
    reliability: Markup | None = None
    reliability_rows: Sequence[ReliabilityRow] = ()
    panels: Sequence[ClassRow] = ()
    classes: Sequence[ClassRow] = ()
    exposed: Sequence[ExposedRow] = ()
    has_classes: bool = False
    ids_note: str = ""


def record_risk_section(results: results_pb2.PrivacyResults) -> RecordRiskSection | None:
    """The section; None where results say nothing of it."""
    risk, judge = results.record_risk, results.records.judge
    if risk.not_computed:
        return RecordRiskSection(risk.not_computed)
    if not (risk.reliability and risk.edges):
        return None
    members, nonmembers = np.array(risk.whole.members), np.array(risk.whole.nonmembers)
    found, said = finding(risk), calibration(risk, judge)
    reliability_rows = [_reliability_row(one, risk, judge) for one in risk.reliability]
    classes = _classes(risk)
    return RecordRiskSection(
        not_computed="",
        attack=risk.attack,
        meaning=meaning(risk),
        finding=found,
        plot=risk_distribution(
            risk.edges,
            members,
            nonmembers,
            f"Members and non-members by risk. {found} The data is in the table below.",
        ),
        legend=sides_legend(),
        rows=_rows(risk.edges, members, nonmembers),
        above=[_above_row(one) for one in _with_records(risk.above)],
        calibration=said,
        reliability=reliability_plot(
            [_point(one, risk, judge) for one in risk.reliability],
            f"Share of members found against risk said. {said} The data is in the table below.",
        ),
        reliability_rows=reliability_rows,
        panels=[row for row in classes if row.panel is not None],
        classes=classes,
        exposed=[_exposed_row(one) for one in risk.most_exposed],
        has_classes=any(one.class_name for one in risk.most_exposed),
        ids_note=ids_note(results),
    )


def _rows(
    edges: Sequence[float], members: NDArray[np.int64], nonmembers: NDArray[np.int64]
) -> list[RiskRow]:
    """Ranges with records in them, or all between: a few rows of bins put together."""
    filled = np.flatnonzero(members + nonmembers)
    if not len(filled):
        return []
    step = 1 if filled[-1] - filled[0] < _MOST_ROWS else _BINS_TOGETHER
    starts = range(int(filled[0]) // step * step, int(filled[-1]) + 1, step)
    totals = max(int(members.sum()), 1), max(int(nonmembers.sum()), 1)
    rows = []
    for start in starts:
        end = min(start + step, len(members))
        inside, outside = int(members[start:end].sum()), int(nonmembers[start:end].sum())
        rows.append(
            RiskRow(
                f"{_edge_text(edges[start])} to {_edge_text(edges[end])}",
                count_text(inside),
                percent_text(inside / totals[0], 1),
                count_text(outside),
                percent_text(outside / totals[1], 1),
            )
        )
    return rows


def _edge_text(edge: float) -> str:
    return f"{edge:g}" if edge in (0.0, 1.0) else risk_text(edge)


def _with_records(above: Sequence[results_pb2.RiskAbove]) -> list[results_pb2.RiskAbove]:
    """Up to the first risk that no judged record exceeds."""
    exceeded = sum(one.members.estimate + one.nonmembers.estimate > 0 for one in above)
    return list(above[: exceeded + 1])


def _above_row(one: results_pb2.RiskAbove) -> AboveRow:
    def shown(share: results_pb2.MeasuredValue) -> tuple[str, str]:
        decimals = 1 if share.upper >= 0.01 else 2
        low, high = (percent_text(bound, decimals) for bound in (share.lower, share.upper))
        return percent_text(share.estimate, decimals), f"{low} to {high}"

    return AboveRow(share_number(one.risk), *shown(one.members), *shown(one.nonmembers))


def _point(
    one: results_pb2.ReliabilityBin,
    risk: results_pb2.RecordRiskResults,
    judge: results_pb2.SideCounts,
) -> ReliabilityPoint:
    share = one.member_share
    off = is_off(one, risk, judge)
    return ReliabilityPoint(one.mean_risk, share.estimate, share.lower, share.upper, off)


def _reliability_row(
    one: results_pb2.ReliabilityBin,
    risk: results_pb2.RecordRiskResults,
    judge: results_pb2.SideCounts,
) -> ReliabilityRow:
    share = one.member_share
    return ReliabilityRow(
        risk=risk_text(one.mean_risk),
        share=risk_text(share.estimate),
        interval=f"{risk_text(share.lower)} to {risk_text(share.upper)}",
        members=count_text(share.members),
        nonmembers=count_text(share.nonmembers),
        is_off=is_off(one, risk, judge),
    )


def _classes(risk: results_pb2.RecordRiskResults) -> list[ClassRow]:
    """All classes; those with records enough first, the highest mean risk first."""

    def order(one: results_pb2.ClassRisk) -> tuple[bool, float]:
        return not _is_large(one), -one.mean_member_risk

    ordered = sorted(risk.classes, key=order)
    shares = [
        panel_shares(one.distribution.members, one.distribution.nonmembers)
        for one in ordered[:_MOST_PANELS]
        if _is_large(one)
    ]
    highest = max((float(share.max()) for share in shares), default=0.0)
    rows = []
    for number, one in enumerate(ordered):
        members, nonmembers = sum(one.distribution.members), sum(one.distribution.nonmembers)
        mean = risk_text(one.mean_member_risk) if members else "no members"
        label = f"Class {one.class_name}: members and non-members by risk; mean of members {mean}."
        has_panel = number < len(shares)
        rows.append(
            ClassRow(
                name_of(one.class_name),
                count_text(members),
                count_text(nonmembers),
                mean,
                panel(shares[number], highest, label, _PRIOR_AT) if has_panel else None,
            )
        )
    return rows


def _is_large(one: results_pb2.ClassRisk) -> bool:
    return sum(one.distribution.members) >= _FEWEST_MEMBERS


def _exposed_row(one: results_pb2.ExposedRecord) -> ExposedRow:
    return ExposedRow(
        id=one.id,
        risk=risk_text(one.risk),
        class_name=name_of(one.class_name) if one.class_name else None,
        attacks_right=percent_text(one.attacks_right, 0),
    )
