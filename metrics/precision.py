"""Precision of the attack at a stated share of members."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfx_privacy.metrics import clopper_pearson
from tfx_privacy.metrics.checks import require_one_sided_error, require_threshold_bin
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


@dataclasses.dataclass(frozen=True)
class Precision(Metric):
    """The probability that a row called a member is one, at the FIT threshold.

    In a population of which a share `prior` are members: pi TPR / (pi TPR +
    (1 - pi) FPR). The sizes of the two samples play no part: from raw counts, sides
    of 2:1 give 2/3 without any leak. Where no row at all is called a member the
    estimate is the prior.

    The bounds are those of TPR and FPR (Clopper-Pearson), at half the error each.

    Attributes:
      prior: The share of members in the population attacked, in (0, 1).
    """

    prior: float

    def measure(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> Interval:
        """See the base class."""
        require_one_sided_error(alpha)
        require_threshold_bin(thresholds.member, counts)
        roc = Roc.from_counts(counts)
        m, n = counts.n_members, counts.n_nonmembers
        point = roc.point(thresholds.member)
        tpr, fpr = float(roc.tpr[point]), float(roc.fpr[point])
        half = alpha / 2.0
        rates, rows = np.array([m * tpr, n * fpr]), np.array([m, n])
        tpr_lower, fpr_lower = clopper_pearson.lower_bound(rates, rows, half).tolist()
        tpr_upper, fpr_upper = clopper_pearson.upper_bound(rates, rows, half).tolist()
        estimate = self._precision(tpr, fpr) if tpr + fpr > 0 else self.prior
        return Interval(
            estimate,
            lower=min(estimate, self._precision(tpr_lower, fpr_upper)),
            upper=max(estimate, self._precision(tpr_upper, fpr_lower)),
        )

    @property
    def no_leak(self) -> float:
        return self.prior

    def spec(self) -> config_pb2.MetricSpec:
        return config_pb2.MetricSpec(name="precision", prior=self.prior)

    def _precision(self, tpr: float, fpr: float) -> float:
        true_alarms = self.prior * tpr
        return true_alarms / (true_alarms + (1.0 - self.prior) * fpr)
