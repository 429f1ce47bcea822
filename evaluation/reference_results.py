"""What results say of the attacks with reference models, beside what was observed of these."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Mapping, Sequence

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.attacks.reference_names import REFERENCE_ATTACKS, RMIA_ATTACKS, SHADOW_MODELS
from tfx_privacy.attacks.rmia import FittedRmia
from tfx_privacy.attacks.shadow_models import FittedShadowModels
from tfx_privacy.evaluation.reference_curve import reference_curves
from tfx_privacy.evaluation.shadow_tally import ShadowTally, shadow_counts
from tfx_privacy.evaluation.suite import FittedSuite, KnownRows
from tfx_privacy.evaluation.tally import Addable
from tfx_privacy.metrics.called_members import CalledMembers
from tfx_privacy.metrics.class_statistics import WHOLE_CLASS
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.measure import one_sided_alpha
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class Attacked:
    """What came of the attacks of a measurement.

    Attributes:
      attacks: Those that ran.
      suite: They, fitted on `known`.
      skipped: Why an attack could not run, by name.
      known: The rows that attacks were fitted on, the wide ones with references.
      judged: JUDGE rows with references, a bounded number.
      tallies: What else was counted of all JUDGE rows, by the name of a tally.
    """

    attacks: Sequence[Attack]
    suite: FittedSuite
    skipped: Mapping[str, str]
    known: KnownRows
    judged: Signals
    tallies: Mapping[str, Mapping[Hashable, Addable]]


def complete_references(
    observed: results_pb2.ReferenceResults,
    attacked: Attacked,
    label_vocabulary: Sequence[str],
    config: config_pb2.PrivacyConfig,
) -> results_pb2.ReferenceResults:
    """What was observed of reference models with what the attacks made of it.

    Metrics against the number of models, RMIA's parameters as used (those without effect
    are 0), Shokri's attack class by class, and which attacks did not run.

    Args:
      observed: Where the models lie, what they say of records; it is not changed.
      attacked: What came of the attacks.
      label_vocabulary: Names of classes, as far as they have names.
      config: The resolved configuration.
    """
    results = results_pb2.ReferenceResults()
    results.CopyFrom(observed)
    curves = reference_curves(attacked.attacks, attacked.known, attacked.judged, config)
    if curves:
        results.curves.extend(curves)
        members = int(attacked.judged.member.sum())
        results.curve_rows.members = members
        results.curve_rows.nonmembers = len(attacked.judged) - members
    for name in RMIA_ATTACKS:
        # The offline one comes last: a has an effect there alone.
        fitted = attacked.suite.attacks.get(name)
        if isinstance(fitted, FittedRmia):
            results.rmia_gamma = fitted.ratios.gamma
            results.rmia_offline_a = fitted.offline_a
    shadow = _shadow(attacked, label_vocabulary, config.confidence)
    if shadow is not None:
        results.shadow.CopyFrom(shadow)
    results.notes.extend(_not_run(attacked.skipped))
    return results


def _shadow(
    attacked: Attacked, label_vocabulary: Sequence[str], confidence: float
) -> results_pb2.ShadowResults | None:
    """Shokri's attack; None where it did not run or a side has no JUDGE rows."""
    fitted = attacked.suite.attacks.get(SHADOW_MODELS)
    called = shadow_counts(attacked.tallies.get(ShadowTally.name, {}))
    if not isinstance(fitted, FittedShadowModels) or WHOLE_CLASS not in called:
        return None
    whole = called.pop(WHOLE_CLASS)
    results = results_pb2.ShadowResults(
        attack_set=results_pb2.SideCounts(members=fitted.members, nonmembers=fitted.nonmembers),
        classes=fitted.own_classes,
        classes_shared=fitted.shared_classes,
        precision=_precision(whole, confidence),
        recall=_recall(whole, confidence),
    )
    for number, of_class in sorted(called.items()):
        known = number < len(label_vocabulary)
        results.by_class.add(
            label=label_vocabulary[number] if known else str(number),
            precision=_precision(of_class, confidence),
            recall=_recall(of_class, confidence),
        )
    return results


def _precision(called: CalledMembers, confidence: float) -> results_pb2.MeasuredValue:
    return _measured(called.precision(one_sided_alpha(confidence)), called, confidence)


def _recall(called: CalledMembers, confidence: float) -> results_pb2.MeasuredValue:
    return _measured(called.recall(one_sided_alpha(confidence)), called, confidence)


def _measured(
    value: Interval, called: CalledMembers, confidence: float
) -> results_pb2.MeasuredValue:
    return results_pb2.MeasuredValue(
        estimate=value.estimate,
        lower=value.lower,
        upper=value.upper,
        confidence=confidence,
        members=called.members,
        nonmembers=called.nonmembers,
    )


def _not_run(skipped: Mapping[str, str]) -> Iterator[str]:
    """By reason, the attacks with reference models that could not run."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in skipped.items():
        if split_name(name)[0] in REFERENCE_ATTACKS:
            by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        told, subject = ("attack", "it ") if len(names) == 1 else ("attacks", "each ")
        # Of a limited attacker's a reason tells of the attacker: it has a subject of its own.
        subject = "" if reason.startswith("its ") else subject
        yield f"The {told} {', '.join(names)} did not run: {subject}{reason}"
