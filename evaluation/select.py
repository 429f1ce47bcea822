"""Which rows are used for what, and the bounded samples that attacks are fitted on."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.files import (
    exists,
    join,
    read_bytes,
    write_bytes_whole,
    write_text_whole,
)
from tfx_privacy.signals.identity import Ids, hash_fractions
from tfx_privacy.signals.partition import Role, assign_roles, on_both_sides
from tfx_privacy.signals.table import (
    TableDescription,
    TableLayout,
    arrow_schema,
    from_table,
    to_record_batch,
)
from tfx_privacy.signals.table_reader import BucketKeys, read_bucket, read_description, read_keys

_SALT = "sample"
_ON_BOTH_SIDES = "ON_BOTH_SIDES"
# What attacks read; samples carry no more.
_SAMPLE_COLUMNS = ("label", "logits", "loss")
# Inputs and white-box signals may be wide, an image for instance: the sample that carries
# them is smaller.
_WIDE_ROWS_PER_SIDE = 20_000
_WIDE_BYTES_PER_SIDE = 128 << 20
# Two thirds of 20,000: what of so many non-members is expected to be JUDGE.
_CONTROL_NONMEMBERS = 13_334
# The rows of the sample that lie in one bucket are nearly Poisson distributed: a
# bucket keeps so many standard deviations more than their mean, and some rows for
# means so small that the distribution is skewed.
_SPARE_DEVIATIONS = 6
_SPARE_ROWS = 6


@dataclasses.dataclass(frozen=True)
class SampleSpec:
    """A sample: of members and of non-members in a role the first by hash.

    Attributes:
      name: Of its files.
      role: The rows that it is taken from.
      members: The most members.
      nonmembers: The most non-members.
      extra: What rows carry beside what every attack reads: "slices", "inputs",
        "white_box".
    """

    name: str
    role: Role
    members: int
    nonmembers: int
    extra: tuple[str, ...] = ()

    def cap(self, *, is_member: bool) -> int:
        """The most rows of a side."""
        return self.members if is_member else self.nonmembers


@dataclasses.dataclass(frozen=True)
class SelectionPlan:
    """What a worker needs to know of the selection.

    Attributes:
      table_dir: The signals table.
      sample_dir: Where samples are left for the machine that fits.
      seed: The seed of FIT, JUDGE and the samples.
      samples: The samples, by name.
    """

    table_dir: str
    sample_dir: str
    seed: int
    samples: Mapping[str, SampleSpec]


@dataclasses.dataclass(frozen=True)
class Selection:
    """What came of it.

    Attributes:
      records: How many rows are used for what; `fit` is what the sample holds.
      fit: Rows that attacks are fitted on, sorted by id; with their slices, without
        inputs and white-box signals.
      judge_sample: As many JUDGE rows at most, sorted by id; attacks fitted on
        them score the FIT rows for per-record risk, and serve nothing else.
      fit_wide: Of `fit` at most 20,000 rows a side, sorted by id, with their inputs
        where the table has any, and their white-box signals where an attack sees
        them; fewer where these are wide.
      judge_wide: The same of JUDGE, where an attack sees such columns; else no rows.
      control_nonmembers: JUDGE non-members for the controls, at most 13,334,
        sorted by id; with the columns of `judge_wide` where an attack sees them, and
        then fewer where these are wide.
    """

    records: results_pb2.Records
    fit: Signals
    judge_sample: Signals
    fit_wide: Signals
    judge_wide: Signals
    control_nonmembers: Signals


def bucket_roles(
    table_dir: str, table: TableDescription, bucket: int, seed: int
) -> NDArray[np.int8]:
    """The role of each row of a bucket, in the order in which `read_bucket` gives them."""
    return _roles(read_keys(table_dir, table, bucket), table, seed)


def _roles(keys: BucketKeys, table: TableDescription, seed: int) -> NDArray[np.int8]:
    return assign_roles(
        keys.ids, keys.units, seed, check_duplicates=table.identity.checks_duplicates
    )


def select(
    table_dir: str,
    table: TableDescription,
    scratch: str,
    seed: int,
    fit_rows_per_side: int,
    new_pipeline: Callable[[], beam.Pipeline],
    *,
    wide_columns: Collection[str] = (),
) -> Selection:
    """Assigns every row its role and draws the samples, in one Beam job over buckets.

    Args:
      table_dir: The signals table.
      table: Its description.
      scratch: A directory that workers and this machine share.
      seed: Reaches FIT, JUDGE and the samples.
      fit_rows_per_side: Rows a side in each sample, at most.
      new_pipeline: Makes a Beam pipeline on the caller's runner.
      wide_columns: What attacks look at of "inputs" and "white_box".

    Raises:
      RuntimeError: If the buckets offered fewer rows than the sample should have.
    """
    plan = SelectionPlan(
        table_dir=table_dir,
        sample_dir=join(scratch, "samples"),
        seed=seed,
        samples={spec.name: spec for spec in _samples(table, fit_rows_per_side, wide_columns)},
    )
    with new_pipeline() as pipeline:
        _ = (
            pipeline
            | "Buckets" >> beam.Create(range(table.buckets))
            | "Select" >> beam.ParDo(_SelectRows(plan))
        )
    return _selection(plan, table)


def _samples(
    table: TableDescription, fit_rows: int, wide_columns: Collection[str]
) -> tuple[SampleSpec, ...]:
    # The blind baseline looks at inputs in any case.
    seen = tuple(sorted({"inputs", *wide_columns}))
    wide_rows = min(fit_rows, _wide_rows(table, seen))
    judge_wide, control_rows = 0, _CONTROL_NONMEMBERS
    control_extra: tuple[str, ...] = ()
    if wide_columns:
        judge_wide = wide_rows
        control_rows = min(control_rows, _wide_rows(table, seen))
        control_extra = seen
    return (
        SampleSpec("fit", Role.FIT, fit_rows, fit_rows, ("slices",)),
        SampleSpec("judge", Role.JUDGE, fit_rows, fit_rows),
        SampleSpec("fit_wide", Role.FIT, wide_rows, wide_rows, seen),
        SampleSpec("judge_wide", Role.JUDGE, judge_wide, judge_wide, seen),
        SampleSpec("control", Role.JUDGE, 0, control_rows, control_extra),
    )


def _wide_rows(table: TableDescription, columns: Collection[str]) -> int:
    """As many rows of a side as may carry these columns, by the mean size of them."""
    rows = table.members + table.nonmembers
    size = table.input_bytes
    if "white_box" in columns and table.white_box is not None:
        size += rows * table.white_box.row_bytes
    fitting = _WIDE_BYTES_PER_SIDE * rows // max(size, 1)
    return min(_WIDE_ROWS_PER_SIDE, max(fitting, 1))


def _bucket_rows(cap: int, buckets: int) -> int:
    mean = cap / buckets
    return min(cap, math.ceil(mean + _SPARE_DEVIATIONS * math.sqrt(mean)) + _SPARE_ROWS)


class _SelectRows(beam.DoFn):
    """A bucket's roles, tallied; its part of the samples, left in files."""

    def __init__(self, plan: SelectionPlan) -> None:
        self._plan = plan

    def setup(self) -> None:
        # Read here and not sent along: it names every file of the table.
        self._table = read_description(self._plan.table_dir)

    def process(self, bucket: int) -> None:
        plan, table = self._plan, self._table
        keys = read_keys(plan.table_dir, table, bucket)
        roles = _roles(keys, table, plan.seed)
        tally = _tally(keys, roles, check_duplicates=table.identity.checks_duplicates)
        write_text_whole(_tally_path(plan.sample_dir, bucket), json.dumps(tally))
        if not len(roles):
            return
        order = _sample_order(keys.ids, plan.seed)
        for extra in sorted({spec.extra for spec in plan.samples.values()}):
            specs = [spec for spec in plan.samples.values() if spec.extra == extra]
            self._draw(bucket, specs, _offers(specs, order, roles, keys.member, table.buckets))

    def _draw(
        self, bucket: int, specs: Sequence[SampleSpec], offers: Mapping[str, NDArray[np.bool_]]
    ) -> None:
        """Leaves the rows that a bucket offers to samples of the same columns."""
        plan, table = self._plan, self._table
        columns = _columns(specs[0])
        parts: dict[str, list[Signals]] = {spec.name: [] for spec in specs}
        start = 0
        for batch in read_bucket(plan.table_dir, table, bucket, columns):
            for name, offered in offers.items():
                parts[name].append(batch.take(offered[start : start + len(batch)]))
            start += len(batch)
        for spec in specs:
            rows = Signals.concatenate(parts[spec.name])
            content = _to_bytes(rows, _sample_layout(table, spec))
            write_bytes_whole(_sample_path(plan.sample_dir, bucket, spec), content)


