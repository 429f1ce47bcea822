"""Reference models: what contradicts itself, the counts or the configuration is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics.called_members import CalledMembers
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.verdict.consistency import check_consistent
from tfx_privacy.verdict.reference_consistency import check_references

K = 4
LIRA, RMIA, SHADOW = "lira_online_fixed_variance", "rmia_offline", "shadow_models"
METRICS = ("auc", "advantage")


def _ids(rows):
    return np.random.default_rng(1).integers(0, 2**63, (rows, 2)).astype(np.uint64)


def _set(ids):
    found = IdSet.of(ids)
    return references_pb2.IdSet(records=found.records, digest=found.digest)


def _trained(ids):
    trained_on = inside(ids, 3, K)
    return references_pb2.ReferenceModels(
        config=references_pb2.ReferenceModelsConfig(models=K, online=references_pb2.OnlinePool()),
        target_records=6_000,
        pool=_set(ids),
        models=[
            references_pb2.ReferenceModel(
                index=index,
                trained_on=_set(ids[trained_on[:, index]]),
                held_out=_set(ids[~trained_on[:, index]]),
                train_steps=100,
                seconds=2.5,
            )
            for index in range(K)
        ],
    )


def _losses(trained):
    return [
        results_pb2.ReferenceModelLosses(
            index=model.index,
            inside=model.trained_on.records,
            outside=model.held_out.records,
            inside_loss=0.25,
            outside_loss=0.5,
        )
        for model in trained.models
    ]


def _curve(attack, judge):
    """As the attack itself with all models, by .02 less with two."""
    curve = results_pb2.ReferenceCurve(attack=attack.name)
    kept = [value for value in attack.metrics if value.metric.name in METRICS]
    for models, less in ((2, 0.02), (4, 0.0)):
        point = curve.points.add(models=models)
        for value in kept:
            one = point.metrics.add(metric=value.metric, value=value.value)
            for field in ("estimate", "lower", "upper"):
                setattr(one.value, field, getattr(one.value, field) - less)
    return curve


def _measured(called, name, alpha=0.025):
    value = getattr(called, name)(alpha)
    return results_pb2.MeasuredValue(
        estimate=value.estimate,
        lower=value.lower,
        upper=value.upper,
        confidence=1 - 2 * alpha,
        members=called.members,
        nonmembers=called.nonmembers,
    )


def _shadow(counts):
    # All bins but the lowest lie above 0, and 5 rows a side of the lowest do.
    members_called = int(counts.members[1:].sum()) + 5
    nonmembers_called = int(counts.nonmembers[1:].sum()) + 5
    whole = CalledMembers(4_000, members_called, 2_000, nonmembers_called)
    parts = {"cat": CalledMembers(1_000, 900, 500, 400), "1": CalledMembers(7, 0, 300, 200)}
    shadow = results_pb2.ShadowResults(
        attack_set=results_pb2.SideCounts(members=500, nonmembers=490),
        classes=2,
        classes_shared=1,
        precision=_measured(whole, "precision"),
        recall=_measured(whole, "recall"),
    )
    for label, part in parts.items():
        shadow.by_class.add(
            label=label, precision=_measured(part, "precision"), recall=_measured(part, "recall")
        )
    return shadow


@pytest.fixture
def run(measurements):
    """LiRA, RMIA and Shokri's attack with four models trained on halves of all 9,000 rows."""
    made = measurements.of(
        members=4_000, nonmembers=2_000, advantages={LIRA: 0.2, RMIA: 0.15, SHADOW: 0.1}
    )
    results, ids = made.results, _ids(9_000)
    results.config.confidence = 0.95
    results.config.references.rmia_gamma = 2.0
    results.config.metrics.extend(
        value.metric for value in results.attacks[0].metrics if value.metric.name in METRICS
    )
    trained = _trained(ids)
    # Each record is in two of four models: .25 less .5, at every record.
    results.references.CopyFrom(
        results_pb2.ReferenceResults(
            uri="/references/1",
            trained=trained,
            queries=1,
            online=True,
            records_inside=9_000,
            records=9_000,
            losses=_losses(trained),
            difference=results_pb2.LossDifference(
                records=9_000, mean=-0.25, standard_error=0.25 / 90, p_value=1.0
            ),
            curves=[_curve(attack, results.records.judge) for attack in results.attacks[:2]],
            curve_rows=results.records.judge,
            rmia_gamma=2.0,
            rmia_offline_a=0.3,
            shadow=_shadow(made.evidence.counts[SHADOW, ()]),
        )
    )
    return made


def test_what_is_sound_is_let_through(run):
    check_references(run.results, run.evidence)
    check_consistent(run.results, run.evidence)


def test_results_without_reference_models_are_let_through(measurements):
    made = measurements.of(members=400, nonmembers=200, advantages={"loss_threshold": 0.1})
    check_references(made.results, made.evidence)


