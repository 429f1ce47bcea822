"""An attacker that knows less: an attack of which some members and some signals are hidden."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack, FittedAttack, has
from tfx_privacy.attacks.attacker_name import attack_of
from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.entropy import log_entropy
from tfx_privacy.attacks.probabilities import class_logits, class_probabilities
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import WHITE_BOX, Signals
from tfx_privacy.signals.identity import hash_fractions

# What an attacker can be said to see, in the order in which it is told.
SIGNALS = ("logits", "loss", "label", "entropy", "inputs", *WHITE_BOX, "references")

_SALT = "known members"
_DESCRIPTION = "attacker.json"
_ATTACK = "attack"


@dataclasses.dataclass(frozen=True)
class LimitedAttacker(Attack):
    """An attack by somebody who is told less than the attacker that every measurement has.

    Of the members among the rows it is fitted on it knows a share, the first by a hash of
    their ids, so that who knows a larger share knows all that others know. Non-members it
    knows all: they are drawn from the population, where there are more. ML Privacy
    Meter's `attack_percentage` is 100 times the share of members known.

    What it does not see of a record is not in the signals that the attack is given. The
    loss follows from logits and label, so who sees both sees it; the entropy follows from
    the logits; from gradients and activations nothing is taken to follow. Who does not see
    "references" has no reference models, not for Shokri's attack either. An attacker that
    is told the predicted class and nothing more cannot be said in these terms: the signals
    have no such column, and "correctness" reads it off the logits.

    Attributes:
      base: The attack itself.
      attacker: The attacker's name.
      members_known: In (0, 1].
      signals: What it sees, of SIGNALS.
    """

    base: Attack
    attacker: str
    members_known: float
    signals: tuple[str, ...]

    @property
    def name(self) -> str:
        """See Attack."""
        return attack_of(self.base.name, self.attacker)

    @property
    def description(self) -> str:
        """See Attack."""
        return self.base.description

    @property
    def needs(self) -> frozenset[str]:
        """See Attack."""
        return self.base.needs

    @property
    def tasks(self) -> frozenset[config_pb2.Task.ValueType]:
        """See Attack."""
        return self.base.tasks

    @property
    def is_trained(self) -> bool:
        """See Attack."""
        return self.base.is_trained

    @property
    def sees_planted(self) -> bool:
        """See Attack."""
        return self.base.sees_planted

    @property
    def sees_inputs(self) -> bool:
        """See Attack."""
        return self.base.sees_inputs

    @property
    def sees_references(self) -> bool:
        """See Attack. What the attack looks at and the attacker sees."""
        return self.base.sees_references and "references" in self.signals

    @property
    def takes_reference_models(self) -> bool:
        """See Attack."""
        return self.base.takes_reference_models

    @property
    def white_box_seen(self) -> frozenset[str]:
        """See Attack. What the attack looks at and the attacker sees."""
        return self.base.white_box_seen & frozenset(self.signals)

    @property
    def wide_columns(self) -> tuple[str, ...]:
        """See Attack. The attack's: it is fitted on the same rows, whoever mounts it."""
        return self.base.wide_columns

    def known_rows(self, signals: Signals, seed: int) -> NDArray[np.bool_]:
        """Which rows the attacker knows the side of, [n]; the order of rows is of no consequence.

        Args:
          signals: Rows of both sides.
          seed: Of the hash.
        """
        known = ~signals.member
        members = np.flatnonzero(signals.member)
        ids = signals.ids[members]
        order = np.lexsort((ids[:, 1], ids[:, 0], hash_fractions(ids, seed, _SALT)))
        known[members[order[: self._number_known(len(members))]]] = True
        return known

    def fit(self, signals: Signals, seed: int) -> FittedLimited:
        """See Attack."""
        known = signals.take(self.known_rows(signals, seed))
        return FittedLimited(self, self.base.fit(_seen(known, self.signals), seed))

    def load(self, directory: Path) -> FittedLimited:
        """See Attack."""
        found = json.loads((directory / _DESCRIPTION).read_text(encoding="utf-8"))
        if found != self._described():
            raise ValueError(
                f"{directory / _DESCRIPTION} describes {found}, expected {self._described()}"
            )
        return FittedLimited(self, self.base.load(directory / _ATTACK))

    @staticmethod
    def load_described(base: Attack, directory: Path) -> FittedLimited:
        """Reads what `FittedLimited.save` wrote, of whatever attacker on this attack.

        Raises:
          ValueError: If the directory holds another attack.
        """
        found = json.loads((directory / _DESCRIPTION).read_text(encoding="utf-8"))
        attacker = LimitedAttacker(
            base, found["attacker"], found["members_known"], tuple(found["signals"])
        )
        return attacker.load(directory)

    def cannot_run(self, signals: Signals) -> str | None:
        """See Attack. Who sees too little cannot run what others can."""
        reason = self.base.cannot_run(signals)
        if reason is not None:
            return reason
        if self.base.takes_reference_models and "references" not in self.signals:
            return "its attacker does not see references, which the attack needs"
        reason = self.base.cannot_run(_seen(signals, self.signals))
        if reason is None:
            return None
        hidden = _there(signals) - _there(_seen(signals, self.signals))
        # Where either of several would do, the attack names none of them as needed.
        needed = hidden & self.needs or hidden & self.base.white_box_seen or hidden
        named = ", ".join(name for name in SIGNALS if name in needed)
        several = len(needed) > 1 and not needed & self.needs
        which = "one of which" if several else "which"
        return f"its attacker does not see {named}, {which} the attack needs"

    def save_description(self, directory: Path) -> None:
        """Writes who the attacker is."""
        text = json.dumps(self._described())
        (directory / _DESCRIPTION).write_text(text + "\n", encoding="utf-8")

    def _described(self) -> dict[str, object]:
        return {
            "attack": self.base.name,
            "attacker": self.attacker,
            "members_known": self.members_known,
            "signals": list(self.signals),
        }

    def _number_known(self, members: int) -> int:
        # Rounding errors of a product: .07 x 100 is 7, not 8.
        return min(math.ceil(round(self.members_known * members, 6)), members)


