"""Each source from a configuration to TFRecords, with a SavedModel and with a callable."""

from __future__ import annotations

import collections

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from tfx_privacy.reference_models.artifact import POOL_PATTERN
from tfx_privacy.reference_models.synthesis import row_sources
from tfx_privacy.reference_models.synthesis.pool import POOL_FILE, make_pool
from tfx_privacy.reference_models.synthesis.pool_source import TargetModel
from tfx_privacy.reference_models.synthesis.records import RecordFormat
from tfx_privacy.signals.decode import decode
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit, peek
from tfx_privacy.signals.tfrecord import read_records, write_records

WORDS = ("no", "yes", "maybe")


@pytest.fixture(scope="module")
def record_format(schema, config_of):
    return RecordFormat.of_schema(schema, config_of("model_based {}"))


@pytest.fixture(scope="module")
def real(tmp_path_factory, record_format):
    """2,000 records of a split "shadow".

    The first bit is 1 in nine of ten; of the first class's none is blue, of the second's all are,
    and there are none of the third.
    """
    generator = np.random.default_rng(11)
    rows = record_format.features.draw(2_000, generator)
    rows[:, 0] = generator.random(2_000) < 0.9
    labels = np.arange(2_000) % 2
    rows[:, 4] = np.where(labels == 1, 2, generator.integers(0, 2, 2_000))
    path = tmp_path_factory.mktemp("real") / "shadow.gz"
    write_records(str(path), record_format.encode(rows, labels))
    return {"shadow": ExampleSplit("shadow", False, (str(path),))}


@pytest.fixture
def callable_target(record_format, expected_logits):
    def answer(rows):
        raised = np.exp(expected_logits(record_format.features.decode(rows)))
        return raised / raised.sum(axis=1, keepdims=True)

    return answer


@pytest.fixture
def made(tmp_path, schema, config_of, real, callable_target, record_format, expected_logits):
    """Runs make_pool; the description, the values by feature, and the labels as numbers.

    Every label is checked against the target's formula.
    """

    def run(
        synthetic,
        target=None,
        records=300,
        schema=schema,
        seed=3,
        label_of=lambda logits: logits.argmax(axis=1),
    ):
        config = config_of(f"records: {records} {synthetic}")
        config.seed = seed
        target = target or callable_target
        found = make_pool(config, schema, None, target, real, 50, str(tmp_path / "pool"))
        columns = decode(list(read_records(str(tmp_path / "pool" / POOL_FILE))), "the pool")
        values = record_format.features.decode(record_format.rows_of(columns, "the pool"))
        words = columns.features["label"].values.to_pylist()
        labels = np.array([WORDS.index(word.decode()) for word in words])
        assert np.array_equal(labels, label_of(expected_logits(values)))
        assert found.made == len(labels)
        counted = collections.Counter(labels.tolist())
        assert [each.made for each in found.classes] == [counted[i] for i in range(3)]
        assert [each.label for each in found.classes] == list(WORDS)
        return found, values, labels

    return run


def test_hill_climbing_makes_as_many_of_each_class(made, saved_models):
    found, _, labels = made("model_based {}", TargetModel(saved_models["softmax"]), records=301)
    assert found.source == "model-based hill climbing"
    assert [each.asked for each in found.classes] == [101, 100, 100]
    assert np.bincount(labels).tolist() == [101, 100, 100]
    assert (found.asked, found.made) == (301, 301)
    assert not found.notes


def test_every_query_is_counted(made, callable_target):
    asked = []

    def target(rows):
        asked.append(len(rows))
        return callable_target(rows)

    found, _, _ = made("model_based {}", target)
    assert found.queries == sum(asked) >= 300


def test_settings_reach_the_search(made, expected_logits):
    found, values, _ = made("model_based { conf_min: 0.7 }")
    raised = np.exp(expected_logits(values))
    assert (raised.max(axis=1) / raised.sum(axis=1)).min() > 0.7
    assert found.made > 250


@pytest.fixture
def never_third(callable_target):
    """A target that takes no record for the third class."""

    def answer(rows):
        found = callable_target(rows)
        found[:, 2] = 0.0
        return found / found.sum(axis=1, keepdims=True)

    return answer


