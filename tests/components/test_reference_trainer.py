"""ReferenceTrainer: models trained by the stock Trainer's executor, each in its own process.

A process takes half a minute to import TFX, so that few are started and several tests look
at what they did.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from tfx import types
from tfx.proto import trainer_pb2
from tfx.types import Artifact, standard_artifacts

from tfx_privacy.components.artifacts import (
    PrivacyMetrics,
    PrivacySignals,
    RecordRisk,
    ReferenceModels,
)
from tfx_privacy.components.privacy_evaluator import component as privacy_evaluator
from tfx_privacy.components.privacy_evaluator import executor as privacy_evaluator_executor
from tfx_privacy.components.reference_trainer import executor as reference_trainer_executor
from tfx_privacy.components.reference_trainer.component import ReferenceTrainer
from tfx_privacy.components.reference_trainer.nodes import reference_trainer_nodes
from tfx_privacy.components.reference_trainer.run_fn_source import digest_of_module
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.artifact import DESCRIPTION_FILE, read_description
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import peek

NewArtifact = Callable[..., Artifact]

_MODULE = "training_code_of_a_test"
# Its `run_fn` writes down what it was given. A file `fail` beside the data makes that of the
# third model fail; `forget` makes it write no model.
_SOURCE = """
    import json
    import os

    import keras
    import tensorflow as tf

    _SPEC = {name: tf.io.FixedLenFeature([1], tf.float32) for name in ("a", "b")}
    _SPEC["label"] = tf.io.FixedLenFeature([1], tf.int64)


    def _rows(patterns):
        files = sorted(tf.io.gfile.glob(patterns))
        kinds = [("GZIP" if file.endswith(".gz") else "") for file in files]
        sets = [tf.data.TFRecordDataset(file, kind) for file, kind in zip(files, kinds)]
        records = [record.numpy() for each in sets for record in each]
        parsed = tf.io.parse_example(tf.constant(records), _SPEC)
        features = tf.concat([parsed["a"], parsed["b"]], axis=1)
        return features.numpy(), parsed["label"].numpy()[:, 0]


    def run_fn(fn_args):
        folder = fn_args.custom_config["folder"]
        train, evaluation = _rows(fn_args.train_files), _rows(fn_args.eval_files)
        given = {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "train": len(train[0]),
            "eval": len(evaluation[0]),
            "train_steps": fn_args.train_steps,
            "eval_steps": fn_args.eval_steps,
            "hyperparameters": fn_args.hyperparameters,
            "schema": os.path.basename(fn_args.schema_path),
            "custom_config": fn_args.custom_config,
        }
        with open(os.path.join(folder, "given.jsonl"), "a") as stream:
            stream.write(json.dumps(given) + "\\n")
            stream.flush()
        with open(os.path.join(folder, "given.jsonl")) as stream:
            calls = len(stream.readlines())
        if calls >= 3 and os.path.exists(os.path.join(folder, "fail")):
            raise RuntimeError("no GPU was found")
        if os.path.exists(os.path.join(folder, "forget")):
            return
        keras.utils.set_random_seed(1)
        inputs = keras.Input((2,))
        hidden = keras.layers.Dense(64, activation="relu")(inputs)
        model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
        model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
        model.fit(*train, batch_size=64, epochs=30, verbose=0, shuffle=False)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(examples):
            spec = {name: _SPEC[name] for name in ("a", "b")}
            parsed = tf.io.parse_example(examples, spec)
            answers = model(tf.concat([parsed["a"], parsed["b"]], axis=1))
            return {"probabilities": answers}

        tf.saved_model.save(
            model, fn_args.serving_model_dir, signatures={"serving_default": serve}
        )
