"""Controls that were taken out of metrics are missed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tfx_privacy.evaluation.accounted_controls import require_controls
from tfx_privacy.metrics.controls import POSITIVE_SHARES
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.errors import InputError

Results = results_pb2.PrivacyResults


def _results() -> Results:
    # Correctness cannot see a planted leak, so it is not in those runs.
    both = [{"name": "loss_threshold"}, {"name": "correctness"}]
    return Results(
        config={"attacks": [one["name"] for one in both]},
        attacks=both,
        controls={
            "blind_baseline": {"metrics": [{"metric": {"name": "auc"}}]},
            "negative": {"attacks": both},
            "positive": {
                "runs": [{"share": share, "attacks": both[:1]} for share in POSITIVE_SHARES]
            },
        },
    )


def test_a_control_that_ran_or_says_why_not_is_accounted_for() -> None:
    require_controls(_results())
    results = _results()
    for part in ("blind_baseline", "negative", "positive"):
        results.controls.ClearField(part)
        getattr(results.controls, part).not_run = "left out by the configuration (skip_controls)"
    require_controls(results)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda r: r.controls.ClearField("blind_baseline"), "nothing of the blind baseline"),
        (lambda r: r.controls.ClearField("negative"), "nothing of the negative control"),
        (lambda r: r.controls.ClearField("positive"), r"with shares \[\]; expected \[0.05, 0.1"),
        (lambda r: r.controls.positive.runs.pop(), r"with shares \[0.05, 0.1, 0.2\]; expected"),
        (
            lambda r: r.controls.negative.attacks.pop(),
            "nothing of correctness in the negative control",
        ),
        (
            lambda r: r.controls.positive.runs[1].ClearField("attacks"),
            "nothing of the positive control with share 0.1",
        ),
        (lambda r: setattr(r.attacks[0], "name", "loss"), "nothing of loss in the negative"),
        (lambda r: r.config.ClearField("attacks"), "which attacks were asked for"),
    ],
)
def test_what_was_taken_out_is_missed(edit: Callable[[Results], object], words: str) -> None:
    results = _results()
    edit(results)
    with pytest.raises(InputError, match=words):
        require_controls(results)
