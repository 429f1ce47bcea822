"""What is said of attacks with reference models beside the best without: no more than shown."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.reference_comparison import comparison_of
from tfx_privacy.reports.reference_words import comparison_sentences, one_line


def test_higher_is_said_where_intervals_do_not_overlap(maker):
    assert comparison_sentences(maker.results()) == [
        "Reference models let the attacker see more: rmia_online has an AUC of 0.811 (95% "
        "interval: 0.801 to 0.821), loss_threshold, the best black-box attack without them, 0.760 "
        "(0.750 to 0.770). TPR at 1% FPR is 13.9% (11.9% to 15.9%) against 2.1% (0.1% to 4.1%): "
        "higher with them.",
        "rmia_online was best of all attacks on FIT. loss_threshold is the best without by the "
        "judged records themselves, which flatters it a little.",
    ]


def test_an_overlap_shows_nothing(maker):
    results = maker.results(
        [("loss_threshold", 0.76, 0.02), ("rmia_online", 0.775, 0.032)], best="loss_threshold"
    )
    lead, how = comparison_sentences(results)
    assert lead.startswith("It is not shown that reference models let the attacker see more: rmia")
    assert lead.endswith("TPR at 1% FPR is 3.2% (1.2% to 5.2%) against 2.0% (0.0% to 4.0%): "
                         "the intervals overlap.")  # fmt: skip
    assert how.startswith("loss_threshold was best on FIT. rmia_online is the best with reference")
    assert how.endswith("both scored the same records, and luck with these moves both.")


def test_worse_says_nothing_of_the_targets_safety(maker):
    results = maker.results(
        [("loss_threshold", 0.76, 0.02), ("lira_online", 0.69, 0.02)], best="loss_threshold"
    )
    (lead, _) = comparison_sentences(results)
    assert lead.startswith("Attacks with these reference models see less than the best without: ")
    assert "serve attacks badly" in lead
    assert "nothing of the target's safety" in lead


def test_without_an_attack_with_references(maker):
    results = maker.results([("loss_threshold", 0.76, 0.02)], best="loss_threshold")
    (said,) = comparison_sentences(results)
    assert said.startswith("No attack that learns from reference models ran")
    assert one_line(results) == "16 reference models: no attack with them ran."


def test_without_an_attack_to_compare_with(maker):
    results = maker.results([("rmia_online", 0.8, 0.1)])
    (said,) = comparison_sentences(results)
    assert "no black-box attack without reference models ran" in said
    assert one_line(results) == (
        "With 16 reference models: rmia_online; no black-box attack without them ran."
    )


def test_attacks_that_look_inside_or_know_less_are_not_compared(maker):
    results = maker.results(
        [
            ("loss_threshold", 0.76, 0.02),
            ("gradient_norm", 0.9, 0.3),
            ("rmia_online", 0.8, 0.1),
            ("rmia_online@weak", 0.95, 0.1),
            ("loss_threshold@weak", 0.99, 0.1),
        ],
        best="gradient_norm",
    )
    compared = comparison_of(results)
    assert compared.with_references.name == "rmia_online"
    assert compared.without.name == "loss_threshold"
    assert [one.name for one in compared.attacks] == ["rmia_online"]
    assert "Each is the best of its kind by the judged" in comparison_sentences(results)[1]


def test_the_best_black_box_attack_of_fit_is_taken_where_it_is_told(maker):
    results = maker.results()
    results.white_box.best_black_box = "confidence"
    compared = comparison_of(results)
    assert (compared.without.name, compared.without_is_of_fit) == ("confidence", True)
    assert comparison_sentences(results)[1].startswith("Both were chosen on FIT")


def test_the_line_for_a_terminal(maker):
    assert one_line(maker.results()) == (
        "With 16 reference models: rmia_online beside loss_threshold, the best without: AUC 0.811 "
        "(0.801 to 0.821) against 0.760 (0.750 to 0.770); TPR at 1% FPR 13.9% (11.9% to 15.9%) "
        "against 2.1% (0.1% to 4.1%). From 8 to 16 of them the TPR at 1% FPR of rmia_online "
        "changed by +1.9 points (+0.8 to +3.0)."
    )
    assert one_line(results_pb2.PrivacyResults()) == ""


def test_without_auc_the_rate_nearest_one_percent_is_spoken_of(maker):
    results = maker.results()
    for one in results.attacks:
        del one.metrics[0]
    assert [one.metric.name for one in comparison_of(results).metrics] == ["tpr_at_fpr"]
    assert "has a TPR at 1% FPR of 13.9%" in comparison_sentences(results)[0]


@pytest.mark.parametrize("best", ["rmia_online", "loss_threshold", "", "network@weak"])
def test_no_claim_contradicts_its_numbers(best, maker):
    for area in (0.6, 0.745, 0.76, 0.775, 0.9):
        results = maker.results(
            [("loss_threshold", 0.76, 0.02), ("rmia_online", area, 0.02)], best=best
        )
        lead = comparison_sentences(results)[0]
        assert lead.startswith("Reference models let") == (area - 0.01 > 0.77)
        assert ("see less than the best" in lead) == (area + 0.01 < 0.75)
