"""Where an attack decides, chosen from the counts of FIT rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics import clopper_pearson
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.epsilon import epsilon_of_rates

# The one-sided error at which the bounds compared are taken: that of 95% intervals.
_ALPHA = 0.025
# The standard errors by which a share of right guesses is discounted: more than those of 95%
# intervals, since the best of many pairs of bins is chosen.
_STRICTNESS = 2.5
# Numbers of guesses tried on each side of the audit by canaries, in equal ratios.
_GUESSES = 48


def choose_thresholds(counts: ScoreCounts) -> Thresholds:
    """Chooses every threshold of an attack.

    Each is one that FIT rows speak for: at a bin's lower edge, not below bin 1, since
    bin 0 lies below every FIT score.

    Args:
      counts: FIT rows in b bins, b at least 2 and at least one row a side, the lowest
        bin empty.
    """
    called_in = _at_and_above(counts.members)
    wrongly_in = _at_and_above(counts.nonmembers)
    gain = called_in / counts.n_members - wrongly_in / counts.n_nonmembers
    bounds = _epsilon_bounds(called_in, counts.n_nonmembers - wrongly_in)
    guess_in, guess_out = _guesses(called_in, wrongly_in)
    return Thresholds(
        member=1 + int(np.argmax(gain[1:-1])),
        epsilon=1 + int(np.argmax(bounds[1:-1])),
        guess_in=guess_in,
        guess_out=guess_out,
    )


def _epsilon_bounds(
    called_in: NDArray[np.int64], called_out: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The bound of epsilon that FIT rows themselves would show at each threshold.

    Not the largest ratio of rates: a bound discounts the few rows of the extreme bins
    by itself.
    """
    half = _ALPHA / 2.0
    tpr = clopper_pearson.lower_bounds_of_many(called_in, int(called_in[0]), half)
    tnr = clopper_pearson.lower_bounds_of_many(called_out, int(called_out[-1]), half)
    return epsilon_of_rates(tpr, tnr, 0.0)


def _guesses(called_in: NDArray[np.int64], wrongly_in: NDArray[np.int64]) -> tuple[int, int]:
    """The bins from which on canaries are guessed in, and below which out.

    The pair with the largest lower bound of the share of right guesses: that is the
    largest bound of epsilon (see `CanaryEpsilon`). The two sides are chosen together
    and each for itself: where only high scores tell anything, nothing is guessed out.

    Returns:
      guess_in and guess_out, the second at most the first.
    """
    bins = len(called_in) - 1
    members, nonmembers = int(called_in[0]), int(wrongly_in[0])
    in_guesses, in_right = called_in + wrongly_in, called_in
    out_guesses, out_right = members + nonmembers - in_guesses, nonmembers - wrongly_in
    tried = np.unique(np.geomspace(1.0, members + nonmembers, _GUESSES).round())
    # Both have as many guesses as are tried or the next possible number, or none at all.
    ins = np.append(bins - np.searchsorted(in_guesses[::-1], tried, side="left"), bins)
    outs = np.append(np.searchsorted(out_guesses, tried, side="left"), 0)
    pairs_in, pairs_out = (side.ravel() for side in np.meshgrid(ins, outs, indexing="ij"))
    apart = (pairs_out <= pairs_in) & (pairs_in >= 1)
    # And every way to guess all.
    all_at = np.arange(1, bins)
    pairs_in = np.concatenate((pairs_in[apart], all_at))
    pairs_out = np.concatenate((pairs_out[apart], all_at))
    guesses = in_guesses[pairs_in] + out_guesses[pairs_out]
    right = in_right[pairs_in] + out_right[pairs_out]
    best = int(np.argmax(_wilson_lower(right, guesses)))
    return int(pairs_in[best]), int(pairs_out[best])


def _wilson_lower(right: NDArray[np.int64], guesses: NDArray[np.int64]) -> NDArray[np.float64]:
    """Wilson's lower bound of a share, 0 of no guesses: near enough to choose by, and cheap."""
    z = _STRICTNESS
    share = right / np.maximum(guesses, 1)
    size = np.maximum(guesses, 1)
    root = np.sqrt(share * (1.0 - share) / size + z * z / (4.0 * size * size))
    bound = (share + z * z / (2.0 * size) - z * root) / (1.0 + z * z / size)
    return np.where(guesses > 0, bound, 0.0)


def _at_and_above(side: NDArray[np.int64]) -> NDArray[np.int64]:
    """[b + 1]: how many rows are in each bin and above; none at b."""
    return np.append(np.cumsum(side[::-1])[::-1], 0)
