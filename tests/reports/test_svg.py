"""Plots as SVG in a page: themed, deterministic, and without a trace in the process."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from tfx_privacy.metrics.roc import Roc
from tfx_privacy.reports.histogram import Histogram
from tfx_privacy.reports.histogram_plot import score_histogram
from tfx_privacy.reports.roc_plots import RocCurve, RocPoint, linear_roc, log_roc, roc_legend


@pytest.fixture(scope="module")
def curves():
    fpr = np.linspace(0, 1, 101)
    return [
        RocCurve("loss", Roc(fpr, fpr**0.5), is_best=True),
        RocCurve("entropy", Roc(fpr, fpr**0.8), is_best=False),
    ]


@pytest.fixture(scope="module")
def bars():
    return Histogram(
        starts=np.array([-2.0, -1.0, -0.5]),
        members=np.array([10, 20, 30, 40]),
        nonmembers=np.array([40, 30, 20, 10]),
        threshold_bar=2,
    )


def test_the_curves_are_in_the_plot_where_they_belong(curves):
    svg = linear_roc(curves, [], "label")
    (best,) = re.findall(r'<path d="([^"]*)"[^>]*stroke: var\(--series-0\)', svg)
    points = [tuple(map(float, pair)) for pair in re.findall(r"[ML] ([\d.]+) ([\d.]+)", best)]
    (left, bottom), (right, top) = points[0], points[-1]
    # The curve is TPR = sqrt(FPR): at FPR 0.25 it stands at half of the height.
    middle = min(points, key=lambda point: abs(point[0] - (left + (right - left) / 4)))
    assert middle[1] == pytest.approx((bottom + top) / 2, abs=1.5)
    assert svg.count("var(--series-2)") == 1


def test_points_are_marked_with_their_intervals(curves):
    without = linear_roc(curves, [], "label")
    marked = linear_roc(curves, [RocPoint(0.01, 0.1, 0.05, 0.2)], "label")
    assert marked.count("var(--ink)") > without.count("var(--ink)")


def test_logarithmic_axes_reach_down_to_one_nonmember(curves):
    assert ">0.1%<" in log_roc(curves, [], 1_000, "label")
    assert ">0.1%<" not in log_roc(curves, [], 100, "label")
    assert ">1%<" in log_roc(curves, [], 1, "label")


def test_the_histogram_names_its_scores_and_threshold(bars):
    svg = score_histogram(bars, "label")
    for text in ("-2", "-1", "-0.5", "called members →"):
        assert f">{text}<" in svg
    assert "var(--members)" in svg
    assert "var(--nonmembers)" in svg


def test_small_scores_keep_their_digits(bars):
    small = dataclasses.replace(bars, starts=np.array([0.00123, 0.00234, 0.00345]))
    assert ">0.00123<" in score_histogram(small, "label")


def test_one_bar_is_drawn_too():
    bars = Histogram(np.array([]), np.array([5]), np.array([7]), threshold_bar=0)
    assert "var(--members)" in score_histogram(bars, "label")


def test_the_legend_names_the_best_attack_first_and_guessing_last(curves):
    entries = roc_legend(curves[::-1])
    assert [entry.text for entry in entries] == ["loss", "entropy", "guessing (chance)"]
    assert [entry.is_best for entry in entries] == [True, False, False]


def test_labels_are_escaped(curves):
    svg = linear_roc(curves, [], '"><script>alert(1)</script>')
    assert 'aria-label="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in svg


def test_a_plot_styles_nothing_but_itself(curves):
    svg = linear_roc(curves, [], "")
    assert "<style" not in svg
    assert "font-family" not in svg


def test_all_colours_are_the_pages(curves, bars):
    for svg in (linear_roc(curves, [], ""), score_histogram(bars, "")):
        assert set(re.findall(r"(?:fill|stroke): (#\w+)", svg)) == set()


def test_settings_of_the_process_change_nothing_and_are_not_changed(curves):
    expected = linear_roc(curves, [], "label")
    with mpl.rc_context({"font.size": 31, "axes.facecolor": "red", "svg.hashsalt": "other"}):
        before = dict(mpl.rcParams)
        assert linear_roc(curves, [], "label") == expected
        assert dict(mpl.rcParams) == before


def test_the_reports_import_neither_pyplot_nor_tensorflow_nor_tfx():
    program = (
        "import sys, tfx_privacy.reports.page, tfx_privacy.reports.terminal;"
        "print([m for m in ('matplotlib.pyplot', 'tensorflow', 'keras', 'tfx', 'apache_beam')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
