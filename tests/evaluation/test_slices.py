"""Slices from saved predictions to results, against counting the rows in NumPy."""

from __future__ import annotations

import resource
import time
from collections import Counter
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest

from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent, read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.metrics.counts import WHOLE, SliceKey
from tfx_privacy.metrics.loss_deciles import choose_decile_edges, decile_of
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.signals import table_writer
from tfx_privacy.signals.errors import InputError
from tfx_privacy.verdict.judge import judge

_ROWS = 1_500
_CLASSES = 3


def _save(folder: Path, groups: int, rows: int = _ROWS) -> None:
    rng = np.random.default_rng(0)
    for name, leak, first in (("members", 0.8, 0), ("nonmembers", 0.0, rows)):
        label = rng.integers(0, _CLASSES, rows)
        logits = rng.normal(size=(rows, _CLASSES)).astype(np.float32)
        logits[np.arange(rows), label] += leak
        np.savez(
            folder / f"{name}.npz",
            id=first + np.arange(rows),
            label=label,
            logits=logits,
            group=np.array([f"g{group}" for group in rng.integers(0, groups, rows)]),
        )


def _measured(inputs: Path, output: Path, **config: object) -> PrivacyMetricsContent:
    config = {
        "attacks": ["loss_threshold", "confidence"],
        "skip_controls": ["BLIND_BASELINE", "NEGATIVE_CONTROL", "POSITIVE_CONTROL"],
    } | config
    with whole_output(str(output)) as outputs:
        return measure(
            str(inputs / "members.npz"),
            str(inputs / "nonmembers.npz"),
            config_pb2.PrivacyConfig(**config),
            outputs,
            beam.Pipeline,
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slices")
    _save(folder, groups=4)
    _measured(
        folder,
        folder / "metrics",
        slicing_specs=[
            {"signals": ["CLASS", "CORRECTNESS"]},
            {"signals": ["LOSS_DECILE"]},
            {"feature_keys": ["group"], "signals": ["CORRECTNESS"]},
        ],
    )
    return folder


def _key(entry: results_pb2.SliceResult) -> SliceKey:
    return tuple((part.feature, part.value) for part in entry.key)


def _sides(member: np.ndarray, inside: np.ndarray) -> tuple[int, int]:
    return int((member & inside).sum()), int((~member & inside).sum())


def test_slices_by_signals_hold_the_rows_that_numpy_counts(folder: Path) -> None:
    """Outside reference: masks over the saved predictions and the record-risk table."""
    results = read_metrics(str(folder / "metrics")).results
    found = {_key(entry): entry for entry in results.slices}
    parts = [np.load(folder / f"{name}.npz") for name in ("members", "nonmembers")]
    label, logits, group = (
        np.concatenate([part[name] for part in parts]) for name in ("label", "logits", "group")
    )
    member = np.arange(2 * _ROWS) < _ROWS
    right = logits.argmax(axis=1) == label
    expected = {}
    for word, is_it in (("right", right), ("wrong", ~right)):
        for value in range(_CLASSES):
            inside = is_it & (label == value)
            key = (("label", str(value)), ("prediction", word))
            expected[key] = _sides(member, inside)
        for value in np.unique(group):
            key = (("group", str(value)), ("prediction", word))
            expected[key] = _sides(member, is_it & (group == value))
    of_splits = {key: (entry.rows.members, entry.rows.nonmembers) for key, entry in found.items()}
    tenths = {key: of_splits.pop(key) for key in list(of_splits) if key[0][0] == "loss decile"}
    assert of_splits == expected
    assert list(tenths) == sorted((("loss decile", str(tenth)),) for tenth in range(1, 11))
    # Every row is in one tenth, and a tenth of FIT is about a tenth of all.
    sums = np.array(list(tenths.values())).sum(axis=0)
    assert sums.tolist() == [_ROWS, _ROWS]
    assert all(abs(sum(sides) - _ROWS / 5) < 100 for sides in tenths.values())
    assert not results.HasField("slices_left_out")


def test_the_tenths_are_those_of_fit_rows(folder: Path) -> None:
    """Outside reference: losses by SciPy's log-softmax, FIT rows from the record-risk table."""
    from scipy.special import log_softmax

    parts = [np.load(folder / f"{name}.npz") for name in ("members", "nonmembers")]
    label, logits = (np.concatenate([part[n] for part in parts]) for n in ("label", "logits"))
    loss = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(label)), label]
    loss = loss.astype(np.float32)
    member = np.arange(2 * _ROWS) < _ROWS
    table = pq.read_table(folder / "metrics" / "record_risk").to_pandas()
    # The loss threshold's score is minus the loss: it tells which row of the table is which.
    by_loss = {value: row for row, value in enumerate(loss)}
    rows = [by_loss.get(np.float32(-score)) for score in table["score:loss_threshold"]]
    if None in rows:
        pytest.fail("scores are not the losses: expected those of `signals/losses.py`")
    in_fit = np.zeros(len(loss), np.bool_)
    in_fit[np.array(rows)[(table["part"] == "FIT").to_numpy()]] = True
    tenth = decile_of(loss, choose_decile_edges(loss[in_fit], member[in_fit]))
    found = {
        _key(entry)[0][1]: (entry.rows.members, entry.rows.nonmembers)
        for entry in read_metrics(str(folder / "metrics")).results.slices
        if _key(entry)[0][0] == "loss decile"
    }
    assert found == {str(d + 1): _sides(member, tenth == d) for d in range(10)}


