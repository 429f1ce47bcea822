"""The attacker that never sees the model: what it finds, and what gives it away."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.attacks.blind_baseline import BlindBaseline, giveaways
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


def lists(values, width=1):
    values = np.asarray(values).ravel()
    offsets = np.arange(0, len(values) + 1, width, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def table(rows, seed, drift=0.0, task=config_pb2.BINARY, label=None):
    """Rows of which `amount` and `shop` drift between the sides, by so much."""
    generator = np.random.default_rng(seed)
    member = generator.random(rows) < 0.6
    shop = generator.integers(0, 20, rows) * (generator.random(rows) > drift * member / 4)
    if label is None:
        label = generator.integers(0, 2, rows)
    return Signals(
        task=task,
        ids=generator.integers(0, 2**64, (rows, 2), dtype=np.uint64),
        member=member,
        label=label,
        inputs={
            "amount": lists(generator.normal(size=rows).astype(np.float32) + drift * member),
            "key": lists(np.arange(rows, dtype=np.uint64)),
            "pixels": lists(generator.normal(size=(rows, 4)).astype(np.float32), 4),
            "shop": lists(shop.astype(np.uint64)),
        },
    )


def test_finds_a_drift_and_says_what_gives_it_away(auc):
    fit, judge = table(2000, 1, drift=0.8), table(2000, 2, drift=0.8)

    # Two normals that are .8 apart: AUC Phi(.8 / sqrt 2) = .714; the shop adds to it.
    assert auc(BlindBaseline().fit(fit, seed=0).score(judge), judge.member) > 0.7
    named = giveaways(fit, seed=0)
    assert [name for name, _ in named] == ["amount", "shop"]
    assert named[0][1] == pytest.approx(0.714, abs=0.05)


def test_finds_nothing_where_there_is_nothing(auc):
    fit, judge = table(2000, 3), table(4000, 4)

    # Four standard deviations of a null AUC with 2,400 and 1,600 rows: sqrt((m + n + 1) /
    # (12 m n)) = .0093.
    assert abs(auc(BlindBaseline().fit(fit, seed=0).score(judge), judge.member) - 0.5) < 0.037
    assert giveaways(fit, seed=0) == []


@pytest.mark.parametrize(
    ("task", "label"),
    [
        (config_pb2.MULTICLASS, lambda member, noise: np.where(member, 3, 1 + (noise > 0))),
        (
            config_pb2.REGRESSION,
            lambda member, noise: np.stack([noise, noise + member], axis=1).astype(np.float32),
        ),
        (
            config_pb2.MULTILABEL,
            lambda member, noise: np.stack([noise > 0, noise > member], axis=1).astype(np.float32),
        ),
    ],
    ids=["class", "numbers", "labels"],
)
def test_the_label_is_one_of_the_columns(task, label):
    signals = table(1500, 5)
    noise = np.random.default_rng(0).normal(size=1500)
    signals = dataclasses.replace(signals, task=task, label=label(signals.member, noise))

    assert [name for name, _ in giveaways(signals, seed=0)] == ["label"]
    assert BlindBaseline().fit(signals, seed=0).features_seen == 4


def test_false_namings_are_rare():
    generator = np.random.default_rng(0)
    named = 0
    for seed in range(40):
        signals = table(300, 100 + seed)
        signals = dataclasses.replace(signals, member=generator.random(300) < 0.5)
        named += len(giveaways(signals, seed))

    # At most .01 a run: with 40 runs three would have a probability of .008.
    assert named <= 2


def test_the_model_plays_no_part():
    fit, judge = table(600, 6, drift=0.5), table(100, 7, drift=0.5)
    logits = judge.member.astype(np.float32)[:, None]

    fitted = BlindBaseline().fit(fit, seed=0)

    seen = dataclasses.replace(judge, logits=logits, loss=logits[:, 0])
    np.testing.assert_array_equal(fitted.score(seen), fitted.score(judge))


def test_the_same_bits_in_any_company_and_order():
    fit, judge = table(700, 8, drift=0.5), table(5000, 9, drift=0.5)
    order = np.random.default_rng(0).permutation(5000)

    fitted = BlindBaseline().fit(fit, seed=4)
    expected = fitted.score(judge)

    np.testing.assert_array_equal(fitted.score(judge.take(order)), expected[order])
    for first, size in ((0, 1), (4090, 10), (4999, 1)):
        rows = np.arange(first, first + size)
        np.testing.assert_array_equal(fitted.score(judge.take(rows)), expected[rows])
    shuffled = fit.take(np.random.default_rng(1).permutation(700))
    np.testing.assert_array_equal(BlindBaseline().fit(shuffled, seed=4).score(judge), expected)
    assert fitted.score(judge.take(np.arange(0))).shape == (0,)


def test_after_saving_and_loading(tmp_path):
    fit, judge = table(700, 8, drift=0.5), table(300, 9, drift=0.5)
    before = BlindBaseline().fit(fit, seed=0)
    before.save(tmp_path)

    after = BlindBaseline().load(tmp_path)

    np.testing.assert_array_equal(after.score(judge), before.score(judge))
    assert after.features_seen == before.features_seen
    assert {path.name for path in tmp_path.iterdir()} == {"attack.json", "attack.npz"}


def test_scoring_needs_no_scikit_learn(tmp_path):
    BlindBaseline().fit(table(300, 1, drift=0.5), seed=0).save(tmp_path)
    script = f"""
