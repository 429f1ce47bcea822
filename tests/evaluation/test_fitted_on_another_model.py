"""A whole measurement of model B by attacks that were fitted on model A."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from tfx_privacy.evaluation.compare import compare
from tfx_privacy.evaluation.fit_on import FitOn
from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.metrics.counts import WHOLE
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.page import metrics_page
from tfx_privacy.reports.terminal import results_table
from tfx_privacy.signals.errors import InputError
from tfx_privacy.verdict.consistency import check_consistent

_CLASSES = 5
_CONFIG = config_pb2.PrivacyConfig(
    attacks=["loss_threshold", "logistic_regression"],
    attackers=[{"name": "tenth", "members_known": 0.1, "attacks": ["loss_threshold"]}],
    slicing_specs=[{"feature_keys": ["group"]}],
    skip_controls=["POSITIVE_CONTROL", "NEGATIVE_CONTROL"],
    seed=4,
)


def _save(path: Path, ids: Sequence[int], leak: float, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, _CLASSES, len(ids))
    logits = rng.normal(size=(len(ids), _CLASSES)).astype(np.float32)
    logits[np.arange(len(ids)), label] += leak
    group = np.where(np.arange(len(ids)) % 3 == 0, "few", "many")
    np.savez(path, label=label, logits=logits, id=np.asarray(ids), group=group)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Directories of metrics: "a"; "b" fitted on a; "b_alone"; of 3,000 a side, 500 shared."""
    folder = tmp_path_factory.mktemp("models")
    a = [_save(folder / "am.npz", range(3_000), 1.0, 1)]
    a.append(_save(folder / "an.npz", range(10_000, 13_000), 0.0, 2))
    b = [_save(folder / "bm.npz", range(2_500, 5_500), 1.0, 3)]
    b.append(_save(folder / "bn.npz", range(12_500, 15_500), 0.0, 4))
    for name, (members, nonmembers), fit_on in (
        ("a", a, None),
        ("b", b, FitOn(str(folder / "a" / "signals"), "/of/a")),
        ("b_alone", b, None),
    ):
        with whole_output(str(folder / name)) as outputs:
            measure(str(members), str(nonmembers), _CONFIG, outputs, beam.Pipeline, fit_on=fit_on)
    return {name: folder / name for name in ("a", "b", "b_alone")}


def _sides(members: int, nonmembers: int) -> results_pb2.SideCounts:
    return results_pb2.SideCounts(members=members, nonmembers=nonmembers)


def test_only_what_attacks_are_fitted_on_changes(models: dict[str, Path]) -> None:
    found, alone = (read_metrics(str(models[name])) for name in ("b", "b_alone"))
    assert found.results.fitted_on == results_pb2.FittedOn(
        signals_uri="/of/a", fit=_sides(2_500, 2_500), shared=_sides(500, 500)
    )
    assert not alone.results.HasField("fitted_on")
    # The records of B, what they are used for, the blind baseline and the slices stay.
    assert found.results.records == alone.results.records
    assert found.results.controls.blind_baseline == alone.results.controls.blind_baseline
    assert found.evidence.slice_rows == alone.evidence.slice_rows
    assert [s.judge for s in found.results.slices] == [s.judge for s in alone.results.slices]
    assert not np.array_equal(
        found.evidence.edges["logistic_regression"].edges,
        alone.evidence.edges["logistic_regression"].edges,
    )
    check_consistent(found.results, found.evidence)


def test_a_leak_that_both_models_have_is_found(models: dict[str, Path]) -> None:
    """Both are of one kind, so it matters little on which of them attacks are fitted."""
    areas = [
        {a.name: a.metrics[0].value for a in read_metrics(str(models[name])).results.attacks}
        for name in ("b", "b_alone")
    ]
    # A threshold on the loss has one AUC, whatever it was fitted on.
    loss = [area["loss_threshold"] for area in areas]
    assert loss[0].estimate == pytest.approx(loss[1].estimate, abs=2e-3)
    trained = [area["logistic_regression"] for area in areas]
    assert trained[0].lower > loss[0].estimate - 0.02
    assert abs(trained[0].estimate - trained[1].estimate) < 0.02


def test_one_fit_scores_all_records_and_their_risk_means_what_it_says(
    models: dict[str, Path],
) -> None:
    results = read_metrics(str(models["b"])).results
    table = pq.read_table(models["b"] / "record_risk").to_pandas()
    judged = table[table["part"] == "JUDGE"]
    assert len(table) == 6_000
    assert len(judged) == results.records.judge.members + results.records.judge.nonmembers
    # Outside reference: scikit-learn's AUC of the unbinned scores of the JUDGE rows.
    for attack in results.attacks:
        exact = roc_auc_score(judged["member"], judged[f"score:{attack.name}"])
        auc = next(value for value in attack.metrics if value.metric.name == "auc").value
        assert auc.estimate == pytest.approx(exact, abs=max(attack.resolution, 1e-12))
    # The risk is one function of the score: of FIT rows the same as of JUDGE rows.
    by_score = table.sort_values(f"score:{results.best_attack}")["risk"].to_numpy()
    assert (np.diff(by_score) >= 0).all()
    assert results.record_risk.calibration_error < 0.05


