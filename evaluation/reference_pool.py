"""Which records reference models were trained on: what their artifact says, made splits."""

from __future__ import annotations

from collections.abc import Callable

from tfx_privacy.evaluation.reference_models_input import ReferenceModelsInput
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.reference_models.artifact import read_description
from tfx_privacy.reference_models.synthetic_pool import synthetic_split
from tfx_privacy.signals.examples import ExampleSplit


def reference_models_input(
    directory: str, uri: str, split_of: Callable[[str], ExampleSplit]
) -> ReferenceModelsInput:
    """Reference models, with the splits that an offline pool is made of.

    Args:
      directory: The folder of the ReferenceModels artifact.
      uri: What the results call it.
      split_of: Finds one of the splits at hand by its name, as one of no member.

    Raises:
      InputError: If the folder holds no reference models, or `split_of` finds no split.
    """
    config = read_description(directory).config
    pool: tuple[ExampleSplit, ...] = ()
    if config.WhichOneof("pool") == "offline":
        pool = tuple(split_of(name) for name in config.offline.splits)
    elif config.WhichOneof("pool") == "synthetic":
        pool = (synthetic_split(directory),)
    return ReferenceModelsInput(directory, uri, pool)


def with_references(config: config_pb2.PrivacyConfig) -> config_pb2.PrivacyConfig:
    """The configuration of a measurement that is given reference models: `references` is set."""
    changed = config_pb2.PrivacyConfig()
    changed.CopyFrom(config)
    changed.references.SetInParent()
    return changed
