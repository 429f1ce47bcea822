"""PrivacyConfig checked once, with every default filled in."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tfx_privacy.attacks.attacker import SIGNALS
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.attack_network_config import resolve_attack_network
from tfx_privacy.evaluation.reference_spec_config import resolve_references
from tfx_privacy.evaluation.slicing_specs import check_slicing_specs
from tfx_privacy.evaluation.suite import attacks_of
from tfx_privacy.evaluation.white_box_config import resolve_white_box
from tfx_privacy.metrics.registry import DEFAULT_METRICS, metric_from_spec, metric_key
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_plan import DEFAULT_SIGNATURE

DEFAULT_FIT_ROWS_PER_SIDE = 100_000
DEFAULT_BATCH_SIZE = 512
DEFAULT_MAX_SLICES = 1_000
DEFAULT_CONFIDENCE = 0.95
DEFAULT_RISK_PRIOR = 0.5
# Sums of risks are told to some 2^-32: risks at a smaller prior would be lost in rounding.
_SMALLEST_PRIOR = 1e-6
DEFAULT_ATTACKS = ("standard",)
DEFAULT_WHITE_BOX_ATTACKS = ("standard", "white_box")
# Beside the others, where reference models are given.
DEFAULT_REFERENCE_ATTACKS = ("reference",)

# Part of names of attacks, files and columns.
_ATTACKER_NAME = re.compile("[A-Za-z0-9_-]+")


def resolve_config(config: config_pb2.PrivacyConfig) -> config_pb2.PrivacyConfig:
    """A copy of the configuration with every default filled in, attacks by name.

    Resolving twice changes nothing. `model_spec.label_key` is checked where it is
    needed: saved predictions have a column of a fixed name.

    Raises:
      InputError: If a value is out of its range or unknown; the message names the field.
    """
    resolved = config_pb2.PrivacyConfig()
    resolved.CopyFrom(config)
    _resolve_model(resolved.model_spec)
    _resolve_splits(resolved.splits)
    check_slicing_specs(resolved.slicing_specs, resolved.model_spec)
    _resolve_attacks(resolved)
    _resolve_attackers(resolved)
    resolve_white_box(resolved)
    resolve_attack_network(resolved)
    resolve_references(resolved)
    _resolve_metrics(resolved)
    _resolve_sizes(resolved.sample_sizes)
    _check_inputs(resolved.inputs)
    _check_skipped_controls(resolved.skip_controls)
    if not resolved.HasField("confidence"):
        resolved.confidence = DEFAULT_CONFIDENCE
    if not 0 < resolved.confidence < 1:
        raise InputError(
            f"confidence is {resolved.confidence}; expected a number in (0, 1), 0.95 for example"
        )
    if not resolved.HasField("keep_signals"):
        resolved.keep_signals = True
    _resolve_risk_prior(resolved)
    return resolved


def require_label_key(config: config_pb2.PrivacyConfig) -> None:
    """Raises InputError where the label's feature is not named."""
    if not config.model_spec.label_key:
        raise InputError(
            "model_spec.label_key is empty; expected the name of the feature that holds the label "
            "(neither a SavedModel nor an Examples artifact says which it is)"
        )


def slice_features(config: config_pb2.PrivacyConfig) -> tuple[str, ...]:
    """Every feature that a slicing spec names, sorted."""
    named = {
        feature
        for spec in config.slicing_specs
        for feature in (*spec.feature_keys, *spec.feature_values)
    }
    return tuple(sorted(named))


def recorded_inputs(config: config_pb2.PrivacyConfig) -> config_pb2.InputSpec | None:
    """Which inputs go into the signals table; None where nobody would read them."""
    is_read = config_pb2.BLIND_BASELINE not in config.skip_controls or any(
        attack.sees_inputs for attack in attacks_of(config)
    )
    return config.inputs if is_read or config.inputs.feature_keys else None


def _resolve_model(spec: config_pb2.ModelSpec) -> None:
    spec.signature_name = spec.signature_name or DEFAULT_SIGNATURE
    repeated = _repeated(spec.label_vocabulary)
    if repeated:
        raise InputError(
            f"model_spec.label_vocabulary names {repeated!r} more than once; expected each "
            "class once, in the order of the output's columns"
        )
    if spec.task == config_pb2.REGRESSION and spec.label_vocabulary:
        raise InputError(
            "model_spec.label_vocabulary is set for the task REGRESSION, which has no classes"
        )


def _resolve_splits(splits: config_pb2.SplitSpec) -> None:
    if not splits.members:
        splits.members.append("train")
    if not splits.nonmembers:
        splits.nonmembers.append("eval")
    repeated = _repeated([*splits.members, *splits.nonmembers])
    if repeated:
        raise InputError(
            f"split {repeated!r} is named more than once in splits: members are "
            f"{list(splits.members)}, nonmembers are {list(splits.nonmembers)}; expected each "
            "split once, as records the model was trained on or as records it was not"
        )


