"""The plan by which workers compute white-box signals: made once, where the job is built.

Importing this does not import TensorFlow.
"""

from __future__ import annotations

import dataclasses

from tfx_privacy.signals.white_box_layout import WhiteBoxLayout


@dataclasses.dataclass(frozen=True)
class WhiteBoxPlan:
    """What a worker needs to know beside the plan of the target.

    Attributes:
      layout: What is taken of which layer.
      activation_width: Outputs of more numbers are projected to so many.
      batch_size: Examples whose gradients are computed at once; fewer than the target is
        run on where memory did not suffice for so many on the first examples.
    """

    layout: WhiteBoxLayout
    activation_width: int
    batch_size: int
