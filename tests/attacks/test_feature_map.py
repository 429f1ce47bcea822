from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.feature_map import FeatureMap
from tfx_privacy.attacks.features import feature_groups
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

TASKS = [
    config_pb2.BINARY,
    config_pb2.MULTICLASS,
    config_pb2.MULTILABEL,
    config_pb2.REGRESSION,
]


@pytest.fixture
def one_row(make_signals):
    """Probabilities (.5, .3, .2) with the logits log p + 1; the true class is 2."""
    logits = np.log([[0.5, 0.3, 0.2]]) + 1
    return make_signals(config_pb2.MULTICLASS, logits, [2], [True])


def test_features_of_a_classifier_by_hand(one_row):
    groups = feature_groups(one_row, loss_floor=1e-6)

    expected = {
        "true_log_odds": [np.log(0.2 / 0.8)],
        "top_log_odds": [0],
        "log_entropy": [np.log(1.029653)],
        "right": [0],
        "true_logit": [np.log(0.2) + 1],
        "largest_other_logit": [np.log(0.5) + 1],
        "sorted_logits": np.log([0.5, 0.3, 0.2]) + 1,
        "logits": np.log([0.5, 0.3, 0.2]) + 1,
        "label": [0, 0, 1],
        "log_loss": [np.log(-np.log(0.2))],
    }
    assert set(groups) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(groups[name][0], values, atol=2e-6, err_msg=name)


def test_features_of_labels_by_hand(make_signals):
    # p = .8 of a label that is 1, p = .75 of one that is 0.
    logits = np.log([[4.0, 3.0]])
    groups = feature_groups(
        make_signals(config_pb2.MULTILABEL, logits, [[1, 0]], [True]), loss_floor=1e-6
    )

    expected = {
        # H(.8) + H(.75) = .500402 + .562335.
        "log_entropy": [np.log(1.062737)],
        "right": [0.5],
        "sorted_margins": [-np.log(3), np.log(4)],
        "margins": [np.log(4), -np.log(3)],
        "logits": [np.log(4), np.log(3)],
        "label": [1, 0],
        # -log .8 - log .25.
        "log_loss": [np.log(1.609438)],
    }
    assert set(groups) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(groups[name][0], values, atol=2e-6, err_msg=name)


def test_features_of_a_regression_by_hand(make_signals):
    signals = make_signals(config_pb2.REGRESSION, [[3.0], [1.0]], [[1.0], [1.0]], [True, False])

    groups = feature_groups(signals, loss_floor=0.5)

    np.testing.assert_array_equal(groups["residual"], [[2], [0]])
    np.testing.assert_array_equal(groups["predicted"], [[3], [1]])
    np.testing.assert_array_equal(groups["label"], [[1], [1]])
    # The second loss is 0: the floor stands for it.
    np.testing.assert_allclose(groups["log_loss"], [[np.log(4)], [np.log(0.5)]], rtol=1e-12)


def test_many_classes_have_no_columns_of_their_own(leaky):
    groups = feature_groups(leaky(config_pb2.MULTICLASS, rows=20, columns=500), loss_floor=1e-6)

    assert sum(values.shape[1] for values in groups.values()) == 17
    assert (np.diff(groups["sorted_logits"], axis=1) <= 0).all()
    np.testing.assert_array_equal(
        groups["sorted_logits"][:, 0],
        np.maximum(groups["true_logit"], groups["largest_other_logit"])[:, 0],
    )


@pytest.mark.parametrize("task", TASKS, ids=config_pb2.Task.Name)
def test_is_standardised_on_its_own_rows_up_to_the_scale(task, leaky):
    signals = leaky(task, rows=3000)
    feature_map = FeatureMap.fit(signals)

    features = feature_map(signals)

    inside = np.abs(features) < 8 * feature_map.columns.scale
    # A binary model's class 0 has the logit 0, which is left as it is.
    whole = inside.all(axis=0) & np.isfinite(feature_map.columns.deviation)
    assert whole.sum() >= 5
    np.testing.assert_allclose(features[:, whole].mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(
        features[:, whole].std(axis=0), feature_map.columns.scale[whole], rtol=1e-9
    )
    assert np.abs(features).max() <= feature_map.limit


def test_groups_weigh_the_same(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=500, columns=4)

    scale = FeatureMap.fit(signals).columns.scale

    # Six features alone, 4 sorted logits, 4 logits (half), 4 label columns, the loss,
    # and three features with five bends each; the squares of a group's add up to 1.
    expected = [1] * 6 + [0.5] * 4 + [0.25] * 4 + [0.5] * 4 + [1] + [1 / np.sqrt(5)] * 15
    np.testing.assert_allclose(scale, expected, rtol=1e-12)


def test_bends_lie_at_quantiles(leaky):
    signals = leaky(config_pb2.REGRESSION, rows=999)
    feature_map = FeatureMap.fit(signals)

    log_loss = np.log(signals.loss.astype(np.float64))
    np.testing.assert_allclose(
        feature_map.columns.bends, [np.quantile(log_loss, [0.1, 0.3, 0.5, 0.7, 0.9])], rtol=1e-12
    )
    # Below its bend a feature is flat.
    features = feature_map(signals)[:, -5:]
    below = log_loss < feature_map.columns.bends[0, 0]
    assert np.ptp(features[below], axis=0).max() == 0
    assert (np.ptp(features[~below], axis=0) > 0).all()


def test_what_does_not_vary_is_nothing(make_signals):
    logits = np.tile(np.float32([0.1, 0.7, 0.3]), (30, 1))
    signals = make_signals(config_pb2.MULTICLASS, logits, np.ones(30), np.arange(30) < 10)
    feature_map = FeatureMap.fit(signals)

    np.testing.assert_array_equal(feature_map(signals), 0)
    other = make_signals(config_pb2.MULTICLASS, [[5.0, -2.0, 9.0]], [0], [True])
    np.testing.assert_array_equal(feature_map(other), 0)


def test_outliers_stop_at_eight_deviations(leaky):
    signals = leaky(config_pb2.REGRESSION, rows=200)
    feature_map = FeatureMap.fit(signals)
    far = dataclasses.replace(signals, logits=signals.logits * np.float32(1e30))

    features = feature_map(far)

    assert np.isfinite(features).all()
    assert np.abs(features).max() == 8


def test_survives_its_arrays(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=100)
    feature_map = FeatureMap.fit(signals)

    again = FeatureMap.from_arrays(feature_map.arrays())

    np.testing.assert_array_equal(again(signals), feature_map(signals))


def test_refuses_rows_of_another_kind(leaky):
    feature_map = FeatureMap.fit(leaky(config_pb2.MULTICLASS, rows=50, columns=4))

    with pytest.raises(ValueError, match=r"MULTICLASS with 5 columns.*MULTICLASS with 4"):
        feature_map(leaky(config_pb2.MULTICLASS, rows=5, columns=5))
    with pytest.raises(ValueError, match="MULTILABEL with 4 columns"):
        feature_map(leaky(config_pb2.MULTILABEL, rows=5, columns=4))
