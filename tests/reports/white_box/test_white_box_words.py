"""What is said of black-box and white-box: honest where nothing was shown."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.white_box_words import (
    SIGNALS,
    finding_of,
    fitted_on_sentence,
    norms_sentence,
    one_line,
    sentences,
    signal_words,
)

AUC = config_pb2.MetricSpec(name="auc")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)


def _line(found):
    return one_line(results_pb2.PrivacyResults(white_box=found))


def test_more_is_said_with_its_interval(maker):
    found = maker.white_box(maker.difference(AUC, 0.619, 0.031, 0.021))
    assert sentences(found) == [
        "Who holds the model's parameters tells members from non-members better than who gets its "
        "answers alone: the AUC is higher by 0.031 (95% interval: 0.010 to 0.052), 0.650 instead "
        "of 0.619."
    ]
    assert _line(found) == (
        "With the model's parameters the AUC is higher by 0.031 (95% interval: 0.010 to 0.052), "
        "0.650 instead of 0.619."
    )


def test_an_interval_with_0_says_what_would_have_been_found(maker):
    found = maker.white_box(maker.difference(AUC, 0.6, 0.005, 0.015))
    # .015 is 1.96 standard errors; 80% of runs find what is 1.96 + .84 of them: .0214.
    assert sentences(found) == [
        "No difference could be shown between who holds the model's parameters and who gets its "
        "answers alone: the interval of the difference in AUC, -0.010 to +0.020, contains 0.",
        "That is not to say that there is none: this measurement would have found one of about "
        "0.021 in 80 of 100 runs, a smaller one less often, and attacks that did not run may make "
        "more of the parameters.",
    ]
    assert _line(found) == (
        "No difference between holding the model's parameters and getting its answers could be "
        "shown: AUC +0.005 (-0.010 to +0.020); one of about 0.021 would have been."
    )


def test_less_does_not_say_that_parameters_protect(maker):
    found = maker.white_box(maker.difference(AUC, 0.619, -0.031, 0.021))
    first, second = sentences(found)
    assert first == (
        "The white-box attacks that ran did worse than the best black-box attack: the AUC is lower "
        "by 0.031 (95% interval: 0.010 to 0.052), 0.588 instead of 0.619."
    )
    assert "made less of what they saw, not that the parameters protect" in second
    assert "can mount the black-box attack as well" in second
    assert _line(found).endswith("that does not say that parameters protect.")


@pytest.mark.parametrize(
    ("added", "opening"), [(0.031, "Also: the TPR"), (0.001, "By other metrics: the TPR")]
)
def test_other_metrics_are_named_where_they_differ(added, opening, maker):
    found = maker.white_box(
        maker.difference(AUC, 0.619, added, 0.021),
        maker.difference(TPR_1, 0.05, 0.021, 0.02),
        maker.difference(config_pb2.MetricSpec(name="advantage"), 0.2, 0.01, 0.02),
    )
    last = sentences(found)[-1]
    assert last.startswith(
        f"{opening} at 1% FPR is higher by 2.1 points (95% interval: 0.1 to 4.1)"
    )
    assert "advantage" not in last.lower()
    assert last.endswith(
        "Each of the 3 intervals stands for itself: where nothing differs, up to 5 in 100 exclude "
        "0 by luck."
    )


def test_without_the_auc_the_first_metric_is_spoken_of(maker):
    found = maker.white_box(maker.difference(TPR_1, 0.05, 0.001, 0.02))
    assert "the difference in TPR at 1% FPR, -1.9 to +2.1, contains 0" in sentences(found)[0]
    # 1.4294 times two points.
    assert "one of about 2.9 points in 80 of 100" in sentences(found)[1]


@pytest.mark.parametrize(
    ("added", "said"), [(0.03, "higher"), (-0.03, "lower"), (0.01, "no difference shown")]
)
def test_findings(added, said, maker):
    assert finding_of(maker.difference(AUC, 0.6, added, 0.02)) == said


def test_nothing_was_compared():
    found = results_pb2.WhiteBoxResults(not_computed="no attack ran")
    assert sentences(found) == []
    assert _line(found) == "Black-box and white-box were not compared: no attack ran."
    assert one_line(results_pb2.PrivacyResults()) == ""
    assert _line(results_pb2.WhiteBoxResults()) == ""


def test_medians_are_told_with_their_ratio_where_it_is_large(maker):
    whole = maker.norms("", apart=1.1)
    assert norms_sentence(whole) == (
        "Half of the members have a norm below 0.1, half of the non-members one below 1.26 (on "
        "FIT). The non-members' median is 13 times as large."
    )
    whole.median_nonmember = 0.04
    assert norms_sentence(whole).endswith("The members' median is 2.5 times as large.")
    for close in (0.12, 0.0):
        whole.median_nonmember = close
        assert norms_sentence(whole).endswith("(on FIT).")


def test_attacks_built_on_another_model():
    results = results_pb2.PrivacyResults()
    assert fitted_on_sentence(results) == ""
    results.fitted_on.fit.members, results.fitted_on.fit.nonmembers = 1_200, 800
    assert fitted_on_sentence(results) == (
        "The attacks were built on another model, of which the attacker knows 1,200 members and "
        "800 non-members, and were judged on this one. No record is in both."
    )
    results.fitted_on.shared.members, results.fitted_on.shared.nonmembers = 3, 4
    assert "7 records that both models' signals have were left out" in fitted_on_sentence(results)


def test_every_group_has_a_meaning_and_an_unknown_one_its_name():
    assert all(words.meaning.endswith(".") for words in SIGNALS.values())
    assert signal_words("weights").title == "weights"
