"""What benchmarks/references.py runs in processes of their own.

    python benchmarks/references_runs.py train EXAMPLES STEPS MODEL
    python benchmarks/references_runs.py evaluate SETTINGS.json

`train` is the stock Trainer's executor, on its own; `evaluate` a pipeline of LocalDagRunner with
ReferenceTrainer and PrivacyEvaluator.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

RUN_FN = "tfx_privacy.benchmarks.cifar_references_model.run_fn"
ATTACKS = ("loss_threshold", "reference")


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """A pipeline run.

    Attributes:
      examples: The pool: the target's splits.
      target: The target's Model artifact.
      models: Reference models.
      max_parallel: Trained at a time.
      train_steps: Of the target.
      seed: Where subsets come from.
      work_directory: Where finished models are kept.
      output: The pipeline's root; gets `timings.json`.
    """

    examples: str
    target: str
    models: int
    max_parallel: int
    train_steps: int
    seed: int
    work_directory: str
    output: str

    @property
    def timings(self) -> Path:
        """Where `evaluate` leaves the seconds of each node."""
        return Path(self.output) / "timings.json"

    @property
    def metrics(self) -> Path:
        """The PrivacyMetrics artifact of the latest run."""
        return _latest(Path(self.output) / "PrivacyEvaluator" / "metrics")

    @property
    def references(self) -> Path:
        """The ReferenceModels artifact of the latest run."""
        return _latest(Path(self.output) / "ReferenceTrainer" / "reference_models")


def _latest(versions: Path) -> Path:
    """The output of the latest execution, by its number."""
    return max((path for path in versions.iterdir() if path.name.isdigit()), key=_number)


def _number(path: Path) -> int:
    return int(path.name)


def train(examples: str, steps: int, model: str) -> None:
    """Trains as the stock Trainer does, its executor called as a launcher calls it."""
    from tfx.components.trainer.executor import GenericExecutor
    from tfx.types import standard_artifacts

    given = standard_artifacts.Examples()
    given.uri, given.split_names = examples, json.dumps(["train", "eval"])
    trained, run = standard_artifacts.Model(), standard_artifacts.ModelRun()
    trained.uri, run.uri = model, f"{model}-run"
    GenericExecutor().Do(
        {"examples": [given]},
        {"model": [trained], "model_run": [run]},
        {
            "run_fn": RUN_FN,
            "train_args": json.dumps({"num_steps": steps}),
            "eval_args": "{}",
            "custom_config": "null",
        },
    )


def evaluate(settings: EvaluateSettings) -> None:
    """Trains reference models and measures the target with them, in a pipeline."""
    from tfx import v1 as tfx
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from tfx_privacy import (
        PrivacyConfig,
        PrivacyEvaluator,
        ReferenceModelsConfig,
        ReferenceTrainer,
    )

    examples = tfx.dsl.Importer(
        source_uri=settings.examples,
        artifact_type=tfx.types.standard_artifacts.Examples,
        properties={"split_names": json.dumps(["train", "eval"])},
    ).with_id("Examples")
    target = tfx.dsl.Importer(
        source_uri=settings.target, artifact_type=tfx.types.standard_artifacts.Model
    ).with_id("Target")
    model_spec = {"label_key": "label"}
    trainer = ReferenceTrainer(
        examples=examples.outputs["result"],
        run_fn=RUN_FN,
        train_args=tfx.proto.TrainArgs(num_steps=settings.train_steps),
        config=ReferenceModelsConfig(
            models=settings.models, seed=settings.seed, model_spec=model_spec
        ),
        max_parallel=settings.max_parallel,
        work_directory=settings.work_directory,
    )
    evaluator = PrivacyEvaluator(
        model=target.outputs["result"],
        examples=examples.outputs["result"],
        reference_models=trainer.outputs["reference_models"],
        config=PrivacyConfig(
            model_spec=model_spec,
            attacks=ATTACKS,
            metrics=[
                {"name": "auc"},
                {"name": "tpr_at_fpr", "fpr": 0.01},
                {"name": "tpr_at_fpr", "fpr": 0.001},
            ],
            # To the blind baseline an image would be one word among as many as there are images.
            inputs={"excluded_feature_keys": ["image"]},
        ),
    )
    metadata = os.path.join(settings.output, "metadata.db")
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="references",
        pipeline_root=settings.output,
        components=[examples, target, trainer, evaluator],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            metadata
        ),
    )
    LocalDagRunner().run(pipeline)
    settings.timings.write_text(json.dumps(_seconds_by_node(metadata)))


def _seconds_by_node(metadata: str) -> dict[str, float]:
    """How long each of the package's nodes took, by the metadata store."""
    from ml_metadata.metadata_store import MetadataStore
    from tfx.orchestration.metadata import sqlite_metadata_connection_config

    store = MetadataStore(sqlite_metadata_connection_config(metadata))
    seconds = {}
    for node in ("ReferenceTrainer", "PrivacyEvaluator"):
        (kind,) = (one for one in store.get_execution_types() if one.name.endswith(f".{node}"))
        last = max(store.get_executions_by_type(kind.name), key=lambda execution: execution.id)
        milliseconds = last.last_update_time_since_epoch - last.create_time_since_epoch
        seconds[node] = milliseconds / 1_000
    return seconds


def main() -> None:
    what, *arguments = sys.argv[1:]
    if what == "train":
        examples, steps, model = arguments
        train(examples, int(steps), model)
    else:
        evaluate(EvaluateSettings(**json.loads(Path(arguments[0]).read_text())))


if __name__ == "__main__":
    main()
