"""What the section of reference models prints, and that it obeys nothing from data."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reports.advice import next_steps
from tfx_privacy.reports.page import metrics_page
from tfx_privacy.reports.progress import STAGES
from tfx_privacy.reports.reading import Shown, read
from tfx_privacy.reports.reference_section import reference_section
from tfx_privacy.reports.summary import summary_text
from tfx_privacy.reports.terminal import results_table

HOSTILE = ("<script>alert(1)</script>", "a\u202eb\x1b[31m", "w" * 30_000, "{{ 7 * 7 }}")
STRENGTHS = {"loss_threshold": 0.8, "lira_online": 0.9, "rmia_online": 1.1, "shadow_models": 0.85}


@pytest.fixture(scope="session")
def attacked(make):
    return make(leak=1.0, members=2_000, nonmembers=1_500, strengths=STRENGTHS, seed=3)


@pytest.fixture(scope="session")
def with_references(attacked):
    """Makes a measurement with these reference results, and how it reads."""

    def build(found):
        results = results_pb2.PrivacyResults()
        results.CopyFrom(attacked.results)
        results.references.CopyFrom(found)
        return results, read(results, attacked.evidence)

    return build


@pytest.fixture(scope="session")
def page_of(with_references, attacked):
    def build(found):
        return metrics_page(with_references(found)[0], attacked.evidence)

    return build


@pytest.fixture(scope="session")
def page(page_of, maker):
    return page_of(maker.references())


@pytest.fixture(scope="session")
def page_without(attacked):
    return metrics_page(attacked.results, attacked.evidence)


@pytest.fixture(scope="session")
def section(with_references, maker):
    return reference_section(with_references(maker.references())[1])


def _section(html):
    start = html.index('<section aria-labelledby="references">')
    return html[start : html.index("</section>", start)]


def test_attacks_stand_beside_the_best_without(section):
    assert [(row.name, row.badge) for row in section.attacks] == [
        ("lira_online", ""),
        ("rmia_online", "best on FIT"),
        ("shadow_models", ""),
        ("loss_threshold", "best without"),
    ]
    assert [measure.title for measure in section.measures] == ["AUC", "TPR at 1% FPR"]
    assert section.attacks[-1].beside == ["", ""]
    assert set(section.attacks[0].beside) <= {"higher", "lower", "intervals overlap"}


def test_values_are_those_of_the_attacks_to_the_digit(section, attacked):
    auc = next(one for one in attacked.results.attacks if one.name == "rmia_online").metrics[0]
    row = next(one for one in section.attacks if one.name == "rmia_online")
    assert row.values[0].interval == f"{auc.value.lower:.3f} to {auc.value.upper:.3f}"


def test_every_plot_has_its_data_as_a_table(section, page):
    assert (len(section.curve_plots), len(section.curve_rows), len(section.steps)) == (2, 16, 8)
    assert section.curve_rows[-1].values[0].with_interval == "0.807 (0.799 to 0.815)"
    assert [(row.records, row.steps) for row in section.models[:2]] == [
        ("4,980", "780"), ("5,020", "780"),
    ]  # fmt: skip
    html = _section(page)
    assert html.count("<figure>") == 3
    for told in ("The models as a table", "The curves as a table", "Class by class"):
        assert f"<summary>{told}</summary>" in html
    assert all('aria-label="' in svg for svg in re.findall("<svg class=.plot[^>]*>", html))


def test_facts(with_references, maker):
    found = maker.references()
    found.queries = 3
    results, _ = with_references(found)
    results.config.references.augmentation.function = "user.flip"
    nothing = Evidence({}, {}, {}, {})
    facts = dict(reference_section(read(results, nothing)).facts)
    assert facts == {
        "Reference models": "/pipelines/cifar/ReferenceTrainer/reference_models/7",
        "Records to draw from": "10,000",
        "Time of their training": "8 min 24 s in all",
        "Largest training set on disk": "31.4 MB, removed after training",
        "Queries a record and model": "3, by user.flip",
        "RMIA's parameters": "gamma 2",
    }


def test_without_references_there_is_no_section(attacked, page_without):
    assert reference_section(read(attacked.results, attacked.evidence)) is None
    assert 'id="references"' not in page_without


def test_the_barest_results_are_shown(page_of):
    html = _section(page_of(results_pb2.ReferenceResults()))
    assert "No curve was measured" in html
    assert "<figure" not in html
    assert "Shokri" not in html.replace("shadow_models", "").split("Who would have")[1]


def test_many_models_and_notes_are_cut_and_counted(with_references, maker):
    found = maker.references(130)
    found.notes.extend(f"note {number}" for number in range(25))
    section = reference_section(with_references(found)[1])
    assert (len(section.models), section.models_not_shown) == (100, 30)
    assert (len(section.notes), section.notes_not_shown) == (20, 5)
    assert section.notes[0] == "Note 0."


def test_hostile_names_and_notes_are_shown_and_not_obeyed(page_of, maker):
    found = maker.references()
    found.uri = HOSTILE[0]
    found.notes.extend(HOSTILE)
    found.trained.config.offline.splits.extend(HOSTILE)
    found.trained.synthesis.source = HOSTILE[0]
    found.trained.synthesis.notes.extend(HOSTILE)
    del found.shadow.by_class[4:]
    for one, label in zip(found.shadow.by_class, HOSTILE, strict=True):
        one.label = label
    found.trained.synthesis.classes.extend(
        references_pb2.SynthesisOfClass(label=label, asked=1) for label in HOSTILE
    )
    html = page_of(found)
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "49" not in re.findall(r"<bdi>([^<]*)</bdi>", html)
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert len(html) < 1_000_000


def test_a_failed_control_is_said_before_anything(with_references, section):
    _, reading = with_references(results_pb2.ReferenceResults())
    failed = dataclasses.replace(reading, shown=Shown.NOT_TRUSTED)
    assert section.warning == ""
    assert reference_section(failed).warning.startswith("A control failed")


def test_the_page_knows_the_attacker_its_terms_and_what_is_not_known(page, page_without):
    assert "sees the model&#39;s outputs and has trained models like it" in page
    assert "weights, more models trained on similar data)" in page
    for term in (
        "Reference model", "Shadow model", "Online and offline", "LiRA", "RMIA", "Attack-R",
    ):  # fmt: skip
        assert f"<dt>{term}</dt>" in page
        assert f"<dt>{term}</dt>" not in page_without


def test_more_models_are_advised_where_the_curve_rises(page, with_references, maker):
    assert "<strong>Train more reference models.</strong>" in page
    found = maker.references()
    del found.curves[:]
    found.curves.append(maker.curve("rmia_online", [0.8, 0.8], [0.1, 0.1], half=0.002))
    steps = next_steps(with_references(found)[1], thresholds_pb2.RecordCounts())
    assert steps
    assert not [step for step in steps if "eference models" in step.title]


def test_terminal_and_summary_have_a_line(with_references, attacked, maker):
    results, _ = with_references(maker.references())
    for text in (results_table(results, attacked.evidence), summary_text(results)):
        assert "With 16 reference models: rmia_online beside loss_threshold, the best" in " ".join(
            text.split()
        )
    assert "reference models" not in summary_text(attacked.results)


def test_the_stage_has_words():
    assert "reference models" in STAGES["references"]


def test_ids_are_unique_and_headings_do_not_skip(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_the_same_results_give_the_same_bytes(with_references, section, maker):
    assert reference_section(with_references(maker.references())[1]) == section
