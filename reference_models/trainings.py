"""What happens to each model of a run: its subset is written, it is trained, and kept."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import apache_beam as beam

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models import subsets
from tfx_privacy.reference_models.class_counts import require_classes
from tfx_privacy.reference_models.model_job import ModelJob, TrainingCode, model_name
from tfx_privacy.reference_models.pool_count import PoolCount
from tfx_privacy.reference_models.progress import Listener, TimeLeft, duration, size
from tfx_privacy.reference_models.subset_records import RecordsSource
from tfx_privacy.reference_models.subsets import WrittenPair
from tfx_privacy.reference_models.training_process import TrainingProcess
from tfx_privacy.reference_models.work_directory import WorkDirectory
from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit
from tfx_privacy.signals.id_set import IdSet


@dataclasses.dataclass
class Trainings:
    """The models of one run.

    Attributes:
      wanted: Indices of the models to train, ascending.
      pool: What they are trained on halves of.
      config: Resolved.
      code: What makes a model of a half.
      train_steps: As given for the target; 0 for none.
      source: What is written of a record.
      new_pipeline: Makes the pipelines that pairs are written in.
      listener: Told how far it has come.
      count: What is in the pool.
      work: Where models are kept.
      time_left: Told of each model.
    """

    wanted: Sequence[int]
    pool: Sequence[ExampleSplit]
    config: references_pb2.ReferenceModelsConfig
    code: TrainingCode
    train_steps: int
    source: RecordsSource
    new_pipeline: Callable[[], beam.Pipeline]
    listener: Listener
    count: PoolCount
    work: WorkDirectory
    time_left: TimeLeft
    _pairs: dict[int, WrittenPair] = dataclasses.field(default_factory=dict)
    _finished: dict[int, references_pb2.ReferenceModel] = dataclasses.field(default_factory=dict)

    def start(self, index: int) -> TrainingProcess | None:
        """Starts the training of a model; None where it is finished already.

        Raises:
          InputError: If its subset cannot be written or lacks a class, or the process
            cannot be started.
        """
        earlier = self.work.finished(index)
        if earlier is not None:
            self.time_left.skipped()
            self._end(index, earlier)
            self.listener(f"{self._name(index)}: finished earlier")
            return None
        pair = self._write_pair(index // 2)
        folder = self._folder(index)
        examples_dir = str(folder / "examples")
        subsets.view(self._pair_folder(index // 2), index % 2, examples_dir)
        train, evaluation = _halves(pair, index)
        job = ModelJob(
            index=index,
            models=self.config.models,
            examples_dir=examples_dir,
            train_records=train.records,
            eval_records=evaluation.records,
            train_steps=self._steps(train.records),
            output_dir=str(folder / "output"),
            log_path=self.work.local_log(index),
        )
        steps = f", {job.train_steps:,} steps" if job.train_steps else ""
        self.listener(
            f"{self._name(index)}: training on {train.records:,} records "
            f"({train.records / self.count.members:.0%} of the target's){steps}"
        )
        return TrainingProcess(job, self.code, str(folder / "job.json"))

    def finish(self, process: TrainingProcess) -> None:
        """Keeps the model that a process has trained.

        Raises:
          InputError: If it has failed.
        """
        index, seconds = process.job.index, process.seconds
        self.work.keep_log(index)
        model_folder = process.require_model(self.work.log(index), self._kept())
        pair = self._pairs[index // 2]
        train, evaluation = _halves(pair, index)
        model = references_pb2.ReferenceModel(
            index=index,
            trained_on=id_set(train),
            held_out=id_set(evaluation),
            train_steps=process.job.train_steps,
            seconds=seconds,
            subset_bytes=pair.size,
        )
        self.work.keep(model, model_folder)
        self.time_left.trained(seconds)
        self._end(index, self.finished(index))
        self.listener(
            f"{self._name(index)}: trained in {duration(seconds)}; {self.time_left.in_words()}"
        )

    def finished(self, index: int) -> references_pb2.ReferenceModel:
        """A model that is finished, its folder in full.

        Raises:
          InputError: If somebody has removed it meanwhile.
        """
        model = self._finished.get(index) or self.work.finished(index)
        if model is None:
            raise InputError(
                f"{self._name(index)} was finished, and is gone from {self.work.folder!r}: "
                "expected nobody to tidy up there while models are trained"
            )
        return model

    def _write_pair(self, pair: int) -> WrittenPair:
        if pair in self._pairs:
            return self._pairs[pair]
        start = time.monotonic()
        folder = files.join(self.work.shared_scratch, f"pair-{pair:03d}")
        written = subsets.write_pair(
            self.new_pipeline, self.pool, self.config, pair, self.source, folder
        )
        self._check(pair, written)
        local = self._pair_folder(pair)
        if local != folder:
            files.copy_folder(folder, local)
            files.remove_folder(folder)
        self._pairs[pair] = written
        self.listener(
            f"reference models: subsets of pair {pair + 1} of {self.config.models // 2} written, "
            f"{size(written.size)}, in {duration(time.monotonic() - start)}"
        )
        return written

    def _check(self, pair: int, written: WrittenPair) -> None:
        both = written.first + written.second
        if both != self.count.pool:
            raise InputError(
                f"the pool of the reference models changed while they were trained: it had "
                f"{self.count.pool.records:,} records (digest of ids {self.count.pool.digest}), "
                f"and now has {both.records:,} ({both.digest})"
            )
        spec = self.config.model_spec
        if spec.label_key and spec.task != config_pb2.REGRESSION:
            models = (2 * pair, 2 * pair + 1)
            records = {
                index: _halves(written, index)[0].records
                for index in models
                if index in self.wanted
            }
            require_classes(written.classes, spec.label_key, models, records, self.config.models)

    def _steps(self, records: int) -> int:
        if not self.train_steps or self.config.steps == references_pb2.SAME_STEPS:
            return self.train_steps
        return max(round(self.train_steps * records / self.count.members), 1)

    def _end(self, index: int, model: references_pb2.ReferenceModel) -> None:
        """Gives back what a model needed on disk, and its pair where that is trained."""
        self._finished[index] = model
        shutil.rmtree(self._folder(index), ignore_errors=True)
        pair = index // 2
        if all(each in self._finished for each in self.wanted if each // 2 == pair):
            shutil.rmtree(self._pair_folder(pair), ignore_errors=True)

    def _kept(self) -> str:
        if not self._finished:
            return "No model is finished yet."
        listed = ", ".join(map(str, sorted(self._finished)))
        return (
            f"Finished models are kept in {self.work.folder!r} and will not be trained again: "
            f"index {listed}."
        )

    def _name(self, index: int) -> str:
        return model_name(index, self.config.models)

    def _folder(self, index: int) -> Path:
        return Path(self.work.scratch, f"model-{index:03d}")

    def _pair_folder(self, pair: int) -> str:
        return str(Path(self.work.scratch, f"pair-{pair:03d}"))


def id_set(ids: IdSet) -> references_pb2.IdSet:
    """A set of ids, as the artifact tells of it."""
    return references_pb2.IdSet(records=ids.records, digest=ids.digest)


def _halves(pair: WrittenPair, index: int) -> tuple[IdSet, IdSet]:
    """What a model is trained on, and the rest."""
    return (pair.second, pair.first) if index % 2 else (pair.first, pair.second)
