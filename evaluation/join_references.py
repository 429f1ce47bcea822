"""What reference models said of the records, joined by id to the target's signals table.

Reference models are asked in any order, each into a table of its own. One Beam job over
buckets lays what they said of a record beside the record's row, and adds up what is to be
known of the models: which records of their pool they were trained on, and whether they
lose less on these. Rows of one id lie in one bucket of every table, so that nothing is
shuffled; a bucket is matched with each of the tables in turn.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.reference_scores.confidence_logit import confidence_logit
from tfx_privacy.evaluation.reference_tally import PoolTally, losses_of_keys
from tfx_privacy.evaluation.shadow_rows import ShadowRows, ShadowRowsPlan
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import join, read_bytes, write_text_whole
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.identity import Ids, bucket_of
from tfx_privacy.signals.partition import repeats
from tfx_privacy.signals.record_index import RecordIndex
from tfx_privacy.signals.reference_files import write_references
from tfx_privacy.signals.reference_signals import ReferenceLayout, ReferenceSignals
from tfx_privacy.signals.table import TableDescription
from tfx_privacy.signals.table_reader import BucketKeys, read_bucket, read_description, read_keys

# Of what reference models said, at a time.
_BYTES_AT_ONCE = 256 << 20


class Evaluated(enum.Enum):
    """Which of the evaluated records may be in training sets of reference models."""

    # Subsets were drawn from them.
    ALL = "all"
    # Those whose key the pool has as well.
    IN_POOL = "those in the pool"
    # None: keys or units of synthetic records are made up, and equal ones mean nothing.
    NONE = "none"


@dataclasses.dataclass(frozen=True)
class JoinPlan:
    """What a worker needs to join: paths and small values.

    Attributes:
      table_dir: The target's signals table.
      query_dirs: [q - 1], the target's answers to queries 1, 2, ... of the same records.
      model_dirs: [k][q], each reference model's answers to queries 0, 1, ... of the same
        records; buckets are those of the target's table.
      pool_dirs: [k], each reference model's answers for the records of the pool; for an
        online pool those to query 0.
      evaluated: Which records of the target's table may be in training sets.
      layout: What there will be of reference signals.
      seed: By which subsets were drawn.
      shadow: Which shadow predictions are kept; None for none.
      scratch: Where what is counted goes. Workers and this machine share it.
    """

    table_dir: str
    query_dirs: tuple[str, ...]
    model_dirs: tuple[tuple[str, ...], ...]
    pool_dirs: tuple[str, ...]
    evaluated: Evaluated
    layout: ReferenceLayout
    seed: int
    shadow: ShadowRowsPlan | None
    scratch: str


@dataclasses.dataclass(frozen=True)
class Joined:
    """What came of it, beside the files.

    Attributes:
      pool: What was counted of the pool.
      records_inside: Rows of the target's table that are in training sets of half of the
        models, because the pool has their key.
    """

    pool: PoolTally
    records_inside: int


def join_references(
    plan: JoinPlan,
    table: TableDescription,
    pool_buckets: int,
    new_pipeline: Callable[[], beam.Pipeline],
) -> Joined:
    """Writes the files of reference signals beside the target's table, in one Beam job.

    Memory is that of a bucket of ids, and some hundreds of megabytes.

    Args:
      plan: What to join.
      table: The description of the target's table.
      pool_buckets: How many buckets the tables of the pool have.
      new_pipeline: Makes a Beam pipeline on the caller's runner.

    Raises:
      InputError: If a key is not unique in the pool, or a file cannot be read or written.
    """
    with new_pipeline() as pipeline:
        _ = (
            pipeline
            | "Buckets" >> beam.Create(range(table.buckets))
            | "JoinReferences" >> beam.ParDo(_JoinBucket(plan))
        )
        _ = (
            pipeline
            | "PoolBuckets" >> beam.Create(range(pool_buckets))
            | "TallyPool" >> beam.ParDo(_TallyPoolBucket(plan))
        )
    rows = [
        json.loads(read_bytes(_rows_path(plan, bucket)))["inside"]
        for bucket in range(table.buckets)
    ]
    tallies = [
        PoolTally.from_json(read_bytes(_tally_path(plan, bucket)).decode())
        for bucket in range(pool_buckets)
    ]
    return Joined(sum(tallies, PoolTally.none(plan.layout.models)), sum(rows))


def _rows_path(plan: JoinPlan, bucket: int) -> str:
    return join(plan.scratch, f"rows-{bucket:05d}.json")


def _tally_path(plan: JoinPlan, bucket: int) -> str:
    return join(plan.scratch, f"tally-{bucket:05d}.json")


class _JoinBucket(beam.DoFn):
    """Writes the reference signals of a bucket."""

    def __init__(self, plan: JoinPlan) -> None:
        self._plan = plan

    def setup(self) -> None:
        # Read here and not sent along: they name every file of the tables.
        plan = self._plan
        self._table = read_description(plan.table_dir)
        self._queries = [_Table.of(path) for path in plan.query_dirs]
        self._models = [[_Table.of(path) for path in paths] for paths in plan.model_dirs]
        self._pool = _Table.of(plan.pool_dirs[0])

    def process(self, bucket: int) -> None:
        plan, table = self._plan, self._table
        keys = read_keys(plan.table_dir, table, bucket)
        trained_on = self._inside(keys)
        if len(keys.ids):
            parts = self._parts(bucket, keys.ids, trained_on)
            write_references(plan.table_dir, bucket, plan.layout, parts)
        count = {"inside": int(trained_on.any(axis=1).sum())}
        write_text_whole(_rows_path(plan, bucket), json.dumps(count))

    def _inside(self, keys: BucketKeys) -> NDArray[np.bool_]:
        """Whether each model was trained on each row, [n, k]."""
        of_rows = keys.ids if keys.units is None else keys.units
        found = inside(of_rows, self._plan.seed, self._plan.layout.models)
        if self._plan.evaluated is Evaluated.ALL:
            return found
        if self._plan.evaluated is Evaluated.NONE:
            return np.zeros_like(found)
        return found & _is_in_pool(of_rows, self._pool)[:, None]

    def _parts(
        self, bucket: int, ids: Ids, trained_on: NDArray[np.bool_]
    ) -> Iterator[ReferenceSignals]:
        plan, layout = self._plan, self._plan.layout
        target = _Table(plan.table_dir, self._table)
        step = max(1, _BYTES_AT_ONCE // layout.row_bytes)
        for start in range(0, len(ids), step):
            index = RecordIndex(ids[start : start + step])
            asked = [_answers(tables, bucket, index, layout) for tables in self._models]
            logits = [logit for _, logit in asked if logit is not None]
            of_target = _answers([target, *self._queries], bucket, index, layout)[1]
            yield ReferenceSignals(
                inside=trained_on[start : start + step],
                loss=np.stack([loss for loss, _ in asked], axis=1),
                logit=np.stack(logits, axis=1) if logits else None,
                target_logit=of_target,
            )


class _TallyPoolBucket(beam.DoFn):
    """Counts what each model was trained on of a bucket of the pool, and its losses there."""

    def __init__(self, plan: JoinPlan) -> None:
        self._plan = plan

    def setup(self) -> None:
        self._tables = [_Table.of(path) for path in self._plan.pool_dirs]

    def process(self, bucket: int) -> None:
        plan, first = self._plan, self._tables[0]
        keys = read_keys(first.directory, first.description, bucket)
        self._require_unique(keys.ids)
        of_rows = keys.ids if keys.units is None else keys.units
        trained_on = inside(of_rows, plan.seed, plan.layout.models)
        index = RecordIndex(keys.ids)
        shadow = ShadowRows(plan.shadow, bucket) if plan.shadow else None
        tallied = PoolTally.none(plan.layout.models)
        means = np.zeros(len(keys.ids), np.float64)
        for model, table in enumerate(self._tables):
            with_it = trained_on[:, model]
            loss = np.empty(index.size, np.float32)
            for rows in table.rows(bucket, ("label", "logits", "loss") if shadow else ("loss",)):
                at = _found(index, rows.ids, table)
                loss[at] = _there(rows.loss)
                if shadow:
                    shadow.offer(model, rows, with_it[index.a_row(at)])
            of_row = loss[index.places].astype(np.float64)
            tallied += PoolTally.of_model(
                plan.layout.models,
                model,
                (IdSet.of(keys.ids[with_it]), IdSet.of(keys.ids[~with_it])),
                (of_row[with_it], of_row[~with_it]),
            )
            means += np.where(with_it, of_row, -of_row) / (plan.layout.models / 2)
        tallied += losses_of_keys(plan.layout.models, of_rows, means)
        if shadow:
            shadow.write()
        write_text_whole(_tally_path(plan, bucket), tallied.to_json())

    def _require_unique(self, ids: Ids) -> None:
        identity = self._tables[0].description.identity
        if identity.kind == "key" and repeats(ids).any():
            raise InputError(
                f"key feature {identity.feature!r} is not unique in the records that reference "
                f"models were trained on: {int(repeats(ids).sum())} rows have a value that another "
                "row has too. Expected a value of its own for every row"
            )


@dataclasses.dataclass(frozen=True)
class _Table:
    """A signals table of one model and query."""

    directory: str
    description: TableDescription

    @staticmethod
    def of(directory: str) -> _Table:
        return _Table(directory, read_description(directory))

    def rows(self, bucket: int, columns: Sequence[str]) -> Iterator[Signals]:
        return read_bucket(self.directory, self.description, bucket, columns)


def _answers(
    queries: Sequence[_Table], bucket: int, index: RecordIndex, layout: ReferenceLayout
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """What a model said of rows: [n] loss, and [n, q] log-odds of the true class."""
    loss = np.full(index.size, np.nan, np.float32)
    logit = np.full((index.size, layout.queries), np.nan, np.float32)
    columns = ("label", "logits", "loss") if layout.has_logits else ("loss",)
    for query, table in enumerate(queries):
        unseen = np.ones(index.size, np.bool_)
        for rows in table.rows(bucket, columns):
            at = index.find(rows.ids)
            wanted = rows.take(at >= 0)
            at = at[at >= 0]
            unseen[at] = False
            if query == 0:
                loss[at] = _there(wanted.loss)
            if layout.has_logits and len(wanted):
                logit[at, query] = confidence_logit(wanted)
        if unseen.any():
            raise _not_the_same_records(table, int(unseen.sum()))
    places = index.places
    return loss[places], logit[places] if layout.has_logits else None


def _is_in_pool(keys: Ids, pool: _Table) -> NDArray[np.bool_]:
    """Whether each key is one of the pool's, [n]."""
    found = np.zeros(len(keys), np.bool_)
    for bucket in np.unique(bucket_of(keys, pool.description.buckets)).tolist():
        there = read_keys(pool.directory, pool.description, bucket)
        of_pool = there.ids if there.units is None else there.units
        found |= RecordIndex(of_pool).find(keys) >= 0
    return found


def _found(index: RecordIndex, ids: Ids, table: _Table) -> NDArray[np.int64]:
    at = index.find(ids)
    missing = int((at < 0).sum())
    if missing:
        raise _not_the_same_records(table, missing)
    return at


def _not_the_same_records(table: _Table, missing: int) -> InputError:
    return InputError(
        f"{missing} records in one bucket of {table.directory!r} are not those that other models "
        "were asked about: expected the same examples for every model; did the files of the "
        "examples change during the run?"
    )


def _there(loss: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if loss is None:
        raise ValueError("found a table of a reference model without losses; expected them")
    return loss
