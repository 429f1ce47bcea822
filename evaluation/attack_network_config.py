"""The part of PrivacyConfig about the attack network, checked, with its defaults."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2


def resolve_attack_network(config: config_pb2.PrivacyConfig) -> None:
    """Fills in the defaults of `attack_network`.

    Raises:
      InputError: If a value is out of its range or unknown; the message names the field.
    """
