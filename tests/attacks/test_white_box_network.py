from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfx_privacy.attacks.attacker import LimitedAttacker
from tfx_privacy.attacks.network import Network
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.white_box_network import WhiteBoxNetwork
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

OUTPUT, LOSS, LABEL, NORM, SKETCH, ACTIVATION = (
    config_pb2.OUTPUT_PART,
    config_pb2.LOSS_PART,
    config_pb2.LABEL_PART,
    config_pb2.NORM_PART,
    config_pb2.SKETCH_PART,
    config_pb2.ACTIVATION_PART,
)
QUICK = WhiteBoxNetwork(epochs=2, batch_size=64)


@pytest.fixture(scope="module")
def white_box(leaky):
    """Rows with white-box signals of two layers that have nothing to do with the side."""

    def make(rows=300, leak=0.0, seed=0, task=config_pb2.MULTICLASS):
        signals = leaky(task, rows=rows, leak=leak, seed=seed)
        generator = np.random.default_rng(seed + 1000)

        def drawn(*shape):
            return generator.lognormal(0, 1, (rows, *shape)).astype(np.float32)

        return dataclasses.replace(
            signals,
            gradient_norms={"first": drawn(), "last": drawn()},
            gradient_sketches={"last": drawn(12) - drawn(12)},
            activations={"first": drawn(6)},
        )

    return make


@pytest.fixture(scope="module")
def fitted(white_box):
    """A quick network, fitted on 300 rows that `white_box` makes."""
    return QUICK.fit(white_box(300), seed=1)


def _with_norms(signals, factor):
    """The same, with members' gradients of the last layer smaller by so much."""
    norms = dict(signals.gradient_norms)
    norms["last"] = np.where(signals.member, norms["last"] / factor, norms["last"])
    return dataclasses.replace(signals, gradient_norms=norms)


def test_finds_a_leak_in_gradient_norms_that_nothing_else_shows(white_box, auc):
    """Logs of normal spread 1 that are 1 apart have the AUC Phi(1 / sqrt 2) = .760."""
    fit, judge = (_with_norms(white_box(1600, seed=seed), np.e) for seed in (1, 2))

    found = WhiteBoxNetwork(epochs=30).fit(fit, seed=1).score(judge)
    black_box = Network().fit(fit, seed=1).score(judge)

    assert 0.72 < auc(found, judge.member) < 0.79
    assert abs(auc(black_box, judge.member) - 0.5) < 0.05


def test_finds_nothing_where_there_is_nothing(white_box, auc):
    judge = white_box(2000, seed=12)
    members = int(judge.member.sum())
    # The deviation of an AUC by chance: Mann and Whitney 1947.
    deviation = np.sqrt(2001 / (12 * members * (2000 - members)))

    scores = WhiteBoxNetwork(epochs=10).fit(white_box(600, seed=11), seed=1).score(judge)

    assert abs(auc(scores, judge.member) - 0.5) < 3 * deviation


@pytest.mark.parametrize(
    "task", [config_pb2.BINARY, config_pb2.MULTICLASS, config_pb2.MULTILABEL, config_pb2.REGRESSION]
)
def test_runs_for_every_task(white_box, auc, task):
    signals = _with_norms(white_box(400, task=task), 20)
    fitted = QUICK.fit(signals, seed=1)
    assert auc(fitted.score(signals), signals.member) > 0.8


# By part, what an attacker with that part alone must not be moved by.
_HIDDEN = {
    OUTPUT: ("loss", "label", "gradient_norms", "gradient_sketches", "activations"),
    LOSS: ("logits", "label", "gradient_norms", "gradient_sketches", "activations"),
    LABEL: ("loss", "gradient_norms", "gradient_sketches", "activations"),
    NORM: ("logits", "loss", "label", "gradient_sketches", "activations"),
    SKETCH: ("logits", "loss", "label", "gradient_norms", "activations"),
    ACTIVATION: ("logits", "loss", "label", "gradient_norms", "gradient_sketches"),
}


def _shuffled(signals, names, seed=5):
    """The same rows with these columns in another order."""
    order = np.random.default_rng(seed).permutation(len(signals))
    changed = {}
    for name in names:
        column = getattr(signals, name)
        is_layers = isinstance(column, dict)
        changed[name] = (
            {layer: values[order] for layer, values in column.items()}
            if is_layers
            else column[order]
        )
    return dataclasses.replace(signals, **changed)


@pytest.mark.parametrize("part", list(_HIDDEN), ids=config_pb2.NetworkPart.Name)
def test_a_part_that_is_switched_off_has_no_influence(white_box, part):
    signals = white_box(200, leak=1.0)
    attack = dataclasses.replace(QUICK, parts=(part,), epochs=1)
    shuffled = _shuffled(signals, _HIDDEN[part])
    own = {
        OUTPUT: "logits", LOSS: "loss", LABEL: "label", NORM: "gradient_norms",
        SKETCH: "gradient_sketches", ACTIVATION: "activations",
    }[part]  # fmt: skip

    fitted = attack.fit(signals, seed=1)
    scores = fitted.score(signals)

    np.testing.assert_array_equal(attack.fit(shuffled, seed=1).score(shuffled), scores)
    assert (fitted.score(_shuffled(signals, [own])) != scores).any()


