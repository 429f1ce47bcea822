"""Model-based synthesis: records that the target itself is confident about.

Algorithm 1 of Shokri, Stronati, Song and Shmatikov, "Membership Inference Attacks Against Machine
Learning Models" (2017), for many records at once.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.reference_models.synthesis.choice import choose
from tfx_privacy.reference_models.synthesis.features import FeatureTable
from tfx_privacy.reference_models.synthesis.target_queries import Target, TargetQueries
from tfx_privacy.signals.errors import InputError


@dataclasses.dataclass(frozen=True)
class HillClimbing:
    """Settings of the search, under the paper's names and with its values.

    Attributes:
      k_max: Values of a record that are drawn anew at first, at most all of them.
      k_min: Values of a record that are drawn anew at least, at most all of them.
      conf_min: What the target's confidence in the wanted class must exceed; in [0, 1).
      rej_max: Proposals in a row that are rejected before k is halved.
      iter_max: Queries for a record before it is given up.
      at_once: Records searched for at the same time, which bounds memory and the rows of a call
        of the target.
    """

    k_max: int = 128
    k_min: int = 4
    conf_min: float = 0.2
    rej_max: int = 10
    iter_max: int = 1_000
    at_once: int = 10_000

    def __post_init__(self) -> None:
        if not 1 <= self.k_min <= self.k_max:
            raise InputError(f"expected 1 <= k_min <= k_max, found {self.k_min} and {self.k_max}")
        if not 0 <= self.conf_min < 1:
            raise InputError(f"conf_min must be in [0, 1), found {self.conf_min}")
        if self.rej_max < 0:
            raise InputError(f"rej_max must be at least 0, found {self.rej_max}")
        for name in ("iter_max", "at_once"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, found {getattr(self, name)}")


@dataclasses.dataclass(frozen=True, eq=False)
class ClimbedRecords:
    """What the search found: records in the order they were asked for, those given up left out.

    Attributes:
      rows: [n, width].
      classes: [n], the wanted class, which is the target's argmax too.
      queries: [n], how often the target was asked on the way to each.
      asked: [classes of the target], records asked for.
      found: [classes of the target], records found.
      all_queries: Queries in all, those for records given up included.
    """

    rows: NDArray[np.float64]
    classes: NDArray[np.int64]
    queries: NDArray[np.int64]
    asked: NDArray[np.int64]
    found: NDArray[np.int64]
    all_queries: int

    @property
    def classes_not_reached(self) -> tuple[int, ...]:
        """Classes that were asked for and of which no record was found."""
        return tuple(np.flatnonzero((self.asked > 0) & (self.found == 0)).tolist())

    @property
    def queries_per_record(self) -> float:
        """What a record cost: queries in all over records found; infinite where there are none."""
        return self.all_queries / len(self.rows) if len(self.rows) else float("inf")


def hill_climb(
    target: Target,
    features: FeatureTable,
    wanted: NDArray[np.int64],
    seed: int,
    settings: HillClimbing | None = None,
) -> ClimbedRecords:
    """Searches for records of given classes.

    Each starts anywhere in the domain. A proposal is the best record so far with k values drawn
    anew. It becomes the best one if the target's confidence in the wanted class is not lower, and
    is returned with the probability of that confidence once this exceeds `conf_min` and the class
    is the argmax. After more than `rej_max` rejections in a row k is halved, rounded up, down to
    `k_min`.

    Binary values are drawn anew as others are, not flipped: where a record has no more than k of
    them, flipping leads back and forth between two records, for ever if the target's confidence in
    both is the same.

    Args:
      target: Called once an iteration for all records still searched for.
      features: The domain.
      wanted: [records], the class of each; `np.repeat(np.arange(classes), 40)` asks for 40 each.
      seed: Same seed, target and arguments: same records.
      settings: The paper's if None.

    Raises:
      InputError: If a class is not among the target's, or the target's answers are not
        probabilities.
    """
    settings = settings or HillClimbing()
    if wanted.ndim != 1 or wanted.size == 0 or wanted.dtype.kind not in "iu":
        raise InputError(
            "the wanted classes must be a list of at least one integer, found an array of "
            f"{wanted.dtype} of shape {wanted.shape}"
        )
    ask = TargetQueries(target)
    generator = np.random.default_rng(seed)
    blocks = [
        _climb(ask, features, wanted[start : start + settings.at_once], generator, settings)
        for start in range(0, len(wanted), settings.at_once)
    ]
    rows, queries = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    reached = queries > 0
    return ClimbedRecords(
        rows=rows[reached],
        classes=wanted[reached].astype(np.int64),
        queries=queries[reached],
        asked=np.bincount(wanted, minlength=ask.classes),
        found=np.bincount(wanted[reached], minlength=ask.classes),
        all_queries=ask.count,
    )


def _climb(
    ask: TargetQueries[NDArray[np.float64]],
    features: FeatureTable,
    wanted: NDArray[np.int64],
    generator: np.random.Generator,
    settings: HillClimbing,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Records, [n, width], and queries for each, [n], 0 where it was given up."""
    found = np.zeros((len(wanted), features.width))
    queries = np.zeros(len(wanted), dtype=np.int64)
    search = _Search.start(features.draw(len(wanted), generator), wanted, settings)
    for iteration in range(1, settings.iter_max + 1):
        returned = search.judge(ask(search.proposed), generator)
        found[search.place[returned]] = search.proposed[returned]
        queries[search.place[returned]] = iteration
        search = search.take(~returned)
        if not search.place.size:
            break
        search.propose(features, generator)
    return found, queries


