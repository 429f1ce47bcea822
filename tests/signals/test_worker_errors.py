"""The message that a worker gave an error, out of what Beam made of it."""

from __future__ import annotations

import apache_beam as beam
import pytest

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.worker_errors import input_error_of

MESSAGE = "split 'train': label 'y' is [0.5, 'x'] in 3 of 10 examples\nexpected: a class"

# What direct_running_mode=multi_processing raises, cut in the middle.
REMOTE = f"""Traceback (most recent call last):
  File "observe.py", line 9, in process
    target.run(records)
tfx_privacy.signals.errors.InputError: the model is not there

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1495, in apache_beam.runners.common.DoFnRunner.process
  File "observe.py", line 11, in process
    raise InputError(message) from error
tfx_privacy.signals.errors.InputError: {MESSAGE}

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "apache_beam/runners/worker/sdk_worker.py", line 311, in _execute
    response = task()
  File "observe.py", line 11, in process
    raise InputError(message) from error
tfx_privacy.signals.errors.InputError: {MESSAGE} [while running 'ReadExamples/Read']
"""


class Fail(beam.DoFn):
    def __init__(self, where: str, error: Exception) -> None:
        self._where, self._error = where, error

    def setup(self) -> None:
        self._fail("setup")

    def process(self, element):
        self._fail("process")

    def finish_bundle(self) -> None:
        self._fail("finish_bundle")

    def _fail(self, where: str) -> None:
        if where == self._where:
            raise self._error


def failure(where: str, error: Exception) -> Exception:
    with pytest.raises(Exception) as raised, beam.Pipeline() as pipeline:  # noqa: PT011
        _ = (
            pipeline
            | beam.Create([1])
            | "Pass" >> beam.Map(lambda element: element)
            | "Fail" >> beam.ParDo(Fail(where, error))
        )
    return raised.value


@pytest.mark.parametrize("where", ["setup", "process", "finish_bundle"])
def test_of_the_runner_in_memory(where: str):
    found = input_error_of(failure(where, InputError(MESSAGE)))

    assert str(found) == MESSAGE


def test_of_a_worker_process():
    for text in (REMOTE, REMOTE.partition("\n\nDuring handling")[0]):
        assert str(input_error_of(RuntimeError(text))) == MESSAGE


def test_of_an_error_that_was_not_wrapped():
    error = InputError(MESSAGE)

    assert input_error_of(error) is error


def test_other_errors_are_not_the_users():
    assert input_error_of(failure("process", ValueError("a bug"))) is None