def test_looks_at_the_layers_named_and_at_no_other(white_box):
    signals = white_box(200)
    attack = dataclasses.replace(QUICK, parts=(NORM, SKETCH), gradient_layers=("last",), epochs=1)
    first = np.random.default_rng(3).permutation(signals.gradient_norms["first"])
    changed = dataclasses.replace(
        signals, gradient_norms={"first": first, "last": signals.gradient_norms["last"]}
    )

    fitted = attack.fit(signals, seed=1)

    assert [one.part.layers for one in fitted.features.parts] == [("last",), ("last",)]
    np.testing.assert_array_equal(attack.fit(changed, seed=1).score(changed), fitted.score(signals))


def test_a_layer_of_which_nothing_was_computed_is_named(white_box):
    signals = white_box(100)
    reasons = [
        dataclasses.replace(QUICK, **layers).cannot_run(signals)
        for layers in ({"gradient_layers": ("last", "lost")}, {"activation_layers": ("last",)})
    ]
    assert "'lost' (attack_network.gradient_layers)" in reasons[0]
    assert reasons[0].endswith("there is: first, last")
    assert "'last' (attack_network.activation_layers)" in reasons[1]
    assert reasons[1].endswith("there is: first")
    with pytest.raises(ValueError, match="white_box_network looks at the layer 'lost'"):
        dataclasses.replace(QUICK, gradient_layers=("lost",)).fit(signals, seed=1)


def test_runs_with_whatever_white_box_signal_is_there(white_box):
    signals = white_box(100)
    assert QUICK.cannot_run(signals) is None
    for name in ("gradient_norms", "gradient_sketches", "activations"):
        rest = dataclasses.replace(signals.without_white_box(), **{name: getattr(signals, name)})
        bare = dataclasses.replace(rest, logits=None, loss=None, label=None)
        assert QUICK.cannot_run(bare) is None
    assert "set white_box in the configuration" in QUICK.cannot_run(signals.without_white_box())
    only_norms = dataclasses.replace(QUICK, parts=(NORM, LOSS))
    hidden = dataclasses.replace(signals, gradient_norms={})
    assert "(gradient_norms), which were not computed" in only_norms.cannot_run(hidden)
    black_box = dataclasses.replace(QUICK, parts=(OUTPUT, LOSS, LABEL))
    assert black_box.cannot_run(signals.without_white_box()) is None


def test_says_which_white_box_signals_it_looks_at():
    everything = {"gradient_norms", "gradient_sketches", "activations"}
    assert WhiteBoxNetwork().white_box_seen == everything
    assert WhiteBoxNetwork(parts=(LOSS, SKETCH)).white_box_seen == {"gradient_sketches"}
    assert WhiteBoxNetwork(parts=(OUTPUT,)).white_box_seen == set()
    assert WhiteBoxNetwork().wide_columns == ("white_box",)
    assert WhiteBoxNetwork().needs == set()


def test_an_attacker_of_whom_gradients_are_hidden_runs_on_the_rest(white_box):
    signals = white_box(120)
    limited = LimitedAttacker(QUICK, "cloud", 0.5, ("logits", "loss", "label", "activations"))
    without = dataclasses.replace(signals, gradient_norms={}, gradient_sketches={})

    fitted = limited.fit(signals, seed=1)

    np.testing.assert_array_equal(fitted.score(signals), fitted.score(without))
    assert fitted.curves.keys() == {"training_loss", "validation_loss", "validation_auc"}


def test_a_label_without_logits_is_seen_whichever_classes_the_rows_have(white_box):
    signals = dataclasses.replace(white_box(120), logits=None, loss=None)
    fitted = dataclasses.replace(QUICK, parts=(LABEL, NORM)).fit(signals, seed=1)

    assert [one.part.width for one in fitted.features.parts] == [4, 2]
    scores = fitted.score(signals)
    first = np.flatnonzero(signals.label == 0)
    np.testing.assert_array_equal(fitted.score(signals.take(first)), scores[first])


def _script(seed: int) -> str:
    return f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
