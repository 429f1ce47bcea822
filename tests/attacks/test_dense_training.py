"""Steps of training against Keras's, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.attacks.dense_training import Adam, Networks, batches

UNITS = (6, 8, 5, 1)
L2 = 0.01
RATE = 0.02


@pytest.fixture
def rows():
    """Features, membership and the weights of three networks, of 40 rows."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(40, UNITS[0])).astype(np.float32)
    member = (features[:, 0] + generator.normal(size=40) > 0).astype(np.float32)
    weight = generator.uniform(0, 2, (3, 40)).astype(np.float32)
    weight[1, :10] = 0.0
    return features, member, weight


def test_trains_as_keras_does_one_network_at_a_time(rows):
    import keras

    features, member, weight = rows
    networks = Networks.drawn(3, UNITS, np.random.default_rng(1))
    start = [networks.layers(network) for network in range(3)]
    adam = Adam(networks, RATE, L2)
    for _ in range(20):
        adam.step(features, member, weight)

    for network in range(3):
        model = keras.Sequential([keras.Input((UNITS[0],))])
        for units in UNITS[1:]:
            activation = "relu" if units > 1 else None
            penalty = keras.regularizers.L2(L2)
            model.add(keras.layers.Dense(units, activation, kernel_regularizer=penalty))
        model.set_weights([array for layer in start[network] for array in layer])
        # Keras divides by the rows, as this does.
        model.compile(
            keras.optimizers.Adam(RATE),
            keras.losses.BinaryCrossentropy(from_logits=True),
            jit_compile=False,
        )
        for _ in range(20):
            model.train_on_batch(features, member[:, None], weight[network][:, None])
        found = [array for layer in networks.layers(network) for array in layer]
        for mine, keras_has in zip(found, model.get_weights(), strict=True):
            np.testing.assert_allclose(mine, keras_has, atol=2e-4)


def test_the_first_step_by_hand():
    # One weight w = 2, x = 3, a non-member: log-odds 6, gradient 3 sigmoid(6) + 2 l2 w. Adam's
    # first step is the rate against the gradient's sign, whatever its size.
    networks = Networks.zeros(1, (1, 1))
    networks.weights[0][:] = 2.0
    Adam(networks, 0.1, L2).step(
        np.float32([[3.0]]), np.zeros(1, np.float32), np.ones((1, 1), np.float32)
    )

    ((weight, bias),) = networks.layers(0)
    np.testing.assert_allclose([weight.item(), bias.item()], [1.9, -0.1], atol=1e-6)


def test_a_row_without_weight_teaches_nothing(rows):
    features, member, weight = rows
    other = features.copy()
    other[:10] = 100.0
    trained = []
    for seen in (features, other):
        networks = Networks.drawn(3, UNITS, np.random.default_rng(1))
        Adam(networks, RATE, L2).step(seen, member, weight)
        trained.append(networks.log_odds(features))

    np.testing.assert_array_equal(trained[0][1], trained[1][1])
    assert (trained[0][0] != trained[1][0]).any()


def test_what_enters_by_rectified_layers_by_hand():
    # 1 -> 2 -> 1: hidden (x, -x), of which the negative is 0; output 1 * h0 + 10 * h1 + 0.5.
    networks = Networks.zeros(1, (1, 2, 1))
    networks.weights[0][:] = [[1.0, -1.0]]
    networks.weights[1][:] = [[1.0], [10.0]]
    networks.biases[1][:] = 0.5

    np.testing.assert_array_equal(
        networks.log_odds(np.float32([[2.0], [-3.0]])), np.float32([[2.5, 30.5]])
    )
    features = np.float32([[-1.0]])
    networks.log_odds(features)
    assert features[0, 0] == -1.0


def test_one_is_that_network_alone(rows):
    features, _, _ = rows
    networks = Networks.drawn(3, UNITS, np.random.default_rng(1))

    np.testing.assert_allclose(
        networks.one(2).log_odds(features)[0], networks.log_odds(features)[2], rtol=1e-6
    )


def test_layers_are_a_copy(rows):
    networks = Networks.drawn(2, UNITS, np.random.default_rng(1))
    kept = networks.layers(1)
    before = [array.copy() for layer in kept for array in layer]
    Adam(networks, RATE, L2).step(*rows[:2], rows[2][:2])

    for mine, array in zip(before, (array for layer in kept for array in layer), strict=True):
        np.testing.assert_array_equal(mine, array)


def test_batches_hold_every_row_and_are_of_one_size():
    found = list(batches(10, 4, np.random.default_rng(0)))

    assert [len(rows) for rows in found] == [4, 4, 4]
    drawn = np.concatenate(found)
    np.testing.assert_array_equal(np.sort(drawn[:10]), np.arange(10))
    np.testing.assert_array_equal(drawn[10:], drawn[:2])
