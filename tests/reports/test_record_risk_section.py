"""The section on single records: its words, its figures, and names that came from data."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tfx_privacy.metrics.reliability import (
    calibration_error,
    reliability,
    share_of_side,
)
from tfx_privacy.metrics.risk_histogram import (
    count_risks,
    fine_edges,
    shown_bins,
    shown_edges,
    told_risks,
)
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.page import metrics_page
from tfx_privacy.reports.record_risk_section import record_risk_section
from tfx_privacy.reports.record_risk_words import risk_text
from tfx_privacy.reports.small_panels import panel, panel_shares

_HOSTILE = '"><script>alert(1)</script>\u202e'


def _measured(interval, members, nonmembers):
    return results_pb2.MeasuredValue(
        estimate=interval.estimate,
        lower=interval.lower,
        upper=interval.upper,
        confidence=0.95,
        members=members,
        nonmembers=nonmembers,
    )


def _results(shift=1.0, rows=2_000, exaggerate=1.0, prior=0.5, classes=3, names="class {}"):
    """True risks of Gaussian scores, or such as exaggerate the log-odds."""
    rng = np.random.default_rng(0)
    member = np.arange(2 * rows) < rows
    scores = rng.normal(size=2 * rows) + shift * member
    odds = exaggerate * (shift * scores - shift**2 / 2) + np.log(prior / (1 - prior))
    risks = 1 / (1 + np.exp(-odds))
    label = rng.integers(0, classes, 2 * rows)
    counts = count_risks(risks, member, fine_edges(prior))
    bins = reliability(counts, prior, 0.025)

    def distribution(chosen):
        part = count_risks(risks[chosen], member[chosen], fine_edges(prior))
        part = part.in_wider_bins(shown_bins(prior))
        return results_pb2.RiskDistribution(members=part.members, nonmembers=part.nonmembers)

    def above(told, side):
        return share_of_side(int((risks[side] > told).sum()), rows, 0.025)

    top = np.argsort(-np.where(member, risks, 0))[:20]
    return results_pb2.PrivacyResults(
        best_attack="loss_threshold",
        records=results_pb2.Records(
            judge=results_pb2.SideCounts(members=rows, nonmembers=rows), duplicates_checked=True
        ),
        record_risk=results_pb2.RecordRiskResults(
            attack="loss_threshold",
            prior=prior,
            reliability=[
                results_pb2.ReliabilityBin(
                    mean_risk=one.mean_risk,
                    member_share=_measured(one.member_share, one.members, one.nonmembers),
                )
                for one in bins
            ],
            calibration_error=calibration_error(bins),
            edges=shown_edges(prior),
            whole=distribution(np.ones(2 * rows, bool)),
            classes=[
                results_pb2.ClassRisk(
                    class_name=names.format(number),
                    distribution=distribution(label == number),
                    mean_member_risk=risks[member & (label == number)].mean(),
                )
                for number in range(classes)
            ],
            above=[
                results_pb2.RiskAbove(
                    risk=told,
                    members=_measured(above(told, member), rows, 0),
                    nonmembers=_measured(above(told, ~member), 0, rows),
                )
                for told in told_risks(prior)
            ],
            most_exposed=[
                results_pb2.ExposedRecord(
                    id=f"{row:032x}",
                    risk=risks[row],
                    class_name=names.format(label[row]),
                    attacks_right=0.75,
                )
                for row in top.tolist()
            ],
        ),
    )


def test_a_leak_is_told_with_both_sides(tmp_path):
    results = _results(shift=2.0)
    section = record_risk_section(results)
    one = next(a for a in reversed(results.record_risk.above) if a.members.lower > 0.01)
    assert f"have a risk above {one.risk:g}, of non-members" in section.finding
    assert f"Of members {100 * one.members.estimate:.0f}%" in section.finding
    assert "suspected falsely" in section.finding
    assert "Risks mean what they say" in section.calibration
    assert not any(row.is_off for row in section.reliability_rows)
    assert len(section.exposed) == 20


def test_without_a_leak_no_record_stands_out():
    results = _results(shift=0.1)
    highest = results.record_risk.most_exposed[0].risk
    assert highest < 0.6
    said = record_risk_section(results).finding
    assert said == (
        f"No record stands out. The highest risk of a member is {highest:.2f}, at a prior of 0.5."
    )


def test_risks_that_are_noise_are_no_finding():
    """Risks without a leak, above .6 on both sides alike."""
    results = _results(shift=0.0)
    risk = results.record_risk
    for one in risk.above:
        one.members.CopyFrom(_measured(share_of_side(60, 2_000, 0.025), 2_000, 0))
        one.nonmembers.CopyFrom(_measured(share_of_side(55, 2_000, 0.025), 0, 2_000))
    assert "No record is shown to stand out" in record_risk_section(results).finding


def test_risks_that_exaggerate_are_told():
    section = record_risk_section(_results(exaggerate=4.0))
    assert "Risks do not quite mean what they say" in section.calibration
    worst = max(section.reliability_rows, key=lambda row: abs(float(row.risk) - float(row.share)))
    assert f"{worst.risk} was said, {worst.share} found ({worst.interval})" in section.calibration
    assert worst.is_off
    # A cross is drawn in another colour than the dots.
    assert section.reliability.count("var(--members)") >= 1
    assert "var(--members)" not in record_risk_section(_results()).reliability


def test_what_chance_makes_of_the_error_by_simulation():
    """The error of true risks is what is said that chance makes it, about."""
    section = record_risk_section(_results(shift=1.0, rows=5_000))
    error, chance = map(
        float, re.findall(r"are ([\d.]+) apart; .* about ([\d.]+)\.", section.calibration)[0]
    )
    assert 0.4 < error / chance < 2.0


def test_the_words_name_prior_and_limits():
    section = record_risk_section(_results(prior=0.1))
    for words in ("P(member | score)", "probability 0.1, the prior", "no probability of harm"):
        assert words in section.meaning
    assert "at a prior of 0.1" in section.finding
    assert "personal data" in section.ids_note
    assert "record_risk-*.parquet" in section.ids_note


def test_rows_without_ids_are_said_to_be():
    results = _results()
    assert "count rows" not in record_risk_section(results).ids_note
    results.records.duplicates_checked = False
    assert "the last 16 digits count rows from 0" in record_risk_section(results).ids_note


def test_the_table_holds_all_records():
    section = record_risk_section(_results())
    for column, total in (("members", 2_000), ("nonmembers", 2_000)):
        assert sum(int(getattr(row, column).replace(",", "")) for row in section.rows) == total
    assert 5 <= len(section.rows) <= 21
    assert section.rows[0].risks.startswith("0")


def test_above_ends_with_the_first_risk_that_nobody_exceeds():
    section = record_risk_section(_results(shift=0.1))
    assert [row.risk for row in section.above] == ["0.6"]
    assert section.above[0].members == "0.00%"


def test_classes_by_mean_risk_and_small_ones_last():
    results = _results(classes=15)
    small = results.record_risk.classes.add(class_name="tiny", mean_member_risk=0.99)
    small.distribution.members.extend([0] * 49 + [3])
    small.distribution.nonmembers.extend([0] * 50)
    section = record_risk_section(results)
    assert len(section.panels) == 12
    assert len(section.classes) == 16
    assert section.classes[-1].name.short == "tiny"
    means = [float(row.mean_risk) for row in section.classes[:-1]]
    assert means == sorted(means, reverse=True)


def test_a_panel_by_hand():
    # Bars of two bins: members 1/4 and 3/4, the others all in the first.
    shares = panel_shares([1, 0, 2, 1], [5, 0, 0, 0])
    np.testing.assert_allclose(shares, [[0.25, 0.75], [1.0, 0.0]])
    drawn = panel(shares, 1.0, "label", 0.5)
    # The floor is at 62, the full height 60.
    assert 'class="members" d="M0 62.0V47.0H100.0V17.0H200.0V62.0"' in drawn
    assert 'class="nonmembers" d="M0 62.0V2.0H100.0V62.0H200.0V62.0"' in drawn
    assert 'class="prior" d="M100 2V62"' in drawn
    assert 'class="prior"' not in panel(shares, 1.0, "label")


def test_what_was_not_computed_is_told(leaky):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(leaky.results)
    assert record_risk_section(results) is None
    results.record_risk.not_computed = f"no attack ran {_HOSTILE}"
    page = metrics_page(results, leaky.evidence)
    assert "Not computed: <bdi>no attack ran" in page
    assert "<script" not in page


def test_the_page_obeys_nothing_in_names(leaky):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(leaky.results)
    results.record_risk.CopyFrom(_results(names=_HOSTILE + "{}").record_risk)
    results.record_risk.most_exposed[0].id = _HOSTILE
    page = metrics_page(results, leaky.evidence)
    section = page[page.index('<h2 id="record-risk">') : page.index('<h2 id="next">')]
    assert "&lt;script&gt;" in section
    assert "<script" not in page
    assert "\u202e" not in page
    assert section.count('class="panel"') == 3
    assert metrics_page(results, leaky.evidence) == page


@pytest.mark.parametrize(
    ("risk", "text"),
    [
        (0.5, "0.50"), (0.625, "0.62"), (0.0581, "0.058"), (0.00123, "0.0012"), (0.9952, "0.9952"),
        (0.0, "0.00"), (1.0, "1.00"),
    ],
)  # fmt: skip
def test_risks_to_two_digits(risk, text):
    assert risk_text(risk) == text
