"""The part of PrivacyConfig about white-box signals, checked, with its defaults."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2


def resolve_white_box(config: config_pb2.PrivacyConfig) -> None:
    """Fills in the defaults of `white_box`, where it is set.

    Raises:
      InputError: If a value is out of its range or unknown; the message names the field.
    """
