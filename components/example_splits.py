"""From an Examples channel to the splits that a measurement reads."""

from __future__ import annotations

from collections.abc import Sequence

from tfx import types
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit

_READABLE_PAYLOADS = (
    example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE,
    example_gen_pb2.PayloadFormat.FORMAT_TF_SEQUENCE_EXAMPLE,
)


def example_splits(
    examples: Sequence[types.Artifact], spec: config_pb2.SplitSpec
) -> list[ExampleSplit]:
    """The target's splits, members first.

    Raises:
      InputError: If there is no split of a name, or its records are no examples.
    """
    return [
        example_split(examples, name, is_member=is_member)
        for names, is_member in ((spec.members, True), (spec.nonmembers, False))
        for name in names
    ]


def example_split(
    examples: Sequence[types.Artifact], name: str, *, is_member: bool
) -> ExampleSplit:
    """One split, of all artifacts together.

    Raises:
      InputError: If there is no split of the name, or its records are no examples.
    """
    for artifact in examples:
        _check_payload(artifact)
    return ExampleSplit(name, is_member, tuple(_file_patterns(examples, name)))


def _file_patterns(examples: Sequence[types.Artifact], split: str) -> list[str]:
    try:
        return examples_utils.get_split_file_patterns(list(examples), split)
    except ValueError as error:
        found = {artifact.uri: artifact.split_names for artifact in examples}
        raise InputError(
            f"the examples have no split {split!r}, which the configuration names in `splits`: "
            f"found {found}"
        ) from error


def _check_payload(examples: types.Artifact) -> None:
    payload = examples_utils.get_payload_format(examples)
    if payload not in _READABLE_PAYLOADS:
        found = example_gen_pb2.PayloadFormat.Name(payload)
        expected = [example_gen_pb2.PayloadFormat.Name(known) for known in _READABLE_PAYLOADS]
        raise InputError(
            f"the examples at {examples.uri} have payload {found}; "
            f"expected {' or '.join(expected)} (the latter with a signature that parses)"
        )