def test_an_attacker_that_knows_less_is_told_a_share_of_the_other_model(
    models: dict[str, Path],
) -> None:
    content = read_metrics(str(models["b"]))
    page = metrics_page(content.results, content.evidence)
    # A tenth of the 2,500 members of A.
    assert "10% (250)" in page


def test_the_report_says_so(models: dict[str, Path]) -> None:
    content = read_metrics(str(models["b"]))
    page = " ".join(metrics_page(content.results, content.evidence).split())
    assert "The attacks were built on another model" in page
    assert "1,000 records that both models" in page
    assert "Of one third of the records it is told" not in page
    shown = results_table(content.results, content.evidence)
    line = next(line for line in shown.splitlines() if line.startswith("Of another model  "))
    assert line.split()[-2:] == ["2,500", "2,500"]


def test_the_same_input_gives_the_same_bytes(models: dict[str, Path], tmp_path: Path) -> None:
    folder = models["b"].parent
    with whole_output(str(tmp_path / "again")) as outputs:
        measure(
            str(folder / "bm.npz"),
            str(folder / "bn.npz"),
            _CONFIG,
            outputs,
            beam.Pipeline,
            fit_on=FitOn(str(models["a"] / "signals"), "/of/a"),
        )
    for part in ("edges", "counts"):
        name = f"evidence/{part}.parquet"
        assert (models["b"] / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_what_a_comparison_must_not_hide(models: dict[str, Path]) -> None:
    warnings = compare([str(models["b_alone"]), str(models["b"])]).warnings
    assert (
        "Attacks were fitted on another model's records, or on others: the model's own in b_alone; "
        "those of /of/a in b."
    ) in warnings


def test_non_members_that_serve_both_models(models: dict[str, Path], tmp_path: Path) -> None:
    members = _save(tmp_path / "m.npz", range(6_000, 6_100), 0.0, 5)
    nonmembers = models["a"].parent / "an.npz"
    _refused(
        models, tmp_path, members, nonmembers, r"/of/a have 3000 members and 0 non-members to fit"
    )


def test_predictions_without_ids(models: dict[str, Path], tmp_path: Path) -> None:
    for name in ("m", "n"):
        columns = dict(np.load(_save(tmp_path / f"{name}.npz", range(100), 0.0, 6)))
        np.savez(tmp_path / f"{name}.npz", **{k: v for k, v in columns.items() if k != "id"})
    words = r"the ids of those judged are row numbers.*a column 'id'"
    _refused(models, tmp_path, tmp_path / "m.npz", tmp_path / "n.npz", words)


def _refused(
    models: dict[str, Path], tmp_path: Path, members: Path, nonmembers: Path, words: str
) -> None:
    fit_on = FitOn(str(models["a"] / "signals"), "/of/a")
    output = tmp_path / "out"
    with pytest.raises(InputError, match=words), whole_output(str(output)) as outputs:
        measure(str(members), str(nonmembers), _CONFIG, outputs, beam.Pipeline, fit_on=fit_on)
    assert not output.exists()


@pytest.mark.parametrize(
    ("field", "words"), [("white_box", "gradients"), ("references", "reference models")]
)
def test_what_is_computed_of_models_is_not_to_be_had_of_saved_predictions(
    tmp_path: Path, field: str, words: str
) -> None:
    config = config_pb2.PrivacyConfig(**{field: {}})
    with (
        pytest.raises(InputError, match=f"^{field} is set, which cannot be followed: {words}"),
        whole_output(str(tmp_path / "out")) as outputs,
    ):
        measure("m.npz", "n.npz", config, outputs, beam.Pipeline)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda r: r.fitted_on.ClearField("signals_uri"), "no URI of signals"),
        (lambda r: setattr(r.fitted_on.fit, "members", 0), "found 0 members to fit attacks on"),
        (
            lambda r: setattr(r.fitted_on.fit, "nonmembers", 200_000),
            r"found 200000 non-members to fit attacks on, expected 1 to 100000",
        ),
        (lambda r: setattr(r.fitted_on.shared, "members", -1), "found -1 shared members"),
        (lambda r: setattr(r.records, "duplicates_checked", False), "records without ids"),
    ],
)
def test_impossible_numbers_of_rows_are_refused(
    models: dict[str, Path],
    break_it: Callable[[results_pb2.PrivacyResults], None],
    words: str,
) -> None:
    content = read_metrics(str(models["b"]))
    break_it(content.results)
    with pytest.raises(ValueError, match=words):
        check_consistent(content.results, content.evidence)


def test_counts_are_of_the_judged_model_alone(models: dict[str, Path]) -> None:
    """Every JUDGE row is counted once, shared with A or not."""
    content = read_metrics(str(models["b"]))
    judge = content.results.records.judge
    for attack in content.evidence.edges:
        counts = content.evidence.counts[attack, WHOLE]
        assert (counts.n_members, counts.n_nonmembers) == (judge.members, judge.nonmembers)
    judged = [_judged_ids(models[name]) for name in ("b", "b_alone")]
    assert judged[0] == judged[1]


def _judged_ids(directory: Path) -> set[bytes]:
    table = pq.read_table(directory / "record_risk")
    return set(table.filter(pc.equal(table["part"], "JUDGE"))["id"].to_pylist())
