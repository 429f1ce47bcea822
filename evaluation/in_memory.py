"""The measurement of rows that are in memory, without Beam: what a callback does in training."""

from __future__ import annotations

from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.controls import FittedBlindBaseline, HalvedNonmembers
from tfx_privacy.evaluation.explanation import ClassTally, explanation_results
from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent
from tfx_privacy.evaluation.results import assemble_results
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.evaluation.suite import (
    MIN_ROWS_A_SIDE,
    KnownRows,
    attacks_of,
    choose_on_fit,
    fit_suite,
    runnable_attacks,
)
from tfx_privacy.evaluation.tally import ScoredRows
from tfx_privacy.metrics.counts import WHOLE, CountsTable, Evidence, SparseCounts
from tfx_privacy.metrics.edges import count_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.partition import Role, assign_roles
from tfx_privacy.signals.table import TableLayout

_NO_CONTROLS = (
    "rows in memory are measured without controls; measure the finished model by "
    "`tfx-privacy evaluate`"
)
_NO_RISK = "rows in memory are measured all together, not one by one"


def measure_in_memory(
    signals: Signals, model: results_pb2.TargetModel, config: config_pb2.PrivacyConfig
) -> PrivacyMetricsContent:
    """Attacks rows in memory as a whole measurement does: fitted on FIT, judged on JUDGE.

    There are no controls, no slices and no risk of records, and rows are not checked for
    duplicates.

    Args:
      signals: Rows of both sides. Their ids decide FIT or JUDGE.
      model: What they are of.
      config: What to measure; defaults are filled in. What is said there about slices,
        controls and samples has no effect.

    Raises:
      InputError: If the configuration is wrong or sets `white_box` or `references`, or a
        side has too few rows.
    """
    if config.HasField("white_box"):
        raise InputError(
            "white_box is set, which cannot be followed: rows in memory are what the model "
            "answers alone; expected it unset, or a SavedModel (`tfx-privacy evaluate`)"
        )
    if config.HasField("references"):
        raise InputError(
            "references is set, which cannot be followed: reference models are asked about "
            "examples, and rows in memory are what the model answers alone; expected it unset, or "
            "a SavedModel (`tfx-privacy evaluate`)"
        )
    resolved = resolve_config(config)
    roles = assign_roles(signals.ids, None, resolved.seed, check_duplicates=False)
    fit = signals.take(roles == Role.FIT).sorted_by_id()
    judge = signals.take(roles == Role.JUDGE).sorted_by_id()
    _require_rows(signals, fit, judge)
    known = KnownRows(fit, fit)
    attacks, skipped = runnable_attacks(attacks_of(resolved), known, known, resolved.seed)
    suite = fit_suite(attacks, known, resolved.seed)
    chosen = choose_on_fit(attacks, suite, known, resolved.seed)
    scores = suite.score(judge)
    evidence = Evidence(
        edges=chosen.edges,
        counts=CountsTable(
            {
                (name, WHOLE): SparseCounts.of(
                    count_scores(of_row, judge.member, chosen.edges[name])
                )
                for name, of_row in scores.items()
            }
        ),
    )
    records = results_pb2.Records(read=_sides(signals), fit=_sides(fit), judge=_sides(judge))
    results = assemble_results(
        model=model,
        config=resolved,
        records=records,
        evidence=evidence,
        best_attack=chosen.best_attack,
        skipped=skipped,
        blind=FittedBlindBaseline(not_run=_NO_CONTROLS),
        halved=HalvedNonmembers({}, _NO_CONTROLS, _NO_CONTROLS),
        exact={},
    )
    results.record_risk.not_computed = _NO_RISK
    tally = ClassTally.prepare(fit, chosen)
    counted = tally.count(ScoredRows(judge, Role.JUDGE, scores, guesses={}, risk=None))
    explanation = explanation_results(
        _layout(signals, model),
        {tally.name: dict(counted.items())},
        Selection(records, fit, judge, fit, fit, judge, judge.take(~judge.member)),
        evidence,
        results,
    )
    results.explanation.CopyFrom(explanation)
    return PrivacyMetricsContent(results, evidence)


def _layout(signals: Signals, model: results_pb2.TargetModel) -> TableLayout:
    """What a table of these rows would be described by."""
    return TableLayout(
        task=signals.task,
        output_kind=model.output_kind,
        output_width=model.output_width,
        logits_source=model.logits_source,
        label_vocabulary=(),
        label_width=0,
        slice_features=(),
        input_features=(),
        has_label=signals.label is not None,
        has_logits=signals.logits is not None,
        has_loss=signals.loss is not None,
        has_units=False,
        has_weight=False,
        has_entropy=signals.entropy is not None,
    )


def _require_rows(signals: Signals, *parts: Signals) -> None:
    sides = [_sides(part) for part in parts]
    if min(min(side.members, side.nonmembers) for side in sides) < MIN_ROWS_A_SIDE:
        rows = _sides(signals)
        raise InputError(
            f"found {rows.members} members and {rows.nonmembers} non-members, of which "
            f"{sides[0].members} and {sides[0].nonmembers} are to fit attacks on: expected at "
            f"least {MIN_ROWS_A_SIDE} of each there, so some {5 * MIN_ROWS_A_SIDE} a side"
        )


def _sides(signals: Signals) -> results_pb2.SideCounts:
    members = int(signals.member.sum())
    return results_pb2.SideCounts(members=members, nonmembers=len(signals) - members)
