"""What every metric asks of its arguments."""

from __future__ import annotations

from tfx_privacy.metrics.counts import ScoreCounts


def require_both_sides(counts: ScoreCounts) -> None:
    """Refuses counts from which nothing can be measured.

    Raises:
      ValueError: If there are no members or no non-members.
    """
    if counts.n_members == 0 or counts.n_nonmembers == 0:
        raise ValueError(
            f"cannot measure: found {counts.n_members} members and {counts.n_nonmembers} "
            "non-members, expected at least one of each"
        )


def require_one_sided_error(alpha: float) -> None:
    """Refuses a one-sided error that no interval can have.

    Raises:
      ValueError: If alpha is not in (0, 0.5).
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"one-sided error alpha: found {alpha}, expected a number in (0, 0.5)")


def require_threshold_bin(threshold_bin: int, counts: ScoreCounts) -> None:
    """Refuses a threshold outside the bins.

    Raises:
      ValueError: If threshold_bin is not in [0, b].
    """
    bins = len(counts.members)
    if not 0 <= threshold_bin <= bins:
        raise ValueError(f"threshold_bin: found {threshold_bin}, expected 0 to {bins}")


def require_delta(metric: str, delta: float) -> None:
    """Refuses a delta that no (epsilon, delta) guarantee has.

    Raises:
      ValueError: If delta is not in [0, 1).
    """
    if not 0.0 <= delta < 1.0:
        raise ValueError(f"metric {metric}: found delta {delta:g}, expected a number in [0, 1)")
