"""Transform's graph: what it takes, what it gives, and which of the two some examples are."""

from __future__ import annotations

import dataclasses
import enum
import operator
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_features import FeatureKind, SeenFeature, in_words

_KINDS = {
    tf.float32: FeatureKind.FLOAT,
    tf.int64: FeatureKind.INT64,
    tf.string: FeatureKind.BYTES,
}


class ExampleState(enum.Enum):
    """Where examples stand: before Transform or behind it."""

    RAW = "raw"
    TRANSFORMED = "transformed"


class TransformGraph:
    """A TransformGraph artifact's directory.

    Attributes:
      directory: The directory.
      raw_spec: How the raw features are parsed.
      transformed_spec: How the transformed features are parsed, once materialised.
    """

    def __init__(self, directory: str) -> None:
        """Reads the two schemas; the graph itself is loaded by `layer`.

        Raises:
          InputError: If the directory holds no Transform graph with a raw schema.
        """
        import tensorflow_transform as tft

        self.directory = directory
        self._output = tft.TFTransformOutput(directory)
        try:
            self.raw_spec: Mapping[str, Any] = self._output.raw_feature_spec()
            self.transformed_spec: Mapping[str, Any] = self._output.transformed_feature_spec()
        except (OSError, tf.errors.NotFoundError) as error:
            raise InputError(
                f"no Transform graph in {directory!r}: expected the folders 'metadata', "
                f"'transformed_metadata' and 'transform_fn' in it ({error})"
            ) from error

    def layer(self) -> Any:
        """The graph, loaded: a function from raw features to transformed ones.

        To be made outside of the `tf.function` that calls it, and kept: it owns the
        vocabulary tables.
        """
        return self._output.transform_features_layer()

    def tell(self, features: Mapping[str, SeenFeature]) -> ExampleState:
        """Whether examples with such features are raw or transformed.

        They fit a schema if they have what must be there and nothing is of another
        kind. If they fit both, the one that knows all of their features decides, and
        after that the one that has no others.

        Raises:
          InputError: If neither or both fit.
        """
        schemas = {
            ExampleState.RAW: _schema(self.raw_spec),
            ExampleState.TRANSFORMED: _schema(self.transformed_spec),
        }
        fitting = [state for state, schema in schemas.items() if _fits(schema, features)]
        for decides in (operator.le, operator.eq):
            decided = [each for each in fitting if decides(features.keys(), schemas[each].keys())]
            fitting = decided if len(fitting) > 1 and decided else fitting
        if len(fitting) == 1:
            return fitting[0]
        raise InputError(
            f"the examples are {'both' if fitting else 'neither'} what the Transform graph "
            f"{self.directory!r} takes {'and' if fitting else 'nor'} what it gives: they have the "
            f"features {in_words(features)}; it takes {in_words(self.raw_spec)}; it gives "
            f"{in_words(self.transformed_spec)}. Use a signature that takes serialised raw "
            "examples, or give transformed examples without the Transform graph"
        )


@dataclasses.dataclass(frozen=True)
class _Expected:
    """What a schema says of a feature."""

    kind: FeatureKind
    is_required: bool


def _schema(spec: Mapping[str, Any]) -> dict[str, _Expected]:
    """The features of the examples that a parsing specification reads, by their keys."""
    schema = {}
    for name, parsing in spec.items():
        if isinstance(parsing, tf.io.SparseFeature):
            keys = parsing.index_key if isinstance(parsing.index_key, list) else [parsing.index_key]
            schema.update({key: _Expected(FeatureKind.INT64, is_required=False) for key in keys})
        is_required = isinstance(parsing, tf.io.FixedLenFeature) and parsing.default_value is None
        key = getattr(parsing, "value_key", None) or name
        schema[key] = _Expected(_KINDS[parsing.dtype], is_required)
    return schema


def _fits(schema: Mapping[str, _Expected], features: Mapping[str, SeenFeature]) -> bool:
    if not schema.keys() & features.keys():
        return False
    return all(
        (features[name].kind or expected.kind) is expected.kind
        if name in features
        else not expected.is_required
        for name, expected in schema.items()
    )
