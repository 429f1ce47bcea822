"""A row's score: the same to the bit in any company, and after saving and loading."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.shadow_models import ShadowModels, learn_shadow_models
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

# The white-box network has tests of its own: Keras trains it.
ATTACKS = tuple(
    attack
    for attack in resolve_attacks(["thorough", "white_box", "reference"])
    if attack.name != "white_box_network"
)
ROWS = 5000


def taught(attack, signals):
    """The attack; Shokri's with what these rows teach, taken for answers of shadow models."""
    return ShadowModels(learn_shadow_models(signals, 3)) if attack == ShadowModels() else attack


@pytest.fixture(scope="module", params=["BINARY", "10 classes", "100 classes", "1000 classes"])
def judge(request, leaky, with_white_box, with_references) -> Signals:
    if request.param == "BINARY":
        rows = with_white_box(leaky(config_pb2.BINARY, rows=ROWS, leak=2.0, seed=2))
        return with_references(rows, models=2)
    columns = int(request.param.split()[0])
    rows = leaky(config_pb2.MULTICLASS, rows=ROWS, leak=4.0, seed=2, columns=columns)
    # Sums of more than 8 numbers are grouped otherwise than of fewer.
    models, queries = {10: (6, 3), 100: (20, 1), 1000: (34, 18)}[columns]
    return with_references(with_white_box(rows), models, queries)


@pytest.fixture(scope="module", params=ATTACKS, ids=lambda attack: attack.name)
def fitted(request, judge):
    """An attack fitted on 300 of the rows."""
    attack = taught(request.param, judge.take(np.arange(2000)))
    return attack, attack.fit(judge.take(np.arange(300)), seed=3)


def test_in_any_batch(fitted, judge):
    _, attack = fitted
    expected = attack.score(judge)
    order = np.random.default_rng(0).permutation(ROWS)

    np.testing.assert_array_equal(attack.score(judge.take(order)), expected[order])
    for size in (1, 7, 64, 1023):
        for first in (0, 1234, 3900, ROWS - size):
            rows = np.arange(first, first + size)
            np.testing.assert_array_equal(attack.score(judge.take(rows)), expected[rows])
    assert attack.score(judge.take(np.arange(0))).shape == (0,)


def test_after_saving_and_loading(fitted, judge, tmp_path):
    attack, before = fitted
    before.save(tmp_path)

    after = attack.load(tmp_path)

    np.testing.assert_array_equal(after.score(judge), before.score(judge))
    assert {path.name for path in tmp_path.iterdir()} <= {"attack.json", "attack.npz"}


def test_saved_files_are_the_same_every_time(fitted, tmp_path):
    _, attack = fitted
    contents = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        attack.save(tmp_path / name)
        contents.append({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()})

    assert contents[0] == contents[1]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_another_attacks_files_are_refused(
    attack, leaky, with_white_box, with_references, tmp_path
):
    signals = with_references(with_white_box(leaky(config_pb2.MULTICLASS, rows=20)))
    other = next(one for one in ATTACKS if one.name != attack.name)
    other.fit(signals, seed=0).save(tmp_path)

    with pytest.raises(ValueError, match=f"{other.name}.*expected.*{attack.name}"):
        attack.load(tmp_path)


def test_scoring_needs_neither_tensorflow_nor_scikit_learn(
    leaky, with_white_box, with_references, tmp_path
):
    signals = with_references(with_white_box(leaky(config_pb2.MULTICLASS, rows=100)), models=2)
    for attack in ATTACKS:
        (tmp_path / attack.name).mkdir()
        taught(attack, signals).fit(signals, seed=0).save(tmp_path / attack.name)
    script = f"""
import sys
from pathlib import Path
import numpy as np
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.reference_signals import ReferenceSignals
signals = Signals(
    task={config_pb2.MULTICLASS},
    ids=np.zeros((3, 2), np.uint64),
    member=np.ones(3, np.bool_),
    label=np.zeros(3, np.int64),
    logits=np.eye(3, 4, dtype=np.float32),
    loss=np.ones(3, np.float32),
    gradient_norms={{"hidden": np.ones(3, np.float32), "output": np.ones(3, np.float32)}},
    gradient_sketches={{
        "hidden": np.ones((3, 16), np.float32), "output": np.ones((3, 16), np.float32)
    }},
    activations={{"hidden": np.ones((3, 5), np.float32)}},
    references=ReferenceSignals(
        inside=np.array([[True, False]] * 3),
        loss=np.ones((3, 2), np.float32),
        logit=np.ones((3, 2, 1), np.float32),
        target_logit=np.ones((3, 1), np.float32),
    ),
)
for attack in resolve_attacks({[attack.name for attack in ATTACKS]!r}):
    attack.load(Path({str(tmp_path)!r}) / attack.name).score(signals)
heavy = {{"tensorflow", "keras", "sklearn", "tfx", "apache_beam"}} & set(sys.modules)
assert not heavy, heavy
"""
    # The folder of the tests is not a place to run from: it would be on the path.
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(sys.prefix), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
