"""Rows to fit attacks on that are another model's: fitted on model A, judged on model B."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.evaluation.matched_layout import match_layout, require_related
from tfx_privacy.evaluation.samples import SamplePlan, SampleSpec, draw, read_sample, wide_rows
from tfx_privacy.evaluation.suite import MIN_ROWS_A_SIDE, KnownRows, attacks_of
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import (
    join,
    names_in,
    read_bytes,
    write_bytes_whole,
    write_text_whole,
)
from tfx_privacy.signals.identity import Ids, bucket_of
from tfx_privacy.signals.partition import Role, assign_roles, on_both_sides
from tfx_privacy.signals.table import TableDescription, TableLayout
from tfx_privacy.signals.table_reader import BucketKeys, read_description, read_keys

_ROWS, _WIDE = "rows", "wide"
# In reasons why an attack cannot be fitted on them.
_CALLED = "the signals of the other model"
_NO_REFERENCES = (
    "compares the target with reference models, and the other model that attacks are fitted on "
    "has none"
)


@dataclasses.dataclass(frozen=True)
class FitOn:
    """Another model's signals, whose members the attacker knows.

    Attributes:
      signals_dir: Its signals table.
      uri: What results call it.
    """

    signals_dir: str
    uri: str


def read_fit_on(fit_on: FitOn) -> TableDescription:
    """The description of the other model's signals.

    Raises:
      InputError: If there is none, of another version, or its rows are gone.
    """
    try:
        table = read_description(fit_on.signals_dir)
    except InputError as error:
        raise InputError(f"the signals to fit on cannot be read: {error}") from error
    there = set(names_in(fit_on.signals_dir))
    gone = sum(file.name not in there for file in table.files)
    if gone:
        raise InputError(
            f"the signals to fit on at {fit_on.uri} have no rows: {gone} of the "
            f"{len(table.files)} files that table.json lists are gone, as `keep_signals: false` "
            "leaves them. Measure that model again with `keep_signals: true`"
        )
    return table


def rows_to_fit_on(
    fit_on: FitOn,
    judged_dir: str,
    judged: TableDescription,
    config: config_pb2.PrivacyConfig,
    scratch: str,
    new_pipeline: Callable[[], beam.Pipeline],
    wide_columns: Collection[str],
) -> tuple[KnownRows, results_pb2.FittedOn]:
    """A bounded sample of the other model's rows, without the judged model's records.

    Of the other table every row may be known, FIT or JUDGE there, but for duplicates and
    further rows of a unit. Left out are all whose id, or whose unit, is anywhere in the
    judged table: an attack that had been told whether model A was trained on a record
    could recognise it when it is judged on model B, and know or be misled. Leaving
    them out takes nothing from the evidence, which is of the judged model's
    JUDGE rows alone, and none of these is left out: given the other model's rows, the
    fitted attack is one fixed function of a judged row's signals. (Leaving out JUDGE rows
    that are shared would choose among them by what another model was trained on.)

    Hidden units of two models do not correspond, even where their architecture is the
    same: what is learned from activations or gradients of one need not hold for the other.

    Args:
      fit_on: The other model's signals.
      judged_dir: The signals table of the judged model.
      judged: Its description.
      config: The resolved configuration.
      scratch: A directory that workers and this machine share.
      new_pipeline: Makes a Beam pipeline on the caller's runner.
      wide_columns: What attacks look at of "inputs" and "white_box"; of reference models
        nothing is known there.

    Returns:
      The rows, with columns named as in the judged table, and what results say of them.

    Raises:
      InputError: If the two tables do not go together, or too few rows are left.
    """
    other = read_fit_on(fit_on)
    require_related(other, judged, fit_on.uri)
    seen = {name for attack in attacks_of(config) for name in attack.white_box_seen}
    matched = match_layout(other, judged, wide_columns, seen, fit_on.uri)
    layout, fit_rows = matched.layout, config.sample_sizes.fit_rows_per_side
    specs = _samples(other, layout, fit_rows, wide_columns)
    samples = SamplePlan(
        table_dir=fit_on.signals_dir,
        sample_dir=join(scratch, "samples"),
        seed=config.seed,
        samples={spec.name: spec for spec in specs},
    )
    plan = _DrawPlan(samples, layout, judged_dir)
    with new_pipeline() as pipeline:
        _ = (
            pipeline
            | "Buckets" >> beam.Create(range(other.buckets))
            | "DrawToFitOn" >> beam.ParDo(_DrawRows(plan))
        )
    rows, wide, shared = _drawn(plan, other.buckets)
    if judged.has_units:
        found = _ids_in(judged_dir, judged.buckets, rows.ids, join(scratch, "ids"), new_pipeline)
        again = _is_among(rows.ids, found)
        shared.members += int((again & rows.member).sum())
        shared.nonmembers += int((again & ~rows.member).sum())
        rows, wide = rows.take(~again), wide.take(~_is_among(wide.ids, found))
    fitted_on = results_pb2.FittedOn(signals_uri=fit_on.uri, fit=_sides(rows), shared=shared)
    _require_enough(fitted_on)
    names = matched.layer_names
    return KnownRows(_renamed(rows, names), _renamed(wide, names), _CALLED), fitted_on


def without_references(attacks: Sequence[Attack]) -> tuple[tuple[Attack, ...], dict[str, str]]:
    """The attacks that can be fitted on another model's rows as far as reference models go.

    Returns:
      Those, and by the names of the others why they cannot.
    """
    reasons = {
        attack.name: _NO_REFERENCES for attack in attacks if "references" in attack.wide_columns
    }
    return tuple(attack for attack in attacks if attack.name not in reasons), reasons


@dataclasses.dataclass(frozen=True)
class _DrawPlan:
    """What a worker needs to draw rows that the judged table does not have.

    Attributes:
      samples: Of the other table.
      layout: The columns that they carry.
      judged_dir: The judged table.
    """

    samples: SamplePlan
    layout: TableLayout
    judged_dir: str


def _samples(
    other: TableDescription,
    layout: TableLayout,
    fit_rows: int,
    wide_columns: Collection[str],
) -> tuple[SampleSpec, ...]:
    wide = 0
    if wide_columns:
        rows = other.members + other.nonmembers
        wide = min(fit_rows, wide_rows(layout, rows, other.input_bytes, wide_columns))
    return (
        SampleSpec(_ROWS, Role.FIT, fit_rows, fit_rows),
        SampleSpec(_WIDE, Role.FIT, wide, wide, tuple(sorted(wide_columns))),
    )


class _DrawRows(beam.DoFn):
    """A bucket's part of the samples and how many rows there were, left in files."""

    def __init__(self, plan: _DrawPlan) -> None:
        self._plan = plan

    def setup(self) -> None:
        # Read here and not sent along: they name every file of the tables.
        self._other = read_description(self._plan.samples.table_dir)
        self._judged = read_description(self._plan.judged_dir)

    def process(self, bucket: int) -> None:
        plan, other = self._plan.samples, self._other
        keys = read_keys(plan.table_dir, other, bucket)
        roles = assign_roles(
            keys.ids, keys.units, plan.seed, check_duplicates=other.identity.checks_duplicates
        )
        able = (roles == Role.FIT) | (roles == Role.JUDGE)
        shared = able & _is_in(self._plan.judged_dir, self._judged, keys)
        able &= ~shared
        tally = {
            "members": np.count_nonzero(able & keys.member),
            "nonmembers": np.count_nonzero(able & ~keys.member),
            "shared members": np.count_nonzero(shared & keys.member),
            "shared nonmembers": np.count_nonzero(shared & ~keys.member),
        }
        write_text_whole(_tally_path(plan.sample_dir, bucket), json.dumps(tally))
        # All rows that may be known are FIT here; why others may not is of no consequence.
        known = np.where(able, Role.FIT, Role.DUPLICATE).astype(np.int8)
        draw(plan, other, self._plan.layout, bucket, keys, known)


