from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.attacks.reference_scores.gaussians import Centre, Spread
from tfx_privacy.attacks.reference_scores.lira import OfflineLira, OnlineLira

# Five records, eight models, two queries, and scores of them by `compute_score_lira` of
# tensorflow-empirical-privacy 0.1.0 (NumPy 1.26.4, SciPy 1.12.0), negated for option "both":
# there, members have small scores.
INSIDE = np.array(
    [
        [1, 0, 0, 1, 1, 0, 1, 0],
        [0, 1, 1, 0, 1, 0, 0, 1],
        [1, 0, 1, 0, 0, 1, 1, 0],
        [0, 1, 0, 1, 0, 1, 1, 0],
        [1, 0, 1, 0, 1, 0, 0, 1],
    ],
    np.bool_,
)
FIRST_QUERY = [
    [0.511, 1.343, -0.618, 1.859, 0.572, 0.698, 1.045, -1.287],
    [0.362, 2.369, 1.911, 0.059, 2.211, 0.12, -0.211, 1.29],
    [1.836, -0.66, 1.016, -0.472, -2.095, 1.071, 2.952, -1.748],
    [-1.204, 0.402, -1.114, -0.957, -2.244, -1.468, -0.477, -0.636],
    [-0.204, -2.902, 0.493, -0.22, 0.222, 0.614, -1.213, 0.47],
]
SECOND_QUERY = [
    [1.563, -0.49, 0.492, 1.608, 1.473, -1.342, -0.399, -1.839],
    [-0.67, 2.254, -0.419, 0.549, 0.567, -0.381, 1.658, 2.065],
    [0.368, -0.438, -0.273, 0.811, 0.311, 0.31, 1.714, -0.474],
    [-1.97, -0.348, -0.343, -0.078, -1.654, -0.86, 0.618, -3.105],
    [1.238, -1.373, 1.848, -1.237, 0.34, -1.337, -0.557, 0.393],
]
REFERENCES = np.stack([FIRST_QUERY, SECOND_QUERY], axis=2)
TARGET = np.array(
    [[-0.599, 0.122], [0.57, 1.869], [0.891, 0.267], [-0.294, -1.307], [0.71, -0.091]]
)
ONLINE = {
    (Spread.PER_RECORD, Centre.MEDIAN): [
        -1.59769878774, -1.42542841362, 2.04180996527, -0.311143161543, 3.04470670201,
    ],
    (Spread.PER_RECORD, Centre.MEAN): [
        -1.78753300208, -1.1592511012, 1.89435866753, -0.184918316436, 1.88827296467,
    ],
    (Spread.FIXED, Centre.MEDIAN): [
        -1.20807181889, 0.175119579931, 1.63312158304, -0.158351609241, 0.949389487395,
    ],
    (Spread.FIXED, Centre.MEAN): [
        -1.16711056454, -0.094801694208, 1.50338799973, -0.113014491248, 0.894852579586,
    ],
}  # fmt: skip
# Option "out" is log N(phi; out).
OUTSIDE = {
    (Spread.PER_RECORD, Centre.MEDIAN): [
        -1.31552079223, -2.42794693211, -2.81112663717, -1.25369463183, -4.03861998834,
    ],
    (Spread.PER_RECORD, Centre.MEAN): [
        -1.23823884332, -2.26032712432, -2.84440959013, -1.43373132407, -3.32085628542,
    ],
    (Spread.FIXED, Centre.MEDIAN): [
        -1.27234676671, -1.98243427804, -2.37993601958, -1.09494256487, -2.0001605431,
    ],
    (Spread.FIXED, Centre.MEAN): [
        -1.18149240821, -1.74356719347, -2.4472678185, -1.17487812539, -2.13044345283,
    ],
}  # fmt: skip


@pytest.mark.parametrize(("spread", "centre"), ONLINE)
def test_online_is_tf_privacys(spread, centre):
    attack = OnlineLira.fit(REFERENCES, INSIDE, spread, centre)

    found = attack.score(TARGET, REFERENCES, INSIDE)

    np.testing.assert_allclose(found, ONLINE[spread, centre], rtol=1e-10)


@pytest.mark.parametrize(("spread", "centre"), OUTSIDE)
def test_density_without_the_record_is_tf_privacys(spread, centre):
    attack = OfflineLira.fit(REFERENCES, INSIDE, spread, centre)

    found = attack.density_score(TARGET, REFERENCES, INSIDE)

    np.testing.assert_allclose(-found, OUTSIDE[spread, centre], rtol=1e-10)


def test_offline_is_the_papers_one_sided_test():
    # One record, models at 1, 2 and 6 without it (mean 3, variance (4 + 1 + 9) / 3), one query.
    references = np.array([[[1.0], [2.0], [6.0], [50.0]]])
    inside = np.array([[False, False, False, True]])
    attack = OfflineLira.fit(references, inside, Spread.PER_RECORD, Centre.MEAN)

    found = attack.score(np.array([[4.0]]), references, inside)

    lambda_ = 1 - stats.norm.sf(4, 3, math.sqrt(14 / 3))
    assert found == pytest.approx([math.log(lambda_ / (1 - lambda_))], rel=1e-12)


def test_offline_does_not_stop_far_above_or_below():
    references = np.array([[[-1.0], [1.0]]])
    inside = np.zeros((1, 2), np.bool_)
    attack = OfflineLira.fit(references, inside, Spread.FIXED)

    scores = [
        attack.score(np.array([[phi]]), references, inside)[0] for phi in (-60, -50, 0, 50, 60)
    ]

    # In float64 Lambda is 1 at 50 and 0 at -60.
    assert (np.diff(scores) > 100).all()
    assert scores[2] == 0


