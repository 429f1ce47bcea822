"""What attacks have in common that compare the target with reference models, record by record."""

from __future__ import annotations

import enum
from typing import ClassVar

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.reference_signals import ReferenceSignals

# An attack with models on both sides of a record is none where most records have one side.
_FEWEST_INSIDE = 0.5


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
            return _lacks_models_inside(signals.references)
        return reason


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
