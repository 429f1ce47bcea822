"""What was measured, for TensorBoard.

`tensorboard --logdir METRICS/tensorboard` shows a run for each attack, so that a chart has
all attacks in it, and a run of the best of them with the ROC curves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.metrics.registry import metric_from_spec, metric_key
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.event_file import event_file_name, write_events
from tfx_privacy.reports.histogram import histogram
from tfx_privacy.reports.measures import measure_of
from tfx_privacy.reports.png import Picture
from tfx_privacy.reports.roc_pictures import linear_roc_picture, log_roc_picture
from tfx_privacy.reports.roc_plots import RocCurve
from tfx_privacy.reports.whole_counts import whole_counts
from tfx_privacy.signals.files import join

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tensorboard.compat.proto.summary_pb2 import Summary

EVENTS_FILE = event_file_name("results")
BEST_RUN = "best_of_attacks"

_HISTOGRAM_TEXT = (
    "Records by score. Each bar from left to right stands for a range of scores that about "
    "the same share of records falls into; without a leak both sides look alike and flat."
)


def write_results_events(
    results: results_pb2.PrivacyResults, evidence: Evidence, folder: str, step: int = 0
) -> None:
    """Writes a run for each attack and one of the best of them, each file whole.

    TensorFlow is not imported.

    Args:
      results: What was measured.
      evidence: The counts behind it. Attacks without counts have scalars alone.
      folder: What is given to TensorBoard; a run is a folder in it.
      step: Of all that is written; the number of the model's version, in a history.

    Raises:
      InputError: If a file cannot be written.
    """
    for attack in results.attacks:
        summary = attack_summary(attack, evidence)
        write_events(join(join(folder, attack.name), EVENTS_FILE), [(step, summary)])
    summary = best_summary(results, evidence)
    if summary.value:
        write_events(join(join(folder, BEST_RUN), EVENTS_FILE), [(step, summary)])


def attack_summary(attack: results_pb2.AttackResult, evidence: Evidence) -> Summary:
    """An attack's metrics, and the histograms of its scores where they were counted."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    summary = Summary(value=_scalars(attack.metrics))
    counts = whole_counts(evidence, attack.name)
    if counts is not None and attack.name in evidence.edges:
        bars = histogram(counts, evidence.edges[attack.name])
        sides = {"members": bars.members, "nonmembers": bars.nonmembers}
        summary.value.extend(_histogram(f"scores/{side}", bar) for side, bar in sides.items())
    return summary


def best_summary(results: results_pb2.PrivacyResults, evidence: Evidence) -> Summary:
    """The best of the attacks, and the ROC curves of all where they were counted.

    Of attackers that know less only the attack that was best on FIT has a curve.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary

    summary = Summary(value=_scalars(results.best_of_attacks))
    counted = {
        attack.name: counts
        for attack in results.attacks
        if attack.name == results.best_attack or not split_name(attack.name)[1]
        for counts in [whole_counts(evidence, attack.name)]
        if counts is not None
    }
    if counted:
        curves = [
            RocCurve(name, Roc.from_counts(counts), is_best=name == results.best_attack)
            for name, counts in counted.items()
        ]
        nonmembers = max(counts.n_nonmembers for counts in counted.values())
        summary.value.append(_image("roc/linear", linear_roc_picture(curves)))
        summary.value.append(_image("roc/logarithmic", log_roc_picture(curves, nonmembers)))
    return summary


def _scalars(metrics: Iterable[results_pb2.MetricValue]) -> Iterator[Summary.Value]:
    """Estimate and bounds of each metric; no infinite ones, which a chart cannot show."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    for entry in metrics:
        tag = metric_key(metric_from_spec(entry.metric))
        measure = measure_of(entry.metric)
        parts = {
            "estimate": entry.value.estimate,
            "lower": entry.value.lower,
            "upper": entry.value.upper,
        }
        for part, number in parts.items():
            if math.isfinite(number):
                value = Summary.Value(tag=f"{tag}/{part}", simple_value=number)
                value.metadata.summary_description = f"{measure.title}, {part}. " + (
                    f"{measure.explanation}. Two-sided confidence {entry.value.confidence:g}."
                )
                yield value


def _histogram(tag: str, counts: NDArray[np.int64]) -> Summary.Value:
    """Bars of equal width over [0, 1], as the [k, 3] tensor that TensorBoard's own writer makes."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_DOUBLE
    from tensorboard.plugins.histogram.metadata import create_summary_metadata

    bounds = np.linspace(0, 1, len(counts) + 1)
    buckets = np.stack([bounds[:-1], bounds[1:], counts], axis=1).astype("<f8")
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in buckets.shape])
    tensor = TensorProto(dtype=DT_DOUBLE, tensor_shape=shape, tensor_content=buckets.tobytes())
    metadata = create_summary_metadata(display_name=tag, description=_HISTOGRAM_TEXT)
    return Summary.Value(tag=tag, tensor=tensor, metadata=metadata)


def _image(tag: str, picture: Picture) -> Summary.Value:
    from tensorboard.compat.proto.summary_pb2 import Summary

    image = Summary.Image(
        height=picture.height,
        width=picture.width,
        # Red, green, blue and opacity.
        colorspace=4,
        encoded_image_string=picture.data,
    )
    return Summary.Value(tag=tag, image=image)
