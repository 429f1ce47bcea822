"""Members beside non-members in small histograms on one scale: class by class, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tfx_privacy.reports.names import visible

WIDTH, HEIGHT = 200.0, 64.0
# Neighbouring bins are put together: a class has fewer records than all.
_BINS_TOGETHER = 2


def panel_shares(members: Sequence[int], nonmembers: Sequence[int]) -> NDArray[np.float64]:
    """The share of each side in each bar, [2, bars] float64, members first."""
    counts = np.array([members, nonmembers], np.float64)
    starts = np.arange(0, counts.shape[1], _BINS_TOGETHER)
    bars = np.add.reduceat(counts, starts, axis=1)
    return np.asarray(bars / np.maximum(bars.sum(axis=1, keepdims=True), 1.0), np.float64)


def panel(
    shares: NDArray[np.float64], highest: float, label: str, mark: float | None = None
) -> Markup:
    """One histogram.

    Args:
      shares: Of `panel_shares`.
      highest: The share that is as high as the panel; that of all panels.
      label: What the panel shows, for those who do not see it.
      mark: Where an upright line stands, as a share of the width; None for none.
    """
    base = HEIGHT - 2
    members, nonmembers = (_outline(side, highest) for side in shares)
    line = Markup("")
    if mark is not None:
        line = Markup('<path class="prior" d="M{at:.0f} 2V{base:.0f}"/>').format(
            at=mark * WIDTH, base=base
        )
    return Markup(
        '<svg class="panel" role="img" aria-label="{label}" viewBox="0 0 {width:.0f} {height:.0f}">'
        '{line}<path class="nonmembers" d="{nonmembers}"/><path class="members" d="{members}"/>'
        '<path class="axis" d="M0 {base:.0f}H{width:.0f}"/></svg>'
    ).format(
        label=visible(label),
        width=WIDTH,
        height=HEIGHT,
        base=base,
        line=line,
        members=members,
        nonmembers=nonmembers,
    )


def _outline(shares: NDArray[np.float64], highest: float) -> str:
    """The path of one side's bars, as wide and as high as a panel.

    Args:
      shares: [bars].
      highest: The share that is as high as the panel.
    """
    base, step = HEIGHT - 2, WIDTH / len(shares)
    heights = base - (base - 2) * shares / highest if highest > 0 else np.full(len(shares), base)
    parts = [f"M0 {base:.1f}"]
    for bar, height in enumerate(heights.tolist()):
        parts.append(f"V{height:.1f}H{(bar + 1) * step:.1f}")
    return "".join([*parts, f"V{base:.1f}"])
