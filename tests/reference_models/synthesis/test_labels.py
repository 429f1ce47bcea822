from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.reference_models.synthesis.labels import label_by_target
from tfx_privacy.signals.errors import InputError


def test_labels_are_the_targets_argmax():
    def target(rows):
        return np.eye(4)[rows[:, 0].astype(int)] * 0.6 + 0.1

    found = label_by_target(target, np.array([[2.0], [0.0], [2.0]]))
    assert found.labels.tolist() == [2, 0, 2]
    assert found.counts.tolist() == [1, 0, 2, 0]
    assert found.classes_missing == (1, 3)


def test_the_target_is_asked_in_batches():
    calls = []

    def target(rows):
        calls.append(len(rows))
        return np.stack([rows[:, 0], 1 - rows[:, 0]], axis=1)

    rows = np.random.default_rng(0).integers(0, 2, (23_000, 1)).astype(float)
    found = label_by_target(target, rows)
    assert calls == [10_000, 10_000, 3_000]
    assert found.labels.tolist() == (1 - rows[:, 0]).astype(int).tolist()


def test_wrong_input():
    with pytest.raises(InputError, match="no records to label"):
        label_by_target(lambda rows: rows, np.zeros((0, 2)))
    with pytest.raises(InputError, match="do not sum to 1"):
        label_by_target(lambda rows: rows, np.full((3, 2), 4.0))
