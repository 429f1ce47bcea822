"""Slicing specs of a configuration: what can be said of them before any record is read."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.evaluation.slice_plan import require_task
from tfx_privacy.metrics.slicing import SIGNAL_FEATURES
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.saved_files import LABEL

_SIGNALS = ", ".join(map(config_pb2.SignalSlice.Name, SIGNAL_FEATURES))


def check_slicing_specs(
    specs: Sequence[config_pb2.SlicingSpec], model: config_pb2.ModelSpec
) -> None:
    """Refuses specs whose slices could not be made, or not be told apart.

    Args:
      specs: What to slice by.
      model: Says what the label is called, and perhaps the task.

    Raises:
      InputError: If a name is empty or stands twice in a spec, a signal is unknown, a
        class is crossed with itself, or a feature has the name of slices by a signal.
    """
    for index, spec in enumerate(specs):
        _check_names(index, [*spec.feature_keys, *spec.feature_values])
        _check_signals(index, spec, model)
    _check_apart(specs, model)
    require_task(specs, model.task)


def _check_names(index: int, features: Sequence[str]) -> None:
    if "" in features:
        raise InputError(
            f"slicing_specs[{index}] has an empty feature name; expected the name of a feature"
        )
    repeated = [name for place, name in enumerate(features) if name in features[:place]]
    if repeated:
        raise InputError(
            f"slicing_specs[{index}] names feature {repeated[0]!r} more than once; "
            "expected each feature once"
        )


def _check_signals(index: int, spec: config_pb2.SlicingSpec, model: config_pb2.ModelSpec) -> None:
    for place, signal in enumerate(spec.signals):
        if signal not in SIGNAL_FEATURES:
            raise InputError(
                f"slicing_specs[{index}].signals[{place}] is {signal}; expected one of {_SIGNALS}"
            )
        name = config_pb2.SignalSlice.Name(signal)
        if signal in spec.signals[:place]:
            raise InputError(
                f"slicing_specs[{index}] names {name} more than once; expected each signal once"
            )
    label = model.label_key or LABEL
    if config_pb2.CLASS in spec.signals and label in {*spec.feature_keys, *spec.feature_values}:
        raise InputError(
            f"slicing_specs[{index}] names the label {label!r} and CLASS, which are the same; "
            "expected one of them"
        )


def _check_apart(specs: Sequence[config_pb2.SlicingSpec], model: config_pb2.ModelSpec) -> None:
    """Two slices of one key must be one: a feature may not be called like a signal's slices."""
    taken = {SIGNAL_FEATURES[signal]: signal for spec in specs for signal in spec.signals}
    if model.label_key in ("", LABEL):
        # The feature of that name is the class itself.
        taken.pop(SIGNAL_FEATURES[config_pb2.CLASS], None)
    for index, spec in enumerate(specs):
        for feature in (*spec.feature_keys, *spec.feature_values):
            if feature in taken:
                name = config_pb2.SignalSlice.Name(taken[feature])
                raise InputError(
                    f"slicing_specs[{index}] names the feature {feature!r}, and slices by {name} "
                    "have that name too, so that they could not be told apart; expected a feature "
                    f"of another name, or no slices by {name}"
                )
