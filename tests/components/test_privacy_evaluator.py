"""PrivacyEvaluator's executor on artifacts as a pipeline has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, standard_artifacts

from tfx_privacy.components.artifacts import PrivacyMetrics, PrivacySignals, RecordRisk
from tfx_privacy.components.privacy_evaluator.component import PrivacyEvaluator
from tfx_privacy.components.privacy_evaluator.executor import Executor
from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError

NewArtifact = Callable[..., Artifact]


def _config(**fields: object) -> config_pb2.PrivacyConfig:
    return config_pb2.PrivacyConfig(
        model_spec={"label_key": "label"}, attacks=["loss_threshold"], **fields
    )


def _do(
    inputs: dict[str, list], config: config_pb2.PrivacyConfig, new_artifact: NewArtifact, tmp: Path
) -> dict[str, list]:
    outputs = {
        "metrics": [new_artifact(PrivacyMetrics)],
        "signals": [new_artifact(PrivacySignals)],
        "record_risk": [new_artifact(RecordRisk)],
    }
    properties = {"config": message_to_json(resolve_config(config)), "code_version": "a test"}
    context = Executor.Context(beam_pipeline_args=[], tmp_dir=str(tmp), unique_id="1")
    Executor(context).Do(inputs, outputs, properties)
    return outputs


def test_artifacts_are_filled_and_described(
    trained: SimpleNamespace, new_artifact: NewArtifact, tmp_path: Path
) -> None:
    inputs = {"model": [trained.model], "examples": [trained.examples]}
    outputs = _do(inputs, _config(), new_artifact, tmp_path)
    metrics = outputs["metrics"][0]
    results = read_metrics(metrics.uri).results
    assert results.model.uri == trained.model.uri
    assert (results.records.read.members, results.records.read.nonmembers) == (400, 300)
    assert (Path(metrics.uri) / "report.html").is_file()
    assert metrics.get_string_custom_property("best_attack") == "loss_threshold"
    auc = results.best_of_attacks[0].value
    assert metrics.get_float_custom_property("auc") == auc.estimate
    assert metrics.get_float_custom_property("auc_upper") == auc.upper
    assert list(Path(outputs["signals"][0].uri).glob("*.parquet"))
    record_risk = outputs["record_risk"][0]
    assert list(Path(record_risk.uri).glob("*.parquet"))
    # By these LatestBlessedMetricsStrategy finds it.
    assert record_risk.get_string_custom_property("metrics_uri") == metrics.uri
    model_uri = metrics.get_string_custom_property("model_uri")
    assert record_risk.get_string_custom_property("model_uri") == model_uri
    # What workers and the driver handed to each other is gone.
    assert not (tmp_path / "1" / "privacy_evaluator").exists()


def test_several_artifacts_and_custom_patterns(
    trained: SimpleNamespace, target: Path, new_artifact: NewArtifact, tmp_path: Path
) -> None:
    """A channel of two artifacts, the second with patterns of its own: all rows are read."""
    second = new_artifact(standard_artifacts.Examples, str(target))
    second.split_names = json.dumps(["train", "eval"])
    patterns = {"train": "train.*", "eval": "eval.*"}
    second.set_string_custom_property(
        *examples_utils.get_custom_split_patterns_key_and_property(patterns)
    )
    inputs = {"model": [trained.model], "examples": [trained.examples, second]}
    outputs = _do(inputs, _config(), new_artifact, tmp_path)
    records = read_metrics(outputs["metrics"][0].uri).results.records
    assert (records.read.members, records.read.nonmembers) == (800, 600)
    # Both artifacts hold the same rows, so every one is there twice.
    assert (records.duplicate.members, records.duplicate.nonmembers) == (800, 600)


def test_a_split_that_is_not_there(
    trained: SimpleNamespace, new_artifact: NewArtifact, tmp_path: Path
) -> None:
    inputs = {"model": [trained.model], "examples": [trained.examples]}
    config = _config(splits={"nonmembers": ["test"]})
    with pytest.raises(InputError, match="no split 'test'"):
        _do(inputs, config, new_artifact, tmp_path)


@pytest.mark.parametrize("payload", ["FORMAT_PROTO", "FORMAT_PARQUET"])
def test_payloads_that_are_no_examples(
    trained: SimpleNamespace, new_artifact: NewArtifact, tmp_path: Path, payload: str
) -> None:
    examples_utils.set_payload_format(
        trained.examples, example_gen_pb2.PayloadFormat.Value(payload)
    )
    inputs = {"model": [trained.model], "examples": [trained.examples]}
    with pytest.raises(InputError, match=f"have payload {payload}; expected FORMAT_TF_EXAMPLE"):
        _do(inputs, _config(), new_artifact, tmp_path)


def test_features_are_looked_up_in_the_schema(
    trained: SimpleNamespace, new_artifact: NewArtifact, tmp_path: Path
) -> None:
    schema = new_artifact(standard_artifacts.Schema)
    (Path(schema.uri) / "schema.pbtxt").write_text('feature { name: "city" type: BYTES }')
    inputs = {"model": [trained.model], "examples": [trained.examples], "schema": [schema]}
    config = _config(slicing_specs=[{"feature_keys": ["town"]}])
    with pytest.raises(InputError, match=r"'town', which the schema does not have; it has city"):
        _do(inputs, config, new_artifact, tmp_path)


def _split_in_two(trained: SimpleNamespace, new_artifact: NewArtifact, tmp: Path) -> list[Artifact]:
    """Two Examples artifacts: the first and the last half of each split's records."""
    import tensorflow as tf

    halves = []
    for half in (0, 1):
        examples = new_artifact(standard_artifacts.Examples, str(tmp / f"half{half}"))
        for split in ("train", "eval"):
            (path,) = (Path(trained.examples.uri) / f"Split-{split}").iterdir()
            compression = "GZIP" if path.suffix == ".gz" else ""
            records = [one.numpy() for one in tf.data.TFRecordDataset(str(path), compression)]
            folder = Path(examples.uri) / f"Split-{split}"
            folder.mkdir(parents=True)
            middle = len(records) // 2
            with tf.io.TFRecordWriter(str(folder / "records.tfrecord")) as writer:
                for record in records[middle * half : middle * (half + 1)]:
                    writer.write(record)
        examples.split_names = json.dumps(["train", "eval"])
        halves.append(examples)
    return halves


