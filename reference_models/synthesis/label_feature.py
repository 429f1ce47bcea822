"""The label of a synthetic record, as the feature of a tf.Example that training code reads."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.reference_models.synthesis.example_lists import list_array
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_features import FeatureKind, features_seen

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2


@dataclasses.dataclass(frozen=True)
class LabelFeature:
    """How a class stands in an example.

    Attributes:
      name: The feature.
      kind: The list that holds it. Bytes hold the class's word, others its number.
      words: The classes' names, in the order of the target's columns; may be empty for numbers.
      width: Values an example: 1, or as many as there are classes for a one-hot vector.
    """

    name: str
    kind: FeatureKind
    words: tuple[str, ...] = ()
    width: int = 1

    def __post_init__(self) -> None:
        if self.kind is FeatureKind.BYTES and not self.words:
            raise InputError(
                f"label {self.name!r} holds strings: set model_spec.label_vocabulary to the "
                "classes' names, in the order of the model's output"
            )

    @staticmethod
    def of_schema(schema: schema_pb2.Schema, spec: config_pb2.ModelSpec) -> LabelFeature:
        """The label as the schema describes it.

        Raises:
          InputError: If it is not in the schema, or has any number of values.
        """
        found = [feature for feature in schema.feature if feature.name == spec.label_key]
        if not found:
            raise InputError(_no_such_label(spec.label_key, [each.name for each in schema.feature]))
        sizes = [dim.size for dim in found[0].shape.dim]
        width = int(np.prod(sizes)) if sizes else 1
        if width < 1:
            raise InputError(
                f"label {spec.label_key!r} of the schema has the shape {sizes}: expected one "
                "value, or as many as there are classes"
            )
        kind = kind_of_schema(found[0])
        # A string_domain of integers stands for numbers.
        words = tuple(spec.label_vocabulary) if kind is FeatureKind.BYTES else ()
        return LabelFeature(spec.label_key, kind, words, width)

    @staticmethod
    def of_records(records: list[bytes], spec: config_pb2.ModelSpec) -> LabelFeature:
        """The label as some records have it.

        Raises:
          InputError: If none of them has it, or in different ways.
        """
        features = features_seen(records)
        seen = features.get(spec.label_key)
        if seen is None or seen.kind is None:
            raise InputError(_no_such_label(spec.label_key, list(features)))
        if len(seen.lengths) != 1:
            raise InputError(
                f"label {spec.label_key!r} has {sorted(seen.lengths)} values an example: expected "
                "the same number in all"
            )
        words = tuple(spec.label_vocabulary) if seen.kind is FeatureKind.BYTES else ()
        return LabelFeature(spec.label_key, seen.kind, words, max(seen.lengths))

    def check_classes(self, classes: int) -> None:
        """Raises an InputError unless it can hold the classes 0 to classes - 1."""
        if self.words and len(self.words) != classes:
            raise InputError(
                f"model_spec.label_vocabulary has {len(self.words)} names, but the target tells "
                f"{classes} classes"
            )
        if self.width not in (1, classes):
            raise InputError(
                f"label {self.name!r} has {self.width} values an example: expected one, or "
                f"{classes} as the target has classes"
            )

    def column(self, classes: NDArray[np.int64]) -> pa.Array:
        """Lists of the values for records of classes [n]."""
        return list_array(self._values(classes), self.kind)

    def name_of(self, label: int) -> str:
        """What people call a class."""
        return self.words[label] if self.words else str(label)

    def put(self, record: bytes, label: int) -> bytes:
        """A serialised example with this label in place of its own."""
        from tensorflow.core.example import example_pb2, feature_pb2

        example = example_pb2.Example.FromString(record)
        values = self._values(np.array([label]))[0].tolist()
        feature = feature_pb2.Feature()
        if self.kind is FeatureKind.BYTES:
            feature.bytes_list.value.extend(values)
        elif self.kind is FeatureKind.INT64:
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
        example.features.feature[self.name].CopyFrom(feature)
        return bytes(example.SerializeToString(deterministic=True))

    def _values(self, classes: NDArray[np.int64]) -> NDArray[np.generic]:
        """[n, width]."""
        if self.width > 1:
            return np.asarray(np.eye(self.width, dtype=np.int64)[classes])
        if self.kind is not FeatureKind.BYTES:
            return classes[:, np.newaxis]
        words = np.array([word.encode() for word in self.words], dtype=object)
        return np.asarray(words[classes][:, np.newaxis])


def kind_of_schema(feature: schema_pb2.Feature) -> FeatureKind:
    """Which list of a tf.Example holds a feature of a schema.

    Raises:
      InputError: If it is none that examples have.
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    kinds = {
        schema_pb2.INT: FeatureKind.INT64,
        schema_pb2.FLOAT: FeatureKind.FLOAT,
        schema_pb2.BYTES: FeatureKind.BYTES,
    }
    if feature.type not in kinds:
        raise InputError(
            f"feature {feature.name!r} of the schema has the type "
            f"{schema_pb2.FeatureType.Name(feature.type)}: expected INT, FLOAT or BYTES"
        )
    return kinds[feature.type]


def _no_such_label(key: str, names: list[str]) -> str:
    return (
        f"label {key!r} (model_spec.label_key) is no feature of the raw examples, which have "
        f"{', '.join(sorted(names)) or 'none'}. A synthetic record's label is the target's answer, "
        "and is written as a raw feature: a label that Transform's graph computes from other "
        "features cannot be. Name the raw feature that holds the class, or train references on "
        "real records"
    )
