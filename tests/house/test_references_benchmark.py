"""What benchmarks/references.py compares: the same subsets on both sides, and what is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tfx_privacy.benchmarks import references
from tfx_privacy.benchmarks.cifar_references_data import read_split, write_subset
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.tfrecord import write_records

_PIXELS = 12
# A training that leaves a file by the name of a model.
_SAVE = """
import pathlib, sys
model = pathlib.Path(sys.argv[1], "model")
model.mkdir()
(model / "saved_model.pb").write_bytes(b"")
"""


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """60 records to be the target's, 40 that are not."""
    from tensorflow.train import BytesList, Example, Feature, Features, Int64List

    for split, numbers in (("train", range(60)), ("eval", range(60, 100))):
        folder = tmp_path / "pool" / f"Split-{split}"
        folder.mkdir(parents=True)
        examples = [
            Example(
                features=Features(
                    feature={
                        "image": Feature(bytes_list=BytesList(value=[bytes([number] * _PIXELS)])),
                        "label": Feature(int64_list=Int64List(value=[number % 10])),
                    }
                )
            )
            for number in numbers
        ]
        write_records(str(folder / "data.gz"), [one.SerializeToString() for one in examples])
    return tmp_path / "pool"


def test_stock_runs_have_the_subsets_of_the_trainer(pool: Path, tmp_path: Path) -> None:
    """By the digests of ids that ReferenceTrainer's core keeps of what it has written."""
    import apache_beam as beam

    from tfx_privacy.proto import reference_models_pb2 as references_pb2
    from tfx_privacy.reference_models.reference_config import resolve_reference_config
    from tfx_privacy.reference_models.train import TrainingCode, train_reference_models
    from tfx_privacy.signals.examples import ExampleSplit

    config = references_pb2.ReferenceModelsConfig(models=4, seed=5)
    splits = [
        ExampleSplit(name, name == "train", (str(pool / f"Split-{name}" / "*"),))
        for name in ("train", "eval")
    ]
    trained = train_reference_models(
        splits=splits,
        pool=splits,
        config=resolve_reference_config(config, has_transform_graph=False),
        code=TrainingCode("nothing", lambda job, _: [sys.executable, "-c", _SAVE, job.output_dir]),
        train_steps=0,
        only=None,
        work_directory=str(tmp_path / "work"),
        output_dir=str(tmp_path / "output"),
        max_parallel=1,
        transform_graph_dir=None,
        synthesis=None,
        new_pipeline=beam.Pipeline,
    )
    everything = [*read_split(pool, "train"), *read_split(pool, "eval")]
    for model in trained.models:
        folder = tmp_path / f"stock-{model.index}"
        subset = write_subset(pool, 5, 4, model.index, folder)
        assert subset.records == model.trained_on.records
        assert subset.digest == model.trained_on.digest
        train, rest = (read_split(folder, split) for split in ("train", "eval"))
        assert len(train) == subset.records
        assert sorted(train + rest) == sorted(everything)


def test_cost_and_what_is_asked_of_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    setting = references.Setting(tmp_path, tmp_path, models=2, images=100, epochs=1)
    nodes = {"ReferenceTrainer": 180.0, "PrivacyEvaluator": 30.0}
    cheap = references.Cost(1, stock=200.0, nodes=nodes, pipeline=250.0, training=[85.0, 86.0])
    dear = references.Cost(1, stock=180.0, nodes=nodes, pipeline=250.0, training=[85.0, 86.0])
    two = references.Cost(2, stock=100.0, nodes=nodes, pipeline=250.0, training=[85.0, 86.0])
    # 210 / 200, 210 / 180; of both 1.108 in the middle.
    assert references._report_costs(setting, [cheap, two])
    assert "ratio with 1 at a time: 1.050, asked at most 1.1: met" in capsys.readouterr().out
    assert not references._report_costs(setting, [cheap, dear])
    assert "1.108, asked at most 1.1: NOT MET" in capsys.readouterr().out


def test_steps_are_scaled_as_the_trainer_scales_them(tmp_path: Path) -> None:
    setting = references.Setting(tmp_path, tmp_path, models=2, images=10_000, epochs=20)
    # 20 * 5,000 / 32, and 3,125 * 5,030 / 5,000.
    assert (setting.target_steps, setting.steps(5_030)) == (3_125, 3_144)


@pytest.mark.parametrize(
    ("auc", "tpr", "is_met"), [(0.73, 0.06, True), (0.71, 0.06, False), (0.73, 0.05, False)]
)
def test_what_is_asked_of_attacks(auc: float, tpr: float, is_met: bool) -> None:
    results = results_pb2.PrivacyResults()
    for name, its_auc, its_tpr in (
        (references.THRESHOLD, 0.7, 0.02),
        ("lira_online_fixed_variance", 0.75, 0.1),
        ("rmia_online", 0.75, 0.1),
        ("rmia_offline", auc, tpr),
    ):
        attack = results.attacks.add(name=name)
        attack.metrics.add(metric={"name": "auc"}, value={"estimate": its_auc})
        attack.metrics.add(metric={"name": "tpr_at_fpr", "fpr": 0.01}, value={"estimate": its_tpr})
    assert references._is_above_threshold(results) == is_met


def test_the_latest_artifacts_are_found(tmp_path: Path) -> None:
    from tfx_privacy.benchmarks.references_runs import EvaluateSettings

    for number in (2, 10):
        (tmp_path / "PrivacyEvaluator" / "metrics" / str(number)).mkdir(parents=True)
        (tmp_path / "ReferenceTrainer" / "reference_models" / str(number)).mkdir(parents=True)
    (tmp_path / "ReferenceTrainer" / "reference_models" / "work").mkdir()
    run = EvaluateSettings("", "", 2, 1, 1, 0, "", str(tmp_path))
    assert (run.metrics.name, run.references.name) == ("10", "10")
