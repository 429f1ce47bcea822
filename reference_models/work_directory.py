"""Finished models, kept between runs under a digest of all that makes them what they are.

    WORK/<digest>/model-003/finished.json     written last: a model without it is not there
    WORK/<digest>/model-003/model-<run>/      the SavedModel
    WORK/<digest>/model-003/log-<run>.txt     what its training printed; failed ones' too
    WORK/<digest>/run-<run>/                  what a run needs while it goes on

Several runs may use one at the same time, on one machine or more: what each writes has
names of its own, and of two that train the same model the later one's marker counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from google.protobuf import json_format

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.training_process import SAVED_MODEL
from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.id_set import IdSet

# Models that were trained by another version of what is done here are not reused.
_VERSION = 1
_MARKER = "finished.json"
_LOCK = "lock"
_RUN = "run-"


def work_digest(
    pool: IdSet,
    content: IdSet,
    code_digest: str,
    config: references_pb2.ReferenceModelsConfig,
    target_records: int,
    train_steps: int,
) -> str:
    """A digest of what decides each model, whatever the number of models.

    Args:
      pool: The ids of the pool.
      content: The same by content.
      code_digest: Of the training code and its arguments.
      config: Resolved.
      target_records: How many records the target was trained on.
      train_steps: As given for the target; 0 for none.
    """
    decides = [
        _VERSION,
        [pool.records, pool.digest, content.digest],
        code_digest,
        [config.identity.key_feature, config.identity.unit_feature],
        config.seed,
        config.training_examples,
        [config.steps, train_steps, target_records if train_steps else 0],
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]


class WorkDirectory:
    """The part of a work directory that a digest names, as one run uses it."""

    def __init__(self, folder: str, run: str, scratch: str, shared_scratch: str) -> None:
        self.folder = folder
        self._run = run
        self.scratch = scratch
        self.shared_scratch = shared_scratch

    def finished(self, index: int) -> references_pb2.ReferenceModel | None:
        """What is told of a finished model, its folder in full; None where there is none."""
        folder = self._model_folder(index)
        path = files.join(folder, _MARKER)
        if not files.exists(path):
            return None
        try:
            model = json_format.Parse(files.read_bytes(path), references_pb2.ReferenceModel())
        except json_format.ParseError:
            return None
        model.directory = files.join(folder, model.directory)
        # Somebody may have tidied up.
        return model if files.exists(files.join(model.directory, SAVED_MODEL)) else None

    def keep(self, model: references_pb2.ReferenceModel, local_folder: str) -> None:
        """Keeps a model that has just been trained.

        Args:
          model: What to tell of it; its folder is filled in.
          local_folder: The SavedModel, which is moved.

        Raises:
          InputError: If it cannot be written.
        """
        folder = self._model_folder(model.index)
        name = f"model-{self._run}"
        target = files.join(folder, name)
        if files.is_local(folder):
            files.make_folder(folder)
            shutil.move(local_folder, target)
        else:
            files.copy_folder(local_folder, target)
            files.remove_folder(local_folder)
        marker = references_pb2.ReferenceModel()
        marker.CopyFrom(model)
        marker.directory = name
        text = json_format.MessageToJson(marker, preserving_proto_field_name=True)
        files.write_text_whole(files.join(folder, _MARKER), text + "\n")

    def local_log(self, index: int) -> str:
        """Where a training's log is written while it runs."""
        if files.is_local(self.folder):
            return self.log(index)
        return str(Path(self.scratch, f"log-{index:03d}.txt"))

    def log(self, index: int) -> str:
        """Where a training's log is kept."""
        return files.join(self._model_folder(index), f"log-{self._run}.txt")

    def keep_log(self, index: int) -> None:
        """Puts a log where it is kept.

        Raises:
          InputError: If it cannot be written.
        """
        local = self.local_log(index)
        if local != self.log(index):
            files.write_bytes_whole(self.log(index), Path(local).read_bytes())

    def _model_folder(self, index: int) -> str:
        return files.join(self.folder, f"model-{index:03d}")


@contextlib.contextmanager
def use_work_directory(work_directory: str, digest: str) -> Iterator[WorkDirectory]:
    """The work directory for the length of a run, with room for what it needs meanwhile.

    What runs that were killed have left behind is removed: each holds a lock on its
    scratch folder while it lives.

    Args:
      work_directory: Local or remote. Where it is remote, training takes place in a local
        temporary folder, and `shared_scratch` is remote.
      digest: From `work_digest`.

    Raises:
      InputError: If it cannot be written to.
    """
    folder, run = files.join(work_directory, digest), uuid.uuid4().hex[:12]
    if not files.is_local(folder):
        shared = files.join(folder, f"{_RUN}{run}")
        with tempfile.TemporaryDirectory(prefix="reference-models-") as scratch:
            try:
                yield WorkDirectory(folder, run, scratch, shared)
            finally:
                files.remove_folder(shared)
        return
    files.make_folder(folder)
    _remove_left_behind(Path(work_directory))
    local = Path(folder, f"{_RUN}{run}")
    lock = _make_locked(local)
    try:
        yield WorkDirectory(folder, run, str(local), str(local))
    finally:
        shutil.rmtree(local, ignore_errors=True)
        lock.close()


def _make_locked(folder: Path) -> BinaryIO:
    """Makes a folder with a lock in it that is held until it is closed."""
    # Nobody looks into it before it has its name.
    unnamed = folder.with_name(f".{folder.name}")
    files.make_folder(str(unnamed))
    try:
        lock = Path(unnamed, _LOCK).open("wb")  # noqa: SIM115
        with contextlib.suppress(OSError):
            # Not all file systems have locks: nothing is tidied up there.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(folder)
    except OSError as error:
        raise InputError(f"cannot write {str(folder)!r}: {error}") from error
    return lock


def _remove_left_behind(work_directory: Path) -> None:
    for path in work_directory.glob(f"*/{_RUN}*"):
        # Where the lock is held, its run lives.
        with contextlib.suppress(OSError), Path(path, _LOCK).open("rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
