"""Rows of signals are taken, put together and sorted with their inputs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

NUMBERS, WORDS = pa.list_(pa.float32()), pa.list_(pa.uint64())


def signals(ids: list[int], **inputs: pa.Array) -> Signals:
    return Signals(
        task=config_pb2.BINARY,
        ids=np.array([[0, number] for number in ids], np.uint64),
        member=np.ones(len(ids), np.bool_),
        inputs=inputs,
    )


def test_inputs_go_with_their_rows():
    rows = signals(
        [2, 0, 1],
        x=pa.array([[2.0, 2.5], [], [1.0]], NUMBERS),
        city=pa.array([[2**64 - 2], [0], []], WORDS),
    )

    ordered = rows.sorted_by_id()
    assert ordered.inputs["x"].to_pylist() == [[], [1.0], [2.0, 2.5]]
    assert ordered.inputs["city"].to_pylist() == [[0], [], [2**64 - 2]]
    assert rows.take(np.array([True, False, True])).inputs["x"].to_pylist() == [[2.0, 2.5], [1.0]]

    both = Signals.concatenate([rows, ordered.take(np.array([2]))])
    assert both.inputs["x"].to_pylist() == [[2.0, 2.5], [], [1.0], [2.0, 2.5]]
    assert both.inputs["city"].to_pylist()[3] == [2**64 - 2]


def test_entropies_go_with_their_rows():
    rows = dataclasses.replace(signals([2, 0, 1]), entropy=np.array([2, 0, 1], np.float32))

    assert rows.sorted_by_id().entropy.tolist() == [0, 1, 2]
    assert Signals.concatenate([rows, rows]).entropy.tolist() == [2, 0, 1, 2, 0, 1]
    with pytest.raises(ValueError, match="do not belong together"):
        Signals.concatenate([rows, signals([3])])


@pytest.mark.parametrize(
    "other",
    [
        signals([1]),
        signals([1], y=pa.array([[1.0]], NUMBERS)),
        signals([1], x=pa.array([[1]], WORDS)),
    ],
)
def test_parts_with_other_inputs_do_not_belong_together(other: Signals):
    with pytest.raises(ValueError, match="do not belong together"):
        Signals.concatenate([signals([0], x=pa.array([[1.0]], NUMBERS)), other])
