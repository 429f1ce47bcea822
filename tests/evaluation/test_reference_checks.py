"""Reference models that are not what they are taken for are refused, and only these."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tfx_privacy.evaluation.reference_checks import (
    loss_difference,
    require_complete,
    require_no_more_loss_inside,
    require_same_identity,
    require_same_records,
)
from tfx_privacy.evaluation.reference_tally import PoolTally, losses_of_keys
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.table import IdentityDescription

_RUNS = 4_000
_RECORDS = 200


def _ids(n: int) -> np.ndarray:
    return np.arange(2 * n, dtype=np.uint64).reshape(n, 2)


def _told(ids: np.ndarray) -> references_pb2.IdSet:
    found = IdSet.of(ids)
    return references_pb2.IdSet(records=found.records, digest=found.digest)


def _trained(inside: np.ndarray, ids: np.ndarray) -> references_pb2.ReferenceModels:
    trained = references_pb2.ReferenceModels(
        config={"models": inside.shape[1]}, pool=_told(ids), identity_kind="content"
    )
    for model, mine in enumerate(inside.T):
        trained.models.add(index=model, trained_on=_told(ids[mine]), held_out=_told(ids[~mine]))
    return trained


def _tally(inside: np.ndarray, ids: np.ndarray) -> PoolTally:
    return PoolTally(
        sets=tuple((IdSet.of(ids[mine]), IdSet.of(ids[~mine])) for mine in inside.T),
        losses=((0.0, 0.0),) * inside.shape[1],
    )


def _pairs(rng: np.random.Generator, records: int, models: int) -> np.ndarray:
    first = rng.random((records, models // 2)) < 0.5
    return np.stack([first, ~first], axis=2).reshape(records, models)


def test_the_same_records_pass_and_others_are_named() -> None:
    rng = np.random.default_rng(0)
    ids, inside = _ids(50), _pairs(rng, 50, 4)
    trained = _trained(inside, ids)
    require_same_records(trained, _tally(inside, ids), "/m")

    # One record on the other side of model 2: as many records, and another digest.
    swapped = inside.copy()
    swapped[[np.argmax(inside[:, 2]), np.argmin(inside[:, 2])], 2] ^= True
    count = inside[:, 2].sum()
    with pytest.raises(
        InputError,
        match=rf"of those that model 2 was trained on, there are {count} records, and others",
    ):
        require_same_records(trained, _tally(swapped, ids), "/m")

    with pytest.raises(InputError, match=r"of the pool, 50 records were written .*, and 49 are"):
        require_same_records(trained, _tally(inside[1:], ids[1:]), "/m")


def test_a_model_that_is_missing_is_named() -> None:
    ids = _ids(10)
    trained = _trained(_pairs(np.random.default_rng(0), 10, 4), ids)
    require_complete(trained, "/m")
    del trained.models[2]
    with pytest.raises(InputError, match=r"are 0, 1, 3: expected each of 0 to 3 .*Missing: 2\."):
        require_complete(trained, "/m")


def test_ids_made_in_another_way_are_told_in_these_words() -> None:
    trained = references_pb2.ReferenceModels(
        identity_kind="key", key_feature="trip", unit_feature="user"
    )
    require_same_identity(trained, IdentityDescription("key", "trip", unit_feature="user"), "/m")
    for other in (
        IdentityDescription("content", features_digest="ab"),
        IdentityDescription("key", "ride", unit_feature="user"),
        IdentityDescription("key", "trip"),
    ):
        words = re.escape(f"here by {other.in_words()}.")
        with pytest.raises(InputError, match=rf"made in another way: .*'trip'.*'user', {words}"):
            require_same_identity(trained, other, "/m")


def _differences(
    loss: np.ndarray, rng: np.random.Generator, keys: np.ndarray | None = None
) -> np.ndarray:
    """In minus out of records, [n], where memberships are drawn after all losses [n, k]."""
    inside = _pairs(rng, len(loss), loss.shape[1])
    if keys is not None:
        inside = inside[keys]
    return np.where(inside, loss, -loss).sum(axis=1) / (loss.shape[1] / 2)


def _own_losses(kind: str, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    if kind == "heavy":
        return rng.pareto(1.1, size=shape)
    own = rng.exponential(size=shape)
    return np.where(rng.random(shape) < 0.97, 0.0, own) if kind == "zero" else own


def _statistics(kind: str, models: int, units: int = 1) -> np.ndarray:
    """The test's z in runs where models do not depend on what they were trained on."""
    rng = np.random.default_rng(7)
    keys = np.arange(_RECORDS) // units
    found = []
    for _ in range(_RUNS):
        # Records differ, models differ, and what units do to a loss all of their rows have.
        base = rng.exponential(size=(_RECORDS, 1)) + rng.exponential(size=(1, models))
        own = _own_losses(kind, rng, (_RECORDS, models))
        loss = base + own[keys * units] if kind != "zero" else own
        difference = _differences(loss, rng, keys)
        result = loss_difference(losses_of_keys(models, _ids(_RECORDS)[keys], difference))
        assert result.records == _RECORDS
        found.append(result.mean / result.standard_error if result.standard_error else 0.0)
    return np.array(found)


