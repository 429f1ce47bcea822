"""Which rows are used for what, and the bounded samples that attacks are fitted on."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping

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
from tfx_privacy.signals.identity import hash_fractions
from tfx_privacy.signals.partition import Role, assign_roles
from tfx_privacy.signals.table import (
    TableDescription,
    TableLayout,
    arrow_schema,
    from_table,
    to_record_batch,
)
from tfx_privacy.signals.table_reader import read_bucket, read_description, read_keys

_SALT = "sample"
# What attacks read; samples carry no more.
_SAMPLE_COLUMNS = ("label", "logits", "loss")
# The rows of the sample that lie in one bucket are nearly Poisson distributed: a
# bucket keeps so many standard deviations more than their mean, and some rows for
# means so small that the distribution is skewed.
_SPARE_DEVIATIONS = 6
_SPARE_ROWS = 6


@dataclasses.dataclass(frozen=True)
class SelectionPlan:
    """What a worker needs to know of the selection.

    Attributes:
      table_dir: The signals table.
      sample_dir: Where samples are left for the machine that fits.
      seed: The seed of FIT, JUDGE and the samples.
      bucket_rows: Rows of each role and side that a bucket offers to the sample.
    """

    table_dir: str
    sample_dir: str
    seed: int
    bucket_rows: int


@dataclasses.dataclass(frozen=True)
class Selection:
    """What came of it.

    Attributes:
      records: How many rows are used for what; `fit` is what the sample holds.
      fit: Rows that attacks are fitted on, sorted by id.
      judge_sample: As many JUDGE rows at most, sorted by id; attacks fitted on
        them score the FIT rows for per-record risk, and serve nothing else.
    """

    records: results_pb2.Records
    fit: Signals
    judge_sample: Signals


def bucket_roles(
    table_dir: str, table: TableDescription, bucket: int, seed: int
) -> NDArray[np.int8]:
    """The role of each row of a bucket, in the order in which `read_bucket` gives them."""
    keys = read_keys(table_dir, table, bucket)
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
) -> Selection:
    """Assigns every row its role and draws the samples, in one Beam job over buckets.

    Args:
      table_dir: The signals table.
      table: Its description.
      scratch: A directory that workers and this machine share.
      seed: Reaches FIT, JUDGE and the samples.
      fit_rows_per_side: Rows a side in each sample, at most.
      new_pipeline: Makes a Beam pipeline on the caller's runner.

    Raises:
      RuntimeError: If the buckets offered fewer rows than the sample should have.
    """
    plan = SelectionPlan(
        table_dir=table_dir,
        sample_dir=join(scratch, "samples"),
        seed=seed,
        bucket_rows=_bucket_rows(fit_rows_per_side, table.buckets),
    )
    with new_pipeline() as pipeline:
        _ = (
            pipeline
            | "Buckets" >> beam.Create(range(table.buckets))
            | "Select" >> beam.ParDo(_SelectRows(plan))
        )
    return _selection(plan, table, fit_rows_per_side)


def _bucket_rows(cap: int, buckets: int) -> int:
    mean = cap / buckets
    return min(cap, math.ceil(mean + _SPARE_DEVIATIONS * math.sqrt(mean)) + _SPARE_ROWS)


class _SelectRows(beam.DoFn):
    """A bucket's roles, tallied; its part of the samples, left in a file."""

    def __init__(self, plan: SelectionPlan) -> None:
        self._plan = plan

    def setup(self) -> None:
        # Read here and not sent along: it names every file of the table.
        self._table = read_description(self._plan.table_dir)

    def process(self, bucket: int) -> None:
        plan = self._plan
        roles = bucket_roles(plan.table_dir, self._table, bucket, plan.seed)
        tally: Counter[str] = Counter()
        offers = {
            role: (_Offer(plan.bucket_rows, plan.seed), _Offer(plan.bucket_rows, plan.seed))
            for role in (Role.FIT, Role.JUDGE)
        }
        start = 0
        for batch in read_bucket(plan.table_dir, self._table, bucket, _SAMPLE_COLUMNS):
            batch_roles = roles[start : start + len(batch)]
            start += len(batch)
            tally.update(_tally(batch_roles, batch.member))
            for role, (members, nonmembers) in offers.items():
                members.add(batch.take((batch_roles == role) & batch.member))
                nonmembers.add(batch.take((batch_roles == role) & ~batch.member))
        write_text_whole(_tally_path(plan.sample_dir, bucket), json.dumps(tally))
        for role, sides in offers.items():
            parts = [side.rows for side in sides if side.rows is not None]
            if parts:
                sample = _to_bytes(Signals.concatenate(parts), _sample_layout(self._table))
                write_bytes_whole(_sample_path(plan.sample_dir, bucket, role), sample)


