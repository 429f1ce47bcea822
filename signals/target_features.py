"""Features of tf.Examples: what a few of them hold, and how a worker parses one."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence

from tfx_privacy.signals.errors import InputError


class FeatureKind(enum.Enum):
    """The list of a tf.Example's feature that is filled."""

    FLOAT = "float"
    INT64 = "int64"
    BYTES = "bytes"


class FeatureLayout(enum.Enum):
    """What a parsed feature becomes."""

    # A tensor [batch, *shape]; every example has the same number of values.
    DENSE = "dense"
    # A SparseTensor [batch, longest].
    SPARSE = "sparse"
    # A RaggedTensor [batch, (values)].
    RAGGED = "ragged"


@dataclasses.dataclass(frozen=True)
class ParsedFeature:
    """How one feature is read out of serialised tf.Examples.

    Attributes:
      name: The feature's key in the examples.
      kind: Which of its lists holds the values.
      layout: What it becomes.
      shape: For DENSE: the shape of one example's values.
    """

    name: str
    kind: FeatureKind
    layout: FeatureLayout
    shape: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class SeenFeature:
    """What a sample of examples shows of one feature.

    Attributes:
      kind: Which list holds the values; None where no example has a value.
      lengths: The numbers of values that occur, examples without the feature apart.
    """

    kind: FeatureKind | None
    lengths: frozenset[int]


def features_seen(examples: Sequence[bytes]) -> dict[str, SeenFeature]:
    """The features that a sample of serialised tf.Examples has, by name in order.

    Of a tf.SequenceExample it sees the context, which lies where a tf.Example has
    its features.

    Raises:
      InputError: If there is no example, one is no tf.Example, or a feature is of
        different kinds in different examples.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.example import example_pb2

    if not examples:
        raise InputError(
            "no example to look at: expected at least one, to plan how the model is run"
        )
    kinds: dict[str, set[FeatureKind]] = {}
    lengths: dict[str, set[int]] = {}
    for index, serialized in enumerate(examples):
        example = example_pb2.Example()
        try:
            example.ParseFromString(serialized)
        except DecodeError as error:
            raise InputError(
                f"record {index} of the examples is not a serialised tf.Example "
                f"({len(serialized)} bytes): {error}"
            ) from error
        for name, feature in example.features.feature.items():
            which = feature.WhichOneof("kind")
            values = getattr(feature, which).value if which else ()
            lengths.setdefault(name, set()).add(len(values))
            # An empty list says nothing reliable about the kind.
            kinds.setdefault(name, set()).update(
                {FeatureKind(which.removesuffix("_list"))} if len(values) else ()
            )
    mixed = sorted(name for name, found in kinds.items() if len(found) > 1)
    if mixed:
        found = " and ".join(sorted(kind.value for kind in kinds[mixed[0]]))
        raise InputError(
            f"feature {mixed[0]!r} holds {found} values in different examples: expected one kind"
        )
    return {
        name: SeenFeature(next(iter(kinds[name]), None), frozenset(lengths[name]))
        for name in sorted(kinds)
    }


def are_sequence_examples(examples: Sequence[bytes]) -> bool:
    """Whether any of the serialised examples is a tf.SequenceExample with a feature list."""
    from tensorflow.core.example import example_pb2

    return any(
        example_pb2.SequenceExample.FromString(serialized).feature_lists.feature_list
        for serialized in examples
    )


def feature_for_input(input_name: str, features: Mapping[str, object]) -> str | None:
    """The feature that a function's input takes, or None.

    It is the one of the same name, or of the name without `_input`, which some Keras
    models append (as in TFMA).
    """
    for name in (input_name, input_name.removesuffix("_input")):
        if name in features:
            return name
    return None


def in_words(names: Iterable[str], most: int = 50) -> str:
    """Names in order, for errors; of very many the first and how many more."""
    ordered = sorted(names)
    more = len(ordered) - most
    words = ", ".join(ordered[:most]) or "none"
    return f"{words} and {more} more" if more > 0 else words
