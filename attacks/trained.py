"""What all attacks have in common that learn from known members and non-members."""

from __future__ import annotations

import abc
from typing import ClassVar, Generic, TypeVar

from tfx_privacy.attacks.attack import Attack, FittedAttack
from tfx_privacy.attacks.sides import check_sides
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

Fitted = TypeVar("Fitted", bound=FittedAttack)


class TrainedAttack(Attack, Generic[Fitted]):
    """An attack for any task that learns from rows of both sides, whatever their order."""

    needs: ClassVar[frozenset[str]] = frozenset({"logits", "loss", "label"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {
            config_pb2.BINARY,
            config_pb2.MULTICLASS,
            config_pb2.MULTILABEL,
            config_pb2.REGRESSION,
        }
    )
    is_trained: ClassVar[bool] = True

    def fit(self, signals: Signals, seed: int) -> Fitted:
        """See Attack."""
        check_sides(signals.member)
        return self.learn(signals.sorted_by_id(), seed)

    @abc.abstractmethod
    def learn(self, rows: Signals, seed: int) -> Fitted:
        """`fit`, on rows that are sorted by id, with both sides among them."""