"""


@dataclasses.dataclass(frozen=True)
class _World:
    """Inputs of a node, and the folder that its training code writes notes to."""

    folder: Path
    inputs: Mapping[str, list[Artifact]]

    @property
    def given(self) -> list[dict]:
        """What each call of `run_fn` was given."""
        return [json.loads(line) for line in (self.folder / "given.jsonl").read_text().splitlines()]


def _properties(world: _World, **changes: object) -> dict[str, object]:
    """Of a node, as TFX would give them to its executor."""
    arguments: dict[str, object] = {
        "run_fn": f"{_MODULE}.run_fn",
        "config": references_pb2.ReferenceModelsConfig(models=4, model_spec={"label_key": "label"}),
        "train_args": trainer_pb2.TrainArgs(num_steps=800),
        "eval_args": trainer_pb2.EvalArgs(num_steps=5),
        "custom_config": {"folder": str(world.folder)},
        "max_parallel": 2,
        **changes,
    }
    node = ReferenceTrainer(
        examples=types.Channel(type=standard_artifacts.Examples),
        schema=types.Channel(type=standard_artifacts.Schema),
        hyperparameters=types.Channel(type=standard_artifacts.HyperParameters),
        **arguments,
    )
    return dict(node.exec_properties)


def _do(world: _World, output: Path, properties: Mapping[str, object]) -> Artifact:
    """Runs the executor; TFX gives each run an output directory of its own, side by side."""
    artifact = ReferenceModels()
    artifact.uri = str(output)
    output.mkdir(parents=True)
    context = reference_trainer_executor.Executor.Context(
        beam_pipeline_args=[], tmp_dir=str(world.folder / "tmp"), unique_id="1"
    )
    executor = reference_trainer_executor.Executor(context)
    executor.Do(dict(world.inputs), {"reference_models": [artifact]}, dict(properties))
    return artifact


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of the training code, importable here and by no other process."""
    folder = tmp_path_factory.mktemp("code")
    path = folder / f"{_MODULE}.py"
    path.write_text(textwrap.dedent(_SOURCE))
    sys.path.append(str(folder))
    yield path
    sys.path.remove(str(folder))


def _new_world(target: Path, folder: Path) -> _World:
    examples = standard_artifacts.Examples()
    examples.uri = str(folder / "examples")
    for split, name in (("train", "train.tfrecord"), ("eval", "eval.tfrecord.gz")):
        (folder / "examples" / f"Split-{split}").mkdir(parents=True)
        content = (target / name).read_bytes()
        (folder / "examples" / f"Split-{split}" / name).write_bytes(content)
    examples.split_names = json.dumps(["train", "eval"])
    schema, best = standard_artifacts.Schema(), standard_artifacts.HyperParameters()
    for artifact, name, text in (
        (schema, "schema.pbtxt", 'feature { name: "a" type: FLOAT }'),
        (best, "best.json", '{"units": 64}'),
    ):
        artifact.uri = str(folder / name.partition(".")[0])
        Path(artifact.uri).mkdir()
        Path(artifact.uri, name).write_text(text)
    inputs = {"examples": [examples], "schema": [schema], "hyperparameters": [best]}
    return _World(folder, inputs)


