"""Attackers that know less: how many members, and what of each record."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.attacks.attacker import SIGNALS, LimitedAttacker
from tfx_privacy.attacks.attacker_name import attack_of, split_name
from tfx_privacy.attacks.confidence import Confidence
from tfx_privacy.attacks.entropy import Entropy
from tfx_privacy.attacks.logistic_regression import LogisticRegression
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.network import Network
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.attacks.quantile_regression import QuantileRegression
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.shadow_models import ShadowModels, learn_shadow_models
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

WHITE_BOX = ("gradient_norms", "gradient_sketches", "activations")
EVERYTHING = ("logits", "loss", "label", "entropy", "inputs", *WHITE_BOX)


def limited(base, share=1.0, signals=EVERYTHING):
    return LimitedAttacker(base, "weak", share, signals)


class _Spy(ThresholdAttack):
    """Writes down what it is given."""

    name = "spy"
    description = "Looks."
    needs = frozenset()
    tasks = frozenset({config_pb2.MULTICLASS})

    def __init__(self):
        self.__dict__["seen"] = []

    def fit(self, signals, seed):
        self.seen.append(signals)
        return self

    def formula(self, signals):
        self.seen.append(signals)
        return np.zeros(len(signals))


def test_names():
    assert attack_of("network", "weak") == "network@weak"
    assert attack_of("network", "") == "network"
    assert split_name("network@weak") == ("network", "weak")
    assert split_name("network") == ("network", "")
    assert limited(Network()).name == "network@weak"
    assert limited(Network()).description == Network.description


@pytest.mark.parametrize(("share", "known"), [(1.0, 100), (0.5, 50), (0.07, 7), (0.001, 1)])
def test_knows_a_share_of_the_members_and_all_others(leaky, share, known):
    signals = leaky(config_pb2.MULTICLASS, rows=400)
    signals = signals.take(
        np.sort(
            np.concatenate(
                [np.flatnonzero(side)[:100] for side in (signals.member, ~signals.member)]
            )
        )
    )
    spy = _Spy()
    limited(spy, share).fit(signals, seed=3)
    (seen,) = spy.seen
    assert (int(seen.member.sum()), int((~seen.member).sum())) == (known, 100)


def test_who_is_told_more_knows_what_others_know_in_any_order(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=500)
    masks = [limited(LossThreshold(), s).known_rows(signals, seed=1) for s in (0.1, 0.5, 1.0)]
    assert masks[2].all()
    assert not (masks[0] & ~masks[1]).any()
    order = np.random.default_rng(0).permutation(500)
    again = limited(LossThreshold(), 0.1).known_rows(signals.take(order), seed=1)
    np.testing.assert_array_equal(again, masks[0][order])
    other = limited(LossThreshold(), 0.1).known_rows(signals, seed=2)
    assert (other != masks[0]).any()


def test_sees_what_it_is_said_to_see_when_fitted_and_when_scoring(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=100)
    inputs = {"a": pa.array([[1.0]] * 100, pa.list_(pa.float32()))}
    signals = dataclasses.replace(signals, inputs=inputs)
    there = {
        ("loss",): {"loss"},
        ("logits",): {"logits"},
        ("label", "inputs"): {"label", "inputs"},
        # Who sees logits and label can reckon the loss.
        ("logits", "label"): {"logits", "label", "loss"},
        EVERYTHING: {"logits", "label", "loss", "inputs"},
    }
    for names, expected in there.items():
        spy = _Spy()
        limited(spy, signals=names).fit(signals, seed=0).score(signals)
        fitted_on, scored = spy.seen
        columns = {
            name
            for name in ("logits", "loss", "label", "entropy")
            if getattr(fitted_on, name) is not None
        }
        assert columns | ({"inputs"} if fitted_on.inputs else set()) == expected
        # Blocks have no inputs.
        assert {
            name for name in ("logits", "loss", "label") if getattr(scored, name) is not None
        } == expected - {"inputs"}


def test_sees_of_the_model_what_it_is_said_to_see(leaky, with_white_box):
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=100))
    for names in (("loss",), ("gradient_norms",), ("activations", "gradient_sketches"), WHITE_BOX):
        spy = _Spy()
        limited(spy, signals=names).fit(signals, seed=0).score(signals)
        for seen in spy.seen:
            assert {name for name in WHITE_BOX if getattr(seen, name)} == set(names) - {"loss"}
            # A gradient's norm tells nothing else.
            assert (seen.loss is None) == ("loss" not in names)
            assert seen.logits is None


def test_an_attack_by_it_is_of_what_both_see():
    (everything, norms) = resolve_attacks(["logistic_regression_white_box", "gradient_norm"])

    assert limited(everything).white_box_seen == set(WHITE_BOX)
    assert limited(everything, signals=("logits", "activations")).white_box_seen == {"activations"}
    assert limited(norms, signals=("loss", "activations")).white_box_seen == set()
    assert limited(Network()).white_box_seen == set()
    # It is fitted on the rows that the attack is fitted on, so that their AUC compare.
    assert limited(norms, signals=("loss",)).wide_columns == ("white_box",)
    assert limited(QuantileRegression(), signals=("loss",)).wide_columns == ("inputs",)
    assert limited(QuantileRegression()).sees_inputs
    assert not limited(norms).sees_inputs


def test_says_what_it_does_not_see_of_the_model(leaky, with_white_box):
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=20))
    (everything, norms) = resolve_attacks(["logistic_regression_white_box", "gradient_norm"])

    assert limited(norms, signals=("loss",)).cannot_run(signals) == (
        "its attacker does not see gradient_norms, which the attack needs"
    )
    answers = ("logits", "loss", "label")
    assert limited(everything, signals=answers).cannot_run(signals) == (
        "its attacker does not see gradient_norms, gradient_sketches, activations, one of which "
        "the attack needs"
    )
    some = limited(everything, signals=(*answers, "activations"))
    assert some.cannot_run(signals) is None
    scores = some.fit(signals, seed=0).score(signals)
    without = dataclasses.replace(signals, gradient_norms={}, gradient_sketches={})
    np.testing.assert_array_equal(everything.fit(without, seed=0).score(without), scores)


def test_who_sees_no_references_has_no_reference_models(leaky, with_references):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=60))
    answers = ("logits", "loss", "label")
    hidden = "its attacker does not see references, which the attack needs"

    for attack in resolve_attacks(["reference"])[:-1]:
        weak, strong = (limited(attack, signals=names) for names in (answers, SIGNALS))
        assert not weak.sees_references
        assert strong.sees_references
        # It is fitted on the rows that the attack is fitted on, so that their AUC compare.
        assert weak.wide_columns == strong.wide_columns == ("references",)
        assert weak.cannot_run(signals) == hidden
        assert "was given none" in weak.cannot_run(dataclasses.replace(signals, references=None))
        assert strong.cannot_run(signals) is None
        np.testing.assert_array_equal(
            strong.fit(signals, seed=0).score(signals), attack.fit(signals, seed=0).score(signals)
        )
    # Not even to learn from.
    shadow = ShadowModels(learn_shadow_models(signals, seed=0))
    assert limited(shadow, signals=answers).cannot_run(signals) == hidden
    assert limited(shadow, signals=("logits", "label", "references")).cannot_run(signals) is None
    spy = _Spy()
    limited(spy, signals=answers).fit(signals, seed=0)
    assert spy.seen[0].references is None


def test_who_sees_the_entropy_alone_is_given_that_of_the_logits(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=5000)
    expected = Entropy().score(signals)
    found = limited(Entropy(), signals=("entropy",)).fit(signals, 0).score(signals)
    # The same order; the entropy is a float32.
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), rtol=0, atol=1e-4)


def test_says_what_its_attacker_does_not_see(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=20)

    def reason(base, *names):
        return limited(base, signals=names).cannot_run(signals)

    assert reason(Confidence(), "loss", "label") == (
        "its attacker does not see logits, which the attack needs"
    )
    assert reason(Network(), "loss") == (
        "its attacker does not see logits, label, which the attack needs"
    )
    assert reason(Network(), "logits", "label") is None
    assert reason(Entropy(), "entropy") is None
    assert reason(Entropy(), "loss").startswith("its attacker does not see logits")
    # What nobody sees is no business of this attacker's.
    assert reason(QuantileRegression(), "loss").startswith("needs input features")
    without = dataclasses.replace(signals, logits=None)
    assert limited(Confidence(), signals=("loss",)).cannot_run(without) == (
        "needs logits, which the signals do not have"
    )


def test_who_knows_all_scores_as_the_attack_does(leaky):
    fit, judge = (leaky(config_pb2.MULTICLASS, rows=400, seed=s) for s in (1, 2))
    for base in (LossThreshold(), LogisticRegression()):
        expected = base.fit(fit, seed=5).score(judge)
        np.testing.assert_array_equal(limited(base).fit(fit, seed=5).score(judge), expected)


def test_who_knows_few_members_learns_less(leaky, auc):
    """A network told of 10 members finds less of a leak among 10 logits than one told of 500."""
    fit = leaky(config_pb2.MULTICLASS, rows=1600, seed=1, leak=0.7, columns=10)
    judge = leaky(config_pb2.MULTICLASS, rows=8000, seed=2, leak=0.7, columns=10)
    areas = [
        auc(limited(Network(), share).fit(fit, seed=0).score(judge), judge.member)
        for share in (0.01, 1.0)
    ]
    assert areas[0] < areas[1] - 0.01


def test_scores_out_of_fold_are_of_all_rows(leaky):
    fit = leaky(config_pb2.MULTICLASS, rows=300)
    scores = out_of_fold_scores(limited(LogisticRegression(), 0.2), fit, seed=0)
    assert scores.shape == (300,)
    assert np.isfinite(scores).all()


def test_after_saving_and_loading(leaky, tmp_path):
    fit, judge = (leaky(config_pb2.MULTICLASS, rows=200, seed=s) for s in (1, 2))
    before = limited(LogisticRegression(), 0.5, ("logits", "label")).fit(fit, seed=0)
    before.save(tmp_path)

    after = LimitedAttacker.load_described(LogisticRegression(), tmp_path)

    assert after.limited == before.limited
    np.testing.assert_array_equal(after.score(judge), before.score(judge))
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"attacker.json", "attack.json", "attack.npz"}
    with pytest.raises(ValueError, match=r"attacker\.json describes .*expected"):
        limited(LogisticRegression(), 0.4).load(tmp_path)
    with pytest.raises(ValueError, match=r"logistic_regression.*expected.*network"):
        LimitedAttacker.load_described(Network(), tmp_path)