def _is_in(table_dir: str, table: TableDescription, keys: BucketKeys) -> NDArray[np.bool_]:
    """Which rows of a bucket another table has: their ids, or their units, [n] bool."""
    found = np.zeros(len(keys.ids), np.bool_)
    basis = keys.ids if keys.units is None else keys.units
    for bucket in np.unique(bucket_of(basis, table.buckets)).tolist():
        there = read_keys(table_dir, table, bucket)
        found |= _is_among(keys.ids, there.ids)
        if keys.units is not None and there.units is not None:
            found |= _is_among(keys.units, there.units)
    return found


def _is_among(ids: Ids, others: Ids) -> NDArray[np.bool_]:
    """Whether each id is one of the others, [n] bool."""
    ours = np.arange(len(ids) + len(others)) < len(ids)
    return on_both_sides(np.concatenate([ids, others]), ours)[: len(ids)]


def _ids_in(
    table_dir: str,
    buckets: int,
    ids: Ids,
    scratch: str,
    new_pipeline: Callable[[], beam.Pipeline],
) -> Ids:
    """Those ids that a table has, in whatever bucket.

    Buckets of units are held against each other by units: what remains to be found is a
    record that has another unit in the other table.
    """
    wanted = join(scratch, "wanted")
    write_bytes_whole(wanted, np.ascontiguousarray(ids).tobytes())
    with new_pipeline() as pipeline:
        _ = (
            pipeline
            | "Buckets" >> beam.Create(range(buckets))
            | "FindIds" >> beam.ParDo(_FindIds(table_dir, wanted, scratch))
        )
    found = [_read_ids(_found_path(scratch, bucket)) for bucket in range(buckets)]
    return np.concatenate(found)


