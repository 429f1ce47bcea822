"""PrivacyConfig checked once, with every default filled in."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.metrics.registry import DEFAULT_METRICS, metric_from_spec, metric_key
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_plan import DEFAULT_SIGNATURE

DEFAULT_FIT_ROWS_PER_SIDE = 100_000
DEFAULT_BATCH_SIZE = 512
DEFAULT_CONFIDENCE = 0.95
DEFAULT_ATTACKS = ("standard",)


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
    _check_slicing_specs(resolved.slicing_specs)
    _resolve_attacks(resolved)
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
    is_read = config_pb2.BLIND_BASELINE not in config.skip_controls
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


def _check_slicing_specs(specs: Sequence[config_pb2.SlicingSpec]) -> None:
    for index, spec in enumerate(specs):
        features = [*spec.feature_keys, *spec.feature_values]
        if "" in features:
            raise InputError(
                f"slicing_specs[{index}] has an empty feature name; expected the name of a feature"
            )
        repeated = _repeated(features)
        if repeated:
            raise InputError(
                f"slicing_specs[{index}] names feature {repeated!r} more than once; "
                "expected each feature once"
            )


def _resolve_attacks(config: config_pb2.PrivacyConfig) -> None:
    try:
        attacks = resolve_attacks(tuple(config.attacks) or DEFAULT_ATTACKS)
    except ValueError as error:
        raise InputError(f"attacks: {error}") from error
    config.attacks[:] = [attack.name for attack in attacks]


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
    ):
        value = getattr(sizes, field)
        if value < 0:
            raise InputError(f"sample_sizes.{field} is {value}; expected a positive number of rows")
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