def test_an_attack_with_references_is_none_without(run):
    run.results.ClearField("references")
    with pytest.raises(ValueError, match="found them in the configuration and not among the"):
        check_consistent(run.results, run.evidence)
    run.results.config.ClearField("references")
    with pytest.raises(ValueError, match=r"found the attacks lira_online.*, which need reference"):
        check_consistent(run.results, run.evidence)


def test_models_may_be_of_a_pool_of_their_own(run):
    found = run.results.references
    found.trained.config.offline.splits.append("rest")
    found.online = False
    found.records_inside = 3
    check_references(run.results, run.evidence)


def test_a_p_value_is_that_of_the_mean_and_its_error(run):
    """Losses that are .001 higher inside, at a standard error of 1/90: z = .09."""
    found = run.results.references
    for one in found.losses:
        one.inside_loss, one.outside_loss = 0.251, 0.250
    # Each record is inside two of the four models and outside two: .251 - .250.
    found.difference.mean = 0.001
    found.difference.standard_error = 1 / 90
    found.difference.p_value = stats.norm.sf(0.09)
    check_references(run.results, run.evidence)
    found.difference.p_value = 0.5
    with pytest.raises(
        ValueError, match=r"found p = 0.5, the mean and its standard error give 0.46"
    ):
        check_references(run.results, run.evidence)


def test_models_that_lose_more_inside_are_no_models(run):
    found = run.results.references
    for one in found.losses:
        one.inside_loss, one.outside_loss = 0.5, 0.25
    found.difference.mean = 0.25
    found.difference.p_value = float(stats.norm.sf(90))
    with pytest.raises(ValueError, match=r"expected 0.001 or more"):
        check_references(run.results, run.evidence)


def _at(path, value):
    def change(results):
        *parents, last = path.split(".")
        found = results.references
        for part in parents:
            name, _, index = part.partition("#")
            found = getattr(found, name)
            if index:
                found = found[int(index)]
        setattr(found, last, value)

    return change


def _swap(first, second):
    """Exchanges what two models of different pairs were trained on."""

    def change(results):
        one, other = (results.references.trained.models[index] for index in (first, second))
        for name in ("trained_on", "held_out"):
            kept = references_pb2.IdSet()
            kept.CopyFrom(getattr(one, name))
            getattr(one, name).CopyFrom(getattr(other, name))
            getattr(other, name).CopyFrom(kept)

    return change


def _end(metric, value):
    def change(results):
        one = results.references.curves[0].points[-1].metrics[metric].value
        moved = value - one.estimate
        for field in ("estimate", "lower", "upper"):
            setattr(one, field, getattr(one, field) + moved)

    return change


def _drop(path):
    def change(results):
        *parents, last = path.split(".")
        found = results.references
        for part in parents:
            found = getattr(found, part)
        values = getattr(found, last)
        del values[-1]

    return change


def _whole(called):
    def change(results):
        shadow = results.references.shadow
        shadow.precision.CopyFrom(_measured(called, "precision"))
        shadow.recall.CopyFrom(_measured(called, "recall"))

    return change


