"""The doors to TFX: nodes that a pipeline is built of. Importing this imports TFX."""

from tfx_privacy.components.privacy_evaluator.component import PrivacyEvaluator
from tfx_privacy.components.privacy_gate.component import PrivacyGate
from tfx_privacy.components.reference_trainer.component import ReferenceTrainer
from tfx_privacy.components.reference_trainer.nodes import reference_trainer_nodes

__all__ = ["PrivacyEvaluator", "PrivacyGate", "ReferenceTrainer", "reference_trainer_nodes"]
