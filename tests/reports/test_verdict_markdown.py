"""The verdict as Markdown; expected pages are written by hand, and read back by a renderer."""

from __future__ import annotations

import html
import math
import re

import pytest
from markdown_it import MarkdownIt

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.verdict_markdown import verdict_markdown

AUC = config_pb2.MetricSpec(name="auc")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)
EPSILON = config_pb2.MetricSpec(name="epsilon", delta=0.0)
NOTHING = Evidence({}, {}, {}, {})


def _value(estimate, lower, upper):
    return results_pb2.MeasuredValue(
        estimate=estimate,
        lower=lower,
        upper=upper,
        confidence=0.95,
        members=20_000,
        nonmembers=10_000,
    )


def _finding(metric, limit, value, outcome, **fields):
    return verdict_pb2.Finding(
        threshold=thresholds_pb2.PrivacyThreshold(
            metric=metric, upper_limit=limit, role=thresholds_pb2.MUST_PASS
        ),
        outcome=outcome,
        attack=fields.pop("attack", "logistic_regression"),
        value=value,
        **fields,
    )


@pytest.fixture
def verdict():
    return verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.BLOCK,
        reasons=["BLOCK: an attacker using 'loss' reaches AUC 0.60."],
        findings=[
            _finding(AUC, 0.55, _value(0.6, 0.58, 0.62), verdict_pb2.BLOCK),
            _finding(
                TPR_1,
                0.02,
                _value(0.015, 0.011, 0.023),
                verdict_pb2.CANNOT_TELL,
                records_to_decide=11_873,
                reason="Too wide.",
            ),
        ],
        controls=[
            verdict_pb2.ControlFinding(
                control=config_pb2.BLIND_BASELINE,
                outcome=verdict_pb2.CONTROL_PASSED,
                reason="AUC 0.50.",
                required=True,
            )
        ],
        model_uri="/model/6",
        metrics_uri="gs://bucket/metrics/4",
        quality_blessed=True,
    )


def _page(verdict, results=None, evidence=NOTHING):
    return verdict_markdown(verdict, results or results_pb2.PrivacyResults(), evidence)


def _render(page):
    return MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(page)


def test_the_whole_page(verdict):
    assert _page(verdict) == (
        "# Privacy verdict: BLOCK\n"
        "\n"
        "An attack exceeds a limit.\n"
        "\n"
        "**Not blessed: the model is not to be pushed.**\n"
        "\n"
        "The Evaluator blessed the model's quality.\n"
        "\n"
        "## Why\n"
        "\n"
        "- BLOCK: an attacker using 'loss' reaches AUC 0.60.\n"
        "\n"
        "## Limits\n"
        "\n"
        "| Metric | Where | Allowed | Found (interval) | Attack | Finding | Records |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| AUC | the whole | at most 0.55 | 0.600 (0.580 to 0.620) | logistic\\_regression "
        "| **BLOCK** | decided |\n"
        "| TPR at 1% FPR | the whole | at most 2% | 1.5% (1.1% to 2.3%) | logistic\\_regression "
        "| **CANNOT TELL** | about 12,000 |\n"
        "\n"
        "- AUC, the whole: 20,000 members, 10,000 non-members judged\n"
        "- TPR at 1% FPR, the whole: 20,000 members, 10,000 non-members judged; Too wide.\n"
        "\n"
        "## Can the numbers be trusted?\n"
        "\n"
        "| Control | Outcome | Why |\n"
        "| --- | --- | --- |\n"
        "| Blind baseline (required) | **passed** | AUC 0.50. |\n"
        "\n"
        "## What next\n"
        "\n"
        "Above and below are places in the report.\n"
        "\n"
        "- **Make an attack possible.** The reasons why each attack could not run are listed "
        "above. Most need the label of each record and either logits, probabilities or the loss.\n"
        "\n"
        "## Judged by\n"
        "\n"
        "- Model: /model/6\n"
        "- Metrics: gs\\://bucket/metrics/4\n"
    )


def test_what_next_is_what_the_report_says(verdict, leaky):
    page = _page(verdict, leaky.results, leaky.evidence)
    assert "- **Measure again after each change.** Change one thing at a time" in page