@dataclasses.dataclass(eq=False)
class _Search:
    """The state of the records still searched for: of each what Algorithm 1 keeps of one.

    Attributes:
      settings: The caller's.
      place: [n], where the record stands among those asked for.
      wanted: [n], its class.
      proposed: [n, width], x.
      best: [n, width], x*.
      confidence: [n], y*.
      rejected: [n], j.
      redrawn: [n], k.
    """

    settings: HillClimbing
    place: NDArray[np.int64]
    wanted: NDArray[np.int64]
    proposed: NDArray[np.float64]
    best: NDArray[np.float64]
    confidence: NDArray[np.float64]
    rejected: NDArray[np.int64]
    redrawn: NDArray[np.int64]

    @classmethod
    def start(
        cls, rows: NDArray[np.float64], wanted: NDArray[np.int64], settings: HillClimbing
    ) -> _Search:
        """Any records, which the first answers make the best ones."""
        count = len(rows)
        return cls(
            settings=settings,
            place=np.arange(count),
            wanted=wanted,
            proposed=rows,
            best=rows,
            confidence=np.zeros(count),
            rejected=np.zeros(count, dtype=np.int64),
            # A record has no more values to draw anew: halving begins where it matters.
            redrawn=np.full(count, min(settings.k_max, rows.shape[1])),
        )

    def judge(
        self, answers: NDArray[np.float64], generator: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Takes the target's answers in; which proposals are returned as records, [n]."""
        settings = self.settings
        self._check_classes(answers.shape[1])
        confidence = answers[np.arange(len(answers)), self.wanted]
        better = confidence >= self.confidence
        reached = (
            better & (confidence > settings.conf_min) & (answers.argmax(axis=1) == self.wanted)
        )
        returned: NDArray[np.bool_] = reached & (generator.random(len(answers)) < confidence)
        self.best = np.where(better[:, None], self.proposed, self.best)
        self.confidence = np.where(better, confidence, self.confidence)
        self.rejected = np.where(better, 0, self.rejected + 1)
        halved = self.rejected > settings.rej_max
        least = min(settings.k_min, self.proposed.shape[1])
        self.redrawn = np.where(halved, np.maximum(least, -(-self.redrawn // 2)), self.redrawn)
        self.rejected[halved] = 0
        return returned

    def propose(self, features: FeatureTable, generator: np.random.Generator) -> None:
        """The best records with some of their values drawn anew."""
        chosen = choose(self.redrawn, features.width, generator)
        self.proposed = features.redraw(self.best, chosen, generator)

    def take(self, rows: NDArray[np.bool_]) -> _Search:
        """Some of the records."""
        arrays = {
            field.name: getattr(self, field.name)[rows]
            for field in dataclasses.fields(self)
            if field.name != "settings"
        }
        return dataclasses.replace(self, **arrays)

    def _check_classes(self, classes: int) -> None:
        lowest, highest = int(self.wanted.min()), int(self.wanted.max())
        if lowest < 0 or highest >= classes:
            raise InputError(
                f"classes {lowest} to {highest} are wanted, but the target has {classes}, "
                f"0 to {classes - 1}"
            )
