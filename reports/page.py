"""The page: everything a reader needs in one HTML file, with nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf import text_format

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.advice import limits_of_the_result, next_steps
from tfx_privacy.reports.attackers_section import attackers_section
from tfx_privacy.reports.attacks_table import (
    attack_details,
    attack_rows,
    best_values,
    metric_columns,
)
from tfx_privacy.reports.banner import banner_of
from tfx_privacy.reports.control_findings import controls_of
from tfx_privacy.reports.controls_section import controls_section
from tfx_privacy.reports.epsilon_words import epsilon_sentences
from tfx_privacy.reports.explanation_section import explanation_section
from tfx_privacy.reports.glossary import terms_of
from tfx_privacy.reports.histogram_section import histogram_section
from tfx_privacy.reports.key_figures import key_figures
from tfx_privacy.reports.measures import measure_of
from tfx_privacy.reports.names import name_of
from tfx_privacy.reports.numerals import count_text, seconds_text, share_text
from tfx_privacy.reports.policy_facts import baseline_facts, policy_facts
from tfx_privacy.reports.reading import Reading, read
from tfx_privacy.reports.record_risk_section import record_risk_section
from tfx_privacy.reports.records_table import records_rows
from tfx_privacy.reports.reference_section import reference_section
from tfx_privacy.reports.roc_section import roc_section
from tfx_privacy.reports.slice_findings import slice_findings
from tfx_privacy.reports.slices_table import slices_table
from tfx_privacy.reports.templates import template
from tfx_privacy.reports.thresholds_table import threshold_rows
from tfx_privacy.reports.verdict_controls import control_rows
from tfx_privacy.reports.white_box_section import white_box_section
from tfx_privacy.reports.white_box_words import fitted_on_sentence
from tfx_privacy.reports.words import attacker, finding
from tfx_privacy.verdict.limits import resolve_thresholds

_LEAST_FPR_OF_A_SLICE = 0.01
_MOST_SLICE_COLUMNS = 3
_DEFAULT_CONFIDENCE = 0.95
_MOST_CONFIG_CHARACTERS = 50_000
_TASK_WORDS = {
    config_pb2.BINARY: "two classes",
    config_pb2.MULTICLASS: "one class of several",
    config_pb2.MULTILABEL: "any number of several labels",
    config_pb2.REGRESSION: "numbers (regression)",
}
_OUTPUT_WORDS = {
    config_pb2.LOGITS: "logits",
    config_pb2.PROBABILITIES: "probabilities",
    config_pb2.REGRESSION_VALUE: "a number (regression)",
}


def metrics_page(results: results_pb2.PrivacyResults, evidence: Evidence) -> str:
    """The page of PrivacyEvaluator: it opens with the finding and gives no verdict.

    Args:
      results: What was measured.
      evidence: The counts behind it, for the plots.

    Returns:
      HTML, the same for equal arguments.
    """
    minimum = resolve_thresholds(thresholds_pb2.PrivacyThresholds()).minimum_slice_records
    context = _context(read(results, evidence), evidence, minimum)
    return template("page.html.j2").render(context, banner=None)


def verdict_page(
    verdict: verdict_pb2.PrivacyVerdict,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
) -> str:
    """The page of PrivacyGate: verdict and thresholds above what was measured.

    Args:
      verdict: What was decided.
      results: What it was decided by.
      evidence: The counts behind that, for the plots.

    Returns:
      HTML, the same for equal arguments.
    """
    reading = read(results, evidence, controls_of(verdict, results, evidence))
    context = _context(reading, evidence, verdict.thresholds.minimum_slice_records)
    return template("page.html.j2").render(
        context,
        banner=banner_of(verdict),
        thresholds=threshold_rows(verdict),
        slice_findings=slice_findings(verdict),
        verdict_controls=control_rows(verdict),
        policies=policy_facts(verdict),
        baseline=baseline_facts(verdict),
    )


def _context(
    reading: Reading, evidence: Evidence, slice_minimum: thresholds_pb2.RecordCounts
) -> Mapping[str, object]:
    results = reading.results
    columns = metric_columns(results)
    slice_columns = _slice_columns(columns)
    confidence = results.config.confidence or _DEFAULT_CONFIDENCE
    return {
        "results": results,
        "model_uri": name_of(results.model.uri),
        "finding": finding(reading),
        "epsilon": epsilon_sentences(reading),
        "attacker": attacker(results),
        "fitted_on": fitted_on_sentence(results),
        "key_figures": key_figures(reading),
        "controls": controls_section(results, reading.controls),
        "facts": _facts(results),
        "records": records_rows(results),
        "measures": [measure_of(spec) for spec in columns],
        "attacks": attack_rows(results),
        "best_values": best_values(results),
        "attack_details": attack_details(results, evidence),
        "confidence": share_text(confidence),
        "beyond_by_luck": share_text((1 - confidence) / 2),
        "roc": roc_section(results, evidence),
        "histogram": histogram_section(results, evidence),
        "attackers": attackers_section(results),
        "white_box": white_box_section(reading),
        "references": reference_section(reading),
        "record_risk": record_risk_section(results),
        "explanation": explanation_section(results),
        "slices": slices_table(results, slice_columns, slice_minimum),
        "slice_measures": [measure_of(spec) for spec in slice_columns],
        "has_bars": bool(slice_columns) and slice_columns[0].name == "auc",
        "slice_minimum": slice_minimum,
        "next_steps": next_steps(reading, slice_minimum),
        "limits": limits_of_the_result(results),
        "glossary": terms_of(results),
        "config": _config_text(results.config),
        "stages": [(entry.stage, seconds_text(entry.seconds)) for entry in results.stages],
        "total_time": seconds_text(sum(entry.seconds for entry in results.stages)),
    }


def _facts(results: results_pb2.PrivacyResults) -> list[tuple[str, str]]:
    """What was measured, as pairs of a term and its value; empty values are left out."""
    model, splits = results.model, results.config.splits
    width = f", {count_text(model.output_width)} columns" if model.output_width > 1 else ""
    facts = [
        ("Model", model.uri),
        ("Signature", model.signature_name),
        ("Output", model.output_name),
        ("The model answers", _TASK_WORDS.get(model.task, "")),
        ("The output holds", _OUTPUT_WORDS.get(model.output_kind, "")),
        ("Logits", f"{model.logits_source}{width}" if model.logits_source else ""),
        ("Members", f"split {', '.join(splits.members)}" if splits.members else ""),
        ("Non-members", f"split {', '.join(splits.nonmembers)}" if splits.nonmembers else ""),
        ("Identity of a record", model.identity),
        ("Attacks built on", results.fitted_on.signals_uri),
        ("Reference models", results.references.uri),
    ]
    return [(term, value) for term, value in facts if value]


def _slice_columns(columns: list[config_pb2.MetricSpec]) -> list[config_pb2.MetricSpec]:
    """AUC, by which slices are sorted, and the rates that a slice has records enough for."""
    by_auc = [spec for spec in columns if spec.name == "auc"]
    others = [
        spec for spec in columns if spec.name == "tpr_at_fpr" and spec.fpr >= _LEAST_FPR_OF_A_SLICE
    ]
    return [*by_auc, *others] or columns[:_MOST_SLICE_COLUMNS]


def _config_text(config: config_pb2.PrivacyConfig) -> str:
    text = text_format.MessageToString(config, as_utf8=True)
    if len(text) <= _MOST_CONFIG_CHARACTERS:
        return text
    more = len(text) - _MOST_CONFIG_CHARACTERS
    return f"{text[:_MOST_CONFIG_CHARACTERS]}\n… {more:,} more characters in metrics.json"
