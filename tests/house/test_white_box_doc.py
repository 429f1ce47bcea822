"""What docs/white_box.md tells people to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf import text_format

from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

_DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def text() -> str:
    return (_DOCS / "white_box.md").read_text()


def test_its_configurations_can_be_read(text: str) -> None:
    blocks = [block.lstrip("\n") for block in text.split("```")[1::2]]
    blocks = [block for block in blocks if block.startswith(("model_spec", "white_box"))]
    assert len(blocks) == 2
    for block in blocks:
        config = text_format.Parse(block, config_pb2.PrivacyConfig())
        assert resolve_config(config).HasField("white_box")


def test_its_settings_can_be_read(text: str) -> None:
    settings = re.findall(r"`((?:attack_network|attackers|attacks|white_box)[ :]+[^`]*)`", text)
    settings = [setting for setting in settings if "..." not in setting and "{}" not in setting]
    assert len(settings) >= 6
    for setting in settings:
        config = text_format.Parse(setting, config_pb2.PrivacyConfig())
        config.white_box.SetInParent()
        resolve_config(config)


def test_every_file_it_links_is_there(text: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert links
    assert [link for link in links if "://" not in link and not (_DOCS / link).exists()] == []
