"""The controls in a whole run, from files with input columns to results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest

from tfx_privacy.evaluation.attack_table import Outputs
from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent, read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.metrics.controls import (
    BLIND_BASELINE,
    NEGATIVE,
    POSITIVE_SHARES,
    ControlOutcome,
    judge_blind_baseline,
    judge_negative,
    judge_positive,
    positive_run,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.verdict.consistency import check_consistent

_ROWS = 3_000
_RARE = 40
_CONFIG = config_pb2.PrivacyConfig(
    attacks=["loss_threshold", "logistic_regression"],
    slicing_specs=[{"feature_keys": ["town"]}],
)
Run = Callable[[float], Path]


def _save(folder: Path, drift: float) -> None:
    """A model that leaks nothing. Non-members' `age` is higher by so many deviations.

    Each of 40 members has a town of its own.
    """
    for name, seed, shift in (("members", 1, 0.0), ("nonmembers", 2, drift)):
        rng = np.random.default_rng(seed)
        logits = rng.normal(size=(_ROWS, 3)).astype(np.float32)
        town = np.array(["Zug"] * _ROWS, dtype="<U10")
        if name == "members":
            town[:_RARE] = [f"rare {place:02d}" for place in range(_RARE)]
        np.savez(
            folder / f"{name}.npz",
            id=np.arange(_ROWS) + seed * _ROWS,
            label=rng.integers(0, 3, _ROWS),
            logits=logits,
            town=town,
            age=(rng.normal(size=_ROWS) + shift).astype(np.float32),
            colour=np.array(["red", "blue"])[rng.integers(0, 2, _ROWS)],
        )


def _measure(
    folder: Path, config: config_pb2.PrivacyConfig, outputs: Outputs
) -> PrivacyMetricsContent:
    members, nonmembers = (str(folder / f"{name}.npz") for name in ("members", "nonmembers"))
    return measure(members, nonmembers, config, outputs, beam.Pipeline)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The directory of a run by the drift of its data."""
    made: dict[float, Path] = {}

    def make(drift: float) -> Path:
        if drift not in made:
            folder = tmp_path_factory.mktemp("run")
            _save(folder, drift)
            with whole_output(str(folder / "metrics")) as outputs:
                _measure(folder, _CONFIG, outputs)
            made[drift] = folder / "metrics"
        return made[drift]

    return make


def _blind(content: PrivacyMetricsContent) -> tuple[ControlOutcome, str]:
    found = judge_blind_baseline(content.results.controls.blind_baseline, content.evidence, ())
    return found.outcome, found.reason


def test_healthy_data_pass_every_control(run: Run) -> None:
    content = read_metrics(str(run(0.0)))
    controls = content.results.controls
    assert _blind(content)[0] == ControlOutcome.PASSED
    negative = judge_negative(controls.negative, content.evidence, ())
    assert negative.outcome == ControlOutcome.PASSED
    positive = judge_positive(controls.positive, content.evidence, 0.55)
    assert positive.outcome == ControlOutcome.PASSED
    assert [one.share for one in controls.positive.runs] == list(POSITIVE_SHARES)
    assert not controls.blind_baseline.features
    # Label, age, colour and town.
    assert controls.blind_baseline.features_seen == 4


def test_a_drifting_feature_is_seen_and_named(run: Run) -> None:
    """Expected AUC of two normal distributions d deviations apart: Phi(d / sqrt(2))."""
    content = read_metrics(str(run(0.5)))
    blind = content.results.controls.blind_baseline
    assert _blind(content)[0] == ControlOutcome.FAILED
    assert [one.feature for one in blind.features] == ["age"]
    found = next(one.value for one in blind.metrics if one.metric.name == "auc")
    assert found.estimate == pytest.approx(0.638, abs=0.03)
    assert "'age'" in _blind(content)[1]


def test_a_blind_baseline_of_the_label_alone_has_seen_nothing_else(run: Run) -> None:
    content = read_metrics(str(run(0.0)))
    check_consistent(content.results, content.evidence)
    content.results.controls.blind_baseline.label_alone = True
    with pytest.raises(ValueError, match="found that it saw 4 features, and the label alone"):
        check_consistent(content.results, content.evidence)


def test_the_blind_baseline_judges_every_judged_record(run: Run) -> None:
    content = read_metrics(str(run(0.5)))
    (counts,) = content.evidence.controls[BLIND_BASELINE].counts.values()
    judge = content.results.records.judge
    assert (counts.n_members, counts.n_nonmembers) == (judge.members, judge.nonmembers)
    assert not [key for key in content.evidence.counts if key[0] == BLIND_BASELINE]


def test_the_blind_baseline_has_no_score_in_record_risk(run: Run) -> None:
    names = pq.read_table(run(0.5) / "record_risk").schema.names
    assert [name for name in names if name.startswith("score:")] == [
        "score:loss_threshold",
        "score:logistic_regression",
    ]


def test_results_say_what_the_counts_say(run: Run) -> None:
    content = read_metrics(str(run(0.5)))
    check_consistent(content.results, content.evidence)
    assert set(content.evidence.controls) == {
        BLIND_BASELINE,
        NEGATIVE,
        *map(positive_run, POSITIVE_SHARES),
    }
    assert [one.metric.name for one in content.results.controls.power] == [
        one.name for one in content.results.config.metrics
    ]
    assert "controls" in [one.stage for one in content.results.stages]


def test_every_slice_is_listed_with_the_rows_that_the_splits_have(run: Run) -> None:
    """Counted by hand: 40 towns of one member each, the rest live in Zug."""
    slices = {one.key[0].value: one for one in read_metrics(str(run(0.0))).results.slices}
    zug = slices.pop("Zug")
    assert (zug.rows.members, zug.rows.nonmembers) == (_ROWS - _RARE, _ROWS)
    assert set(slices) == {f"rare {place:02d}" for place in range(_RARE)}
    for one in slices.values():
        assert (one.rows.members, one.rows.nonmembers) == (1, 0)
        assert not one.attacks
    # Some of the 40 rows are FIT: such a slice has no judged row and is listed all the same.
    judged = [one.judge.members for one in slices.values()]
    assert set(judged) == {0, 1}


def test_inputs_are_not_needed(run: Run, tmp_path: Path) -> None:
    inputs = run(0.0).parent
    config = config_pb2.PrivacyConfig(attacks=["loss_threshold"])
    config.inputs.excluded_feature_keys.extend(["age", "colour", "town"])
    with whole_output(str(tmp_path)) as outputs:
        content = _measure(inputs, config, outputs)
    blind = content.results.controls.blind_baseline
    # The label is left to look at, and it can only fail.
    assert blind.label_alone
    assert BLIND_BASELINE in content.evidence.controls
    assert _blind(content)[0] == ControlOutcome.NOT_RUN
    assert content.results.controls.negative.attacks
