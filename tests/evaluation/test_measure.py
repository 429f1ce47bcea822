"""From saved predictions to a directory of metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import special
from sklearn.metrics import roc_auc_score

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.metrics.counts import WHOLE
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
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


_AUC = {"name": "auc"}
# Half of the time of a test that is about something else.
_HALVED = (config_pb2.NEGATIVE_CONTROL, config_pb2.POSITIVE_CONTROL)
_Columns = Mapping[str, np.ndarray]


def _answers(rows: int, leak: float, seed: int) -> dict[str, np.ndarray]:
    """Labels of 5 classes and logits of noise, the true class's raised by `leak`."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 5, rows)
    logits = 2 * rng.normal(size=(rows, 5))
    logits[np.arange(rows), label] += leak
    return {"label": label, "logits": logits}


def _measured(
    folder: Path, members: _Columns, nonmembers: _Columns, **config: object
) -> results_pb2.PrivacyResults:
    np.savez(folder / "members.npz", **members)
    np.savez(folder / "nonmembers.npz", **nonmembers)
    return _measured_files(folder / "members.npz", folder / "nonmembers.npz", **config)


def _measured_files(
    members: Path, nonmembers: Path, **config: object
) -> results_pb2.PrivacyResults:
    with whole_output(str(members.parent / "metrics")) as outputs:
        return measure(
            str(members),
            str(nonmembers),
            config_pb2.PrivacyConfig(**{"metrics": [_AUC], **config}),
            outputs,
            beam.Pipeline,
        ).results


def _aucs(results: results_pb2.PrivacyResults) -> dict[str, results_pb2.MeasuredValue]:
    return {attack.name: attack.metrics[0].value for attack in results.attacks}


def _reasons(results: results_pb2.PrivacyResults) -> dict[str, str]:
    return {skipped.name: skipped.reason for skipped in results.skipped_attacks}


def _entropies(answers: _Columns) -> np.ndarray:
    return special.entr(special.softmax(answers["logits"], axis=1)).sum(axis=1)


@pytest.mark.parametrize(
    ("column", "of", "ran"),
    [
        ("loss", lambda rows: -special.log_softmax(rows["logits"], 1)[:, 0],
         {"loss_threshold", "population"}),
        ("entropy", _entropies, {"entropy"}),
        ("logits", lambda rows: rows["logits"], {"entropy"}),
        ("probabilities", lambda rows: special.softmax(rows["logits"], 1), {"entropy"}),
    ],
)  # fmt: skip
def test_without_labels_what_can_run_runs_and_the_rest_is_named(
    tmp_path: Path, column: str, of: Callable[[_Columns], np.ndarray], ran: set[str]
) -> None:
    members, nonmembers = _answers(900, 4.0, seed=1), _answers(900, 0.0, seed=2)
    # The first class is the true one of all members, which a loss, but no entropy, depends on.
    members["logits"][:, 0] += 3.0

    results = _measured(
        tmp_path, {column: of(members)}, {column: of(nonmembers)}, attacks=["thorough"]
    )

    aucs, reasons = _aucs(results), _reasons(results)
    assert aucs.keys() == ran
    assert min(value.lower for value in aucs.values()) > 0.5
    every = {attack.name for attack in resolve_attacks(["thorough"])}
    assert reasons.keys() == every - ran
    assert all("which the signals do not have" in reason or "needs input features" in reason
               for reason in reasons.values())  # fmt: skip
    # Controls see what the attacks see.
    planted = max(results.controls.positive.runs, key=lambda run: run.share)
    assert {attack.name for attack in planted.attacks} == ran
    assert min(attack.metrics[0].value.lower for attack in planted.attacks) > 0.5


def test_entropies_alone_tell_what_those_of_logits_tell(tmp_path: Path) -> None:
    members, nonmembers = _answers(900, 4.0, seed=1), _answers(900, 0.0, seed=2)
    wanted = {"attacks": ["entropy"], "skip_controls": _HALVED}

    of_logits = _measured(tmp_path, members, nonmembers, **wanted)
    alone = {"entropy": _entropies(members)}, {"entropy": _entropies(nonmembers)}
    of_entropies = _measured(tmp_path, *alone, **wanted)

    # The order of rows is the same, but bins are cut at other scores.
    assert _aucs(of_entropies)["entropy"].estimate == pytest.approx(
        _aucs(of_logits)["entropy"].estimate, abs=1e-3
    )


def test_privacy_meters_layout_says_what_named_columns_say(tmp_path: Path) -> None:
    sides = {"members": _answers(300, 1.0, seed=1), "nonmembers": _answers(300, 0.0, seed=2)}
    wanted = {"attacks": ["loss_threshold"], "skip_controls": _HALVED}
    named = _measured(tmp_path, **sides, **wanted)
    for name, rows in sides.items():
        lines = [
            f"{','.join(map(repr, logits))};{label}"
            for logits, label in zip(rows["logits"].tolist(), rows["label"], strict=True)
        ]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
        np.save(tmp_path / f"{name}.npy", np.array([line.split(";") for line in lines]))
        np.save(tmp_path / f"{name}_logits.npy", rows["logits"])
        np.save(tmp_path / f"{name}_labels.npy", rows["label"])

    for end in (".txt", ".npy", "_logits.npy"):
        paths = [tmp_path / f"{name}{end}" for name in sides]
        with pytest.raises(InputError, match=f"members{end}' has no names .*output_kind to LOGITS"):
            _measured_files(*paths, **wanted)
        results = _measured_files(*paths, **wanted, model_spec={"output_kind": config_pb2.LOGITS})
        assert results.attacks[0] == named.attacks[0]


