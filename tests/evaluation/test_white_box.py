"""Black-box beside white-box: which attacks are compared, and how often the interval covers."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from tfx_privacy.attacks.attacker import LimitedAttacker
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.evaluation.norm_tally import NormTally
from tfx_privacy.evaluation.paired_attacks import read_paired_attacks
from tfx_privacy.evaluation.record_risk import record_risk_schema
from tfx_privacy.evaluation.suite import ChosenOnFit
from tfx_privacy.evaluation.tally import ScoredRows
from tfx_privacy.evaluation.white_box import Judged, paired_difference, white_box_results
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.change import SharedRows, difference
from tfx_privacy.metrics.counts import (
    WHOLE,
    Evidence,
    ScoreCounts,
    ScoreEdges,
    SliceKey,
    Thresholds,
)
from tfx_privacy.metrics.edges import count_scores
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec, metric_key
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role
from tfx_privacy.signals.table import TableLayout
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout

ALPHA = 0.025
CUTS = np.arange(-4.0, 5.0, 0.05)
EDGES = ScoreEdges(CUTS, Thresholds.all_at(int(np.searchsorted(CUTS, 0.25))))
METRICS = (
    config_pb2.MetricSpec(name="auc"),
    config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.1),
    config_pb2.MetricSpec(name="epsilon", delta=0.0),
    config_pb2.MetricSpec(name="precision", prior=0.5),
)
NORMS, ALL_SEEN = frozenset({"gradient_norms"}), frozenset({"gradient_norms", "activations"})


@dataclasses.dataclass(frozen=True)
class _Named(LossThreshold):
    """An attack of any name that is said to see whatever a test wants."""

    called: str = ""
    seen: frozenset[str] = frozenset()

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.called

    @property
    def white_box_seen(self) -> frozenset[str]:
        return self.seen


LAYERS = tuple(
    LayerDescription(f"dense_{i}", i, "dense", ((4, 3), (3,)), i < 2, False, 3 * i)
    for i in range(3)
)
LAYOUT = TableLayout(
    task=config_pb2.MULTICLASS,
    output_kind=config_pb2.LOGITS,
    output_width=3,
    logits_source="",
    label_vocabulary=(),
    label_width=0,
    slice_features=(),
    input_features=(),
    has_label=True,
    has_logits=True,
    has_loss=True,
    has_units=False,
    has_weight=False,
    white_box=WhiteBoxLayout(LAYERS, 4, 4, 7, ("dense_2 was slow",)),
)
CONFIG = config_pb2.PrivacyConfig(metrics=METRICS, confidence=0.95)


class _Run:
    """A run of attacks by hand: their scores of FIT and of JUDGE rows."""

    def __init__(self, folder, attacks, fit, judge, member):
        """`fit` and `judge`: [n] scores by attack, of rows of the same sides."""
        self.attacks = attacks
        self.folder = folder
        edges = dict.fromkeys(judge, EDGES)
        on_fit = {name: count_scores(scores, member, EDGES) for name, scores in fit.items()}
        self.chosen = ChosenOnFit(edges, "", np.empty(0), on_fit)
        counts: dict[tuple[str, SliceKey], ScoreCounts] = {
            (name, WHOLE): count_scores(scores, member, EDGES) for name, scores in judge.items()
        }
        self.evidence = Evidence(edges, counts)
        _write(folder, judge, member)

    def told(self, tallies=None, layout=LAYOUT):
        return white_box_results(
            layout,
            self.attacks,
            self.chosen,
            self.evidence,
            tallies or {},
            str(self.folder),
            CONFIG,
        )


def _write(folder, scores, member):
    """A record-risk table of two files, with rows of FIT between those of JUDGE."""
    number = np.arange(len(member), dtype=np.uint64)
    ids = [value.to_bytes(16, "big") for value in number.tolist()]
    schema = record_risk_schema(list(scores), has_risk=False)
    for bucket in range(2):
        rows = np.flatnonzero(number % 2 == bucket)
        columns = {
            "id": [ids[row] for row in rows] * 2,
            "member": [*member[rows].tolist()] * 2,
            "part": ["FIT"] * len(rows) + ["JUDGE"] * len(rows),
            "attacks_right": [0.0] * (2 * len(rows)),
            **{
                f"score:{name}": [*(9 - of_rows[rows]), *of_rows[rows]]
                for name, of_rows in scores.items()
            },
        }
        table = pa.table({name: columns[name] for name in schema.names}, schema)
        pq.write_table(table, folder / f"record_risk-{bucket:05d}.parquet")


@pytest.fixture
def run(tmp_path):
    """Three black-box attacks, one of them limited, and three that see gradients."""
    rng = np.random.default_rng(8)
    member = np.arange(900) < 500
    fit, judge = (rng.normal(0, 1, (2, 900)) for _ in range(2))
    attacks = (
        _Named(called="loss"),
        _Named(called="margin"),
        LimitedAttacker(_Named(called="margin"), "weak", 0.5, ("loss",)),
        _Named(called="norm", seen=NORMS),
        _Named(called="norm_2", seen=NORMS),
        _Named(called="everything", seen=ALL_SEEN),
    )
    # How far each moves members, on FIT and on JUDGE.
    shifts = {
        "loss": (0.3, 0.4),
        "margin": (0.5, 0.4),
        "margin@weak": (2.0, 2.0),
        "norm": (0.4, 1.0),
        "norm_2": (0.6, 0.9),
        "everything": (1.2, 0.8),
    }
    both = [
        {name: scores[0] * 0.9 + scores[1] * 0.3 + shift[part] * member}
        for part, scores in enumerate((fit, judge))
        for name, shift in shifts.items()
    ]
    on_fit, on_judge = both[: len(shifts)], both[len(shifts) :]
    merge = functools.partial(functools.reduce, lambda a, b: a | b)
    return _Run(tmp_path, attacks, merge(on_fit), merge(on_judge), member)


def test_the_best_on_fit_of_each_kind_are_compared(run):
    told = run.told()
    assert (told.not_computed, told.best_black_box, told.best_white_box) == (
        "", "margin", "everything",
    )  # fmt: skip
    assert [one.metric for one in told.differences] == [METRICS[0], METRICS[1], METRICS[3]]
    metrics = [metric_from_spec(spec) for spec in METRICS]
    for name, field in (("margin", "black_box"), ("everything", "white_box")):
        listed = measure_attack(name, run.evidence.counts[name, WHOLE], EDGES, metrics, 0.95)
        for one in told.differences:
            (expected,) = (value.value for value in listed.metrics if value.metric == one.metric)
            assert getattr(one, field) == expected
    for one in told.differences:
        assert one.difference.estimate == one.white_box.estimate - one.black_box.estimate
        assert one.difference.lower < one.difference.estimate < one.difference.upper
        assert (one.difference.confidence, one.difference.members) == (0.95, 500)


def test_each_group_has_its_best_on_fit(run):
    told = run.told()
    assert [(one.group, one.attack, one.attacks) for one in told.groups] == [
        ("outputs", "margin", 2), ("gradient norms", "norm_2", 2), ("all", "everything", 1),
    ]  # fmt: skip
    metrics = [metric_from_spec(config_pb2.MetricSpec(name="balanced_accuracy"))]
    for one in told.groups:
        counts = run.evidence.counts[one.attack, WHOLE]
        assert one.auc == measure_attack(one.attack, counts, EDGES, [Auc()], 0.95).metrics[0].value
        listed = measure_attack(one.attack, counts, EDGES, metrics, 0.95)
        assert one.accuracy == listed.metrics[0].value


def test_scores_that_go_together_make_the_interval_narrower(run):
    (area, *_) = run.told().differences
    alone = np.hypot(
        area.white_box.upper - area.white_box.estimate,
        area.black_box.estimate - area.black_box.lower,
    )
    # Both scores are one normal number and a shift: they nearly agree.
    assert area.difference.upper - area.difference.estimate < 0.5 * alone


def test_layers_and_notes_come_from_the_table(run):
    told = run.told()
    assert [(one.name, one.index, one.weights) for one in told.layers] == [
        ("dense_0", 0, 15), ("dense_1", 1, 15), ("dense_2", 2, 15),
    ]  # fmt: skip
    assert [one.has_norms for one in told.layers] == [True, True, False]
    assert [one.activation_width for one in told.layers] == [0, 3, 6]
    assert list(told.notes) == ["dense_2 was slow"]
    assert list(told.norms) == []


def test_norms_are_told_and_layers_left_out_are_named(run):
    member = np.arange(20) < 10
    number = np.arange(20, dtype=np.uint64)
    layers = tuple(f"layer_{i}" for i in range(60))
    norms = {layer: np.ones(20, np.float32) for layer in layers}
    rows = Signals(
        config_pb2.MULTICLASS, np.stack([number, number], 1), member, gradient_norms=norms
    )
    tally = NormTally.prepare(rows)
    counted = tally.count(ScoredRows(rows, Role.JUDGE, {}, {}, None))
    described = tuple(
        LayerDescription(layer, i, "dense", ((1, 1),), True, False, 0)
        for i, layer in enumerate(layers)
    )
    layout = dataclasses.replace(LAYOUT, white_box=WhiteBoxLayout(described, 4, 4, 7))
    told = run.told({tally.name: counted}, layout)
    assert [one.layer for one in told.norms] == ["", *layers[10:]]
    assert list(told.notes) == [
        "Gradient norms are told layer by layer for the last 50 of 60 layers, those nearest to "
        "the output; all layers together are all of them"
    ]


def test_a_best_attack_that_was_fitted_on_fewer_rows_is_told(run):
    """Else that it finds no more would be taken for there being no more to find."""
    few = dict(run.chosen.counts)
    counts = few["everything"]
    few["everything"] = ScoreCounts(counts.members // 10, counts.nonmembers // 10)
    rows = [int(few["everything"].members.sum()), int(few["everything"].nonmembers.sum())]
    run.chosen = dataclasses.replace(run.chosen, counts=few)
    told = run.told()
    assert told.best_white_box == "everything"
    assert (
        f"everything on {rows[0]} members and {rows[1]} non-members, margin on 500 and 400."
    ) in told.notes[-1]


def test_nothing_without_white_box_signals(run):
    assert run.told(layout=dataclasses.replace(LAYOUT, white_box=None)) is None


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (slice(0, 3), "no attack that looks at gradients or activations ran"),
        (slice(2, 6), "no attack that looks at the model's answers alone ran"),
        (slice(0, 0), "no attack that looks at gradients or activations ran"),
    ],
)
def test_what_is_missing_is_said(run, kept, reason):
    run.attacks = run.attacks[kept]
    told = run.told()
    assert told.not_computed == reason
    assert (len(told.differences), len(told.groups), told.best_white_box) == (0, 0, "")
    assert len(told.layers) == 3


def test_a_side_without_judged_rows_is_said(run):
    nobody = ScoreCounts(np.zeros(EDGES.bins, np.int64), np.ones(EDGES.bins, np.int64))
    run.evidence = Evidence(run.evidence.edges, dict.fromkeys(run.evidence.counts, nobody))
    assert run.told().not_computed.startswith("found 0 members and 181 non-members to judge")


def test_pairs_are_read_from_judge_rows_in_bounded_memory(run):
    pair = read_paired_attacks(str(run.folder), "norm", "loss", run.evidence.edges)
    assert len(pair.current_bins) == 900
    counted = run.evidence.counts["norm", WHOLE]
    members = np.bincount(pair.current_bins[pair.current_member], minlength=EDGES.bins)
    assert members.tolist() == counted.members.tolist()
    some = read_paired_attacks(str(run.folder), "norm", "loss", run.evidence.edges, 450)
    # 1,800 rows with those of FIT: a quarter is kept.
    assert some.weight == pytest.approx(4)
    assert 160 < len(some.current_bins) < 290


def _draw(rng, rows, shifts, r):
    """Scores of several attacks on the same rows, [k, 2 rows], that correlate by r."""
    member = np.arange(2 * rows) < rows
    common = rng.standard_normal(2 * rows)
    own = rng.standard_normal((len(shifts), 2 * rows))
    return np.sqrt(r) * common + np.sqrt(1 - r) * own + np.outer(shifts, member), member


def _judged(scores, member):
    bins = np.searchsorted(CUTS, scores, side="right")
    return bins, Judged(count_scores(scores, member, EDGES), EDGES.thresholds)


def _truth(metric: Metric, shift: float) -> float:
    """Of a normal score: Phi(shift / sqrt(2)) is the AUC, Phi(shift - z) the TPR at a rate."""
    if isinstance(metric, TprAtFpr):
        return float(stats.norm.cdf(shift + stats.norm.ppf(metric.fpr)))
    return float(stats.norm.cdf(shift / np.sqrt(2)))


@pytest.mark.parametrize("shift", [0.3, 0.6], ids=["white-box equals black-box", "it adds"])
@pytest.mark.parametrize("metric", [Auc(), TprAtFpr(0.1)], ids=metric_key)
def test_the_interval_covers(metric, shift):
    """Both attacks err together; each side is missed in at most 2.5% of runs, and luck of 3 s.e."""
    rng = np.random.default_rng(11)
    runs, missed, widths = 300, np.zeros(2), []
    truth = _truth(metric, shift) - _truth(metric, 0.3)
    for _ in range(runs):
        (white, black), member = _draw(rng, 250, (shift, 0.3), 0.8)
        (white_bins, white_judged), (black_bins, black_judged) = (
            _judged(scores, member) for scores in (white, black)
        )
        pair = SharedRows(white_bins, member, black_bins, member, 1.0)
        found = paired_difference(metric, white_judged, black_judged, pair, ALPHA)
        missed += (found.lower > truth, found.upper < truth)
        apart = difference(
            white_judged.measure(metric, ALPHA), black_judged.measure(metric, ALPHA), 0.0
        )
        widths.append((found.upper - found.lower) / (apart.upper - apart.lower))
    assert (missed / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)).all()
    # Of use all the same: narrower than if the attacks had been judged on rows of their own.
    assert np.mean(widths) < 0.85


def _parts(judged):
    return judged.counts, judged.thresholds


def test_the_winners_curse_is_not_on_judge():
    """Five white-box attacks, in truth as good as the black-box one: the best on FIT is judged."""
    rng = np.random.default_rng(12)
    runs, missed, on_fit, on_judge = 300, np.zeros(2), [], []
    for _ in range(runs):
        fit, member = _draw(rng, 150, (0.3,) * 6, 0.5)
        judge, _ = _draw(rng, 250, (0.3,) * 6, 0.5)
        judge_member = np.arange(500) < 250
        areas = [
            Auc().measure(*_parts(_judged(scores, member)[1]), ALPHA).estimate for scores in fit
        ]
        best = 1 + int(np.argmax(areas[1:]))
        (white_bins, white), (black_bins, black) = (
            _judged(judge[place], judge_member) for place in (best, 0)
        )
        pair = SharedRows(white_bins, judge_member, black_bins, judge_member, 1.0)
        found = paired_difference(Auc(), white, black, pair, ALPHA)
        missed += (found.lower > 0, found.upper < 0)
        on_fit.append(areas[best] - areas[0])
        on_judge.append(found.estimate)
    # On FIT the best of five looks better than its equal, by far more than luck; on JUDGE it
    # does not.
    assert np.mean(on_fit) > 10 * np.std(on_fit) / np.sqrt(runs)
    assert abs(np.mean(on_judge)) < 3 * np.std(on_judge) / np.sqrt(runs)
    assert (missed / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)).all()
