"""From features of tf.Examples to the tensors that a function of a model wants."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.saved_model import ModelFunction, Tensors, describe_spec
from tfx_privacy.signals.target_features import (
    FeatureKind,
    FeatureLayout,
    ParsedFeature,
    SeenFeature,
    feature_for_input,
)

_DTYPES = {
    FeatureKind.FLOAT: tf.float32,
    FeatureKind.INT64: tf.int64,
    FeatureKind.BYTES: tf.string,
}


def plan_parsing(
    function: ModelFunction, input_name: str, feature_name: str, seen: SeenFeature
) -> ParsedFeature:
    """How a feature is parsed so that it suits an input.

    A dense input of [batch] or [batch, d, ...] makes a feature of so many values. One
    dimension may be open; it is then what all examples of the sample have.

    Raises:
      InputError: If the feature's kind or number of values does not suit the input.
    """
    spec = function.input_specs[input_name]
    what = f"input {input_name!r} ({describe_spec(spec)}) of {function.name!r}"
    kind = seen.kind or _natural_kind(spec.dtype)
    if not _castable(_DTYPES[kind], spec.dtype):
        raise InputError(f"{what} cannot take feature {feature_name!r}, which holds {kind.value}s")
    if isinstance(spec, tf.SparseTensorSpec) and spec.shape.rank == 2:
        return ParsedFeature(feature_name, kind, FeatureLayout.SPARSE)
    if isinstance(spec, tf.RaggedTensorSpec) and spec.shape.rank == 2:
        return ParsedFeature(feature_name, kind, FeatureLayout.RAGGED)
    if not isinstance(spec, tf.TensorSpec) or not spec.shape.rank:
        raise InputError(f"{what} cannot be fed from a feature: expected a tensor [batch, ...]")
    return ParsedFeature(
        feature_name, kind, FeatureLayout.DENSE, _dense_shape(spec, feature_name, seen, what)
    )


def parse(serialized: tf.Tensor, features: Iterable[ParsedFeature]) -> dict[str, Any]:
    """The features of a batch of serialised tf.Examples, by name."""
    specs = {feature.name: _parsing_spec(feature) for feature in features}
    parsed: dict[str, Any] = tf.io.parse_example(serialized, specs) if specs else {}
    return parsed


def inputs_of(function: ModelFunction, features: Mapping[str, Any]) -> Tensors:
    """What to call a function with, out of features by name.

    Raises:
      InputError: If a feature is missing or does not suit its input.
    """
    inputs = {}
    for input_name, spec in function.input_specs.items():
        feature_name = feature_for_input(input_name, features)
        if feature_name is None:
            raise InputError(f"there is no feature for input {input_name!r} of {function.name!r}")
        what = f"feature {feature_name!r} for input {input_name!r} of {function.name!r}"
        inputs[input_name] = fit(features[feature_name], spec, what)
    return inputs


def fit(tensor: Any, spec: tf.TypeSpec, what: str) -> Any:
    """A tensor in the type and shape that is wanted.

    Numbers are cast, [batch] and [batch, 1] are turned into one another, and sparse,
    ragged and dense tensors into sparse or ragged ones. A sparse or ragged tensor is
    never made dense: the filling is the training pipeline's secret.

    Raises:
      InputError: If the tensor does not suit.
    """
    if not _castable(tensor.dtype, spec.dtype):
        raise InputError(f"{what} is {tensor.dtype.name}: expected {describe_spec(spec)}")
    if tensor.dtype != spec.dtype:
        tensor = tf.cast(tensor, spec.dtype)
    if isinstance(spec, tf.SparseTensorSpec):
        return tensor if isinstance(tensor, tf.SparseTensor) else _to_ragged(tensor).to_sparse()
    if isinstance(spec, tf.RaggedTensorSpec):
        return _to_ragged(tensor).with_row_splits_dtype(spec.row_splits_dtype)
    if not isinstance(tensor, tf.Tensor):
        raise InputError(
            f"{what} is {'sparse' if isinstance(tensor, tf.SparseTensor) else 'ragged'}: "
            f"expected {describe_spec(spec)}"
        )
    return _in_shape(tensor, spec, what)


def _natural_kind(dtype: tf.DType) -> FeatureKind:
    if dtype == tf.string:
        return FeatureKind.BYTES
    return FeatureKind.FLOAT if dtype.is_floating else FeatureKind.INT64


def _castable(have: tf.DType, want: tf.DType) -> bool:
    """Whether values can be cast without losing what they mean."""
    if have == want:
        return True
    if have.is_floating:
        return bool(want.is_floating)
    return bool(have.is_integer and (want.is_floating or want.is_integer or want == tf.bool))


def _dense_shape(
    spec: tf.TensorSpec, feature_name: str, seen: SeenFeature, what: str
) -> tuple[int, ...]:
    sizes = list(spec.shape[1:])
    known = math.prod(size for size in sizes if size is not None)
    lengths = sorted(seen.lengths)
    if None in sizes:
        if len(lengths) != 1 or sizes.count(None) != 1 or known == 0 or lengths[0] % known:
            raise InputError(
                f"{what} has dimensions of unknown size, and feature {feature_name!r} has "
                f"{', '.join(map(str, lengths))} values an example: expected one number that "
                "tells them"
            )
        sizes[sizes.index(None)] = lengths[0] // known
    expected = math.prod(sizes)
    if lengths and lengths != [expected]:
        raise InputError(
            f"{what} wants {expected} values an example, but feature {feature_name!r} has "
            f"{', '.join(map(str, lengths))}"
        )
    return tuple(sizes)


def _parsing_spec(feature: ParsedFeature) -> Any:
    dtype = _DTYPES[feature.kind]
    if feature.layout is FeatureLayout.SPARSE:
        return tf.io.VarLenFeature(dtype)
    if feature.layout is FeatureLayout.RAGGED:
        return tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64)
    return tf.io.FixedLenFeature(feature.shape, dtype)


def _to_ragged(tensor: Any) -> Any:
    if isinstance(tensor, tf.SparseTensor):
        return tf.RaggedTensor.from_sparse(tensor)
    if isinstance(tensor, tf.Tensor):
        return tf.RaggedTensor.from_tensor(tensor)
    return tensor


def _in_shape(tensor: tf.Tensor, spec: tf.TensorSpec, what: str) -> tf.Tensor:
    if spec.shape.rank is None or tensor.shape.is_compatible_with(spec.shape):
        return tensor
    have, want = tensor.shape[1:], spec.shape[1:]
    if (
        have.is_fully_defined()
        and want.is_fully_defined()
        and have.num_elements() == want.num_elements() == 1
    ):
        return tf.reshape(tensor, [-1, *want])
    raise InputError(
        f"{what} is {describe_spec(tf.TensorSpec(tensor.shape, tensor.dtype))}: expected "
        f"{describe_spec(spec)}"
    )
