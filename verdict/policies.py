"""The policies of a gate, with every default filled in."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2

# From simulations of how small a slice can be and still block a leak that matters.
MINIMUM_SLICE_MEMBERS = 200
MINIMUM_SLICE_NONMEMBERS = 100
# With one record a side there is nothing that an interval could be made of.
_FEWEST = 2


def resolve_policies(
    given: thresholds_pb2.PrivacyThresholds, resolved: thresholds_pb2.PrivacyThresholds
) -> None:
    """Checks the policies of `given` and writes them, without gaps, into `resolved`.

    Raises:
      ValueError: If a number of records is out of range, or a policy, a control or an
        attack is none, or stands twice.
    """
    if given.on_cannot_tell not in thresholds_pb2.OnCannotTell.values():
        raise ValueError(
            f"on_cannot_tell: found {given.on_cannot_tell}, "
            "expected NOT_BLESSED or BLESSED_WITH_WARNING"
        )
    if given.on_no_baseline not in thresholds_pb2.OnNoBaseline.values():
        raise ValueError(
            f"on_no_baseline: found {given.on_no_baseline}, "
            "expected SKIP_CHANGE or CANNOT_TELL_CHANGE"
        )
    resolved.on_cannot_tell = given.on_cannot_tell or thresholds_pb2.NOT_BLESSED
    resolved.on_no_baseline = given.on_no_baseline or thresholds_pb2.SKIP_CHANGE
    if given.HasField("minimum_records"):
        resolved.minimum_records.CopyFrom(given.minimum_records)
        for side, found in _sides(given.minimum_records):
            if found < 0:
                raise ValueError(f"minimum_records: found {found} {side}, expected 0 or more")
    resolved.minimum_slice_records.CopyFrom(_slice_minimum(given.minimum_slice_records))
    resolved.required_controls.extend(_controls(given))
    resolved.required_attacks.extend(_attacks(given))


def _slice_minimum(given: thresholds_pb2.RecordCounts) -> thresholds_pb2.RecordCounts:
    for side, found in _sides(given):
        # 0 is a field that was left open.
        if found != 0 and found < _FEWEST:
            raise ValueError(
                f"minimum_slice_records: found {found} {side}, expected {_FEWEST} or more"
            )
    return thresholds_pb2.RecordCounts(
        members=given.members or MINIMUM_SLICE_MEMBERS,
        nonmembers=given.nonmembers or MINIMUM_SLICE_NONMEMBERS,
    )


def _controls(
    given: thresholds_pb2.PrivacyThresholds,
) -> list[config_pb2.Control.ValueType]:
    controls = list(given.required_controls)
    known = [control for control in config_pb2.Control.values() if control]
    for control in controls:
        if control not in known:
            raise ValueError(
                f"required_controls: found {control}, expected some of "
                + ", ".join(config_pb2.Control.Name(one) for one in known)
            )
        if controls.count(control) > 1:
            raise ValueError(
                f"required_controls: found {config_pb2.Control.Name(control)} twice, "
                "expected each control once"
            )
    return controls


def _attacks(given: thresholds_pb2.PrivacyThresholds) -> list[str]:
    attacks = list(given.required_attacks)
    for attack in attacks:
        if not attack:
            raise ValueError("required_attacks: found an empty name, expected an attack's")
        if attacks.count(attack) > 1:
            raise ValueError(f"required_attacks: found {attack!r} twice, expected each attack once")
    return attacks


def _sides(counts: thresholds_pb2.RecordCounts) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("members", counts.members), ("nonmembers", counts.nonmembers)
