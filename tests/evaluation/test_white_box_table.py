"""From a table with white-box columns to what results, page and terminal say of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest

from tfx_privacy.evaluation.attack_table import Outputs, attack_table
from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.evaluation.stages import StageClock
from tfx_privacy.metrics.counts import WHOLE
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses
from tfx_privacy.signals.table import IdentityDescription, TableDescription, TableLayout
from tfx_privacy.signals.table_writer import TableWriter, commit
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout
from tfx_privacy.verdict.consistency import check_consistent

CLASSES = 3
LAYERS = ("dense", "<b>dense_1</b>")
LAYOUT = TableLayout(
    task=config_pb2.MULTICLASS,
    output_kind=config_pb2.LOGITS,
    output_width=CLASSES,
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
    white_box=WhiteBoxLayout(
        tuple(
            LayerDescription(name, i, "dense", ((8, 4), (4,)), True, False, 0)
            for i, name in enumerate(LAYERS)
        ),
        sketch_rows=4,
        sketch_columns=4,
        seed=7,
    ),
)


def _rows(seed: int, rows: int, added: float) -> Signals:
    """The loss gives a little away; members' norms are smaller by a factor of exp(added)."""
    rng = np.random.default_rng(seed)
    member = np.arange(rows) % 5 < 3
    label = rng.integers(0, CLASSES, rows)
    logits = rng.normal(size=(rows, CLASSES)).astype(np.float32)
    logits[np.arange(rows), label] += 0.3 * member
    loss = losses(config_pb2.MULTICLASS, logits, label)
    spread = [np.exp(rng.normal(0, 0.3, rows) - added * member) for _ in LAYERS]
    ids = rng.integers(0, 2**63, (rows, 2), dtype=np.uint64)
    return Signals(
        config_pb2.MULTICLASS,
        ids,
        member,
        label=label,
        logits=logits,
        loss=loss,
        gradient_norms={
            name: (loss * factor).astype(np.float32)
            for name, factor in zip(LAYERS, spread, strict=True)
        },
    )


def _attack(
    outputs: Outputs, rows: Signals, attacks: tuple[str, ...], layout: TableLayout = LAYOUT
) -> tuple[TableDescription, PrivacyMetricsContent]:
    with TableWriter(outputs.signals, layout, 3) as writer:
        writer.append(rows.take(rows.member), "train")
        writer.append(rows.take(~rows.member), "eval")
        written = writer.finish()
    # Rows of a split are of one side.
    table = commit(outputs.signals, layout, IdentityDescription("content"), 3, [written])
    config = resolve_config(
        config_pb2.PrivacyConfig(
            attacks=attacks,
            metrics=[
                config_pb2.MetricSpec(name="auc"),
                config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.1),
                config_pb2.MetricSpec(name="epsilon", delta=0.0),
            ],
            skip_controls=[config_pb2.NEGATIVE_CONTROL, config_pb2.POSITIVE_CONTROL],
        )
    )
    model = results_pb2.TargetModel(uri="/model", task=config_pb2.MULTICLASS, output_width=CLASSES)
    return table, attack_table(model, table, config, outputs, beam.Pipeline, StageClock())


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Signals]:
    """Where the results are, and the rows of the table."""
    folder = tmp_path_factory.mktemp("white_box")
    rows = _rows(seed=1, rows=3_000, added=0.6)
    with whole_output(str(folder)) as outputs:
        _attack(outputs, rows, ("loss_threshold", "entropy", "gradient_norm"))
    return folder, rows


@pytest.fixture(scope="module")
def results(measured: tuple[Path, Signals]) -> results_pb2.PrivacyResults:
    content = (measured[0] / "metrics.binpb").read_bytes()
    return results_pb2.PrivacyResults.FromString(content)


def test_the_norm_adds_to_the_loss(results: results_pb2.PrivacyResults) -> None:
    found = results.white_box
    assert (found.not_computed, found.best_black_box, found.best_white_box) == (
        "", "loss_threshold", "gradient_norm",
    )  # fmt: skip
    assert [one.metric.name for one in found.differences] == ["auc", "tpr_at_fpr"]
    area = found.differences[0]
    listed = {one.name: one.metrics[0].value for one in results.attacks}
    assert area.black_box == listed["loss_threshold"]
    assert area.white_box == listed["gradient_norm"]
    assert area.difference.lower > 0
    # The two scores go together, and the interval knows.
    alone = np.hypot(
        area.white_box.estimate - area.white_box.lower,
        area.black_box.upper - area.black_box.estimate,
    )
    assert area.difference.estimate - area.difference.lower < 0.8 * alone
    assert [(one.group, one.attack, one.attacks) for one in found.groups] == [
        ("outputs", "loss_threshold", 2), ("gradient norms", "gradient_norm", 1),
    ]  # fmt: skip
    assert [layer.name for layer in found.layers] == list(LAYERS)


def test_every_judged_row_has_its_norm_counted(
    results: results_pb2.PrivacyResults, measured: tuple[Path, Signals]
) -> None:
    judge = results.records.judge
    norms = results.white_box.norms
    assert [one.layer for one in norms] == ["", *LAYERS]
    for one in norms:
        assert (sum(one.members), sum(one.nonmembers)) == (judge.members, judge.nonmembers)
        assert 0 < one.median_member < one.median_nonmember
    rows = measured[1]
    squares = np.sum([norms**2 for norms in rows.gradient_norms.values()], axis=0)
    # FIT is a third of the rows: its median is near that of all.
    assert norms[0].median_member == pytest.approx(
        np.median(np.sqrt(squares[rows.member])), rel=0.15
    )


def test_results_agree_with_what_lies_beside_them(measured: tuple[Path, Signals]) -> None:
    from tfx_privacy.evaluation.metrics_directory import read_metrics

    content = read_metrics(str(measured[0]))
    check_consistent(content.results, content.evidence)
    assert content.evidence.counts["gradient_norm", WHOLE].n_members


def test_the_page_tells_of_it(measured: tuple[Path, Signals]) -> None:
    page = (measured[0] / "report.html").read_text()
    assert "Who holds the model&#39;s parameters tells members from non-members better" in page
    assert "&lt;b&gt;dense_1&lt;/b&gt;" in page
    assert "<b>dense_1" not in page


def test_without_a_white_box_attack_it_says_why(tmp_path: Path) -> None:
    with whole_output(str(tmp_path)) as outputs:
        _, content = _attack(outputs, _rows(2, 600, 0.0), ("loss_threshold",))
    found = content.results.white_box
    assert found.not_computed == "no attack that looks at gradients or activations ran"
    assert len(found.layers) == 2


def test_without_white_box_signals_nothing_is_said(tmp_path: Path) -> None:
    rows = _rows(3, 600, 0.0).without_white_box()
    layout = dataclasses.replace(LAYOUT, white_box=None)
    with whole_output(str(tmp_path)) as outputs:
        _, content = _attack(outputs, rows, ("loss_threshold", "entropy"), layout)
    assert not content.results.HasField("white_box")
