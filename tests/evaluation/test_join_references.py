"""Tables of reference models are joined by id, whatever the order and the buckets of their rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest

from tfx_privacy.evaluation import join_references as module
from tfx_privacy.evaluation.join_references import Evaluated, JoinPlan, join_references
from tfx_privacy.evaluation.reference_tally import PoolTally, losses_of_keys
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.reference_signals import ReferenceLayout
from tfx_privacy.signals.table import IdentityDescription, TableDescription, TableLayout
from tfx_privacy.signals.table_reader import read_bucket
from tfx_privacy.signals.table_writer import TableWriter, add_references, commit

_SEED = 5
_MODELS = 4
_LAYOUT = TableLayout(
    task=config_pb2.BINARY,
    output_kind=config_pb2.LOGITS,
    output_width=1,
    logits_source="",
    label_vocabulary=(),
    label_width=0,
    slice_features=(),
    input_features=(),
    has_label=True,
    has_logits=True,
    has_loss=True,
    has_units=False,
    has_weight=False,
)


def _ids(numbers: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**63, (1_000, 2)).astype(np.uint64)[numbers]


def _table(
    folder: Path,
    numbers: np.ndarray,
    logits: np.ndarray,
    buckets: int,
    identity: IdentityDescription | None = None,
    layout: TableLayout = _LAYOUT,
) -> tuple[str, TableDescription]:
    """A table of records in a random order; a record's loss is its number and a bit."""
    order = np.random.default_rng(len(numbers) + buckets).permutation(len(numbers))
    some = numbers[order]
    rows = Signals(
        task=config_pb2.BINARY,
        ids=_ids(some),
        member=some % 3 == 0,
        label=some % 2,
        logits=logits[some, None].astype(np.float32),
        loss=np.abs(logits[some]).astype(np.float32),
        units=_ids(some // 4) if layout.has_units else None,
    )
    writer = TableWriter(str(folder), layout, buckets)
    for part in np.array_split(np.arange(len(rows)), 3):
        writer.append(rows.take(part), "train")
    identity = identity or IdentityDescription("content", features_digest="ab")
    return str(folder), commit(str(folder), layout, identity, buckets, [writer.finish()])


@dataclasses.dataclass(frozen=True)
class _Case:
    plan: JoinPlan
    table: TableDescription
    target: np.ndarray
    models: np.ndarray
    pool_buckets: int


def _case(
    folder: Path,
    pool: Sequence[int] = (),
    pool_buckets: int = 2,
    layout: TableLayout = _LAYOUT,
    identity: IdentityDescription | None = None,
) -> _Case:
    rng = np.random.default_rng(2)
    # 100 records come twice, in rows that are equal.
    evaluated = np.concatenate([np.arange(600), np.arange(100)])
    target, *models = rng.normal(size=(1 + _MODELS, 1_000))
    table_dir, table = _table(folder / "target", evaluated, target, 5, layout=layout)
    model_dirs, pool_dirs = [], []
    for model, logits in enumerate(models):
        one = _table(folder / f"model-{model}", evaluated[::-1], logits, 5, layout=layout)
        model_dirs.append((one[0],))
        if len(pool):
            other = folder / f"pool-{model}"
            made = _table(other, np.array(pool), logits, pool_buckets, identity, layout)
            pool_dirs.append(made[0])
    plan = JoinPlan(
        table_dir=table_dir,
        query_dirs=(),
        model_dirs=tuple(model_dirs),
        pool_dirs=tuple(pool_dirs) or tuple(dirs[0] for dirs in model_dirs),
        evaluated=Evaluated.IN_POOL if len(pool) else Evaluated.ALL,
        layout=ReferenceLayout(_MODELS, 1, has_logits=True),
        seed=_SEED,
        shadow=None,
        scratch=str(folder / "scratch"),
    )
    buckets = pool_buckets if len(pool) else 5
    return _Case(plan, table, target, np.array(models), buckets)


def _joined_rows(case: _Case) -> Signals:
    table = add_references(case.plan.table_dir, case.table, case.plan.layout)
    columns = ("label", "logits", "loss", "units", "references")
    return Signals.concatenate(
        [
            rows
            for bucket in range(table.buckets)
            for rows in read_bucket(case.plan.table_dir, table, bucket, columns, 17)
        ]
    )


def _numbers(rows: Signals) -> np.ndarray:
    all_ids = _ids(np.arange(1_000))
    place = {ids: number for number, ids in enumerate(map(tuple, all_ids.tolist()))}
    return np.array([place[ids] for ids in map(tuple, rows.ids.tolist())])


def _require_right(case: _Case, rows: Signals, is_inside: np.ndarray) -> None:
    number = _numbers(rows)
    references = rows.references
    assert len(rows) == 700
    # Of a binary model with one logit z the log-odds of class 1 are z, of class 0 they are -z.
    sign = np.where(number % 2 == 1, 1, -1)
    assert references.target_logit[:, 0] == pytest.approx(sign * case.target[number], rel=1e-5)
    for model in range(_MODELS):
        expected = case.models[model][number]
        assert references.logit[:, model, 0] == pytest.approx(sign * expected, rel=1e-5)
        assert references.loss[:, model] == pytest.approx(np.abs(expected), rel=1e-6)
    assert references.inside.tolist() == is_inside.tolist()


@pytest.mark.parametrize("bytes_at_once", [256 << 20, 1_000])
def test_every_row_has_its_own_numbers_though_memory_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_at_once: int
) -> None:
    monkeypatch.setattr(module, "_BYTES_AT_ONCE", bytes_at_once)
    case = _case(tmp_path)
    joined = join_references(case.plan, case.table, case.pool_buckets, beam.Pipeline)

    rows = _joined_rows(case)
    _require_right(case, rows, inside(rows.ids, _SEED, _MODELS))
    assert joined.records_inside == 700


