"""What results say of a signals table that was attacked: one message from all that came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.evaluation.controls import FittedBlindBaseline, HalvedNonmembers
from tfx_privacy.evaluation.explanation import explanation_results
from tfx_privacy.evaluation.reference_results import Attacked, complete_references
from tfx_privacy.evaluation.results import assemble_results
from tfx_privacy.evaluation.risk import record_risk_results
from tfx_privacy.evaluation.score import RiskPlan, Scored
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.evaluation.suite import ChosenOnFit, FittedSuite, KnownRows
from tfx_privacy.evaluation.white_box import white_box_results
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.table import TableLayout


@dataclasses.dataclass(frozen=True)
class AttackedTable:
    """A signals table, and what came of attacking its rows.

    Attributes:
      table: What the table holds.
      selection: Which rows were used for what.
      known: The rows that attacks were fitted on.
      fitted_on: Whose they are, where they are another model's.
      attacks: Those that ran.
      suite: They, fitted on `known`.
      chosen: What was chosen on `known`.
      skipped: Why an attack could not run, by name.
      risk: How a record's risk is computed; None where it is not.
      blind: The blind baseline before it scored JUDGE rows.
      halved: The runs on halved non-members.
      scored: What came of the JUDGE rows.
      evidence: Its counts, with the controls' runs.
      exact: By attack, values from its unquantised scores, where there are any.
      references: What was observed of reference models; None where none were given.
      record_risk_dir: Where each record's scores lie.
    """

    table: TableLayout
    selection: Selection
    known: KnownRows
    fitted_on: results_pb2.FittedOn | None
    attacks: Sequence[Attack]
    suite: FittedSuite
    chosen: ChosenOnFit
    skipped: Mapping[str, str]
    risk: RiskPlan | None
    blind: FittedBlindBaseline
    halved: HalvedNonmembers
    scored: Scored
    evidence: Evidence
    exact: Mapping[str, results_pb2.ExactValues]
    references: results_pb2.ReferenceResults | None
    record_risk_dir: str


def results_of_table(
    model: results_pb2.TargetModel, attacked: AttackedTable, config: config_pb2.PrivacyConfig
) -> results_pb2.PrivacyResults:
    """All that is measured of a table but how long it took.

    Args:
      model: The model that the table is about.
      attacked: The table, and what came of it.
      config: The resolved configuration.
    """
    evidence, tallies = attacked.evidence, attacked.scored.tallies
    results = assemble_results(
        model=model,
        config=config,
        records=attacked.selection.records,
        evidence=evidence,
        best_attack=attacked.chosen.best_attack,
        skipped=attacked.skipped,
        blind=attacked.blind,
        halved=attacked.halved,
        exact=attacked.exact,
        slices_left_out=attacked.scored.slices_left_out,
    )
    if attacked.fitted_on is not None:
        results.fitted_on.CopyFrom(attacked.fitted_on)
    results.record_risk.CopyFrom(record_risk_results(attacked.risk, tallies, results))
    results.explanation.CopyFrom(
        explanation_results(attacked.table, tallies, attacked.selection, evidence, results)
    )
    white_box = white_box_results(
        attacked.table,
        attacked.attacks,
        attacked.chosen,
        evidence,
        tallies,
        attacked.record_risk_dir,
        config,
    )
    if white_box is not None:
        results.white_box.CopyFrom(white_box)
    if attacked.references is not None:
        results.references.CopyFrom(_references(attacked, attacked.references, config))
    return results


def _references(
    attacked: AttackedTable,
    observed: results_pb2.ReferenceResults,
    config: config_pb2.PrivacyConfig,
) -> results_pb2.ReferenceResults:
    came_of_it = Attacked(
        attacks=attacked.attacks,
        suite=attacked.suite,
        skipped=attacked.skipped,
        known=attacked.known,
        judged=attacked.selection.judge_wide,
        tallies=attacked.scored.tallies,
    )
    return complete_references(observed, came_of_it, attacked.table.label_vocabulary, config)
