from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tfx_privacy.attacks.attacker import LimitedAttacker
from tfx_privacy.attacks.white_box_network import WhiteBoxNetwork
from tfx_privacy.evaluation.attack_network_config import require_network_backend, require_seen
from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.suite import FittedSuite, KnownRows, attacks_of, fit_suite
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout

NETWORK = "white_box_network"


def _resolved(**network) -> config_pb2.PrivacyConfig:
    return resolve_config(
        config_pb2.PrivacyConfig(attacks=[NETWORK], white_box={}, attack_network=network)
    )


def test_defaults_are_those_that_are_documented() -> None:
    network = _resolved().attack_network
    found = (network.optimizer, network.learning_rate, network.epochs, network.batch_size)
    assert found == ("adam", 0.001, 50, 256)
    assert (network.patience, network.backend) == (8, "tensorflow")
    assert not network.parts
    assert _resolved() == resolve_config(_resolved())


def test_a_configuration_without_the_network_stays_without_its_settings() -> None:
    resolved = resolve_config(config_pb2.PrivacyConfig(attacks=["fast"]))
    assert not resolved.HasField("attack_network")
    by_attacker = config_pb2.PrivacyConfig(
        attacks=["fast"], attackers=[{"name": "a", "attacks": [NETWORK]}]
    )
    assert resolve_config(by_attacker).attack_network.epochs == 50


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"optimizer": "Adam"}, "optimizer is 'Adam'; expected one of adam, adamw, sgd, rmsprop"),
        ({"backend": "theano"}, "backend is 'theano'; expected one of tensorflow, jax, torch"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected a number above 0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"epochs": -1}, "epochs is -1; expected a positive number"),
        ({"batch_size": -2}, "batch_size is -2"),
        ({"batch_size": 33}, "batch_size is 33; expected an even number"),
        ({"patience": -1}, "patience is -1"),
        ({"parts": [0]}, r"parts\[0\] is 0; expected one of OUTPUT_PART, LOSS_PART, LABEL"),
        ({"parts": [9]}, r"parts\[0\] is 9"),
        ({"parts": ["LOSS_PART", "LOSS_PART"]}, "parts names LOSS_PART more than once"),
        ({"gradient_layers": [""]}, "gradient_layers has an empty name"),
        ({"activation_layers": ["a", "a"]}, "activation_layers names 'a' more than once"),
        (
            {"parts": ["ACTIVATION_PART"], "gradient_layers": ["a"]},
            "gradient_layers names 'a', and attack_network.parts has no NORM_PART or SKETCH_PART",
        ),
        (
            {"parts": ["NORM_PART"], "activation_layers": ["a"]},
            "activation_layers names 'a', and attack_network.parts has no ACTIVATION_PART",
        ),
    ],
)
def test_wrong_values_are_named(network: dict, words: str) -> None:
    with pytest.raises(InputError, match=f"^attack_network.{words}"):
        _resolved(**network)


def test_a_part_that_is_not_computed_is_refused() -> None:
    config = config_pb2.PrivacyConfig(
        white_box={"skip": ["GRADIENT_SKETCHES"]},
        attack_network={"parts": ["NORM_PART", "SKETCH_PART"]},
    )
    with pytest.raises(InputError, match=r"names SKETCH_PART, and white_box\.skip names GRADIENT_"):
        resolve_config(config)


def test_layers_of_which_everything_is_skipped_are_refused() -> None:
    config = config_pb2.PrivacyConfig(
        white_box={"skip": ["GRADIENT_NORMS", "GRADIENT_SKETCHES"]},
        attack_network={"gradient_layers": ["a"]},
    )
    with pytest.raises(InputError, match=r"gradient_layers names 'a', and white_box\.skip names"):
        resolve_config(config)


# "small" has a norm and an output, "large" a norm and a sketch.
LAYOUT = WhiteBoxLayout(
    layers=(
        LayerDescription("small", 0, "dense", ((2, 3),), True, False, 3),
        LayerDescription("large", 1, "dense", ((9, 9),), True, True, 0),
    ),
    sketch_rows=4,
    sketch_columns=4,
    seed=0,
)
WITHOUT_SKETCHES = WhiteBoxLayout(LAYOUT.layers[:1], 4, 4, 0)


