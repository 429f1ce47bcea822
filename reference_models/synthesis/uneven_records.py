"""Real records drawn unevenly: classes have other shares than in the population."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.reference_models.synthesis.biased_sample import biased_sample, unequal_shares
from tfx_privacy.reference_models.synthesis.chosen_records import ChosenRecords
from tfx_privacy.reference_models.synthesis.label_feature import LabelFeature
from tfx_privacy.reference_models.synthesis.tally import SynthesisTally
from tfx_privacy.reference_models.synthesis.target_queries import TargetQueries

AskRecords = TargetQueries[list[bytes]]


def drawn_unevenly(
    chosen: ChosenRecords,
    most_favoured: float,
    records: int,
    label: LabelFeature,
    ask: AskRecords,
    seed: int,
    tally: SynthesisTally,
) -> Iterator[tuple[list[bytes], NDArray[np.int64]]]:
    """Serialised records, each at most once, as they are but for the label, and their labels.

    The classes are the target's answers. How many records are drawn is bounded by the class that
    is the scarcest for its share.

    Args:
      chosen: The records.
      most_favoured: The largest share of a class over the smallest.
      records: How many are wanted.
      label: The feature that the target's answer is written to.
      ask: The target.
      seed: Of the shares and the draw.
      tally: Told of classes that the target takes no record for, and of a lack of records.
    """
    answers = [ask(batch).argmax(axis=1) for batch, _ in chosen.batches()]
    labels = np.concatenate(answers)
    counts = np.bincount(labels, minlength=ask.classes)
    generator = np.random.default_rng((seed, 5))
    present = np.flatnonzero(counts)
    weights = unequal_shares(len(present), most_favoured, generator)
    shares = {int(each): weights[i] for i, each in enumerate(present)}
    size = _feasible(records, shares, counts)
    if size < records:
        tally.notes.append(
            f"{size} records instead of {records}: more would change the classes' shares, since "
            f"{chosen.where} has {len(chosen)} of them"
        )
    taken = np.zeros(len(labels), dtype=bool)
    taken[biased_sample(labels, shares, size, generator)] = True
    start = 0
    for batch, _ in chosen.batches():
        here = start + np.flatnonzero(taken[start : start + len(batch)])
        if here.size:
            yield [label.put(batch[i - start], int(labels[i])) for i in here], labels[here]
        start += len(batch)


def _feasible(records: int, shares: dict[int, float], counts: NDArray[np.int64]) -> int:
    """How many records can be drawn by the shares, at most as many as wanted."""
    # One less than a class has: shares are rounded, up to the next whole number.
    bound = min(max(counts[each] - 1, 1) / share for each, share in shares.items())
    return int(min(records, bound))
