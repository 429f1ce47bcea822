"""Bounded samples of a signals table: drawn bucket by bucket, read where attacks are fitted."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.files import exists, join, read_bytes, write_bytes_whole
from tfx_privacy.signals.identity import Ids, hash_fractions
from tfx_privacy.signals.partition import Role
from tfx_privacy.signals.table import (
    TableDescription,
    TableLayout,
    arrow_schema,
    from_table,
    to_record_batch,
)
from tfx_privacy.signals.table_reader import BucketKeys, read_bucket

_SALT = "sample"
# What attacks read; samples carry no more.
_SAMPLE_COLUMNS = ("label", "logits", "loss")
# Inputs, white-box signals and what reference models say may be wide: the sample that
# carries them is smaller.
_WIDE_ROWS_PER_SIDE = 20_000
_WIDE_BYTES_PER_SIDE = 128 << 20
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
        "white_box", "references".
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
class SamplePlan:
    """What a worker needs to know of the samples.

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


def wide_rows(layout: TableLayout, rows: int, input_bytes: int, columns: Collection[str]) -> int:
    """As many rows of a side as may carry wide columns, by the mean size of these.

    Args:
      layout: What rows carry.
      rows: Of the table.
      input_bytes: What the inputs of all of them take in memory.
      columns: Those that are read, of "inputs", "white_box" and "references".
    """
    size = input_bytes if "inputs" in columns else 0
    if "white_box" in columns and layout.white_box is not None:
        size += rows * layout.white_box.row_bytes
    if "references" in columns and layout.references is not None:
        size += rows * layout.references.row_bytes
    fitting = _WIDE_BYTES_PER_SIDE * rows // max(size, 1)
    return min(_WIDE_ROWS_PER_SIDE, max(fitting, 1))


def draw(
    plan: SamplePlan,
    table: TableDescription,
    layout: TableLayout,
    bucket: int,
    keys: BucketKeys,
    roles: NDArray[np.int8],
) -> None:
    """Leaves in files what a bucket offers to each sample.

    Args:
      plan: The samples.
      table: The description of the table.
      layout: Of its columns those that samples may carry.
      bucket: The bucket.
      keys: Its ids and sides.
      roles: [n], what each of its rows is used for.
    """
    if not len(roles):
        return
    order = _sample_order(keys.ids, plan.seed)
    for extra in sorted({spec.extra for spec in plan.samples.values()}):
        specs = [spec for spec in plan.samples.values() if spec.extra == extra]
        offers = _offers(specs, order, roles, keys.member, table.buckets)
        _write_offered(plan, table, layout, bucket, specs, offers)


def read_sample(
    plan: SamplePlan,
    layout: TableLayout,
    buckets: int,
    spec: SampleSpec,
    there: results_pb2.SideCounts,
) -> Signals:
    """The rows of a sample, from what the buckets offer, sorted by id.

    Args:
      plan: The samples.
      layout: That with which they were drawn.
      buckets: How many buckets the table has.
      spec: The sample.
      there: How many rows have its role.

    Raises:
      RuntimeError: If the buckets offered fewer rows than the sample should have.
    """
    paths = [_sample_path(plan.sample_dir, bucket, spec) for bucket in range(buckets)]
    written = _sample_layout(layout, spec)
    parts = [signals_from_bytes(read_bytes(path), written) for path in paths if exists(path)]
    signals = Signals.concatenate(parts)
    order = _sample_order(signals.ids, plan.seed)
    taken = []
    for is_member in (True, False):
        cap = spec.cap(is_member=is_member)
        rows = order[signals.member[order] == is_member][:cap]
        able = there.members if is_member else there.nonmembers
        _require_full(len(rows), min(cap, able), spec.role, is_member)
        taken.append(rows)
    return signals.take(np.concatenate(taken)).sorted_by_id()


def _write_offered(
    plan: SamplePlan,
    table: TableDescription,
    layout: TableLayout,
    bucket: int,
    specs: Sequence[SampleSpec],
    offers: Mapping[str, NDArray[np.bool_]],
) -> None:
    """Leaves the rows that a bucket offers to samples of the same columns."""
    columns = (*_SAMPLE_COLUMNS, *specs[0].extra)
    parts: dict[str, list[Signals]] = {spec.name: [] for spec in specs}
    start = 0
    for batch in read_bucket(plan.table_dir, table, bucket, columns):
        for name, offered in offers.items():
            parts[name].append(batch.take(offered[start : start + len(batch)]))
        start += len(batch)
    for spec in specs:
        rows = Signals.concatenate(parts[spec.name])
        content = signals_to_bytes(rows, _sample_layout(layout, spec))
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


def _bucket_rows(cap: int, buckets: int) -> int:
    mean = cap / buckets
    return min(cap, math.ceil(mean + _SPARE_DEVIATIONS * math.sqrt(mean)) + _SPARE_ROWS)


def _sample_path(sample_dir: str, bucket: int, spec: SampleSpec) -> str:
    return join(sample_dir, f"{spec.name}-{bucket:05d}.arrow")


def _sample_layout(layout: TableLayout, spec: SampleSpec) -> TableLayout:
    return dataclasses.replace(
        layout,
        has_units=False,
        has_weight=False,
        slice_features=layout.slice_features if "slices" in spec.extra else (),
        input_features=layout.input_features if "inputs" in spec.extra else (),
        white_box=layout.white_box if "white_box" in spec.extra else None,
        references=layout.references if "references" in spec.extra else None,
    )


def signals_to_bytes(signals: Signals, layout: TableLayout) -> bytes:
    """Rows as an Arrow stream of the columns that a layout names."""
    schema = arrow_schema(layout)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as stream:
        # The split is nothing to an attack.
        stream.write_batch(to_record_batch(signals, "", schema))
    return sink.getvalue()


def signals_from_bytes(content: bytes, layout: TableLayout) -> Signals:
    """Reads what `signals_to_bytes` made."""
    return from_table(pa.ipc.open_stream(content).read_all(), layout)


def _sample_order(ids: Ids, seed: int) -> NDArray[np.int64]:
    """The rows in the order in which a sample takes them, whatever their order is."""
    fractions = hash_fractions(ids, seed, _SALT)
    return np.asarray(np.lexsort((ids[:, 1], ids[:, 0], fractions)), np.int64)


def _require_full(found: int, expected: int, role: Role, is_member: bool) -> None:
    if found != expected:
        raise RuntimeError(
            f"the sample of {role.name} rows has {found} "
            f"{'members' if is_member else 'non-members'}: expected {expected}. Ids that are not "
            "spread evenly over the buckets of the signals table could be the cause"
        )
