"""Signals made up for the tests of attacks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses


@pytest.fixture(scope="session")
def make_signals() -> Callable[..., Signals]:
    """Signals with true losses from task, logits, label and member; ids by chance."""

    def make(task, logits, label, member, seed=0) -> Signals:
        logits = np.asarray(logits, np.float32)
        exclusive = task in (config_pb2.BINARY, config_pb2.MULTICLASS)
        label = np.asarray(label, np.int64 if exclusive else np.float32)
        generator = np.random.default_rng(seed)
        return Signals(
            task=task,
            ids=generator.integers(0, 2**64, (len(logits), 2), dtype=np.uint64),
            member=np.asarray(member, np.bool_),
            label=label,
            logits=logits,
            loss=losses(task, logits, label),
        )

    return make


@pytest.fixture(scope="session")
def leaky(make_signals) -> Callable[..., Signals]:
    """Rows of a model for a task that is right more clearly on members, by `leak`."""

    def make(task, rows=600, leak=1.0, seed=0, columns=4) -> Signals:
        generator = np.random.default_rng(seed)
        member = generator.random(rows) < 0.6
        raised = leak * member
        if task == config_pb2.MULTICLASS:
            logits = generator.normal(0, 2, (rows, columns))
            label = generator.integers(0, columns, rows)
            logits[np.arange(rows), label] += 1 + raised
        elif task == config_pb2.BINARY:
            label = generator.integers(0, 2, rows)
            logits = (generator.normal(1, 2, rows) + raised) * (2 * label - 1)
            logits = logits[:, None]
        elif task == config_pb2.MULTILABEL:
            label = generator.integers(0, 2, (rows, columns))
            logits = (generator.normal(1, 2, (rows, columns)) + raised[:, None]) * (2 * label - 1)
        else:
            label = generator.normal(0, 10, (rows, 1))
            logits = label + generator.normal(0, 1, (rows, 1)) * np.exp(-raised)[:, None]
        return make_signals(task, logits, label, member, seed)

    return make


@pytest.fixture(scope="session")
def auc() -> Callable[[np.ndarray, np.ndarray], float]:
    """P(score of a member > score of a non-member), ties by half (Mann-Whitney, SciPy)."""

    def area(scores, member) -> float:
        statistic = stats.mannwhitneyu(scores[member], scores[~member]).statistic
        return float(statistic / member.sum() / (~member).sum())

    return area
