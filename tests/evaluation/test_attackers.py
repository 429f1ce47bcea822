"""Attackers that know less, from the configuration to results, and a suite of all of them."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from tfx_privacy.attacks.attacker import SIGNALS, LimitedAttacker
from tfx_privacy.evaluation.accounted_controls import require_controls
from tfx_privacy.evaluation.config import recorded_inputs, resolve_config
from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent, read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.evaluation.suite import (
    FittedSuite,
    KnownRows,
    attacks_of,
    choose_on_fit,
    fit_suite,
    runnable_attacks,
    unlimited,
)
from tfx_privacy.evaluation.thresholds import resolve_gate_thresholds
from tfx_privacy.metrics.counts import WHOLE
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.losses import losses
from tfx_privacy.verdict.judge import judge


def _resolve(*attackers: dict, **config: object) -> config_pb2.PrivacyConfig:
    return resolve_config(config_pb2.PrivacyConfig(attackers=attackers, **config))


def test_defaults_are_everything_and_the_attacks_of_the_configuration() -> None:
    (attacker,) = _resolve({"name": "weak"}, attacks=["entropy", "network"]).attackers
    assert attacker.members_known == 1.0
    assert tuple(attacker.signals) == SIGNALS
    assert list(attacker.attacks) == ["entropy", "network"]


def test_what_is_set_is_kept_and_sets_of_attacks_are_resolved() -> None:
    given = {
        "name": "a-B_9",
        "members_known": 0.1,
        "signals": ["label", "loss"],
        "attacks": ["population", "fast"],
    }
    resolved = _resolve(given)
    (attacker,) = resolved.attackers
    assert attacker.members_known == 0.1
    assert list(attacker.signals) == ["loss", "label"]
    assert list(attacker.attacks)[:2] == ["population", "loss_threshold"]
    assert len(attacker.attacks) == 7
    assert resolve_config(resolved) == resolved


@pytest.mark.parametrize(
    ("attackers", "words"),
    [
        ([{}], r"attackers\[0\]\.name is ''; expected letters"),
        ([{"name": "a"}, {"name": "b@c"}], r"attackers\[1\]\.name is 'b@c'; expected letters"),
        ([{"name": "../x"}], r"name is '\.\./x'"),
        ([{"name": "ä"}], "name is 'ä'"),
        ([{"name": "a"}, {"name": "a"}], "attackers name 'a' more than once"),
        ([{"name": "a", "members_known": 0.0}], r"members_known is 0\.0; expected a share"),
        ([{"name": "a", "members_known": 1.5}], r"members_known is 1\.5"),
        ([{"name": "a", "members_known": float("nan")}], "members_known is nan"),
        ([{"name": "a", "signals": ["gradients"]}], "names 'gradients'; expected some of logits"),
        ([{"name": "a", "signals": ["loss", "loss"]}], "'loss' more than once"),
        ([{"name": "a", "attacks": ["lira"]}], r"attackers\[0\]\.attacks: found 'lira'"),
    ],
)
def test_wrong_attackers_are_named(attackers: list[dict], words: str) -> None:
    with pytest.raises(InputError, match=words):
        _resolve(*attackers)


def test_inputs_are_recorded_where_an_attacker_s_attack_looks_at_them() -> None:
    def recorded(*attackers: dict, **config: object) -> config_pb2.InputSpec | None:
        skipped = ["BLIND_BASELINE"]
        return recorded_inputs(_resolve(*attackers, skip_controls=skipped, **config))

    assert recorded() is None
    assert recorded(attacks=["quantile_regression"]) is not None
    assert recorded({"name": "a", "attacks": ["quantile_regression"]}) is not None


def test_every_attack_of_a_configuration() -> None:
    config = _resolve(
        {"name": "few", "members_known": 0.1},
        {"name": "loss", "signals": ["loss"], "attacks": ["population"]},
        attacks=["entropy", "network"],
    )
    attacks = attacks_of(config)
    assert [attack.name for attack in attacks] == [
        "entropy",
        "network",
        "entropy@few",
        "network@few",
        "population@loss",
    ]
    few, loss = attacks[3:]
    assert isinstance(few, LimitedAttacker)
    assert isinstance(loss, LimitedAttacker)
    assert (few.members_known, loss.signals) == (0.1, ("loss",))
    assert [attack.name for attack in unlimited(attacks)] == ["entropy", "network", "population"]


def test_required_attacks_may_be_an_attacker_s() -> None:
    required = ["network@weak", "standard@weak", "network"]
    resolved = resolve_gate_thresholds(
        thresholds_pb2.PrivacyThresholds(required_attacks=required)
    ).required_attacks
    fast = ("loss_threshold", "confidence", "entropy", "modified_entropy", "correctness")
    others = (*fast, "logistic_regression")
    assert list(resolved) == ["network@weak", *(f"{name}@weak" for name in others), "network"]
    with pytest.raises(InputError, match="required_attacks: found 'lira'"):
        resolve_gate_thresholds(thresholds_pb2.PrivacyThresholds(required_attacks=["lira@weak"]))


def _rows(number: int, seed: int, leak: float = 1.0) -> Signals:
    rng = np.random.default_rng(seed)
    member = rng.random(number) < 0.5
    label = rng.integers(0, 4, number)
    logits = rng.normal(size=(number, 4)).astype(np.float32)
    logits[np.arange(number), label] += 1 + leak * member
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=rng.integers(0, 2**64, (number, 2), dtype=np.uint64),
        member=member,
        label=label,
        logits=logits,
        loss=losses(config_pb2.MULTICLASS, logits, label),
    ).sorted_by_id()


@pytest.fixture(scope="module")
def limited_suite():
    config = _resolve(
        {"name": "few", "members_known": 0.05},
        {"name": "loss", "signals": ["loss"]},
        attacks=["loss_threshold", "logistic_regression", "quantile_regression"],
    )
    rows = _rows(600, 1)
    known = KnownRows(rows, rows)
    attacks, reasons = runnable_attacks(attacks_of(config), known, known, config.seed)
    return attacks, reasons, known, fit_suite(attacks, known, config.seed)


def test_who_cannot_run_is_told_why(limited_suite) -> None:
    attacks, reasons, *_ = limited_suite
    assert [attack.name for attack in attacks] == [
        "loss_threshold",
        "logistic_regression",
        "loss_threshold@few",
        "logistic_regression@few",
        "loss_threshold@loss",
    ]
    nothing = "needs input features, and none were kept"
    assert reasons.pop("logistic_regression@loss") == (
        "its attacker does not see logits, label, which the attack needs"
    )
    assert set(reasons) == {f"quantile_regression{who}" for who in ("", "@few", "@loss")}
    assert all(reason.startswith(nothing) for reason in reasons.values())


def test_too_few_known_members_are_a_stated_omission() -> None:
    config = _resolve({"name": "few", "members_known": 0.01}, attacks=["fast"])
    known = KnownRows(_rows(600, 1), _rows(600, 1))
    judged = KnownRows(known.rows, known.wide, called="JUDGE")
    members = int(known.rows.member.sum())
    _, reasons = runnable_attacks(attacks_of(config), known, judged, config.seed)
    assert reasons == {
        "logistic_regression@few": "needs at least 10 members and 10 non-members in FIT and in "
        f"JUDGE; found {-(-members // 100)} and {600 - members} in FIT, {-(-members // 100)} and "
        f"{600 - members} in JUDGE"
    }


def test_a_suite_of_limited_attackers_goes_through_bytes(limited_suite) -> None:
    *_, suite = limited_suite
    judged = _rows(300, 2)
    content = suite.to_bytes()
    again = FittedSuite.from_bytes(content)
    assert content == suite.to_bytes()
    assert b"pickle" not in content
    assert list(again.attacks) == list(suite.attacks)
    expected = suite.score(judged)
    for name, scores in again.score(judged).items():
        np.testing.assert_array_equal(scores, expected[name])


def test_an_attacker_decides_by_the_rows_it_knows(limited_suite) -> None:
    attacks, _, known, suite = limited_suite
    chosen = choose_on_fit(attacks, suite, known, seed=0)
    full, few = chosen.edges["loss_threshold"], chosen.edges["loss_threshold@few"]
    np.testing.assert_array_equal(few.edges, full.edges)
    # By hand: the bin at which TPR - FPR is largest among 15 or so members and all others.
    attack = next(attack for attack in attacks if attack.name == "loss_threshold@few")
    told = attack.known_rows(known.rows, 0)
    scores, member = -known.rows.loss[told].astype(np.float64), known.rows.member[told]
    gains = [
        (scores[member] >= edge).mean() - (scores[~member] >= edge).mean() for edge in few.edges
    ]
    assert gains[few.thresholds.member - 1] == pytest.approx(max(gains))
    assert few.thresholds != full.thresholds
    # The best is chosen by all rows, so no lucky few make an attacker the best.
    assert chosen.best_attack in {"loss_threshold", "logistic_regression"}
    assert len(chosen.best_scores) == 600


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metrics of a model that is sure of some inputs, by everything and two attackers more."""
    folder = tmp_path_factory.mktemp("attackers")
    for seed, (side, leak) in enumerate((("members", 1.5), ("nonmembers", 0.0))):
        rng = np.random.default_rng(seed)
        label, easy = rng.integers(0, 3, 1500), rng.normal(size=1500)
        logits = rng.normal(size=(1500, 3))
        logits[np.arange(1500), label] += 2 + 3 * easy + leak
        np.savez(
            folder / f"{side}.npz",
            label=label,
            logits=logits.astype(np.float32),
            easy=easy.astype(np.float32),
            noise=rng.normal(size=1500).astype(np.float32),
        )
    config = config_pb2.PrivacyConfig(
        attacks=["thorough"],
        attackers=[
            {"name": "tenth", "members_known": 0.1, "attacks": ["logistic_regression"]},
            {"name": "loss", "signals": ["loss"], "attacks": ["population", "confidence"]},
        ],
    )
    with whole_output(str(folder / "metrics")) as outputs:
        measure(
            str(folder / "members.npz"),
            str(folder / "nonmembers.npz"),
            config,
            outputs,
            beam.Pipeline,
        )
    return folder / "metrics"


