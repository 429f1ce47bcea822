"""Configuration messages in files: proto text or JSON, by suffix."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from google.protobuf import json_format, text_format
from google.protobuf.message import Message

from tfx_privacy.signals.errors import InputError

_M = TypeVar("_M", bound=Message)

TEXT_SUFFIXES = (".pbtxt", ".textproto", ".txtpb", ".prototxt", ".txt")
JSON_SUFFIXES = (".json",)


def read_message(path: str | Path, message_type: type[_M]) -> _M:
    """Reads a message from a file in proto text or JSON.

    Raises:
      InputError: If the file cannot be read, its suffix is neither of the two, or
        it holds anything but this message, an unknown field included.
    """
    path = Path(path)
    if path.suffix not in TEXT_SUFFIXES + JSON_SUFFIXES:
        known = ", ".join(TEXT_SUFFIXES + JSON_SUFFIXES)
        raise InputError(
            f"cannot tell the format of {path}: its suffix is {path.suffix!r}; "
            f"expected one of {known}"
        )
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    parse = json_format.Parse if path.suffix in JSON_SUFFIXES else text_format.Parse
    try:
        return parse(content, message_type())
    except (json_format.ParseError, text_format.ParseError) as error:
        name = message_type.DESCRIPTOR.name
        raise InputError(f"{path} is not a {name}: {error}") from error


def message_from_json(text: str, message_type: type[_M], origin: str) -> _M:
    """Reads a message from JSON text that came from `origin`.

    Raises:
      InputError: If it holds anything but this message, an unknown field included.
    """
    try:
        return json_format.Parse(text, message_type())
    except json_format.ParseError as error:
        name = message_type.DESCRIPTOR.name
        raise InputError(f"{origin} is not a {name}: {error}") from error


def message_to_json(message: Message) -> str:
    """The message as JSON with its proto field names, the same text for equal messages."""
    return json_format.MessageToJson(message, preserving_proto_field_name=True, sort_keys=True)