from test_white_box_network import QUICK, plain_rows
scores = QUICK.fit(plain_rows(), seed={seed}).score(plain_rows())
print(scores.tobytes().hex())
"""


def plain_rows():
    """Rows that a script can make too."""
    from tfx_privacy.signals.batch import Signals

    generator = np.random.default_rng(8)
    n = 400
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=generator.integers(0, 2**63, (n, 2)).astype(np.uint64),
        member=np.arange(n) < 220,
        label=generator.integers(0, 3, n),
        logits=generator.normal(0, 2, (n, 3)).astype(np.float32),
        loss=generator.exponential(1, n).astype(np.float32),
        gradient_norms={"a": generator.exponential(1, n).astype(np.float32)},
        gradient_sketches={"a": generator.normal(0, 1, (n, 256)).astype(np.float32)},
        activations={"a": generator.normal(0, 1, (n, 200)).astype(np.float32)},
    )


def test_the_same_input_gives_the_same_scores_in_any_process():
    here = [QUICK.fit(plain_rows(), seed=3).score(plain_rows()) for _ in range(2)]
    done = subprocess.run(
        [sys.executable, "-c", _script(3)], capture_output=True, check=True, text=True
    )
    elsewhere = np.frombuffer(bytes.fromhex(done.stdout.split()[-1]))
    another = QUICK.fit(plain_rows(), seed=4).score(plain_rows())

    np.testing.assert_array_equal(here[0], here[1])
    np.testing.assert_array_equal(here[0], elsewhere)
    assert (here[0] != another).all()


def test_the_order_of_rows_is_of_no_consequence(white_box, fitted):
    signals = white_box(300)
    mixed = np.random.default_rng(1).permutation(300)
    np.testing.assert_array_equal(
        QUICK.fit(signals.take(mixed), seed=1).score(signals), fitted.score(signals)
    )


def test_a_row_has_one_score_whatever_stands_beside_it(white_box, fitted):
    signals = white_box(300)

    scores = fitted.score(signals)

    alone = [fitted.score(signals.take(np.array([row])))[0] for row in range(0, 300, 17)]
    np.testing.assert_array_equal(alone, scores[::17])
    np.testing.assert_array_equal(fitted.score(signals.take(np.arange(5, 105))), scores[5:105])


def test_leaves_what_the_process_has_one_of_as_it_was(white_box, fitted):
    """And is itself not moved by it: the user's Trainer may run in the same process."""
    import keras
    import tensorflow as tf

    signals = white_box(300)
    expected = fitted.score(signals)
    policy = keras.config.dtype_policy()
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    # "dense", then "dense_1" and so on.
    before = int(keras.layers.Dense(1).name.removeprefix("dense").removeprefix("_") or 0)
    tf.random.set_seed(5)
    first = tf.random.uniform([]).numpy()
    tf.random.set_seed(5)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        random.seed(7)
        scores = QUICK.fit(signals, seed=1).score(signals)
        assert random.random() == random.Random(7).random()
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy(policy)
        random.setstate(python)
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(np.random.get_state()[1], legacy[1])  # noqa: NPY002
    assert tf.random.uniform([]).numpy() == first
    # Names that Keras makes up count on through a process.
    assert keras.layers.Dense(1).name == f"dense_{before + 1}"


def test_importing_it_imports_no_framework():
    script = (
        "import sys, tfx_privacy.attacks.registry, tfx_privacy.attacks.white_box_network as w; "
        "assert not {'keras', 'tensorflow', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(sys.prefix), check=True)


def test_reads_back_what_it_wrote_whatever_its_own_settings(white_box, tmp_path):
    signals = white_box(150)
    fitted = dataclasses.replace(QUICK, parts=(NORM, SKETCH, LABEL)).fit(signals, seed=1)
    fitted.save(tmp_path)

    (default,) = resolve_attacks(["white_box_network"])
    np.testing.assert_array_equal(default.load(tmp_path).score(signals), fitted.score(signals))


def test_rows_of_another_model_are_refused(white_box, fitted):
    signals = white_box(100)
    wider = dataclasses.replace(signals, activations={"first": np.ones((100, 7), np.float32)})
    with pytest.raises(ValueError, match=r"found 7 numbers of activations of first.*fitted on 6"):
        fitted.score(wider)
    with pytest.raises(ValueError, match="found 0 numbers of gradient_norms"):
        fitted.score(signals.without_white_box())


def test_tells_of_each_epoch(white_box, caplog):
    caplog.set_level("INFO", logger="tfx_privacy.progress")
    QUICK.fit(white_box(100), seed=1)
    lines = [record.getMessage() for record in caplog.records if "epoch" in record.getMessage()]
    assert [line.partition(",")[0] for line in lines] == [
        "network: epoch 1 of 2",
        "network: epoch 2 of 2",
    ]


def test_is_trained_where_a_side_has_fewer_rows_than_folds(white_box):
    signals = white_box(60)
    few = signals.take(
        np.concatenate([np.flatnonzero(signals.member)[:3], np.flatnonzero(~signals.member)[:9]])
    )
    assert np.isfinite(QUICK.fit(few, seed=1).score(signals)).all()


def test_extreme_signals_give_finite_scores(white_box, fitted):
    signals = white_box(100)
    huge = np.full(100, np.finfo(np.float32).max, np.float32)
    strange = dataclasses.replace(
        signals,
        loss=huge,
        logits=np.tile(huge[:, None], (1, 4)) / 4,
        gradient_norms={"first": huge, "last": np.zeros(100, np.float32)},
        gradient_sketches={"last": np.zeros((100, 12), np.float32)},
    )
    assert np.isfinite(fitted.score(strange)).all()
    assert np.isfinite(QUICK.fit(strange, seed=1).score(strange)).all()
