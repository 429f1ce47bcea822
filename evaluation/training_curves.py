"""How attacks' training went, for TensorBoard."""

from __future__ import annotations

from tfx_privacy.evaluation.suite import FittedSuite

FOLDER = "tensorboard"


def write_training_curves(suite: FittedSuite, metrics_dir: str) -> None:
    """Writes the curves of each attack that has some into `tensorboard/<attack>`.

    Nothing is written, and TensorFlow not imported, where none has.

    Args:
      suite: The attacks as they were fitted on FIT rows.
      metrics_dir: The directory of the metrics.
    """
    if any(attack.curves for attack in suite.attacks.values()):
        raise NotImplementedError
