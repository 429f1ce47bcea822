"""What attacks have in common that compare the target with reference models, record by record."""

from __future__ import annotations

import enum
from typing import ClassVar

from scipy import stats

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.reference_signals import ReferenceSignals

# An attack with models on both sides of a record is none where most records have one side.
_FEWEST_INSIDE = 0.5

# As many of both sides have to be in training sets, as far as FIT rows can tell: how often
# an attack is left out for a difference that is chance.
_SIDES_DIFFER = 0.01


class Setting(enum.Enum):
    """Which reference models an attack looks at."""

    # Those that were trained on the record, and those that were not.
    ONLINE = "online"
    # Those alone that were not: an attacker that trained them before it knew the record.
    OFFLINE = "offline"


class ReferenceAttack(Attack):
    """An attack that asks reference models about the record too.

    Attributes:
      setting: Which of them.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"logits", "label", "references"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {config_pb2.BINARY, config_pb2.MULTICLASS}
    )

    setting: Setting

    def cannot_run(self, signals: Signals) -> str | None:
        """See Attack."""
        if signals.references is None:
            return lacks_reference_models()
        reason = super().cannot_run(signals)
        if reason is None and self.setting is Setting.ONLINE:
            reason = _lacks_models_inside(signals.references)
        return reason or _sides_differ(signals)


def lacks_reference_models() -> str:
    """Why an attack cannot run where nothing is known of reference models."""
    return (
        "needs reference models, and the measurement was given none: train them with "
        "ReferenceTrainer"
    )


def _lacks_models_inside(references: ReferenceSignals) -> str | None:
    inside = int(references.inside.any(axis=1).sum())
    if inside >= _FEWEST_INSIDE * len(references):
        return None
    return (
        f"needs reference models that were trained on the evaluated records; of {len(references)} "
        f"records, {inside} are in the training set of one (these models were trained on a pool "
        "of its own)"
    )


def _sides_differ(signals: Signals) -> str | None:
    """Why no record can be compared where models know one side's records more than the other's.

    Of a record in a pool of the models' own, half of them were trained on it, and fewer are
    left without it: its score spreads otherwise, whether or not the target was trained on it.
    """
    if signals.references is None:
        return None
    inside, member = signals.references.inside.any(axis=1), signals.member
    counts = [(int(inside[side].sum()), int((~inside[side]).sum())) for side in (member, ~member)]
    if float(stats.fisher_exact(counts).pvalue) >= _SIDES_DIFFER:
        return None
    (members, other_members), (nonmembers, other_nonmembers) = counts
    return (
        "needs reference models whose pool has as large a part of the members as of the "
        f"non-members: it has {members} of {members + other_members} members and {nonmembers} of "
        f"{nonmembers + other_nonmembers} non-members, and the sides could be told apart by that "
        "alone"
    )
