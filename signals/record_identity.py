"""How rows of decoded examples get their ids and units, and how that is described."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import pyarrow as pa

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import identity
from tfx_privacy.signals.decode import Columns
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.table import IdentityDescription


def ids_of(columns: Columns, spec: config_pb2.IdentitySpec, where: str) -> identity.Ids:
    """The ids of n examples, [n, 2]: by their key feature, or by their content.

    Raises:
      InputError: If an example has no key.
    """
    if spec.key_feature:
        return identity.value_ids(present_column(columns, spec.key_feature, "key feature", where))
    return identity.content_ids(columns.features, columns.rows, columns.sequences)


def units_of(columns: Columns, spec: config_pb2.IdentitySpec, where: str) -> identity.Ids | None:
    """The units of n examples, [n, 2]; None where the specification names none.

    Raises:
      InputError: If an example has no unit.
    """
    if not spec.unit_feature:
        return None
    return identity.value_ids(present_column(columns, spec.unit_feature, "unit feature", where))


def present_column(columns: Columns, name: str, what: str, where: str) -> pa.Array:
    """A feature that every example has to have.

    Args:
      columns: The examples.
      name: The feature.
      what: What it is to us, for errors: "key feature".
      where: Where the examples come from, for errors: "split 'train'".

    Raises:
      InputError: If an example has no value of it.
    """
    column = columns.features.get(name)
    lengths = np.zeros(columns.rows) if column is None else np.diff(column.offsets.to_numpy())
    missing = int((lengths == 0).sum())
    if missing:
        raise InputError(
            f"{where}: {missing} of {columns.rows} examples read together have no {what} {name!r}: "
            f"expected it in every example. Features found: {listed(columns.features)}"
        )
    return column


def names_and_types(columns: Columns) -> Iterator[str]:
    """What `describe_identity` wants to know of every example."""
    for name, column in columns.features.items():
        yield f"{name}: {column.type.value_type}"


def describe_identity(spec: config_pb2.IdentitySpec, names: Iterable[str]) -> IdentityDescription:
    """How ids were made: two sets of ids are related only where these are equal.

    Args:
      spec: As the ids were made.
      names: All that `names_and_types` said of any example.
    """
    if spec.key_feature:
        return IdentityDescription("key", spec.key_feature, unit_feature=spec.unit_feature)
    return IdentityDescription("content", "", identity.names_digest(names), spec.unit_feature)


def listed(names: Collection[str]) -> str:
    """Names in order, for errors."""
    return ", ".join(sorted(names)) or "none"
