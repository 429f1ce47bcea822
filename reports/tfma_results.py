"""What was measured, in TFMA's messages: metrics with bounds and ROC curves, slice by slice.

An attack is a binary classifier of members, so what TFMA shows of one fits it. Importing this
module imports TFMA, which takes seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.proto import config_pb2 as tfma_config_pb2
from tensorflow_model_analysis.proto import metrics_for_slice_pb2 as tfma_pb2

from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, SliceKey
from tfx_privacy.metrics.registry import metric_from_spec, metric_key
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

# TFMA's table of slices shows and sorts by the metric of this name.
EXAMPLE_COUNT = "example_count"

# Of a slice's curve; with thousands of slices every threshold would make gigabytes.
_SLICE_THRESHOLDS = 100


def best_metrics(results: results_pb2.PrivacyResults) -> Iterator[tfma_pb2.MetricsForSlice]:
    """The best of the attacks: one message for the whole, and one for each slice."""
    yield _metrics(WHOLE, results.best_of_attacks, results.records.judge)
    for part in results.slices:
        yield _metrics(slice_key(part.key), part.best_of_attacks, part.judge)


def attack_metrics(
    results: results_pb2.PrivacyResults, attack: str
) -> Iterator[tfma_pb2.MetricsForSlice]:
    """One attack: one message for the whole, and one for each slice.

    A slice without members or non-members has its number of records alone.
    """
    yield _metrics(WHOLE, _values_of(results.attacks, attack), results.records.judge)
    for part in results.slices:
        yield _metrics(slice_key(part.key), _values_of(part.attacks, attack), part.judge)


def best_plots(
    results: results_pb2.PrivacyResults, evidence: Evidence
) -> Iterator[tfma_pb2.PlotsForSlice]:
    """ROC curves: of the attack that was best on FIT under no name, of each by its name.

    On slices there is the best attack alone, at a hundred thresholds at most.
    """
    best = results.best_attack
    named = [("", best), *((attack.name, attack.name) for attack in results.attacks)]
    yield from _plots(WHOLE, named, evidence)
    for part in results.slices:
        yield from _plots(slice_key(part.key), [("", best)], evidence)


def attack_plots(evidence: Evidence, attack: str) -> Iterator[tfma_pb2.PlotsForSlice]:
    """The ROC curve of one attack on the whole; nothing where it was not counted."""
    return _plots(WHOLE, [("", attack)], evidence)


def metric_name(spec: config_pb2.MetricSpec) -> str:
    """What TFMA's views call a metric: "auc", "tpr_at_fpr_0.01"."""
    return metric_key(metric_from_spec(spec))


def metric_value(value: results_pb2.MeasuredValue) -> tfma_pb2.MetricValue:
    """A value with its interval.

    A bound from below alone, epsilon for instance, is a number: TFMA's views have no
    infinite ones.
    """
    if math.isinf(value.upper) or math.isinf(value.lower):
        return tfma_pb2.MetricValue(double_value={"value": value.estimate})
    return tfma_pb2.MetricValue(
        bounded_value=tfma_pb2.BoundedValue(
            value={"value": value.estimate},
            lower_bound={"value": value.lower},
            upper_bound={"value": value.upper},
        )
    )


def slice_key(key: Iterable[results_pb2.SliceKey]) -> SliceKey:
    """The features and values that make a slice."""
    return tuple((part.feature, part.value) for part in key)


def slice_key_message(key: SliceKey) -> tfma_pb2.SliceKey:
    """A slice as TFMA has it; values are text, as they are here."""
    return tfma_pb2.SliceKey(
        single_slice_keys=[
            # Half a surrogate pair has no UTF-8.
            tfma_pb2.SingleSliceKey(column=feature, bytes_value=value.encode("utf-8", "replace"))
            for feature, value in key
        ]
    )


def confusion_matrices(
    counts: ScoreCounts, most: int | None = None
) -> tfma_pb2.ConfusionMatrixAtThresholds:
    """What an attack gets right and wrong at each threshold, ascending.

    TFMA's plots take scores in [0, 1], and an attack's may be any: the threshold that calls
    bin k of b and those above it members stands at k / b. Thresholds that change nothing,
    since no row lies between them and the next lower, are left out.

    Args:
      counts: Rows of both sides.
      most: The most thresholds; those left out are evenly spread. At least 2.
    """
    bins = len(counts.members)
    occupied = np.flatnonzero(counts.members + counts.nonmembers)
    # The lowest threshold calls all members, the highest none.
    thresholds = np.unique(np.concatenate([[0], occupied + 1, [bins]]))
    if most is not None and len(thresholds) > most:
        thresholds = thresholds[np.round(np.linspace(0, len(thresholds) - 1, most)).astype(int)]
    members, nonmembers = _from(counts.members), _from(counts.nonmembers)
    return tfma_pb2.ConfusionMatrixAtThresholds(
        matrices=[
            _matrix(
                bin_ / bins,
                true_positives=int(members[bin_]),
                false_positives=int(nonmembers[bin_]),
                members=counts.n_members,
                nonmembers=counts.n_nonmembers,
            )
            for bin_ in thresholds.tolist()
        ]
    )


