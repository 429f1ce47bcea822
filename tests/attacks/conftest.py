"""Signals made up for the tests of attacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special, stats

from tfx_privacy.attacks.confidence import Confidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses
from tfx_privacy.signals.reference_signals import ReferenceSignals


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
def with_white_box() -> Callable[..., Signals]:
    """The signals with those of a network of two dense layers, 6 - 5 - outputs, that ends in them.

    Inputs and weights are drawn by chance: gradients are right for these, and as large as
    the logits are wrong.
    """

    def add(signals, seed=0, sketch=4) -> Signals:
        generator = np.random.default_rng(seed)
        rows, outputs = signals.logits.shape
        inputs = generator.normal(size=(rows, 6))
        fixed = np.random.default_rng(1)
        weight_0, weight_1 = fixed.normal(size=(6, 5)), fixed.normal(size=(5, outputs))
        left_0, right_0 = fixed.normal(size=(6, sketch)), fixed.normal(size=(5, sketch))
        left_1, right_1 = fixed.normal(size=(5, sketch)), fixed.normal(size=(outputs, sketch))
        hidden = np.maximum(inputs @ weight_0, 0) + 0.01
        back_1 = _loss_gradient(signals)
        back_0 = back_1 @ weight_1.T
        layers = {
            "hidden": (inputs, back_0, left_0, right_0),
            "output": (hidden, back_1, left_1, right_1),
        }
        norms, sketches = {}, {}
        for name, (values, back, left, right) in layers.items():
            norm = np.linalg.norm(values, axis=1) * np.linalg.norm(back, axis=1)
            norms[name] = norm.astype(np.float32)
            whole = np.einsum("ni,nj->nij", values @ left, back @ right)
            sketches[name] = whole.reshape(rows, -1).astype(np.float32)
        return dataclasses.replace(
            signals,
            gradient_norms=norms,
            gradient_sketches=sketches,
            activations={"hidden": hidden.astype(np.float32)},
        )

    return add


def _loss_gradient(signals) -> np.ndarray:
    """Of the loss by the logits, [n, w]."""
    logits = signals.logits.astype(np.float64)
    if signals.task == config_pb2.REGRESSION:
        return 2 * (logits - signals.label.reshape(logits.shape))
    if signals.task == config_pb2.MULTILABEL or logits.shape[1] == 1:
        return special.expit(logits) - signals.label.reshape(logits.shape)
    return special.softmax(logits, axis=1) - np.eye(logits.shape[1])[signals.label]


@pytest.fixture(scope="session")
def auc() -> Callable[[np.ndarray, np.ndarray], float]:
    """P(score of a member > score of a non-member), ties by half (Mann-Whitney, SciPy)."""

    def area(scores, member) -> float:
        statistic = stats.mannwhitneyu(scores[member], scores[~member]).statistic
        return float(statistic / member.sum() / (~member).sum())

    return area


@pytest.fixture(scope="session")
def with_references() -> Callable[..., Signals]:
    """The signals with those of reference models in pairs, which know how hard each row is.

    A row's difficulty is the target's log-odds of its true class without what membership
    adds, `leak`, and noise of deviation 1; a model's log-odds are that, noise of its own,
    and `leak` where the row was in training. With no leak nothing tells of membership. Of
    other tasks than classification there are losses alone.
    """

    def add(signals, models=8, queries=1, leak=1.0, seed=0, *, online=True) -> Signals:
        generator = np.random.default_rng(seed)
        rows = len(signals)
        first = generator.random((rows, models // 2)) < 0.5
        inside = np.stack([first, ~first], axis=2).reshape(rows, models) & online
        noise = generator.normal(size=(rows, models, queries))
        if signals.task not in (config_pb2.BINARY, config_pb2.MULTICLASS):
            loss = signals.loss[:, None] * np.exp(noise[:, :, 0] - inside)
            references = ReferenceSignals(inside, loss.astype(np.float32))
            return dataclasses.replace(signals, references=references)
        target = Confidence().score(signals)
        hard = target - leak * signals.member + generator.normal(size=rows)
        logit = (hard[:, None, None] + leak * inside[:, :, None] + noise).astype(np.float32)
        further = generator.normal(size=(rows, queries))
        further[:, 0] = 0.0
        references = ReferenceSignals(
            inside=inside,
            loss=np.logaddexp(0, -logit[:, :, 0].astype(np.float64)).astype(np.float32),
            logit=logit,
            target_logit=(target[:, None] + further).astype(np.float32),
        )
        return dataclasses.replace(signals, references=references)

    return add
