"""Whether what results say of Shokri's attack can be: its precision and recall, class by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.reference_names import SHADOW_MODELS
from tfx_privacy.metrics.called_members import CalledMembers
from tfx_privacy.metrics.counts import WHOLE, Evidence
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.measure import one_sided_alpha
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.numbers_agree import check_number

_WHOLE = "all classes together"
_ROUNDING = 1e-12


def check_shadow(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    """Refuses precision and recall that no numbers of rows give, or others than the counts.

    Recall and precision tell how many members and non-members were called members: these
    have to be whole numbers, and give the intervals again. The attack's own decision, at a
    score of 0, is mostly no edge of the counts, so of all classes together these numbers
    have to be such as the counts leave room for; of a class there are no counts, and
    classes together have to be no more than all.

    Raises:
      ValueError: If something differs, or the attack ran and is not told, or the other way
        round.
    """
    judge = results.records.judge
    ran = SHADOW_MODELS in {attack.name for attack in results.attacks}
    told = results.references.HasField("shadow")
    if told != (ran and judge.members > 0 and judge.nonmembers > 0):
        raise ValueError(
            f"references: found Shokri's attack {'' if told else 'not '}told by its precision and "
            f"recall, and {'' if ran else 'not '}among the attacks that ran, with {judge.members} "
            f"members and {judge.nonmembers} non-members judged; expected it told where it ran "
            "and a side can be told from the other"
        )
    if not told:
        return
    shadow = results.references.shadow
    _check_learned(shadow)
    whole = _called(_WHOLE, shadow.precision, shadow.recall)
    if (whole.members, whole.nonmembers) != (judge.members, judge.nonmembers):
        raise ValueError(
            f"references: found Shokri's attack on {whole.members} members and "
            f"{whole.nonmembers} non-members, expected the {judge.members} and "
            f"{judge.nonmembers} that were judged"
        )
    _check_against_counts(whole, evidence)
    _check_classes(shadow, whole)


def _check_learned(shadow: results_pb2.ShadowResults) -> None:
    if min(shadow.attack_set.members, shadow.attack_set.nonmembers) < 1:
        raise ValueError(
            f"references: found Shokri's attack taught with {shadow.attack_set.members} shadow "
            f"predictions of members and {shadow.attack_set.nonmembers} of others, expected at "
            "least one of each"
        )
    if min(shadow.classes, shadow.classes_shared) < 0 or not shadow.classes + shadow.classes_shared:
        raise ValueError(
            f"references: found {shadow.classes} classes with an attack model of their own and "
            f"{shadow.classes_shared} that share one, expected some and none below 0"
        )


def _check_classes(shadow: results_pb2.ShadowResults, whole: CalledMembers) -> None:
    labels = [one.label for one in shadow.by_class]
    if len(set(labels)) != len(labels):
        raise ValueError("references: found a class of Shokri's attack listed twice")
    parts = [
        _called(f"the class {one.label}", one.precision, one.recall) for one in shadow.by_class
    ]
    for what in ("members", "members_called", "nonmembers", "nonmembers_called"):
        found, most = sum(getattr(part, what) for part in parts), getattr(whole, what)
        if found > most:
            raise ValueError(
                f"references: found {found} of {what} in the classes of Shokri's attack together, "
                f"expected at most the {most} of all"
            )


def _called(
    place: str, precision: results_pb2.MeasuredValue, recall: results_pb2.MeasuredValue
) -> CalledMembers:
    """The rows called members that these two tell of, which give them again."""
    members, nonmembers = recall.members, recall.nonmembers
    if (precision.members, precision.nonmembers) != (members, nonmembers) or min(
        members, nonmembers
    ) < 1:
        raise ValueError(
            f"references: found precision of Shokri's attack on {precision.members} members and "
            f"{precision.nonmembers} non-members of {place} and recall on {members} and "
            f"{nonmembers}, expected the same rows, and some of both"
        )
    for name, value in (("precision", precision), ("recall", recall)):
        if not 0.0 <= value.lower <= value.estimate <= value.upper <= 1.0:
            raise ValueError(
                f"references: found {name} of Shokri's attack on {place} from {value.lower} by "
                f"{value.estimate} to {value.upper}, expected ascending numbers in [0, 1]"
            )
    members_called = round(recall.estimate * members)
    called = CalledMembers(
        members=members,
        members_called=members_called,
        nonmembers=nonmembers,
        nonmembers_called=_nonmembers_called(precision, members_called, members, nonmembers),
    )
    for name, value, again in (
        ("recall", recall, called.recall(one_sided_alpha(recall.confidence))),
        ("precision", precision, called.precision(one_sided_alpha(precision.confidence))),
    ):
        _check_measured(f"{name} of Shokri's attack on {place}", value, again)
    return called


def _nonmembers_called(
    precision: results_pb2.MeasuredValue, members_called: int, members: int, nonmembers: int
) -> int:
    """How many non-members are called members, from precision = TPR / (TPR + FPR).

    A precision of 0 has no member called one; then the upper bound tells, which falls with
    their number.
    """
    if precision.estimate > 0.0:
        rate = members_called / members * (1.0 - precision.estimate) / precision.estimate
        return min(round(rate * nonmembers), nonmembers)
    alpha = one_sided_alpha(precision.confidence)
    fewest, most = 1, nonmembers
    while fewest < most:
        tried = (fewest + most) // 2
        bound = CalledMembers(members, 0, nonmembers, tried).precision(alpha).upper
        if bound > precision.upper + _ROUNDING:
            fewest = tried + 1
        else:
            most = tried
    return fewest


def _check_measured(name: str, found: results_pb2.MeasuredValue, expected: Interval) -> None:
    for field in ("estimate", "lower", "upper"):
        check_number(f"{field} of {name}", getattr(found, field), getattr(expected, field))


def _check_against_counts(whole: CalledMembers, evidence: Evidence) -> None:
    counts = evidence.counts.get((SHADOW_MODELS, WHOLE))
    if counts is None:
        # The verdict deals with attacks whose counts are missing.
        return
    # The bin that 0 lies in: all of the bins above are called members, and some of it may be.
    at_zero = int(np.searchsorted(evidence.edges[SHADOW_MODELS].edges, 0.0, side="right"))
    for side, bins, called in (
        ("members", counts.members, whole.members_called),
        ("non-members", counts.nonmembers, whole.nonmembers_called),
    ):
        least, most = _from(bins, at_zero + 1), _from(bins, at_zero)
        if not least <= called <= most:
            raise ValueError(
                f"references: found {called} {side} called members by Shokri's attack, the counts "
                f"give {least} to {most}; results must not be edited by hand"
            )


def _from(bins: NDArray[np.int64], first: int) -> int:
    return int(bins[first:].sum())
