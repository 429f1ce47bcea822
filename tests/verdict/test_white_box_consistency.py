"""Black-box beside white-box: what counts do not give is refused."""

from __future__ import annotations

import math

import pytest

from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.change import difference
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.consistency import check_consistent
from tfx_privacy.verdict.white_box_consistency import check_white_box


def _value(attack, name):
    return next(value for value in attack.metrics if value.metric.name == name)


def _difference(black, white, name, correlation):
    of_black, of_white = _value(black, name), _value(white, name)
    change = difference(
        Interval(of_white.value.estimate, of_white.value.lower, of_white.value.upper),
        Interval(of_black.value.estimate, of_black.value.lower, of_black.value.upper),
        correlation,
    )
    return results_pb2.MetricDifference(
        metric=of_black.metric,
        black_box=of_black.value,
        white_box=of_white.value,
        difference=results_pb2.MeasuredValue(
            estimate=change.estimate, lower=change.lower, upper=change.upper, confidence=0.95
        ),
    )


@pytest.fixture
def run(measurements):
    """Attacks "b" (black-box) and "w" (white-box) of advantages .05 and .1; one layer."""
    made = measurements.of(members=4_000, nonmembers=2_000, advantages={"b": 0.05, "w": 0.1})
    black, white = made.results.attacks
    made.results.config.metrics.extend(_value(black, name).metric for name in ("auc", "advantage"))
    made.results.white_box.CopyFrom(
        results_pb2.WhiteBoxResults(
            layers=[
                results_pb2.WhiteBoxLayer(name="dense", index=0, weights=20, has_norms=True),
                results_pb2.WhiteBoxLayer(name="dense_1", index=2, weights=9),
            ],
            best_black_box="b",
            best_white_box="w",
            differences=[
                _difference(black, white, "auc", 0.9),
                _difference(black, white, "advantage", -0.4),
            ],
            groups=[
                results_pb2.SignalGroupResult(
                    group=group, attack=attack.name, attacks=1, auc=_value(attack, "auc").value
                )
                for group, attack in (("outputs", black), ("gradient norms", white))
            ],
            norms=[
                results_pb2.NormDistribution(
                    layer=layer, edges=[0.1, 1, 10], members=[3_000, 900], nonmembers=[1, 1_999],
                    median_member=0.5, median_nonmember=2,
                )
                for layer in ("", "dense")
            ],
        )
    )  # fmt: skip
    for group, attack in zip(made.results.white_box.groups, (black, white), strict=True):
        group.accuracy.CopyFrom(_balanced_accuracy(attack, made.evidence))
    return made


def _balanced_accuracy(attack, evidence):
    counts, edges = evidence.counts[attack.name, ()], evidence.edges[attack.name]
    again = measure_attack(attack.name, counts, edges, [BalancedAccuracy()], 0.95)
    return again.metrics[0].value


def test_what_is_sound_is_let_through(run):
    check_white_box(run.results, run.evidence)
    check_consistent(run.results, run.evidence)


def test_results_without_white_box_signals_are_let_through(run):
    run.results.ClearField("white_box")
    check_white_box(run.results, run.evidence)
    # Layers and norms are told even where there is nothing to compare.
    run.results.white_box.not_computed = "no attack that looks at gradients ran"
    run.results.white_box.layers.add(name="dense")
    check_white_box(run.results, run.evidence)


def test_what_was_asked_for_has_to_be_told(run):
    run.results.config.white_box.sketch_rows = 16
    run.results.ClearField("white_box")
    with pytest.raises(ValueError, match="in the configuration, and nothing of it among the"):
        check_consistent(run.results, run.evidence)


def _set(path, value):
    def change(results):
        *parents, last = path.split(".")
        found = results.white_box
        for part in parents:
            name, _, index = part.partition("#")
            found = getattr(found, name)
            if index:
                found = found[int(index)]
        name, _, index = last.partition("#")
        if index:
            getattr(found, name)[int(index)] = value
        else:
            setattr(found, name, value)

    return change


def _exchange_best(results):
    found = results.white_box
    found.best_black_box, found.best_white_box = found.best_white_box, found.best_black_box
    del found.differences[:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("not_computed", "no attack"), "found differences, and that there are none"),
        (_set("best_black_box", "x"), "found 'x' as a best attack, which did not run"),
        (_set("best_black_box", "w"), "expected two"),
        (_set("best_white_box", ""), "expected the two attacks that they are of"),
        (_set("differences#0.black_box.estimate", 0.6), "estimate of AUC of 'b': found 0.6"),
        (_set("differences#1.white_box.upper", 0.9), "upper of advantage of 'w': found 0.9"),
        (_set("differences#0.difference.estimate", 0.3), "estimate of the difference in auc"),
        (_set("differences#0.difference.lower", 0.5), "difference in auc .*its lower bound"),
        (_set("differences#0.difference.upper", 9.0), "difference in auc .*its upper bound"),
        (_set("differences#1.difference.lower", math.nan), "its lower bound nan"),
        (_set("groups#0.auc.lower", 0.1), "lower of AUC of 'b': found 0.1"),
        (_set("groups#1.accuracy.estimate", 0.9), "balanced accuracy of 'w': found 0.9"),
        (_set("groups#0.attack", "x"), "found 'x' in 'outputs', which did not run"),
        (_set("groups#0.attacks", 3), "found 3 attacks in 'outputs', expected 1 to the 2"),
        (_set("groups#0.group", "gradient norms"), "expected each once"),
        (_set("groups#0.group", "weights"), "found groups weights, gradient norms"),
        (_set("groups#0.attacks", 2), "found 3 attacks in all groups together, expected the 2"),
        (lambda results: results.white_box.groups.pop(), "found 1 attacks in all groups"),
        (_exchange_best, "found 'w' as the best black-box attack, expected one .*groups: b"),
        (lambda results: results.white_box.differences.pop(), "differences in auc, expected them"),
        (lambda results: results.white_box.ClearField("differences"), "differences in nothing"),
        (_set("layers#1.name", "dense"), "names of their own"),
        (_set("layers#1.index", 0), "in ascending order"),
        (_set("layers#1.weights", -1), "a number below 0 of layer 'dense_1'"),
        (_set("norms#1.layer", "dense_7"), "norms of 'dense_7': found no such layer"),
        (_set("norms#0.edges#1", 0.1), "norms of all layers: expected edges that ascend"),
        (_set("norms#0.members#0", 3_101), "found 4001 members, expected at most the 4000 judged"),
        (_set("norms#0.nonmembers#0", -1), "of 0 or more"),
        (lambda results: results.white_box.norms[0].members.append(1), "found 3 bins of members"),
        (_set("norms#1.median_member", math.inf), "found the median inf"),
    ],
)
def test_what_cannot_be_is_refused(run, change, words):
    change(run.results)
    with pytest.raises(ValueError, match=words):
        check_white_box(run.results, run.evidence)


def test_a_difference_is_as_sure_as_its_two_values_at_most(run):
    """At a correlation of 1 the bounds of equal intervals leave no width; beyond is refused."""
    for correlation in (-1.0, 1.0):
        made = _difference(*run.results.attacks, "auc", correlation)
        run.results.white_box.differences[0].CopyFrom(made)
        check_white_box(run.results, run.evidence)
    made.difference.upper += 1e-6
    made.difference.lower += 1e-6
    run.results.white_box.differences[0].CopyFrom(made)
    with pytest.raises(ValueError, match="leave room for"):
        check_white_box(run.results, run.evidence)
