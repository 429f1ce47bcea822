"""Measuring rows in memory: the numbers that a whole measurement of the same rows gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tfx_privacy.evaluation.in_memory import measure_in_memory
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import row_ids
from tfx_privacy.signals.losses import losses

_CLASSES = 4
_CONFIG = config_pb2.PrivacyConfig(attacks=["loss_threshold", "logistic_regression"], seed=5)


def _predictions(rows: int, leak: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, _CLASSES, rows)
    logits = rng.normal(size=(rows, _CLASSES)).astype(np.float32)
    logits[np.arange(rows), label] += np.float32(leak)
    return label, logits


def _signals(label: np.ndarray, logits: np.ndarray, is_member: bool) -> Signals:
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=row_ids(0, len(label), is_member=is_member),
        member=np.full(len(label), is_member),
        label=label,
        logits=logits,
        loss=losses(config_pb2.MULTICLASS, logits, label),
    )


def test_it_finds_what_the_measurement_by_beam_finds(tmp_path: Path) -> None:
    import apache_beam as beam

    from tfx_privacy.evaluation.measure import measure
    from tfx_privacy.evaluation.output_directory import whole_output

    sides = {"members": _predictions(900, 1.0, 1), "others": _predictions(700, 0.0, 2)}
    for name, (label, logits) in sides.items():
        np.savez(tmp_path / f"{name}.npz", label=label, logits=logits)
    members, others = (str(tmp_path / f"{name}.npz") for name in sides)
    with whole_output(str(tmp_path / "metrics")) as outputs:
        by_beam = measure(members, others, _CONFIG, outputs, beam.Pipeline)
    signals = [_signals(*side, is_member=name == "members") for name, side in sides.items()]
    in_memory = measure_in_memory(
        Signals.concatenate(signals), results_pb2.TargetModel(uri="m"), _CONFIG
    )
    found, expected = in_memory.results, by_beam.results
    assert found.best_attack == expected.best_attack
    assert list(found.best_of_attacks) == list(expected.best_of_attacks)
    assert [attack.metrics[0] for attack in found.attacks] == [
        attack.metrics[0] for attack in expected.attacks
    ]
    assert found.explanation == expected.explanation
    assert (found.records.fit, found.records.judge) == (
        expected.records.fit,
        expected.records.judge,
    )


def test_accuracy_is_that_of_judged_rows() -> None:
    # Every member is right; of the others exactly those with even row numbers.
    rows = 300
    label = np.zeros(rows, np.int64)
    right, wrong = [2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]
    logits = np.array([right, wrong] * (rows // 2), np.float32)
    members = _signals(label, np.tile(np.float32(right), (rows, 1)), is_member=True)
    others = _signals(label, logits, is_member=False)
    whole = measure_in_memory(
        Signals.concatenate([members, others]), results_pb2.TargetModel(), _CONFIG
    ).results.explanation.whole
    assert whole.members.accuracy.estimate == 1.0
    assert whole.members.accuracy.upper == 1.0
    judged = whole.nonmembers.rows
    share = whole.nonmembers.accuracy
    assert share.estimate * judged == pytest.approx(round(share.estimate * judged))
    assert share.lower < 0.5 < share.upper
    assert (share.members, share.nonmembers) == (0, judged)
    # -log softmax of the right answer: log(1 + 3 e^-2).
    assert whole.members.mean_loss == pytest.approx(np.log(1 + 3 * np.exp(-2.0)), abs=1e-6)


def test_too_few_rows_are_an_error() -> None:
    signals = [_signals(*_predictions(20, 0.0, 1), is_member=side) for side in (True, False)]
    with pytest.raises(InputError, match="found 20 members and 20 non-members, of which"):
        measure_in_memory(Signals.concatenate(signals), results_pb2.TargetModel(), _CONFIG)


@pytest.mark.parametrize("field", ["white_box", "references"])
def test_what_is_computed_of_models_is_not_to_be_had_in_memory(field: str) -> None:
    signals = [_signals(*_predictions(20, 0.0, 1), is_member=side) for side in (True, False)]
    config = config_pb2.PrivacyConfig(attacks=["fast"], **{field: {}})
    with pytest.raises(InputError, match=rf"^{field} is set, which cannot be followed"):
        measure_in_memory(Signals.concatenate(signals), results_pb2.TargetModel(), config)


def test_an_attack_that_cannot_run_is_named_with_the_reason() -> None:
    config = config_pb2.PrivacyConfig(attacks=["loss_threshold", "correctness"])
    signals = Signals.concatenate(
        [_signals(*_predictions(200, 0.0, 1), is_member=side) for side in (True, False)]
    )
    without = dataclasses.replace(signals, logits=None)
    results = measure_in_memory(without, results_pb2.TargetModel(), config).results
    assert [attack.name for attack in results.attacks] == ["loss_threshold"]
    assert [attack.name for attack in results.skipped_attacks] == ["correctness"]
    assert not results.explanation.whole.members.HasField("accuracy")