def _resolve_attacks(config: config_pb2.PrivacyConfig) -> None:
    default = DEFAULT_WHITE_BOX_ATTACKS if config.HasField("white_box") else DEFAULT_ATTACKS
    if config.HasField("references"):
        default = (*default, *DEFAULT_REFERENCE_ATTACKS)
    try:
        attacks = resolve_attacks(tuple(config.attacks) or default)
    except ValueError as error:
        raise InputError(f"attacks: {error}") from error
    config.attacks[:] = [attack.name for attack in attacks]


def _resolve_attackers(config: config_pb2.PrivacyConfig) -> None:
    for index, attacker in enumerate(config.attackers):
        field = f"attackers[{index}]"
        if not _ATTACKER_NAME.fullmatch(attacker.name):
            raise InputError(
                f"{field}.name is {attacker.name!r}; expected letters, digits, '-' and '_', one "
                "or more"
            )
        if not attacker.HasField("members_known"):
            attacker.members_known = 1.0
        if not 0 < attacker.members_known <= 1:
            raise InputError(
                f"{field}.members_known is {attacker.members_known}; expected a share in (0, 1]"
            )
        _resolve_seen(field, attacker)
        try:
            attacks = resolve_attacks(tuple(attacker.attacks) or tuple(config.attacks))
        except ValueError as error:
            raise InputError(f"{field}.attacks: {error}") from error
        attacker.attacks[:] = [attack.name for attack in attacks]
    repeated = _repeated([attacker.name for attacker in config.attackers])
    if repeated:
        raise InputError(
            f"attackers name {repeated!r} more than once; expected a name of each attacker's own"
        )


def _resolve_seen(field: str, attacker: config_pb2.Attacker) -> None:
    unknown = sorted(set(attacker.signals) - set(SIGNALS))
    if unknown:
        raise InputError(
            f"{field}.signals names {unknown[0]!r}; expected some of {', '.join(SIGNALS)}"
        )
    repeated = _repeated(attacker.signals)
    if repeated:
        raise InputError(
            f"{field}.signals names {repeated!r} more than once; expected each signal once"
        )
    attacker.signals[:] = [name for name in SIGNALS if name in attacker.signals] or SIGNALS


def _resolve_metrics(config: config_pb2.PrivacyConfig) -> None:
    if not config.metrics:
        config.metrics.extend(metric.spec() for metric in DEFAULT_METRICS)
    for index, spec in enumerate(config.metrics):
        try:
            config.metrics[index].CopyFrom(metric_from_spec(spec).spec())
        except ValueError as error:
            raise InputError(f"metrics[{index}]: {error}") from error
    repeated = _repeated([metric_key(metric_from_spec(spec)) for spec in config.metrics])
    if repeated:
        raise InputError(f"metrics name {repeated} more than once; expected each metric once")


def _resolve_sizes(sizes: config_pb2.SampleSizes) -> None:
    for field, default in (
        ("fit_rows_per_side", DEFAULT_FIT_ROWS_PER_SIDE),
        ("batch_size", DEFAULT_BATCH_SIZE),
        ("max_slices", DEFAULT_MAX_SLICES),
    ):
        value = getattr(sizes, field)
        if value < 0:
            raise InputError(f"sample_sizes.{field} is {value}; expected a positive number")
        setattr(sizes, field, value or default)


def _check_inputs(inputs: config_pb2.InputSpec) -> None:
    fields = (
        ("feature_keys", inputs.feature_keys),
        ("excluded_feature_keys", inputs.excluded_feature_keys),
    )
    for field, names in fields:
        if "" in names:
            raise InputError(f"inputs.{field} has an empty name; expected the names of features")
        repeated = _repeated(names)
        if repeated:
            raise InputError(
                f"inputs.{field} names {repeated!r} more than once; expected each feature once"
            )
    both = sorted(set(inputs.feature_keys) & set(inputs.excluded_feature_keys))
    if both:
        raise InputError(
            f"inputs names {both[0]!r} in feature_keys and in excluded_feature_keys; "
            "expected it in one of them"
        )


def _resolve_risk_prior(config: config_pb2.PrivacyConfig) -> None:
    if not config.HasField("risk_prior"):
        config.risk_prior = DEFAULT_RISK_PRIOR
    if not _SMALLEST_PRIOR <= config.risk_prior <= 1 - _SMALLEST_PRIOR:
        raise InputError(
            f"risk_prior is {config.risk_prior}; expected the share of members among the records "
            f"that a risk is stated for, a number from {_SMALLEST_PRIOR:g} to "
            f"{1 - _SMALLEST_PRIOR:g}, 0.5 for example"
        )


def _check_skipped_controls(controls: Sequence[config_pb2.Control.ValueType]) -> None:
    known = set(config_pb2.Control.values()) - {config_pb2.CONTROL_UNSPECIFIED}
    for index, control in enumerate(controls):
        if control not in known:
            names = ", ".join(config_pb2.Control.Name(number) for number in sorted(known))
            raise InputError(f"skip_controls[{index}] is {control}; expected one of {names}")
    repeated = _repeated([config_pb2.Control.Name(control) for control in controls])
    if repeated:
        raise InputError(
            f"skip_controls names {repeated} more than once; expected each control once"
        )


def _repeated(values: Sequence[str]) -> str:
    """The first value that occurs a second time; "" where each occurs once."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return ""
