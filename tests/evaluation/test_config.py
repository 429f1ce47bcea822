"""Configurations: what is filled in, and what is refused with which words."""

from __future__ import annotations

import pytest

from tfx_privacy.evaluation.config import (
    recorded_inputs,
    require_label_key,
    resolve_config,
    slice_features,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError

_LABEL_Y = {"model_spec": {"label_key": "y"}}


def test_defaults_are_those_the_proto_documents() -> None:
    resolved = resolve_config(config_pb2.PrivacyConfig())
    assert resolved.model_spec.signature_name == "serving_default"
    assert list(resolved.splits.members) == ["train"]
    assert list(resolved.splits.nonmembers) == ["eval"]
    assert resolved.sample_sizes.fit_rows_per_side == 100_000
    assert resolved.sample_sizes.batch_size == 512
    assert resolved.sample_sizes.max_slices == 1_000
    assert resolved.confidence == 0.95
    assert resolved.risk_prior == 0.5
    assert resolved.keep_signals is True
    named = [(m.name, m.fpr, m.prior) for m in resolved.metrics]
    assert named == [
        ("auc", 0, 0),
        ("advantage", 0, 0),
        ("tpr_at_fpr", 0.1, 0),
        ("tpr_at_fpr", 0.01, 0),
        ("tpr_at_fpr", 0.001, 0),
        ("precision", 0, 0.5),
        ("epsilon", 0, 0),
    ]
    assert {"loss_threshold", "confidence", "entropy", "correctness"} <= set(resolved.attacks)


def test_resolving_twice_changes_nothing() -> None:
    once = resolve_config(config_pb2.PrivacyConfig(attacks=["loss_threshold"], confidence=0.9))
    assert resolve_config(once) == once
    assert list(once.attacks) == ["loss_threshold"]


def test_false_is_not_taken_for_unset() -> None:
    assert resolve_config(config_pb2.PrivacyConfig(keep_signals=False)).keep_signals is False


def test_slice_features_are_those_of_all_specs() -> None:
    config = config_pb2.PrivacyConfig(
        slicing_specs=[
            {"feature_keys": ["company", "hour"]},
            {"feature_values": {"payment": "Cash"}},
            {},
        ]
    )
    assert slice_features(config) == ("company", "hour", "payment")


def test_inputs_are_recorded_for_the_blind_baseline_and_where_they_are_named() -> None:
    def recorded(**config: object) -> config_pb2.InputSpec | None:
        return recorded_inputs(resolve_config(config_pb2.PrivacyConfig(**config)))

    excluded, named = {"excluded_feature_keys": ["n"]}, {"feature_keys": ["a"]}
    assert recorded() == config_pb2.InputSpec()
    assert recorded(inputs=excluded) == config_pb2.InputSpec(**excluded)
    assert recorded(skip_controls=["NEGATIVE_CONTROL"]) == config_pb2.InputSpec()
    assert recorded(skip_controls=["BLIND_BASELINE"], inputs=excluded) is None
    assert recorded(skip_controls=["BLIND_BASELINE"], inputs=named).feature_keys == ["a"]


def test_slices_by_signals_may_stand_beside_those_by_features() -> None:
    specs = [
        {"signals": ["CLASS"]},
        {"feature_keys": ["label"]},
        {"feature_keys": ["label", "city"], "signals": ["CORRECTNESS", "LOSS_DECILE"]},
    ]
    resolved = resolve_config(config_pb2.PrivacyConfig(slicing_specs=specs))
    assert slice_features(resolved) == ("city", "label")
    # Another feature holds the label: its slices and those by CLASS have keys of their own.
    apart = [{"signals": ["CLASS"]}, {"feature_keys": ["y"]}]
    resolve_config(config_pb2.PrivacyConfig(slicing_specs=apart, **_LABEL_Y))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"confidence": 0.0}, "confidence is 0.0"),
        ({"confidence": float("nan")}, "confidence is nan"),
        ({"risk_prior": 0.0}, "risk_prior is 0.0"),
        ({"risk_prior": 1.0}, "risk_prior is 1.0"),
        ({"risk_prior": float("nan")}, "risk_prior is nan"),
        ({"risk_prior": 1e-12}, "risk_prior is 1e-12; expected the share of members"),
        ({"risk_prior": 1 - 1e-12}, "a number from 1e-06 to 0.999999, 0.5 for example"),
        ({"attacks": ["telepathy"]}, "telepathy"),
        ({"metrics": [{"name": "accuracy"}]}, r"metrics\[0\].*accuracy"),
        ({"metrics": [{"name": "tpr_at_fpr"}]}, r"metrics\[0\].*fpr"),
        ({"metrics": [{"name": "tpr_at_fpr", "fpr": 2.0}]}, "2"),
        ({"metrics": [{"name": "auc"}, {"name": "auc"}]}, "more than once"),
        (
            {"splits": {"members": ["train"], "nonmembers": ["train"]}},
            "'train' is named more than once",
        ),
        ({"slicing_specs": [{"feature_keys": ["a", "a"]}]}, "'a' more than once"),
        ({"slicing_specs": [{"feature_keys": [""]}]}, "empty feature name"),
        (
            {"slicing_specs": [{"feature_keys": ["label"], "signals": ["CLASS"]}]},
            r"slicing_specs\[0\] names the label 'label' and CLASS, which are the same",
        ),
        (
            _LABEL_Y | {"slicing_specs": [{"feature_values": {"y": "1"}, "signals": ["CLASS"]}]},
            "names the label 'y' and CLASS",
        ),
        (
            _LABEL_Y | {"slicing_specs": [{"signals": ["CLASS"]}, {"feature_keys": ["label"]}]},
            r"slicing_specs\[1\] names the feature 'label', and slices by CLASS",
        ),
        (
            {"slicing_specs": [{"feature_keys": ["prediction"], "signals": ["CORRECTNESS"]}]},
            "names the feature 'prediction', and slices by CORRECTNESS have that name too",
        ),
        (
            {
                "slicing_specs": [
                    {"signals": ["LOSS_DECILE"]},
                    {"feature_values": {"loss decile": "1"}},
                ]
            },
            "names the feature 'loss decile', and slices by LOSS_DECILE",
        ),
        ({"slicing_specs": [{"signals": [9]}]}, r"signals\[0\] is 9; expected one of CLASS, LOSS"),
        ({"slicing_specs": [{"signals": ["SIGNAL_SLICE_UNSPECIFIED"]}]}, r"signals\[0\] is 0"),
        ({"slicing_specs": [{"signals": ["CLASS", "CLASS"]}]}, "names CLASS more than once"),
        (
            {"model_spec": {"task": "REGRESSION"}, "slicing_specs": [{"signals": ["CORRECTNESS"]}]},
            "CORRECTNESS, but the task is REGRESSION",
        ),
        ({"sample_sizes": {"max_slices": -1}}, "max_slices is -1"),
        ({"inputs": {"feature_keys": ["a", ""]}}, r"inputs\.feature_keys has an empty name"),
        ({"inputs": {"excluded_feature_keys": [""]}}, r"excluded_feature_keys has an empty name"),
        ({"inputs": {"feature_keys": ["a", "b", "a"]}}, "feature_keys names 'a' more than once"),
        (
            {"inputs": {"feature_keys": ["a", "b"], "excluded_feature_keys": ["c", "b"]}},
            "inputs names 'b' in feature_keys and in excluded_feature_keys",
        ),
        (
            {"skip_controls": ["DUPLICATES", "CONTROL_UNSPECIFIED"]},
            r"skip_controls\[1\] is 0; expected one of BLIND_BASELINE, NEGATIVE_CONTROL",
        ),
        ({"skip_controls": [77]}, r"skip_controls\[0\] is 77"),
        ({"skip_controls": ["DUPLICATES", "DUPLICATES"]}, "names DUPLICATES more than once"),
        ({"sample_sizes": {"batch_size": -1}}, "batch_size is -1"),
        ({"sample_sizes": {"fit_rows_per_side": -5}}, "fit_rows_per_side is -5"),
        ({"model_spec": {"label_vocabulary": ["no", "no"]}}, "'no' more than once"),
        (
            {"model_spec": {"label_vocabulary": ["a"], "task": "REGRESSION"}},
            "REGRESSION, which has no classes",
        ),
    ],
)
def test_wrong_values_are_named(config: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        resolve_config(config_pb2.PrivacyConfig(**config))


def test_the_label_key_has_no_default() -> None:
    with pytest.raises(InputError, match="label_key is empty"):
        require_label_key(config_pb2.PrivacyConfig())
