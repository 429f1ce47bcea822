"""The part of PrivacyConfig about white-box signals, checked, with its defaults."""

from __future__ import annotations

import re

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError

DEFAULT_SKETCH_ROWS = 16
DEFAULT_SKETCH_COLUMNS = 16
DEFAULT_ACTIVATION_WIDTH = 256
# A row of the table would take megabytes with more.
_MOST_OF_A_SKETCH = 256
_WIDEST_ACTIVATION = 65_536

_SIGNALS = (config_pb2.GRADIENT_NORMS, config_pb2.GRADIENT_SKETCHES, config_pb2.ACTIVATIONS)


def resolve_white_box(config: config_pb2.PrivacyConfig) -> None:
    """Fills in the defaults of `white_box`, where it is set.

    Which layers are meant shows when the model is at hand.

    Raises:
      InputError: If a value is out of its range or unknown; the message names the field.
    """
    if not config.HasField("white_box"):
        return
    spec = config.white_box
    _resolve_sizes(spec)
    _check_skipped(spec)
    for field, (_, selection) in _selections(spec).items():
        _check_selection(selection, f"white_box.{field}")


def _selections(
    spec: config_pb2.WhiteBoxSpec,
) -> dict[str, tuple[config_pb2.WhiteBoxSignal.ValueType, config_pb2.LayerSelection]]:
    """The fields that select layers and are set: for which signal, and what."""
    found = {}
    if spec.HasField("norms"):
        found["norms"] = (config_pb2.GRADIENT_NORMS, spec.norms)
    if spec.HasField("sketches"):
        found["sketches"] = (config_pb2.GRADIENT_SKETCHES, spec.sketches)
    if spec.HasField("activations"):
        found["activations"] = (config_pb2.ACTIVATIONS, spec.activations)
    return found


def _resolve_sizes(spec: config_pb2.WhiteBoxSpec) -> None:
    for field, default, most in (
        ("sketch_rows", DEFAULT_SKETCH_ROWS, _MOST_OF_A_SKETCH),
        ("sketch_columns", DEFAULT_SKETCH_COLUMNS, _MOST_OF_A_SKETCH),
        ("activation_width", DEFAULT_ACTIVATION_WIDTH, _WIDEST_ACTIVATION),
    ):
        value = getattr(spec, field)
        if not 0 <= value <= most:
            raise InputError(
                f"white_box.{field} is {value}; expected a number from 1 to {most:,}, or nothing "
                f"for {default}"
            )
        setattr(spec, field, value or default)


def _check_skipped(spec: config_pb2.WhiteBoxSpec) -> None:
    names = {number: config_pb2.WhiteBoxSignal.Name(number) for number in _SIGNALS}
    for index, signal in enumerate(spec.skip):
        if signal not in names:
            raise InputError(
                f"white_box.skip[{index}] is {signal}; expected one of {', '.join(names.values())}"
            )
        if signal in spec.skip[:index]:
            raise InputError(
                f"white_box.skip names {names[signal]} more than once; expected each signal once"
            )
    for field, (signal, _) in _selections(spec).items():
        if signal in spec.skip:
            raise InputError(
                f"white_box.{field} selects layers for {names[signal]}, which white_box.skip "
                "names; expected one of the two"
            )
    if len(spec.skip) == len(names):
        raise InputError(
            f"white_box.skip names all signals, {', '.join(names.values())}; expected at most "
            "two of them, or white_box unset"
        )


def _check_selection(selection: config_pb2.LayerSelection, field: str) -> None:
    if "" in selection.names:
        raise InputError(f"{field}.names has an empty name; expected names of layers")
    for part in ("names", "indices"):
        values = list(getattr(selection, part))
        repeated = next((each for each in values if values.count(each) > 1), None)
        if repeated is not None:
            raise InputError(
                f"{field}.{part} has {repeated!r} more than once; expected each layer once"
            )
    if selection.last < 0:
        raise InputError(f"{field}.last is {selection.last}; expected a positive number")
    try:
        re.compile(selection.pattern)
    except re.error as error:
        raise InputError(
            f"{field}.pattern is {selection.pattern!r}, which is no regular expression ({error}); "
            "expected one that whole names of layers match"
        ) from error
