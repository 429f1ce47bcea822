"""The risk of records: from saved predictions to results, table and the same bits again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.metrics.edges import bin_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.consistency import check_consistent

Measured = Callable[[str], Path]


def _table(directory: Path) -> pd.DataFrame:
    return pq.read_table(directory / "record_risk").to_pandas()


def _risk(directory: Path) -> results_pb2.RecordRiskResults:
    return read_metrics(str(directory)).results.record_risk


def test_members_of_a_leaky_model_are_at_a_higher_risk(measured: Measured) -> None:
    table = _table(measured("leaky"))
    means = table.groupby(["part", "member"])["risk"].mean()
    for part in ("FIT", "JUDGE"):
        assert means[part, True] > means[part, False] + 0.1
        # At even odds the mean of all risks is the prior, whatever leaks.
        assert (means[part, True] + means[part, False]) / 2 == pytest.approx(0.5, abs=0.02)
    assert table["risk"].between(0, 1, inclusive="neither").all()


def test_risks_are_true_on_both_parts(measured: Measured) -> None:
    """Members in ten groups by risk; an independent count from the table itself."""
    table = _table(measured("leaky"))
    for _, rows in table.groupby("part"):
        group = pd.qcut(rows["risk"], 10, labels=False, duplicates="drop")
        found = rows.groupby(group).agg(
            risk=("risk", "mean"), share=("member", "mean"), n=("id", "size")
        )
        deviations = np.sqrt(found["share"] * (1 - found["share"]) / found["n"])
        assert (np.abs(found["risk"] - found["share"]) < 4 * deviations + 0.03).all()


def test_the_reliability_holds_the_diagonal(measured: Measured) -> None:
    risk = _risk(measured("leaky"))
    assert len(risk.reliability) == 10
    inside = [
        one.member_share.lower <= one.mean_risk <= one.member_share.upper
        for one in risk.reliability
    ]
    assert sum(inside) >= 9
    assert risk.calibration_error < 0.03


def test_results_are_sums_of_the_table(measured: Measured) -> None:
    content = read_metrics(str(measured("leaky")))
    results, risk, table = content.results, content.results.record_risk, _table(measured("leaky"))
    assert risk.attack == results.best_attack
    assert risk.prior == results.config.risk_prior == 0.5
    edges = np.array(risk.edges)
    for member, listed in ((True, risk.whole.members), (False, risk.whole.nonmembers)):
        counted = pd.cut(table.loc[table["member"] == member, "risk"], edges)
        assert list(listed) == counted.value_counts(sort=False).tolist()
    judged = table[table["part"] == "JUDGE"]
    for one in risk.above:
        shares = judged.groupby("member")["risk"].agg(lambda risks, r=one.risk: (risks > r).mean())
        assert one.members.estimate == pytest.approx(shares[True])
        assert one.nonmembers.estimate == pytest.approx(shares[False])
    assert [one.risk for one in risk.above] == [0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    sides = judged.groupby("member").size()
    assert sum(one.member_share.members for one in risk.reliability) == sides[True]
    assert sum(one.member_share.nonmembers for one in risk.reliability) == sides[False]


def test_classes_add_up_to_all(measured: Measured) -> None:
    directory = measured("leaky")
    risk, table = _risk(directory), _table(directory)
    assert [one.class_name for one in risk.classes] == ["0", "1", "2", "3", "4"]
    together = np.sum([one.distribution.members for one in risk.classes], axis=0)
    assert together.tolist() == list(risk.whole.members)
    sizes = [sum(one.distribution.members) for one in risk.classes]
    mean = np.average([one.mean_member_risk for one in risk.classes], weights=sizes)
    assert mean == pytest.approx(table.loc[table["member"], "risk"].mean(), abs=1e-8)


def test_the_most_exposed_are_the_members_at_the_top_of_the_table(measured: Measured) -> None:
    directory = measured("leaky")
    results, table = read_metrics(str(directory)).results, _table(directory)
    table["hex"] = [one.hex() for one in table["id"]]
    table["score"] = table[f"score:{results.best_attack}"]
    members = table[table["member"]]
    top = members.sort_values(["risk", "score", "hex"], ascending=[False, False, True])[:20]
    exposed = results.record_risk.most_exposed
    assert [one.id for one in exposed] == top["hex"].tolist()
    assert [one.risk for one in exposed] == top["risk"].tolist()
    assert [one.attacks_right for one in exposed] == top["attacks_right"].tolist()
    assert {one.class_name for one in exposed} <= set("01234")


def test_the_share_of_attacks_that_are_right(measured: Measured) -> None:
    """Each attack's threshold, from the evidence, on the scores of the table."""
    directory = measured("leaky")
    table, edges = _table(directory), read_metrics(str(directory)).evidence.edges
    right = [
        (bin_scores(table[f"score:{name}"].to_numpy(), cut) >= cut.thresholds.member)
        == table["member"]
        for name, cut in edges.items()
    ]
    np.testing.assert_allclose(table["attacks_right"], np.mean(right, axis=0), atol=1e-6)
    assert table["attacks_right"].dtype == np.float32
    assert not table[["risk", "attacks_right"]].isna().any().any()