class _Offer:
    """Of the rows added, the first by hash; never many more of them in memory.

    Attributes:
      rows: The rows, None before any were added.
    """

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._seed = seed
        self._kept: Signals | None = None

    def add(self, rows: Signals) -> None:
        self._kept = rows if self._kept is None else Signals.concatenate([self._kept, rows])
        # Not at every batch: a cut sorts.
        if len(self._kept) > 2 * self._most:
            self._kept = self._first(self._kept)

    @property
    def rows(self) -> Signals | None:
        return None if self._kept is None else self._first(self._kept)

    def _first(self, rows: Signals) -> Signals:
        return rows.take(_sample_order(rows, self._seed)[: self._most])


def _tally(roles: NDArray[np.int8], member: NDArray[np.bool_]) -> dict[str, int]:
    return {
        _tally_key(role, is_member): int(np.count_nonzero((roles == role) & (member == is_member)))
        for role in Role
        for is_member in (True, False)
    }


def _tally_key(role: Role, is_member: bool) -> str:
    return f"{role.name} {'member' if is_member else 'nonmember'}"


def _tally_path(sample_dir: str, bucket: int) -> str:
    return join(sample_dir, f"tally-{bucket:05d}.json")


def _sample_path(sample_dir: str, bucket: int, role: Role) -> str:
    return join(sample_dir, f"{role.name.lower()}-{bucket:05d}.arrow")


def _sample_layout(table: TableDescription) -> TableLayout:
    return dataclasses.replace(table, slice_features=(), has_units=False, has_weight=False)


def _to_bytes(signals: Signals, layout: TableLayout) -> bytes:
    schema = arrow_schema(layout)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as stream:
        # The split is nothing to an attack.
        stream.write_batch(to_record_batch(signals, "", schema))
    return sink.getvalue()


def _from_bytes(content: bytes, layout: TableLayout) -> Signals:
    return from_table(pa.ipc.open_stream(content).read_all(), layout)


def _sample_order(signals: Signals, seed: int) -> NDArray[np.int64]:
    """The rows in the order in which a sample takes them, whatever their order is."""
    fractions = hash_fractions(signals.ids, seed, _SALT)
    order = np.lexsort((signals.ids[:, 1], signals.ids[:, 0], fractions))
    return np.asarray(order, np.int64)


def _selection(plan: SelectionPlan, table: TableDescription, cap: int) -> Selection:
    tally: Counter[str] = Counter()
    for bucket in range(table.buckets):
        tally.update(json.loads(read_bytes(_tally_path(plan.sample_dir, bucket))))
    fit = _sample(plan, table, tally, Role.FIT, (cap, cap))
    members = int(fit.member.sum())
    judge_sample = _sample(plan, table, tally, Role.JUDGE, (members, len(fit) - members))
    return Selection(_records(table, tally, fit), fit, judge_sample)


def _sample(
    plan: SelectionPlan,
    table: TableDescription,
    tally: Mapping[str, int],
    role: Role,
    caps: tuple[int, int],
) -> Signals:
    """The sampled rows of a role: of members and of non-members the first by hash."""
    paths = [_sample_path(plan.sample_dir, bucket, role) for bucket in range(table.buckets)]
    layout = _sample_layout(table)
    parts = [_from_bytes(read_bytes(path), layout) for path in paths if exists(path)]
    signals = Signals.concatenate(parts)
    order = _sample_order(signals, plan.seed)
    taken = []
    for is_member, cap in zip((True, False), caps, strict=True):
        rows = order[signals.member[order] == is_member][:cap]
        _require_full(len(rows), min(cap, tally[_tally_key(role, is_member)]), role, is_member)
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
    def counted(role: Role) -> results_pb2.SideCounts:
        return results_pb2.SideCounts(
            members=tally[_tally_key(role, True)], nonmembers=tally[_tally_key(role, False)]
        )

    members = int(fit.member.sum())
    nonmembers = len(fit) - members
    all_fit = counted(Role.FIT)
    return results_pb2.Records(
        read=results_pb2.SideCounts(members=table.members, nonmembers=table.nonmembers),
        duplicate=counted(Role.DUPLICATE),
        same_unit=counted(Role.SAME_UNIT),
        fit=results_pb2.SideCounts(members=members, nonmembers=nonmembers),
        fit_beyond_sample=results_pb2.SideCounts(
            members=all_fit.members - members, nonmembers=all_fit.nonmembers - nonmembers
        ),
        judge=counted(Role.JUDGE),
        duplicates_checked=table.identity.checks_duplicates,
    )
