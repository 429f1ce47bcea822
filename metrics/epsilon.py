"""A lower bound of epsilon from the rates of one attack."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfx_privacy.metrics import clopper_pearson
from tfx_privacy.metrics.bound_from_below import BoundFromBelow, interval_from_below
from tfx_privacy.metrics.checks import (
    require_both_sides,
    require_delta,
    require_one_sided_error,
    require_threshold_bin,
)
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


@dataclasses.dataclass(frozen=True)
class Epsilon(BoundFromBelow):
    """The epsilon that any (epsilon, delta) guarantee of this training has at least.

    Under (epsilon, delta)-differential privacy no attack has TPR > e^epsilon FPR +
    delta, nor 1 - FPR > e^epsilon (1 - TPR) + delta (Kairouz, Oh and Viswanath 2015,
    theorem 2.1). So epsilon is at least

      max(log((TPR - delta) / FPR), log((1 - FPR - delta) / (1 - TPR)), 0)

    of any attack: the quantity bounded here, for this attack at its FIT threshold.
    The bound puts Clopper-Pearson's lower bound of TPR and upper bound of FPR, at half
    of alpha each, into both logarithms (Jagielski, Ullman and Oprea 2020; Nasr et al.
    2021). Both hold at once, so that the larger of the two costs no correction.

    It bounds from below only, and for one and the same model grows with the number of
    rows: no value of it shows that a model is safe. The estimate is the lower bound
    itself, the upper bound infinite. Rows count as independent, as in every metric
    but `CanaryEpsilon`.

    Attributes:
      delta: In [0, 1).
    """

    delta: float = 0.0

    def __post_init__(self) -> None:
        require_delta("epsilon", self.delta)

    def measure(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> Interval:
        """See the base class."""
        require_one_sided_error(alpha)
        require_both_sides(counts)
        require_threshold_bin(thresholds.epsilon, counts)
        called_in = int(counts.members[thresholds.epsilon :].sum())
        called_out = int(counts.nonmembers[: thresholds.epsilon].sum())
        half = alpha / 2.0
        tpr, tnr = clopper_pearson.lower_bound(
            (called_in, called_out), (counts.n_members, counts.n_nonmembers), half
        )
        bound = float(epsilon_of_rates(tpr, tnr, self.delta))
        return interval_from_below(bound)

    def spec(self) -> config_pb2.MetricSpec:
        return config_pb2.MetricSpec(name="epsilon", delta=self.delta)


def epsilon_of_rates(tpr: ArrayLike, tnr: ArrayLike, delta: float) -> NDArray[np.float64]:
    """The smallest epsilon >= 0 that allows rates as good as these.

    Args:
      tpr: True-positive rates, in [0, 1); any shape.
      tnr: True-negative rates, 1 - FPR, in [0, 1); the same shape.
      delta: In [0, 1).
    """
    found_in, found_out = (np.asarray(rate, dtype=np.float64) for rate in (tpr, tnr))
    # A rate of 0 or below bounds nothing: its logarithm counts as that of no leak.
    odds = np.maximum(
        (found_in - delta) / (1.0 - found_out), (found_out - delta) / (1.0 - found_in)
    )
    return np.asarray(np.log(np.maximum(odds, 1.0)), dtype=np.float64)
