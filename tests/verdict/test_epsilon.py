"""Thresholds on epsilon: a bound from below, that blocks or shows nothing."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format
from scipy import stats

from tfx_privacy.metrics.counts import ScoreCounts
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.judge import judge

PASS, BLOCK, CANNOT_TELL = verdict_pb2.PASS, verdict_pb2.BLOCK, verdict_pb2.CANNOT_TELL
# 90% of 1,000 members, 10% of 1,000 others.
STRONG = ScoreCounts(np.array([100, 900]), np.array([900, 100]))
NOTHING = ScoreCounts(np.array([10_000, 10_000]), np.array([10_000, 10_000]))


def _thresholds(epsilon: float) -> thresholds_pb2.PrivacyThresholds:
    text = f"""
        thresholds {{ metric {{ name: "auc" }} upper_limit: 0.99 }}
        thresholds {{ metric {{ name: "epsilon" }} upper_limit: {epsilon} }}
    """
    return text_format.Parse(text, thresholds_pb2.PrivacyThresholds())


def _attainable(rows: int) -> float:
    """log(TPR / FPR) of an attack without mistakes, by the "rule of three" made exact.

    No mistake in n rows has the upper bound 1 - a^(1/n), here at a = .025 / 2.
    """
    miss = 1 - 0.0125 ** (1 / rows)
    return float(np.log((1 - miss) / miss))


def test_it_blocks(measurements) -> None:
    run = measurements.of_counts({"a": STRONG})
    # By hand: Clopper-Pearson of 900 and 100 of 1,000 at .025 / 2.
    tpr = stats.beta.ppf(0.0125, 900, 101)
    fpr = stats.beta.ppf(1 - 0.0125, 101, 900)
    verdict = judge(run.results, run.evidence, _thresholds(1.0))
    assert verdict.outcome == BLOCK
    finding = verdict.findings[1]
    assert finding.value.lower == pytest.approx(np.log(tpr / fpr))
    assert finding.threshold.role == thresholds_pb2.BLOCK_ONLY
    assert verdict.reasons[0].startswith(
        "BLOCK: any (epsilon, delta) guarantee of this training would need epsilon >= "
        f"{np.floor(100 * finding.value.lower) / 100:.2f} (95%). This is no upper limit."
    )


def test_a_small_bound_passes_nothing_and_hinders_nothing(measurements) -> None:
    run = measurements.of_counts({"a": NOTHING})
    verdict = judge(run.results, run.evidence, _thresholds(1.0))
    assert verdict.outcome == PASS
    finding = verdict.findings[1]
    assert finding.outcome == CANNOT_TELL
    assert not finding.cannot_fire
    assert not finding.interval_too_wide
    assert finding.reason.startswith("NOT BLOCKED: no epsilon above 0 was shown to be needed by an")
    assert "This is no upper limit." in finding.reason
    most = _attainable(20_000)
    assert f"The most that so many records could show is {most:.2f}." in finding.reason


def test_a_limit_beyond_what_the_sample_could_show_cannot_fire(measurements) -> None:
    run = measurements.of_counts({"a": STRONG})
    most = _attainable(1000)
    above = judge(run.results, run.evidence, _thresholds(most + 0.001)).findings[1]
    assert above.cannot_fire
    assert above.smallest_blocked == np.inf
    assert "This threshold cannot fire: the most that so many records could show is" in above.reason
    assert f"epsilon {most:.3f}"[:-1] in above.reason
    below = judge(run.results, run.evidence, _thresholds(most - 0.001)).findings[1]
    assert not below.cannot_fire


def test_other_metrics_that_cannot_fire_say_so_too(measurements) -> None:
    # With 20 records a side not even a perfect attack has an AUC above .95 for sure.
    few = ScoreCounts(np.array([0, 20]), np.array([20, 0]))
    run = measurements.of_counts({"a": few})
    limit = 'thresholds { metric { name: "auc" } upper_limit: 0.95 }'
    (finding,) = judge(
        run.results,
        run.evidence,
        text_format.Parse(limit, thresholds_pb2.PrivacyThresholds()),
    ).findings
    assert finding.cannot_fire
    assert finding.smallest_blocked == np.inf
    assert "This threshold cannot fire" in finding.reason


def test_canary_epsilon_of_what_no_coin_made_is_cannot_tell(measurements) -> None:
    # Two members to a non-member: no fair coin put these in and those out.
    run = measurements.of(members=6000, nonmembers=3000, advantages={"a": 0.0})
    text = """
        thresholds { metric { name: "auc" } upper_limit: 0.6 }
        thresholds { metric { name: "canary_epsilon" delta: 1e-5 } upper_limit: 1 }
    """
    verdict = judge(
        run.results, run.evidence, text_format.Parse(text, thresholds_pb2.PrivacyThresholds())
    )
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    finding = verdict.findings[1]
    assert finding.outcome == CANNOT_TELL
    assert "was not measured: the counts of the attack 'a' do not allow it" in finding.reason
