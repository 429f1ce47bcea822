from __future__ import annotations

import pytest

from tfx_privacy.attacks.reference_names import REFERENCE_ATTACKS, SHADOW_MODELS
from tfx_privacy.attacks.registry import describe_attacks, resolve_attacks
from tfx_privacy.attacks.white_box_names import ATTACK_NETWORK, WHITE_BOX_ATTACKS
from tfx_privacy.attacks.white_box_network import WhiteBoxNetwork

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
WHITE_BOX = [
    "gradient_norm",
    "logistic_regression_norms",
    "logistic_regression_sketches",
    "logistic_regression_activations",
    "logistic_regression_white_box",
    "boosted_trees_norms",
    "boosted_trees_sketches",
    "boosted_trees_white_box",
    "white_box_network",
]
REFERENCE = [
    "lira_online",
    "lira_online_fixed_variance",
    "lira_offline",
    "lira_offline_fixed_variance",
    "rmia_online",
    "rmia_offline",
    "attack_r",
    "shadow_models",
]


def names(wanted):
    return [attack.name for attack in resolve_attacks(wanted)]


def test_sets_stand_for_their_attacks():
    assert names(["fast"]) == FAST
    assert names(["standard"]) == STANDARD
    assert names(["thorough"]) == THOROUGH
    assert names(["white_box"]) == WHITE_BOX
    assert names(["reference"]) == REFERENCE


def test_order_is_kept_and_repetitions_are_dropped():
    assert names(["network", "entropy", "network"]) == ["network", "entropy"]
    assert names(["entropy", "fast"])[:2] == ["entropy", "loss_threshold"]
    assert sorted(names(["entropy", "fast", "standard"])) == sorted(STANDARD)


def test_unknown_names_are_named_and_the_known_ones_listed():
    with pytest.raises(
        ValueError,
        match=r"'lira', 'losses'.*loss_threshold.*fast, standard, thorough, white_box, reference",
    ):
        resolve_attacks(["losses", "entropy", "lira"])


def test_every_attack_says_what_it_is():
    described = dict(describe_attacks())

    sets = ["fast", "standard", "thorough", "white_box", "reference"]
    assert list(described) == [*sets, *THOROUGH, *WHITE_BOX, *REFERENCE]
    for name, text in described.items():
        assert text.endswith("."), name
        assert 20 < len(text) < 200, name


def test_white_box_attacks_say_what_they_look_at():
    seen = {attack.name: attack.white_box_seen for attack in resolve_attacks(["white_box"])}

    assert seen == {
        "gradient_norm": {"gradient_norms"},
        "logistic_regression_norms": {"gradient_norms"},
        "logistic_regression_sketches": {"gradient_sketches"},
        "logistic_regression_activations": {"activations"},
        "logistic_regression_white_box": {"gradient_norms", "gradient_sketches", "activations"},
        "boosted_trees_norms": {"gradient_norms"},
        "boosted_trees_sketches": {"gradient_sketches"},
        "boosted_trees_white_box": {"gradient_norms", "gradient_sketches", "activations"},
        "white_box_network": {"gradient_norms", "gradient_sketches", "activations"},
    }
    assert all(one.wide_columns == ("white_box",) for one in resolve_attacks(["white_box"]))
    assert not any(one.white_box_seen for one in resolve_attacks(["thorough"]))


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


def test_who_reads_results_alone_knows_which_look_inside() -> None:
    attacks = resolve_attacks(["thorough", "white_box"])
    assert {attack.name for attack in attacks if attack.white_box_seen} == WHITE_BOX_ATTACKS
    assert WhiteBoxNetwork.name == ATTACK_NETWORK


def test_attacks_with_reference_models_say_what_they_look_at() -> None:
    attacks = {attack.name: attack for attack in resolve_attacks(["reference"])}
    shadow = attacks.pop(SHADOW_MODELS)

    assert all(one.wide_columns == ("references",) for one in attacks.values())
    assert not shadow.wide_columns
    assert [name for name, one in attacks.items() if one.is_trained] == [
        "rmia_online",
        "rmia_offline",
    ]
    everything = resolve_attacks(["thorough", "white_box", "reference"])
    taking = {attack.name for attack in everything if attack.takes_reference_models}
    assert taking == REFERENCE_ATTACKS == set(REFERENCE)
