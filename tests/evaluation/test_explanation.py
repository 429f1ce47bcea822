"""What goes with the risk: counted, handed over, told; for every kind of target."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest

from tfx_privacy.evaluation.associations import associations
from tfx_privacy.evaluation.class_rows import class_rows, loss_unit
from tfx_privacy.evaluation.explanation import ClassTally, explanation_results
from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.evaluation.tally import ScoredRows
from tfx_privacy.metrics.class_statistics import ClassRows, sum_by_class
from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.explanation_words import class_sentences, one_line
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses
from tfx_privacy.signals.partition import Role
from tfx_privacy.signals.table import TableLayout
from tfx_privacy.verdict.explanation_consistency import check_explanation

ATTACK = "loss_threshold"


def _signals(task, member, label=None, logits=None, loss=None):
    member = np.array(member, np.bool_)
    ids = np.stack([np.arange(len(member)), np.arange(len(member))], axis=1).astype(np.uint64)
    logits = None if logits is None else np.array(logits, np.float32)
    label = None if label is None else np.array(label)
    if loss is None and label is not None and logits is not None:
        loss = losses(task, logits, label)
    loss = None if loss is None else np.array(loss, np.float32)
    return Signals(task, ids, member, label, logits, loss)


def _told(judge, *, fit=None, scores=None, vocabulary=()):
    """What results say of JUDGE rows; they went through bytes, in two batches."""
    fit = judge if fit is None else fit
    attack = "" if scores is None else ATTACK
    edges = np.unique(scores) if attack else np.empty(0)
    tally = ClassTally(attack, edges, loss_unit(fit))
    mask = np.arange(len(judge)) % 2 == 0
    parts = []
    for part in (mask, ~mask):
        rows = ScoredRows(
            judge.take(part), Role.JUDGE, {} if scores is None else {ATTACK: scores[part]}, {}, None
        )
        parts.append(tally.count(rows)["sums"])
        assert not tally.count(dataclasses.replace(rows, role=Role.FIT))
    totals = tally.from_bytes(tally.to_bytes({"sums": parts[0] + parts[1]}))
    members = int(judge.member.sum())
    results = results_pb2.PrivacyResults(
        config=config_pb2.PrivacyConfig(confidence=0.95),
        best_attack=attack,
        records=results_pb2.Records(
            judge=results_pb2.SideCounts(members=members, nonmembers=len(judge) - members)
        ),
    )
    evidence = Evidence({}, {})
    if attack:
        bins = np.searchsorted(edges, scores, side="right")
        counts = ScoreCounts(
            *(np.bincount(bins[judge.member == side], minlength=len(edges) + 1) for side in (1, 0))
        )
        cut = ScoreEdges(edges, Thresholds.all_at(1))
        evidence = Evidence({ATTACK: cut}, {(ATTACK, WHOLE): counts})
    layout = TableLayout(
        task=judge.task,
        output_kind=config_pb2.LOGITS,
        output_width=0,
        logits_source="",
        label_vocabulary=vocabulary,
        label_width=0,
        slice_features=(),
        input_features=(),
        has_label=judge.label is not None,
        has_logits=judge.logits is not None,
        has_loss=judge.loss is not None,
        has_units=False,
        has_weight=False,
    )
    nothing = fit.take(np.zeros(len(fit), np.bool_))
    selection = Selection(results.records, fit, nothing, nothing, nothing, nothing, nothing)
    told = explanation_results(layout, {"classes": totals}, selection, evidence, results)
    results.explanation.CopyFrom(told)
    check_explanation(results)
    return results.explanation


@pytest.fixture(scope="module")
def three_classes():
    """Logits of three classes, eight rows; members all right, others half right."""
    one = math.log(2)
    return _signals(
        config_pb2.MULTICLASS,
        member=[1, 1, 1, 1, 0, 0, 0, 0],
        label=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        logits=[
            [90, 0, 0], [one, 0, 0], [0, 90, 0], [0, one, 0],
            [90, 0, 0], [0, 0, 0], [90, 0, 0], [0, 0, 90],
        ],
    )  # fmt: skip


def test_a_classifier_by_hand(three_classes):
    scores = np.array([3.0, 2, 3, 2, 3, 1, 0, 0])
    told = _told(three_classes, scores=scores, vocabulary=("cat", "dog", "none"))
    whole = told.whole
    assert (whole.members.rows, whole.nonmembers.rows) == (4, 4)
    assert whole.members.accuracy.estimate == 1.0
    # Of equal logits the first is the answer: [0, 0, 0] is class 0, and right.
    assert whole.nonmembers.accuracy.estimate == 0.5
    assert whole.members.accuracy.lower == pytest.approx(0.025 ** (1 / 4))
    assert whole.gap.estimate == 0.5
    # Probabilities 1/2, 1/4, 1/4: 1.5 bits of log2(3) at most.
    half_sure = 1.5 / math.log2(3)
    assert whole.members.mean_uncertainty == pytest.approx(half_sure / 2, abs=1e-7)
    assert whole.nonmembers.mean_uncertainty == pytest.approx(1 / 4, abs=1e-7)
    assert whole.members.mean_loss == pytest.approx(math.log(2) / 2, abs=1e-7)
    assert list(told.uncertainty_edges) == pytest.approx([i / 20 for i in range(21)])
    assert (whole.members.right[0], whole.members.right[18]) == (2, 2)
    assert (whole.nonmembers.right[0], whole.nonmembers.right[19]) == (1, 1)
    assert whole.nonmembers.wrong[0] == 2
    # Members' scores 3, 2, 3, 2 against 3, 1, 0, 0: two ties of 3, twelve above, two below.
    assert whole.auc.estimate == pytest.approx(13 / 16)
    assert [group.class_name for group in told.classes] == ["cat", "dog"]
    assert [group.auc.estimate for group in told.classes] == [pytest.approx(2.5 / 4), 1.0]
    assert [group.gap.estimate for group in told.classes] == [0.0, 1.0]
    assert not told.associations


def test_spread_is_that_of_the_logits_where_no_inputs_are_kept(three_classes):
    logits, label = three_classes.logits.astype(np.float64), three_classes.label
    ratios = logits[label == 1].var(axis=0, ddof=1) / logits.var(axis=0, ddof=1)
    assert _told(three_classes).classes[1].spread == pytest.approx(math.sqrt(ratios.mean()))


def test_a_binary_model_with_one_logit():
    rows = _signals(
        config_pb2.BINARY, [1, 1, 0, 0], np.array([1, 0, 1, 0]), logits=[[5], [-5], [0], [0]]
    )
    told = _told(rows)
    # A logit of 0 is class 0.
    assert told.whole.nonmembers.accuracy.estimate == 0.5
    assert told.whole.nonmembers.mean_uncertainty == pytest.approx(1.0)
    assert [group.class_name for group in told.classes] == ["0", "1"]


def test_regression_has_no_classes_and_the_rise_of_the_loss():
    told = _told(
        _signals(
            config_pb2.REGRESSION,
            [1, 1, 0, 0],
            label=np.zeros((4, 1), np.float32),
            logits=[[1], [0], [3], [1]],
        )
    )
    # Squared errors 1, 0 and 9, 1.
    assert told.whole.gap.estimate == pytest.approx(4.5)
    assert told.whole.gap.lower < 0 < told.whole.gap.upper
    assert not told.whole.members.HasField("accuracy")
    assert not told.classes
    assert not told.uncertainty_edges
    assert told.whole.members.mean_uncertainty == 0.0


def test_multilabel_has_no_classes():
    rng = np.random.default_rng(0)
    told = _told(
        _signals(
            config_pb2.MULTILABEL,
            np.arange(20) < 10,
            label=rng.integers(0, 2, (20, 4)).astype(np.float32),
            logits=rng.normal(size=(20, 4)),
        )
    )
    assert not told.classes
    assert told.whole.HasField("gap")
    assert not told.whole.nonmembers.HasField("accuracy")


def test_the_loss_alone_has_neither_accuracy_nor_uncertainty():
    member = np.arange(40) < 20
    told = _told(
        _signals(
            config_pb2.MULTICLASS, member, label=np.arange(40) % 2, loss=np.where(member, 0.5, 2.0)
        )
    )
    assert (told.whole.gap.estimate, told.whole.members.mean_loss) == (1.5, 0.5)
    assert not told.whole.members.HasField("accuracy")
    assert not told.whole.members.right
    assert [group.nonmembers.mean_loss for group in told.classes] == [2.0, 2.0]


def test_without_labels_there_is_uncertainty_alone():
    told = _told(_signals(config_pb2.MULTICLASS, [1, 0], logits=[[0, 0, 0], [90, 0, 0]]))
    assert told.whole.members.mean_uncertainty == pytest.approx(1.0)
    assert not told.whole.HasField("gap")
    assert not told.classes
    assert not told.uncertainty_edges


def test_neither_logits_nor_loss_is_a_stated_omission():
    told = _told(_signals(config_pb2.MULTICLASS, [1, 0], label=np.array([0, 1])))
    assert told.not_computed == "needs logits or loss, which the signals do not have"


def test_of_many_classes_those_with_the_most_rows_are_listed_in_their_order():
    label = np.repeat(np.arange(300), 4)
    # Classes from 250 on have one row more.
    label = np.concatenate([label, np.arange(250, 300)])
    rng = np.random.default_rng(0)
    member = rng.permutation(len(label)) % 2 == 0
    told = _told(_signals(config_pb2.MULTICLASS, member, label=label, loss=rng.random(len(label))))
    assert [group.class_name for group in told.classes] == [
        str(number) for number in (*range(150), *range(250, 300))
    ]


def _random_groups(rng):
    """Ten classes alike: the model is right or wrong by luck, and so is the attack."""
    n = 1_200
    right = rng.random(n) < 0.6
    member = rng.random(n) < 0.5
    # The attack sees right answers, as all attacks do.
    score = np.clip(2 * right + rng.integers(0, 3, n), 0, 4)
    return sum_by_class(
        ClassRows(member, rng.integers(0, 10, n), None, right, rng.random(n), score), 5
    ).groups()


def test_luck_with_the_same_rows_makes_no_association():
    """On one set of rows gap and AUC of alike classes go together; on two sets they do not."""
    rng = np.random.default_rng(4)
    on_one, on_two = [], []
    for _ in range(60):
        judged, fit = _random_groups(rng), _random_groups(rng)
        for other, found in ((judged, on_one), (fit, on_two)):
            values = associations(judged, other, {}, 0.025, has_answers=True)
            found.append(
                next(value.estimate for name, value, _ in values if name == "accuracy gap")
            )
    assert np.mean(on_one) > 0.5
    # Sixty correlations over ten classes: a standard error of 0.043.
    assert abs(np.mean(on_two)) < 0.13


def test_properties_and_their_classes():
    rng = np.random.default_rng(5)
    judged, fit = _random_groups(rng), _random_groups(rng)
    del fit[3]
    found = associations(judged, fit, {0: 1.0, 1: 2.0, 2: 3.0}, 0.025, has_answers=True)
    # Three classes with a spread are too few.
    assert [(name, classes) for name, _, classes in found] == [
        ("accuracy gap", 9),
        ("class size", 10),
        ("test accuracy", 9),
        ("uncertainty of members", 9),
        ("uncertainty of non-members", 9),
    ]
    assert [name for name, *_ in associations(judged, fit, {}, 0.025, has_answers=False)] == [
        "class size"
    ]


def test_uncertainty_of_logits_so_far_apart_that_probabilities_saturate():
    rows = class_rows(
        _signals(config_pb2.MULTICLASS, [1], label=np.array([0]), logits=[[3e38, 0, -3e38]]), 1.0
    )
    assert rows.uncertainty.tolist() == [0.0]


def _save(path: Path, sizes, strength, seed):
    """Logits of noise; the true class's is raised by the strength of the class."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(sizes)), sizes)
    logits = rng.normal(size=(len(label), len(sizes))).astype(np.float32)
    logits[np.arange(len(label)), label] += np.asarray(strength)[label]
    np.savez(path, label=label, logits=logits)