def first_two(logits):
    return logits[:, :2].argmax(axis=1)


def test_a_class_that_is_not_reached_is_left_out_and_told(made, never_third):
    found, _, labels = made("model_based { iter_max: 150 }", never_third, label_of=first_two)
    assert np.bincount(labels).tolist() == [100, 100]
    assert found.classes[2].asked == 100
    assert list(found.notes) == [
        "class maybe is left out: no record was found that the target takes for it"
    ]
    # Each of its 100 was searched for to the end, and counts.
    assert found.queries > 100 * 150


def test_a_class_is_not_searched_for_again_in_vain(made, never_third, monkeypatch):
    monkeypatch.setattr(row_sources, "BLOCK", 30)
    found, _, labels = made(
        "model_based { iter_max: 400 }", never_third, records=90, label_of=first_two
    )
    assert np.bincount(labels).tolist() == [30, 30]
    # 10 records of the first block's, 400 queries each; 30 would have cost 12,000.
    assert 4_000 < found.queries < 8_000


def test_marginals_of_data_keep_each_values_share(made):
    found, values, _ = made('marginals { source: DATA splits: "shadow" }', records=20_000)
    # Of 20,000 drawn and 2,000 counted; within four standard errors.
    assert values["bits"].mean(axis=0) == pytest.approx([0.9, 0.5, 0.5, 0.5], abs=0.045)
    shares = np.mean(values["colour"] == "blue")
    assert shares == pytest.approx(0.5, abs=0.015)
    assert found.source == "marginals of split 'shadow'"
    assert found.queries == found.made == 20_000
    assert all(each.asked == 0 for each in found.classes)


def test_marginals_within_classes_keep_what_goes_together(made):
    # Within the first class nothing is blue, within the second all is.
    _, values, _ = made('marginals { source: DATA_PER_CLASS splits: "shadow" }', records=4_000)
    assert np.mean(values["colour"] == "blue") == pytest.approx(0.5, abs=0.04)


def test_marginals_of_statistics(made, schema, config_of, tmp_path, callable_target):
    text = """
        features { path { step: "colour" } string_stats {
          rank_histogram { buckets { label: "red" sample_count: 30 }
                           buckets { label: "green" sample_count: 10 } }
          common_stats { tot_num_values: 40 } } }
        features { path { step: "size" } num_stats { histograms { type: QUANTILES
          buckets { low_value: 0 high_value: 1 sample_count: 40 } } } }
        features { path { step: "age" } num_stats { histograms { type: QUANTILES
          buckets { low_value: 20 high_value: 29 sample_count: 40 } } } }
    """
    from google.protobuf import text_format

    statistics = text_format.Parse(text, statistics_pb2.DatasetFeatureStatistics())
    config = config_of(
        'records: 4000 excluded_feature_keys: "bits" marginals { source: STATISTICS }'
    )

    def target(rows):
        return np.stack([rows[:, 0] == 0, rows[:, 0] == 1, rows[:, 0] == 2], axis=1).astype(float)

    found = make_pool(config, schema, statistics, target, {}, 0, str(tmp_path))
    columns = decode(list(read_records(str(tmp_path / POOL_FILE))), "pool").features
    assert "bits" not in columns
    ages = columns["age"].values.to_numpy()
    assert (ages.min(), ages.max()) == (20, 29)
    assert [each.made for each in found.classes] == pytest.approx([3_000, 1_000, 0], abs=120)
    assert found.notes[0] == (
        "class maybe is left out: no record was found that the target takes for it"
    )
    with pytest.raises(InputError, match=r"there are no statistics: .* give it to the node, or"):
        make_pool(config, schema, None, target, {}, 0, str(tmp_path))


@pytest.mark.parametrize(
    ("noise", "changed_bits"),
    [
        # 3 of 7 columns chosen: a bit among them in 3/7, flipped always, drawn anew half the time.
        ("FLIPPED", 3 / 7),
        ("REDRAWN", 3 / 14),
    ],
)
def test_noise_changes_a_share_of_the_values(made, real, record_format, noise, changed_bits):
    found, values, _ = made(
        f'noisy {{ share: 0.4 splits: "shadow" noise: {noise} }}', records=2_000
    )
    before = record_format.decode(list(read_records(real["shadow"].file_patterns[0])), "real")
    after = record_format.features.encode(values)
    # All were chosen, in the order of the file. 8,000 bits: standard error .006.
    assert np.mean(before[:, :4] != after[:, :4]) == pytest.approx(changed_bits, abs=0.025)
    assert (before != after).sum(axis=1).max() <= 3
    assert found.made == 2_000
    assert not found.notes