def _offers(
    specs: Sequence[SampleSpec],
    order: NDArray[np.int64],
    roles: NDArray[np.int8],
    member: NDArray[np.bool_],
    buckets: int,
) -> dict[str, NDArray[np.bool_]]:
    """Which rows of a bucket may be in each sample, [n] bool: of each side the first by hash."""
    offers = {}
    for spec in specs:
        offered = np.zeros(len(order), np.bool_)
        for is_member in (True, False):
            able = (roles == spec.role) & (member == is_member)
            most = _bucket_rows(spec.cap(is_member=is_member), buckets)
            offered[order[able[order]][:most]] = True
        offers[spec.name] = offered
    return offers


def _columns(spec: SampleSpec) -> tuple[str, ...]:
    return (*_SAMPLE_COLUMNS, *spec.extra)


def _tally(keys: BucketKeys, roles: NDArray[np.int8], *, check_duplicates: bool) -> dict[str, int]:
    shared = (
        on_both_sides(keys.ids, keys.member) if check_duplicates else np.zeros_like(keys.member)
    )
    tally = {}
    for is_member in (True, False):
        of_side = keys.member == is_member
        for role in Role:
            tally[_tally_key(role.name, is_member)] = np.count_nonzero(of_side & (roles == role))
        tally[_tally_key(_ON_BOTH_SIDES, is_member)] = np.count_nonzero(of_side & shared)
    return tally