def test_density_alone_scores_a_low_phi_high():
    references = np.array([[[-1.0], [1.0]]] * 2)
    inside = np.zeros((2, 2), np.bool_)
    target = np.array([[-5.0], [1.0]])
    attack = OfflineLira.fit(references, inside, Spread.FIXED)

    low, usual = attack.density_score(target, references, inside)
    assert low > usual
    low, usual = attack.score(target, references, inside)
    assert low < usual


def test_queries_are_averaged():
    def one_query(query):
        one = REFERENCES[:, :, query : query + 1]
        attack = OnlineLira.fit(one, INSIDE, Spread.PER_RECORD)
        return attack.score(TARGET[:, query : query + 1], one, INSIDE)

    both = OnlineLira.fit(REFERENCES, INSIDE, Spread.PER_RECORD).score(TARGET, REFERENCES, INSIDE)

    np.testing.assert_allclose(both, (one_query(0) + one_query(1)) / 2, rtol=1e-12)


def test_few_models_on_a_side():
    # By hand. The first record has deviations -1, 1 in and -2, 2 out: pooled 1 and 2. Its centres
    # are 5 and 0. The second has one model in, at 8; the third has none in; the fourth has two
    # in that agree. Centres in: 5, 8, and 4, their mean 17 / 3.
    references = np.array(
        [[4.0, 6, -2, 2], [8, 0, -2, 2], [0, 0, -2, 2], [4, 4, -2, 2]], np.float64
    )[:, :, None]
    inside = np.array(
        [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]],
        np.bool_,
    )
    target = np.full((4, 1), 7.0)

    attack = OnlineLira.fit(references, inside, Spread.PER_RECORD)
    found = attack.score(target, references, inside)

    # Deviations out pooled: 2 (x4: records 1 and 4), -2, 0, 2 and -2, 0, 0, 2 of the others.
    outside = math.sqrt(8 * 4 / 11)
    # In: -1 and 1 of the first, 0 and 0 of the fourth.
    within = math.sqrt(2 / 4)
    assert attack.inside.deviation == pytest.approx(within, rel=1e-12)
    assert attack.outside.deviation == pytest.approx(outside, rel=1e-12)
    assert attack.inside.centre == pytest.approx([17 / 3])
    spreads_out = [2, math.sqrt(8 / 3), math.sqrt(2), 2]
    expected = [
        stats.norm.logpdf(7, mean, deviation) - stats.norm.logpdf(7, 0, out)
        for (mean, deviation), out in zip(
            [(5, 1), (8, within), (17 / 3, within), (4, within)], spreads_out, strict=True
        )
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("spread", Spread)
def test_one_pair_orders_records_by_the_nearer_side(spread):
    generator = np.random.default_rng(3)
    references = generator.normal(0, 1, (50, 2, 1))
    inside = generator.random(50) < 0.5
    inside = np.stack([inside, ~inside], axis=1)
    target = generator.normal(0, 1, (50, 1))

    found = OnlineLira.fit(references, inside, spread).score(target, references, inside)

    # Two Gaussians of one variance: the ratio is (phi - out)^2 - (phi - in)^2, scaled.
    within, without = references[:, :, 0][inside], references[:, :, 0][~inside]
    expected = (target[:, 0] - without) ** 2 - (target[:, 0] - within) ** 2
    assert found / found[0] == pytest.approx(expected / expected[0])
    assert np.isfinite(OfflineLira.fit(references, inside, spread).score(
        target, references, inside
    )).all()  # fmt: skip


@pytest.mark.parametrize("spread", Spread)
def test_models_that_all_agree_give_finite_scores(spread):
    # .1 three times has a mean that is not .1, and so a variance that is not 0.
    references = np.full((3, 6, 2), 0.1)
    inside = np.tile([True, False], (3, 3))

    for attack in (OnlineLira.fit(references, inside, spread, centre) for centre in Centre):
        assert attack.inside.deviation == 1
        assert (attack.score(references[:, 0] + 1, references, inside) == 0).all()


@pytest.mark.parametrize("spread", Spread)
@pytest.mark.parametrize("centre", Centre)
@pytest.mark.parametrize("queries", [1, 2])
def test_a_record_has_the_same_score_alone(spread, centre, queries):
    generator = np.random.default_rng(5)
    references = generator.normal(0, 1, (40, 16, queries))
    target = generator.normal(0, 1, (40, queries))
    inside = generator.random((40, 16)) < 0.5
    attack = OnlineLira.fit(references, inside, spread, centre)

    together = attack.score(target, references, inside)

    alone = [
        attack.score(target[i : i + 1], references[i : i + 1], inside[i : i + 1])[0]
        for i in range(40)
    ]
    assert together.tolist() == alone


def test_refuses_what_does_not_fit():
    attack = OnlineLira.fit(REFERENCES, INSIDE, Spread.FIXED)
    with pytest.raises(ValueError, match=r"target of shape \(5, 1\); expected \(5, 2\)"):
        attack.score(TARGET[:, :1], REFERENCES, INSIDE)
    with pytest.raises(ValueError, match="found 1 of 10 values of the target that are not finite"):
        attack.score(np.where(TARGET == 0.57, np.nan, TARGET), REFERENCES, INSIDE)
    with pytest.raises(ValueError, match=r"expected \(5, 8\) and bool"):
        attack.score(TARGET, REFERENCES, INSIDE.astype(np.int64))
    with pytest.raises(ValueError, match="expected 3 dimensions: records, models, queries"):
        OnlineLira.fit(REFERENCES[:, :, 0], INSIDE, Spread.FIXED)
    with pytest.raises(ValueError, match="found none of 8 reference models on one side"):
        OnlineLira.fit(REFERENCES, np.zeros_like(INSIDE), Spread.FIXED)
