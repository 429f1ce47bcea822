"""Membership-inference evaluation and a privacy gate for TFX pipelines.

The names below are loaded when they are first used (PEP 562), so that importing
the package brings in neither TensorFlow nor TFX nor Beam.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tfx_privacy.version import __version__

if TYPE_CHECKING:
    from tfx_privacy.components import (
        PrivacyEvaluator,
        PrivacyGate,
        ReferenceTrainer,
        reference_trainer_nodes,
    )
    from tfx_privacy.components.artifacts import (
        PrivacyMetrics,
        PrivacySignals,
        PrivacyVerdict,
        RecordRisk,
        ReferenceModels,
    )
    from tfx_privacy.evaluation.load import load_metrics
    from tfx_privacy.keras_callback import PrivacyCallback
    from tfx_privacy.proto.privacy_config_pb2 import PrivacyConfig
    from tfx_privacy.proto.privacy_results_pb2 import PrivacyResults
    from tfx_privacy.proto.privacy_thresholds_pb2 import PrivacyThresholds
    from tfx_privacy.proto.reference_models_pb2 import ReferenceModelsConfig

__all__ = [
    "PrivacyCallback",
    "PrivacyConfig",
    "PrivacyEvaluator",
    "PrivacyGate",
    "PrivacyMetrics",
    "PrivacyResults",
    "PrivacySignals",
    "PrivacyThresholds",
    "PrivacyVerdict",
    "RecordRisk",
    "ReferenceModels",
    "ReferenceModelsConfig",
    "ReferenceTrainer",
    "__version__",
    "load_metrics",
    "reference_trainer_nodes",
]

_HOMES = {
    "PrivacyCallback": "tfx_privacy.keras_callback",
    "PrivacyConfig": "tfx_privacy.proto.privacy_config_pb2",
    "PrivacyEvaluator": "tfx_privacy.components",
    "PrivacyGate": "tfx_privacy.components",
    "PrivacyMetrics": "tfx_privacy.components.artifacts",
    "PrivacyResults": "tfx_privacy.proto.privacy_results_pb2",
    "PrivacySignals": "tfx_privacy.components.artifacts",
    "PrivacyThresholds": "tfx_privacy.proto.privacy_thresholds_pb2",
    "PrivacyVerdict": "tfx_privacy.components.artifacts",
    "RecordRisk": "tfx_privacy.components.artifacts",
    "ReferenceModels": "tfx_privacy.components.artifacts",
    "ReferenceModelsConfig": "tfx_privacy.proto.reference_models_pb2",
    "ReferenceTrainer": "tfx_privacy.components",
    "load_metrics": "tfx_privacy.evaluation.load",
    "reference_trainer_nodes": "tfx_privacy.components",
}


def __getattr__(name: str) -> object:
    """The public name, from the module that defines it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not, with what is there already."""
    return sorted({*globals(), *__all__})
