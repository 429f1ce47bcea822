"""Which rows are used for what, and the bounded samples that attacks are fitted on."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from tfx_privacy.evaluation.samples import SamplePlan, SampleSpec, draw, read_sample, wide_rows
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.files import join, read_bytes, write_text_whole
from tfx_privacy.signals.partition import Role, assign_roles, on_both_sides
from tfx_privacy.signals.table import TableDescription
from tfx_privacy.signals.table_reader import BucketKeys, read_description, read_keys

_ON_BOTH_SIDES = "ON_BOTH_SIDES"
# Two thirds of 20,000: what of so many non-members is expected to be JUDGE.
_CONTROL_NONMEMBERS = 13_334
_INPUTS = ("inputs",)


@dataclasses.dataclass(frozen=True)
class Selection:
    """What came of it.

    Attributes:
      records: How many rows are used for what; `fit` is what the sample holds.
      fit: Rows that attacks are fitted on, sorted by id; with their slices, without
        inputs, white-box signals and what reference models say.
      judge_sample: As many JUDGE rows at most, sorted by id; attacks fitted on
        them score the FIT rows for per-record risk, and serve nothing else.
      fit_inputs: Of `fit` at most 20,000 rows a side, sorted by id, with their inputs
        where the table has any; fewer where inputs are wide.
      fit_wide: The same with the columns that attacks see of inputs, white-box signals
        and what reference models say, and fewer where these are wide; `fit_inputs` where
        no attack sees the latter two.
      judge_wide: The same of JUDGE, where an attack sees such columns; else no rows.
      control_nonmembers: JUDGE non-members for the controls, at most 13,334,
        sorted by id; with the columns of `judge_wide` where an attack sees them, and
        then fewer where these are wide.
    """

    records: results_pb2.Records
    fit: Signals
    judge_sample: Signals
    fit_inputs: Signals
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
      wide_columns: What attacks look at of "inputs", "white_box" and "references".

    Raises:
      RuntimeError: If the buckets offered fewer rows than the sample should have.
    """
    plan = SamplePlan(
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
    seen = tuple(sorted(wide_columns))
    rows = table.members + table.nonmembers
    with_inputs = min(fit_rows, wide_rows(table, rows, table.input_bytes, _INPUTS))
    able = wide_rows(table, rows, table.input_bytes, seen)
    wide = min(fit_rows, able) if seen else 0
    return (
        SampleSpec("fit", Role.FIT, fit_rows, fit_rows, ("slices",)),
        SampleSpec("judge", Role.JUDGE, fit_rows, fit_rows),
        # Its own: white-box signals may be wide, and would take rows from the blind baseline.
        SampleSpec("fit_inputs", Role.FIT, with_inputs, with_inputs, _INPUTS),
        SampleSpec("fit_wide", Role.FIT, wide, wide, seen),
        SampleSpec("judge_wide", Role.JUDGE, wide, wide, seen),
        SampleSpec("control", Role.JUDGE, 0, min(_CONTROL_NONMEMBERS, able), seen),
    )


class _SelectRows(beam.DoFn):
    """A bucket's roles, tallied; its part of the samples, left in files."""

    def __init__(self, plan: SamplePlan) -> None:
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
        draw(plan, table, table, bucket, keys, roles)


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


def _selection(plan: SamplePlan, table: TableDescription) -> Selection:
    tally: Counter[str] = Counter()
    for bucket in range(table.buckets):
        tally.update(json.loads(read_bytes(_tally_path(plan.sample_dir, bucket))))
    samples = plan.samples
    fit = _sample(plan, table, tally, samples["fit"])
    members = int(fit.member.sum())
    as_many = dataclasses.replace(samples["judge"], members=members, nonmembers=len(fit) - members)
    fit_inputs = _sample(plan, table, tally, samples["fit_inputs"])
    return Selection(
        records=_records(table, tally, fit),
        fit=fit,
        judge_sample=_sample(plan, table, tally, as_many),
        fit_inputs=fit_inputs,
        fit_wide=fit_inputs
        if samples["fit_wide"].extra in ((), _INPUTS)
        else _sample(plan, table, tally, samples["fit_wide"]),
        judge_wide=_sample(plan, table, tally, samples["judge_wide"]),
        control_nonmembers=_sample(plan, table, tally, samples["control"]),
    )


def _sample(
    plan: SamplePlan, table: TableDescription, tally: Mapping[str, int], spec: SampleSpec
) -> Signals:
    there = _counted(tally, spec.role.name)
    return read_sample(plan, table, table.buckets, spec, there)


def _counted(tally: Mapping[str, int], what: str) -> results_pb2.SideCounts:
    return results_pb2.SideCounts(
        members=tally[_tally_key(what, True)], nonmembers=tally[_tally_key(what, False)]
    )


def _records(
    table: TableDescription, tally: Mapping[str, int], fit: Signals
) -> results_pb2.Records:
    members = int(fit.member.sum())
    nonmembers = len(fit) - members
    all_fit = _counted(tally, Role.FIT.name)
    return results_pb2.Records(
        read=results_pb2.SideCounts(members=table.members, nonmembers=table.nonmembers),
        duplicate=_counted(tally, Role.DUPLICATE.name),
        same_unit=_counted(tally, Role.SAME_UNIT.name),
        fit=results_pb2.SideCounts(members=members, nonmembers=nonmembers),
        fit_beyond_sample=results_pb2.SideCounts(
            members=all_fit.members - members, nonmembers=all_fit.nonmembers - nonmembers
        ),
        judge=_counted(tally, Role.JUDGE.name),
        duplicates_checked=table.identity.checks_duplicates,
        on_both_sides=_counted(tally, _ON_BOTH_SIDES),
    )
