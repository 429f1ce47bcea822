"""The description of a ReferenceModels artifact."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.artifact import (
    DESCRIPTION_FILE,
    SCHEMA_VERSION,
    model_folder,
    read_description,
    write_description,
)
from tfx_privacy.signals.errors import InputError


def description() -> references_pb2.ReferenceModels:
    return references_pb2.ReferenceModels(
        schema_version=SCHEMA_VERSION,
        config={"models": 2, "offline": {"splits": ["shadow"]}},
        pool={"records": 2**53 + 1, "digest": "ab" * 16},
        models=[{"index": 1, "directory": model_folder(1)}],
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_description(str(tmp_path), description())
    assert read_description(str(tmp_path)) == description()
    assert [path.name for path in tmp_path.iterdir()] == [DESCRIPTION_FILE]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no reference models: expected reference_models.json"),
        ("{", "is no description of reference models"),
        ('{"weather": 1}', "is no description of reference models.*weather"),
        ('{"schema_version": 7}', "has schema version 7: expected 1; .*another version"),
    ],
)
def test_what_is_not_a_description(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / DESCRIPTION_FILE).write_text(content)
    with pytest.raises(InputError, match=message):
        read_description(str(tmp_path))


def test_folders_sort_as_their_models() -> None:
    assert [model_folder(index) for index in (0, 9, 10)] == [
        "models/000",
        "models/009",
        "models/010",
    ]
