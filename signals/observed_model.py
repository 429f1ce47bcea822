"""What a worker runs: the target model, loaded once, as an attacker sees it outside and inside."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.signals.labels import Labels
from tfx_privacy.signals.saved_model import SavedModel
from tfx_privacy.signals.target import Target, TargetOutput
from tfx_privacy.signals.target_plan import TargetPlan
from tfx_privacy.signals.target_program import TargetProgram
from tfx_privacy.signals.white_box_target import WhiteBoxSignals, WhiteBoxTarget


class ObservedModel:
    """The target; may be used by several threads at once."""

    def __init__(self, target: Target, white_box: WhiteBoxTarget | None) -> None:
        self._target = target
        self._white_box = white_box

    @classmethod
    def load(cls, plan: TargetPlan) -> ObservedModel:
        """Loads and traces the model. Slow: once in a process.

        Raises:
          InputError: If the model is not there, or not the one that was planned for.
        """
        model = SavedModel.load(plan.model_dir)
        program = TargetProgram.build(plan, model)
        target = Target.of(program)
        if plan.white_box is None:
            return cls(target, None)
        return cls(target, WhiteBoxTarget(program, model, plan.white_box))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was slow or otherwise than asked so far, in sentences."""
        return self._white_box.notes if self._white_box else ()

    def run(self, serialized: Sequence[bytes]) -> TargetOutput:
        """What it answers; see `Target.run`."""
        return self._target.run(serialized)

    def look_inside(self, serialized: Sequence[bytes], labels: Labels) -> WhiteBoxSignals:
        """White-box signals, where the plan asks for some; see `WhiteBoxTarget.run`."""
        return self._white_box.run(serialized, labels) if self._white_box else WhiteBoxSignals()
