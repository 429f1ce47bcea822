"""How sure answers are, members beside non-members, as plots (Shokri et al. 2017, figure 12)."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.figure import Figure

from tfx_privacy.reports.sides_plot import draw_sides
from tfx_privacy.reports.svg import draw_svg

_SIZE = (5.6, 3.4)


def uncertainty_plot(
    edges: Sequence[float],
    members: Sequence[float],
    nonmembers: Sequence[float],
    answers: str,
    label: str,
) -> Markup:
    """Shares of members and of non-members in each bin of uncertainty.

    Args:
      edges: [k + 1], ascending from 0 to 1.
      members: [k], of all members.
      nonmembers: [k], of all non-members.
      answers: Which answers are counted: "right" or "wrong".
      label: What the plot shows, for those who do not see it.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        draw_sides(axes, edges, members, nonmembers)
        highest = max([*members, *nonmembers, 0.0])
        axes.set(xlim=(0, 1), ylim=(0, 1.05 * highest or 1.0))
        axes.set_title(f"{answers.capitalize()} answers", fontsize=10, loc="left")
        axes.set_xlabel("Uncertainty: 0 is sure, 1 is a guess")

    return draw_svg(draw, _SIZE, f"uncertainty-{answers}", label)
