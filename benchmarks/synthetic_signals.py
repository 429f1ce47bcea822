"""Signals drawn by chance, of a model that may leak; attacks are fitted on them in earnest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.attacks.logistic_regression import LogisticRegression
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.benchmarks.populations import Population
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses

CLASSES = 4
FEATURES = 10
# By how much a member's logit of its true class is raised, by name of the leak.
REFIT_LEAKS = {"no leak": 0.0, "leak": 0.5}
# The truth of a fitted attack is measured on so many fresh rows a side.
_ROWS_FOR_TRUTH = 60_000


def signals(
    rng: np.random.Generator, members: int, nonmembers: int, raised: float = 0.0
) -> Signals:
    """Rows of a classifier that is right more surely on members, by `raised`."""
    rows = members + nonmembers
    member = np.arange(rows) < members
    label = rng.integers(0, CLASSES, rows)
    logits = rng.normal(0, 2, (rows, CLASSES))
    logits[np.arange(rows), label] += 1.0 + raised * member
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=rng.integers(0, 2**64, (rows, 2), dtype=np.uint64),
        member=member,
        label=label,
        logits=logits.astype(np.float32),
        loss=losses(config_pb2.MULTICLASS, logits, label),
    )


def with_drifting_inputs(rng: np.random.Generator, rows: Signals, shift: float) -> Signals:
    """The rows with ten input features, the first of which is higher among members.

    Args:
      rng: Where the features come from.
      rows: n rows.
      shift: By how many standard deviations.
    """
    features = rng.normal(size=(FEATURES, len(rows))).astype(np.float32)
    features[0] += shift * rows.member
    offsets = pa.array(np.arange(len(rows) + 1, dtype=np.int32))
    inputs = {
        f"x{i}": pa.ListArray.from_arrays(offsets, pa.array(values))
        for i, values in enumerate(features)
    }
    return dataclasses.replace(rows, inputs=inputs)


def fitted_and_judged(
    rng: np.random.Generator, members: int, nonmembers: int, raised: float
) -> tuple[ScoreCounts, Thresholds, Population]:
    """Fits logistic regression on a third of the rows and judges it on the others.

    Args:
      rng: Where the rows come from.
      members: Rows in all, FIT and JUDGE.
      nonmembers: Rows in all.
      raised: The leak; see `signals`.

    Returns:
      Counts of JUDGE rows, thresholds from FIT rows, and the shares of the fitted
      attack's scores in each bin: of fresh rows where something leaks.
    """
    attack, seed = LogisticRegression(), int(rng.integers(2**31))
    fit = signals(rng, members // 3, nonmembers // 3, raised)
    judge = signals(rng, members - members // 3, nonmembers - nonmembers // 3, raised)
    fitted = attack.fit(fit, seed)
    edges = choose_edges(out_of_fold_scores(attack, fit, seed), fit.member)
    counts = count_scores(fitted.score(judge), judge.member, edges)
    if raised == 0.0:
        # Both sides come from one distribution: whatever it is, nothing tells them apart.
        flat: NDArray[np.float64] = np.full(edges.bins, 1.0 / edges.bins)
        return counts, edges.thresholds, Population("", "", flat, flat)
    fresh = signals(rng, _ROWS_FOR_TRUTH, _ROWS_FOR_TRUTH, raised)
    shares = dataclasses.astuple(count_scores(fitted.score(fresh), fresh.member, edges))
    return counts, edges.thresholds, Population("", "", *(side / side.sum() for side in shares))