import sys
from pathlib import Path
from tfx_privacy.attacks.blind_baseline import BlindBaseline
BlindBaseline().load(Path({str(tmp_path)!r}))
heavy = {{"tensorflow", "keras", "sklearn", "tfx", "apache_beam"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(sys.prefix), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_scores_out_of_fold_find_as_much(auc):
    fit = table(2000, 1, drift=0.8)

    scores = out_of_fold_scores(BlindBaseline(), fit, seed=0)

    assert auc(scores, fit.member) == pytest.approx(0.75, abs=0.05)


def test_says_why_it_cannot_run():
    signals = table(10, 1)

    assert BlindBaseline().cannot_run(signals) is None
    without_inputs = dataclasses.replace(signals, inputs={}, label=None)
    assert BlindBaseline().cannot_run(without_inputs) == (
        "it needs input features or the label, and none were kept: features of the examples, or "
        "further columns of saved predictions"
    )


def test_the_label_alone_tells_sides_with_other_classes_apart(auc):
    """Members have class 0 alone, others 0 or 1 by a coin: AUC .75 by hand."""
    generator = np.random.default_rng(0)
    rows = 2_000
    member = np.arange(rows) % 2 == 0
    signals = Signals(
        task=config_pb2.BINARY,
        ids=np.arange(2 * rows, dtype=np.uint64).reshape(rows, 2),
        member=member,
        label=np.where(member, 0, generator.integers(0, 2, rows)),
    )
    assert BlindBaseline().cannot_run(signals) is None

    fitted = BlindBaseline().fit(signals, seed=0)

    assert auc(fitted.score(signals), member) == pytest.approx(0.75, abs=0.03)
    assert fitted.features_seen == 1
    assert [name for name, _ in giveaways(signals, seed=0)] == ["label"]


def test_inputs_without_any_use_are_no_obstacle():
    rows = 50
    signals = Signals(
        task=config_pb2.BINARY,
        ids=np.arange(2 * rows, dtype=np.uint64).reshape(rows, 2),
        member=np.arange(rows) % 2 == 0,
        inputs={"key": lists(np.arange(rows, dtype=np.uint64))},
    )

    scores = BlindBaseline().fit(signals, seed=0).score(signals)

    np.testing.assert_array_equal(scores, np.zeros(rows))
    assert giveaways(signals, seed=0) == []


def test_one_row_a_side_is_enough_to_run():
    signals = table(40, 1)
    pair = signals.take(np.array([signals.member.argmax(), signals.member.argmin()]))

    assert np.isfinite(BlindBaseline().fit(pair, seed=0).score(pair)).all()
    assert giveaways(pair, seed=0) == []
    with pytest.raises(ValueError, match="expected at least one of each"):
        giveaways(signals.take(signals.member), seed=0)
