"""A look at the examples' schema before any example is read."""

from __future__ import annotations

from tensorflow_metadata.proto.v0 import schema_pb2

from tfx_privacy.evaluation.config import slice_features
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError


def check_features_in_schema(config: config_pb2.PrivacyConfig, schema: schema_pb2.Schema) -> None:
    """Raises InputError where the configuration names a feature the schema lacks.

    The label is left out: it may be a feature that Transform makes.
    """
    known = {feature.name for feature in schema.feature}
    label = config.model_spec.label_key
    named = [
        ("identity.key_feature", config.identity.key_feature),
        ("identity.unit_feature", config.identity.unit_feature),
        ("model_spec.example_weight_key", config.model_spec.example_weight_key),
        *(("slicing_specs", feature) for feature in slice_features(config)),
    ]
    for field, feature in named:
        if feature and feature != label and feature not in known:
            raise InputError(
                f"{field} names the feature {feature!r}, which the schema does not have; "
                f"it has {', '.join(sorted(known))}"
            )