def _class_of(called):
    def change(results):
        one = results.references.shadow.by_class[0]
        one.precision.CopyFrom(_measured(called, "precision"))
        one.recall.CopyFrom(_measured(called, "recall"))

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_at("trained.config.models", 3), "found 3 models, expected an even number"),
        (_at("trained.config.models", 6), r"found models \[0, 1, 2, 3\], expected 0 to 5"),
        (_drop("trained.models"), "expected 0 to 3"),
        (_at("trained.models#1.index", 2), r"found models \[0, 2, 2, 3\]"),
        (_at("trained.pool.records", 9_001), "model 0: .*not the 9001 of the pool"),
        (_at("trained.pool.digest", "0" * 32), "which are not the 9000 of the pool by number and"),
        (_at("trained.pool.digest", "x"), "found the digest 'x' of its records"),
        (_at("trained.models#2.trained_on.digest", "0" * 32), "reference model 2: found it"),
        (_at("trained.models#3.seconds", math.nan), "model 3: found 100 steps and nan seconds"),
        (_swap(0, 2), "model 0: found it trained on .*, and its partner, model 1"),
        (
            lambda results: results.references.trained.config.ClearField("online"),
            "nothing of the pool",
        ),
        (_at("online", False), "found the evaluated records not in training sets .* is online"),
        (_at("records_inside", 9_001), "found 9001 of 9000 records in training"),
        (_at("records", 9_002), "of 9002 records .* at most the 9000 read"),
        (_at("queries", 18), "found 18 queries a record, expected the 1 of the"),
        (_at("rmia_gamma", 4.0), "found rmia_gamma = 4.0, expected 2.0"),
        (_at("rmia_gamma", 0.5), "gamma = 0.5, expected 1 or more"),
        (_at("rmia_offline_a", 1.5), "a = 1.5, expected a number from 0 to 1"),
        (_drop("losses"), "found losses of 3 models"),
        (_at("losses#1.inside", 4_500), "records inside, losses of reference model 1: found 4500"),
        (_at("losses#1.outside_loss", math.inf), "losses of reference model 1: found inf"),
        (_at("losses#1.outside_loss", 0.6), "the losses of the models give"),
        (_at("difference.mean", 0.0), "found 0 on average, the losses of the models give -0.2"),
        (_at("difference.records", 10), "over 10 records, expected the 9000"),
        (_at("difference.standard_error", 0.001), "too small for a mean of -0.25 over 9000"),
        (_at("difference.p_value", 0.2), "found p = 0.2"),
        (_at("curve_rows.members", 4_001), "curves of 4001 members"),
        (_at("curve_rows.members", 3_999), "on 4000 members and 2000 non-members, expected 3999"),
        (_drop("curves"), "expected lira_online_fixed_variance, rmia_offline"),
        (_at("curves#0.attack", SHADOW), "found curves of shadow_models, rmia_offline"),
        (_at("curves#1.points#0.models", 3), r"with \[3, 4\] models, expected \[2, 4\]"),
        (
            lambda results: results.references.curves[0].points[0].metrics.pop(),
            "found AUC of lira_online_fixed_variance with 2 models, expected the AUC and each",
        ),
        (_at("curves#0.points#0.metrics#0.value.upper", math.nan), "ascending numbers"),
        (_at("curves#0.points#0.metrics#0.value.lower", 0.9), "ascending numbers of 1 at most"),
        (_at("curves#0.points#0.metrics#0.value.confidence", 0.5), "at confidence 0.5"),
        (_end(0, 0.6), "found auc 0.6 of lira_online_fixed_variance with all models"),
        (_at("shadow.attack_set.nonmembers", 0), "shadow predictions of members and 0 of others"),
        (_at("shadow.classes", -1), "found -1 classes"),
        (_at("shadow.precision.estimate", 0.9), "ascending numbers in"),
        (_at("shadow.recall.lower", 0.1), "lower of recall of Shokri's attack on all classes"),
        (_at("shadow.precision.upper", 0.9), "upper of precision of Shokri's attack on all"),
        (_at("shadow.precision.members", 5), "expected the same rows"),
        (_at("shadow.by_class#1.precision.upper", 0.9), "precision of Shokri's .* on the class 1"),
        (_at("shadow.by_class#1.label", "cat"), "listed twice"),
        (_whole(CalledMembers(4_000, 3_000, 2_000, 1_999)), "found 3000 members called"),
        (_whole(CalledMembers(4_000, 3_999, 2_000, 10)), "found 10 non-members called"),
        (_whole(CalledMembers(3_999, 3_999, 2_000, 1_999)), "expected the 4000 and 2000 that"),
        (_class_of(CalledMembers(4_000, 900, 500, 400)), "found 4007 of members in the classes"),
        (lambda results: results.references.ClearField("shadow"), "not told by its precision"),
    ],
)
def test_what_cannot_be_is_refused(run, change, words):
    change(run.results)
    with pytest.raises(ValueError, match=words):
        check_references(run.results, run.evidence)


def test_a_curve_on_a_sample_may_end_a_little_off(run):
    """A standard error on 1,000 of 4,000 is .015 or so: .03 off may be, .2 off may not."""
    found = run.results.references
    found.curve_rows.members, found.curve_rows.nonmembers = 1_000, 500
    for curve in found.curves:
        for point in curve.points:
            for one in point.metrics:
                one.value.members, one.value.nonmembers = 1_000, 500
                one.value.lower -= 0.015
                one.value.upper += 0.015
    own = run.results.attacks[0].metrics[0].value.estimate
    _end(0, own + 0.03)(run.results)
    check_references(run.results, run.evidence)
    _end(0, own + 0.2)(run.results)
    with pytest.raises(ValueError, match=r"on a sample, and .* of all rows"):
        check_references(run.results, run.evidence)


def test_queries_are_those_of_the_augmentation(run):
    run.results.config.references.augmentation.function = "my.module.flipped"
    run.results.config.references.augmentation.queries = 2
    with pytest.raises(ValueError, match="found 1 queries a record, expected the 2"):
        check_references(run.results, run.evidence)
    run.results.references.queries = 2
    check_references(run.results, run.evidence)


@pytest.mark.parametrize("called", [(0, 0), (0, 7), (0, 300), (7, 0), (7, 300), (3, 1)])
def test_any_numbers_of_rows_called_members_are_let_through(run, called):
    """Of a class: that nobody is called a member, or no member is, has a precision too."""
    members, nonmembers = called
    one = run.results.references.shadow.by_class[1]
    part = CalledMembers(7, members, 300, nonmembers)
    one.precision.CopyFrom(_measured(part, "precision"))
    one.recall.CopyFrom(_measured(part, "recall"))
    check_references(run.results, run.evidence)