@pytest.mark.parametrize(
    ("kind", "models", "units"),
    [("exponential", 2, 1), ("exponential", 8, 1), ("exponential", 4, 5), ("zero", 4, 1)],
)
def test_models_that_do_not_depend_on_their_records_are_refused_as_often_as_said(
    kind: str, models: int, units: int
) -> None:
    z = _statistics(kind, models, units)
    # At one-sided levels that 4,000 runs can show, within four standard errors of them.
    for level, bound in ((0.05, 1.6449), (0.01, 2.3263)):
        error = np.sqrt(level * (1 - level) / _RUNS)
        assert (z > bound).mean() == pytest.approx(level, abs=4 * error)
    assert z.std() == pytest.approx(1, abs=0.05)


def test_heavy_tails_make_false_alarms_rarer() -> None:
    z = _statistics("heavy", 4)
    # Losses without a variance: a Rademacher sum has thinner tails than the normal then.
    assert (z > 1.6449).mean() < 0.055
    assert (z > 3.0902).mean() < 0.0025


def test_rows_of_one_unit_are_no_independent_evidence() -> None:
    rng = np.random.default_rng(3)
    keys = np.arange(_RECORDS) // 20
    as_rows, as_units = [], []
    for _ in range(500):
        loss = np.repeat(rng.exponential(size=(_RECORDS // 20, 4)), 20, axis=0)
        difference = _differences(loss, rng, keys)
        for found, key in ((as_rows, np.arange(_RECORDS)), (as_units, keys)):
            result = loss_difference(losses_of_keys(4, _ids(_RECORDS)[key], difference))
            found.append(result.mean / result.standard_error)
    # Twenty equal rows each: the root of 20 too sure, were they taken for independent.
    assert np.std(as_rows) == pytest.approx(np.sqrt(20), rel=0.15)
    assert np.std(as_units) == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize("gain", [0.3, -0.3])
def test_swapped_memberships_are_found_and_right_ones_pass(gain: float) -> None:
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(200):
        # Models lose .3 nats less on what they were trained on; a loss has deviation 1.
        inside = _pairs(rng, 500, 4)
        loss = 2 + rng.normal(size=inside.shape) - gain * inside
        difference = np.where(inside, loss, -loss).sum(axis=1) / 2
        result = loss_difference(losses_of_keys(4, _ids(500), difference))
        try:
            require_no_more_loss_inside(result, "/m")
        except InputError:
            refused += 1
    # z is some .3 / (1 / sqrt(500)) = 6.7 with swapped memberships: found in every run.
    assert refused == (200 if gain < 0 else 0)


def test_the_refusal_is_at_a_thousandth() -> None:
    difference = results_pb2.LossDifference(records=9, mean=0.25, standard_error=0.05)
    difference.p_value = 0.00101
    require_no_more_loss_inside(difference, "/m")
    difference.p_value = 0.00099
    with pytest.raises(
        InputError, match=r"by 0\.25 on average over 9 records .*one-sided p 0\.001"
    ):
        require_no_more_loss_inside(difference, "/m")


def test_no_difference_is_no_error() -> None:
    result = loss_difference(losses_of_keys(2, _ids(5), np.zeros(5)))
    assert (result.mean, result.p_value) == (0.0, 1.0)
    require_no_more_loss_inside(result, "/m")
    require_no_more_loss_inside(loss_difference(PoolTally.none(2)), "/m")
