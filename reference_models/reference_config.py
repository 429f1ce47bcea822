"""ReferenceModelsConfig checked once, with every default filled in."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.membership import check_count
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_plan import DEFAULT_SIGNATURE

DEFAULT_MODELS = 8
DEFAULT_MOST_FAVOURED = 10.0
# Of Shokri et al. 2017, Algorithm 1.
_HILL_CLIMBING = {"k_max": 128, "k_min": 4, "conf_min": 0.2, "rej_max": 10, "iter_max": 1000}


def resolve_reference_config(
    config: references_pb2.ReferenceModelsConfig, *, has_transform_graph: bool
) -> references_pb2.ReferenceModelsConfig:
    """A copy of the configuration with every default filled in.

    Resolving twice changes nothing. `synthetic.records` stays unset where it is: its
    default is told by the data.

    Args:
      config: As the user gave it.
      has_transform_graph: Whether the node is given Transform's graph.

    Raises:
      InputError: If a value is out of its range or unknown, or two do not go together;
        the message names the field.
    """
    resolved = references_pb2.ReferenceModelsConfig()
    resolved.CopyFrom(config)
    if not resolved.HasField("models"):
        resolved.models = DEFAULT_MODELS
    try:
        check_count(resolved.models)
    except InputError as error:
        raise InputError(f"models: {error}") from error
    _resolve_splits(resolved)
    _resolve_pool(resolved)
    _resolve_training_examples(resolved, has_transform_graph=has_transform_graph)
    _check_enum("steps", resolved.steps, references_pb2.StepRule)
    spec = resolved.model_spec
    spec.signature_name = spec.signature_name or DEFAULT_SIGNATURE
    return resolved


def evaluated_splits(config: references_pb2.ReferenceModelsConfig) -> tuple[str, ...]:
    """The names of the target's splits, members' first, of a resolved configuration."""
    return (*config.splits.members, *config.splits.nonmembers)


def _resolve_splits(config: references_pb2.ReferenceModelsConfig) -> None:
    if not config.splits.members:
        config.splits.members.append("train")
    if not config.splits.nonmembers:
        config.splits.nonmembers.append("eval")
    repeated = _repeated(evaluated_splits(config))
    if repeated:
        raise InputError(
            f"split {repeated!r} is named more than once in splits: members are "
            f"{list(config.splits.members)}, nonmembers are {list(config.splits.nonmembers)}; "
            "expected each split once, as records the target was trained on or as records it "
            "was not"
        )


def _resolve_pool(config: references_pb2.ReferenceModelsConfig) -> None:
    kind = config.WhichOneof("pool")
    if kind is None:
        config.online.SetInParent()
    elif kind == "offline":
        _check_splits("offline.splits", config.offline.splits)
        shared = sorted(set(config.offline.splits) & set(evaluated_splits(config)))
        if shared:
            raise InputError(
                f"offline.splits names {shared[0]!r}, which is among the evaluated splits "
                f"{', '.join(evaluated_splits(config))}: expected splits of their own, or "
                "`online`, which draws from the evaluated splits"
            )
    elif kind == "synthetic":
        _resolve_synthetic(config)


def _resolve_synthetic(config: references_pb2.ReferenceModelsConfig) -> None:
    pool = config.synthetic
    if not config.model_spec.label_key:
        raise InputError(
            "model_spec.label_key is empty: expected the name of the feature that holds the "
            "label, which is the target's answer for records that are made up"
        )
    if pool.HasField("records") and pool.records < 2:
        raise InputError(f"synthetic.records is {pool.records}: expected at least 2")
    excluded = pool.excluded_feature_keys
    _check_names("synthetic.excluded_feature_keys", excluded, "feature")
    source = pool.WhichOneof("source")
    if source is None:
        raise InputError(
            "synthetic has no source: expected one of model_based, marginals, noisy and "
            "biased_sample"
        )
    if source == "model_based":
        _resolve_model_based(pool.model_based)
    elif source == "marginals":
        _check_marginals(pool.marginals)
    elif source == "noisy":
        _check_splits("synthetic.noisy.splits", pool.noisy.splits)
        _check_enum("synthetic.noisy.noise", pool.noisy.noise, references_pb2.Noise)
        if not 0 <= pool.noisy.share <= 1:
            raise InputError(
                f"synthetic.noisy.share is {pool.noisy.share}: expected a share in [0, 1]"
            )
    else:
        _check_splits("synthetic.biased_sample.splits", pool.biased_sample.splits)
        if not pool.biased_sample.HasField("most_favoured"):
            pool.biased_sample.most_favoured = DEFAULT_MOST_FAVOURED
        if not pool.biased_sample.most_favoured > 1:
            raise InputError(
                f"synthetic.biased_sample.most_favoured is {pool.biased_sample.most_favoured}: "
                "expected a number above 1"
            )


def _resolve_model_based(spec: references_pb2.ModelBased) -> None:
    for field, default in _HILL_CLIMBING.items():
        if not spec.HasField(field):  # type: ignore[arg-type]
            setattr(spec, field, default)
    name = "synthetic.model_based"
    if not 1 <= spec.k_min <= spec.k_max:
        raise InputError(
            f"{name}.k_min is {spec.k_min} and k_max is {spec.k_max}: expected 1 <= k_min <= k_max"
        )
    if not 0 <= spec.conf_min < 1:
        raise InputError(f"{name}.conf_min is {spec.conf_min}: expected a probability in [0, 1)")
    if spec.rej_max < 0:
        raise InputError(f"{name}.rej_max is {spec.rej_max}: expected at least 0")
    if spec.iter_max < 1:
        raise InputError(f"{name}.iter_max is {spec.iter_max}: expected at least 1")


def _check_marginals(spec: references_pb2.Marginals) -> None:
    _check_enum("synthetic.marginals.source", spec.source, references_pb2.MarginalsFrom)
    if spec.source != references_pb2.STATISTICS:
        _check_splits("synthetic.marginals.splits", spec.splits)
    elif spec.splits:
        raise InputError(
            f"synthetic.marginals.splits names {spec.splits[0]!r} where the source is STATISTICS: "
            "expected none, or the source DATA or DATA_PER_CLASS"
        )


def _resolve_training_examples(
    config: references_pb2.ReferenceModelsConfig, *, has_transform_graph: bool
) -> None:
    _check_enum("training_examples", config.training_examples, references_pb2.TrainingExamples)
    if config.training_examples == references_pb2.TRAINING_EXAMPLES_UNSPECIFIED:
        if has_transform_graph:
            raise InputError(
                "training_examples is not set, and there is a transform graph: expected "
                "TRANSFORMED_EXAMPLES where run_fn reads what Transform has materialised, as "
                "with a Trainer on its transformed_examples, and RAW_EXAMPLES where it reads the "
                "examples as they are"
            )
        config.training_examples = references_pb2.RAW_EXAMPLES
    if config.training_examples == references_pb2.TRANSFORMED_EXAMPLES and not has_transform_graph:
        raise InputError(
            "training_examples is TRANSFORMED_EXAMPLES, and there is no transform graph: expected "
            "the node to be given Transform's transform_graph, or RAW_EXAMPLES"
        )


def _check_splits(field: str, names: Sequence[str]) -> None:
    if not names:
        raise InputError(f"{field} is empty: expected the name of a split, or several")
    _check_names(field, names, "split")


def _check_names(field: str, names: Sequence[str], what: str) -> None:
    if "" in names:
        raise InputError(f"{field} has an empty name: expected names of {what}s")
    repeated = _repeated(names)
    if repeated:
        raise InputError(f"{field} names {repeated!r} more than once: expected each {what} once")


def _repeated(names: Sequence[str]) -> str:
    """The first name that occurs a second time; "" where each occurs once."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _check_enum(field: str, value: int, enum: type) -> None:
    known = enum.values()  # type: ignore[attr-defined]
    if value not in known:
        names = ", ".join(enum.Name(number) for number in known)  # type: ignore[attr-defined]
        raise InputError(f"{field} is {value}: expected one of {names}")
