"""A target, records around it, and Shokri's attack on them with shadows of some records."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.shadow_models import learn_shadow_models
from tfx_privacy.benchmarks.real_pools import Pool
from tfx_privacy.benchmarks.shadow_training import Recipe, Training, observed, shadow_rows
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.called_members import CalledMembers
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.signals.batch import Signals

_LOGGER = logging.getLogger(__name__)

ALPHA = 0.025


@dataclasses.dataclass(frozen=True)
class Setting:
    """A data set and a target.

    Attributes:
      name: A word, for files.
      title: What people read.
      pool: Reads the data set.
      recipe: How the target and the shadows are trained.
      members: Records that the target is trained on.
      shadow_records: Records that the shadows are trained on, each on half of them.
      nonmembers: Records that the attack is judged on beside the members, at most.
      shadows: How many.
    """

    name: str
    title: str
    pool: Callable[[Path], Pool]
    recipe: Recipe
    members: int
    shadow_records: int
    nonmembers: int
    shadows: int


@dataclasses.dataclass(frozen=True, eq=False)
class Sides:
    """A target and the records around it; no record is in two parts.

    Attributes:
      shadow: What shadows are made of.
      judged: What the target answers for its members and for non-members.
      answer: The target.
      training: What trained it, and trains shadows.
      accuracies: The target's, of members and of non-members.
    """

    shadow: Pool
    judged: Signals
    answer: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    training: Training
    accuracies: tuple[float, float]

    @staticmethod
    def of(setting: Setting, pool: Pool, seed: int) -> Sides:
        """Draws the parts by chance and trains the target."""
        order = np.random.default_rng((seed, 0)).permutation(len(pool))
        ends = np.cumsum([setting.members, setting.shadow_records, setting.nonmembers])
        members, shadow, nonmembers, _ = np.split(order, ends)
        around = pool.take(np.concatenate([members, nonmembers]))
        is_member = np.arange(len(around)) < len(members)
        training = Training(setting.recipe, pool)
        logits = training.train(around, np.flatnonzero(is_member), seed)
        judged = observed(around, logits, is_member)
        answers = logits.argmax(axis=1) if logits.shape[1] > 1 else logits[:, 0] > 0
        right = answers == around.label
        accuracies = float(right[is_member].mean()), float(right[~is_member].mean())
        return Sides(pool.take(shadow), judged, training.target(around), training, accuracies)


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """Shokri's attack on the judged rows.

    Attributes:
      source: Of the shadows' records.
      called: By class and, as -1, of all: what the attack's own decision calls members.
      auc: Of its score.
      made_of: Synthetic records by class; empty for real ones.
      queries: Of the target, in all.
      seconds: Of synthesis, training and attack.
    """

    source: str
    called: Mapping[int, CalledMembers]
    auc: Interval
    made_of: list[int]
    queries: int
    seconds: float

    @property
    def precision(self) -> Interval:
        """Of all classes, sides of equal size."""
        return self.called[-1].precision(ALPHA)

    @property
    def recall(self) -> Interval:
        """Of all classes."""
        return self.called[-1].recall(ALPHA)

    def deciles(self, value: Callable[[CalledMembers], float]) -> str:
        """The deciles of a figure over classes, with the least and the greatest."""
        each = [value(called) for number, called in self.called.items() if number >= 0]
        return " ".join(share(q) for q in np.quantile(each, np.linspace(0, 1, 11)))


def attack(
    sides: Sides,
    setting: Setting,
    records: Pool,
    source: str,
    seed: int,
    synthesis: references_pb2.Synthesis | None,
    began: float,
) -> Found:
    """Trains shadows on records, learns from them, and judges the target's answers."""
    rows = shadow_rows(sides.training, records, setting.shadows, seed)
    fitted = learn_shadow_models(rows, seed)
    scores = fitted.score(sides.judged)
    called = scores > 0
    by_class = {-1: _called(called, sides.judged.member)}
    assert sides.judged.label is not None
    for label in range(records.classes):
        here = sides.judged.label == label
        if np.unique(sides.judged.member[here]).size == 2:
            by_class[label] = _called(called[here], sides.judged.member[here])
    seconds = time.monotonic() - began
    made_of = [each.made for each in synthesis.classes] if synthesis else []
    queries = synthesis.queries if synthesis else 0
    auc = area(scores, sides.judged.member)
    found = Found(source, by_class, auc, made_of, queries, seconds)
    _LOGGER.info(
        "%s, seed %d, %s: precision %s, recall %s, AUC %s; %.0f s",
        *(setting.title, seed, source),
        *(shown(each) for each in (found.precision, found.recall, found.auc)),
        seconds,
    )
    return found


def area(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> Interval:
    """The AUC of scores, each its own bin, with its interval."""
    distinct, codes = np.unique(scores, return_inverse=True)
    bins = len(distinct)
    counts = ScoreCounts(
        np.bincount(codes[member], minlength=bins), np.bincount(codes[~member], minlength=bins)
    )
    return Auc().measure(counts, Thresholds.all_at(1), ALPHA)


@dataclasses.dataclass(frozen=True)
class Target:
    """What is told of a target.

    Attributes:
      accuracies: Of members and of non-members.
      members: Judged ones.
      nonmembers: Judged ones.
      threshold: The AUC of a threshold on the loss.
    """

    accuracies: tuple[float, float]
    members: int
    nonmembers: int
    threshold: Interval

    @staticmethod
    def of(sides: Sides) -> Target:
        """The target of some sides."""
        judged = sides.judged
        scores = LossThreshold().fit(judged, 0).score(judged)
        members = int(judged.member.sum())
        return Target(sides.accuracies, members, len(judged) - members, area(scores, judged.member))


def share(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def shown(interval: Interval) -> str:
    return f"{share(interval.estimate)} ({share(interval.lower)} to {share(interval.upper)})"


def _called(called: NDArray[np.bool_], member: NDArray[np.bool_]) -> CalledMembers:
    return CalledMembers(
        members=int(member.sum()),
        members_called=int(called[member].sum()),
        nonmembers=int((~member).sum()),
        nonmembers_called=int(called[~member].sum()),
    )