def test_each_real_record_is_taken_once(made):
    found, _, _ = made('noisy { share: 0.1 splits: "shadow" }', records=5_000)
    assert (found.asked, found.made) == (5_000, 2_000)
    assert found.notes[0].startswith("2,000 records instead of 5,000: split 'shadow' has no more")


@pytest.mark.parametrize("by_model", [True, False])
def test_a_biased_sample_is_of_real_records(
    made, real, schema, saved_models, record_format, by_model
):
    arguments = {"target": TargetModel(saved_models["softmax"]), "schema": None} if by_model else {}
    _, values, labels = made(
        'biased_sample { splits: "shadow" most_favoured: 4 }', records=400, **arguments
    )
    counts = np.sort(np.bincount(labels, minlength=3))
    # Shares 1 : 2 : 4 of 400.
    assert counts.tolist() == [57, 114, 229]
    before = record_format.decode(list(read_records(real["shadow"].file_patterns[0])), "real")
    known = {row.tobytes() for row in before}
    after = record_format.features.encode(values)
    assert all(row.tobytes() in known for row in after)
    assert len(np.unique(after, axis=0)) == 400


def test_the_same_seed_makes_the_same_records(made):
    one, two, other = (
        rows_by_seed[1]["age"].tolist()
        for rows_by_seed in (
            made("model_based {}", seed=1),
            made("model_based {}", seed=1),
            made("model_based {}", seed=2),
        )
    )
    assert one == two
    assert one != other


def test_twice_as_many_as_the_target_was_trained_on(tmp_path, schema, config_of, callable_target):
    found = make_pool(
        config_of("model_based {}"), schema, None, callable_target, {}, 50, str(tmp_path)
    )
    assert (found.asked, found.made) == (100, 100)
    split = ExampleSplit("synthetic", False, (str(tmp_path / POOL_PATTERN),))
    assert len(peek(split, 1_000)) == 100


@pytest.mark.parametrize(
    ("synthetic", "message"),
    [
        ("", "synthetic has no source: expected one of model_based, marginals, noisy, biased_s"),
        ("records: 0 model_based {}", "0 synthetic records are asked for: expected at least 1"),
        ("noisy { share: 0.1 }", "noisy.splits is empty"),
        ('noisy { share: 2 splits: "shadow" }', r"noisy.share is 2.0: expected 0 to 1"),
        (
            'marginals { source: DATA splits: "test" }',
            r"marginals.splits names 'test': expected names of splits of the examples, 'shadow'",
        ),
        ("model_based { conf_min: 1 }", r"conf_min must be in \[0, 1\), found 1.0"),
        (
            'biased_sample { splits: "shadow" most_favoured: 1 }',
            r"biased_sample.most_favoured is 1.0: expected more than 1",
        ),
        (
            "model_based { conf_min: 0.9999 iter_max: 3 }",
            r"made no record, after \d+ queries of the target: lower model_based.conf_min",
        ),
        (
            'model_based {} excluded_feature_keys: "colour" excluded_feature_keys: "hue"',
            r"features \['hue'\] to leave out are not in the schema",
        ),
    ],
)
def test_wrong_configurations(
    synthetic, message, tmp_path, schema, config_of, real, callable_target
):
    with pytest.raises(InputError, match=message):
        make_pool(
            config_of(synthetic), schema, None, callable_target, real, 50, str(tmp_path / "pool")
        )
    assert not (tmp_path / "pool" / POOL_FILE).exists()


def test_no_schema(tmp_path, config_of, callable_target):
    with pytest.raises(InputError, match="there is no schema: synthesis needs the domains"):
        make_pool(config_of("model_based {}"), None, None, callable_target, {}, 50, str(tmp_path))