def test_probabilities_of_the_true_class_are_losses_but_for_a_logarithm(tmp_path: Path) -> None:
    """What Privacy Meter keeps of n records and m models, cut as the README cuts it."""
    rng = np.random.default_rng(0)
    signals = rng.beta(2, 2, size=(900, 2))
    member = rng.random((2, 900)) < 0.5
    signals[member.T] **= 0.3

    p, is_member = signals[:, 0], member[0]
    results = _measured(
        tmp_path,
        {"loss": -np.log(p[is_member])},
        {"loss": -np.log(p[~is_member])},
        attacks=["loss_threshold"],
        skip_controls=_HALVED,
    )

    exact = roc_auc_score(is_member, p)
    auc = _aucs(results)["loss_threshold"]
    assert auc.lower < exact < auc.upper


_FOUR = ("loss_threshold", "correctness", "confidence_per_class", "logistic_regression")
_WITH_CLASSES = {
    "attacks": _FOUR,
    "slicing_specs": [{"feature_keys": ["label"]}],
    "skip_controls": _HALVED,
}


@pytest.mark.parametrize("side", ["members", "nonmembers"])
def test_one_class_only_on_a_side(tmp_path: Path, side: str) -> None:
    rows = {"members": _answers(600, 0.0, seed=1), "nonmembers": _answers(600, 0.0, seed=2)}
    rng = np.random.default_rng(3)
    for answers in rows.values():
        answers["age"] = rng.integers(20, 60, 600)
    rows[side]["label"] = np.zeros(600, np.int64)

    results = _measured(tmp_path, **rows, **_WITH_CLASSES)

    aucs = _aucs(results)
    assert aucs.keys() == set(_FOUR)
    # Logits know nothing of the label here: what an attack that sees the label finds is not
    # the model's, and the blind baseline says so.
    assert aucs["loss_threshold"].lower < 0.5 < aucs["loss_threshold"].upper
    blind = results.controls.blind_baseline
    assert blind.metrics[0].value.lower > 0.5
    assert [giveaway.feature for giveaway in blind.features] == ["label"]
    measured_classes = {one.key[0].value for one in results.slices if one.attacks}
    assert measured_classes == {"0"}
    assert {one.key[0].value for one in results.slices} == {"0", "1", "2", "3", "4"}


def test_a_class_with_three_members(tmp_path: Path) -> None:
    members, nonmembers = _answers(600, 2.0, seed=1), _answers(600, 0.0, seed=2)
    members["label"] = np.where(np.arange(600) < 3, 4, members["label"] % 4)

    results = _measured(tmp_path, members, nonmembers, **_WITH_CLASSES)

    assert _aucs(results).keys() == set(_FOUR)
    rare = next(one for one in results.slices if one.key[0].value == "4")
    assert (rare.rows.members, rare.rows.nonmembers) == (3, np.sum(nonmembers["label"] == 4))
    common = next(one for one in results.slices if one.key[0].value == "3")
    # So few tell next to nothing, and the interval says so.
    for attack in rare.attacks:
        value = attack.metrics[0].value
        assert value.upper - value.lower > 0.5
    assert common.attacks[0].metrics[0].value.upper - common.attacks[0].metrics[0].value.lower < 0.3


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        ({"label": np.full(20, 5)}, {},
         r"nonmembers.npz': label 'label' is 5 in one of 20 bad .* class from 0 to 4, since the "
         "model answers with 5 columns"),
        ({}, {"slicing_specs": [{"feature_keys": ["ward"]}]},
         r"members.npz' has no column 'ward', which the configuration names: found label, logits"),
        ({"ward": np.arange(20)}, {"slicing_specs": [{"feature_keys": ["ward"]}]},
         r"/members.npz' has no column 'ward'"),
    ],
)  # fmt: skip
def test_columns_that_do_not_suit_are_an_error_and_leave_nothing(
    tmp_path: Path, change: _Columns, config: dict[str, object], message: str
) -> None:
    members, nonmembers = _answers(20, 0.0, seed=1), _answers(20, 0.0, seed=2)
    with pytest.raises(InputError, match=message):
        _measured(tmp_path, members, {**nonmembers, **change}, **config)
    assert not (tmp_path / "metrics").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.6, -1e-3], "but holds -0.001 in row 7: expected .*Logits are another kind"),
        ([1.2, 0.1], r"but holds 1.2 in row 7: expected \[0, 1\]"),
        ([0.6, 0.6], "row 7 sums to 1.2: expected 1, give or take 0.001.*MULTILABEL; logits are"),
    ],
)
def test_probabilities_that_are_none_are_an_error_that_names_the_row(
    tmp_path: Path, values: list[float], message: str
) -> None:
    good = {"label": np.zeros(20, np.int64), "probabilities": np.full((20, 2), 0.5)}
    bad = {**good, "probabilities": good["probabilities"].copy()}
    bad["probabilities"][7] = values
    with pytest.raises(InputError, match=rf"nonmembers.npz', column 'probabilities'.*{message}"):
        _measured(tmp_path, good, bad)
