"""What results say of attacks with reference models, which the verdict lets through."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.shadow_models import FEWEST_ROWS_A_SIDE
from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.controls import FittedBlindBaseline, HalvedNonmembers
from tfx_privacy.evaluation.reference_results import Attacked, complete_references
from tfx_privacy.evaluation.results import assemble_results
from tfx_privacy.evaluation.shadow_tally import ShadowTally
from tfx_privacy.evaluation.suite import (
    KnownRows,
    choose_on_fit,
    fit_suite,
    runnable_attacks,
    with_references,
)
from tfx_privacy.evaluation.tally import ScoredRows
from tfx_privacy.metrics.counts import WHOLE, Evidence
from tfx_privacy.metrics.edges import count_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.partition import Role
from tfx_privacy.signals.reference_signals import ReferenceSignals
from tfx_privacy.verdict.consistency import check_consistent

K = 8
CLASSES = 3
ATTACKS = [
    "loss_threshold",
    "lira_online_fixed_variance",
    "lira_offline",
    "rmia_online",
    "rmia_offline",
    "attack_r",
    "shadow_models",
]


def _logits(margin: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Of three classes: the true one's log-odds are the margin."""
    logits = np.zeros((len(label), CLASSES), np.float32)
    logits[np.arange(len(label)), label] = margin + np.log(CLASSES - 1)
    return logits


