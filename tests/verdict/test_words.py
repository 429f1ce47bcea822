"""Sentences for a reader without statistics."""

from __future__ import annotations

import math

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.epsilon import Epsilon
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.verdict import words
from tfx_privacy.verdict.claim import BaselineValue, Claim


def _claim(
    metric: Metric,
    limit: float,
    estimate: float,
    lower: float,
    upper: float,
    *,
    key: tuple[tuple[str, str], ...] = (),
    rows: int = 0,
    baseline: BaselineValue | None = None,
) -> Claim:
    return Claim(
        threshold=0,
        metric=metric,
        limit=limit,
        attack="loss",
        slice=key,
        members=6667,
        nonmembers=3333,
        rows=rows,
        interval=Interval(estimate, lower, upper),
        p_value=0.5,
        baseline=baseline,
    )


def _before(estimate: float, shared: int) -> BaselineValue:
    return BaselineValue(Interval(estimate, 0, 1), 900, 450, shared, shared // 2)


def test_blocking_auc() -> None:
    assert words.blocking(_claim(Auc(), 0.55, 0.71, 0.69, 0.73)) == (
        "BLOCK: an attacker using 'loss' reaches AUC 0.71 (95% between 0.69 and 0.73) on "
        "6,667 training and 3,333 other records; the limit is 0.55."
    )


def test_blocking_in_a_slice() -> None:
    key = (("age", "30"), ("sex", "f"))
    assert words.blocking(_claim(Auc(), 0.6, 0.71, 0.69, 0.73, key=key)).startswith(
        "BLOCK: in slice age=30, sex=f an attacker using 'loss' reaches AUC 0.71"
    )


def test_blocking_tpr_is_in_percent() -> None:
    assert words.blocking(_claim(TprAtFpr(0.01), 0.02, 0.123, 0.11, 0.136)) == (
        "BLOCK: an attacker using 'loss' recognises 12.3% of training records at 1% false alarms "
        "(95% between 11.0% and 13.6%) on 6,667 training and 3,333 other records; the limit is 2%."
    )


def test_blocking_advantage_and_precision() -> None:
    assert "reaches an advantage of 0.30 (95% between 0.20 and 0.40)" in words.blocking(
        _claim(Advantage(), 0.1, 0.3, 0.2, 0.4)
    )
    assert (
        "is right about 75.0% of the records that it calls training records, where 10% of all are "
        "(95% between 60.0% and 80.0%), on"
        in words.blocking(_claim(Precision(0.1), 0.5, 0.75, 0.6, 0.8))
    )


def test_blocking_epsilon_is_no_upper_limit() -> None:
    assert words.blocking(_claim(Epsilon(1e-5), 1.0, 2.1, 2.1, math.inf)) == (
        "BLOCK: any (epsilon, delta) guarantee of this training would need epsilon >= 2.10 (95%). "
        "This is no upper limit. Measured was epsilon (delta 1e-05), by 'loss' on 6,667 training "
        "and 3,333 other records. The limit is 1."
    )


def test_a_bound_is_cut_off_not_rounded_up() -> None:
    assert "epsilon >= 2.10 (95%)" in words.blocking(_claim(Epsilon(), 1.0, 2.109, 2.109, math.inf))
    # Two decimals would put it on the limit.
    assert "epsilon >= 1.003 (95%)" in words.blocking(
        _claim(Epsilon(), 1.0, 1.0039, 1.0039, math.inf)
    )
    assert "epsilon >= 0.29 (95%)" in words.not_above(_claim(Epsilon(), 1.0, 0.29, 0.29, math.inf))


def test_a_bound_of_nothing_asks_for_no_epsilon() -> None:
    assert words.not_above(_claim(Epsilon(), 1.0, 0.0, 0.0, math.inf)).startswith(
        "NOT BLOCKED: no epsilon above 0 was shown to be needed by an (epsilon, delta) guarantee "
        "of this training (95%). This is no upper limit."
    )


def test_epsilon_that_does_not_block_and_what_could_be_shown() -> None:
    sentence = words.not_above(_claim(Epsilon(), 8.0, 0.41, 0.41, math.inf))
    assert sentence.startswith(
        "NOT BLOCKED: any (epsilon, delta) guarantee of this training would need epsilon >= 0.41 "
        "(95%). This is no upper limit."
    )
    assert words.cannot_fire(Epsilon(), 8.0, 6.8) == (
        "This threshold cannot fire: the most that so many records could show is epsilon 6.80, and "
        "the limit is 8."
    )


def test_a_rise_tells_from_what_to_what() -> None:
    claim = _claim(Auc(), 0.02, 0.06, 0.04, 0.08, baseline=_before(0.52, shared=0))
    assert words.blocking(claim) == (
        "BLOCK: AUC of an attacker using 'loss' rose from 0.52 to 0.58, by 0.06 (95% between 0.04 "
        "and 0.08, unpaired), on 900 training and 450 other records in the baseline and 6,667 "
        "training and 3,333 other records now; a rise of at most 0.02 is allowed."
    )


def test_a_rise_in_percentage_points_paired() -> None:
    claim = _claim(TprAtFpr(0.1), 0.02, -0.01, -0.03, 0.01, baseline=_before(0.12, shared=80))
    assert words.passing(claim) == (
        "PASS: by none of the attacks that ran has TPR at 10% FPR risen by more than 2 percentage "
        "points since the baseline: TPR at 10% FPR of an attacker using 'loss' went from 12.0% to "
        "11.0%, by -1.0 percentage points (95% between -3.0 and 1.0, paired on 80 training and 40 "
        "other records that both measurements judged), on 900 training and 450 other records in "
        "the baseline and 6,667 training and 3,333 other records now."
    )


def test_bounds_are_shown_on_their_side_of_the_limit() -> None:
    sentence = words.blocking(_claim(Auc(), 0.55, 0.6, 0.55004, 0.65))
    assert "(95% between 0.55004 and 0.65000)" in sentence


def test_passing_does_not_say_safe() -> None:
    assert words.passing(_claim(Auc(), 0.55, 0.5, 0.48, 0.52)) == (
        "PASS: the attacks that ran do not exceed the limit of 0.55 on AUC: the one that comes "
        "closest, 'loss', reaches AUC 0.50 (95% between 0.48 and 0.52) on 6,667 training and 3,333 "
        "other records."
    )


def test_too_wide_says_what_would_settle_it() -> None:
    sentence = words.too_wide(_claim(Auc(), 0.55, 0.53, 0.5, 0.56, rows=225), needed=1234)
    assert "the limit of 0.55 lies within this range." in sentence
    assert sentence.endswith(
        "Some 1,300 records in the splits in place of 225 would settle it, if the estimate is "
        "right."
    )


def test_too_wide_near_the_limit() -> None:
    sentence = words.too_wide(_claim(Auc(), 0.55, 0.549, 0.5, 0.6, rows=2250), needed=-1)
    assert sentence.endswith(
        "Not decidable near this estimate: not even 10 times the 2,250 records in the splits would "
        "settle it."
    )
