"""Whether what results say of reference models can be, and goes with attacks and configuration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from scipy import special

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.attacks.reference_names import REFERENCE_ATTACKS, RMIA_ATTACKS
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.verdict.numbers_agree import check_number
from tfx_privacy.verdict.reference_curve_consistency import check_curves
from tfx_privacy.verdict.shadow_consistency import check_shadow

_HALF_DIGITS = 16
_HALF = 1 << 64
_ROUNDING = 1e-6
# One-sided: models that lose more inside than is likely to happen once in so many are refused.
_REFUSED = 0.001


def check_references(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    """Refuses what is said of reference models where it contradicts itself or the counts.

    What models were trained on has to add up: a pair's two halves, by number and by digest,
    to the pool. Losses are of just these records, and their difference has the p-value that
    its mean and error give. Metrics against the number of models end with those of the
    attack itself, as near as a sample of the records is, and Shokri's precision and recall
    are those of whole numbers of records that the counts leave room for.

    Raises:
      ValueError: If a number differs or is out of its range, or something is missing.
    """
    asked = results.config.HasField("references")
    if asked != results.HasField("references"):
        raise ValueError(
            f"references: found them {'' if asked else 'not '}in the configuration and "
            f"{'not ' if asked else ''}among the results, expected both or neither"
        )
    ran = sorted(
        attack.name for attack in results.attacks if split_name(attack.name)[0] in REFERENCE_ATTACKS
    )
    if not asked:
        if ran:
            raise ValueError(
                f"references: found the attacks {', '.join(ran)}, which need reference models, and "
                "nothing of these among the results"
            )
        return
    found = results.references
    _check_models(found.trained)
    _check_losses(found)
    _check_difference(found)
    _check_records(results)
    _check_settings(results, ran)
    check_curves(results)
    check_shadow(results, evidence)


def _check_models(trained: references_pb2.ReferenceModels) -> None:
    """Refuses models other than 0 to k - 1 in pairs that share the pool between them."""
    k = trained.config.models
    if k < 2 or k % 2:
        raise ValueError(f"references: found {k} models, expected an even number, 2 at least")
    indices = [model.index for model in trained.models]
    if indices != list(range(k)):
        raise ValueError(f"references: found models {indices}, expected 0 to {k - 1}")
    if trained.config.WhichOneof("pool") is None:
        raise ValueError("references: found nothing of the pool that models were trained on")
    if trained.target_records < 0:
        raise ValueError(f"references: found {trained.target_records} records of the target")
    for first, second in zip(trained.models[::2], trained.models[1::2], strict=True):
        for model, partner in ((first, second), (second, first)):
            _check_half(model, partner, trained.pool)


def _check_half(
    model: references_pb2.ReferenceModel,
    partner: references_pb2.ReferenceModel,
    pool: references_pb2.IdSet,
) -> None:
    place, inside, outside = f"reference model {model.index}", model.trained_on, model.held_out
    if min(inside.records, outside.records) < 0:
        raise ValueError(
            f"{place}: found it trained on {inside.records} records and {outside.records} left "
            "out, expected numbers of 0 or more"
        )
    if inside.records + outside.records != pool.records or _added(inside, outside, place) != _sums(
        pool, "the pool"
    ):
        raise ValueError(
            f"{place}: found it trained on {inside.records} records and {outside.records} left "
            f"out, which are not the {pool.records} of the pool by number and digest"
        )
    if inside != partner.held_out:
        raise ValueError(
            f"{place}: found it trained on {inside.records} records, and its partner, model "
            f"{partner.index}, not on {partner.held_out.records}; expected the same ones"
        )
    if not (math.isfinite(model.seconds) and min(model.seconds, model.train_steps) >= 0):
        raise ValueError(
            f"{place}: found {model.train_steps} steps and {model.seconds} seconds, expected "
            "numbers of 0 or more"
        )


def _added(one: references_pb2.IdSet, other: references_pb2.IdSet, place: str) -> tuple[int, ...]:
    """The digest of both together, by halves (signals/id_set.py)."""
    pairs = zip(_sums(one, place), _sums(other, place), strict=True)
    return tuple((a + b) % _HALF for a, b in pairs)


def _sums(ids: references_pb2.IdSet, place: str) -> tuple[int, ...]:
    digest = ids.digest
    if len(digest) != 2 * _HALF_DIGITS or not set(digest) <= set("0123456789abcdef"):
        raise ValueError(
            f"{place}: found the digest {digest!r} of its records, expected "
            f"{2 * _HALF_DIGITS} hexadecimal digits"
        )
    return int(digest[:_HALF_DIGITS], 16), int(digest[_HALF_DIGITS:], 16)


def _check_losses(found: results_pb2.ReferenceResults) -> None:
    models = found.trained.models
    if [one.index for one in found.losses] != [model.index for model in models]:
        raise ValueError(
            f"references: found losses of {len(found.losses)} models, expected one for each of "
            f"the {len(models)}, in their order"
        )
    for losses, model in zip(found.losses, models, strict=True):
        place = f"losses of reference model {losses.index}"
        check_number(f"records inside, {place}", losses.inside, model.trained_on.records)
        check_number(f"records outside, {place}", losses.outside, model.held_out.records)
        _check_finite(place, (losses.inside_loss, losses.outside_loss))


def _check_difference(found: results_pb2.ReferenceResults) -> None:
    """Refuses a difference of losses other than the models' losses give, or the p-value of it.

    A record is in half of the models: the mean over records of (mean loss inside - mean loss
    outside) is the sum over models of what they lose inside less what they lose outside, over
    half their number and that of the records.
    """
    place, difference = "references: loss inside less loss outside", found.difference
    records, error = difference.records, difference.standard_error
    if records != found.trained.pool.records:
        raise ValueError(
            f"{place}: found it over {records} records, expected the "
            f"{found.trained.pool.records} of the pool"
        )
    _check_finite(place, (difference.mean, error, difference.p_value))
    if not records:
        return
    inside, outside = (
        math.fsum(part) / records / (len(found.losses) / 2)
        for part in (
            [one.inside * one.inside_loss for one in found.losses],
            [one.outside * one.outside_loss for one in found.losses],
        )
    )
    if abs(difference.mean - (inside - outside)) > _ROUNDING * (abs(inside) + abs(outside)):
        raise ValueError(
            f"{place}: found {difference.mean:.12g} on average, the losses of the models give "
            f"{inside - outside:.12g}; results must not be edited by hand"
        )
    # However the differences of the records spread, their mean is no further from 0 than so.
    if not abs(difference.mean) <= error * math.sqrt(records) * (1.0 + _ROUNDING):
        raise ValueError(
            f"{place}: found the standard error {error:.6g}, which is too small for a mean of "
            f"{difference.mean:.6g} over {records} records"
        )
    expected = float(special.ndtr(-difference.mean / error)) if error else 1.0
    if abs(difference.p_value - expected) > _ROUNDING:
        raise ValueError(
            f"{place}: found p = {difference.p_value:.6g}, the mean and its standard error give "
            f"{expected:.6g}; results must not be edited by hand"
        )
    if difference.p_value < _REFUSED:
        raise ValueError(
            f"{place}: found p = {difference.p_value:.3g}, expected {_REFUSED:g} or more: models "
            "that lose more on what they were trained on are refused when they are asked"
        )


def _check_records(results: results_pb2.PrivacyResults) -> None:
    found, read = results.references, results.records.read
    most = read.members + read.nonmembers
    if not 0 <= found.records_inside <= found.records <= most:
        raise ValueError(
            f"references: found {found.records_inside} of {found.records} records in training "
            f"sets of reference models, expected at most the {most} read"
        )
    is_online = found.trained.config.WhichOneof("pool") == "online"
    if found.online != is_online:
        raise ValueError(
            f"references: found the evaluated records {'' if found.online else 'not '}in training "
            f"sets of half of the models, and a pool that is {'' if is_online else 'not '}online"
        )


def _check_settings(results: results_pb2.PrivacyResults, ran: Sequence[str]) -> None:
    """Refuses queries and parameters of RMIA other than the configuration has them."""
    found, asked = results.references, results.config.references
    queries = asked.augmentation.queries if asked.HasField("augmentation") else 1
    if found.queries != queries:
        raise ValueError(
            f"references: found {found.queries} queries a record, expected the {queries} of the "
            "configuration"
        )
    if not any(split_name(name)[0] in RMIA_ATTACKS for name in ran):
        return
    if not (math.isfinite(found.rmia_gamma) and found.rmia_gamma >= 1.0):
        raise ValueError(f"references: found RMIA's gamma = {found.rmia_gamma}, expected 1 or more")
    if not 0.0 <= found.rmia_offline_a <= 1.0:
        raise ValueError(
            f"references: found RMIA's a = {found.rmia_offline_a}, expected a number from 0 to 1"
        )
    for name in ("rmia_gamma", "rmia_offline_a"):
        if asked.HasField(name) and getattr(found, name) != getattr(asked, name):
            raise ValueError(
                f"references: found {name} = {getattr(found, name)}, expected "
                f"{getattr(asked, name)}, which the configuration has"
            )


def _check_finite(place: str, numbers: Iterable[float]) -> None:
    for number in numbers:
        if not math.isfinite(number):
            raise ValueError(f"{place}: found {number}, expected a finite number")
