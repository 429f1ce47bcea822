"""Reference signals as a part of Signals: rows are taken and joined together with the rest."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.reference_signals import ReferenceLayout, ReferenceSignals

ROWS, MODELS, QUERIES = 5, 4, 2


def some(rows: int = ROWS, models: int = MODELS) -> ReferenceSignals:
    logit = np.arange(rows * models * QUERIES, dtype=np.float32).reshape(rows, models, QUERIES)
    return ReferenceSignals(
        inside=np.arange(rows * models).reshape(rows, models) % 3 == 0,
        loss=np.arange(rows * models, dtype=np.float32).reshape(rows, models),
        logit=logit,
        target_logit=np.arange(rows * QUERIES, dtype=np.float32).reshape(rows, QUERIES),
    )


def signals_with(references: ReferenceSignals | None) -> Signals:
    ids = np.arange(2 * ROWS, dtype=np.uint64).reshape(ROWS, 2)
    return Signals(
        task=config_pb2.BINARY, ids=ids, member=np.arange(ROWS) % 2 == 0, references=references
    )


def same(ours: ReferenceSignals, theirs: ReferenceSignals) -> bool:
    return all(
        np.array_equal(getattr(ours, name), getattr(theirs, name))
        for name in ("inside", "loss", "logit", "target_logit")
    )


@pytest.mark.parametrize("rows", [np.array([3, 1]), np.array([False, True, False, True, False])])
def test_rows_are_taken_with_their_references(rows: np.ndarray) -> None:
    taken = signals_with(some()).take(rows)
    assert same(taken.references, some().take(rows))
    assert len(taken.references) == len(taken) == 2


def test_parts_joined_are_the_whole() -> None:
    whole = signals_with(some())
    parts = [whole.take(np.arange(2)), whole.take(np.arange(2, ROWS))]
    assert same(Signals.concatenate(parts).references, some())


@pytest.mark.parametrize("other", [None, some(models=2)])
def test_parts_with_other_references_do_not_belong_together(other: ReferenceSignals | None) -> None:
    with pytest.raises(ValueError, match=r"do not belong together.*'references'"):
        Signals.concatenate([signals_with(some()), signals_with(other)])


def test_the_first_models_keep_every_query_of_the_target() -> None:
    first = some().first(2)
    assert first.layout == ReferenceLayout(models=2, queries=QUERIES, has_logits=True)
    assert np.array_equal(first.loss, some().loss[:, :2])
    assert np.array_equal(first.target_logit, some().target_logit)


def test_what_a_row_takes() -> None:
    """4 models: a byte and a float32 each; (4 + 1) models of 2 queries: 10 float32."""
    assert some().layout.row_bytes == 4 * 1 + 4 * 4 + 10 * 4
    assert ReferenceLayout(models=4, queries=1, has_logits=False).row_bytes == 4 * 5
