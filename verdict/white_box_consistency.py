"""Whether what results say of white-box signals and of fitting elsewhere is what counts give."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.attacks.white_box_names import GROUPS, OUTPUTS
from tfx_privacy.metrics.change import has_change
from tfx_privacy.metrics.counts import WHOLE, Evidence
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.numbers_agree import check_number, check_values

_ROUNDING = 1e-9


def check_fitted_on(results: results_pb2.PrivacyResults) -> None:
    """Refuses rows of another model, fitted on, that cannot be.

    Raises:
      ValueError: If no place is named, a number is negative, above the sample's size or
        without rows of a side, or records have no ids, by which those in common are found.
    """
    if not results.HasField("fitted_on"):
        return
    fitted_on, most = results.fitted_on, results.config.sample_sizes.fit_rows_per_side
    if not fitted_on.signals_uri:
        raise ValueError("fitted_on: found no URI of signals, expected where they lie")
    for side, fit, shared in (
        ("members", fitted_on.fit.members, fitted_on.shared.members),
        ("non-members", fitted_on.fit.nonmembers, fitted_on.shared.nonmembers),
    ):
        if fit < 1 or (most and fit > most):
            raise ValueError(
                f"fitted_on: found {fit} {side} to fit attacks on, expected 1 to {most} "
                "(sample_sizes.fit_rows_per_side)"
            )
        if shared < 0:
            raise ValueError(f"fitted_on: found {shared} shared {side}, expected 0 or more")
    if not results.records.duplicates_checked:
        raise ValueError(
            "fitted_on: found attacks fitted on another model's signals, and records without ids; "
            "expected ids, by which records in common are found"
        )


def check_white_box(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    """Refuses a comparison of black-box and white-box attacks that counts do not give.

    The values of each attack are computed again. A difference has to be that of its two
    values. Its interval hangs on how the two attacks' scores of a record go together, which
    is not among the evidence: it has to be one that the intervals of the two values leave
    room for (metrics/change.py: `difference`, at a correlation from -1 to 1).

    Raises:
      ValueError: If a number differs, is not finite or out of its range, or an attack is
        named that did not run.
    """
    if not results.HasField("white_box"):
        if results.config.HasField("white_box"):
            raise ValueError(
                "white_box: found it in the configuration, and nothing of it among the results; "
                "expected the layers, and a comparison or why there is none"
            )
        return
    found = results.white_box
    if found.not_computed and (found.differences or found.groups):
        raise ValueError(
            f"white_box: found differences, and that there are none ({found.not_computed}); "
            "expected one of both"
        )
    _check_layers(found.layers)
    names = {layer.name for layer in found.layers}
    for distribution in found.norms:
        _check_norms(distribution, names, results.records.judge)
    _check_best(results)
    for difference in found.differences:
        _check_difference(difference, found, evidence)
    groups = [group.group for group in found.groups]
    if len(set(groups)) != len(groups) or not set(groups) <= set(GROUPS):
        raise ValueError(
            f"white_box: found groups {', '.join(groups)}, expected each once, of "
            f"{', '.join(GROUPS)}"
        )
    for group in found.groups:
        _check_group(group, results, evidence)
    if not found.not_computed:
        _check_whole(results)


def _check_whole(results: results_pb2.PrivacyResults) -> None:
    """Refuses a comparison with parts left out, or of attacks that are not a group's best."""
    found = results.white_box
    ran = [attack.name for attack in results.attacks if not split_name(attack.name)[1]]
    counted = sum(group.attacks for group in found.groups)
    if counted != len(ran):
        raise ValueError(
            f"white_box: found {counted} attacks in all groups together, expected the {len(ran)} "
            "that ran"
        )
    black_box = [group.attack for group in found.groups if group.group == OUTPUTS]
    white_box = [group.attack for group in found.groups if group.group != OUTPUTS]
    for what, name, best in (
        ("black-box", found.best_black_box, black_box),
        ("white-box", found.best_white_box, white_box),
    ):
        if name not in best:
            raise ValueError(
                f"white_box: found {name!r} as the best {what} attack, expected one of the best "
                f"of the groups: {', '.join(best) or 'none'}"
            )
    metrics = map(metric_from_spec, results.config.metrics)
    expected = [metric.spec() for metric in metrics if has_change(metric)]
    if [difference.metric for difference in found.differences] != expected:
        raise ValueError(
            f"white_box: found differences in "
            f"{', '.join(one.metric.name for one in found.differences) or 'nothing'}, expected "
            f"them in {', '.join(metric.name for metric in expected) or 'nothing'}, the metrics "
            "of the configuration that have some"
        )


