from __future__ import annotations

import pytest

from tfx_privacy.attacks.registry import describe_attacks, resolve_attacks

FAST = [
    "loss_threshold",
    "confidence",
    "entropy",
    "modified_entropy",
    "correctness",
    "logistic_regression",
]
STANDARD = [*FAST, "network"]
THOROUGH = [
    *STANDARD,
    "boosted_trees",
    "random_forest",
    "nearest_neighbours",
    "margin",
    "loss_threshold_per_class",
    "confidence_per_class",
    "entropy_per_class",
    "modified_entropy_per_class",
    "margin_per_class",
    "population",
    "quantile_regression",
]


def names(wanted):
    return [attack.name for attack in resolve_attacks(wanted)]


def test_sets_stand_for_their_attacks():
    assert names(["fast"]) == FAST
    assert names(["standard"]) == STANDARD
    assert names(["thorough"]) == THOROUGH


def test_order_is_kept_and_repetitions_are_dropped():
    assert names(["network", "entropy", "network"]) == ["network", "entropy"]
    assert names(["entropy", "fast"])[:2] == ["entropy", "loss_threshold"]
    assert sorted(names(["entropy", "fast", "standard"])) == sorted(STANDARD)


def test_unknown_names_are_named_and_the_known_ones_listed():
    with pytest.raises(
        ValueError, match=r"'lira', 'losses'.*loss_threshold.*fast, standard, thorough"
    ):
        resolve_attacks(["losses", "entropy", "lira"])


def test_every_attack_says_what_it_is():
    described = dict(describe_attacks())

    assert list(described) == ["fast", "standard", "thorough", *THOROUGH]
    for name, text in described.items():
        assert text.endswith("."), name
        assert 20 < len(text) < 200, name


def test_every_attack_declares_what_it_needs():
    for attack in resolve_attacks(["thorough"]):
        assert attack.needs
        assert attack.needs <= {"logits", "loss", "label", "inputs"}
        assert attack.tasks
    trained = [attack.name for attack in resolve_attacks(["thorough"]) if attack.is_trained]
    assert trained == [
        "logistic_regression",
        "network",
        "boosted_trees",
        "random_forest",
        "nearest_neighbours",
        *(name for name in THOROUGH if name.endswith("_per_class")),
        "quantile_regression",
    ]
