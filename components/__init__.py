"""The doors to TFX: nodes that a pipeline is built of. Importing this imports TFX."""

from tfx_privacy.components.privacy_evaluator.component import PrivacyEvaluator
from tfx_privacy.components.privacy_gate.component import PrivacyGate

__all__ = ["PrivacyEvaluator", "PrivacyGate"]
