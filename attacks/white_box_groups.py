"""What classical attacks on white-box signals have in common: which of them they look at."""

from __future__ import annotations

import dataclasses
import enum
from typing import ClassVar, Generic

from tfx_privacy.attacks.attack import has, lacks_white_box
from tfx_privacy.attacks.trained import Fitted, TrainedAttack
from tfx_privacy.attacks.white_box_features import WhiteBoxFeatures
from tfx_privacy.signals.batch import WHITE_BOX, Signals

_OUTPUTS = frozenset({"logits", "loss", "label"})


class SignalGroup(enum.Enum):
    """One kind of white-box signals by itself, or all that there are beside the outputs."""

    NORMS = "norms"
    SKETCHES = "sketches"
    ACTIVATIONS = "activations"
    WHITE_BOX = "white_box"

    @property
    def with_outputs(self) -> bool:
        """Whether logits, loss and label are looked at too."""
        return self is SignalGroup.WHITE_BOX

    @property
    def signals(self) -> tuple[str, ...]:
        """What is looked at, of the white-box signals."""
        return _SIGNALS[self]

    @property
    def in_words(self) -> str:
        """What is told of it: the end of "tell them apart by"."""
        return _WORDS[self]


_SIGNALS = {
    SignalGroup.NORMS: ("gradient_norms",),
    SignalGroup.SKETCHES: ("gradient_sketches",),
    SignalGroup.ACTIVATIONS: ("activations",),
    SignalGroup.WHITE_BOX: WHITE_BOX,
}

_WORDS = {
    SignalGroup.NORMS: "the norms of gradients",
    SignalGroup.SKETCHES: "sketches of gradients",
    SignalGroup.ACTIVATIONS: "activations of layers",
    SignalGroup.WHITE_BOX: "logits, loss, label, gradients and activations",
}


@dataclasses.dataclass(frozen=True)
class GroupAttack(TrainedAttack[Fitted], Generic[Fitted]):
    """An attack that learns from a group of white-box signals.

    The signals are those of Nasr, Shokri, Houmansadr, "Comprehensive Privacy Analysis of
    Deep Learning", S&P 2019, with another learner in the place of their network; see
    white_box_features.py for what enters.

    Attributes:
      group: What it looks at.
    """

    group: SignalGroup

    learner: ClassVar[str]
    learner_in_words: ClassVar[str]
    most_columns: ClassVar[int]

    @property
    def name(self) -> str:
        """See Attack."""
        return f"{self.learner}_{self.group.value}"

    @property
    def description(self) -> str:
        """See Attack."""
        return (
            "Learns from known members and non-members to tell them apart by "
            f"{self.group.in_words}, with {self.learner_in_words}."
        )

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """See Attack."""
        return _OUTPUTS if self.group.with_outputs else self.white_box_seen

    @property
    def white_box_seen(self) -> frozenset[str]:
        """See Attack."""
        return frozenset(self.group.signals)

    @property
    def sees_planted(self) -> bool:
        """See Attack. What is planted is not in activations."""
        return self.group is not SignalGroup.ACTIVATIONS

    def cannot_run(self, signals: Signals) -> str | None:
        """See Attack. Of several white-box signals any will do."""
        if not any(has(signals, name) for name in self.group.signals):
            return lacks_white_box(" or ".join(self.group.signals))
        return super().cannot_run(signals)

    def fit_features(self, rows: Signals) -> WhiteBoxFeatures:
        """What it looks at, on the scale of FIT rows."""
        with_outputs = self.group.with_outputs
        return WhiteBoxFeatures.fit(
            rows, self.white_box_seen, self.most_columns, with_outputs=with_outputs
        )
