"""The configuration of attacks with reference models: defaults, checks, settings handed on."""

from __future__ import annotations

import pytest

from tfx_privacy.attacks.reference_names import REFERENCE_ATTACKS
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.rmia import Rmia
from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.reference_spec_config import with_reference_settings
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError


def _resolved(**config: object) -> config_pb2.PrivacyConfig:
    return resolve_config(config_pb2.PrivacyConfig(**config))


def _names(*given: str) -> list[str]:
    return [attack.name for attack in resolve_attacks(given)]


def test_attacks_with_references_run_beside_the_default_ones() -> None:
    assert list(_resolved(references={}).attacks) == _names("standard", "reference")
    both = _resolved(references={}, white_box={})
    assert list(both.attacks) == _names("standard", "white_box", "reference")
    assert not REFERENCE_ATTACKS & set(_resolved().attacks)
    assert list(_resolved(references={}, attacks=["entropy"]).attacks) == ["entropy"]


def test_defaults_are_the_papers_and_a_stays_to_be_chosen() -> None:
    resolved = _resolved(references={})
    assert resolved.references.rmia_gamma == 2
    assert not resolved.references.HasField("rmia_offline_a")
    assert not resolved.references.HasField("augmentation")
    assert resolve_config(resolved) == resolved
    assert not _resolved().HasField("references")


def test_what_is_set_is_kept() -> None:
    augmentation = {"function": "my_package.flips.mirrored", "queries": 2}
    given = {"rmia_gamma": 1.5, "rmia_offline_a": 0.0, "augmentation": augmentation}
    spec = _resolved(references=given).references
    assert spec == config_pb2.ReferenceSpec(**given)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"rmia_gamma": 0.0}, r"references\.rmia_gamma is 0\.0; expected a number of at least 1"),
        ({"rmia_gamma": 0.5}, "rmia_gamma is 0.5"),
        ({"rmia_gamma": float("nan")}, "rmia_gamma is nan"),
        ({"rmia_gamma": float("inf")}, "rmia_gamma is inf"),
        ({"rmia_offline_a": -0.1}, r"references\.rmia_offline_a is -0\.1; expected .* 0 to 1"),
        ({"rmia_offline_a": 1.1}, "rmia_offline_a is 1.1"),
        ({"rmia_offline_a": float("nan")}, "rmia_offline_a is nan"),
        (
            {"augmentation": {"queries": 2}},
            r"augmentation\.function is ''; expected an import path",
        ),
        ({"augmentation": {"function": "flip", "queries": 2}}, "function is 'flip'"),
        ({"augmentation": {"function": "a.b:c", "queries": 2}}, "function is 'a.b:c'"),
        ({"augmentation": {"function": "a.1b", "queries": 2}}, "function is 'a.1b'"),
        ({"augmentation": {"function": "a.b"}}, r"augmentation\.queries is 0; expected at least 2"),
        ({"augmentation": {"function": "a.b", "queries": 1}}, "queries is 1"),
    ],
)
def test_wrong_values_are_named(spec: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        _resolved(references=spec)


def test_rmia_has_the_settings() -> None:
    config = _resolved(references={"rmia_gamma": 3.0, "rmia_offline_a": 0.6})
    chosen = _resolved(references={})
    rmia, other = resolve_attacks(["rmia_offline", "lira_offline"])

    found = with_reference_settings(rmia, config)
    assert isinstance(found, Rmia)
    assert (found.name, found.gamma, found.offline_a) == ("rmia_offline", 3.0, 0.6)
    assert with_reference_settings(rmia, chosen) == rmia
    assert with_reference_settings(rmia, _resolved()) == rmia
    assert with_reference_settings(other, config) == other
