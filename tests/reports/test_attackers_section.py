"""The comparison of attackers; expected texts are written by hand."""

from __future__ import annotations

import pytest

from tfx_privacy.attacks.attacker import SIGNALS
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.attackers_section import attackers_section
from tfx_privacy.reports.attacks_table import attack_details, attack_rows
from tfx_privacy.reports.page import metrics_page

# By attack, how much of the leak is seen: by the full attacker, and by those that know less.
STRENGTHS = {
    "loss_threshold": 1.0,
    "network": 1.1,
    "loss_threshold@tenth": 1.0,
    "network@tenth": 0.7,
    "loss_threshold@loss-only": 1.0,
}


@pytest.fixture(scope="module")
def run(make):
    run = make(leak=1.0, members=2000, nonmembers=1000, strengths=STRENGTHS)
    config = run.results.config
    config.attacks[:] = ["loss_threshold", "network"]
    attacks = ["loss_threshold", "network"]
    config.attackers.add(name="tenth", members_known=0.1, signals=SIGNALS, attacks=attacks)
    config.attackers.add(name="loss-only", members_known=0.5, signals=["loss"], attacks=attacks)
    return run


def _copy(run):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(run.results)
    return results


def test_groups_say_what_each_attacker_knows(run):
    section = attackers_section(run.results)
    # 1,000 members were fitted on.
    assert [(group.name, group.known, group.sees) for group in section.groups] == [
        ("", "100% (1,000)", "everything"),
        ("tenth", "10% (100)", "everything"),
        ("loss-only", "50% (500)", "loss"),
    ]
    rows = [[name for name, _ in group.rows] for group in section.groups]
    assert rows == [
        ["loss_threshold", "network"],
        ["loss_threshold", "network"],
        ["loss_threshold"],
    ]
    titles = [measure.title for measure in section.measures]
    assert titles == ["AUC", "TPR at 10% FPR", "TPR at 1% FPR", "TPR at 0.1% FPR"]


def test_values_are_those_of_the_results(run):
    section = attackers_section(run.results)
    attack = next(one for one in run.results.attacks if one.name == "network@tenth")
    auc = attack.metrics[0].value
    name, values = section.groups[1].rows[1]
    assert name == "network"
    assert values[0].estimate == f"{auc.estimate:.3f}"
    assert values[0].interval == f"{auc.lower:.3f} to {auc.upper:.3f}"


def test_the_figure_has_a_line_for_each_attack(run):
    section = attackers_section(run.results)
    texts = [entry.text for entry in section.legend]
    assert texts == ["loss_threshold", "network", "guessing (chance)"]
    assert section.not_drawn == 0
    for share in ("10%", "50%", "100%"):
        assert f">{share}<" in section.plot
    assert "2 attacks by the share of members" in section.plot


def test_what_no_attacker_varies_has_no_figure(run):
    results = _copy(run)
    del results.config.attackers[0]
    results.config.attackers[0].members_known = 1.0
    section = attackers_section(results)
    assert section.plot is None
    assert len(section.groups) == 2


def test_attacks_that_hang_on_what_is_known_are_drawn_first(make):
    names = [f"attack_{index}" for index in range(10)]
    falling = {name: 1.0 - 0.05 * index for index, name in enumerate(names)}
    strengths = dict.fromkeys(names, 1.0) | {f"{name}@weak": falling[name] for name in names}
    run = make(leak=1.0, members=4000, nonmembers=2000, strengths=strengths, seed=5)
    run.results.config.attacks[:] = names
    run.results.config.attackers.add(name="weak", members_known=0.5, signals=SIGNALS, attacks=names)
    section = attackers_section(run.results)
    assert section.not_drawn == 2
    drawn = [entry.text for entry in section.legend][:-1]
    # The best, whose line is drawn whatever it does, and those that fall most.
    assert set(drawn) >= {run.results.best_attack.partition("@")[0], *names[5:]}
    assert drawn == [name for name in names if name in drawn]


def test_nothing_without_attackers_or_where_none_could_run(run, leaky):
    assert attackers_section(leaky.results) is None
    results = _copy(run)
    kept = [attack for attack in results.attacks if "@" not in attack.name]
    del results.attacks[:]
    results.attacks.extend(kept)
    assert attackers_section(results) is None


def test_a_missing_auc_is_no_obstacle(run):
    results = _copy(run)
    for attack in results.attacks:
        del attack.metrics[0]
    section = attackers_section(results)
    assert section.plot is None
    assert section.measures[0].title == "TPR at 10% FPR"


def test_the_table_of_attacks_is_of_who_knows_most(run):
    assert [row.name for row in attack_rows(run.results)] == ["loss_threshold", "network"]
    results = _copy(run)
    results.best_attack = "network@tenth"
    rows = attack_rows(results)
    assert [row.name for row in rows] == ["loss_threshold", "network", "network@tenth"]
    assert rows[2].description.endswith("small neural network. By the attacker tenth.")


def test_exact_values_stand_among_the_details(run):
    results = _copy(run)
    assert attack_details(results, run.evidence)[0].exact_auc == ""
    results.attacks[0].exact.CopyFrom(
        results_pb2.ExactValues(auc=0.7612345, max_advantage=0.4, max_ppv=1.0)
    )
    detail = attack_details(results, run.evidence)[0]
    assert (detail.exact_auc, detail.exact_advantage, detail.exact_precision) == (
        "0.761235",
        "0.400000",
        "1.000000",
    )


def test_the_page_shows_all_of_it(run):
    results = _copy(run)
    results.attacks[1].exact.auc = 0.71
    page = metrics_page(results, run.evidence)
    assert "members known: 10% (100); sees everything" in page
    assert "bounds corrected for having tried 5, those of attackers that know less" in page
    assert ">0.710000<" in page
    assert page == metrics_page(results, run.evidence)


def test_hostile_names_are_text(run):
    results = _copy(run)
    results.config.attackers[0].name = "<b>\u202e"
    for attack in results.attacks:
        attack.name = attack.name.replace("@tenth", "@<b>\u202e")
    page = metrics_page(results, run.evidence)
    assert "<b>" not in page
    assert "&lt;b&gt;\ufffd" in page
