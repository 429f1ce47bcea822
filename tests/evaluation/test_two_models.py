"""Models A and B trained on disjoint halves: fitted on the one, judged on the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest

from tfx_privacy.evaluation.evaluate import FitOn, TargetInputs, evaluate
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit
from tfx_privacy.verdict.consistency import check_consistent

_FEATURES, _HIDDEN, _CLASSES = 12, 24, 3
_ROWS = 240
_CONFIG = config_pb2.PrivacyConfig(
    model_spec={"label_key": "label"},
    attacks=["loss_threshold", "logistic_regression"],
    skip_controls=["BLIND_BASELINE", "NEGATIVE_CONTROL", "POSITIVE_CONTROL"],
)
_WHITE_BOX_ATTACKS = ("gradient_norm", "logistic_regression_sketches")


class _Records:
    """Records by number; their labels are noise, which a model can only learn by heart."""

    def __init__(self, numbers: range) -> None:
        features = [np.random.default_rng(number).normal(size=_FEATURES) for number in numbers]
        self.features = np.array(features, np.float32)
        self.labels = np.array([number * 7919 % 13 % _CLASSES for number in numbers])

    def write(self, path: Path) -> Path:
        import tensorflow as tf

        with tf.io.TFRecordWriter(str(path)) as writer:
            for values, label in zip(self.features, self.labels, strict=True):
                feature = {
                    "x": tf.train.Feature(float_list=tf.train.FloatList(value=values)),
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
        return path


def _train(folder: Path, records: _Records, initial: int, hidden: int = _HIDDEN) -> Path:
    """A dense network, trained until it knows most labels by heart."""
    import tensorflow as tf

    rng = np.random.default_rng(initial)
    module = tf.Module()
    module.weights = [
        tf.Variable(rng.normal(size=shape, scale=0.4).astype(np.float32), name=name)
        for name, shape in (
            ("first", (_FEATURES, hidden)),
            ("first_bias", (hidden,)),
            ("second", (hidden, _CLASSES)),
            ("second_bias", (_CLASSES,)),
        )
    ]

    def logits(x):
        first, first_bias, second, second_bias = module.weights
        return tf.matmul(tf.nn.relu(tf.matmul(x, first) + first_bias), second) + second_bias

    @tf.function
    def fit():
        for _ in tf.range(600):
            with tf.GradientTape() as tape:
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    records.labels, logits(records.features)
                )
                mean = tf.reduce_mean(loss)
            for weight, slope in zip(
                module.weights, tape.gradient(mean, module.weights), strict=True
            ):
                weight.assign_sub(0.5 * slope)

    fit()
    spec = {"x": tf.io.FixedLenFeature([_FEATURES], tf.float32)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        return {"probabilities": tf.nn.softmax(logits(tf.io.parse_example(examples, spec)["x"]))}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models `a`; `same` (B, initialised as A was), `other` (B, otherwise), `wide`; examples.

    B is judged on non-members of which 40 are A's, and 60 of its own members are A's.
    """
    folder = tmp_path_factory.mktemp("two_models")
    a = _Records(range(_ROWS))
    b = _Records(range(_ROWS - 60, 2 * _ROWS - 60))
    a.write(folder / "a_train")
    b.write(folder / "b_train")
    _Records(range(1_000, 1_000 + _ROWS)).write(folder / "a_eval")
    _Records(range(1_200, 1_200 + _ROWS)).write(folder / "b_eval")
    for name, records, initial, hidden in (
        ("a", a, 1, _HIDDEN),
        ("same", b, 1, _HIDDEN),
        ("other", b, 2, _HIDDEN),
        ("wide", b, 1, _HIDDEN + 1),
    ):
        _train(folder / name, records, initial, hidden)
    return folder


Measure = Callable[..., results_pb2.PrivacyResults]


@pytest.fixture(scope="module")
def measure(folder: Path) -> Measure:
    """Measures a model by its name; on the signals of A where `fit_on` names them."""

    def run(
        model: str, config: config_pb2.PrivacyConfig, output: str, fit_on: str = ""
    ) -> results_pb2.PrivacyResults:
        data = "a" if model == "a" else "b"
        splits = [
            ExampleSplit("train", True, (str(folder / f"{data}_train"),)),
            ExampleSplit("eval", False, (str(folder / f"{data}_eval"),)),
        ]
        signals = str(folder / fit_on / "signals")
        with whole_output(str(folder / output)) as outputs:
            evaluate(
                TargetInputs(str(folder / model), str(folder / model)),
                splits,
                config,
                outputs,
                beam.Pipeline,
                fit_on=FitOn(signals, signals) if fit_on else None,
            )
        content = read_metrics(str(folder / output))
        check_consistent(content.results, content.evidence)
        return content.results

    return run


def _areas(results: results_pb2.PrivacyResults) -> Mapping[str, results_pb2.MeasuredValue]:
    return {
        attack.name: next(v.value for v in attack.metrics if v.metric.name == "auc")
        for attack in results.attacks
    }


@pytest.mark.parametrize("model", ["same", "other"])
def test_members_of_one_model_teach_who_the_members_of_another_are(
    folder: Path, measure: Measure, model: str
) -> None:
    if not (folder / "of_a").exists():
        measure("a", _CONFIG, "of_a")
    results = measure(model, _CONFIG, f"of_{model}", fit_on="of_a")
    assert results.fitted_on.shared == results_pb2.SideCounts(members=60, nonmembers=40)
    assert results.fitted_on.fit == results_pb2.SideCounts(members=180, nonmembers=200)
    areas = _areas(results)
    assert areas["loss_threshold"].lower > 0.6
    assert areas["logistic_regression"].lower > 0.6


def test_white_box_attacks_need_one_architecture_and_get_it(folder: Path, measure: Measure) -> None:
    config = config_pb2.PrivacyConfig()
    config.CopyFrom(_CONFIG)
    config.attacks[:] = ["loss_threshold", *_WHITE_BOX_ATTACKS]
    config.white_box.SetInParent()
    measure("a", config, "white_a")
    results = measure("other", config, "white_other", fit_on="white_a")
    areas = _areas(results)
    assert set(areas) == {"loss_threshold", *_WHITE_BOX_ATTACKS}
    assert areas["gradient_norm"].lower > 0.6
    assert results.white_box.best_white_box in _WHITE_BOX_ATTACKS

    with pytest.raises(InputError, match=r"layer 0 .* 12 x 24.*12 x 25.*expected one architecture"):
        measure("wide", config, "white_wide", fit_on="white_a")
    config.seed = 7
    with pytest.raises(InputError, match="the same `seed` in both configurations"):
        measure("other", config, "white_seed", fit_on="white_a")
    # Attacks on the model's answers alone do not mind.
    black_box = measure("wide", _CONFIG, "black_wide", fit_on="white_a")
    assert _areas(black_box)["loss_threshold"].lower > 0.6