@pytest.fixture(scope="module")
def content(measured: Path) -> PrivacyMetricsContent:
    return read_metrics(str(measured))


def test_all_ran_or_are_skipped_with_a_reason(content: PrivacyMetricsContent) -> None:
    results = content.results
    ran = [attack.name for attack in results.attacks]
    assert ran == [*results.config.attacks, "logistic_regression@tenth", "population@loss"]
    assert [(skipped.name, skipped.reason) for skipped in results.skipped_attacks] == [
        ("confidence@loss", "its attacker does not see logits, label, which the attack needs")
    ]
    assert results.best_attack == "quantile_regression"


def test_the_controls_ran_each_attack_once(content: PrivacyMetricsContent) -> None:
    results = content.results
    assert [attack.name for attack in results.controls.negative.attacks] == list(
        results.config.attacks
    )
    require_controls(results)


def test_the_gate_judges_limited_attackers_too(content: PrivacyMetricsContent) -> None:
    thresholds = thresholds_pb2.PrivacyThresholds(
        required_attacks=["population@loss", "confidence@loss"]
    )
    verdict = judge(content.results, content.evidence, resolve_gate_thresholds(thresholds))
    said = " ".join(verdict.reasons)
    assert "confidence@loss" in said
    assert "does not see logits, label" in said
    assert "population@loss" not in said


