"""The smallest leak found: the power at that leak, by simulation of the whole procedure."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.canary_epsilon import CanaryEpsilon
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.metrics.epsilon import Epsilon
from tfx_privacy.metrics.power import smallest_found
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr

RUNS = 300


def planted_share(metric, value):
    """The share of members known for certain at a value: AUC .5 + p/2, advantage p,
    TPR p + (1 - p) f (evidence.md's model of a planted leak)."""
    if metric == Auc():
        return 2 * (value - 0.5)
    if isinstance(metric, TprAtFpr):
        return (value - metric.fpr) / (1 - metric.fpr)
    return 2 * (value - 0.5) if metric == BalancedAccuracy() else value


def share_of_runs_above(metric, share, members, nonmembers, above, generator):
    """How often a lower bound at .025 exceeds `above`: threshold of FIT, half as large."""

    def scores(m, n):
        known = generator.random(m) < share
        others = generator.random(m + n)
        return np.concatenate((np.where(known, 2.0, others[:m]), others[m:])), np.arange(m + n) < m

    found = 0
    for _ in range(RUNS):
        edges = choose_edges(*scores(members // 2, nonmembers // 2))
        counts = count_scores(*scores(members, nonmembers), edges)
        found += metric.measure(counts, edges.thresholds, 0.025).lower > above
    return found / RUNS


@pytest.mark.parametrize(
    ("metric", "limit"),
    [
        (Auc(), None),
        (Auc(), 0.55),
        (Advantage(), None),
        (Advantage(), 0.1),
        (BalancedAccuracy(), None),
        (TprAtFpr(0.1), None),
        (TprAtFpr(0.01), 0.02),
    ],
    ids=str,
)
@pytest.mark.parametrize(("members", "nonmembers"), [(300, 150), (3000, 1500)])
def test_the_power_is_as_stated(metric, limit, members, nonmembers):
    above = metric.no_leak if limit is None else limit
    value = smallest_found(metric, members, nonmembers, above, 0.025, 0.8)
    if isinstance(metric, TprAtFpr) and metric.fpr == 0.01 and nonmembers == 150:
        # 1.5 non-members are expected above the threshold: no bound can stand there.
        assert math.isinf(value)
        return
    share = planted_share(metric, value)
    generator = np.random.default_rng(1)

    power = share_of_runs_above(metric, share, members, nonmembers, above, generator)

    # .8, give or take .1, and three standard errors of 300 runs are .07.
    assert 0.7 < power < 0.95


@pytest.mark.parametrize("limit", [0.0, 0.5])
def test_the_power_of_epsilon_is_as_stated(limit):
    # Randomised response at (TPR, FPR) = (e^eps, 1) / (1 + e^eps) on 600 and 300 rows.
    value = smallest_found(Epsilon(0.0), 600, 300, limit, 0.025, 0.8)
    right = math.exp(value) / (1 + math.exp(value))
    generator = np.random.default_rng(2)
    found = 0
    for _ in range(1000):
        tp, fp = generator.binomial(600, right), generator.binomial(300, 1 - right)
        counts = ScoreCounts(np.array([600 - tp, tp]), np.array([300 - fp, fp]))
        found += Epsilon(0.0).measure(counts, Thresholds.all_at(1), 0.025).lower > limit

    assert value > limit
    assert 0.7 < found / 1000 < 0.95


def test_an_epsilon_out_of_reach_is_infinite():
    # An attack without any mistake on 100 rows a side shows log(.9638 / .0362) = 3.3
    # (Clopper-Pearson at .0125: .0125^(1/100) = .957; 3.1).
    assert math.isinf(smallest_found(Epsilon(0.0), 100, 100, 4.0, 0.025, 0.8))
    assert smallest_found(Epsilon(0.0), 100, 100, 1.0, 0.025, 0.8) < 3.0


@pytest.mark.parametrize(("halves", "share"), [(333, 0.27), (1667, 0.12), (6667, 0.06)])
def test_the_positive_controls_shares(halves, share):
    """evidence.md's shares seen with 99% power in so many non-members, halved.

    They are simulated; ours allow for the whole error of a score that knows nothing,
    which a large share makes smaller, and are larger for it.
    """
    m = halves // 2

    auc = smallest_found(Auc(), m, halves - m, 0.5, 0.01, 0.99)

    assert share - 0.005 < 2 * (auc - 0.5) < 1.15 * share


@pytest.mark.parametrize(
    "metric",
    [Auc(), Advantage(), BalancedAccuracy(), TprAtFpr(0.1), Precision(0.5), Epsilon(1e-5)],
    ids=str,
)
def test_more_rows_find_less_and_higher_limits_need_more(metric):
    sizes = (200, 1000, 10_000, 1_000_000)
    values = [smallest_found(metric, m, m // 2, metric.no_leak, 0.025, 0.8) for m in sizes]
    assert all(more <= less for less, more in itertools.pairwise(values))
    assert values[-1] > metric.no_leak

    above = [
        smallest_found(metric, 2000, 1000, metric.no_leak + k / 10, 0.025, 0.8) for k in (0, 1, 2)
    ]
    assert above[0] < above[1] < above[2]
    assert above[2] > metric.no_leak + 0.2


def test_canaries_have_to_be_about_as_many_on_either_side():
    metric = CanaryEpsilon(0.0)

    assert 0 < smallest_found(metric, 2000, 2000, 0.0, 0.025, 0.8) < 1
    assert math.isinf(smallest_found(metric, 2000, 1000, 0.0, 0.025, 0.8))


def test_beyond_any_rows():
    assert math.isinf(smallest_found(TprAtFpr(0.001), 1000, 500, 0.001, 0.025, 0.8))
    assert math.isinf(smallest_found(Auc(), 1, 1, 0.5, 0.025, 0.8))
    assert math.isinf(smallest_found(Advantage(), 3, 2, 0.0, 0.025, 0.8))


@pytest.mark.parametrize(
    ("members", "nonmembers", "alpha", "power", "said"),
    [
        (0, 10, 0.025, 0.8, "0 members and 10 non-members"),
        (10, 10, 0.5, 0.8, "alpha: found 0.5"),
        (10, 10, 0.025, 1.0, "power: found 1.0"),
    ],
)
def test_what_is_out_of_range_is_an_error(members, nonmembers, alpha, power, said):
    with pytest.raises(ValueError, match=said):
        smallest_found(Auc(), members, nonmembers, 0.5, alpha, power)
