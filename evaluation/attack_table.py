"""From a signals table to a directory of metrics: select, fit, score, measure, write."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import apache_beam as beam

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.evaluation.controls import (
    FittedBlindBaseline,
    fit_blind_baseline,
    run_on_halved_nonmembers,
)
from tfx_privacy.evaluation.exact import exact_values_of_attacks
from tfx_privacy.evaluation.explanation import ClassTally
from tfx_privacy.evaluation.fit_on import FitOn, rows_to_fit_on, without_references
from tfx_privacy.evaluation.metrics_directory import (
    BINARY_FILE,
    CONTROLS_FILE,
    COUNTS_FILE,
    EDGES_FILE,
    JSON_FILE,
    REPORT_FILE,
    SLICES_FILE,
    PrivacyMetricsContent,
    write_metrics,
)
from tfx_privacy.evaluation.norm_tally import NormTally
from tfx_privacy.evaluation.observe_references import ObservedReferences
from tfx_privacy.evaluation.privacy_meter_files import (
    remove_privacy_meter_files,
    write_privacy_meter_files,
)
from tfx_privacy.evaluation.risk import fit_risk, fit_risk_on_another_model
from tfx_privacy.evaluation.risk_tally import RiskTally
from tfx_privacy.evaluation.score import RiskPlan, Scored, ScorePlan, score
from tfx_privacy.evaluation.select import Selection, select
from tfx_privacy.evaluation.shadow_tally import ShadowTally
from tfx_privacy.evaluation.slice_plan import SlicePlan, require_signals
from tfx_privacy.evaluation.stages import StageClock
from tfx_privacy.evaluation.suite import (
    ChosenOnFit,
    FittedSuite,
    KnownRows,
    attacks_of,
    choose_on_fit,
    fit_suite,
    runnable_attacks,
    wide_columns_of,
    with_references,
)
from tfx_privacy.evaluation.table_results import AttackedTable, results_of_table
from tfx_privacy.evaluation.training_curves import FOLDER as CURVES_FOLDER
from tfx_privacy.evaluation.training_curves import write_training_curves
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.files import join, names_in, remove, remove_folder
from tfx_privacy.signals.table import TableDescription
from tfx_privacy.signals.table_writer import remove_rows, remove_table

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Directories that a run writes.

    Attributes:
      metrics: The metrics, the report and the counts.
      signals: The signals table.
      record_risk: Each record's scores.
      scratch: What workers and the machine that fits hand to each other; it is
        deleted at the end. Workers must reach it.
    """

    metrics: str
    signals: str
    record_risk: str
    scratch: str


