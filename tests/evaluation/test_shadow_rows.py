"""Shadow predictions: so many of each model and side, chosen by hash, the same on every run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tfx_privacy.evaluation import shadow_rows as module
from tfx_privacy.evaluation.shadow_rows import (
    ShadowRows,
    ShadowRowsPlan,
    plan_shadow_rows,
    read_shadow_rows,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.identity import bucket_of
from tfx_privacy.signals.table import IdentityDescription, TableDescription

_RECORDS = 3_000
_MODELS = 4
_BUCKETS = 3
_TABLE = TableDescription(
    task=config_pb2.MULTICLASS,
    output_kind=config_pb2.LOGITS,
    output_width=2,
    logits_source="",
    label_vocabulary=(),
    label_width=0,
    slice_features=(),
    input_features=(),
    has_label=True,
    has_logits=True,
    has_loss=True,
    has_units=True,
    has_weight=False,
    identity=IdentityDescription("content", features_digest="ab"),
    splits=(),
    buckets=_BUCKETS,
    files=(),
)


def _ids() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**63, (_RECORDS, 2)).astype(np.uint64)


def _models(with_it: np.ndarray) -> list[references_pb2.ReferenceModel]:
    return [
        references_pb2.ReferenceModel(
            index=model,
            trained_on={"records": int(mine.sum())},
            held_out={"records": int((~mine).sum())},
        )
        for model, mine in enumerate(with_it.T)
    ]


def _rows(model: int, numbers: np.ndarray) -> Signals:
    """A row's logits say which record and model it is of."""
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=_ids()[numbers],
        member=np.zeros(len(numbers), np.bool_),
        label=numbers % 2,
        logits=np.stack([numbers, np.full(len(numbers), model)], axis=1).astype(np.float32),
        loss=(numbers / 7).astype(np.float32),
        units=_ids()[numbers],
    )


def _offer_all(plan: ShadowRowsPlan, with_it: np.ndarray, order: np.ndarray) -> Signals | None:
    ids = _ids()
    for bucket in range(_BUCKETS):
        rows = ShadowRows(plan, bucket)
        of_bucket = order[bucket_of(ids[order], _BUCKETS) == bucket]
        for model in range(_MODELS):
            for part in np.array_split(of_bucket, 3):
                rows.offer(model, _rows(model, part), with_it[part, model])
        rows.write()
    return read_shadow_rows(plan, _BUCKETS)


def _plan(folder: Path, with_it: np.ndarray, seed: int = 3) -> ShadowRowsPlan:
    plan = plan_shadow_rows(str(folder), _TABLE, seed, _models(with_it))
    assert plan is not None
    return plan


def test_of_each_model_as_many_inside_as_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 1_600)
    with_it = inside(_ids(), 5, _MODELS)
    plan = _plan(tmp_path / "a", with_it)
    rows = _offer_all(plan, with_it, np.arange(_RECORDS))

    number, model = rows.logits.astype(int).T
    for one in range(_MODELS):
        assert rows.member[model == one].sum() == 200
        assert (~rows.member[model == one]).sum() == 200
        assert len(np.unique(number[model == one])) == 400
    assert rows.member.tolist() == with_it[number, model].tolist()
    assert rows.label.tolist() == (number % 2).tolist()
    assert rows.loss == pytest.approx(number / 7)
    assert rows.ids.tolist() == _ids()[number].tolist()
    assert rows.ids[:, 0].tolist() == sorted(rows.ids[:, 0].tolist())
    assert rows.units is None
    # Each model has records of its own: of pairs of models few are the same.
    assert len(np.intersect1d(number[model == 0], number[model == 2])) < 100

    # The order of rows is no matter; another seed chooses others.
    again = _offer_all(_plan(tmp_path / "b", with_it), with_it, np.arange(_RECORDS)[::-1])
    assert again.ids.tolist() == rows.ids.tolist()
    assert again.loss.tolist() == rows.loss.tolist()
    other = _offer_all(_plan(tmp_path / "c", with_it, 4), with_it, np.arange(_RECORDS))
    assert other.ids.tolist() != rows.ids.tolist()


def test_where_there_are_few_all_are_taken(tmp_path: Path) -> None:
    with_it = inside(_ids(), 5, _MODELS)
    rows = _offer_all(_plan(tmp_path, with_it), with_it, np.arange(_RECORDS))
    assert len(rows) == _RECORDS * _MODELS
    assert rows.member.sum() == with_it.sum()


def test_wide_rows_are_fewer(tmp_path: Path) -> None:
    with_it = inside(_ids(), 5, _MODELS)
    wide = dataclasses.replace(_TABLE, output_width=100_000)
    plan = plan_shadow_rows(str(tmp_path), wide, 3, _models(with_it))
    # 256 MB of 400 KB each, shared by 4 models and two sides.
    assert plan.rows == (256 << 20) // 400_029 // 8


@pytest.mark.parametrize("task", [config_pb2.MULTILABEL, config_pb2.REGRESSION])
def test_where_there_are_no_classes_there_is_nothing_to_learn(tmp_path: Path, task: int) -> None:
    table = dataclasses.replace(_TABLE, task=task)
    assert plan_shadow_rows(str(tmp_path), table, 3, _models(np.ones((3, 4), np.bool_))) is None


def test_nothing_offered_is_none(tmp_path: Path) -> None:
    plan = _plan(tmp_path, inside(_ids(), 5, _MODELS))
    assert read_shadow_rows(plan, _BUCKETS) is None