def test_small_classes_that_leak_more_are_found_end_to_end(tmp_path):
    """Twelve classes, from 120 members to 1,440; non-members are as many in each."""
    sizes = 120 * np.arange(1, 13)
    _save(tmp_path / "in.npz", sizes, 1.0 + 240 / sizes, seed=1)
    _save(tmp_path / "out.npz", np.full(12, 300), np.ones(12), seed=2)
    config = config_pb2.PrivacyConfig(attacks=[ATTACK])
    with whole_output(str(tmp_path / "metrics")) as outputs:
        content = measure(
            str(tmp_path / "in.npz"), str(tmp_path / "out.npz"), config, outputs, beam.Pipeline
        )
    explanation = content.results.explanation
    found = {one.property: one.correlation for one in explanation.associations}
    assert found["class size"].estimate < -0.8
    assert found["class size"].upper < 0
    assert found["accuracy gap"].lower > 0
    assert any(
        text.startswith("Classes with fewer training records leak more: rank correlation -0.")
        for text in class_sentences(explanation)
    )
    assert "a gap of +" in one_line(content.results)
    judge = content.results.records.judge
    assert sum(group.members.rows for group in explanation.classes) == judge.members
    attack = content.results.attacks[0]
    area = next(entry.value for entry in attack.metrics if entry.metric.name == "auc")
    assert explanation.whole.auc.estimate == pytest.approx(area.estimate, abs=1e-12)
    assert "Why: what goes with the risk" in Path(tmp_path / "metrics/report.html").read_text()
