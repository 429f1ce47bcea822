"""Event files, which TensorBoard reads; written without TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tfx_privacy.signals.tfrecord import write_records

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

# TensorBoard takes files with "tfevents" in their names.
_PREFIX = "events.out.tfevents."


def event_file_name(content: str) -> str:
    """The name of an event file.

    Args:
      content: What it holds, in a word that sets it apart from others of the same run.
    """
    return _PREFIX + content


def write_events(path: str, steps: Iterable[tuple[int, Summary]]) -> None:
    """Writes an event file that appears whole.

    Args:
      path: With a name of `event_file_name`. All files of a folder are one run.
      steps: Steps with what there is to show at each; all have the time of writing.

    Raises:
      InputError: If the file cannot be written.
    """
    write_records(path, _events(steps, time.time()))


def _events(steps: Iterable[tuple[int, Summary]], wall_time: float) -> Iterator[bytes]:
    """Serialised Event messages; the version of the format comes first."""
    from tensorboard.compat.proto.event_pb2 import Event

    yield Event(wall_time=wall_time, file_version="brain.Event:2").SerializeToString()
    for step, summary in steps:
        yield Event(wall_time=wall_time, step=step, summary=summary).SerializeToString()
