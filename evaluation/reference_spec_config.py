"""The part of PrivacyConfig about reference models, checked, with its defaults."""

from __future__ import annotations

import dataclasses
import math
import re

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.reference_scores.rmia import GAMMA
from tfx_privacy.attacks.rmia import Rmia
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError

_IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
_FEWEST_QUERIES = 2


def resolve_references(config: config_pb2.PrivacyConfig) -> None:
    """Fills in the defaults of `references`, where it is set.

    An unset `rmia_offline_a` stays unset: it is chosen with reference models at hand. That
    the augmentation can be imported shows where it is.

    Raises:
      InputError: If a value is out of its range; the message names the field.
    """
    if not config.HasField("references"):
        return
    spec = config.references
    if not spec.HasField("rmia_gamma"):
        spec.rmia_gamma = GAMMA
    # Below 1 a record would count as favoured that the target favours less.
    if not (spec.rmia_gamma >= 1 and math.isfinite(spec.rmia_gamma)):
        raise InputError(
            f"references.rmia_gamma is {spec.rmia_gamma}; expected a number of at least 1, "
            f"{GAMMA:g} for example"
        )
    if spec.HasField("rmia_offline_a") and not 0 <= spec.rmia_offline_a <= 1:
        raise InputError(
            f"references.rmia_offline_a is {spec.rmia_offline_a}; expected a number from 0 to 1, "
            "or nothing to have it chosen with reference models"
        )
    if spec.HasField("augmentation"):
        _check_augmentation(spec.augmentation)


def with_reference_settings(attack: Attack, config: config_pb2.PrivacyConfig) -> Attack:
    """The attack with the settings that a resolved configuration has for it."""
    if not (isinstance(attack, Rmia) and config.HasField("references")):
        return attack
    spec = config.references
    a = spec.rmia_offline_a if spec.HasField("rmia_offline_a") else None
    return dataclasses.replace(attack, gamma=spec.rmia_gamma, offline_a=a)


def _check_augmentation(augmentation: config_pb2.Augmentation) -> None:
    if not _IMPORT_PATH.fullmatch(augmentation.function):
        raise InputError(
            f"references.augmentation.function is {augmentation.function!r}; expected an import "
            "path that workers can import, 'package.module.function' for example"
        )
    if augmentation.queries < _FEWEST_QUERIES:
        raise InputError(
            f"references.augmentation.queries is {augmentation.queries}; expected at least "
            f"{_FEWEST_QUERIES}, the record itself among them"
        )
