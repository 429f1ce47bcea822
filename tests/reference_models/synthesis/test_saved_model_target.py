from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.reference_models.synthesis.records import RecordFormat
from tfx_privacy.reference_models.synthesis.saved_model_target import RowsTarget
from tfx_privacy.signals.errors import InputError


@pytest.fixture
def rows_and_format(schema, config_of):
    record_format = RecordFormat.of_schema(schema, config_of("model_based {}"))
    return record_format.features.draw(300, np.random.default_rng(1)), record_format


def target(directory, record_format, **spec):
    return RowsTarget.load(
        directory, config_pb2.ModelSpec(label_key="label", **spec), record_format
    )


def test_rows_reach_the_model_as_examples(saved_models, rows_and_format, expected_logits):
    rows, record_format = rows_and_format
    logits = expected_logits(record_format.features.decode(rows))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answer = target(saved_models["softmax"], record_format)(rows)
    assert answer.shape == (300, 3)
    np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_one_output_of_a_binary_model_becomes_two_columns(
    saved_models, rows_and_format, expected_logits
):
    rows, record_format = rows_and_format
    second = 1 / (1 + np.exp(-expected_logits(record_format.features.decode(rows))[:, 0]))
    answer = target(saved_models["sigmoid"], record_format)(rows)
    np.testing.assert_allclose(answer, np.stack([1 - second, second], axis=1), atol=1e-6)


def test_a_row_is_answered_alike_whatever_stands_beside_it(saved_models, rows_and_format):
    rows, record_format = rows_and_format
    ask = target(saved_models["softmax"], record_format)
    assert np.array_equal(ask(rows)[7:8], ask(rows[7:8]))


def test_a_regression_has_no_likeliest_class(saved_models, rows_and_format):
    _, record_format = rows_and_format
    with pytest.raises(InputError, match=r"has the task REGRESSION: expected BINARY or MULTICLASS"):
        target(saved_models["regression"], record_format, task=config_pb2.REGRESSION)


def test_a_feature_that_the_model_needs_cannot_be_left_out(saved_models, schema, config_of):
    config = config_of('model_based {} excluded_feature_keys: "age"')
    record_format = RecordFormat.of_schema(schema, config)
    with pytest.raises(InputError, match=r"the target cannot be asked about synthetic.*age"):
        target(saved_models["softmax"], record_format)
