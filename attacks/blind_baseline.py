"""An attacker that sees input features and label alone, never the model.

Where it tells members from non-members, they differ by themselves, and no attack's
success can be laid at the model's door.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfx_privacy.attacks.attack import FittedAttack
from tfx_privacy.attacks.blocks import in_blocks_with_inputs
from tfx_privacy.attacks.inputs_and_label import InputsAndLabel
from tfx_privacy.attacks.rank_sum import rank_sum_auc
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.attacks.seeds import derived_seed
from tfx_privacy.attacks.sides import balanced_folds, check_sides, sample_of_both
from tfx_privacy.attacks.trained import TrainedAttack
from tfx_privacy.attacks.trees import Trees, TreeSettings, fit_trees
from tfx_privacy.signals.batch import Signals

# Numbers that trees are fitted on: beyond, rows are left out, but not below these.
_CELLS = 5_000_000
_FEWEST_ROWS = 10_000

# A weak drift of few features among many is found by slow, shallow boosting.
_SLOW = TreeSettings(learning_rate=0.05, leaves=6)

# Trees on one feature: few and small, there are many features to try.
_SMALL = TreeSettings(rounds=20, learning_rate=0.3, leaves=8, rows_to_stop_early=1_000_000)

# What `giveaways` tries and names.
_ROWS_TRIED = 10_000
_FEATURES_TRIED = 200
_FEATURES_NAMED = 5
_SMALLEST_AUC = 0.51
_LEVEL = 0.01


@dataclasses.dataclass(frozen=True)
class BlindBaseline(TrainedAttack["BlindScorer"]):
    """Boosted trees that tell members from non-members by input features and label.

    The model plays no part: not its logits, not its loss. Such "blind" attackers beat
    published membership inference where the data sets were split by time or by source
    (Das, Zhang, Tramèr, "Blind Baselines Beat Membership Inference Attacks for
    Foundation Models", 2024). Scores are log-odds. See input_columns.py for what of
    the features enters. Where no features were kept, the label alone does: sides with
    other shares of classes are told apart by every attack that sees labels.

    Attributes:
      settings: How the trees are boosted.
    """

    settings: TreeSettings = _SLOW

    name: ClassVar[str] = "blind_baseline"
    description: ClassVar[str] = (
        "Learns from known members and non-members to tell them apart by input features and label, "
        "without the model."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"inputs"})
    sees_planted: ClassVar[bool] = False

    def learn(self, rows: Signals, seed: int) -> BlindScorer:
        """See TrainedAttack."""
        encoder = InputsAndLabel.fit(rows)
        generator = np.random.default_rng(derived_seed(seed, self.name))
        most = max(_CELLS // max(len(encoder.names), 1), _FEWEST_ROWS)
        rows = rows.take(sample_of_both(rows.member, most, generator))
        trees = fit_trees(
            encoder(rows), rows.member, derived_seed(seed, self.name, "trees"), self.settings
        )
        return BlindScorer(encoder, trees)

    def load(self, directory: Path) -> BlindScorer:
        """See Attack."""
        return BlindScorer.load(directory)

    def cannot_run(self, signals: Signals) -> str | None:
        """See Attack."""
        if not signals.inputs and signals.label is None:
            return (
                "it needs input features or the label, and none were kept: features of the "
                "examples, or further columns of saved predictions"
            )
        return None


@dataclasses.dataclass(frozen=True)
class BlindScorer(FittedAttack):
    """Score: the log-odds of being a member where both sides are equally large."""

    encoder: InputsAndLabel
    trees: Trees

    @property
    def features_seen(self) -> int:
        """How many features have a column, the label among them."""
        inputs, label = self.encoder.inputs, self.encoder.label
        return len(set(inputs.names)) + bool(len(label))

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return in_blocks_with_inputs(lambda block: self.trees.score(self.encoder(block)), signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        arrays = self.encoder.arrays() | self.trees.arrays()
        save_attack(directory, BlindBaseline.name, arrays)

    @staticmethod
    def load(directory: Path) -> BlindScorer:
        """Reads what `save` wrote.

        Raises:
          ValueError: If the directory holds another attack.
        """
        arrays = load_attack(directory, BlindBaseline.name)
        return BlindScorer(InputsAndLabel.from_arrays(arrays), Trees.from_arrays(arrays))


def giveaways(signals: Signals, seed: int) -> list[tuple[str, float]]:
    """The features that tell the sides apart by themselves.

    For each feature, with all its columns, small trees are fitted on half of the rows
    and judged on the other half. A feature is named where its AUC there is at least
    .51 and above .5 beyond chance: one-sided level .01 over all features tried
    (Bonferroni), by the Mann-Whitney statistic's variance where the sides do not
    differ, with ties.

    Args:
      signals: FIT rows with inputs; of more than 10,000, as many are taken.
      seed: Where all randomness comes from.

    Returns:
      (feature, AUC), the strongest first, at most 5; the label is called "label". Of
      more than 200 features those are tried that trees on all of them ask about most
      often.

    Raises:
      ValueError: If a side has no rows.
    """
    check_sides(signals.member)
    generator = np.random.default_rng(derived_seed(seed, BlindBaseline.name, "giveaways"))
    rows = signals.sorted_by_id()
    rows = rows.take(sample_of_both(rows.member, _ROWS_TRIED, generator))
    learns = balanced_folds(rows.member, 2, generator) == 0
    if len(set(rows.member[learns])) < 2 or len(set(rows.member[~learns])) < 2:
        return []
    encoder = InputsAndLabel.fit(rows)
    columns = encoder(rows)
    tree_seed = derived_seed(seed, BlindBaseline.name, "giveaways", "trees")
    tried = _tried(encoder, columns[learns], rows.member[learns], tree_seed)
    beyond_chance = -float(special.ndtri(_LEVEL / max(len(tried), 1)))
    found = []
    for name, chosen in tried:
        trees = fit_trees(columns[learns][:, chosen], rows.member[learns], tree_seed, _SMALL)
        area, z = rank_sum_auc(trees.score(columns[~learns][:, chosen]), rows.member[~learns])
        if area >= _SMALLEST_AUC and z > beyond_chance:
            found.append((name, area))
    return sorted(found, key=lambda one: -one[1])[:_FEATURES_NAMED]


def _tried(
    encoder: InputsAndLabel, columns: NDArray[np.float32], member: NDArray[np.bool_], seed: int
) -> list[tuple[str, NDArray[np.int64]]]:
    """The features to try, each with its columns."""
    inputs = len(encoder.inputs.names)
    # A feature may be called as the label is.
    keys = [(name, column >= inputs) for column, name in enumerate(encoder.names)]
    of_key: dict[tuple[str, bool], list[int]] = {}
    for column, key in enumerate(keys):
        of_key.setdefault(key, []).append(column)
    features = [(key[0], np.array(found, np.int64)) for key, found in of_key.items()]
    if len(features) <= _FEATURES_TRIED:
        return features
    splits = fit_trees(columns, member, seed, TreeSettings()).splits(columns.shape[1])
    asked = np.array([splits[chosen].sum() for _, chosen in features])
    return [features[i] for i in np.argsort(-asked, kind="stable")[:_FEATURES_TRIED]]
