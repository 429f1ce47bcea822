"""What the counts say about one threshold on slices, slice by slice."""

from __future__ import annotations

from collections.abc import Iterable

from tfx_privacy.metrics.counts import Evidence, SliceKey
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.metrics.slicing import SIGNAL_FEATURES, same_value, spec_features
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.verdict.claim import Claim
from tfx_privacy.verdict.examination import (
    FEWEST_ROWS,
    Examination,
    Problem,
    SmallSlice,
    absolute_claim,
    gravest,
    judged_counts,
)


def examine_slices(
    index: int,
    threshold: thresholds_pb2.PrivacyThreshold,
    minimum: thresholds_pb2.RecordCounts,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
) -> Examination:
    """Measures a threshold's metric on every slice that it is for.

    Slices are judged by the attack that was best on FIT, chosen before a JUDGE row was
    seen: to try every attack on every slice would cost each claim most of its level. A
    slice is too small by the rows of the splits, or where a side has not two that are
    judged.

    Args:
      index: The threshold's place in the list.
      threshold: With every default filled in.
      minimum: Rows of the splits that a slice needs.
      results: What was measured.
      evidence: The counts behind it, and the rows of each slice.
    """
    metric = metric_from_spec(threshold.metric)
    attack = results.best_attack
    if not attack:
        nothing = Problem("", "no attack ran", something_to_judge=False)
        return Examination(threshold, metric, problem=nothing)
    claims: list[Claim] = []
    too_small: list[SmallSlice] = []
    problems: list[Problem] = []
    for entry in results.slices:
        key = tuple((part.feature, part.value) for part in entry.key)
        if not is_for(threshold.slicing_specs, key):
            continue
        members, nonmembers = evidence.slice_rows.get(key, (0, 0))
        few = members < minimum.members or nonmembers < minimum.nonmembers
        if few or min(entry.judge.members, entry.judge.nonmembers) < FEWEST_ROWS:
            too_small.append(SmallSlice(key, members, nonmembers))
            continue
        listed = next((one for one in entry.attacks if one.name == attack), None)
        found = judged_counts(metric, attack, key, evidence, listed)
        if isinstance(found, Problem):
            problems.append(found)
            continue
        rows = members + nonmembers
        claims.append(
            absolute_claim(index, metric, threshold.upper_limit, attack, key, rows, found)
        )
    problems.extend(_not_measured(threshold, results))
    left_out = _left_out(threshold, minimum, results)
    if left_out is not None:
        problems.append(left_out)
    return Examination(threshold, metric, tuple(claims), gravest(problems), tuple(too_small))


def _not_measured(
    threshold: thresholds_pb2.PrivacyThreshold, results: results_pb2.PrivacyResults
) -> list[Problem]:
    """That no slice is as the threshold asks for: a mistake where it names some.

    One name of several that makes no slice is a mistake like a threshold of that name alone.
    """
    if not threshold.slicing_specs:
        if results.slices:
            return []
        specs = [spec for spec in results.config.slicing_specs if spec_features(spec)]
        if not specs:
            return [Problem("", "no slice was measured", something_to_judge=False)]
        asked = "; ".join(map(_spec_text, specs))
        return [Problem("", f"no slice was measured, and PrivacyConfig asks for slices by {asked}")]
    keys = _keys(results)
    lacking = [
        spec for spec in threshold.slicing_specs if not any(is_for([spec], key) for key in keys)
    ]
    if not lacking:
        return []
    wanted = "; ".join(_spec_text(spec) for spec in lacking)
    families = {tuple(feature for feature, _ in key) for key in keys}
    found = "; ".join(", ".join(features) for features in sorted(families)) or "none"
    return [
        Problem(
            "",
            f"no slice by {wanted} was measured (found slices by: {found}); expected the "
            "slicing_specs of PrivacyConfig to make them",
            something_to_judge=True,
        )
    ]


def _left_out(
    threshold: thresholds_pb2.PrivacyThreshold,
    minimum: thresholds_pb2.RecordCounts,
    results: results_pb2.PrivacyResults,
) -> Problem | None:
    """That slices beyond `max_slices` may hide what the threshold asks about; None if not.

    Which they are is not known. A slice that the threshold names to the last value is among
    those measured, or missed above. Where all are too small to judge, a threshold that can
    only block would have passed over them.
    """
    left = results.slices_left_out
    if not left.slices:
        return None
    specs = threshold.slicing_specs
    if specs and not any(spec.feature_keys or spec.signals for spec in specs):
        return None
    too_small = left.largest_rows < minimum.members + minimum.nonmembers
    if too_small and threshold.role == thresholds_pb2.BLOCK_ONLY:
        return None
    count = "1 slice was" if left.slices == 1 else f"{left.slices:,} slices were"
    return Problem(
        "",
        f"{count} left out of the measurement, the largest with {left.largest_rows:,} records, "
        "and may be among those that are asked for; expected a larger "
        "sample_sizes.max_slices in PrivacyConfig, or slicing_specs that make fewer",
        something_to_judge=True,
    )


def _keys(results: results_pb2.PrivacyResults) -> list[SliceKey]:
    return [tuple((part.feature, part.value) for part in entry.key) for entry in results.slices]


def _spec_text(spec: config_pb2.SlicingSpec) -> str:
    values = [f"{name}={value}" for name, value in sorted(spec.feature_values.items())]
    signals = [SIGNAL_FEATURES[signal] for signal in spec.signals]
    return ", ".join([*spec.feature_keys, *signals, *values])


def is_for(specs: Iterable[config_pb2.SlicingSpec], key: SliceKey) -> bool:
    """Whether one of the specs makes a slice; no specs make every slice."""
    specs = list(specs)
    return not specs or any(_makes(spec, dict(key)) for spec in specs)


def _makes(spec: config_pb2.SlicingSpec, values: dict[str, str]) -> bool:
    if set(spec_features(spec)) != set(values):
        return False
    return all(same_value(values[name], value) for name, value in spec.feature_values.items())
