"""What benchmarks/white_box_attacks.py is made of: parts, signals, groups, differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.required import required_loss
from tfx_privacy.benchmarks.real_pools import Pool, split
from tfx_privacy.benchmarks.white_box_judge import (
    Judged,
    best_of_groups,
    best_white_box,
    difference,
    judge_attack,
    norm_thresholds,
    over_seeds,
)
from tfx_privacy.benchmarks.white_box_signals import signals_of, white_box_columns
from tfx_privacy.benchmarks.white_box_targets import Parts
from tfx_privacy.evaluation.white_box import group_of
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.signals.batch import Signals

ROWS = 300


@pytest.fixture(scope="module")
def pool() -> Pool:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(ROWS, 20)).astype(np.float32)
    return Pool(np.arange(ROWS), inputs, rng.integers(0, 13, ROWS), 13, {})


@pytest.fixture
def seen(pool: Pool) -> Signals:
    """The loss is 1 lower of members, the layer's norm the same for all but for noise."""
    rng = np.random.default_rng(1)
    member = rng.random(ROWS) < 0.4
    logits = rng.normal(size=(ROWS, 13)).astype(np.float32)
    logits[np.arange(ROWS), pool.label] += 1.5 * member
    noise = rng.normal(size=ROWS).astype(np.float32)
    return signals_of(pool, member, logits, {"gradient_norms/dense": noise})


def test_parts_have_no_record_in_common_and_a_has_the_members_of_a_split(pool: Pool) -> None:
    parts = Parts.of(ROWS, 120, seed=4)
    rows = (parts.a_members, parts.b_members, parts.a_others, parts.b_others)
    assert [len(part) for part in rows] == [120, 120, 30, 30]
    np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(ROWS))
    np.testing.assert_array_equal(parts.a_members, split(pool, 120, seed=4)[0])


def test_a_pool_too_small_for_two_models_is_refused() -> None:
    with pytest.raises(ValueError, match="found 240 records, expected at least 242"):
        Parts.of(240, 120, seed=0)


def test_columns_are_the_formulas_of_two_dense_layers(pool: Pool) -> None:
    import keras

    model = keras.Sequential(
        [
            keras.Input((20,)),
            keras.layers.Dense(40, "relu", kernel_initializer=_uniform(1), name="hidden"),
            keras.layers.Dense(13, kernel_initializer=_uniform(2), name="last"),
        ]
    )
    columns = white_box_columns(model, pool, seed=0)
    by_end = {(name.split("/")[0], name.split("/")[-1]): value for name, value in columns.items()}
    assert set(by_end) == {
        ("gradient_norms", "hidden"),
        ("gradient_norms", "last"),
        ("gradient_sketches", "hidden"),
        ("gradient_sketches", "last"),
        ("activations", "hidden"),
    }
    first, first_bias, last, last_bias = (value.numpy() for value in model.weights)
    before = pool.inputs @ first + first_bias
    hidden = np.maximum(before, 0)
    logits = hidden @ last + last_bias
    errors = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) - np.eye(13)[pool.label]
    # The gradient is errors times (hidden, 1), which is of rank one.
    of_last = np.linalg.norm(errors, axis=1) * np.sqrt(1 + (hidden**2).sum(axis=1))
    at_hidden = (errors @ last.T) * (hidden > 0)
    of_first = np.linalg.norm(at_hidden, axis=1) * np.sqrt(1 + (pool.inputs**2).sum(axis=1))
    np.testing.assert_allclose(by_end["gradient_norms", "hidden"], of_first, rtol=1e-4)
    np.testing.assert_allclose(by_end["gradient_norms", "last"], of_last, rtol=1e-4)
    np.testing.assert_allclose(by_end["activations", "hidden"], before, rtol=1e-4, atol=1e-5)
    # A sketch keeps the squared norm in the mean: here of 300 rows within a quarter.
    sketch = by_end["gradient_sketches", "last"]
    assert sketch.shape == (ROWS, 256)
    ratio = (sketch**2).sum(axis=1).mean() / (of_last**2).mean()
    assert ratio == pytest.approx(1.0, abs=0.25)


def _uniform(seed: int) -> object:
    import keras

    return keras.initializers.GlorotUniform(seed=seed)


def test_group_is_what_an_attack_sees_beside_the_outputs() -> None:
    class _Sees(LossThreshold):
        def __init__(self, *signals: str) -> None:
            object.__setattr__(self, "signals", frozenset(signals))

        @property
        def white_box_seen(self) -> frozenset[str]:
            return self.signals  # type: ignore[attr-defined]

    assert group_of(LossThreshold()) == "outputs"
    assert group_of(_Sees("activations")) == "activations"
    assert group_of(_Sees("gradient_norms")) == "gradient norms"
    assert group_of(_Sees("gradient_norms", "activations")) == "all"


def test_difference_is_that_of_the_areas_and_has_no_zero_where_one_score_is_noise(
    seen: Signals, tmp_path: Path
) -> None:
    black, white = _black_and_white(seen, tmp_path)
    found = difference(Auc(), white, black)
    areas = [
        _area(-seen.gradient_norms["dense"], seen.member),
        _area(-required_loss(seen), seen.member),
    ]
    assert found.estimate == pytest.approx(areas[0] - areas[1])
    assert found.lower < found.estimate < found.upper < 0
    assert difference(Auc(), black, black).estimate == 0


def test_best_is_chosen_in_each_group(seen: Signals, tmp_path: Path) -> None:
    black, white = _black_and_white(seen, tmp_path)
    best = best_of_groups([white, black])
    assert {group: one.name for group, one in best.items()} == {
        "outputs": "loss_threshold",
        "gradient norms": "dense",
    }
    assert best_white_box([white, black]) is white


def test_kept_scores_are_not_computed_again(seen: Signals, tmp_path: Path) -> None:
    black, _ = _black_and_white(seen, tmp_path)
    ((kept,),) = [list(tmp_path.iterdir())]
    with np.load(kept) as stored:
        columns = dict(stored)
    np.savez(kept, **(columns | {"judge": np.zeros(ROWS)}))
    again = judge_attack(LossThreshold(), seen, seen, 0, kept)
    assert black.measure(Auc()).estimate > 0.6
    assert again.measure(Auc()).estimate == 0.5


def test_seeds_are_averaged_with_the_interval_of_student() -> None:
    # t of 2 degrees of freedom at .975 is 4.302653; the standard error is 1 / sqrt(3).
    found = over_seeds([1.0, 2.0, 3.0])
    assert found.estimate == 2.0
    assert found.upper - 2.0 == pytest.approx(4.302653 / np.sqrt(3.0), rel=1e-6)
    assert 2.0 - found.lower == pytest.approx(4.302653 / np.sqrt(3.0), rel=1e-6)


def _black_and_white(seen: Signals, tmp_path: Path) -> tuple[Judged, Judged]:
    black = judge_attack(LossThreshold(), seen, seen, 0, tmp_path / "loss_threshold.npz")
    (white,) = norm_thresholds(seen, seen)
    return black, white


def _area(scores: NDArray[np.float32], member: NDArray[np.bool_]) -> float:
    pairs = scores[member][:, None] - scores[~member][None, :]
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)
