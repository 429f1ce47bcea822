from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import FittedAttack
from tfx_privacy.evaluation import attack_table
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.evaluation.suite import FittedSuite
from tfx_privacy.evaluation.training_curves import EVENTS_FILE, FOLDER, write_training_curves
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError


class _Curved(FittedAttack):
    def __init__(self, curves: dict[str, list[float]]) -> None:
        self._curves = curves

    @property
    def curves(self) -> dict[str, list[float]]:
        return self._curves

    def score(self, signals: Signals) -> NDArray[np.float64]:
        raise AssertionError

    def save(self, directory: Path) -> None:
        raise AssertionError


LOSSES = [0.7, 0.625, 0.5]
SUITE = FittedSuite(
    {
        "plain": _Curved({}),
        "network": _Curved({"validation_loss": LOSSES, "validation_auc": [0.5, 0.75]}),
        "network@weak": _Curved({"validation_loss": [0.25]}),
    }
)


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write_training_curves(SUITE, str(tmp_path))

    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == [
        "network",
        "network@weak",
    ]
    read = EventAccumulator(str(tmp_path / FOLDER / "network")).Reload()
    assert sorted(read.Tags()["scalars"]) == ["validation_auc", "validation_loss"]
    scalars = read.Scalars("validation_loss")
    assert [(one.step, one.value) for one in scalars] == [
        (1, pytest.approx(0.7)),
        (2, 0.625),
        (3, 0.5),
    ]
    assert [one.value for one in read.Scalars("validation_auc")] == [0.5, 0.75]


def test_nothing_is_written_where_there_are_no_curves(tmp_path: Path) -> None:
    write_training_curves(FittedSuite({"plain": _Curved({})}), str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_tensorflow_is_not_imported() -> None:
    script = """
import sys, tempfile
from tfx_privacy.evaluation.training_curves import _events
assert len(list(_events({"a": [1.0, 2.0]}, 0.0))) == 3
assert not {"tensorflow", "keras"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=Path(sys.prefix), check=True)


def test_a_failed_run_leaves_no_curves(tmp_path: Path) -> None:
    write_training_curves(SUITE, str(tmp_path))
    attack_table._remove_metrics(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_curves_of_an_earlier_run_are_replaced_and_others_files_are_not(tmp_path: Path) -> None:
    write_training_curves(SUITE, str(tmp_path))
    with whole_output(str(tmp_path)) as outputs:
        write_training_curves(
            FittedSuite({"other": _Curved({"validation_loss": LOSSES})}), outputs.metrics
        )
    found = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.training")]
    assert found == [f"{FOLDER}/other/{EVENTS_FILE}"]

    (tmp_path / FOLDER / "other" / "mine.txt").write_text("kept")
    refused = pytest.raises(InputError, match="is not the output of an earlier run")
    with refused, whole_output(str(tmp_path)):
        raise AssertionError