def attack_table(
    model: results_pb2.TargetModel,
    table: TableDescription,
    config: config_pb2.PrivacyConfig,
    outputs: Outputs,
    new_pipeline: Callable[[], beam.Pipeline],
    clock: StageClock,
    fit_on: FitOn | None = None,
    references: ObservedReferences | None = None,
) -> PrivacyMetricsContent:
    """Attacks the rows of the table at `outputs.signals` and writes the results.

    If it fails, no file of the outputs is left, the signals table included.

    Args:
      model: The model that the table is about.
      table: The table's description.
      config: The resolved configuration.
      outputs: Where the table lies and the results go.
      new_pipeline: Makes a Beam pipeline on the caller's runner.
      clock: Times the stages.
      fit_on: Another model's signals to fit attacks on; None to fit them on FIT rows of
        the table.
      references: What reference models said; None where none were given.
    """
    with nothing_left_on_failure(outputs):
        require_signals(config.slicing_specs, table)
        with clock.stage("select"):
            selection = select(
                outputs.signals,
                table,
                outputs.scratch,
                config.seed,
                config.sample_sizes.fit_rows_per_side,
                new_pipeline,
                wide_columns=wide_columns_of(attacks_of(config)),
            )
            attacks = attacks_of(config)
            if references is not None:
                attacks = with_references(attacks, config, references.shadow_rows, config.seed)
            known, fitted_on = _known_rows(selection, fit_on, table, config, outputs, new_pipeline)
        with clock.stage("fit"):
            if fitted_on is None:
                fitted = _fit(attacks, known, selection, config)
            else:
                fitted = _fit_on_another_model(attacks, known, config)
        with clock.stage("controls"):
            blind = fit_blind_baseline(selection, config)
            halved = run_on_halved_nonmembers(fitted.attacks, selection, config)
        with clock.stage("score"):
            scored = _score(fitted, selection, blind, table, config, outputs, new_pipeline)
            evidence = dataclasses.replace(
                scored.evidence, controls={**scored.evidence.controls, **halved.runs}
            )
        with clock.stage("exact"):
            exact = exact_values_of_attacks(outputs.record_risk, fitted.attacks)
        with clock.stage("evidence"):
            model.identity = table.identity.in_words()
            attacked = AttackedTable(
                table=table,
                selection=selection,
                known=known,
                fitted_on=fitted_on,
                attacks=fitted.attacks,
                suite=fitted.on_fit,
                chosen=fitted.chosen,
                skipped=fitted.skipped,
                risk=fitted.risk,
                blind=blind,
                halved=halved,
                scored=scored,
                evidence=evidence,
                exact=exact,
                references=None if references is None else references.results,
                record_risk_dir=outputs.record_risk,
            )
            results = results_of_table(model, attacked, config)
        remove_folder(outputs.scratch)
        if config.privacy_meter_files:
            write_privacy_meter_files(
                outputs.signals, table, outputs.record_risk, results, evidence
            )
        if not config.keep_signals:
            remove_rows(outputs.signals)
        with clock.stage("report"):
            results.stages.extend(clock.times)
            content = PrivacyMetricsContent(results, evidence)
            write_training_curves(fitted.on_fit, outputs.metrics)
            write_metrics(content, outputs.metrics)
        return content


@contextlib.contextmanager
def nothing_left_on_failure(outputs: Outputs) -> Iterator[None]:
    """Deletes all outputs if the block raises: rows and scores are personal data."""
    try:
        yield
    except BaseException:
        for delete, folder in (
            (remove_folder, outputs.scratch),
            (remove_table, outputs.signals),
            (_remove_record_risk, outputs.record_risk),
            (_remove_metrics, outputs.metrics),
        ):
            # The error to tell of is the first; the others' folders still want deleting.
            try:
                delete(folder)
            except Exception:
                _LOGGER.exception("cannot delete a failed run's files in %s", folder)
        raise


def _remove_record_risk(folder: str) -> None:
    names = (name for name in names_in(folder) if name.startswith("record_risk-"))
    remove(join(folder, name) for name in names)
    remove_privacy_meter_files(folder)


def _remove_metrics(folder: str) -> None:
    evidence = (EDGES_FILE, COUNTS_FILE, SLICES_FILE, CONTROLS_FILE)
    remove(join(folder, name) for name in (BINARY_FILE, JSON_FILE, REPORT_FILE, *evidence))
    remove_folder(join(folder, CURVES_FOLDER))


@dataclasses.dataclass(frozen=True)
class _Fitted:
    """Attacks fitted on FIT, those that score FIT rows for per-record risk, and choices.

    Attributes:
      attacks: Those that ran.
      on_fit: They, fitted on FIT rows or on another model's.
      on_judge: The same fitted on JUDGE rows; where `on_fit` has seen another model's rows
        and none of FIT, these once more.
      chosen: What was chosen on the rows that `on_fit` was fitted on.
      risk: How a record's risk is computed; None where it is not.
      skipped: Why an attack could not run, by name.
    """

    attacks: tuple[Attack, ...]
    on_fit: FittedSuite
    on_judge: FittedSuite
    chosen: ChosenOnFit
    risk: RiskPlan | None
    skipped: Mapping[str, str]