def test_the_pool_is_counted_with_its_duplicates(tmp_path: Path) -> None:
    case = _case(tmp_path)
    joined = join_references(case.plan, case.table, case.pool_buckets, beam.Pipeline)

    number = np.concatenate([np.arange(600), np.arange(100)])
    ids, loss = _ids(number), np.abs(case.models[:, number])
    with_it = inside(ids, _SEED, _MODELS)
    for model in range(_MODELS):
        mine = with_it[:, model]
        assert joined.pool.sets[model] == (IdSet.of(ids[mine]), IdSet.of(ids[~mine]))
        expected = (loss[model][mine].mean(), loss[model][~mine].mean())
        assert joined.pool.mean_losses(model) == pytest.approx(expected, rel=1e-6)
    difference = np.where(with_it.T, loss, -loss).sum(axis=0) / 2
    assert joined.pool.rows == 700
    assert joined.pool.difference == pytest.approx(difference.sum(), rel=1e-5)
    # Two rows of one record are one observation: their differences are added.
    twice = difference[:600].copy()
    twice[:100] *= 2
    assert joined.pool.squares == pytest.approx(np.square(twice).sum(), rel=1e-5)


@pytest.mark.parametrize("pool_buckets", [1, 2, 7])
def test_a_pool_in_other_buckets_says_who_is_inside(tmp_path: Path, pool_buckets: int) -> None:
    pool = np.arange(550, 900)
    case = _case(tmp_path, pool, pool_buckets)
    joined = join_references(case.plan, case.table, case.pool_buckets, beam.Pipeline)

    rows = _joined_rows(case)
    in_pool = (_numbers(rows) >= 550)[:, None]
    _require_right(case, rows, inside(rows.ids, _SEED, _MODELS) & in_pool)
    assert joined.records_inside == 50
    all_ids = IdSet.of(_ids(pool))
    assert [a + b for a, b in joined.pool.sets] == [all_ids] * _MODELS


def test_keys_that_were_made_up_mean_nothing(tmp_path: Path) -> None:
    case = _case(tmp_path, np.arange(550, 900))
    plan = dataclasses.replace(case.plan, evaluated=Evaluated.NONE)
    joined = join_references(plan, case.table, case.pool_buckets, beam.Pipeline)

    _require_right(case, _joined_rows(case), np.zeros((700, _MODELS), np.bool_))
    assert joined.records_inside == 0
    assert joined.pool.rows == 350


def test_units_decide_together(tmp_path: Path) -> None:
    layout = dataclasses.replace(_LAYOUT, has_units=True)
    # Of the unit of records 596 to 599 the pool has another record only.
    pool = np.concatenate([np.arange(599, 700), np.arange(700, 800)])
    case = _case(tmp_path, pool, 2, layout)
    joined = join_references(case.plan, case.table, case.pool_buckets, beam.Pipeline)

    rows = _joined_rows(case)
    in_pool = (_numbers(rows) >= 596)[:, None]
    _require_right(case, rows, inside(rows.units, _SEED, _MODELS) & in_pool)
    assert joined.records_inside == 4


def test_a_key_that_comes_twice_in_the_pool_is_refused(tmp_path: Path) -> None:
    pool = np.array([700, 701, 701, 702])
    case = _case(tmp_path, pool, 1, identity=IdentityDescription("key", "trip"))
    with pytest.raises(InputError, match=r"'trip' is not unique in the records .*: 2 rows"):
        join_references(case.plan, case.table, 1, beam.Pipeline)


def test_a_model_that_was_asked_about_other_records_is_refused(tmp_path: Path) -> None:
    case = _case(tmp_path)
    _table(tmp_path / "model-2", np.arange(1, 601), case.models[2], 5)
    with pytest.raises(InputError, match=r"model-2.* are not those that other models were asked"):
        join_references(case.plan, case.table, case.pool_buckets, beam.Pipeline)


def test_tallies_come_back_from_json_and_add_up() -> None:
    ids = _ids(np.arange(10))
    sets = (IdSet.of(ids[:4]), IdSet.of(ids[4:]))
    one = PoolTally.of_model(2, 1, sets, (np.array([0.1, 0.2]), np.array([0.3])))
    other = losses_of_keys(2, ids[[0, 0, 1]], np.array([1.0, 2.0, -4.0]))
    both = one + other
    assert PoolTally.from_json(both.to_json()) == both
    assert both.sets[1] == sets
    assert (both.rows, both.difference) == (3, -1.0)
    # (1 + 2)^2 + (-4)^2, by hand.
    assert both.squares == 25.0