def test_exact_values_are_those_of_the_scores(
    measured: Path, content: PrivacyMetricsContent
) -> None:
    """Outside reference: scikit-learn's AUC of the scores; the counts within their resolution."""
    table = pq.read_table(measured / "record_risk").to_pandas()
    judged = table[table["part"] == "JUDGE"]
    results = content.results
    for attack in results.attacks:
        exact = attack.exact
        expected = roc_auc_score(judged["member"], judged[f"score:{attack.name}"])
        assert exact.auc == pytest.approx(expected, abs=1e-12)
        auc = next(m for m in attack.metrics if m.metric.name == "auc").value
        assert abs(exact.auc - auc.estimate) <= attack.resolution + 1e-12
        advantage = next(m for m in attack.metrics if m.metric.name == "advantage")
        assert exact.max_advantage >= advantage.max_in_sample - 1e-12
        assert exact.rows == results.records.judge
        assert 0.5 <= exact.max_ppv <= 1.0


def test_an_attacker_s_counts_are_in_the_evidence(content: PrivacyMetricsContent) -> None:
    judged = content.results.records.judge
    for name in ("logistic_regression@tenth", "population@loss"):
        counts = content.evidence.counts[name, WHOLE]
        assert (counts.n_members, counts.n_nonmembers) == (judged.members, judged.nonmembers)


def test_the_page_compares_the_attackers(measured: Path) -> None:
    page = (measured / "report.html").read_text()
    assert "What the attacker knows" in page
    assert "members known: 10% (" in page
    assert "sees loss" in page