def _known_rows(
    selection: Selection,
    fit_on: FitOn | None,
    table: TableDescription,
    config: config_pb2.PrivacyConfig,
    outputs: Outputs,
    new_pipeline: Callable[[], beam.Pipeline],
) -> tuple[KnownRows, results_pb2.FittedOn | None]:
    """The rows that attacks are fitted on."""
    if fit_on is None:
        return KnownRows(selection.fit, selection.fit_wide), None
    return rows_to_fit_on(
        fit_on,
        outputs.signals,
        table,
        config,
        join(outputs.scratch, "fit_on"),
        new_pipeline,
        wide_columns_of(without_references(attacks_of(config))[0]),
    )


def _fit(
    asked: Sequence[Attack],
    known: KnownRows,
    selection: Selection,
    config: config_pb2.PrivacyConfig,
) -> _Fitted:
    judged = KnownRows(selection.judge_sample, selection.judge_wide, "JUDGE")
    attacks, skipped = runnable_attacks(asked, known, judged, config.seed)
    on_fit = fit_suite(attacks, known, config.seed)
    on_judge = fit_suite(attacks, judged, config.seed)
    chosen = choose_on_fit(attacks, on_fit, known, config.seed)
    best = next((attack for attack in attacks if attack.name == chosen.best_attack), None)
    return _Fitted(
        attacks=attacks,
        on_fit=on_fit,
        on_judge=on_judge,
        chosen=chosen,
        risk=None if best is None else fit_risk(best, chosen, known, on_judge, judged, config),
        skipped=skipped,
    )


def _fit_on_another_model(
    asked: Sequence[Attack], known: KnownRows, config: config_pb2.PrivacyConfig
) -> _Fitted:
    """Fits attacks on another model's rows, of which none is a record of the judged model.

    They have seen neither FIT nor JUDGE rows, so one fit serves both: every record's risk
    is that by the same attacker.
    """
    able, without = without_references(asked)
    attacks, skipped = runnable_attacks(able, known, known, config.seed)
    suite = fit_suite(attacks, known, config.seed)
    chosen = choose_on_fit(attacks, suite, known, config.seed)
    best = next((attack for attack in attacks if attack.name == chosen.best_attack), None)
    return _Fitted(
        attacks=attacks,
        on_fit=suite,
        on_judge=suite,
        chosen=chosen,
        risk=None if best is None else fit_risk_on_another_model(best, chosen, known, config),
        skipped={**without, **skipped},
    )


def _score(
    fitted: _Fitted,
    selection: Selection,
    blind: FittedBlindBaseline,
    table: TableDescription,
    config: config_pb2.PrivacyConfig,
    outputs: Outputs,
    new_pipeline: Callable[[], beam.Pipeline],
) -> Scored:
    fit = selection.fit
    norms = NormTally.prepare(selection.fit_wide)
    plan = ScorePlan.prepare(
        table_dir=outputs.signals,
        record_risk_dir=outputs.record_risk,
        scratch=outputs.scratch,
        seed=config.seed,
        on_fit=fitted.on_fit,
        on_judge=fitted.on_judge,
        blind=blind.suite,
        edges=fitted.chosen.edges,
        blind_edges=blind.edges,
        slices=SlicePlan.prepare(
            config.slicing_specs, config.sample_sizes.max_slices, fit, table.label_vocabulary
        ),
        wide_columns=tuple(
            sorted(
                {
                    *wide_columns_of(fitted.attacks),
                    *(("inputs",) if blind.edges else ()),
                    *norms.wide_columns,
                }
            )
        ),
        risk=fitted.risk,
        tallies=(
            RiskTally.prepare(fit, fitted.chosen.best_attack, config.risk_prior),
            ClassTally.prepare(fit, fitted.chosen),
            norms,
            ShadowTally(),
        ),
    )
    return score(plan, table, outputs.scratch, new_pipeline)
