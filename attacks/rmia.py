"""RMIA: how much more the target favours a record than models in general, beside a population."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import FittedAttack
from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.reference_attack import ReferenceAttack, Setting
from tfx_privacy.attacks.reference_scores import rmia
from tfx_privacy.attacks.reference_scores.offline_a import choose_a
from tfx_privacy.attacks.reference_scores.true_class_probability import (
    true_class_log_probability,
)
from tfx_privacy.attacks.reference_statistics import reference_log_probabilities
from tfx_privacy.attacks.required import required_references
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.attacks.sides import check_sides
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.identity import hash_fractions
from tfx_privacy.signals.reference_signals import ReferenceSignals

# Shares of so many are known to a ten-thousandth.
_MOST_POPULATION = 10_000

# Rows that a is chosen on, and the fewest on each side of a reference model: an AUC of
# fewer says too little to choose by.
_MOST_TO_CHOOSE_ON = 20_000
_FEWEST_TO_CHOOSE_BY = 50
_FEWEST_MODELS_TO_CHOOSE_BY = 4

_SALT_POPULATION = "RMIA population"
_SALT_CHOICE = "RMIA choice of a"


@dataclasses.dataclass(frozen=True)
class Rmia(ReferenceAttack):
    """The share of a population that a record's likelihood ratio is gamma times larger than.

    Zarifzadeh, Liu, Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML 2024;
    see reference_scores/rmia.py. The population is the FIT non-members, at most 10,000 of
    them by a hash of their ids: never a judged row. The record's own answers are asked
    for, not those of augmentations.

    On 40,000 rows and 16 models a fit takes .5 seconds of one core where a is chosen, and
    their scores .1 seconds.

    Attributes:
      setting: p(x) by models on both sides of the record, or by those without it.
      gamma: At least 1.
      offline_a: From 0 to 1, for OFFLINE. None: chosen with one of the reference models in
        the target's place, on FIT rows; the paper's .3 where there are fewer than four
        models, or fewer than 50 rows on a side of it, as with models trained on other
        records.
    """

    setting: Setting
    gamma: float = rmia.GAMMA
    offline_a: float | None = None

    @property
    def name(self) -> str:
        """See Attack."""
        return f"rmia_{self.setting.value}"

    @property
    def description(self) -> str:
        """See Attack."""
        models = {
            Setting.ONLINE: "reference models",
            Setting.OFFLINE: "reference models trained without it",
        }[self.setting]
        return (
            "Calls a record a member if the model gives its true class more probability than "
            f"{models}, in relation to what it does for known non-members."
        )

    @property
    def is_trained(self) -> bool:
        """See Attack. A non-member's own ratio is one of its population's."""
        return True

    def fit(self, signals: Signals, seed: int) -> FittedRmia:
        """See Attack."""
        check_sides(signals.member)
        rows = signals.sorted_by_id()
        a = self._offline_a(rows, seed)
        others = rows.take(~rows.member)
        population = others.take(_first_by_hash(others, _MOST_POPULATION, seed, _SALT_POPULATION))
        log_p = in_blocks(lambda block: _log_p(block, self.setting, a), population)
        ratios = rmia.Rmia.fit(true_class_log_probability(population), log_p, self.gamma)
        return FittedRmia(self.setting, ratios, a)

    def load(self, directory: Path) -> FittedRmia:
        """See Attack."""
        arrays = load_attack(directory, self.name)
        ratios = rmia.Rmia(arrays["population"], float(arrays["gamma"]))
        return FittedRmia(self.setting, ratios, float(arrays["offline_a"]))

    def _offline_a(self, rows: Signals, seed: int) -> float:
        if self.offline_a is not None:
            return self.offline_a
        if self.setting is Setting.ONLINE:
            return rmia.OFFLINE_A
        chosen = _first_by_hash(rows, _MOST_TO_CHOOSE_ON, seed, _SALT_CHOICE)
        told = chosen[_told_apart(required_references(rows.take(chosen)))]
        if not len(told):
            return rmia.OFFLINE_A
        by = rows.take(told)
        inside = required_references(by).inside
        return choose_a(reference_log_probabilities(by), inside, self.gamma)


@dataclasses.dataclass(frozen=True)
class FittedRmia(FittedAttack):
    """RMIA, ready to score.

    Attributes:
      setting: Whose p(x) it takes.
      ratios: The population's, and gamma.
      offline_a: As used; without effect for ONLINE.
    """

    setting: Setting
    ratios: rmia.Rmia
    offline_a: float

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack. A share, from 0 to 1."""
        return in_blocks(self._score_block, signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        arrays = {
            "population": self.ratios.population,
            "gamma": np.asarray(self.ratios.gamma),
            "offline_a": np.asarray(self.offline_a),
        }
        save_attack(directory, Rmia(self.setting).name, arrays)

    def _score_block(self, signals: Signals) -> NDArray[np.float64]:
        log_p = _log_p(signals, self.setting, self.offline_a)
        return self.ratios.score(true_class_log_probability(signals), log_p)


def _log_p(signals: Signals, setting: Setting, offline_a: float) -> NDArray[np.float64]:
    """What models in general give the true class, as a logarithm, [n]."""
    references = reference_log_probabilities(signals)
    if setting is Setting.ONLINE:
        return rmia.online_log_p(references)
    return rmia.offline_log_p(references, required_references(signals).inside, offline_a)


def _first_by_hash(rows: Signals, most: int, seed: int, salt: str) -> NDArray[np.int64]:
    """So many rows at most by a hash of their ids, in the order of the rows."""
    order = np.argsort(hash_fractions(rows.ids, seed, salt), kind="stable")
    return np.sort(order[:most]).astype(np.int64)


def _told_apart(references: ReferenceSignals) -> NDArray[np.int64]:
    """Rows that one model alone of the first pair was trained on; none where a cannot be chosen."""
    inside = references.inside
    if inside.shape[1] < _FEWEST_MODELS_TO_CHOOSE_BY:
        return np.empty(0, np.int64)
    rows = np.flatnonzero(inside[:, 0] != inside[:, 1])
    within = int(inside[rows, 0].sum())
    enough = min(within, len(rows) - within) >= _FEWEST_TO_CHOOSE_BY
    return rows.astype(np.int64) if enough else np.empty(0, np.int64)