def test_a_rise_a_bound_and_slices_are_shown(verdict):
    rise = _finding(TPR_1, 0, _value(0.044, 0.034, 0.054), verdict_pb2.BLOCK)
    rise.threshold.ClearField("upper_limit")
    rise.threshold.change_limit = 0.01
    rise.baseline_value.CopyFrom(_value(0.02, 0.01, 0.03))
    bound = _finding(
        EPSILON, 12, _value(0.418, 0.418, math.inf), verdict_pb2.CANNOT_TELL, cannot_fire=True
    )
    bound.threshold.role = thresholds_pb2.BLOCK_ONLY
    verdict.findings.extend([rise, bound])
    worst = _finding(AUC, 0.6, _value(0.661, 0.641, 0.681), verdict_pb2.BLOCK)
    worst.threshold.scope = thresholds_pb2.EVERY_SLICE
    worst.slice.add(feature="age", value="4")
    verdict.slice_findings.append(worst)
    page = _page(verdict)
    for line in (
        "| TPR at 1% FPR | the whole | rise of at most 1 point | +4.4 points (+3.4 to +5.4), from "
        "2.0% (1.0% to 3.0%) | logistic\\_regression | **BLOCK** | decided |",
        "| Epsilon | the whole (can only block) | at most 12 | &gt;= 0.41 | logistic\\_regression "
        "| **NOT BLOCKED** | decided |",
        "- 1 slice judged: 1 above a limit.",
        "| age = 4 | AUC | at most 0.6 | 0.661 (0.641 to 0.681) | **BLOCK** |",
    ):
        assert f"\n{line}\n" in page
    assert "; cannot fire: so few records could not exceed this limit, whatever leaks\n" in page


def test_findings_that_do_not_count_are_said_not_to(verdict):
    sentence = "None of these findings counts, because a control failed."
    assert sentence not in _page(verdict)
    verdict.controls[0].outcome = verdict_pb2.CONTROL_FAILED
    page = _page(verdict)
    assert sentence in page
    assert "The measurement itself cannot be trusted: a control failed." in page


def test_a_verdict_of_nothing_is_a_page():
    page = _page(verdict_pb2.PrivacyVerdict())
    assert page.startswith("# Privacy verdict: NO VERDICT\n\nNothing was decided.\n")
    assert "|" not in page


HOSTILE = "<script>alert('1')</script> | **b** [x](http://e.org) ![y](z) `c` \u202e &lt;"


def test_hostile_names_are_text(verdict):
    verdict.findings[0].attack = HOSTILE
    verdict.reasons[0] = f"BLOCK: {HOSTILE}"
    verdict.controls[0].reason = f"Control: {HOSTILE}"
    verdict.model_uri = HOSTILE
    slice_ = verdict.slice_findings.add()
    slice_.CopyFrom(verdict.findings[0])
    slice_.slice.add(feature="<b>", value=HOSTILE[:60])
    rendered = _render(_page(verdict))
    tags = {tag.lower() for tag in re.findall(r"<\s*/?\s*([a-zA-Z!][\w!-]*)", rendered)}
    assert tags == {
        *("h1", "h2", "p", "strong", "ul", "li"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    shown = HOSTILE.replace("\u202e", r"\u202e")
    # In the table, in the verdict's reason, in the control's, and as the model's address.
    for place in ("<td>", "<li>BLOCK: ", "<td>Control: ", "<li>Model: "):
        assert f"{place}{html.escape(shown, quote=False)}</" in rendered
    rows = re.findall(r"<tr>.*?</tr>", rendered, re.DOTALL)
    assert [len(re.findall("<t[dh]>", row)) for row in rows] == [7, 7, 7, 5, 5, 3, 3]


def test_the_longest_page_is_well_below_what_kubeflow_shows(verdict):
    # An ampersand takes five characters, the most of all.
    endless = "&" * 10_000
    finding = verdict.findings[1]
    finding.attack = finding.reason = endless
    finding.threshold.scope = thresholds_pb2.EVERY_SLICE
    finding.threshold.slicing_specs.add(feature_keys=[endless])
    finding.slice.add(feature=endless, value=endless)
    verdict.findings.extend([finding] * 500)
    verdict.slice_findings.extend([finding] * 2_000)
    verdict.reasons.extend([endless] * 500)
    verdict.controls[0].reason = endless
    verdict.controls.extend([verdict.controls[0]] * 10)
    verdict.baseline.metrics_uri = verdict.model_uri = verdict.metrics_uri = endless
    verdict.thresholds.required_attacks.extend([endless] * 50)
    page = _page(verdict)
    assert 100_000 < len(page) < 300_000
    # 502 findings, of which 20 are shown.
    assert "\n482 more are in verdict.json.\n" in page
    assert "\n1,980 more are in verdict.json.\n" in page
