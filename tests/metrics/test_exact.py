from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.metrics.advantage import max_in_sample
from tfx_privacy.metrics.auc import auc
from tfx_privacy.metrics.counts import ScoreEdges, Thresholds
from tfx_privacy.metrics.edges import count_scores
from tfx_privacy.metrics.exact import ExactValues, exact_values


def values(members: list[float], nonmembers: list[float]) -> ExactValues:
    scores = np.array([*members, *nonmembers])
    return exact_values(scores, np.arange(len(scores)) < len(members))


def test_by_hand() -> None:
    # Of 3 x 2 pairs, 4 has both below, 2 has one, 3 has one level and one below: AUC
    # (2 + 1 + 1.5) / 6. Thresholds from the top: 4 calls one member and nobody else
    # (1/3 - 0; 1/1), 3 calls 2 and 1 (2/3 - 1/2; 2/3), 2 calls 3 and 1 (1 - 1/2; 3/4).
    found = values([4, 2, 3], [3, 1])
    assert found == ExactValues(
        auc=pytest.approx(0.75), max_advantage=pytest.approx(0.5), ppv=1.0, members=3, nonmembers=2
    )


def test_the_best_precision_may_be_below_the_highest_score() -> None:
    # 5 calls one non-member (0), 4 calls 2 and 1 (2/3), 1 calls 2 and 2 (1/2).
    found = values([4, 4], [5, 1])
    assert found.ppv == pytest.approx(2 / 3)
    # 5: |0 - 1/2|, 4: |1 - 1/2|.
    assert found.max_advantage == pytest.approx(0.5)
    assert found.auc == pytest.approx(0.5)


def test_equal_scores_say_nothing_but_the_share_of_members() -> None:
    # TF Privacy's PPV where nobody is called a member: 1 / (1 + non-members / members).
    found = values([1.0] * 3, [1.0])
    assert (found.auc, found.max_advantage, found.ppv) == (0.5, 0.0, 0.75)


def test_a_score_the_wrong_way_round_has_its_advantage() -> None:
    found = values([0.0, 1.0], [2.0, 3.0])
    assert (found.auc, found.max_advantage, found.ppv) == (0.0, 1.0, 0.5)


def test_sides_apart_are_told_apart_in_full() -> None:
    found = values([2.0, 3.0], [0.0, 1.0])
    assert (found.auc, found.max_advantage, found.ppv) == (1.0, 1.0, 1.0)


def test_a_threshold_that_calls_hardly_anybody_is_none() -> None:
    # Of 1,000 a side: the two highest scores are members' with rates .001 and .002; then
    # comes a non-member. At .001 TF Privacy takes the share of members, .5; at .002 it is
    # 2/2. With 2,000 members the same rows have TPR .0005 and .001, both nobody; the
    # non-member's FPR is .001, nobody again; what counts first is all others: 2000/3000.
    low = [0.0] * 998
    assert values([3.0, 2.0, *low], [1.0, *low, 0.0]).ppv == 1.0
    assert values([3.0, 2.0, *low, *low, 0.0, 0.0], [1.0, *low, 0.0]).ppv == pytest.approx(2 / 3)


@pytest.mark.parametrize("distinct", [7, 10**6])
def test_agrees_with_scikit_learns_curve(distinct: int) -> None:
    # TF Privacy's definitions on the curve that it takes from scikit-learn.
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    member = rng.random(5000) < 0.3
    scores = rng.integers(0, distinct, 5000) + (0.2 * distinct * member).round()
    fpr, tpr, _ = metrics.roc_curve(member, scores, drop_intermediate=False)
    called = tpr * member.sum() + fpr * (~member).sum()
    counts = (tpr > 1e-3) | (fpr > 1e-3)
    found = exact_values(scores, member)
    assert found.auc == pytest.approx(metrics.auc(fpr, tpr), abs=1e-12)
    assert found.max_advantage == pytest.approx(np.abs(tpr - fpr).max(), abs=1e-12)
    precision = (tpr * member.sum())[counts] / called[counts]
    assert found.ppv == pytest.approx(precision.max(), abs=1e-12)


def test_is_what_counts_say_where_every_score_has_a_bin() -> None:
    rng = np.random.default_rng(2)
    member = np.arange(300) < 200
    scores = rng.integers(0, 40, 300) + 5.0 * member
    counts = count_scores(scores, member, ScoreEdges(np.unique(scores), Thresholds.all_at(0)))
    found = exact_values(scores, member)
    assert found.auc == pytest.approx(auc(counts), abs=1e-12)
    assert found.max_advantage == pytest.approx(max_in_sample(counts), abs=1e-12)


def test_the_order_of_rows_says_nothing() -> None:
    rng = np.random.default_rng(3)
    scores, member = rng.integers(0, 9, 200).astype(float), rng.random(200) < 0.5
    order = rng.permutation(200)
    assert exact_values(scores, member) == exact_values(scores[order], member[order])


@pytest.mark.parametrize(
    ("scores", "member", "message"),
    [
        ([1.0, 2.0], [True, True], "found scores of 2 members and 0 non-members"),
        ([], [], "found scores of 0 members and 0 non-members"),
        ([1.0, np.nan], [True, False], "NaN or infinity in 1 of 2 rows"),
        ([1.0, np.inf], [True, False], "NaN or infinity in 1 of 2 rows"),
        ([1.0], [True, False], r"found shapes \(1,\) and \(2,\)"),
    ],
)
def test_refuses(scores: list[float], member: list[bool], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exact_values(np.array(scores), np.array(member, bool))
