"""Algorithm 1 of Shokri et al. 2017 beside a loop for one record written from the paper."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.reference_models.synthesis.choice import choose
from tfx_privacy.reference_models.synthesis.features import BoundedReal, Feature, FeatureTable
from tfx_privacy.reference_models.synthesis.hill_climbing import HillClimbing, hill_climb
from tfx_privacy.signals.errors import InputError

WIDTH = 60


def linear(slope):
    """P(class 1) = logistic(slope * (ones - 40)): .00005 at 30 of 60 ones for a slope of 1."""

    def target(rows):
        one = 1 / (1 + np.exp(-slope * (rows.sum(axis=1) - 40)))
        return np.stack([1 - one, one], axis=1)

    return target


def constant(*probabilities):
    return lambda rows: np.tile(probabilities, (len(rows), 1))


def one_record(target, wanted, draw, change, accept, settings):
    """Algorithm 1 as printed: the record and queries, None where iter_max is reached.

    `draw()` gives any record, `change(x, k)` draws k values anew, `accept()` is uniform in [0, 1).
    """
    x, best, j, k = draw(), 0.0, 0, settings.k_max
    x_best = None
    for iteration in range(1, settings.iter_max + 1):
        y = target(x[None, :])[0]
        u = accept()
        if y[wanted] >= best:
            if y[wanted] > settings.conf_min and y.argmax() == wanted and u < y[wanted]:
                return x, iteration
            x_best, best, j = x, y[wanted], 0
        else:
            j += 1
            if j > settings.rej_max:
                k = max(settings.k_min, int(np.ceil(k / 2)))
                j = 0
        x = change(x_best, k)
    return None


@pytest.mark.parametrize("seed", range(5))
def test_the_path_of_one_record_is_that_of_the_loop(seed, binary_table):
    table = binary_table(WIDTH)
    settings = HillClimbing(k_max=40, k_min=2, rej_max=3)
    generator = np.random.default_rng(seed)
    expected = one_record(
        linear(0.8),
        1,
        draw=lambda: table.draw(1, generator)[0],
        change=lambda x, k: table.redraw(
            x[None, :], choose(np.array([k]), WIDTH, generator), generator
        )[0],
        accept=lambda: generator.random(1)[0],
        settings=settings,
    )
    found = hill_climb(linear(0.8), table, np.array([1]), seed, settings)
    assert found.queries.tolist() == [expected[1]]
    assert expected[1] > 10
    assert found.rows[0].tolist() == expected[0].tolist()


def test_queries_are_distributed_as_those_of_the_loop(binary_table):
    settings = HillClimbing(k_max=16)
    records = 600
    found = hill_climb(linear(0.8), binary_table(WIDTH), np.full(records, 1), 0, settings)
    generator = np.random.default_rng(1)

    def change(x, k):
        changed = x.copy()
        changed[generator.permutation(WIDTH)[:k]] = generator.integers(0, 2, k)
        return changed

    loop = np.array(
        [
            one_record(
                linear(0.8),
                1,
                draw=lambda: generator.integers(0, 2, WIDTH).astype(float),
                change=change,
                accept=generator.random,
                settings=settings,
            )[1]
            for _ in range(records)
        ]
    )
    assert len(found.queries) == records
    for statistic in (np.mean, lambda q: np.mean(q > np.median(loop)), np.std):
        draws = [statistic(generator.choice(loop, records)) for _ in range(300)]
        error = np.sqrt(2) * np.std(draws)
        assert abs(statistic(found.queries) - statistic(loop)) < 4 * error


def test_a_linear_classifiers_records_are_its_own(binary_table):
    wanted = np.repeat([0, 1], 100)
    found = hill_climb(linear(1.0), binary_table(WIDTH), wanted, seed=3)
    assert found.classes.tolist() == wanted.tolist()
    assert found.found.tolist() == found.asked.tolist() == [100, 100]
    assert found.classes_not_reached == ()
    # The argmax is class 1 from 40 ones on.
    ones = found.rows.sum(axis=1)
    assert (ones[wanted == 0] <= 40).all()
    assert (ones[wanted == 1] >= 40).all()
    # Where any record is of class 0 with probability near 1, the first one is taken.
    assert found.queries[wanted == 0].mean() < 1.2
    assert found.all_queries == found.queries.sum()
    assert found.queries_per_record == found.queries.mean()


def test_a_record_is_returned_with_the_probability_of_its_confidence(binary_table):
    # A constant confidence of .4 never falls: each query returns with probability .4.
    found = hill_climb(constant(0.4, 0.35, 0.25), binary_table(8), np.zeros(5_000, int), seed=0)
    # Geometric: mean 2.5, variance .6 / .16.
    assert found.queries.mean() == pytest.approx(2.5, abs=4 * np.sqrt(0.6 / 0.16 / 5_000))
    assert np.mean(found.queries == 1) == pytest.approx(0.4, abs=0.03)


def test_a_class_that_is_not_reached_is_reported_and_left_out(binary_table):
    # Class 1 has more than conf_min, but is never the argmax.
    found = hill_climb(
        constant(0.5, 0.4, 0.1),
        binary_table(8),
        np.array([1, 0, 1, 0, 0]),
        seed=0,
        settings=HillClimbing(iter_max=50),
    )
    assert found.classes.tolist() == [0, 0, 0]
    assert found.asked.tolist() == [3, 2, 0]
    assert found.found.tolist() == [3, 0, 0]
    assert found.classes_not_reached == (1,)
    assert found.all_queries == found.queries.sum() + 2 * 50
    assert found.queries_per_record == found.all_queries / 3


def test_confidence_must_exceed_conf_min(binary_table):
    wanted = np.zeros(20, int)
    at_it = HillClimbing(conf_min=0.5, iter_max=20)
    found = hill_climb(constant(0.5, 0.5), binary_table(8), wanted, seed=0, settings=at_it)
    assert found.classes_not_reached == (0,)
    assert found.rows.shape == (0, 8)
    assert found.queries_per_record == float("inf")
    below_it = HillClimbing(conf_min=0.49, iter_max=20)
    found = hill_climb(constant(0.5, 0.5), binary_table(8), wanted, seed=0, settings=below_it)
    assert found.classes_not_reached == ()


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (300, [128, 64, 32, 16, 8, 4, 4]),
        # k is at most the values there are, and halves are rounded up.
        (100, [100, 50, 25, 13, 7, 4, 4]),
        (3, [3, 3]),
    ],
)
def test_rejections_halve_k(width, expected):
    # A real value that is drawn anew is another one.
    table = FeatureTable((Feature("x", BoundedReal(0.0, 1.0), (width,)),))
    asked = []

    def target(rows):
        asked.append(rows.copy())
        confidence = np.full(len(rows), 0.15 / len(asked))
        return np.stack([confidence, 1 - confidence], axis=1)

    iterations = 1 + 11 * len(expected)
    settings = HillClimbing(iter_max=iterations)
    hill_climb(target, table, np.array([0, 0]), seed=0, settings=settings)
    # All but the first are rejected, so each differs from the first in exactly k values; the
    # eleventh rejection in a row is more than rej_max = 10.
    changed = np.array([(rows != asked[0]).sum(axis=1) for rows in asked[1:]])
    assert changed.T.tolist() == [np.repeat(expected, 11).tolist()] * 2


def test_one_call_an_iteration_with_those_still_searched_for(binary_table):
    calls = []

    def target(rows):
        calls.append(len(rows))
        return linear(1.0)(rows)

    found = hill_climb(target, binary_table(WIDTH), np.ones(50, int), seed=0)
    assert len(calls) == found.queries.max()
    still = [int((found.queries >= iteration).sum()) for iteration in range(1, len(calls) + 1)]
    assert calls == still


def test_blocks_bound_the_rows_of_a_call(binary_table):
    calls = []

    def target(rows):
        calls.append(len(rows))
        return linear(1.0)(rows)

    wanted = np.arange(25) % 2
    settings = HillClimbing(at_once=10)
    found = hill_climb(target, binary_table(WIDTH), wanted, seed=0, settings=settings)
    assert max(calls) == 10
    assert found.classes.tolist() == wanted.tolist()
    assert (linear(1.0)(found.rows).argmax(axis=1) == wanted).all()


def test_real_features_climb_too():
    table = FeatureTable((Feature("x", BoundedReal(-2.0, 2.0), (6,)),))

    def target(rows):
        one = 1 / (1 + np.exp(-5 * (rows.sum(axis=1) - 6)))
        return np.stack([1 - one, one], axis=1)

    settings = HillClimbing(k_min=1)
    found = hill_climb(target, table, np.ones(40, int), seed=0, settings=settings)
    assert found.found.tolist() == [0, 40]
    assert (found.rows.sum(axis=1) >= 6).all()
    assert (np.abs(found.rows) <= 2).all()


def test_a_target_that_is_flat_where_the_search_starts(binary_table):
    # Confidence in class 1 is 0 below 8 of 10 ones; a record has fewer values than k_max.
    def target(rows):
        one = np.maximum(rows.sum(axis=1) - 7, 0) / 3
        return np.stack([1 - one, one], axis=1)

    found = hill_climb(target, binary_table(10), np.ones(100, int), seed=0)
    assert found.found.tolist() == [0, 100]
    assert (found.rows.sum(axis=1) >= 9).all()


def test_a_seed_repeats(binary_table):
    first, again, other = (
        hill_climb(linear(1.0), binary_table(WIDTH), np.ones(20, int), seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(first.rows, again.rows)
    assert first.queries.tolist() == again.queries.tolist()
    assert not np.array_equal(first.rows, other.rows)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([0, 2], "classes 0 to 2 are wanted, but the target has 2, 0 to 1"),
        ([-1, 1], "classes -1 to 1 are wanted"),
        ([], "at least one integer"),
        ([0.5], "at least one integer, found an array of float64"),
    ],
)
def test_wrong_classes(wanted, message, binary_table):
    with pytest.raises(InputError, match=message):
        hill_climb(linear(1.0), binary_table(8), np.array(wanted), seed=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k_min": 0}, "1 <= k_min <= k_max, found 0 and 128"),
        ({"k_max": 3}, "found 4 and 3"),
        ({"conf_min": 1.0}, r"conf_min must be in \[0, 1\), found 1.0"),
        ({"rej_max": -1}, "rej_max must be at least 0"),
        ({"iter_max": 0}, "iter_max must be at least 1"),
        ({"at_once": 0}, "at_once must be at least 1"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(InputError, match=message):
        HillClimbing(**settings)


def test_all_classes_of_location30(location30, binary_table):
    from sklearn.linear_model import LogisticRegression

    rows, labels = location30
    target = LogisticRegression(max_iter=300).fit(rows[:1200], labels[:1200])
    assert 0.5 < target.score(rows[1200:], labels[1200:]) < 0.7
    wanted = np.repeat(np.arange(30), 10)
    found = hill_climb(target.predict_proba, binary_table(rows.shape[1]), wanted, seed=0)
    assert found.classes_not_reached == ()
    assert found.found.tolist() == [10] * 30
    # Measured before with a multilayer perceptron: 20 to 42 queries a record.
    assert 5 < found.queries_per_record <= 100
    confidence = target.predict_proba(found.rows)
    assert (confidence.argmax(axis=1) == wanted).all()
    assert (confidence.max(axis=1) > 0.2).all()
