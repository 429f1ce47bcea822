"""Attacks by name: a new one is a file of its own and a line in the tuple of its kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.attack_r import AttackR
from tfx_privacy.attacks.boosted_trees import BoostedTrees
from tfx_privacy.attacks.confidence import Confidence
from tfx_privacy.attacks.correctness import Correctness
from tfx_privacy.attacks.entropy import Entropy
from tfx_privacy.attacks.gradient_norm import GradientNorm
from tfx_privacy.attacks.lira import Lira
from tfx_privacy.attacks.logistic_regression import LogisticRegression
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.margin import Margin
from tfx_privacy.attacks.modified_entropy import ModifiedEntropy
from tfx_privacy.attacks.nearest_neighbours import NearestNeighbours
from tfx_privacy.attacks.network import Network
from tfx_privacy.attacks.per_class import (
    ConfidencePerClass,
    EntropyPerClass,
    LossThresholdPerClass,
    MarginPerClass,
    ModifiedEntropyPerClass,
)
from tfx_privacy.attacks.population import Population
from tfx_privacy.attacks.quantile_regression import QuantileRegression
from tfx_privacy.attacks.random_forest import RandomForest
from tfx_privacy.attacks.reference_attack import Setting
from tfx_privacy.attacks.reference_scores.gaussians import Spread
from tfx_privacy.attacks.rmia import Rmia
from tfx_privacy.attacks.shadow_models import ShadowModels
from tfx_privacy.attacks.white_box_groups import SignalGroup
from tfx_privacy.attacks.white_box_network import WhiteBoxNetwork
from tfx_privacy.attacks.white_box_regression import WhiteBoxRegression
from tfx_privacy.attacks.white_box_trees import WhiteBoxTrees

# Those of an attacker that gets the model's answers.
_BLACK_BOX: tuple[Attack, ...] = (
    LossThreshold(),
    Confidence(),
    Entropy(),
    ModifiedEntropy(),
    Correctness(),
    LogisticRegression(),
    Network(),
    BoostedTrees(),
    RandomForest(),
    NearestNeighbours(),
    Margin(),
    LossThresholdPerClass(),
    ConfidencePerClass(),
    EntropyPerClass(),
    ModifiedEntropyPerClass(),
    MarginPerClass(),
    Population(),
    QuantileRegression(),
)

# Those of an attacker that holds the model's parameters.
_WHITE_BOX: tuple[Attack, ...] = (
    GradientNorm(),
    WhiteBoxRegression(SignalGroup.NORMS),
    WhiteBoxRegression(SignalGroup.SKETCHES),
    WhiteBoxRegression(SignalGroup.ACTIVATIONS),
    WhiteBoxRegression(SignalGroup.WHITE_BOX),
    WhiteBoxTrees(SignalGroup.NORMS),
    WhiteBoxTrees(SignalGroup.SKETCHES),
    WhiteBoxTrees(SignalGroup.WHITE_BOX),
    WhiteBoxNetwork(),
)

# Those of an attacker that has trained models of its own in the target's manner.
_REFERENCE: tuple[Attack, ...] = (
    Lira(Setting.ONLINE, Spread.PER_RECORD),
    Lira(Setting.ONLINE, Spread.FIXED),
    Lira(Setting.OFFLINE, Spread.PER_RECORD),
    Lira(Setting.OFFLINE, Spread.FIXED),
    Rmia(Setting.ONLINE),
    Rmia(Setting.OFFLINE),
    AttackR(),
    ShadowModels(),
)

_ATTACKS = (*_BLACK_BOX, *_WHITE_BOX, *_REFERENCE)


@dataclasses.dataclass(frozen=True)
class AttackSet:
    """Several attacks under one name.

    Attributes:
      name: Beside the attacks' names, so different from all of them.
      description: One sentence: what is in it, and what it costs.
      attacks: Their names.
    """

    name: str
    description: str
    attacks: tuple[str, ...]


_THRESHOLDS = ("loss_threshold", "confidence", "entropy", "modified_entropy", "correctness")
_STANDARD = (*_THRESHOLDS, "logistic_regression", "network")

# Seconds are of one core of a small machine, measured.
_SETS: tuple[AttackSet, ...] = (
    AttackSet(
        "fast",
        (
            "The thresholds and logistic regression: a fit on 66,000 rows of 10 classes takes 1 "
            "second of a core."
        ),
        (*_THRESHOLDS, "logistic_regression"),
    ),
    AttackSet(
        "standard",
        (
            "The thresholds, logistic regression and a small network: a fit on 66,000 rows of 10 "
            "classes takes 2 seconds of a core."
        ),
        _STANDARD,
    ),
    AttackSet(
        "thorough",
        (
            "All attacks on the model's answers, slow ones and the one that looks at input "
            "features too: a fit on 20,000 rows of 10 classes takes 9 seconds of a core, their "
            "scores 4."
        ),
        tuple(attack.name for attack in _BLACK_BOX),
    ),
    AttackSet(
        "white_box",
        (
            "Attacks on gradients and activations (set white_box in the configuration): a fit on "
            "40,000 rows takes 30 seconds of a core, and the network's training."
        ),
        tuple(attack.name for attack in _WHITE_BOX),
    ),
    AttackSet(
        "reference",
        (
            "Attacks with reference models, where the measurement is given any: a fit on 40,000 "
            "rows and 16 models takes 2 seconds of a core, Shokri's 8 on 100,000 rows."
        ),
        tuple(attack.name for attack in _REFERENCE),
    ),
)


def resolve_attacks(names: Sequence[str]) -> tuple[Attack, ...]:
    """The attacks of these names and of the sets of these names, each once.

    Args:
      names: Names of attacks or sets, in the order wanted.

    Raises:
      ValueError: If a name is unknown; the message lists those that are known.
    """
    attacks = {attack.name: attack for attack in _ATTACKS}
    members = {name: (name,) for name in attacks} | {one.name: one.attacks for one in _SETS}
    unknown = sorted(set(names) - set(members))
    if unknown:
        raise ValueError(
            f"found {', '.join(map(repr, unknown))}, which is no attack or set of attacks; "
            f"known are {', '.join(members)}"
        )
    wanted = dict.fromkeys(name for given in names for name in members[given])
    return tuple(attacks[name] for name in wanted)


def describe_attacks() -> list[tuple[str, str]]:
    """(name, one sentence) of every set, then of every attack."""
    sets = [(one.name, one.description) for one in _SETS]
    return sets + [(attack.name, attack.description) for attack in _ATTACKS]