def _world(rows: int, seed: int, *, online: bool = True) -> Signals:
    rng = np.random.default_rng(seed)
    difficulty, member = rng.normal(0, 2, rows), np.arange(rows) % 2 == 0
    first = rng.random((rows, K // 2)) < 0.5
    inside = np.stack([first, ~first], axis=2).reshape(rows, K) & online
    label = rng.integers(0, CLASSES, rows)
    phi = difficulty + member + rng.normal(0, 1, rows)
    references = difficulty[:, None] + inside + rng.normal(0, 1, (rows, K))
    logits = _logits(phi, label)
    return Signals(
        config_pb2.MULTICLASS,
        rng.integers(0, 2**63, (rows, 2)).astype(np.uint64),
        member,
        label=label,
        logits=logits,
        loss=np.logaddexp(0, -phi).astype(np.float32),
        references=ReferenceSignals(
            inside=inside,
            loss=np.logaddexp(0, -references).astype(np.float32),
            logit=references[:, :, None].astype(np.float32),
            target_logit=phi[:, None].astype(np.float32),
        ),
    ).sorted_by_id()


def _shadow_rows() -> Signals:
    """Of the last class too few for a model of its own."""
    rng = np.random.default_rng(9)
    per_class = (400, 300, 2 * FEWEST_ROWS_A_SIDE - 4)
    label = np.repeat(np.arange(CLASSES), per_class)
    member = np.arange(len(label)) % 2 == 0
    phi = rng.normal(0, 2, len(label)) + member
    return Signals(
        config_pb2.MULTICLASS,
        rng.integers(0, 2**63, (len(label), 2)).astype(np.uint64),
        member,
        label=label,
        logits=_logits(phi, label),
        loss=np.logaddexp(0, -phi).astype(np.float32),
    )


def _observed(rows: int) -> results_pb2.ReferenceResults:
    """Of a made-up pool, as many records as are evaluated."""
    ids = np.random.default_rng(4).integers(0, 2**63, (rows, 2)).astype(np.uint64)
    halves = [IdSet.of(ids[: rows // 3]), IdSet.of(ids[rows // 3 :])]
    sets = [{"records": one.records, "digest": one.digest} for one in halves]
    whole = halves[0] + halves[1]
    trained = references_pb2.ReferenceModels(
        config=references_pb2.ReferenceModelsConfig(models=K, online={}),
        pool={"records": whole.records, "digest": whole.digest},
        models=[
            references_pb2.ReferenceModel(
                index=index, trained_on=sets[index % 2], held_out=sets[1 - index % 2]
            )
            for index in range(K)
        ],
    )
    return results_pb2.ReferenceResults(
        uri="/references",
        trained=trained,
        queries=1,
        online=True,
        records_inside=rows,
        records=rows,
        losses=[
            results_pb2.ReferenceModelLosses(
                index=one.index, inside=one.trained_on.records, outside=one.held_out.records
            )
            for one in trained.models
        ],
        difference={"records": rows, "p_value": 1.0},
        notes=["observed"],
    )


class Measured:
    """A measurement of made-up rows by the parts of a real one."""

    def __init__(self, *, online: bool = True, shadow: Signals | None = None, **spec: object):
        self.config = resolve_config(config_pb2.PrivacyConfig(attacks=ATTACKS, references=spec))
        self.judge = _world(4_000, seed=2, online=online)
        fit = _world(2_000, seed=1, online=online)
        self.known = KnownRows(fit, fit)
        seed = self.config.seed
        asked = with_references(resolve_attacks(ATTACKS), self.config, shadow, seed)
        self.attacks, self.skipped = runnable_attacks(asked, self.known, self.known, seed)
        self.suite = fit_suite(self.attacks, self.known, seed)
        self.scores = self.suite.score(self.judge)
        counted = ScoredRows(self.judge, Role.JUDGE, self.scores, {}, None)
        self.tallies = {ShadowTally.name: dict(ShadowTally().count(counted))}

    def references(
        self, judged: Signals | None = None, vocabulary: tuple[str, ...] = ("cat", "dog")
    ) -> results_pb2.ReferenceResults:
        """What is told, with curves of so many of the JUDGE rows."""
        attacked = Attacked(
            attacks=self.attacks,
            suite=self.suite,
            skipped=self.skipped,
            known=self.known,
            judged=self.judge if judged is None else judged,
            tallies=self.tallies,
        )
        return complete_references(_observed(6_000), attacked, vocabulary, self.config)

    def results(
        self, references: results_pb2.ReferenceResults
    ) -> tuple[results_pb2.PrivacyResults, Evidence]:
        """Whole results around it."""
        chosen = choose_on_fit(self.attacks, self.suite, self.known, self.config.seed)
        evidence = Evidence(
            edges=chosen.edges,
            counts={
                (name, WHOLE): count_scores(of_row, self.judge.member, chosen.edges[name])
                for name, of_row in self.scores.items()
            },
        )
        of_side = {"members": 2_000, "nonmembers": 2_000}
        fit = {"members": 1_000, "nonmembers": 1_000}
        read = {"members": 3_000, "nonmembers": 3_000}
        results = assemble_results(
            model=results_pb2.TargetModel(uri="m", task=config_pb2.MULTICLASS),
            config=self.config,
            records=results_pb2.Records(read=read, fit=fit, judge=of_side),
            evidence=evidence,
            best_attack=chosen.best_attack,
            skipped=self.skipped,
            blind=FittedBlindBaseline(not_run="made up"),
            halved=HalvedNonmembers({}, "made up", "made up"),
            exact={},
        )
        results.record_risk.not_computed = "made up"
        results.explanation.not_computed = "made up"
        results.references.CopyFrom(references)
        return results, evidence


@pytest.fixture(scope="module")
def online() -> Measured:
    return Measured(shadow=_shadow_rows(), rmia_gamma=1.5)


def test_what_was_observed_is_kept_and_the_verdict_lets_it_through(online) -> None:
    told = online.references()
    assert told.uri == "/references"
    assert told.notes[:] == ["observed"]
    assert [curve.attack for curve in told.curves] == [
        "lira_online_fixed_variance",
        "rmia_online",
        "rmia_offline",
    ]
    assert (told.curve_rows.members, told.curve_rows.nonmembers) == (2_000, 2_000)
    check_consistent(*online.results(told))


def test_a_curve_on_all_rows_ends_with_the_attack_itself(online) -> None:
    told = online.references()
    results, _ = online.results(told)
    own = {attack.name: attack for attack in results.attacks}
    for curve in told.curves:
        values = {str(one.metric): one.value for one in own[curve.attack].metrics}
        for one in curve.points[-1].metrics:
            assert one.value == values[str(one.metric)]


def test_a_curve_on_some_of_the_rows_is_let_through(online) -> None:
    some = online.judge.take(np.arange(len(online.judge)) % 3 == 0)
    told = online.references(some)
    assert told.curve_rows.members == int(some.member.sum())
    check_consistent(*online.results(told))


def test_rmias_parameters_are_those_used(online) -> None:
    told = online.references()
    assert told.rmia_gamma == 1.5
    offline = online.suite.attacks["rmia_offline"]
    assert told.rmia_offline_a == offline.offline_a
    given = Measured(rmia_offline_a=0.6)
    told = given.references()
    assert (told.rmia_gamma, told.rmia_offline_a) == (2.0, 0.6)
    check_consistent(*given.results(told))


def test_shokris_attack_class_by_class(online) -> None:
    shadow = online.references().shadow
    rows = 796
    assert (shadow.attack_set.members, shadow.attack_set.nonmembers) == (rows / 2, rows / 2)
    assert (shadow.classes, shadow.classes_shared) == (2, 1)
    assert [one.label for one in shadow.by_class] == ["cat", "dog", "2"]
    called = online.scores["shadow_models"] > 0
    member, label = online.judge.member, online.judge.label
    for one, rows_of in [
        (shadow, np.ones(len(label), bool)),
        *((one, label == number) for number, one in enumerate(shadow.by_class)),
    ]:
        tpr, fpr = (called[side & rows_of].mean() for side in (member, ~member))
        assert one.recall.estimate == pytest.approx(tpr)
        assert one.precision.estimate == pytest.approx(tpr / (tpr + fpr))
        assert one.precision.members == int((member & rows_of).sum())
    # Members are N(1, 5) and others N(0, 5): well above a half, far from 1.
    assert 0.5 < shadow.precision.lower < shadow.precision.upper < 0.75


def test_attacks_that_did_not_run_are_told_with_the_reason() -> None:
    """With models trained on other records, and nothing for Shokri's attack to learn from."""
    offline = Measured(online=False)
    told = offline.references()
    assert [curve.attack for curve in told.curves] == ["rmia_offline"]
    assert not told.HasField("shadow")
    observed, models_inside, nothing_learned = told.notes
    assert observed == "observed"
    assert models_inside.startswith(
        "The attacks lira_online_fixed_variance, rmia_online did not run: each needs reference "
        "models that were trained on the evaluated records"
    )
    assert nothing_learned.startswith("The attack shadow_models did not run: it needs the answers")


def test_a_reason_that_tells_of_the_attacker_has_a_subject(online) -> None:
    hidden = "its attacker does not see references, which the attack needs"
    for names in (["attack_r@weak"], ["attack_r@weak", "rmia_online@weak"]):
        online.skipped = dict.fromkeys(names, hidden)
        told = online.references().notes[-1]
        assert told.endswith(f"{', '.join(names)} did not run: {hidden}")
    online.skipped = {}


def test_without_judged_rows_of_a_side_there_is_no_curve_and_it_is_let_through(online) -> None:
    told = online.references(online.judge.take(online.judge.member))
    assert not told.curves
    assert not told.HasField("curve_rows")
    check_consistent(*online.results(told))
