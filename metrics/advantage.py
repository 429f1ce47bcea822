"""The membership advantage, and its biased maximum in sample."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics import clopper_pearson
from tfx_privacy.metrics.checks import require_one_sided_error, require_threshold_bin
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


@dataclasses.dataclass(frozen=True)
class Advantage(Metric):
    """The largest TPR - FPR over all thresholds (Yeom et al. 2018). No absolute value.

    Estimate and lower bound stand at the threshold chosen on FIT rows, where TPR -
    FPR is at most the largest; the lower bound's distance is the root of the summed
    squared Clopper-Pearson distances of TPR and FPR (MOVER, Zou and Donner 2008).
    The upper bound is the largest over all thresholds of TPR - FPR plus such a
    distance, so that the best threshold of the population is among those it allows
    for. (Taking the distance at the largest TPR - FPR alone misses 25% where a binary
    score leaks a little: the largest may be the trivial one, of no distance.)

    The quantity is never negative: some threshold calls nobody a member.
    """

    def measure(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> Interval:
        """See the base class."""
        require_one_sided_error(alpha)
        require_threshold_bin(thresholds.member, counts)
        roc = Roc.from_counts(counts)
        m, n = counts.n_members, counts.n_nonmembers
        chosen = roc.point(thresholds.member)
        tpr, fpr = roc.tpr[chosen], roc.fpr[chosen]
        estimate = max(0.0, float(tpr - fpr))
        down = np.hypot(
            tpr - clopper_pearson.lower_bound(m * tpr, m, alpha),
            clopper_pearson.upper_bound(n * fpr, n, alpha) - fpr,
        )
        up = np.hypot(_distance_up(roc.tpr, m, alpha), _distance_up(1.0 - roc.fpr, n, alpha))
        return Interval(
            estimate,
            lower=max(0.0, min(estimate, float(tpr - fpr - down))),
            upper=min(1.0, max(estimate, float((roc.tpr - roc.fpr + up).max()))),
        )

    @property
    def no_leak(self) -> float:
        return 0.0

    def spec(self) -> config_pb2.MetricSpec:
        return config_pb2.MetricSpec(name="advantage")


def max_in_sample(counts: ScoreCounts) -> float:
    """The largest TPR - FPR over all thresholds on the counted rows themselves.

    Biased upwards (.034 at 1,000 members and 500 non-members that do not differ); for
    comparison with tools that report it.

    Raises:
      ValueError: If a side has no rows.
    """
    roc = Roc.from_counts(counts)
    return float((roc.tpr - roc.fpr).max())


def _distance_up(shares: NDArray[np.float64], total: int, alpha: float) -> NDArray[np.float64]:
    """How far the Clopper-Pearson upper bounds lie above shares seen in `total` rows."""
    # The mirror image: so far as the lower bound lies below what was not seen.
    return clopper_pearson.distances_below((1.0 - shares) * total, total, alpha)