class _FindIds(beam.DoFn):
    """Leaves in a file which of the wanted ids a bucket has."""

    def __init__(self, table_dir: str, wanted: str, scratch: str) -> None:
        self._table_dir, self._wanted, self._scratch = table_dir, wanted, scratch

    def setup(self) -> None:
        self._table = read_description(self._table_dir)
        self._ids = _read_ids(self._wanted)

    def process(self, bucket: int) -> None:
        there = read_keys(self._table_dir, self._table, bucket).ids
        found = self._ids[_is_among(self._ids, there)]
        write_bytes_whole(_found_path(self._scratch, bucket), found.tobytes())


def _read_ids(path: str) -> Ids:
    return np.frombuffer(read_bytes(path), np.uint64).reshape(-1, 2)


def _found_path(scratch: str, bucket: int) -> str:
    return join(scratch, f"found-{bucket:05d}")


def _tally_path(sample_dir: str, bucket: int) -> str:
    return join(sample_dir, f"tally-{bucket:05d}.json")


def _drawn(plan: _DrawPlan, buckets: int) -> tuple[Signals, Signals, results_pb2.SideCounts]:
    """The samples, and how many rows were left out as shared."""
    tally: Counter[str] = Counter()
    for bucket in range(buckets):
        tally.update(json.loads(read_bytes(_tally_path(plan.samples.sample_dir, bucket))))
    there = results_pb2.SideCounts(members=tally["members"], nonmembers=tally["nonmembers"])
    rows, wide = (
        read_sample(plan.samples, plan.layout, buckets, plan.samples.samples[name], there)
        for name in (_ROWS, _WIDE)
    )
    shared = results_pb2.SideCounts(
        members=tally["shared members"], nonmembers=tally["shared nonmembers"]
    )
    return rows, wide, shared


def _require_enough(fitted_on: results_pb2.FittedOn) -> None:
    fit, shared = fitted_on.fit, fitted_on.shared
    if min(fit.members, fit.nonmembers) >= MIN_ROWS_A_SIDE:
        return
    raise InputError(
        f"the signals to fit on at {fitted_on.signals_uri} have {fit.members} members and "
        f"{fit.nonmembers} non-members to fit attacks on: expected at least {MIN_ROWS_A_SIDE} of "
        f"each. {shared.members} members and {shared.nonmembers} non-members more were left out, "
        "because the signals that are judged have them too: expected members and non-members of "
        "its own for each of the two models"
    )


def _renamed(rows: Signals, names: Mapping[str, str]) -> Signals:
    """The rows with layers called as in the judged model."""

    def of_layers(columns: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        return {names[layer]: values for layer, values in columns.items()}

    return dataclasses.replace(
        rows,
        gradient_norms=of_layers(rows.gradient_norms),
        gradient_sketches=of_layers(rows.gradient_sketches),
        activations=of_layers(rows.activations),
    )


def _sides(rows: Signals) -> results_pb2.SideCounts:
    members = int(rows.member.sum())
    return results_pb2.SideCounts(members=members, nonmembers=len(rows) - members)