def eval_run(results: results_pb2.PrivacyResults, version: str) -> tfma_config_pb2.EvalRun:
    """What TFMA wants to know of the evaluation beside its results.

    Args:
      results: What was measured.
      version: Of TFMA.
    """
    specs = [
        tfma_config_pb2.SlicingSpec(
            feature_keys=spec.feature_keys, feature_values=dict(spec.feature_values)
        )
        for spec in results.config.slicing_specs
    ]
    # With metrics named, its views look for `example_count` under its newer name.
    counted = tfma_config_pb2.MetricConfig(class_name="ExampleCount")
    return tfma_config_pb2.EvalRun(
        eval_config=tfma_config_pb2.EvalConfig(
            model_specs=[
                tfma_config_pb2.ModelSpec(
                    signature_name=results.model.signature_name,
                    label_key=results.config.model_spec.label_key,
                )
            ],
            slicing_specs=[tfma_config_pb2.SlicingSpec(), *specs],
            metrics_specs=[tfma_config_pb2.MetricsSpec(metrics=[counted])],
        ),
        version=version,
        model_locations={"": results.model.uri},
    )


def _values_of(
    attacks: Iterable[results_pb2.AttackResult], name: str
) -> Sequence[results_pb2.MetricValue]:
    return next((attack.metrics for attack in attacks if attack.name == name), ())


def _metrics(
    key: SliceKey, values: Iterable[results_pb2.MetricValue], judge: results_pb2.SideCounts
) -> tfma_pb2.MetricsForSlice:
    message = tfma_pb2.MetricsForSlice(slice_key=slice_key_message(key))
    message.metric_keys_and_values.add(
        key=tfma_pb2.MetricKey(name=EXAMPLE_COUNT),
        value=tfma_pb2.MetricValue(double_value={"value": judge.members + judge.nonmembers}),
    )
    for entry in values:
        message.metric_keys_and_values.add(
            key=tfma_pb2.MetricKey(name=metric_name(entry.metric)), value=metric_value(entry.value)
        )
    return message


def _plots(
    key: SliceKey, named: Iterable[tuple[str, str]], evidence: Evidence
) -> Iterator[tfma_pb2.PlotsForSlice]:
    """One message; none where no attack has rows on both sides.

    Args:
      key: The slice.
      named: The name of TFMA's output, and the attack whose curve it has.
      evidence: The counts.
    """
    message = tfma_pb2.PlotsForSlice(slice_key=slice_key_message(key))
    for output, attack in named:
        counts = evidence.counts.get((attack, key))
        if counts is not None and counts.n_members and counts.n_nonmembers:
            most = _SLICE_THRESHOLDS if key else None
            message.plot_keys_and_values.add(
                key=tfma_pb2.PlotKey(output_name=output),
                value=tfma_pb2.PlotData(
                    confusion_matrix_at_thresholds=confusion_matrices(counts, most)
                ),
            )
    if message.plot_keys_and_values:
        yield message


def _matrix(
    threshold: float, true_positives: int, false_positives: int, members: int, nonmembers: int
) -> tfma_pb2.ConfusionMatrixAtThresholds.ConfusionMatrixAtThreshold:
    false_negatives = members - true_positives
    true_negatives = nonmembers - false_positives
    called = true_positives + false_positives
    not_called = false_negatives + true_negatives
    return tfma_pb2.ConfusionMatrixAtThresholds.ConfusionMatrixAtThreshold(
        threshold=threshold,
        true_positives=true_positives,
        false_positives=false_positives,
        true_negatives=true_negatives,
        false_negatives=false_negatives,
        # NaN, as TFMA itself has it, where nothing is divided.
        precision=true_positives / called if called else math.nan,
        recall=true_positives / members,
        false_positive_rate=false_positives / nonmembers,
        f1=2 * true_positives / (called + members),
        accuracy=(true_positives + true_negatives) / (members + nonmembers),
        false_omission_rate=false_negatives / not_called if not_called else math.nan,
    )


def _from(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """[b + 1]: how many rows are in each bin and above it."""
    return np.concatenate([np.cumsum(counts[::-1])[::-1], [0]])
