"""Whether reference models are what they are taken for."""

from __future__ import annotations

import math

from scipy import stats

from tfx_privacy.evaluation.reference_tally import PoolTally
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.table import IdentityDescription

# One-sided: how often models that lose no more on their own records are refused.
_REFUSED = 0.001


def require_complete(trained: references_pb2.ReferenceModels, uri: str) -> None:
    """Sees to it that all models are there: of a pair alone one half of the records is known.

    Raises:
      InputError: If one is missing, or there twice.
    """
    expected = list(range(trained.config.models))
    found = sorted(model.index for model in trained.models)
    if found == expected and expected:
        return
    missing = [index for index in expected if index not in found]
    raise InputError(
        f"the reference models at {uri} are {_numbers(found)}: expected each of 0 to "
        f"{trained.config.models - 1} once, since they come in pairs that hold every record "
        f"between them. Missing: {_numbers(missing)}. Nodes that train a share each leave their "
        "models in one work directory; the last node, which is to train none itself, gathers them"
    )


def require_same_identity(
    trained: references_pb2.ReferenceModels, found: IdentityDescription, uri: str
) -> None:
    """Sees to it that ids say which record a model was trained on.

    Args:
      trained: What the reference models say of themselves.
      found: How the ids that they are compared with were made.
      uri: What the error calls the reference models.

    Raises:
      InputError: If they were made in another way.
    """
    theirs = identity_of(trained)
    if theirs != found:
        raise InputError(
            f"the ids of the reference models at {uri} were made in another way: there by "
            f"{theirs.in_words()}, here by {found.in_words()}. Which model was trained on which "
            "record cannot be known: expected the same `identity` in both configurations, and "
            "examples with the same features (raw ones for both, or transformed ones for both)"
        )


def identity_of(trained: references_pb2.ReferenceModels) -> IdentityDescription:
    """How the ids of the records that reference models were trained on were made."""
    return IdentityDescription(
        kind=trained.identity_kind,
        feature=trained.key_feature,
        features_digest=trained.features_digest,
        unit_feature=trained.unit_feature,
    )


def require_same_records(
    trained: references_pb2.ReferenceModels, tally: PoolTally, uri: str
) -> None:
    """Sees to it that every model was trained on the records that its hashes say.

    Raises:
      InputError: If the pool, or the records that a model was trained on, are others than
        those that were found.
    """
    inside, outside = tally.sets[0]
    _require_set(inside + outside, trained.pool, "the pool", uri)
    for model in trained.models:
        inside, outside = tally.sets[model.index]
        _require_set(inside, model.trained_on, f"model {model.index} was trained on", uri)
        _require_set(outside, model.held_out, f"model {model.index} was not trained on", uri)


def _require_set(found: IdSet, expected: references_pb2.IdSet, which: str, uri: str) -> None:
    if (found.records, found.digest) == (expected.records, expected.digest):
        return
    what = (
        f"{expected.records} records were written as it was trained, and {found.records} are found"
        if found.records != expected.records
        else f"there are {found.records} records, and others than were written as it was trained"
    )
    raise InputError(
        f"the records of the reference models at {uri} are not those of this measurement: of "
        f"{'the pool' if which == 'the pool' else f'those that {which}'}, {what} (digest of their "
        f"ids {expected.digest} then, {found.digest} now). Expected the same examples and splits "
        "as ReferenceTrainer was given; train the reference models again if the examples changed"
    )


def loss_difference(tally: PoolTally) -> results_pb2.LossDifference:
    """Whether models lose less on what they were trained on, over all of them together.

    Of each record the difference of two means is taken, of its losses under the models that
    were trained on it and under those that were not. By the hash the two halves of a pair
    come in either order with the same chance, so that where models do not depend on what
    they were trained on, each record's difference has either sign with the same
    chance, given its size, and independently of other records'. (Of records of one unit the
    signs are one: their differences are added before.) Their sum over the root of the
    sum of their squares is then a Rademacher sum of variance 1, however heavy the
    tails of losses are: it exceeds a normal quantile at most 3.18 times as often as a
    normal variable does (Bentkus, Dzindzalieta, "A tight Gaussian bound for weighted sums
    of Rademacher random variables", Bernoulli 2015), and equally often where no record
    outweighs all others.
    Models that do depend on it lose less on what they were trained on, which makes a false
    alarm rarer still.

    Args:
      tally: Of all records of the pool.

    Returns:
      Mean, standard error (of a mean of 0, given the sizes) and one-sided p.
    """
    if not tally.rows:
        return results_pb2.LossDifference(p_value=1.0)
    mean = tally.difference / tally.rows
    error = math.sqrt(tally.squares) / tally.rows
    return results_pb2.LossDifference(
        records=tally.rows,
        mean=mean,
        standard_error=error,
        p_value=float(stats.norm.sf(mean / error)) if error else 1.0,
    )


def require_no_more_loss_inside(difference: results_pb2.LossDifference, uri: str) -> None:
    """Refuses models that lose more on what they are said to be trained on.

    Raises:
      InputError: If they do, at p < .001 one-sided.
    """
    if difference.p_value >= _REFUSED:
        return
    raise InputError(
        f"the reference models at {uri} lose more on the records that they are said to be trained "
        f"on than on the others: by {difference.mean:.3g} on average over {difference.records} "
        f"records (standard error {difference.standard_error:.2g}, one-sided p "
        f"{difference.p_value:.1g}). Training does the opposite or nothing; expected models in the "
        "folders of their own index, trained on the files that they were given as `train_files`"
    )


def _numbers(indices: list[int]) -> str:
    return ", ".join(map(str, indices)) or "none"