def test_without_a_leak_risks_are_about_the_prior(measured: Measured) -> None:
    directory = measured("tame")
    table = _table(directory)
    assert np.abs(table["risk"] - 0.5).mean() < 0.04
    assert np.quantile(np.abs(table["risk"] - 0.5), 0.99) < 0.2


def _measure(folder: Path, inputs: Path, config: config_pb2.PrivacyConfig) -> Path:
    with whole_output(str(folder)) as outputs:
        measure(
            str(inputs / "members.npz"),
            str(inputs / "nonmembers.npz"),
            config,
            outputs,
            beam.Pipeline,
        )
    return folder


def test_another_prior_is_bayes_rule_on_the_same_scores(measured: Measured, tmp_path: Path) -> None:
    inputs = measured("small").parent
    at = {
        prior: _table(
            _measure(
                tmp_path / str(prior),
                inputs,
                config_pb2.PrivacyConfig(attacks=["loss_threshold"], risk_prior=prior),
            )
        )
        .sort_values("id")["risk"]
        .to_numpy()
        for prior in (0.5, 0.1)
    }
    odds = {prior: risk / (1 - risk) for prior, risk in at.items()}
    # The curve is straight between its knots at either prior, so the odds are nearly, and at
    # the ends exactly, in the ratio of the priors' odds.
    ratio = odds[0.5] / odds[0.1]
    assert np.abs(ratio / 9 - 1).max() < 0.1
    assert ratio[[at[0.5].argmax(), at[0.5].argmin()]] == pytest.approx(9.0)


def test_the_same_bits_again(measured: Measured, tmp_path: Path) -> None:
    config = config_pb2.PrivacyConfig(attacks=["loss_threshold", "logistic_regression"])
    inputs = measured("small").parent
    runs = [_measure(tmp_path / name, inputs, config) for name in ("one", "two")]
    first, second = (_risk(run) for run in runs)
    assert first.most_exposed
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(
        deterministic=True
    )
    tables = [_table(run).sort_values("id").reset_index(drop=True) for run in runs]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    content = read_metrics(str(runs[0]))
    check_consistent(content.results, content.evidence)


def _loss_only(folder: Path, rows: tuple[int, int]) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, number in zip(("members", "nonmembers"), rows, strict=True):
        np.savez(folder / f"{name}.npz", loss=rng.exponential(size=number).astype(np.float32))
    return folder


def test_loss_alone_has_a_risk_and_no_classes(tmp_path: Path) -> None:
    inputs = _loss_only(tmp_path / "inputs", (300, 200))
    directory = _measure(tmp_path / "metrics", inputs, config_pb2.PrivacyConfig())
    risk = _risk(directory)
    assert not risk.not_computed
    assert not risk.classes
    assert {one.class_name for one in risk.most_exposed} == {""}
    assert "risk" in _table(directory)


def test_a_side_of_few_rows_is_a_stated_omission(tmp_path: Path) -> None:
    inputs = _loss_only(tmp_path / "inputs", (300, 40))
    directory = _measure(
        tmp_path / "metrics", inputs, config_pb2.PrivacyConfig(attacks=["loss_threshold"])
    )
    content = read_metrics(str(directory))
    why = content.results.record_risk.not_computed
    assert "at least 20 members and 20 non-members" in why
    assert f"{content.results.records.fit.members} and" in why
    table = _table(directory)
    assert "risk" not in table
    assert "attacks_right" in table
    check_consistent(content.results, content.evidence)


def test_no_attack_no_risk(tmp_path: Path) -> None:
    inputs = _loss_only(tmp_path / "inputs", (2, 1))
    directory = _measure(tmp_path / "metrics", inputs, config_pb2.PrivacyConfig())
    assert _risk(directory).not_computed == "no attack ran"
    assert set(_table(directory).columns) == {"id", "member", "part"}