def test_attacks_are_fitted_on_the_signals_of_another_evaluator(
    trained: SimpleNamespace, new_artifact: NewArtifact, tmp_path: Path
) -> None:
    of_a, of_b = _split_in_two(trained, new_artifact, tmp_path)
    a = _do({"model": [trained.model], "examples": [of_a]}, _config(), new_artifact, tmp_path)
    signals = a["signals"][0]
    inputs = {"model": [trained.model], "examples": [of_b], "fit_on": [signals]}
    b = _do(inputs, _config(), new_artifact, tmp_path)
    results = read_metrics(b["metrics"][0].uri).results
    assert results.fitted_on.signals_uri == signals.uri
    assert (results.fitted_on.fit.members, results.fitted_on.fit.nonmembers) == (200, 150)
    assert not results.fitted_on.shared.members
    assert (results.records.read.members, results.records.read.nonmembers) == (200, 150)

    # On the same records there is nothing left to fit on.
    inputs["examples"] = [of_a]
    with pytest.raises(InputError, match="200 members and 150 non-members more were left out"):
        _do(inputs, _config(), new_artifact, tmp_path)
    inputs["fit_on"] = [signals, signals]
    with pytest.raises(InputError, match=r"the input 'fit_on' has 2 artifacts, .*; expected one"):
        _do(inputs, _config(), new_artifact, tmp_path)


def test_signals_to_fit_on_have_to_be_there_where_they_are_asked_for() -> None:
    """Given an empty channel, TFX waits or fails: attacks are never fitted on something else."""
    from tfx import types

    channel = types.Channel(type=PrivacySignals)
    node = _node(_config(), fit_on=channel)
    assert node.inputs["fit_on"] is channel
    assert "fit_on" not in _node(_config()).inputs
    assert PrivacyEvaluator.SPEC_CLASS.is_optional_input("fit_on")
    assert not PrivacyEvaluator.SPEC_CLASS.is_allow_empty_input("fit_on")
    with pytest.raises(TypeError, match="fit_on"):
        _node(_config(), fit_on=types.Channel(type=PrivacyMetrics))


def _node(config: config_pb2.PrivacyConfig | None, **inputs: object) -> PrivacyEvaluator:
    from tfx import types

    return PrivacyEvaluator(
        model=types.Channel(type=standard_artifacts.Model),
        examples=types.Channel(type=standard_artifacts.Examples),
        config=config,
        **inputs,
    )


def test_a_wrong_configuration_fails_where_the_pipeline_is_written() -> None:
    with pytest.raises(InputError, match="label_key is empty"):
        _node(None)
    with pytest.raises(InputError, match="telepathy"):
        _node(config_pb2.PrivacyConfig(model_spec={"label_key": "y"}, attacks=["telepathy"]))


def test_configuration_and_code_are_part_of_the_cache_key() -> None:
    """TFX's cache looks at exec properties: both must be among them, defaults filled in."""
    node, same = _node(_config()), _node(resolve_config(_config()))
    assert node.exec_properties == same.exec_properties
    assert node.exec_properties["code_version"].startswith("0.")
    assert len(node.exec_properties["code_version"].partition("+")[2]) == 32
    assert node.exec_properties != _node(_config(seed=1)).exec_properties


def test_kubeflow_finds_each_type_by_its_name() -> None:
    import importlib
    import re

    for artifact_type in (PrivacyMetrics, PrivacySignals, RecordRisk):
        name = artifact_type.TYPE_NAME
        assert re.fullmatch(r"[a-z][a-z0-9-_]{2,20}[.][A-Z].*", name)
        module, _, attribute = name.partition(".")
        assert getattr(importlib.import_module(module), attribute) is artifact_type
        assert not artifact_type.PROPERTIES
