"""The process that trains one model: started afresh, logged, ended with its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tfx_privacy.reference_models import leash
from tfx_privacy.reference_models.model_job import ModelJob, TrainingCode, model_name
from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError

MODEL_FOLDER = "model"
SAVED_MODEL = "saved_model.pb"
# Isolated and without site packages: it needs nothing and starts in a fraction of the time.
_LEASH = (sys.executable, "-I", "-S", leash.__file__)
_LAST_LINES = 20
_LAST_BYTES = 16 << 10


class TrainingProcess:
    """A training that runs. Kill it, unless it has ended."""

    def __init__(self, job: ModelJob, code: TrainingCode, job_path: str) -> None:
        """Starts the process.

        Args:
          job: What to train.
          code: What trains it.
          job_path: Where the job is written for the process to read.

        Raises:
          InputError: If the process cannot be started.
        """
        self.job = job
        self._start = time.monotonic()
        files.make_folder(job.output_dir)
        files.write_text_whole(job_path, job.to_json())
        self._process = _start(code.command(job, job_path), job)
        self._end: float | None = None
        # Whoever started the process may be busy when it ends, with the next pair's subsets.
        threading.Thread(target=self._note_end, daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, well or not."""
        return self._process.poll() is not None

    @property
    def has_failed(self) -> bool:
        """Whether the process has ended with another status than 0."""
        return bool(self._process.poll())

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        return (self._end or time.monotonic()) - self._start

    def kill(self) -> None:
        """Ends the process and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._let_go()

    def require_model(self, log_path: str, kept: str) -> str:
        """The folder of the model that the process has made.

        Args:
          log_path: Where the log will be found, for errors.
          kept: What is finished and kept, in a sentence, for errors.

        Raises:
          InputError: If the process failed or has left no model.
        """
        status = self._process.wait()
        self._let_go()
        folder = str(Path(self.job.output_dir, MODEL_FOLDER))
        if status == 0 and Path(folder, SAVED_MODEL).is_file():
            return folder
        what = (
            f"ended well but wrote no SavedModel (no {SAVED_MODEL} where it is exported to): "
            "expected the training code to save one to fn_args.serving_model_dir"
            if status == 0
            else f"failed: its process {_ending(status)}"
        )
        raise InputError(
            f"{model_name(self.job.index, self.job.models)}, on {self.job.train_records:,} "
            f"training records, {what}. {kept} The whole log is {log_path!r}. "
            f"{_end_of_log(self.job)}"
        )

    def _note_end(self) -> None:
        self._process.wait()
        self._end = time.monotonic()

    def _let_go(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()


def _start(command: Sequence[str], job: ModelJob) -> subprocess.Popen[bytes]:
    files.make_folder(str(Path(job.log_path).parent))
    with Path(job.log_path).open("wb") as log:
        try:
            return subprocess.Popen(
                [*_LEASH, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own, so that all it starts can be killed with it.
                start_new_session=True,
            )
        except OSError as error:
            raise InputError(
                f"{model_name(job.index, job.models)}: cannot start a process to train it: {error}"
            ) from error


def _ending(status: int) -> str:
    number = status - leash.KILLED if status > leash.KILLED else -status
    # A program may end with any status: not each above 128 tells of a signal.
    if number in set(signal.Signals):
        hint = "; was there too little memory?" if number == signal.SIGKILL else ""
        return f"was killed by signal {number} ({signal.Signals(number).name}{hint})"
    return f"ended with exit status {status}"


def _end_of_log(job: ModelJob) -> str:
    path = Path(job.log_path)
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(size - _LAST_BYTES, 0))
        lines = log.read().decode("utf-8", "replace").splitlines()
    if not lines:
        return "It is empty."
    return "\n".join(["Its last lines:", *lines[-_LAST_LINES:]])
