"""The risk of records: fitted with the attacks, told in results."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import cast

import numpy as np

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.evaluation.risk_tally import (
    CLASSES,
    MOST_EXPOSED,
    ClassRisks,
    Exposed,
    MostExposed,
    RiskTally,
)
from tfx_privacy.evaluation.score import RiskPlan
from tfx_privacy.evaluation.suite import ChosenOnFit, FittedSuite, KnownRows, unseen_scores
from tfx_privacy.evaluation.tally import Addable
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.reliability import (
    ReliabilityBin,
    calibration_error,
    reliability,
    share_of_side,
)
from tfx_privacy.metrics.risk_curve import RiskCurve
from tfx_privacy.metrics.risk_histogram import (
    RiskHistogram,
    fine_edges,
    shown_bins,
    shown_edges,
    told_risks,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role

# A curve of fewer rows a side would say the prior and little else.
MIN_ROWS_A_SIDE = 20
_MOST_CLASSES_LISTED = 100


def fit_risk(
    best: Attack,
    chosen: ChosenOnFit,
    known: KnownRows,
    on_judge: FittedSuite,
    judged: KnownRows,
    config: config_pb2.PrivacyConfig,
) -> RiskPlan | None:
    """P(member | score) of the best attack, fitted on FIT for JUDGE rows and vice versa.

    Every curve comes from scores by a fit that did not see their rows, and is used for rows
    that neither it nor the attack has seen.

    Args:
      best: The attack that was best on FIT.
      chosen: Its scores of the FIT rows are among what was chosen on them.
      known: The FIT rows.
      on_judge: The attacks fitted on JUDGE rows.
      judged: Those JUDGE rows.
      config: The resolved configuration.

    Returns:
      None where a side of FIT or of JUDGE has fewer than 20 rows.
    """
    fit, judge = known.seen_by(best), judged.seen_by(best)
    if min(_smaller_side(fit), _smaller_side(judge)) < MIN_ROWS_A_SIDE:
        return None
    judge_scores = unseen_scores(best, on_judge, judge, config.seed)
    prior = config.risk_prior
    return RiskPlan(
        attack=best.name,
        curves={
            Role.JUDGE: RiskCurve.fit(chosen.best_scores, fit.member, prior),
            Role.FIT: RiskCurve.fit(judge_scores, judge.member, prior),
        },
    )


def fit_risk_on_another_model(
    best: Attack, chosen: ChosenOnFit, known: KnownRows, config: config_pb2.PrivacyConfig
) -> RiskPlan | None:
    """P(member | score) of the best attack, fitted on another model's rows.

    That fit has seen no record of the judged model: its one curve is for all of them.
    Whether what is true of the one model is true of the other, the calibration on JUDGE
    rows tells.

    Args:
      best: The attack that was best on the other model's rows.
      chosen: Its scores of these are among what was chosen on them.
      known: Those rows.
      config: The resolved configuration.

    Returns:
      None where a side of them has fewer than 20 rows.
    """
    rows = known.seen_by(best)
    if _smaller_side(rows) < MIN_ROWS_A_SIDE:
        return None
    curve = RiskCurve.fit(chosen.best_scores, rows.member, config.risk_prior)
    return RiskPlan(attack=best.name, curves={Role.JUDGE: curve, Role.FIT: curve})


def record_risk_results(
    risk: RiskPlan | None,
    tallies: Mapping[str, Mapping[Hashable, Addable]],
    results: results_pb2.PrivacyResults,
) -> results_pb2.RecordRiskResults:
    """What results say of the risk of records.

    Args:
      risk: How it was computed; None where it was not.
      tallies: By name, the totals; those of RiskTally are among them.
      results: Configuration, best attack, records, and what attacks were fitted on.
    """
    if risk is None:
        return results_pb2.RecordRiskResults(not_computed=_why_not(results))
    prior, confidence = results.config.risk_prior, results.config.confidence
    totals = tallies[RiskTally.name]
    judged = cast("RiskHistogram", totals[Role.JUDGE.name])
    whole = judged + cast("RiskHistogram", totals[Role.FIT.name])
    exposed = cast("MostExposed", totals[MOST_EXPOSED])
    classes = totals.get(CLASSES)
    names = results.config.model_spec.label_vocabulary
    bins = reliability(judged, prior, (1.0 - confidence) / 2.0)
    return results_pb2.RecordRiskResults(
        attack=risk.attack,
        prior=prior,
        reliability=[_reliability_bin(one, confidence) for one in bins],
        calibration_error=calibration_error(bins),
        edges=shown_edges(prior),
        whole=_distribution(whole.in_wider_bins(shown_bins(prior))),
        classes=_class_risks(classes, names) if isinstance(classes, ClassRisks) else [],
        above=[_above(judged, risk_told, prior, confidence) for risk_told in told_risks(prior)],
        most_exposed=[_exposed_record(one, names) for one in exposed.records],
    )


def class_name(label: int, names: Sequence[str]) -> str:
    """A class by its name, or by its number where it has none."""
    return names[label] if 0 <= label < len(names) else str(label)


def _smaller_side(rows: Signals) -> int:
    members = int(rows.member.sum())
    return min(members, len(rows) - members)


def _why_not(results: results_pb2.PrivacyResults) -> str:
    if not results.best_attack:
        return "no attack ran"
    if results.HasField("fitted_on"):
        fit = results.fitted_on.fit
        return (
            f"needs at least {MIN_ROWS_A_SIDE} members and {MIN_ROWS_A_SIDE} non-members of the "
            f"other model that {results.best_attack} can be fitted on; found {fit.members} and "
            f"{fit.nonmembers}"
        )
    fit, judge = results.records.fit, results.records.judge
    return (
        f"needs at least {MIN_ROWS_A_SIDE} members and {MIN_ROWS_A_SIDE} non-members of FIT and "
        f"of JUDGE that {results.best_attack} can be fitted on; found {fit.members} and "
        f"{fit.nonmembers} in FIT, {judge.members} and {judge.nonmembers} in JUDGE"
    )


def _reliability_bin(one: ReliabilityBin, confidence: float) -> results_pb2.ReliabilityBin:
    return results_pb2.ReliabilityBin(
        mean_risk=one.mean_risk,
        member_share=_measured(one.member_share, confidence, one.members, one.nonmembers),
    )


def _measured(
    interval: Interval, confidence: float, members: int, nonmembers: int
) -> results_pb2.MeasuredValue:
    return results_pb2.MeasuredValue(
        estimate=interval.estimate,
        lower=interval.lower,
        upper=interval.upper,
        confidence=confidence,
        members=members,
        nonmembers=nonmembers,
    )


def _distribution(counts: RiskHistogram) -> results_pb2.RiskDistribution:
    return results_pb2.RiskDistribution(members=counts.members, nonmembers=counts.nonmembers)


def _class_risks(classes: ClassRisks, names: Sequence[str]) -> list[results_pb2.ClassRisk]:
    counts = classes.histograms
    rows = counts.members.sum(axis=1) + counts.nonmembers.sum(axis=1)
    listed = np.sort(np.argsort(-rows, kind="stable")[:_MOST_CLASSES_LISTED])
    return [
        results_pb2.ClassRisk(
            class_name=class_name(int(classes.labels[row]), names),
            distribution=_distribution(counts.of_group(row)),
            mean_member_risk=counts.of_group(row).mean_member_risk,
        )
        for row in listed.tolist()
    ]


def _above(
    judged: RiskHistogram, risk: float, prior: float, confidence: float
) -> results_pb2.RiskAbove:
    first = int(np.searchsorted(fine_edges(prior), risk))
    members, nonmembers = int(judged.members[first:].sum()), int(judged.nonmembers[first:].sum())
    alpha = (1.0 - confidence) / 2.0
    return results_pb2.RiskAbove(
        risk=risk,
        members=_measured(
            share_of_side(members, judged.n_members, alpha), confidence, judged.n_members, 0
        ),
        nonmembers=_measured(
            share_of_side(nonmembers, judged.n_nonmembers, alpha),
            confidence,
            0,
            judged.n_nonmembers,
        ),
    )


def _exposed_record(one: Exposed, names: Sequence[str]) -> results_pb2.ExposedRecord:
    return results_pb2.ExposedRecord(
        id=one.id,
        risk=one.risk,
        class_name="" if one.label is None else class_name(one.label, names),
        attacks_right=one.attacks_right,
    )