@pytest.mark.parametrize(
    ("network", "layout", "words"),
    [
        ({"gradient_layers": ["nope"]}, LAYOUT, "gradient_layers names 'nope', .*small, large"),
        (
            {"parts": ["SKETCH_PART"], "gradient_layers": ["large", "small"]},
            LAYOUT,
            "gradient_layers names 'small', .*expected some of large",
        ),
        ({"activation_layers": ["large"]}, LAYOUT, "activation_layers names 'large', .*some of sm"),
        ({"parts": ["NORM_PART", "SKETCH_PART"]}, WITHOUT_SKETCHES, "parts names SKETCH_PART"),
        ({"gradient_layers": ["small"], "activation_layers": ["small"]}, LAYOUT, None),
        ({"parts": ["LOSS_PART", "NORM_PART"]}, WITHOUT_SKETCHES, None),
        # Without white-box signals the attack says so itself, as every other.
        ({"gradient_layers": ["nope"]}, None, None),
    ],
)
def test_what_the_network_is_to_look_at_has_to_be_computed(
    network: dict, layout: WhiteBoxLayout | None, words: str | None
) -> None:
    """Else it would be left out, or run on less than it was told to, at the end of a long run."""
    resolved = _resolved(**network)
    if words is None:
        require_seen(resolved, layout)
        return
    with pytest.raises(InputError, match=f"^attack_network.{words}"):
        require_seen(resolved, layout)
    resolved.attacks[:] = ["loss_threshold"]
    require_seen(resolved, layout)


def test_the_suite_s_networks_have_the_configuration_s_settings_attackers_too() -> None:
    config = resolve_config(
        config_pb2.PrivacyConfig(
            attacks=["loss_threshold", NETWORK],
            white_box={},
            attackers=[{"name": "weak", "members_known": 0.5}],
            attack_network={
                "parts": ["NORM_PART", "LOSS_PART"],
                "gradient_layers": ["a"],
                "optimizer": "sgd",
                "learning_rate": 0.5,
                "epochs": 3,
                "batch_size": 8,
                "patience": 2,
                "backend": "jax",
            },
        )
    )
    expected = WhiteBoxNetwork(
        parts=(config_pb2.NORM_PART, config_pb2.LOSS_PART),
        gradient_layers=("a",),
        optimizer="sgd",
        learning_rate=0.5,
        epochs=3,
        batch_size=8,
        patience=2,
        backend="jax",
    )
    _, network, _, limited = attacks_of(config)
    assert network == expected
    assert isinstance(limited, LimitedAttacker)
    assert limited.base == expected


def test_a_backend_that_is_missing_is_told_of_before_the_model_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    require_network_backend(resolve_config(config_pb2.PrivacyConfig(attacks=["fast"])))
    with pytest.raises(InputError, match="backend is 'torch', and there is no package 'torch'"):
        require_network_backend(_resolved(backend="torch"))


def test_workers_read_networks_and_attackers_from_files_alone() -> None:
    generator = np.random.default_rng(0)
    n = 80
    rows = Signals(
        task=config_pb2.MULTICLASS,
        ids=generator.integers(0, 2**63, (n, 2)).astype(np.uint64),
        member=np.arange(n) % 2 == 0,
        label=generator.integers(0, 3, n),
        logits=generator.normal(0, 1, (n, 3)).astype(np.float32),
        loss=generator.exponential(1, n).astype(np.float32),
        gradient_norms={"a": generator.exponential(1, n).astype(np.float32)},
    )
    config = resolve_config(
        config_pb2.PrivacyConfig(
            attacks=[NETWORK],
            white_box={},
            attackers=[{"name": "weak", "members_known": 0.5}],
            attack_network={"parts": ["NORM_PART", "LOSS_PART"], "epochs": 1},
        )
    )
    suite = fit_suite(attacks_of(config), KnownRows(rows.without_white_box(), rows), seed=1)

    read = FittedSuite.from_bytes(suite.to_bytes())

    expected = suite.score(rows)
    assert read.score(rows).keys() == expected.keys() == {NETWORK, f"{NETWORK}@weak"}
    for name, scores in read.score(rows).items():
        np.testing.assert_array_equal(scores, expected[name])
