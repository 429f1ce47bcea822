"""Who would train such models, in words that fit what was done."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reports.reference_training_words import (
    how_trained,
    inside_sentence,
    losses_sentences,
    models_text,
    sizes_sentence,
    trained_alike,
    what_it_takes,
)


@pytest.fixture
def with_pool(maker):
    """Results with reference models on such a pool."""

    def make(**pool):
        results = maker.results()
        results.references.trained.config.ClearField("pool")
        config = references_pb2.ReferenceModelsConfig(**pool)
        results.references.trained.config.MergeFrom(config)
        return results

    return make


def test_online_takes_the_very_records(maker):
    results = maker.results()
    assert how_trained(results) == (
        "16 reference models were trained on random halves of members and non-members together, in "
        "pairs: what one of a pair was trained on the other was not (online)."
    )
    assert what_it_takes(results).startswith("Whoever does the same has the very records")


def test_a_pool_that_is_not_set_is_online(with_pool):
    assert how_trained(with_pool()).endswith("(online).")


def test_offline_takes_other_records(with_pool):
    results = with_pool(offline=references_pb2.OfflinePool(splits=["extra"]))
    assert how_trained(results) == (
        "16 reference models were trained on random halves of the split extra, apart from the "
        "members and non-members here (offline)."
    )
    results.references.trained.config.offline.splits.append("more")
    assert "of the splits extra, more, apart" in how_trained(results)
    assert "none of the training data itself" in what_it_takes(results)
    assert "very records" not in what_it_takes(results)


@pytest.mark.parametrize(
    ("source", "knows"),
    [
        ({"model_based": references_pb2.ModelBased(k_max=128)}, "has no records at all"),
        (
            {"marginals": references_pb2.Marginals(source=references_pb2.STATISTICS)},
            "as published statistics tell",
        ),
        ({"marginals": references_pb2.Marginals(source=references_pb2.DATA)}, "in real data"),
        (
            {"marginals": references_pb2.Marginals(source=references_pb2.DATA_PER_CLASS)},
            "in each class, which is more than statistics usually tell",
        ),
        ({"noisy": references_pb2.NoisyRecords(share=0.1)}, "records of this kind that are partly"),
        ({"biased_sample": references_pb2.BiasedSample()}, "not in their true mixture"),
    ],
)
def test_synthetic_takes_what_its_source_takes(source, knows, with_pool):
    results = with_pool(synthetic=references_pb2.SyntheticPool(**source))
    results.references.trained.synthesis.source = "some source"
    assert "records that were made up (some source), labelled by" in how_trained(results)
    assert knows in what_it_takes(results)
    assert "may ask the target" in what_it_takes(results)


def test_one_model(maker):
    results = maker.results(found=maker.references(1))
    assert models_text(results) == "1 reference model"
    assert how_trained(results).startswith("1 reference model was trained on")


def test_steps_are_told_as_configured(maker):
    results = maker.results()
    assert "scaled to keep the target's number of epochs" in trained_alike(results)
    results.references.trained.config.steps = references_pb2.SAME_STEPS
    assert "whatever the size of the training set" in trained_alike(results)


@pytest.mark.parametrize(
    ("target", "share", "like"),
    [
        (5_000, "the target on 5,000: 100% of as many.", ""),
        (10_000, "the target on 10,000: 50% of as many.", "trained on less usually remember more"),
        (2_500, "the target on 2,500: 200% of as many.", "trained on more usually remember less"),
        (100_000, "the target on 100,000: 5.0% of as many.", "trained on less"),
    ],
)
def test_sizes_beside_the_targets(target, share, like, maker):
    said = sizes_sentence(maker.trained(target=target))
    assert said.startswith(f"Each was trained on 4,980 to 5,020 records, {share}")
    assert like in said
    assert ("not quite like the target" in said) == bool(like)


def test_sizes_that_are_not_known(maker):
    assert sizes_sentence(references_pb2.ReferenceModels()) == ""
    assert sizes_sentence(maker.trained(target=0)) == "Each was trained on 4,980 to 5,020 records."


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        (10_000, "Each of the 10,000 evaluated records is in the training sets of half"),
        (0, "None of the 10,000 evaluated records is in a model's training set."),
        (1, "Of the 10,000 evaluated records 1 is in the training sets of half of the models."),
        (23, "Of the 10,000 evaluated records 23 are in the training sets of half"),
    ],
)
def test_records_inside(inside, said, maker):
    found = maker.references()
    found.records_inside = inside
    assert inside_sentence(found).startswith(said)


def test_models_that_remember(maker):
    """.011 times 1.96 is .0216."""
    assert losses_sentences(maker.results()) == [
        "The models lose less on what they were trained on: by 0.890 nats on average, over 10,000 "
        "records (95% interval: 0.868 to 0.912). They remember something of their training "
        "records, which is what these attacks go by."
    ]


def test_a_non_difference_is_no_proof(maker):
    results = maker.results()
    results.references.difference.mean = -0.002
    results.model.task = config_pb2.REGRESSION
    first, meaning = losses_sentences(results)
    assert "it is 0.002 less on the former on average" in first
    assert first.endswith("interval, -0.024 to 0.020, contains 0.")
    assert "a good sign for the target too, and no proof" in meaning
    results.references.difference.mean = 0.002
    assert "0.002 more on the former" in losses_sentences(results)[0]


def test_models_that_lose_more_inside_may_be_luck(maker):
    results = maker.results()
    results.references.difference.mean = 0.03
    results.references.difference.p_value = 0.0032
    (said,) = losses_sentences(results)
    assert "lose more on what they were trained on than on other records: by 0.030 nats" in said
    assert "with probability 0.0032" in said


def test_nothing_is_said_of_losses_that_are_not_known(maker):
    results = maker.results()
    results.references.ClearField("difference")
    assert losses_sentences(results) == []
