"""Progress lines, from the records that LocalDagRunner logs."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterator

import pytest
from absl import logging
from rich.console import Console

from tfx_privacy.pipelines import taxi_progress
from tfx_privacy.pipelines.taxi_progress import NodeProgress


@pytest.fixture(autouse=True)
def _notes_are_logged() -> Iterator[None]:
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    yield
    logging.set_verbosity(verbosity)


def test_a_line_for_each_node_that_ended() -> None:
    shown = io.StringIO()
    with NodeProgress(Console(file=shown, width=80)):
        logging.info("Component %s is running.", "Transform")
        logging.info("A cached execution %d is used.", 7)
        logging.info("Component %s is finished.", "Transform")
        logging.info("Component %s is running.", "Trainer")
        logging.info("something else")
        logging.info("Component %s is finished.", "Trainer")
        logging.info("Component %s is running.", "Evaluator")
    logging.info("Component %s is finished.", "Evaluator")
    lines = shown.getvalue().splitlines()
    assert lines[0].split() == ["Transform", "from", "the", "cache"]
    assert lines[1].split()[0] == "Trainer"
    assert lines[1].split()[2] == "s"
    assert len(lines) == 2


def test_tfx_words_its_records_so() -> None:
    from tfx.orchestration.local import local_dag_runner
    from tfx.orchestration.portable import launcher

    runner = inspect.getsource(local_dag_runner)
    assert taxi_progress._STARTED in runner
    assert taxi_progress._ENDED in runner
    assert taxi_progress._CACHED in inspect.getsource(launcher)


def test_reference_trainer_words_its_records_so() -> None:
    from tfx_privacy.components.reference_trainer import executor

    assert executor.PROGRESS == taxi_progress._REFERENCES
