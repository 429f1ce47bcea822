"""What an attack is: fitted on FIT rows, then a score for any row."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import WHITE_BOX, Signals


class FittedAttack(abc.ABC):
    """An attack that is ready to score. It can be written to a directory and read back."""

    @abc.abstractmethod
    def score(self, signals: Signals) -> NDArray[np.float64]:
        """A score for each row, [n] float64: the higher, the more member-like.

        The same row has the same score, to the bit, whatever rows stand beside it.
        """

    @abc.abstractmethod
    def save(self, directory: Path) -> None:
        """Writes what `Attack.load` needs into an existing, empty local directory."""

    @property
    def curves(self) -> Mapping[str, Sequence[float]]:
        """How its training went: by the name of a value, the value after each epoch."""
        return {}


class Attack(abc.ABC):
    """An attack before it is fitted: a small frozen dataclass of its settings.

    What it says of itself are class variables of an attack's own class.
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """The name in the registry, configurations and results."""

    @property
    @abc.abstractmethod
    def description(self) -> str:
        """One sentence for reports: what the attacker does."""

    @property
    @abc.abstractmethod
    def needs(self) -> frozenset[str]:
        """What it cannot do without.

        Of "logits", "loss", "label", "inputs", "references" and WHITE_BOX.
        """

    @property
    @abc.abstractmethod
    def tasks(self) -> frozenset[config_pb2.Task.ValueType]:
        """The tasks it is defined for."""

    @property
    @abc.abstractmethod
    def is_trained(self) -> bool:
        """Whether scores of the rows that `fit` learns from are optimistic."""

    @property
    def sees_planted(self) -> bool:
        """Whether rows that the model answers more surely than any other score highest.

        What the positive control plants is seen by such an attack alone.
        """
        return True

    @property
    def sees_inputs(self) -> bool:
        """Whether it looks at input features."""
        return "inputs" in self.needs

    @property
    def sees_references(self) -> bool:
        """Whether it compares the target with reference models, record by record."""
        return "references" in self.needs

    @property
    def takes_reference_models(self) -> bool:
        """Whether its attacker must have reference models, to compare with or to learn from."""
        return self.sees_references

    @property
    def white_box_seen(self) -> frozenset[str]:
        """What it looks at, of WHITE_BOX: only an attacker with the model's parameters sees it."""
        return self.needs & frozenset(WHITE_BOX)

    @property
    def wide_columns(self) -> tuple[str, ...]:
        """What it looks at of "inputs", "white_box" and "references": what few rows carry."""
        seen = (
            ("inputs", self.sees_inputs),
            ("white_box", bool(self.white_box_seen)),
            ("references", self.sees_references),
        )
        return tuple(name for name, is_seen in seen if is_seen)

    @abc.abstractmethod
    def fit(self, signals: Signals, seed: int) -> FittedAttack:
        """Fits the attack on FIT rows.

        Args:
          signals: Rows of both sides, sorted by id. Sides may differ in size: they
            are balanced by weight.
          seed: Where all randomness comes from.

        Raises:
          ValueError: If a side has no rows.
        """

    @abc.abstractmethod
    def load(self, directory: Path) -> FittedAttack:
        """Reads what `FittedAttack.save` wrote."""

    def cannot_run(self, signals: Signals) -> str | None:
        """Why the attack cannot run on such signals, in one sentence; None if it can."""
        if self.sees_inputs and not signals.inputs:
            return (
                "needs input features, and none were kept: features of the examples, or further "
                "columns of saved predictions"
            )
        missing = sorted(name for name in self.needs if not has(signals, name))
        if missing and set(missing) <= set(WHITE_BOX):
            return lacks_white_box(", ".join(missing))
        if missing:
            return f"needs {', '.join(missing)}, which the signals do not have"
        if signals.task not in self.tasks:
            return f"is not defined for the task {config_pb2.Task.Name(signals.task)}"
        return None


def lacks_white_box(names: str) -> str:
    """Why an attack cannot run where there are no white-box signals of these names."""
    return (
        f"needs white-box signals ({names}), which were not computed: set white_box in the "
        "configuration, and do not skip them there (saved predictions have none)"
    )


def has(signals: Signals, name: str) -> bool:
    """Whether signals have a column, or columns, of this name in `Signals`."""
    column = getattr(signals, name)
    return bool(column) if isinstance(column, Mapping) else column is not None
