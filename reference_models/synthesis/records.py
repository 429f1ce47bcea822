"""Records as rows of a table's features and as serialised tf.Examples, one way and the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.example_order import in_order
from tfx_privacy.reference_models.synthesis.example_lists import ARROW_TYPES, list_array
from tfx_privacy.reference_models.synthesis.features import BoundedReal, Feature, FeatureTable
from tfx_privacy.reference_models.synthesis.features_from_schema import features_from_schema
from tfx_privacy.reference_models.synthesis.label_feature import LabelFeature, kind_of_schema
from tfx_privacy.signals.decode import Columns, decode
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_features import FeatureKind

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

_REMEDY = (
    "Widen its domain in the schema, mend the records, name the feature in excluded_feature_keys "
    "if the model does without it, or choose a source that reads no records"
)


@dataclasses.dataclass(frozen=True)
class RecordFormat:
    """How records stand in tf.Examples.

    Attributes:
      features: Those that are made up.
      kinds: By feature, made up or not, the list that holds its values.
      label: The label.
      unique: Features with a value of its own for each record: the key, the unit.
      constant: Features that are 1 in each record: the weight.
    """

    features: FeatureTable
    kinds: Mapping[str, FeatureKind]
    label: LabelFeature
    unique: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()

    @staticmethod
    def of_schema(
        schema: schema_pb2.Schema, config: references_pb2.ReferenceModelsConfig
    ) -> RecordFormat:
        """The format that training code knows from real examples.

        The label, the weight, the key and unit features and those that the configuration leaves out
        are not made up. The latter are not written at all.

        Raises:
          InputError: If features have no domain (all of them are named), or the label, key or unit
            feature is not in the schema.
        """
        known = {feature.name for feature in schema.feature}
        spec, identity = config.model_spec, config.identity
        label = LabelFeature.of_schema(schema, spec)
        unique = [name for name in (identity.key_feature, identity.unit_feature) if name]
        if unknown := [name for name in unique if name not in known]:
            raise InputError(
                f"identity names the feature {unknown[0]!r}, which is not in the schema: expected "
                "it there, since each synthetic record gets a value of its own for it"
            )
        constant = [name for name in (spec.example_weight_key,) if name in known]
        excluded = config.synthetic.excluded_feature_keys
        features = features_from_schema(schema, {label.name, *unique, *constant, *excluded})
        needed = {*features.names, *unique, *constant}
        kinds = {each.name: kind_of_schema(each) for each in schema.feature if each.name in needed}
        return RecordFormat(features, kinds, label, tuple(unique), tuple(constant))

    def encode(
        self, rows: NDArray[np.float64], classes: NDArray[np.int64], first: int = 0
    ) -> list[bytes]:
        """Serialised tf.Examples of records.

        Args:
          rows: [n, width], n at least 1.
          classes: [n], their labels.
          first: Which record the first one is, from 0, for features that are unique.
        """
        from tfx_bsl.coders import example_coder

        columns = {
            name: list_array(values.reshape(len(rows), -1), self.kinds[name])
            for name, values in self.features.decode(rows).items()
        }
        columns[self.label.name] = self.label.column(classes)
        for name in self.unique:
            columns[name] = _unique_column(first, len(rows), self.kinds[name])
        for name in self.constant:
            columns[name] = list_array(np.ones((len(rows), 1)), self.kinds[name])
        batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        return [
            in_order(each) for each in example_coder.RecordBatchToExamplesEncoder().encode(batch)
        ]

    def decode(self, records: Sequence[bytes], where: str) -> NDArray[np.float64]:
        """Rows [n, width] of real records.

        Args:
          records: Serialised tf.Examples.
          where: Where they come from, for errors.

        Raises:
          InputError: If a record lacks a feature, has it with another type or number of values,
            or a value outside its domain.
        """
        return self.rows_of(decode(records, where), where)

    def rows_of(self, columns: Columns, where: str) -> NDArray[np.float64]:
        """As `decode`, of records that are decoded already."""
        try:
            values = {
                each.name: self._values(each, columns.features.get(each.name), columns.rows)
                for each in self.features.features
            }
        except InputError as error:
            raise InputError(f"{where}: {error}. {_REMEDY}") from error
        return self.features.encode(values)

    def _values(self, feature: Feature, column: pa.Array | None, rows: int) -> NDArray[np.generic]:
        """The values [n, *shape] of a feature, all of them in its domain."""
        wanted = ARROW_TYPES[self.kinds[feature.name]]
        if column is not None and column.type.value_type != wanted:
            raise InputError(
                f"feature {feature.name!r} holds {column.type.value_type}, expected {wanted} as "
                "the schema says"
            )
        lengths = np.zeros(rows, np.int64) if column is None else np.diff(column.offsets.to_numpy())
        if bad := int((lengths != feature.width).sum()):
            found = lengths[lengths != feature.width][0]
            raise InputError(
                f"feature {feature.name!r} has {found} values in one of {bad} bad records of "
                f"{rows} read together: expected {feature.width}"
            )
        assert column is not None
        values: NDArray[np.generic] = column.values.to_numpy(zero_copy_only=False)
        if isinstance(feature.kind, BoundedReal):
            values = _within(feature.name, feature.kind, values.astype(np.float64), rows)
        else:
            _check_codes(feature, values, rows)
        return values.reshape((rows, *feature.shape))


def _within(
    name: str, kind: BoundedReal, values: NDArray[np.float64], rows: int
) -> NDArray[np.float64]:
    # Examples hold 32 bits, by which a bound itself may be rounded out of the domain.
    low, high = float(np.float32(kind.low)), float(np.float32(kind.high))
    bad = ~((values >= min(low, kind.low)) & (values <= max(high, kind.high)))
    if bad.any():
        raise _outside(name, values[bad][0], int(bad.sum()), rows, f"{kind.low:g} to {kind.high:g}")
    return np.asarray(np.clip(values, kind.low, kind.high))


def _check_codes(feature: Feature, values: NDArray[np.generic], rows: int) -> None:
    assert not isinstance(feature.kind, BoundedReal)
    domain = feature.kind.values
    known = domain if isinstance(domain, range) else frozenset(domain)
    distinct, counts = np.unique(values, return_counts=True)
    found = [_plain(value) for value in distinct.tolist()]
    bad = [i for i, value in enumerate(found) if value not in known]
    if bad:
        shown = ", ".join(repr(value) for value in domain[:5])
        expected = f"one of {len(domain)} values ({shown}{', ...' if len(domain) > 5 else ''})"
        raise _outside(feature.name, found[bad[0]], int(counts[bad].sum()), rows, expected)


def _plain(value: object) -> object:
    """A value of the type that domains have."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _outside(name: str, value: object, count: int, rows: int, domain: str) -> InputError:
    return InputError(
        f"feature {name!r} has the value {value!r}, one of {count} values outside its domain in "
        f"{rows} records read together: expected {domain}"
    )


def _unique_column(first: int, rows: int, kind: FeatureKind) -> pa.Array:
    """Values that no real record has, as far as can be foreseen."""
    numbers = np.arange(first, first + rows)
    if kind is FeatureKind.BYTES:
        words = np.array([f"synthetic-{number}" for number in numbers.tolist()], dtype=object)
        return list_array(words[:, np.newaxis], kind)
    return list_array(-1 - numbers[:, np.newaxis], kind)
