"""Defaults and checks of ReferenceModelsConfig; defaults are those that the proto states."""

from __future__ import annotations

from typing import Any

import pytest

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.reference_config import resolve_reference_config
from tfx_privacy.signals.errors import InputError


def resolve(graph: bool = False, **settings: Any) -> references_pb2.ReferenceModelsConfig:
    return resolve_reference_config(
        references_pb2.ReferenceModelsConfig(**settings), has_transform_graph=graph
    )


def test_an_empty_configuration_has_eight_online_models():
    config = resolve()

    assert config.models == 8
    assert list(config.splits.members) == ["train"]
    assert list(config.splits.nonmembers) == ["eval"]
    assert config.WhichOneof("pool") == "online"
    assert config.training_examples == references_pb2.RAW_EXAMPLES
    assert config.model_spec.signature_name == "serving_default"


def test_resolving_twice_changes_nothing():
    once = resolve(synthetic={"model_based": {}}, model_spec={"label_key": "label"})

    assert resolve_reference_config(once, has_transform_graph=False) == once


def test_hill_climbing_has_the_papers_values():
    pool = resolve(synthetic={"model_based": {}}, model_spec={"label_key": "label"}).synthetic

    assert pool.model_based == references_pb2.ModelBased(
        k_max=128, k_min=4, conf_min=0.2, rej_max=10, iter_max=1000
    )
    assert not pool.HasField("records")


def test_a_biased_sample_favours_some_records_ten_times():
    config = resolve(
        synthetic={"biased_sample": {"splits": ["more"]}}, model_spec={"label_key": "label"}
    )

    assert config.synthetic.biased_sample.most_favoured == 10


@pytest.mark.parametrize("models", [0, 1, 7, -2])
def test_models_come_in_pairs(models: int):
    with pytest.raises(InputError, match=f"models: found {models} as .* expected an even number"):
        resolve(models=models)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"splits": {"members": ["eval"]}}, "split 'eval' is named more than once in splits"),
        ({"offline": {}}, "offline.splits is empty"),
        ({"offline": {"splits": ["eval"]}}, "offline.splits names 'eval', which is among"),
        ({"offline": {"splits": ["a", "a"]}}, "offline.splits names 'a' more than once"),
        ({"offline": {"splits": [""]}}, "offline.splits has an empty name"),
        ({"training_examples": 2}, "TRANSFORMED_EXAMPLES, and there is no transform graph"),
        ({"training_examples": 9}, "training_examples is 9: expected one of .*RAW_EXAMPLES"),
        ({"steps": 5}, "steps is 5: expected one of SAME_EPOCHS, SAME_STEPS"),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        resolve(**settings)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ({}, "synthetic has no source"),
        ({"records": 1, "model_based": {}}, "synthetic.records is 1: expected at least 2"),
        ({"model_based": {"k_min": 9, "k_max": 8}}, "k_min is 9 and k_max is 8"),
        ({"model_based": {"conf_min": 1.0}}, "conf_min is 1.0: expected a probability"),
        ({"model_based": {"iter_max": 0}}, "iter_max is 0: expected at least 1"),
        ({"model_based": {"rej_max": -1}}, "rej_max is -1: expected at least 0"),
        ({"marginals": {"source": 1}}, "synthetic.marginals.splits is empty"),
        ({"marginals": {"splits": ["train"]}}, "'train' where the source is STATISTICS"),
        ({"noisy": {"share": 0.1}}, "synthetic.noisy.splits is empty"),
        ({"noisy": {"share": 1.5, "splits": ["more"]}}, "synthetic.noisy.share is 1.5"),
        ({"noisy": {"share": float("nan"), "splits": ["more"]}}, "synthetic.noisy.share is nan"),
        ({"biased_sample": {"splits": ["more"], "most_favoured": 1.0}}, "most_favoured is 1.0"),
        (
            {"model_based": {}, "excluded_feature_keys": ["a", "a"]},
            "synthetic.excluded_feature_keys names 'a' more than once",
        ),
    ],
)
def test_what_is_wrong_with_synthesis_is_named(pool: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        resolve(synthetic=pool, model_spec={"label_key": "label"})


def test_synthesis_needs_a_label():
    with pytest.raises(InputError, match=r"model_spec\.label_key is empty"):
        resolve(synthetic={"model_based": {}})


def test_where_there_is_a_transform_graph_it_must_be_said_what_is_read():
    with pytest.raises(InputError, match=r"training_examples is not set, .* RAW_EXAMPLES where"):
        resolve(graph=True)

    config = resolve(graph=True, training_examples=references_pb2.RAW_EXAMPLES)

    assert config.training_examples == references_pb2.RAW_EXAMPLES
