"""Typed features from the schema of a TFX pipeline."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tfx_privacy.reference_models.synthesis.features import (
    Binary,
    BoundedReal,
    Categorical,
    Feature,
    FeatureTable,
    Kind,
)
from tfx_privacy.signals.errors import InputError

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    Domain: TypeAlias = (
        schema_pb2.BoolDomain
        | schema_pb2.StringDomain
        | schema_pb2.IntDomain
        | schema_pb2.FloatDomain
    )

_NEEDED = (
    "synthesis needs a domain and a dense shape for each feature: add them to the schema, or name "
    "the feature in excluded_feature_keys if the model does without it"
)
_DOMAINS = {
    "INT": "an int_domain with min and max, or a bool_domain",
    "FLOAT": "a float_domain with min and max",
    "BYTES": "a string_domain with its values, or a bool_domain",
}


def features_from_schema(
    schema: schema_pb2.Schema, leave_out: Collection[str] = ()
) -> FeatureTable:
    """The features of a schema, in its order.

    Two values make a feature binary, several integers or strings categorical, a float_domain a
    bounded real. An int_domain is categorical whether it says so or not. Features that the schema
    says are deprecated, disabled or planned are left out. A value is never missing.

    Args:
      schema: As SchemaGen or a user wrote it.
      leave_out: Features that are not inputs of the model, such as the label.

    Raises:
      InputError: If features have no domain, are not dense, or have a domain that does not go with
        their type (all of them are named, with what to add); or a name to leave out is not in the
        schema.
    """
    names = [feature.name for feature in schema.feature]
    if unknown := sorted(set(leave_out) - set(names)):
        raise InputError(f"features {unknown} to leave out are not in the schema; it has {names}")
    features, wrong = [], []
    for feature in schema.feature:
        if feature.name in leave_out or not _in_use(feature):
            continue
        try:
            features.append(Feature(feature.name, _kind(feature, schema), _shape(feature)))
        except InputError as error:
            wrong.append(f"feature {feature.name!r} of the schema has {error}")
    if wrong:
        raise InputError(f"{'; '.join(wrong)}. {_NEEDED[0].upper()}{_NEEDED[1:]}")
    return FeatureTable(tuple(features))


def _in_use(feature: schema_pb2.Feature) -> bool:
    from tensorflow_metadata.proto.v0 import schema_pb2

    return not feature.deprecated and feature.lifecycle_stage not in (
        schema_pb2.PLANNED,
        schema_pb2.DEPRECATED,
        schema_pb2.DISABLED,
    )


def _shape(feature: schema_pb2.Feature) -> tuple[int, ...]:
    """() for one value, otherwise the dense shape."""
    if not feature.HasField("shape"):
        if feature.value_count.max == 1:
            return ()
        raise InputError("any number of values: add a shape, or a value_count of at most 1")
    sizes = tuple(dim.size for dim in feature.shape.dim)
    if any(size < 1 for size in sizes):
        raise InputError(f"the shape {sizes}, expected known sizes")
    return () if sizes == (1,) else sizes


def _kind(feature: schema_pb2.Feature, schema: schema_pb2.Schema) -> Kind:
    which = feature.WhichOneof("domain_info")
    if which is None:
        raise _no_domain(feature, "no domain")
    if which == "domain":
        which, domain = _named_domain(feature.domain, schema)
    else:
        domain = getattr(feature, which)
    readers = {
        "bool_domain": _from_bool,
        "string_domain": _from_string,
        "int_domain": _from_int,
        "float_domain": _from_float,
    }
    if which not in readers:
        raise _no_domain(feature, f"a domain of another sort, {which}")
    return readers[which](feature, domain)


def _named_domain(name: str, schema: schema_pb2.Schema) -> tuple[str, Domain]:
    """A domain at the schema's top level, which several features may share."""
    for which in ("string_domain", "int_domain", "float_domain"):
        for domain in getattr(schema, which):
            if domain.name == name:
                return which, domain
    raise InputError(f"the domain {name!r}, which is not in the schema")


def _from_bool(feature: schema_pb2.Feature, domain: schema_pb2.BoolDomain) -> Kind:
    if _type_of(feature) != "BYTES":
        return Binary((0, 1))
    return Binary((domain.false_value or "false", domain.true_value or "true"))


def _from_string(feature: schema_pb2.Feature, domain: schema_pb2.StringDomain) -> Kind:
    if not domain.value:
        raise _no_domain(feature, "a string_domain without values")
    if _type_of(feature) == "BYTES":
        return _of_values(tuple(domain.value))
    # What TFDV infers for integers that are said to be categorical.
    _require_type(feature, "INT")
    try:
        return _of_values(tuple(int(value) for value in domain.value))
    except ValueError:
        raise InputError(
            f"type INT, but its string_domain has values that are no integers: "
            f"{list(domain.value)[:5]}"
        ) from None


def _from_int(feature: schema_pb2.Feature, domain: schema_pb2.IntDomain) -> Kind:
    _require_type(feature, "INT")
    _require_bounds(feature, domain)
    return _of_values(range(domain.min, domain.max + 1))


def _from_float(feature: schema_pb2.Feature, domain: schema_pb2.FloatDomain) -> Kind:
    _require_type(feature, "FLOAT")
    if domain.is_categorical:
        raise _no_domain(
            feature, "a float_domain that is categorical, which does not say its values"
        )
    _require_bounds(feature, domain)
    return BoundedReal(domain.min, domain.max)


def _of_values(values: tuple[str, ...] | tuple[int, ...] | range) -> Kind:
    return Binary((values[0], values[1])) if len(values) == 2 else Categorical(values)


def _require_type(feature: schema_pb2.Feature, expected: str) -> None:
    if (found := _type_of(feature)) != expected:
        raise InputError(f"a domain of type {expected}, but is itself of type {found}")


def _require_bounds(
    feature: schema_pb2.Feature, domain: schema_pb2.IntDomain | schema_pb2.FloatDomain
) -> None:
    lacking = [bound for bound in ("min", "max") if not domain.HasField(bound)]
    if lacking:
        raise _no_domain(feature, f"a domain without {' and '.join(lacking)}")
    # NaN is not in order either.
    if not domain.min <= domain.max:
        raise InputError(f"a domain from {domain.min} to {domain.max}, expected min <= max")
    if not np.isfinite(domain.min) or not np.isfinite(domain.max):
        raise _no_domain(feature, f"a domain from {domain.min} to {domain.max}")


def _type_of(feature: schema_pb2.Feature) -> str:
    from tensorflow_metadata.proto.v0 import schema_pb2

    return str(schema_pb2.FeatureType.Name(feature.type))


def _no_domain(feature: schema_pb2.Feature, found: str) -> InputError:
    return InputError(f"{found}: add {_DOMAINS.get(_type_of(feature), 'a type and a domain')}")