@pytest.fixture(scope="module")
def crashed(
    target: Path, module: Path, tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """A run whose third and fourth model fail, and the same again when they do not."""
    world = _new_world(target, tmp_path_factory.mktemp("crashed"))
    properties = _properties(world)
    (world.folder / "fail").touch()
    with pytest.raises(InputError) as error:
        _do(world, world.folder / "node" / "1", properties)
    before = len(world.given)
    (world.folder / "fail").unlink()
    artifact = _do(world, world.folder / "node" / "2", properties)
    return SimpleNamespace(
        world=world, error=str(error.value), before=before, artifact=artifact, properties=properties
    )


def test_a_model_that_fails_is_told_by_name_and_the_finished_ones_are_kept(
    crashed: SimpleNamespace,
) -> None:
    given = crashed.world.given
    assert "reference model 3 of 4" in crashed.error or "reference model 4 of 4" in crashed.error
    assert "RuntimeError: no GPU was found" in crashed.error
    assert any(f"{each['train']:,} training records" in crashed.error for each in given[2:4])
    assert not (crashed.world.folder / "node" / "1" / DESCRIPTION_FILE).exists()
    # Two were trained, one or two failed, and two more were enough.
    assert len(given) == crashed.before + 2
    work = crashed.world.folder / "node" / "work"
    assert len(list(work.glob("*/model-*/finished.json"))) == 4


def test_training_code_gets_what_trainer_would_give_it(crashed: SimpleNamespace) -> None:
    given = crashed.world.given
    for each in given:
        # A pool of 700, a target trained on 400 of them in 800 steps: two steps a record.
        assert each["train"] + each["eval"] == 700
        assert each["train_steps"] == 2 * each["train"]
        assert each["eval_steps"] == 5
        assert each["hyperparameters"] == {"units": 64}
        assert each["schema"] == "schema.pbtxt"
        assert each["custom_config"] == {"folder": str(crashed.world.folder)}
    assert len({each["pid"] for each in given}) == len(given)
    assert all(each["train"] not in (0, 700) for each in given)


def test_artifact_holds_the_models_and_says_what_they_were_trained_on(
    crashed: SimpleNamespace,
) -> None:
    import tensorflow as tf

    artifact = crashed.artifact
    description = read_description(artifact.uri)
    assert [model.index for model in description.models] == [0, 1, 2, 3]
    assert description.target_records == 400
    assert description.pool.records == 700
    for first, second in ((0, 1), (2, 3)):
        one, other = description.models[first], description.models[second]
        assert one.trained_on == other.held_out
        assert one.trained_on.records + other.trained_on.records == 700
        assert one.train_steps == 2 * one.trained_on.records
    kernels = set()
    for model in description.models:
        loaded = tf.saved_model.load(str(Path(artifact.uri, model.directory)))
        variables = loaded.signatures["serving_default"].trainable_variables
        kernels.add(variables[0].numpy().tobytes())
    assert len(kernels) == 4
    assert artifact.get_int_custom_property("models") == 4
    assert artifact.get_string_custom_property("pool") == "online"
    assert artifact.get_int_custom_property("target_records") == 400


def test_subsets_are_gone(crashed: SimpleNamespace) -> None:
    # The data's own files, and no others.
    found = list(crashed.world.folder.rglob("Split-*"))
    assert {path.parent for path in found} == {crashed.world.folder / "examples"}
    for model in read_description(crashed.artifact.uri).models:
        assert model.subset_bytes > 0


def test_a_third_run_trains_nothing_and_gives_the_same(crashed: SimpleNamespace) -> None:
    calls = len(crashed.world.given)
    again = _do(crashed.world, crashed.world.folder / "node" / "3", crashed.properties)
    assert len(crashed.world.given) == calls
    assert read_description(again.uri) == read_description(crashed.artifact.uri)
    for model in read_description(again.uri).models:
        ours, theirs = (
            Path(uri, model.directory, "saved_model.pb").read_bytes()
            for uri in (again.uri, crashed.artifact.uri)
        )
        assert ours == theirs


def test_fewer_models_are_some_of_them(crashed: SimpleNamespace) -> None:
    """The order and the number of models decide nothing about each."""
    calls = len(crashed.world.given)
    fewer = references_pb2.ReferenceModelsConfig(models=2, model_spec={"label_key": "label"})
    artifact = _do(
        crashed.world,
        crashed.world.folder / "node" / "4",
        _properties(crashed.world, config=fewer),
    )
    assert len(crashed.world.given) == calls
    ids = [model.trained_on for model in read_description(artifact.uri).models]
    assert ids == [model.trained_on for model in read_description(crashed.artifact.uri).models[:2]]


def _measured(
    crashed: SimpleNamespace, new_artifact: NewArtifact, tmp: Path, models: Artifact
) -> results_pb2.PrivacyResults:
    """PrivacyEvaluator's results for one of the reference models, in the target's place."""
    target = standard_artifacts.Model()
    target.uri = str(tmp / "target")
    description = read_description(models.uri)
    Path(target.uri).mkdir(exist_ok=True)
    link = Path(target.uri, "Format-Serving")
    if not link.exists():
        link.symlink_to(Path(models.uri, description.models[0].directory))
    outputs = {
        "metrics": [new_artifact(PrivacyMetrics)],
        "signals": [new_artifact(PrivacySignals)],
        "record_risk": [new_artifact(RecordRisk)],
    }
    node = privacy_evaluator.PrivacyEvaluator(
        model=types.Channel(type=standard_artifacts.Model),
        examples=types.Channel(type=standard_artifacts.Examples),
        reference_models=types.Channel(type=ReferenceModels),
        config=config_pb2.PrivacyConfig(
            model_spec={"label_key": "label"}, attacks=["loss_threshold", "rmia_online"]
        ),
    )
    inputs = {
        "model": [target],
        "examples": crashed.world.inputs["examples"],
        "reference_models": [models],
    }
    context = privacy_evaluator_executor.Executor.Context(
        beam_pipeline_args=[], tmp_dir=str(tmp), unique_id="1"
    )
    privacy_evaluator_executor.Executor(context).Do(inputs, outputs, dict(node.exec_properties))
    return read_metrics(outputs["metrics"][0].uri).results


def test_evaluator_compares_the_target_with_them(
    crashed: SimpleNamespace, new_artifact: NewArtifact, tmp_path: Path
) -> None:
    results = _measured(crashed, new_artifact, tmp_path, crashed.artifact)
    assert results.references.uri == crashed.artifact.uri
    assert {attack.name for attack in results.attacks} == {"loss_threshold", "rmia_online"}


def test_evaluator_wants_references_where_they_are_configured() -> None:
    config = config_pb2.PrivacyConfig(model_spec={"label_key": "label"}, references={})
    with pytest.raises(InputError, match=r"config\.references, and no reference_models"):
        privacy_evaluator.PrivacyEvaluator(
            model=types.Channel(type=standard_artifacts.Model),
            examples=types.Channel(type=standard_artifacts.Examples),
            config=config,
        )


def test_module_file_that_writes_no_model(target: Path, module: Path, tmp_path: Path) -> None:
    world = _new_world(target, tmp_path)
    (world.folder / "forget").touch()
    config = references_pb2.ReferenceModelsConfig(models=2, model_spec={"label_key": "label"})
    changes = {"run_fn": None, "module_file": str(module), "config": config, "max_parallel": 1}
    with pytest.raises(InputError, match="reference model 1 of 2") as error:
        _do(world, tmp_path / "node" / "1", _properties(world, **changes))
    assert len(world.given) == 1
    assert f"{world.given[0]['train']:,} training records" in str(error.value)
    assert "run_fn failed to generate model" in str(error.value)


_SCHEMA = """
feature { name: "a" type: FLOAT presence { min_fraction: 1 } float_domain { min: -9 max: 9 }
  value_count { min: 1 max: 1 } }
feature { name: "b" type: FLOAT presence { min_fraction: 1 } float_domain { min: -9 max: 9 }
  value_count { min: 1 max: 1 } }
feature { name: "label" type: INT presence { min_fraction: 1 } int_domain { min: 0 max: 2 }
  value_count { min: 1 max: 1 } }
feature { name: "name" type: BYTES }
feature { name: "city" type: BYTES }
feature { name: "key" type: INT }
"""


def test_synthetic_records_are_made_before_models_are_trained(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training itself, which takes processes, is left out."""
    asked = SimpleNamespace()

    def train(**arguments: object) -> references_pb2.ReferenceModels:
        vars(asked).update(arguments)
        return references_pb2.ReferenceModels(config=arguments["config"])

    monkeypatch.setattr(reference_trainer_executor, "train_reference_models", train)
    schema = standard_artifacts.Schema()
    schema.uri = str(tmp_path / "schema")
    Path(schema.uri).mkdir()
    Path(schema.uri, "schema.pbtxt").write_text(_SCHEMA)
    inputs = {"model": [trained.model], "examples": [trained.examples], "schema": [schema]}
    node = _channel_node(
        model=types.Channel(type=standard_artifacts.Model),
        schema=types.Channel(type=standard_artifacts.Schema),
        config=_config(
            model_spec={"label_key": "label"},
            synthetic={
                "noisy": {"share": 0.1, "splits": ["eval"]},
                "excluded_feature_keys": ["name", "city", "key"],
            },
        ),
    )
    artifact = _do(_World(tmp_path, inputs), tmp_path / "node" / "1", node.exec_properties)
    # As many as there are: 300 in the split, twice 400 members were asked for.
    assert (asked.synthesis.asked, asked.synthesis.made) == (800, 300)
    assert asked.synthesis.queries == 300
    (pool,) = asked.pool
    assert len(peek(pool, 1_000)) == 300
    assert Path(pool.file_patterns[0]).parent == Path(artifact.uri, "pool")
    assert [split.is_member for split in asked.splits] == [True, False]
    assert asked.work_directory == str(tmp_path / "node" / "work")
    assert artifact.get_string_custom_property("pool") == "synthetic"


def _channel_node(**arguments: object) -> ReferenceTrainer:
    return ReferenceTrainer(
        **{
            "examples": types.Channel(type=standard_artifacts.Examples),
            "run_fn": "tfx_privacy.pipelines.taxi_model.run_fn",
            **arguments,
        }
    )


def _config(**fields: object) -> references_pb2.ReferenceModelsConfig:
    return references_pb2.ReferenceModelsConfig(**fields)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"config": _config(models=0)}, "models"),
        ({"config": _config(models=1)}, "found 1 .* even number"),
        ({"config": _config(models=7)}, "found 7 .* even number"),
        ({"run_fn": None}, "expected exactly one of them"),
        ({"module_file": "model.py"}, "expected exactly one of them"),
        ({"run_fn": "no_such_package.model.run_fn"}, "no module 'no_such_package.model'"),
        ({"run_fn": "run_fn"}, "expected an import path"),
        ({"run_fn": "sys.run_fn"}, "no module with a source file"),
        ({"run_fn": None, "module_file": "nowhere.py"}, "no such file"),
        ({"max_parallel": 0}, "max_parallel is 0"),
        (
            {"train_args": trainer_pb2.TrainArgs(splits=["training"])},
            r"\['training'\], .* \['train'\] as members",
        ),
        (
            {"transform_graph": types.Channel(type=standard_artifacts.TransformGraph)},
            "training_examples",
        ),
        (
            {"config": _config(synthetic={"model_based": {}}, model_spec={"label_key": "y"})},
            "no model and no schema",
        ),
        (
            {
                "config": _config(synthetic={"marginals": {}}, model_spec={"label_key": "y"}),
                "model": types.Channel(type=standard_artifacts.Model),
                "schema": types.Channel(type=standard_artifacts.Schema),
            },
            "no statistics",
        ),
    ],
)
def test_a_wrong_node_fails_where_the_pipeline_is_written(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _channel_node(**arguments)


def test_code_is_part_of_the_cache_key(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("def run_fn(fn_args): pass\n")
    before = _channel_node(run_fn=None, module_file=str(path)).exec_properties
    assert before == _channel_node(run_fn=None, module_file=str(path)).exec_properties
    path.write_text("def run_fn(fn_args): raise ValueError\n")
    assert before != _channel_node(run_fn=None, module_file=str(path)).exec_properties
    assert len(_channel_node().exec_properties["code_version"].partition("+")[2]) == 32


def test_source_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "code_that_cannot_be_imported.py"
    path.write_text("raise RuntimeError\n")
    first = digest_of_module("code_that_cannot_be_imported.run_fn")
    assert first == digest_of_module("code_that_cannot_be_imported.run_fn")
    assert first != digest_of_module("code_that_cannot_be_imported.another_fn")
    path.write_text("raise ValueError\n")
    assert first != digest_of_module("code_that_cannot_be_imported.run_fn")


def test_kubeflow_finds_the_type_by_its_name() -> None:
    import tfx_privacy

    assert ReferenceModels.TYPE_NAME == "tfx_privacy.ReferenceModels"
    assert tfx_privacy.ReferenceModels is ReferenceModels
    assert tfx_privacy.ReferenceTrainer is ReferenceTrainer
    assert not ReferenceModels.PROPERTIES


def _compiled(nodes: list[ReferenceTrainer], tmp: Path) -> dict:
    """The tasks of the specification that Kubeflow is given, by name."""
    from tfx import v1 as tfx

    pipeline = tfx.dsl.Pipeline(
        pipeline_name="references", pipeline_root="gs://bucket/root", components=nodes
    )
    runner = tfx.orchestration.experimental.KubeflowV2DagRunner(
        config=tfx.orchestration.experimental.KubeflowV2DagRunnerConfig(use_pipeline_spec_2_1=True),
        output_dir=str(tmp),
        output_filename="pipeline.json",
    )
    spec = runner.run(pipeline, write_out=True)
    return spec["pipelineSpec"]


def _kubeflow_nodes(n: int) -> list[types.BaseChannel]:
    from tfx import v1 as tfx

    importer = tfx.dsl.Importer(
        source_uri="gs://bucket/examples", artifact_type=standard_artifacts.Examples
    ).with_id("examples")
    nodes = reference_trainer_nodes(
        n,
        examples=importer.outputs["result"],
        run_fn="tfx_privacy.pipelines.taxi_model.run_fn",
        config=_config(models=6),
        work_directory="gs://bucket/work",
    )
    return [importer, *nodes]


def test_one_node_compiles_for_kubeflow(tmp_path: Path) -> None:
    spec = _compiled(_kubeflow_nodes(1), tmp_path)
    tasks = spec["root"]["dag"]["tasks"]
    assert set(tasks) == {"examples", "ReferenceTrainer"}
    outputs = spec["components"]["ReferenceTrainer"]["outputDefinitions"]["artifacts"]
    schema = outputs["reference_models"]["artifactType"]["instanceSchema"]
    assert "tfx_privacy.ReferenceModels" in schema


def test_several_nodes_compile_for_kubeflow(tmp_path: Path) -> None:
    """Two nodes share three pairs, and a third gathers them when both have ended."""
    tasks = _compiled(_kubeflow_nodes(2), tmp_path)["root"]["dag"]["tasks"]
    first, second = "ReferenceTrainer_1_of_2", "ReferenceTrainer_2_of_2"
    assert set(tasks) == {"examples", first, second, "ReferenceTrainer"}
    shares = {
        name: json.loads(
            tasks[name]["inputs"]["parameters"]["only_models"]["runtimeValue"]["constant"]
        )
        for name in (first, second)
    }
    assert shares == {first: [0, 1, 4, 5], second: [2, 3]}
    assert {first, second} <= set(tasks["ReferenceTrainer"]["dependentTasks"])
    assert "only_models" not in tasks["ReferenceTrainer"]["inputs"]["parameters"]


def test_several_nodes_need_a_folder_to_share() -> None:
    examples = types.Channel(type=standard_artifacts.Examples)
    run_fn = "tfx_privacy.pipelines.taxi_model.run_fn"
    with pytest.raises(InputError, match="work_directory is not given"):
        reference_trainer_nodes(2, examples=examples, run_fn=run_fn)
    with pytest.raises(InputError, match="found 5 nodes to train 8 reference models"):
        reference_trainer_nodes(5, examples=examples, run_fn=run_fn, work_directory="work")
