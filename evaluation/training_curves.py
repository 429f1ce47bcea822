"""How attacks' training went, for TensorBoard.

`tensorboard --logdir METRICS/tensorboard` shows a run for each attack that has curves,
with an epoch a step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from tfx_privacy.evaluation.suite import FittedSuite
from tfx_privacy.signals.files import join
from tfx_privacy.signals.tfrecord import write_records

FOLDER = "tensorboard"

# TensorBoard takes files with "tfevents" in their names.
EVENTS_FILE = "events.out.tfevents.training"


def write_training_curves(suite: FittedSuite, metrics_dir: str) -> None:
    """Writes the curves of each attack that has some into `tensorboard/<attack>`.

    Nothing is written where none has. TensorFlow is not imported.

    Args:
      suite: The attacks as they were fitted on FIT rows.
      metrics_dir: The directory of the metrics.
    """
    for name, attack in suite.attacks.items():
        if attack.curves:
            folder = join(join(metrics_dir, FOLDER), name)
            write_records(join(folder, EVENTS_FILE), _events(attack.curves, time.time()))


def _events(curves: Mapping[str, Sequence[float]], wall_time: float) -> Iterator[bytes]:
    """Serialised Event messages: the version of the format, then each value of each curve.

    Epochs count from 1. When each ended is not known: all have the time of writing.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    yield Event(wall_time=wall_time, file_version="brain.Event:2").SerializeToString()
    for name, values in curves.items():
        for epoch, value in enumerate(values, start=1):
            summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
            event = Event(wall_time=wall_time, step=epoch, summary=summary)
            yield event.SerializeToString()
