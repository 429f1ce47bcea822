"""Configuration files: both formats, and errors that name file and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfx_privacy.evaluation.message_files import message_from_json, message_to_json, read_message
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError

_EXPECTED = config_pb2.PrivacyConfig(
    model_spec={"label_key": "y", "label_vocabulary": ["no", "yes"]},
    attacks=["loss_threshold"],
    seed=3,
)


def _write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def test_text_and_json_say_the_same(tmp_path: Path) -> None:
    text = _write(
        tmp_path,
        "config.pbtxt",
        'model_spec { label_key: "y" label_vocabulary: "no" label_vocabulary: "yes" }\n'
        'attacks: "loss_threshold"  # one is enough\nseed: 3\n',
    )
    json = _write(
        tmp_path,
        "config.json",
        '{"model_spec": {"label_key": "y", "label_vocabulary": ["no", "yes"]},'
        ' "attacks": ["loss_threshold"], "seed": 3}',
    )
    assert read_message(text, config_pb2.PrivacyConfig) == _EXPECTED
    assert read_message(json, config_pb2.PrivacyConfig) == _EXPECTED


def test_json_round_trip_is_the_same_text_for_equal_messages() -> None:
    text = message_to_json(_EXPECTED)
    again = message_from_json(text, config_pb2.PrivacyConfig, "a property")
    assert again == _EXPECTED
    assert message_to_json(again) == text
    assert '"label_key"' in text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.pbtxt", 'attaks: "loss"', "config.pbtxt is not a PrivacyConfig.*attaks"),
        ("config.json", '{"attaks": []}', "config.json is not a PrivacyConfig.*attaks"),
        ("config.json", "{", "config.json is not a PrivacyConfig"),
        ("config.yaml", "seed: 3", "suffix is '.yaml'; expected one of .*.json"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, name: str, content: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_message(_write(tmp_path, name, content), config_pb2.PrivacyConfig)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nothing\.json"):
        read_message(tmp_path / "nothing.json", config_pb2.PrivacyConfig)
