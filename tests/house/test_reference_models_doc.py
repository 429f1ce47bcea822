"""What docs/reference_models.md tells people to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf import text_format

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.reference_config import resolve_reference_config

_DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def text() -> str:
    return (_DOCS / "reference_models.md").read_text()


def test_its_pools_can_be_configured(text: str) -> None:
    pools = re.findall(r"`((?:online|offline) \{[^`]*\})`", text)
    synthetic = re.findall(r"`((?:model_based|marginals|noisy|biased_sample) \{[^`]*\})`", text)
    assert len(pools) == 2
    assert len(synthetic) == 4
    for setting in [*pools, *(f"synthetic {{ {source} }}" for source in synthetic)]:
        config = references_pb2.ReferenceModelsConfig(model_spec={"label_key": "label"})
        resolve_reference_config(text_format.Parse(setting, config), has_transform_graph=False)


def test_its_other_settings_of_training_can_be_read(text: str) -> None:
    for setting in ("steps: SAME_STEPS", "models: 16"):
        assert f"`{setting}`" in text
        text_format.Parse(setting, references_pb2.ReferenceModelsConfig())


def test_its_settings_of_attacks_can_be_read(text: str) -> None:
    blocks = [block.strip() for block in text.split("```")[1::2]]
    settings = [block for block in blocks if block.startswith("references")]
    settings += re.findall(r"`(references \{[^`]*\})`", text)
    assert len(settings) == 2
    for setting in settings:
        config = text_format.Parse(setting, config_pb2.PrivacyConfig())
        assert resolve_config(config).HasField("references")


def test_every_attack_it_names_is_there(text: str) -> None:
    named = set(
        re.findall(r"`((?:lira|rmia)_(?!offline_a|gamma)\w+|attack_r|shadow_models)`", text)
    )
    named |= {f"{name}_fixed_variance" for name in named if name.startswith("lira")}
    assert named == {attack.name for attack in resolve_attacks(["reference"])}


def test_every_file_it_links_is_there(text: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    assert links
    assert [link for link in links if "://" not in link and not (_DOCS / link).exists()] == []