def _tally_key(what: str, is_member: bool) -> str:
    return f"{what} {'member' if is_member else 'nonmember'}"


def _tally_path(sample_dir: str, bucket: int) -> str:
    return join(sample_dir, f"tally-{bucket:05d}.json")


def _sample_path(sample_dir: str, bucket: int, spec: SampleSpec) -> str:
    return join(sample_dir, f"{spec.name}-{bucket:05d}.arrow")


def _sample_layout(table: TableDescription, spec: SampleSpec) -> TableLayout:
    return dataclasses.replace(
        table,
        has_units=False,
        has_weight=False,
        slice_features=table.slice_features if "slices" in spec.extra else (),
        input_features=table.input_features if "inputs" in spec.extra else (),
        white_box=table.white_box if "white_box" in spec.extra else None,
    )


def _to_bytes(signals: Signals, layout: TableLayout) -> bytes:
    schema = arrow_schema(layout)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as stream:
        # The split is nothing to an attack.
        stream.write_batch(to_record_batch(signals, "", schema))
    return sink.getvalue()


def _from_bytes(content: bytes, layout: TableLayout) -> Signals:
    return from_table(pa.ipc.open_stream(content).read_all(), layout)


def _sample_order(ids: Ids, seed: int) -> NDArray[np.int64]:
    """The rows in the order in which a sample takes them, whatever their order is."""
    fractions = hash_fractions(ids, seed, _SALT)
    return np.asarray(np.lexsort((ids[:, 1], ids[:, 0], fractions)), np.int64)


def _selection(plan: SelectionPlan, table: TableDescription) -> Selection:
    tally: Counter[str] = Counter()
    for bucket in range(table.buckets):
        tally.update(json.loads(read_bytes(_tally_path(plan.sample_dir, bucket))))
    samples = plan.samples
    fit = _sample(plan, table, tally, samples["fit"])
    members = int(fit.member.sum())
    as_many = dataclasses.replace(samples["judge"], members=members, nonmembers=len(fit) - members)
    return Selection(
        records=_records(table, tally, fit),
        fit=fit,
        judge_sample=_sample(plan, table, tally, as_many),
        fit_wide=_sample(plan, table, tally, samples["fit_wide"]),
        judge_wide=_sample(plan, table, tally, samples["judge_wide"]),
        control_nonmembers=_sample(plan, table, tally, samples["control"]),
    )


def _sample(
    plan: SelectionPlan, table: TableDescription, tally: Mapping[str, int], spec: SampleSpec
) -> Signals:
    """The rows of a sample, from what the buckets offer."""
    paths = [_sample_path(plan.sample_dir, bucket, spec) for bucket in range(table.buckets)]
    layout = _sample_layout(table, spec)
    parts = [_from_bytes(read_bytes(path), layout) for path in paths if exists(path)]
    signals = Signals.concatenate(parts)
    order = _sample_order(signals.ids, plan.seed)
    taken = []
    for is_member in (True, False):
        cap = spec.cap(is_member=is_member)
        rows = order[signals.member[order] == is_member][:cap]
        there = tally[_tally_key(spec.role.name, is_member)]
        _require_full(len(rows), min(cap, there), spec.role, is_member)
        taken.append(rows)
    return signals.take(np.concatenate(taken)).sorted_by_id()


def _require_full(found: int, expected: int, role: Role, is_member: bool) -> None:
    if found != expected:
        raise RuntimeError(
            f"the sample of {role.name} rows has {found} "
            f"{'members' if is_member else 'non-members'}: expected {expected}. Ids that are not "
            "spread evenly over the buckets of the signals table could be the cause"
        )


def _records(
    table: TableDescription, tally: Mapping[str, int], fit: Signals
) -> results_pb2.Records:
    def counted(what: str) -> results_pb2.SideCounts:
        return results_pb2.SideCounts(
            members=tally[_tally_key(what, True)], nonmembers=tally[_tally_key(what, False)]
        )

    members = int(fit.member.sum())
    nonmembers = len(fit) - members
    all_fit = counted(Role.FIT.name)
    return results_pb2.Records(
        read=results_pb2.SideCounts(members=table.members, nonmembers=table.nonmembers),
        duplicate=counted(Role.DUPLICATE.name),
        same_unit=counted(Role.SAME_UNIT.name),
        fit=results_pb2.SideCounts(members=members, nonmembers=nonmembers),
        fit_beyond_sample=results_pb2.SideCounts(
            members=all_fit.members - members, nonmembers=all_fit.nonmembers - nonmembers
        ),
        judge=counted(Role.JUDGE.name),
        duplicates_checked=table.identity.checks_duplicates,
        on_both_sides=counted(_ON_BOTH_SIDES),
    )