def _check_layers(layers: Sequence[results_pb2.WhiteBoxLayer]) -> None:
    names, indices = [one.name for one in layers], [one.index for one in layers]
    if len(set(names)) != len(names) or any(a >= b for a, b in itertools.pairwise(indices)):
        raise ValueError("white_box: expected layers with names of their own, in ascending order")
    for layer in layers:
        if min(layer.index, layer.weights, layer.activation_width) < 0:
            raise ValueError(f"white_box: found a number below 0 of layer {layer.name!r}")


def _check_norms(
    found: results_pb2.NormDistribution, layers: Collection[str], judge: results_pb2.SideCounts
) -> None:
    place = f"gradient norms of {repr(found.layer) if found.layer else 'all layers'}"
    if found.layer and found.layer not in layers:
        raise ValueError(f"{place}: found no such layer, expected one of {', '.join(layers)}")
    edges = list(found.edges)
    if not all(map(math.isfinite, edges)) or any(a >= b for a, b in itertools.pairwise(edges)):
        raise ValueError(f"{place}: expected edges that ascend")
    for side, counts, judged in (
        ("members", found.members, judge.members),
        ("non-members", found.nonmembers, judge.nonmembers),
    ):
        if len(counts) != max(0, len(edges) - 1) or min(counts, default=0) < 0:
            raise ValueError(
                f"{place}: found {len(counts)} bins of {side}, expected {max(0, len(edges) - 1)} "
                "of 0 or more"
            )
        if sum(counts) > judged:
            raise ValueError(
                f"{place}: found {sum(counts)} {side}, expected at most the {judged} judged"
            )
    for median in (found.median_member, found.median_nonmember):
        if not (math.isfinite(median) and median >= 0.0):
            raise ValueError(f"{place}: found the median {median}, expected 0 or more")


def _check_best(results: results_pb2.PrivacyResults) -> None:
    found, ran = results.white_box, {attack.name for attack in results.attacks}
    named = [name for name in (found.best_black_box, found.best_white_box) if name]
    for name in named:
        if name not in ran:
            raise ValueError(f"white_box: found {name!r} as a best attack, which did not run")
    if len(set(named)) != len(named):
        raise ValueError(
            f"white_box: found {named[0]!r} as the best black-box and the best white-box attack, "
            "expected two"
        )
    if found.differences and len(named) < 2:
        raise ValueError("white_box: found differences, expected the two attacks that they are of")


def _check_difference(
    found: results_pb2.MetricDifference, of: results_pb2.WhiteBoxResults, evidence: Evidence
) -> None:
    black_box, white_box, value = found.black_box, found.white_box, found.difference
    _check_value(of.best_black_box, found.metric, black_box, evidence)
    _check_value(of.best_white_box, found.metric, white_box, evidence)
    place = f"difference in {found.metric.name} of {of.best_white_box!r} and {of.best_black_box!r}"
    check_number(
        f"estimate of the {place}", value.estimate, white_box.estimate - black_box.estimate
    )
    for bound, distance, ours, theirs in (
        (
            "lower",
            value.estimate - value.lower,
            white_box.estimate - white_box.lower,
            black_box.upper - black_box.estimate,
        ),
        (
            "upper",
            value.upper - value.estimate,
            white_box.upper - white_box.estimate,
            black_box.estimate - black_box.lower,
        ),
    ):
        least, most = abs(ours - theirs), ours + theirs
        if not least - _ROUNDING <= distance <= most + _ROUNDING:
            raise ValueError(
                f"{place}: found its {bound} bound {distance:.6g} from it, expected {least:.6g} to "
                f"{most:.6g}, which the intervals of the two attacks leave room for"
            )


def _check_group(
    group: results_pb2.SignalGroupResult, results: results_pb2.PrivacyResults, evidence: Evidence
) -> None:
    ran = len(results.attacks)
    if group.attack not in {attack.name for attack in results.attacks}:
        raise ValueError(f"white_box: found {group.attack!r} in {group.group!r}, which did not run")
    if not 1 <= group.attacks <= ran:
        raise ValueError(
            f"white_box: found {group.attacks} attacks in {group.group!r}, expected 1 to the "
            f"{ran} that ran"
        )
    for metric, value in (("auc", group.auc), ("balanced_accuracy", group.accuracy)):
        _check_value(group.attack, config_pb2.MetricSpec(name=metric), value, evidence)


def _check_value(
    attack: str,
    metric: config_pb2.MetricSpec,
    value: results_pb2.MeasuredValue,
    evidence: Evidence,
) -> None:
    counts = evidence.counts.get((attack, WHOLE))
    if counts is None:
        # The verdict deals with attacks whose counts are missing.
        return
    listed = results_pb2.MetricValue(metric=metric, value=value)
    check_values(repr(attack), [listed], attack, counts, evidence.edges[attack])