@dataclasses.dataclass(frozen=True)
class FittedLimited(FittedAttack):
    """The attack, ready to score what its attacker sees."""

    limited: LimitedAttacker
    fitted: FittedAttack

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return self.fitted.score(_seen(signals, self.limited.signals))

    @property
    def curves(self) -> Mapping[str, Sequence[float]]:
        """See FittedAttack."""
        return self.fitted.curves

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        self.limited.save_description(directory)
        (directory / _ATTACK).mkdir()
        self.fitted.save(directory / _ATTACK)


def _seen(signals: Signals, names: tuple[str, ...]) -> Signals:
    """The signals without what an attacker that sees these does not see."""
    seen = set(names)
    if {"logits", "label"} <= seen:
        seen |= {"loss"}
    entropy = signals.entropy
    if "entropy" in seen and "logits" not in seen and _has_classes(signals):
        entropy = np.exp(in_blocks(_log_entropy, signals)).astype(np.float32)
    return dataclasses.replace(
        signals,
        label=signals.label if "label" in seen else None,
        logits=signals.logits if "logits" in seen else None,
        loss=signals.loss if "loss" in seen else None,
        entropy=entropy if "entropy" in seen else None,
        inputs=signals.inputs if "inputs" in seen else {},
        gradient_norms=signals.gradient_norms if "gradient_norms" in seen else {},
        gradient_sketches=signals.gradient_sketches if "gradient_sketches" in seen else {},
        activations=signals.activations if "activations" in seen else {},
        references=signals.references if "references" in seen else None,
    )


def _has_classes(signals: Signals) -> bool:
    """Whether the entropy of its predictions follows from the logits."""
    classes = signals.task in (config_pb2.BINARY, config_pb2.MULTICLASS)
    return classes and signals.logits is not None


def _log_entropy(signals: Signals) -> NDArray[np.float64]:
    return log_entropy(class_probabilities(class_logits(signals)))


def _there(signals: Signals) -> set[str]:
    """What of SIGNALS the rows have."""
    return {name for name in SIGNALS if has(signals, name)}
