"""Whether what results say of the risk of records can be, and agrees with itself."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence

from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.reliability import member_share, share_of_side
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.numbers_agree import check_number

_ID = re.compile("[0-9a-f]{32}")
_MOST_EXPOSED = 20
_ROUNDING = 1e-9


def check_record_risk(results: results_pb2.PrivacyResults) -> None:
    """Refuses a risk of records that nothing can have, or that contradicts itself.

    No verdict rests on it, and the records behind it are not read. But the counts that it
    lists give its intervals and its calibration error, which are computed again, and add
    up to the records that were used.

    Raises:
      ValueError: If a number is not finite or out of its range, bins do not ascend,
        counts do not add up, or an interval is not that of its counts.
    """
    risk = results.record_risk
    if not results.HasField("record_risk"):
        return
    if risk.not_computed:
        if risk.attack or risk.reliability or risk.most_exposed:
            raise ValueError(
                f"record risk: found values, and that it was not computed ({risk.not_computed}); "
                "expected one of both"
            )
        return
    if not 0.0 < risk.prior < 1.0:
        raise ValueError(f"record risk: found the prior {risk.prior}, expected a number in (0, 1)")
    if risk.attack != results.best_attack:
        raise ValueError(
            f"record risk: found it from {risk.attack!r}, expected the best attack, "
            f"{results.best_attack!r}"
        )
    judge = results.records.judge
    if min(judge.members, judge.nonmembers) < 1:
        raise ValueError(
            f"record risk: found it with {judge.members} members and {judge.nonmembers} "
            "non-members judged, expected at least one of each"
        )
    _check_distributions(results)
    _check_reliability(results)
    _check_above(results)
    _check_exposed(risk)


def _check_distributions(results: results_pb2.PrivacyResults) -> None:
    risk, records = results.record_risk, results.records
    edges = list(risk.edges)
    if not (
        len(edges) > 1
        and (edges[0], edges[-1]) == (0.0, 1.0)
        and all(low < high for low, high in itertools.pairwise(edges))
    ):
        raise ValueError("record risk: expected edges that ascend from 0 to 1")
    used = (records.fit, records.fit_beyond_sample, records.judge)
    for side, counts, of_classes, rows in (
        (
            "members",
            risk.whole.members,
            [one.distribution.members for one in risk.classes],
            sum(part.members for part in used),
        ),
        (
            "non-members",
            risk.whole.nonmembers,
            [one.distribution.nonmembers for one in risk.classes],
            sum(part.nonmembers for part in used),
        ),
    ):
        for listed in (counts, *of_classes):
            _check_counts(side, listed, len(edges) - 1)
        if sum(counts) != rows:
            raise ValueError(
                f"record risk: found {sum(counts)} {side}, expected the {rows} in FIT and JUDGE"
            )
        in_classes = [sum(part) for part in zip(*of_classes, strict=True)]
        if any(part > whole for part, whole in zip(in_classes, counts, strict=False)):
            raise ValueError(f"record risk: found more {side} in classes than in all")
    for one in risk.classes:
        _check_range("mean risk of the members of a class", one.mean_member_risk)


def _check_counts(side: str, counts: Sequence[int], bins: int) -> None:
    if len(counts) != bins or min(counts) < 0:
        raise ValueError(
            f"record risk: found {len(counts)} bins of {side}, the smallest with "
            f"{min(counts, default=0)}; expected {bins}, with 0 or more"
        )


def _check_reliability(results: results_pb2.PrivacyResults) -> None:
    risk, judge = results.record_risk, results.records.judge
    if not risk.reliability:
        raise ValueError("record risk: found no bins of its reliability, expected one or more")
    for side, found, rows in (
        ("members", sum(one.member_share.members for one in risk.reliability), judge.members),
        (
            "non-members",
            sum(one.member_share.nonmembers for one in risk.reliability),
            judge.nonmembers,
        ),
    ):
        if found != rows:
            raise ValueError(
                f"reliability of record risk: found {found} {side}, expected the {rows} judged"
            )
    # Neighbours can have the same mean, told with other roundings.
    means = [one.mean_risk for one in risk.reliability]
    if not all(a <= b + _ROUNDING for a, b in itertools.pairwise(means)):
        raise ValueError("reliability of record risk: expected risks that ascend")
    error = 0.0
    for one in risk.reliability:
        share = one.member_share
        _check_range("mean risk of a bin", one.mean_risk)
        a, b = share.members / judge.members, share.nonmembers / judge.nonmembers
        if min(a, b) < 0 or a + b == 0:
            raise ValueError(
                f"reliability of record risk: found a bin of {share.members} members and "
                f"{share.nonmembers} non-members, expected a record in each"
            )
        again = member_share(
            share.members,
            judge.members,
            share.nonmembers,
            judge.nonmembers,
            risk.prior,
            _one_sided(share),
        )
        _check_interval("share of members in a bin of record risk", share, again)
        weight = risk.prior * a + (1.0 - risk.prior) * b
        error += weight * abs(one.mean_risk - share.estimate)
    check_number("calibration error of record risk", risk.calibration_error, error)


def _check_above(results: results_pb2.PrivacyResults) -> None:
    judge = results.records.judge
    for one in results.record_risk.above:
        if not 0.0 < one.risk < 1.0:
            raise ValueError(f"record risk: found a share above {one.risk}, which is no risk")
        for side, share, rows, behind in (
            ("members", one.members, judge.members, one.members.members),
            ("non-members", one.nonmembers, judge.nonmembers, one.nonmembers.nonmembers),
        ):
            name = f"share of {side} above the risk {one.risk}"
            if behind != rows:
                raise ValueError(f"{name}: found it of {behind}, expected of the {rows} judged")
            _check_range(name, share.estimate)
            count = round(share.estimate * rows)
            _check_interval(name, share, share_of_side(count, rows, _one_sided(share)))
    shares = [(one.risk, one.members, one.nonmembers) for one in results.record_risk.above]
    for (risk, *below), (higher, *above) in itertools.pairwise(shares):
        if higher <= risk or any(
            a.estimate < b.estimate for a, b in zip(below, above, strict=True)
        ):
            raise ValueError("record risk: expected fewer records above a higher risk")


def _check_exposed(risk: results_pb2.RecordRiskResults) -> None:
    exposed = risk.most_exposed
    if len(exposed) > _MOST_EXPOSED or len({one.id for one in exposed}) != len(exposed):
        raise ValueError(
            f"most exposed records: found {len(exposed)}, some of them twice or more than "
            f"{_MOST_EXPOSED}; expected at most so many, each once"
        )
    for one in exposed:
        if not _ID.fullmatch(one.id):
            raise ValueError(
                f"most exposed records: found the id {one.id!r}, expected 32 hexadecimal digits"
            )
        _check_range("risk of an exposed record", one.risk)
        _check_range("share of attacks that are right", one.attacks_right)
    if any(a.risk < b.risk for a, b in itertools.pairwise(exposed)):
        raise ValueError("most exposed records: expected the highest risk first")


def _check_interval(name: str, found: results_pb2.MeasuredValue, expected: Interval) -> None:
    for field in ("estimate", "lower", "upper"):
        check_number(f"{field} of the {name}", getattr(found, field), getattr(expected, field))


def _one_sided(value: results_pb2.MeasuredValue) -> float:
    if not 0.0 < value.confidence < 1.0:
        raise ValueError(
            f"record risk: found an interval of confidence {value.confidence}, expected a number "
            "in (0, 1)"
        )
    return (1.0 - value.confidence) / 2.0


def _check_range(name: str, number: float) -> None:
    if not (math.isfinite(number) and 0.0 <= number <= 1.0):
        raise ValueError(f"{name}: found {number}, expected a number in [0, 1]")
