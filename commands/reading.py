"""Configuration files of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from google.protobuf.message import Message

    _M = TypeVar("_M", bound=Message)


def read_file(path: str, message_type: type[_M]) -> _M:
    """Reads a message from a file in proto text or JSON.

    Raises:
      InputError: If the file holds anything else.
    """
    from tfx_privacy.evaluation.message_files import read_message

    return read_message(path, message_type)
