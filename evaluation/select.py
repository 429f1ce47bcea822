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
from tfx_privacy.signals.table_reader import read_bucket, read_keys

_SALT = "sample"
# A sample is first drawn by a threshold on the hash, which gives about so many
# rows, and then cut to size: this many standard deviations make it large enough.
_SPARE_DEVIATIONS = 6


@dataclasses.dataclass(frozen=True)
class SelectionPlan:
    """What a worker needs to know of the selection.

    Attributes:
      table_dir: The signals table.
      sample_dir: Where samples are left for the machine that fits.
      seed: The seed of FIT, JUDGE and the samples.
      keep: By (role, member), the share of rows whose hash puts them in the sample.
    """

    table_dir: str
    sample_dir: str
    seed: int
    keep: dict[tuple[Role, bool], float]


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
    """
    plan = SelectionPlan(
        table_dir=table_dir,
        sample_dir=join(scratch, "samples"),
        seed=seed,
        keep=_keep(table, fit_rows_per_side),
    )
    with new_pipeline() as pipeline:
        _ = (
            pipeline
            | "Buckets" >> beam.Create(range(table.buckets))
            | "Select" >> beam.ParDo(_SelectRows(plan, table))
        )
    return _selection(plan, table, fit_rows_per_side)


def _keep(table: TableDescription, cap: int) -> dict[tuple[Role, bool], float]:
    shares = {Role.FIT: 1 / 3, Role.JUDGE: 2 / 3}
    wanted = cap + _SPARE_DEVIATIONS * math.sqrt(cap) + 1
    return {
        (role, is_member): min(1.0, wanted / max(1.0, share * rows))
        for role, share in shares.items()
        for is_member, rows in ((True, table.members), (False, table.nonmembers))
    }


class _SelectRows(beam.DoFn):
    """A bucket's roles, tallied; its part of the samples, left in a file."""

    def __init__(self, plan: SelectionPlan, table: TableDescription) -> None:
        self._plan = plan
        self._table = table

    def process(self, bucket: int) -> None:
        plan = self._plan
        roles = bucket_roles(plan.table_dir, self._table, bucket, plan.seed)
        tally: Counter[str] = Counter()
        taken: dict[Role, list[Signals]] = {Role.FIT: [], Role.JUDGE: []}
        start = 0
        for batch in read_bucket(plan.table_dir, self._table, bucket):
            batch_roles = roles[start : start + len(batch)]
            start += len(batch)
            tally.update(_tally(batch_roles, batch.member))
            fractions = _sample_fractions(batch, plan.seed)
            for role, parts in taken.items():
                keep = np.where(batch.member, plan.keep[role, True], plan.keep[role, False])
                parts.append(batch.take((batch_roles == role) & (fractions < keep)))
        write_text_whole(_tally_path(plan.sample_dir, bucket), json.dumps(tally))
        for role, parts in taken.items():
            if parts:
                sample = _to_bytes(Signals.concatenate(parts), self._table)
                write_bytes_whole(_sample_path(plan.sample_dir, bucket, role), sample)


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


def _to_bytes(signals: Signals, layout: TableLayout) -> bytes:
    schema = arrow_schema(layout)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as stream:
        # The split is nothing to an attack.
        stream.write_batch(to_record_batch(signals, "", schema))
    return sink.getvalue()


def _from_bytes(content: bytes, layout: TableLayout) -> Signals:
    return from_table(pa.ipc.open_stream(content).read_all(), layout)


def _sample_fractions(signals: Signals, seed: int) -> NDArray[np.float64]:
    return hash_fractions(signals.ids, seed, _SALT)


def _selection(plan: SelectionPlan, table: TableDescription, cap: int) -> Selection:
    tally: Counter[str] = Counter()
    for bucket in range(table.buckets):
        tally.update(json.loads(read_bytes(_tally_path(plan.sample_dir, bucket))))
    fit = _sample(plan, table, Role.FIT, (cap, cap))
    members = int(fit.member.sum())
    judge_sample = _sample(plan, table, Role.JUDGE, (members, len(fit) - members))
    return Selection(_records(table, tally, fit), fit, judge_sample)


def _sample(
    plan: SelectionPlan, table: TableDescription, role: Role, caps: tuple[int, int]
) -> Signals:
    """The sampled rows of a role: of members and of non-members the first by hash."""
    paths = [_sample_path(plan.sample_dir, bucket, role) for bucket in range(table.buckets)]
    parts = [_from_bytes(read_bytes(path), table) for path in paths if exists(path)]
    signals = Signals.concatenate(parts)
    order = np.argsort(_sample_fractions(signals, plan.seed), kind="stable")
    rows = [
        order[signals.member[order] == is_member][:cap]
        for is_member, cap in zip((True, False), caps, strict=True)
    ]
    return signals.take(np.concatenate(rows)).sorted_by_id()


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
