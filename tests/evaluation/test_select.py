"""The samples have the size asked for, however few of the rows can be used."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.evaluation import samples
from tfx_privacy.evaluation import select as select_module
from tfx_privacy.evaluation.samples import SamplePlan, SampleSpec, read_sample
from tfx_privacy.evaluation.select import Selection, select
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role, assign_roles
from tfx_privacy.signals.table import IdentityDescription, TableLayout
from tfx_privacy.signals.table_reader import read_description
from tfx_privacy.signals.table_writer import TableWriter, commit
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout

_LAYOUT = TableLayout(
    task=config_pb2.BINARY,
    output_kind=config_pb2.LOGITS,
    output_width=1,
    logits_source="",
    label_vocabulary=(),
    label_width=0,
    slice_features=("city",),
    input_features=(("pixels", "number"), ("word", "word")),
    has_label=False,
    has_logits=True,
    has_loss=True,
    has_units=True,
    has_weight=True,
)
_SEED = 3


def _rows(members: int, nonmembers: int, rows_a_unit: int, repeated: int) -> Signals:
    """Units of members or of non-members alone; the first ids of each side occur twice."""
    member = np.arange(members + nonmembers) < members
    number = np.arange(len(member), dtype=np.uint64)
    unit = number // np.uint64(rows_a_unit)
    for first in (0, members):
        again = slice(first + repeated, first + 2 * repeated)
        number[again] = number[first : first + repeated]
        unit[again] = unit[first : first + repeated]
    loss = number.astype(np.float32)
    return Signals(
        task=config_pb2.BINARY,
        ids=np.stack([number, number * np.uint64(7)], axis=1),
        member=member,
        logits=loss[:, None],
        loss=loss,
        units=np.stack([unit, unit], axis=1),
        weight=np.ones(len(member), np.float32),
        slices={"city": pa.array([["Zug"]] * len(member), pa.list_(pa.string()))},
        inputs={
            "pixels": pa.array(np.stack([loss, loss + 0.5], 1).tolist(), pa.list_(pa.float32())),
            "word": pa.array([[n] * (n % 2) for n in number.tolist()], pa.list_(pa.uint64())),
        },
    )


def _select(
    folder: Path,
    rows: Signals,
    buckets: int,
    cap: int,
    white_box: WhiteBoxLayout | None = None,
    wide_columns: tuple[str, ...] = (),
) -> Selection:
    layout = dataclasses.replace(_LAYOUT, white_box=white_box)
    if rows.units is None:
        layout = dataclasses.replace(layout, has_units=False)
    table_dir = str(folder / "signals")
    with TableWriter(table_dir, layout, buckets) as writer:
        writer.append(rows, "rows")
        written = writer.finish()
    table = commit(table_dir, layout, IdentityDescription("content"), buckets, [written])
    scratch = str(folder / "scratch")
    return select(table_dir, table, scratch, _SEED, cap, beam.Pipeline, wide_columns=wide_columns)


@pytest.mark.parametrize("buckets", [1, 7])
@pytest.mark.parametrize(
    ("rows_a_unit", "repeated", "cap"),
    [
        (10, 0, 300),  # 2,000 units a side, of which some 670 are FIT: the cap holds.
        (10, 0, 5_000),  # More than there are: all FIT rows.
        (10, 500, 300),
        (1, 6_000, 1_000),  # 8,000 of 20,000 rows a side occur once.
        (0, 0, 1_000),  # No units.
        (0, 0, 1),
    ],
)
def test_a_sample_is_full_where_there_are_rows_enough(
    tmp_path: Path, buckets: int, rows_a_unit: int, repeated: int, cap: int
) -> None:
    rows = _rows(20_000, 20_000, rows_a_unit or 1, repeated)
    if not rows_a_unit:
        rows = dataclasses.replace(rows, units=None)
    roles = assign_roles(rows.ids, rows.units, _SEED, check_duplicates=True)

    records = _select(tmp_path, rows, buckets, cap).records

    for side, of_side in (("members", rows.member), ("nonmembers", ~rows.member)):
        in_role = {role: int(np.count_nonzero(of_side & (roles == role))) for role in Role}
        fit = min(cap, in_role[Role.FIT])
        assert getattr(records.fit, side) == fit
        assert getattr(records.fit_beyond_sample, side) == in_role[Role.FIT] - fit
        assert getattr(records.judge, side) == in_role[Role.JUDGE]
        assert getattr(records.same_unit, side) == in_role[Role.SAME_UNIT]
        assert getattr(records.duplicate, side) == in_role[Role.DUPLICATE]
        assert sum(in_role.values()) == getattr(records.read, side) == 20_000


def test_the_sample_depends_on_neither_buckets_nor_the_order_of_rows(tmp_path: Path) -> None:
    rows = _rows(20_000, 20_000, 4, 100)
    shuffled = rows.take(np.random.default_rng(0).permutation(len(rows)))

    selections = [
        _select(tmp_path / name, given, buckets, 500)
        for name, given, buckets in (("1", rows, 1), ("13", rows, 13), ("s", shuffled, 5))
    ]

    for other in selections[1:]:
        assert other.records == selections[0].records
        for sample in ("fit", "judge_sample", "fit_wide", "control_nonmembers"):
            expected, found = getattr(selections[0], sample), getattr(other, sample)
            assert len(expected) == 1_000 or sample == "control_nonmembers"
            for column in ("ids", "member", "logits", "loss"):
                np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
            assert found.inputs == expected.inputs


def test_a_sample_is_of_rows_in_the_role_and_carries_what_attacks_read(tmp_path: Path) -> None:
    rows = _rows(3_000, 2_000, 3, 100)
    roles = assign_roles(rows.ids, rows.units, _SEED, check_duplicates=True)

    selection = _select(tmp_path, rows, 4, 150)

    for role, sample in ((Role.FIT, selection.fit), (Role.JUDGE, selection.judge_sample)):
        assert len(sample) == 300
        assert set(sample.ids[:, 0].tolist()) <= set(rows.ids[roles == role, 0].tolist())
        assert (np.diff(sample.ids[:, 0].astype(np.int64)) > 0).all()
        np.testing.assert_array_equal(sample.loss, sample.ids[:, 0].astype(np.float32))
        assert sample.units is None
        assert sample.weight is None
        assert not sample.inputs
    assert list(selection.fit.slices) == ["city"]
    assert not selection.judge_sample.slices
    assert not len(selection.judge_wide)


@pytest.mark.parametrize("buckets", [1, 7])
def test_inputs_are_those_of_the_first_rows_of_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buckets: int
) -> None:
    rows = _rows(6_000, 5_000, 1, 100)
    monkeypatch.setattr(samples, "_WIDE_ROWS_PER_SIDE", 500)

    selection = _select(tmp_path / "rows", rows, buckets, 900)

    sample = selection.fit_inputs
    assert (int(sample.member.sum()), len(sample)) == (500, 1_000)
    assert set(map(tuple, sample.ids)) < set(map(tuple, selection.fit.ids))
    assert (np.diff(sample.ids[:, 0].astype(np.int64)) > 0).all()
    numbers = sample.ids[:, 0].tolist()
    assert sample.inputs["pixels"].to_pylist() == [[n, n + 0.5] for n in numbers]
    assert sample.inputs["word"].to_pylist() == [[n] * (n % 2) for n in numbers]
    np.testing.assert_array_equal(sample.loss, sample.ids[:, 0].astype(np.float32))
    assert _select(tmp_path / "few", rows, buckets, 30).fit_inputs.member.sum() == 30

    # A row's inputs take 2 x 4 + 4 bytes, and on average half of 8, and 4.
    monkeypatch.setattr(samples, "_WIDE_BYTES_PER_SIDE", 20 * 200)
    bounded = _select(tmp_path / "bytes", rows, buckets, 900)
    assert (int(bounded.fit_inputs.member.sum()), len(bounded.fit_inputs)) == (200, 400)
    assert set(map(tuple, bounded.fit_inputs.ids)) < set(map(tuple, sample.ids))
    assert len(bounded.fit) == 1_800


def test_wide_white_box_signals_take_no_rows_from_the_blind_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = _rows(6_000, 5_000, 1, 100)
    norms = {"dense": rows.loss, "wide": rows.loss}
    sketch = np.repeat(np.arange(len(rows), dtype=np.float32)[:, None], 4, axis=1)
    rows = dataclasses.replace(rows, gradient_norms=norms, gradient_sketches={"wide": sketch})
    described = (
        LayerDescription("dense", 0, "dense", ((2, 2),), True, False, 0),
        LayerDescription("wide", 1, "dense", ((2, 2),), True, True, 0),
    )
    white_box = WhiteBoxLayout(described, 2, 2, 7)
    # A row's inputs take 20 bytes on average, its white-box signals 4 x (2 + 4).
    monkeypatch.setattr(samples, "_WIDE_BYTES_PER_SIDE", 24 * 200)

    found = _select(tmp_path, rows, 3, 900, white_box, ("white_box",))

    assert int(found.fit_inputs.member.sum()) == 240
    assert set(found.fit_inputs.inputs) == {"pixels", "word"}
    assert not found.fit_inputs.gradient_norms
    for sample in (found.fit_wide, found.judge_wide):
        assert (int(sample.member.sum()), len(sample)) == (200, 400)
        assert not sample.inputs
        np.testing.assert_array_equal(sample.gradient_norms["dense"], sample.loss)
        assert sample.gradient_sketches["wide"].shape == (400, 4)
    assert set(map(tuple, found.fit_wide.ids)) < set(map(tuple, found.fit_inputs.ids))


def test_controls_have_judged_nonmembers_enough_however_small_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = _rows(2_000, 9_000, 1, 0)
    roles = assign_roles(rows.ids, rows.units, _SEED, check_duplicates=True)
    judged = set(rows.ids[(roles == Role.JUDGE) & ~rows.member, 0].tolist())

    every = _select(tmp_path / "every", rows, 3, 10).control_nonmembers
    assert set(every.ids[:, 0].tolist()) == judged
    assert not every.member.any()
    assert every.inputs == {}

    monkeypatch.setattr(select_module, "_CONTROL_NONMEMBERS", 1_000)
    first = _select(tmp_path / "first", rows, 3, 2_000)
    assert len(first.control_nonmembers) == 1_000
    ids = set(map(tuple, first.control_nonmembers.ids))
    assert ids < set(map(tuple, first.judge_sample.ids))


def test_rows_on_both_sides_are_counted(tmp_path: Path) -> None:
    rows = _rows(3_000, 2_000, 1, 100)
    # These occur twice among members: rows 100 to 199 are copies of the first 100.
    shared = slice(4_000, 4_030)
    for column in (rows.ids, rows.units):
        column[shared] = column[:30]

    for buckets in (1, 5):
        records = _select(tmp_path / str(buckets), rows, buckets, 100).records

        assert records.on_both_sides == results_pb2.SideCounts(members=60, nonmembers=30)
        assert records.duplicate == results_pb2.SideCounts(members=200, nonmembers=230)


def test_judge_sample_has_no_more_rows_than_fit(tmp_path: Path) -> None:
    selection = _select(tmp_path, _rows(3_000, 900, 1, 0), 3, 600)

    sides = [
        (int(sample.member.sum()), int((~sample.member).sum()))
        for sample in (selection.fit, selection.judge_sample)
    ]
    assert sides[0] == sides[1]
    assert sides[0][0] == 600 > sides[0][1]


def test_a_sample_that_is_short_of_rows_is_an_error(tmp_path: Path) -> None:
    _select(tmp_path, _rows(3_000, 3_000, 1, 0), buckets=2, cap=50)
    table_dir, sample_dir = str(tmp_path / "signals"), str(tmp_path / "scratch" / "samples")
    spec = SampleSpec("fit", Role.FIT, members=500, nonmembers=500)
    plan = SamplePlan(table_dir, sample_dir, _SEED, {"fit": spec})
    table = read_description(table_dir)
    there = results_pb2.SideCounts(members=1_000, nonmembers=1_000)

    # The buckets left enough for 50 rows a side, not for 500.
    with pytest.raises(RuntimeError, match=r"FIT rows has \d+ members: expected 500"):
        read_sample(plan, table, table.buckets, spec, there)
