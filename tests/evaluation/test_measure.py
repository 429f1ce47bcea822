"""From saved predictions to a directory of metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.metrics.counts import WHOLE
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import read_bytes

Measured = Callable[[str], Path]


def test_records_add_up(measured: Measured) -> None:
    records = read_metrics(str(measured("leaky"))).results.records
    for side in ("members", "nonmembers"):
        parts = (records.duplicate, records.same_unit, records.fit, records.fit_beyond_sample)
        used = sum(getattr(part, side) for part in (*parts, records.judge))
        assert used == getattr(records.read, side) == 6_000
    # A third is FIT, by a fair hash: 2,000 of 6,000, give or take four deviations.
    assert abs(records.fit.members - 2_000) < 4 * (6_000 * 2 / 9) ** 0.5
    assert not records.duplicates_checked


def test_whole_and_slices_are_counted_alike(measured: Measured) -> None:
    content = read_metrics(str(measured("leaky")))
    keys = {tuple((k.feature, k.value) for k in s.key) for s in content.results.slices}
    assert keys == {(("group", "few"),), (("group", "many"),)}
    for attack in content.evidence.edges:
        whole = content.evidence.counts[attack, WHOLE]
        slices = sum(
            (content.evidence.counts[attack, key].members for key in keys),
            np.zeros_like(whole.members),
        )
        np.testing.assert_array_equal(slices, whole.members)


def test_the_auc_is_that_of_the_judged_records_scores(measured: Measured) -> None:
    """Outside reference: scikit-learn's AUC of the unbinned scores of the JUDGE rows."""
    directory = measured("leaky")
    results = read_metrics(str(directory)).results
    table = pq.read_table(directory / "record_risk").to_pandas()
    judged = table[table["part"] == "JUDGE"]
    assert len(judged) == results.records.judge.members + results.records.judge.nonmembers
    for attack in results.attacks:
        exact = roc_auc_score(judged["member"], judged[f"score:{attack.name}"])
        auc = next(m for m in attack.metrics if m.metric.name == "auc").value
        assert auc.estimate == pytest.approx(exact, abs=max(attack.resolution, 1e-12))


def test_fit_rows_have_scores_of_attacks_that_never_saw_them(measured: Measured) -> None:
    table = pq.read_table(measured("leaky") / "record_risk").to_pandas()
    assert set(table["part"]) == {"FIT", "JUDGE"}
    assert len(table) == 12_000
    assert table["id"].is_unique
    # By two different fits of the same attack, the two parts are told apart alike.
    aucs = [
        roc_auc_score(rows["member"], rows["score:logistic_regression"])
        for _, rows in table.groupby("part")
    ]
    assert aucs[0] == pytest.approx(aucs[1], abs=0.04)


def test_the_same_input_gives_the_same_bytes(measured: Measured, tmp_path: Path) -> None:
    first = measured("leaky")
    inputs = first.parent
    config = config_pb2.PrivacyConfig(slicing_specs=[{"feature_keys": ["group"]}])
    with whole_output(str(tmp_path / "again")) as outputs:
        measure(
            str(inputs / "members.npz"),
            str(inputs / "nonmembers.npz"),
            config,
            outputs,
            beam.Pipeline,
        )
    for part in ("edges", "counts", "slices", "controls"):
        name = f"evidence/{part}.parquet"
        assert read_bytes(str(first / name)) == read_bytes(str(tmp_path / "again" / name))
    results = [read_metrics(str(d)).results for d in (first, tmp_path / "again")]
    for result in results:
        result.ClearField("stages")
    assert results[0] == results[1]


def test_another_seed_splits_otherwise(measured: Measured, tmp_path: Path) -> None:
    inputs = measured("small").parent
    with whole_output(str(tmp_path)) as outputs:
        other = measure(
            str(inputs / "members.npz"),
            str(inputs / "nonmembers.npz"),
            config_pb2.PrivacyConfig(seed=5, attacks=["loss_threshold"]),
            outputs,
            beam.Pipeline,
        )
    first = read_metrics(str(measured("small"))).results.records
    assert other.results.records.read == first.read
    assert other.results.records.fit != first.fit


def test_signals_can_be_left_out(measured: Measured, tmp_path: Path) -> None:
    inputs = measured("small").parent
    with whole_output(str(tmp_path)) as outputs:
        measure(
            str(inputs / "members.npz"),
            str(inputs / "nonmembers.npz"),
            config_pb2.PrivacyConfig(keep_signals=False, attacks=["loss_threshold"]),
            outputs,
            beam.Pipeline,
        )
    assert [path.name for path in (tmp_path / "signals").iterdir()] == ["table.json"]


def test_too_few_records_for_an_attack_are_a_stated_omission(tmp_path: Path) -> None:
    for name, label in (("members", [0, 1]), ("nonmembers", [1])):
        logits = np.zeros((len(label), 2), np.float32)
        np.savez(tmp_path / f"{name}.npz", label=label, logits=logits)
    with whole_output(str(tmp_path / "metrics")) as outputs:
        content = measure(
            str(tmp_path / "members.npz"),
            str(tmp_path / "nonmembers.npz"),
            config_pb2.PrivacyConfig(),
            outputs,
            beam.Pipeline,
        )
    assert not content.results.attacks
    reasons = [skipped.reason for skipped in content.results.skipped_attacks]
    assert reasons
    assert all("non-members in FIT and in JUDGE" in reason for reason in reasons)


def test_a_failed_run_leaves_the_earlier_results(measured: Measured, tmp_path: Path) -> None:
    output = tmp_path / "metrics"
    output.mkdir()
    (output / "metrics.json").write_text("the earlier run")
    np.savez(tmp_path / "bad.npz", label=[0], logits=[[np.nan, 0.0]])
    with pytest.raises(InputError, match=r"finite|NaN"), whole_output(str(output)) as outputs:
        measure(
            str(tmp_path / "bad.npz"),
            str(measured("small").parent / "nonmembers.npz"),
            config_pb2.PrivacyConfig(),
            outputs,
            beam.Pipeline,
        )
    assert [path.name for path in output.iterdir()] == ["metrics.json"]
    assert (output / "metrics.json").read_text() == "the earlier run"
