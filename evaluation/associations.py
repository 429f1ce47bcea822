"""Which properties of classes go with their risk."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfx_privacy.metrics.association import rank_correlation
from tfx_privacy.metrics.class_statistics import MEMBER, NONMEMBER, WHOLE_CLASS, Group
from tfx_privacy.metrics.interval import Interval

# An AUC of fewer judged rows a side says nothing of its class.
_FEWEST_JUDGED = 5

_SIZE = "class size"
_SPREAD = "spread"
_OF_ANSWERS: Mapping[str, Callable[[Group], float]] = {
    "accuracy gap": lambda fit: fit.share_right(MEMBER) - fit.share_right(NONMEMBER),
    "test accuracy": lambda fit: fit.share_right(NONMEMBER),
    "uncertainty of members": lambda fit: fit.mean_uncertainty(MEMBER),
    "uncertainty of non-members": lambda fit: fit.mean_uncertainty(NONMEMBER),
}
# In the order in which results list them.
_ORDER = (
    "accuracy gap",
    _SIZE,
    _SPREAD,
    "test accuracy",
    "uncertainty of members",
    "uncertainty of non-members",
)


def associations(
    judged: Mapping[int, Group],
    fit: Mapping[int, Group],
    spreads: Mapping[int, float],
    alpha: float,
    *,
    has_answers: bool,
) -> list[tuple[str, Interval, int]]:
    """The rank correlation of each property of classes with the AUC of the attack on them.

    The AUC is of JUDGE rows, the properties of FIT rows: on the same rows, a class whose
    non-members happen to be answered badly would show both a wide gap and a high AUC,
    and so an association where there is none. The class size counts the members of both,
    which the AUC of a class does not depend on by itself.

    Args:
      judged: By class, sums of JUDGE rows with the attack's scores.
      fit: By class, sums of FIT rows.
      spreads: By class, the spread within it.
      alpha: One-sided error of each bound, in (0, 0.5); not corrected for the number of
        properties.
      has_answers: Whether answers are right or wrong, and more or less sure.

    Returns:
      Name, correlation, and over how many classes. A property that is known of fewer
      than five classes, or that is the same in all of them, is left out.
    """
    areas = {
        number: group.auc(alpha).estimate
        for number, group in judged.items()
        if number != WHOLE_CLASS and int(group.rows.min()) >= _FEWEST_JUDGED
    }
    sizes = {
        number: float(
            judged[number].rows[MEMBER] + (fit[number].rows[MEMBER] if number in fit else 0)
        )
        for number in areas
    }
    properties: dict[str, Mapping[int, float]] = {_SIZE: sizes, _SPREAD: spreads}
    if has_answers:
        known = {number: group for number, group in fit.items() if group.has_both_sides()}
        properties |= {
            name: {number: of(group) for number, group in known.items()}
            for name, of in _OF_ANSWERS.items()
        }
    found = []
    for name in (name for name in _ORDER if name in properties):
        classes = [number for number in areas if number in properties[name]]
        value = rank_correlation(
            [properties[name][number] for number in classes],
            [areas[number] for number in classes],
            alpha,
        )
        if value is not None:
            found.append((name, value, len(classes)))
    return found
