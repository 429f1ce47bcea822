"""Slices by signals, and which slices are measured."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.evaluation.slice_plan import SlicePlan, require_signals, require_task
from tfx_privacy.metrics.counts import SliceKey
from tfx_privacy.metrics.slice_totals import CHANCE_FROM, count_rows_in_slices
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.table import TableLayout


def _spec(*signals: str, keys: tuple[str, ...] = ()) -> config_pb2.SlicingSpec:
    return config_pb2.SlicingSpec(signals=signals, feature_keys=keys)


def _signals(
    task: config_pb2.Task.ValueType,
    label: object,
    logits: object,
    loss: object,
    city: list[str] | None = None,
) -> Signals:
    rows = len(np.asarray(loss))
    kind = np.int64 if np.asarray(label).ndim == 1 else np.float32
    return Signals(
        task=task,
        ids=np.stack([np.arange(rows), np.arange(rows)], axis=1).astype(np.uint64),
        member=np.arange(rows) % 2 == 0,
        label=np.asarray(label, kind),
        logits=np.asarray(logits, np.float32),
        loss=np.asarray(loss, np.float32),
        slices={} if city is None else {"city": pa.array([[c] for c in city])},
    )


def _rows_of(plan: SlicePlan, batch: Signals) -> dict[SliceKey, list[int]]:
    found = plan.rows(batch)
    return {
        key: sorted(found.rows[found.slices == index].tolist())
        for index, key in enumerate(found.keys)
    }


# The model answers 0, 1, 0, 0; of equal logits the first counts.
FOUR = _signals(
    config_pb2.MULTICLASS,
    [0, 0, 1, 0],
    [[2, 1], [1, 2], [3, 0], [1, 1]],
    [0.1, 0.9, 3.0, 0.4],
    ["ulm", "ulm", "bonn", "bonn"],
)


def test_right_and_wrong_crossed_with_a_feature() -> None:
    plan = SlicePlan.prepare([_spec("CORRECTNESS", keys=("city",))], 10, FOUR)
    assert _rows_of(plan, FOUR) == {
        (("city", "ulm"), ("prediction", "right")): [0],
        (("city", "ulm"), ("prediction", "wrong")): [1],
        (("city", "bonn"), ("prediction", "wrong")): [2],
        (("city", "bonn"), ("prediction", "right")): [3],
    }


def test_classes_have_their_names() -> None:
    plan = SlicePlan.prepare([_spec("CLASS")], 10, FOUR, ("cat", "dog"))
    assert _rows_of(plan, FOUR) == {(("label", "cat"),): [0, 1, 3], (("label", "dog"),): [2]}


def test_a_binary_model_with_one_output_is_right_above_zero() -> None:
    batch = _signals(config_pb2.BINARY, [1, 0, 1], [[0.5], [0.5], [-0.5]], [0.4, 1.0, 1.0])
    plan = SlicePlan.prepare([_spec("CORRECTNESS")], 10, batch)
    assert _rows_of(plan, batch) == {
        (("prediction", "right"),): [0],
        (("prediction", "wrong"),): [1, 2],
    }


def test_a_multi_label_answer_is_right_where_every_label_is() -> None:
    batch = _signals(
        config_pb2.MULTILABEL,
        [[1, 0], [1, 0], [0, 0], [1, 1]],
        [[2, -1], [2, 1], [-1, -1], [1, 1]],
        [0.1, 0.9, 0.2, 0.4],
    )
    plan = SlicePlan.prepare([_spec("CORRECTNESS"), _spec("CLASS")], 10, batch)
    assert _rows_of(plan, batch) == {
        (("prediction", "right"),): [0, 2, 3],
        (("prediction", "wrong"),): [1],
        # A row is in the slice of each label that it has, and the third has none.
        (("label", "0"),): [0, 1, 3],
        (("label", "1"),): [3],
    }


def test_deciles_of_fit_rows_hold_for_other_rows() -> None:
    # Ten rows a side with losses 1 to 20: tenths end at 2, 4, 6 and so on.
    fit = _signals(config_pb2.REGRESSION, np.zeros((20, 1)), np.zeros((20, 1)), np.arange(1, 21))
    other = _signals(config_pb2.REGRESSION, np.zeros((4, 1)), np.zeros((4, 1)), [0.5, 2, 2.5, 99])
    plan = SlicePlan.prepare([_spec("LOSS_DECILE")], 10, fit)
    assert _rows_of(plan, fit) == {
        (("loss decile", str(tenth)),): [2 * tenth - 2, 2 * tenth - 1] for tenth in range(1, 11)
    }
    assert _rows_of(plan, other) == {
        (("loss decile", "1"),): [0, 1],
        (("loss decile", "2"),): [2],
        (("loss decile", "10"),): [3],
    }


def test_without_fit_rows_no_row_is_in_a_tenth() -> None:
    plan = SlicePlan.prepare([_spec("LOSS_DECILE")], 10, FOUR.take(np.zeros(4, np.bool_)))
    assert _rows_of(plan, FOUR) == {}


def test_the_slices_with_the_most_fit_rows_come_first() -> None:
    fit = dataclasses.replace(FOUR, slices={"city": pa.array([["b"], ["c"], ["c"], ["a"]])})
    spec = config_pb2.SlicingSpec(feature_keys=["city"])
    plan = SlicePlan.prepare([spec], 2, fit)
    # Of the two with one row the first by name.
    assert plan.first == ((("city", "c"),), (("city", "a"),))
    numbers = plan.numbers([(("city", "a"),), (("city", "b"),), (("city", "c"),)]).tolist()
    assert (numbers[0], numbers[2]) == (1, 0)
    assert numbers[1] >= CHANCE_FROM
    # The same on every machine: BLAKE2b of the key as JSON.
    assert numbers == plan.numbers([(("city", x),) for x in "abc"]).tolist()


def test_slices_that_fit_rows_do_not_show_fill_what_room_is_left() -> None:
    spec = config_pb2.SlicingSpec(feature_keys=["city"])
    other = dataclasses.replace(FOUR, slices={"city": pa.array([["x"], ["y"], ["ulm"], ["z"]])})

    def measured(most: int) -> set[str]:
        plan = SlicePlan.prepare([spec], most, FOUR)
        rows = plan.rows(other)
        total = count_rows_in_slices(rows, plan.numbers(rows.keys), other.member, most)
        return {key[0][1] for key in total.keys}

    assert measured(10) == {"ulm", "x", "y", "z"}
    two = measured(2)
    assert len(two) == 2
    assert "ulm" in two


def _layout(**has: bool) -> TableLayout:
    return TableLayout(
        task=config_pb2.MULTICLASS,
        output_kind=config_pb2.LOGITS,
        output_width=3,
        logits_source="",
        label_vocabulary=(),
        label_width=0,
        slice_features=(),
        input_features=(),
        **{"has_label": True, "has_logits": True, "has_loss": True} | has,
        has_units=False,
        has_weight=False,
    )


@pytest.mark.parametrize(
    ("signal", "missing", "words"),
    [
        ("CLASS", {"has_label": False}, "CLASS, but of these records no label is known"),
        ("LOSS_DECILE", {"has_loss": False}, "LOSS_DECILE, but of these records no loss"),
        ("CORRECTNESS", {"has_logits": False}, "no logits is known; expected label and logits"),
        (
            "CORRECTNESS",
            {"has_logits": False, "has_label": False},
            "no label and no logits is known",
        ),
    ],
)
def test_slices_that_signals_cannot_make_are_refused(
    signal: str, missing: dict[str, bool], words: str
) -> None:
    specs = [config_pb2.SlicingSpec(), _spec(signal)]
    require_signals(specs, _layout())
    with pytest.raises(InputError, match=rf"slicing_specs\[1\] asks for slices by .*{words}"):
        require_signals(specs, _layout(**missing))


def test_a_regression_has_deciles_alone() -> None:
    require_task([_spec("LOSS_DECILE")], config_pb2.REGRESSION)
    for signal in ("CLASS", "CORRECTNESS"):
        with pytest.raises(InputError, match=f"{signal}, but the task is REGRESSION"):
            require_task([_spec(signal)], config_pb2.REGRESSION)
