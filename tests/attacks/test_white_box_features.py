from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.white_box_features import WhiteBoxFeatures
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import WHITE_BOX

ALL = frozenset(WHITE_BOX)


@pytest.fixture
def two_rows(leaky):
    """Two layers whose gradients' norms are 3, 4 and 6, 8; with sketches and an activation."""
    return dataclasses.replace(
        leaky(config_pb2.MULTICLASS, rows=2),
        gradient_norms={"a": np.float32([3, 6]), "b": np.float32([4, 8])},
        gradient_sketches={
            "a": np.float32([[0, 3, 0, 0], [0, 0, -12, 0]]),
            "b": np.float32([[2, 2, 2, -2], [4, -3, 0, 0]]),
        },
        activations={"a": np.float32([[0.5, 1, 2], [0, 0, 7]])},
    )


def test_features_by_hand(two_rows):
    features = WhiteBoxFeatures.fit(two_rows, ALL, 100, with_outputs=False)

    groups = features.groups(two_rows)

    expected = {
        "log_norm": np.log([[5], [10]]),
        "log_norms": np.log([[3, 4], [6, 8]]),
        "log_shares": np.log([[0.6, 0.8], [0.6, 0.8]]),
        # Lengths 3 and 4; 12 and 5.
        "log_length": np.log([[5], [13]]),
        "log_lengths": np.log([[3, 4], [12, 5]]),
        "entries": [
            [0, 3 / np.sqrt(3), 0, 0, 1, 1, 1, -1],
            [0, 0, -12 / np.sqrt(12), 0, 4 / np.sqrt(5), -3 / np.sqrt(5), 0, 0],
        ],
        "units": [[0.5, 1, 2], [0, 0, 7]],
    }
    assert list(groups) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(groups[name], values, rtol=1e-12, atol=1e-15, err_msg=name)


def test_looks_at_what_it_is_told_to_and_what_is_there(two_rows):
    def groups(*seen, signals=two_rows):
        features = WhiteBoxFeatures.fit(signals, frozenset(seen), 100, with_outputs=False)
        return list(features.groups(signals))

    assert groups("gradient_norms") == ["log_norm", "log_norms", "log_shares"]
    assert groups("gradient_sketches") == ["log_length", "log_lengths", "entries"]
    assert groups("activations") == ["units"]
    without = dataclasses.replace(two_rows, gradient_sketches={}, gradient_norms={})
    assert groups(*ALL, signals=without) == ["units"]
    with pytest.raises(ValueError, match="without gradient_norms, which this attack needs"):
        groups("gradient_norms", signals=without)


def test_a_single_layer_has_no_columns_that_repeat_the_total(two_rows):
    one = dataclasses.replace(two_rows, gradient_norms={"a": np.float32([3, 6])})
    features = WhiteBoxFeatures.fit(one, frozenset({"gradient_norms"}), 100, with_outputs=False)

    assert list(features.groups(one)) == ["log_norm"]


def test_norms_of_0_count_as_the_smallest_and_planted_ones_as_less(two_rows):
    norms = {"a": np.float32([3, 6, 0, -1]), "b": np.float32([4, 8, 0, -1])}
    rows = two_rows.take(np.array([0, 1, 0, 0]))
    rows = dataclasses.replace(rows, gradient_norms=norms)
    features = WhiteBoxFeatures.fit(rows, ALL, 100, with_outputs=False)

    log_norm = features.groups(rows)["log_norm"][:, 0]

    np.testing.assert_allclose(log_norm, [np.log(5), np.log(10), np.log(5), np.log(5) - 10])


def test_is_standardised_in_groups_that_weigh_the_same(leaky, with_white_box):
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=2000))
    features = WhiteBoxFeatures.fit(signals, ALL, 100, with_outputs=False)

    values = features(signals)

    scale = features.columns.scale
    whole = (np.abs(values) < 8 * scale).all(axis=0)
    assert whole.sum() > 20
    np.testing.assert_allclose(values[:, whole].mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(values[:, whole].std(axis=0), scale[whole], rtol=1e-9)
    # Norm, 2 norms, 2 shares, length, 2 lengths, 32 entries, 5 units; five bends to each of
    # the norms and lengths: 1, 2, 1 and 2 columns that bend.
    widths = [1, 2, 2, 1, 2, 32, 5, 5, 10, 5, 10]
    np.testing.assert_allclose(scale, np.repeat(1 / np.sqrt(widths), widths), rtol=1e-12)
    assert features.wide.sum() == 32 + 5
    assert features.wide[8:45].all()


def test_outputs_come_first(leaky, with_white_box):
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=100))
    features = WhiteBoxFeatures.fit(signals, ALL, 100, with_outputs=True)

    values = features(signals)

    outputs = features.outputs(signals)
    np.testing.assert_array_equal(values[:, : outputs.shape[1]], outputs)
    assert len(features.wide) == values.shape[1]
    assert not features.wide[: outputs.shape[1]].any()
    assert np.abs(values).max() <= features.limit


def test_many_numbers_are_thinned_out_evenly(leaky):
    signals = dataclasses.replace(
        leaky(config_pb2.MULTICLASS, rows=30),
        gradient_sketches={name: np.ones((30, 256), np.float32) for name in ("a", "b", "c", "d")},
        activations={"a": np.ones((30, 300), np.float32)},
    )

    features = WhiteBoxFeatures.fit(signals, ALL, 64, with_outputs=False)

    assert [len(one.kept) for one in features.sketches] == [16] * 4
    np.testing.assert_array_equal(features.sketches[0].kept, np.arange(16) * 17)
    assert [len(one.kept) for one in features.activations] == [64]
    assert features(signals).shape[1] == features.columns.scale.size


def test_survives_its_arrays(leaky, with_white_box):
    signals = with_white_box(leaky(config_pb2.BINARY, rows=100))
    for with_outputs in (False, True):
        features = WhiteBoxFeatures.fit(signals, ALL, 20, with_outputs=with_outputs)

        again = WhiteBoxFeatures.from_arrays(features.arrays())

        np.testing.assert_array_equal(again(signals), features(signals))
        np.testing.assert_array_equal(again.wide, features.wide)


def test_refuses_rows_with_other_layers(two_rows):
    features = WhiteBoxFeatures.fit(two_rows, ALL, 100, with_outputs=False)

    other = dataclasses.replace(two_rows, gradient_norms={"a": np.float32([1, 2])})
    with pytest.raises(ValueError, match=r"gradient_norms of 'a' \(1\); .*those of 'b', 1 to"):
        features(other)
    wider = {"a": np.ones((2, 4), np.float32)}
    with pytest.raises(ValueError, match=r"activations of 'a' \(4\); .*those of 'a', 3 to"):
        features(dataclasses.replace(two_rows, activations=wider))
    with pytest.raises(ValueError, match="gradient_sketches of no layer"):
        features(dataclasses.replace(two_rows, gradient_sketches={}))
