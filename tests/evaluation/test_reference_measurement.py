"""Whole measurements with reference models: told as a whole, and let through by the verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from tfx_privacy.attacks.reference_names import CURVE_ATTACKS, REFERENCE_ATTACKS
from tfx_privacy.evaluation.evaluate import TargetInputs, evaluate
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.verdict.consistency import check_consistent

# By world: what cannot run. Models trained on other records are of no use to online attacks,
# and of one row a user too few are left for RMIA, which needs ten a side.
NOT_RUN = {
    "online": set(),
    "offline": {"lira_online", "lira_online_fixed_variance", "rmia_online"},
    "unit": {"rmia_online", "rmia_offline"},
}


@pytest.mark.parametrize("name", list(NOT_RUN))
def test_what_is_measured_is_let_through(
    worlds: Callable[[str], Any], tmp_path: Path, name: str
) -> None:
    world = worlds(name)
    with whole_output(str(tmp_path / "out")) as outputs:
        evaluate(
            TargetInputs("/the/target", world.model_dir),
            world.splits,
            world.config(attacks=["loss_threshold", "reference"]),
            outputs,
            beam.Pipeline,
            references=world.given,
        )
    content = read_metrics(str(tmp_path / "out"))
    check_consistent(content.results, content.evidence)
    results, told = content.results, content.results.references
    ran = {attack.name for attack in results.attacks} & REFERENCE_ATTACKS
    assert ran == REFERENCE_ATTACKS - NOT_RUN[name]
    assert told.online == (name != "offline")
    curves = {one.attack: [point.models for point in one.points] for one in told.curves}
    assert curves == {attack: [2, 4] for attack in set(CURVE_ATTACKS) - NOT_RUN[name]}
    assert told.curve_rows == results.records.judge
    assert told.rmia_gamma == (2.0 if name != "unit" else 0.0)
    assert told.shadow.recall.members == results.records.judge.members
    # The logits of all that a model was trained on are higher by 2: they lose less there.
    assert told.difference.mean < -0.5
    assert bool([note for note in told.notes if "did not run" in note]) == bool(NOT_RUN[name])