def test_the_best_of_attacks_on_a_slice_follows_the_rule(folder: Path) -> None:
    """By evidence.md: the largest upper bound at alpha, the largest lower at alpha / A."""
    from tfx_privacy.metrics.auc import Auc

    content = read_metrics(str(folder / "metrics"))
    results, evidence = content.results, content.evidence
    for entry in results.slices:
        key = _key(entry)
        best = next(v for v in entry.best_of_attacks if v.metric.name == "auc").value
        aucs = {a.name: next(m for m in a.metrics if m.metric.name == "auc") for a in entry.attacks}
        assert set(aucs) == {"loss_threshold", "confidence"}
        assert best.upper == max(auc.value.upper for auc in aucs.values())
        lowers = [
            Auc().measure(evidence.counts[name, key], evidence.edges[name].thresholds, 0.0125).lower
            for name in aucs
        ]
        assert best.lower == pytest.approx(max(lowers), abs=1e-12)
        assert best.estimate == max(aucs[results.best_attack].value.estimate, best.lower)


def test_a_changed_best_of_a_slice_is_refused(folder: Path) -> None:
    content = read_metrics(str(folder / "metrics"))
    judge(content.results, content.evidence, thresholds_pb2.PrivacyThresholds())
    content.results.slices[3].best_of_attacks[0].value.lower -= 1e-6
    with pytest.raises(ValueError, match=r"lower of AUC of the best attack in slice .*edited by"):
        judge(content.results, content.evidence, thresholds_pb2.PrivacyThresholds())


def test_only_the_slices_with_the_most_fit_rows_are_measured(folder: Path, tmp_path: Path) -> None:
    spec = {"feature_keys": ["group"]}
    all_of = _measured(folder, tmp_path / "all", slicing_specs=[spec])
    few = _measured(folder, tmp_path / "few", slicing_specs=[spec], sample_sizes={"max_slices": 3})
    kept = {_key(entry) for entry in few.results.slices}
    assert len(kept) == 3
    (left,) = [entry for entry in all_of.results.slices if _key(entry) not in kept]
    assert few.results.slices_left_out.slices == 1
    assert few.results.slices_left_out.largest_rows == left.rows.members + left.rows.nonmembers

    def fit_rows(entry: results_pb2.SliceResult) -> int:
        rows, judged = entry.rows, entry.judge
        return rows.members + rows.nonmembers - judged.members - judged.nonmembers

    # Ids are unique and all FIT rows are in the sample: what is not judged is FIT.
    assert all(fit_rows(entry) >= fit_rows(left) for entry in few.results.slices)
    expected = [entry for entry in all_of.results.slices if _key(entry) in kept]
    assert list(few.results.slices) == expected
    assert "1 more slice was not measured" in (tmp_path / "few" / "report.html").read_text()


def test_ten_thousand_slices_in_several_buckets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 20_000
    _save(tmp_path, groups=10_000, rows=rows)
    values = Counter(
        value
        for name in ("members", "nonmembers")
        for value in np.load(tmp_path / f"{name}.npz")["group"].tolist()
    )
    monkeypatch.setattr(table_writer, "buckets_for", lambda rows: 3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    content = _measured(
        tmp_path,
        tmp_path / "metrics",
        slicing_specs=[{"feature_keys": ["group"]}],
        metrics=[{"name": "auc"}],
    )
    assert time.process_time() - start < 120
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10
    results = content.results
    assert len(results.slices) == 1_000
    assert results.slices_left_out.slices == len(values) - 1_000
    for entry in results.slices:
        assert entry.rows.members + entry.rows.nonmembers == values[_key(entry)[0][1]]
    whole = content.evidence.counts["loss_threshold", WHOLE]
    assert whole.n_members == results.records.judge.members
    assert (tmp_path / "metrics" / "report.html").stat().st_size < 5_000_000


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"slicing_specs": [{"signals": ["LOSS_DECILE"]}]}, "no loss is known"),
        ({"slicing_specs": [{"signals": ["CORRECTNESS"]}]}, "no label and no logits is known"),
        ({"slicing_specs": [{"feature_keys": ["planet"]}]}, "no column 'planet'.*entropy"),
    ],
)
def test_what_records_cannot_be_sliced_by_is_said(tmp_path: Path, config: dict, words: str) -> None:
    for name in ("members", "nonmembers"):
        np.savez(tmp_path / f"{name}.npz", entropy=np.linspace(0, 1, 40))
    with pytest.raises(InputError, match=words):
        _measured(tmp_path, tmp_path / "metrics", attacks=["entropy"], **config)
