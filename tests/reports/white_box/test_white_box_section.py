"""What the section of black-box and white-box prints, and that it obeys nothing from data."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.page import metrics_page
from tfx_privacy.reports.reading import Shown, read
from tfx_privacy.reports.summary import summary_text
from tfx_privacy.reports.terminal import results_table
from tfx_privacy.reports.white_box_section import white_box_section

AUC = config_pb2.MetricSpec(name="auc")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)
HOSTILE = ("<script>alert(1)</script>", "a\u202eb\x1b[31m", "w" * 30_000, "{{ 7 * 7 }}")


@pytest.fixture
def with_white_box(tame):
    """Makes a measurement with these white-box results, and how it reads."""

    def make(found):
        results = results_pb2.PrivacyResults()
        results.CopyFrom(tame.results)
        results.white_box.CopyFrom(found)
        return results, read(results, tame.evidence)

    return make


@pytest.fixture
def page_of(with_white_box, tame):
    def make(found, change=lambda results: None):
        results, _ = with_white_box(found)
        change(results)
        return metrics_page(results, tame.evidence)

    return make


def _section(html):
    start = html.index('<section aria-labelledby="white-box">')
    return html[start : html.index("</section>", start)]


def test_differences_and_groups(with_white_box, maker):
    found = maker.white_box(
        maker.difference(AUC, 0.619, 0.031, 0.021), maker.difference(TPR_1, 0.05, -0.004, 0.02)
    )
    section = white_box_section(with_white_box(found)[1])
    assert [
        (row.measure.title, row.difference.with_interval, row.white_box.estimate, row.finding)
        for row in section.differences
    ] == [
        ("AUC", "+0.031 (+0.010 to +0.052)", "0.650", "higher"),
        ("TPR at 1% FPR", "-0.4 points (-2.4 to +1.6)", "4.6%", "no difference shown"),
    ]
    assert [(row.title, row.attack, row.attacks, row.auc.estimate) for row in section.groups] == [
        ("Answers alone (black-box)", "loss_threshold", "7", "0.600"),
        ("Gradient norms", "gradient_norm", "3", "0.605"),
        ("Gradient sketches", "logistic_regression_sketches", "2", "0.570"),
        ("Activations", "logistic_regression_activations", "1", "0.490"),
        ("Several of these together", "white_box_network", "4", "0.630"),
    ]
    assert re.search('aria-label="([^"]*)"', section.groups_plot)[1] == (
        "AUC of the best attack by what it sees: Answers alone (black-box) 0.600, Gradient norms "
        "0.605, Gradient sketches 0.570, Activations 0.490, Several of these together 0.630. The "
        "data is in the table below."
    )


def test_norms_have_a_plot_a_table_and_a_panel_a_layer(with_white_box, maker):
    section = white_box_section(with_white_box(maker.white_box())[1])
    whole = maker.norms("", apart=1.1)
    filled = [a + b > 0 for a, b in zip(whole.members, whole.nonmembers, strict=True)]
    last = len(filled) - filled[::-1].index(True)
    assert len(section.norm_rows) == last - filled.index(True)
    counted = [int(row.members.replace(",", "")) for row in section.norm_rows]
    assert counted == list(whole.members)[filled.index(True) : last]
    assert section.norm_rows[-1].norms == "70.8 and above"
    assert [panel.name.short for panel in section.panels] == ["dense", "dense_1", "dense_2"]
    assert section.panels[0].span == "0.0001 to 100"
    assert [(row.taken, row.median_member) for row in section.layers] == [
        ("norm", "0.1"), ("norm, activations (16)", "0.1"), ("norm, sketch", "0.1"),
    ]  # fmt: skip


def test_without_white_box_signals_there_is_no_section(tame):
    assert white_box_section(read(tame.results, tame.evidence)) is None
    html = metrics_page(tame.results, tame.evidence)
    assert "Black-box and white-box" not in html
    assert "An attacker who sees the model&#39;s outputs" in html


def test_why_nothing_was_compared_is_said_and_layers_stay(page_of, maker):
    found = maker.white_box()
    for field in ("differences", "groups", "best_black_box", "best_white_box"):
        found.ClearField(field)
    found.not_computed = "no attack that looks at <b>gradients</b> ran"
    section = _section(page_of(found))
    assert "Not compared: <bdi>no attack that looks at &lt;b&gt;gradients" in section
    assert "What was taken of each layer" in section
    assert "What the parameters add" not in section


def test_nothing_counted_is_not_drawn(page_of, with_white_box, maker):
    found = maker.white_box()
    del found.norms[:]
    section = white_box_section(with_white_box(found)[1])
    assert (section.norms_plot, list(section.panels), section.layers[0].median_member) == (
        None, [], "",
    )  # fmt: skip
    assert "Gradient norms of members" not in _section(page_of(found))
    found.norms.append(results_pb2.NormDistribution(edges=[1, 2], members=[0], nonmembers=[3]))
    assert white_box_section(with_white_box(found)[1]).norms_plot is None


def test_many_layers_and_notes_are_cut_and_counted(with_white_box, maker):
    layers = tuple(f"layer_{i}" for i in range(230))
    found = maker.white_box(layers=layers, notes=tuple(f"note {i}" for i in range(25)))
    del found.norms[51:]
    section = white_box_section(with_white_box(found)[1])
    assert (len(section.layers), section.layers_not_shown) == (200, 30)
    assert (len(section.panels), len(section.notes), section.notes_not_shown) == (50, 20, 5)
    assert section.notes[0] == "Note 0."


def test_hostile_names_and_notes_are_shown_and_not_obeyed(page_of, maker):
    html = page_of(
        maker.white_box(layers=HOSTILE, notes=HOSTILE),
        lambda results: setattr(results.fitted_on, "signals_uri", HOSTILE[0]),
    )
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "49" not in re.findall(r"<bdi>([^<]*)</bdi>", html)
    assert "\u202e" not in html
    assert "\x1b" not in html
    # A layer's name stands in panel, label and table, cut; the page stays small.
    assert len(html) < 1_000_000


def test_a_failed_control_is_said_before_anything(with_white_box, maker):
    _, reading = with_white_box(maker.white_box())
    assert white_box_section(reading).warning == ""
    failed = dataclasses.replace(reading, shown=Shown.NOT_TRUSTED)
    assert white_box_section(failed).warning.startswith("A control failed")


def test_attacks_built_on_another_model_are_said_so(page_of, maker):
    def fitted_on(results):
        results.fitted_on.signals_uri = "/pipelines/a/signals/3"
        results.fitted_on.fit.members = 70

    html = page_of(maker.white_box(), fitted_on)
    section = _section(html)
    assert "The attacks were built on another model, of which the attacker knows 70 me" in section
    assert "do not correspond" in section
    assert "/pipelines/a/signals/3" in section
    assert "it builds its attacks on these (FIT)" not in html
    assert "it builds its attacks on these (FIT)" in page_of(maker.white_box())


def test_the_page_knows_who_the_attacker_is_and_its_terms(page_of, maker):
    html = page_of(maker.white_box())
    assert "An attacker who holds the model&#39;s parameters" in html
    assert "<dt>Gradient sketch</dt>" in html
    assert "(models trained on similar data)" in html


def test_ids_are_unique_and_headings_do_not_skip(page_of, maker):
    html = page_of(maker.white_box())
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(set(ids)) == len(ids)
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_terminal_and_summary_have_a_line(with_white_box, tame, maker):
    results, _ = with_white_box(maker.white_box(maker.difference(AUC, 0.619, 0.031, 0.021)))
    told = "With the model's parameters the AUC is higher by 0.031 (95% interval: 0.010 to 0.052)"
    assert told in " ".join(results_table(results, tame.evidence).split())
    assert told in " ".join(summary_text(results).split())
    assert "parameters" not in summary_text(tame.results)


def test_the_same_results_give_the_same_bytes(page_of, maker):
    assert page_of(maker.white_box()) == page_of(maker.white_box())
