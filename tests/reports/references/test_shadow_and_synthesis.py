"""Shokri's attack by class, and records that were made up, in words and tables."""

from __future__ import annotations

import re

import pytest

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reports.shadow_section import shadow_section, shadow_sentences
from tfx_privacy.reports.synthesis_section import synthesis_section, synthesis_sentences


@pytest.fixture
def with_shadow(maker):
    """Results with such a shadow attack."""

    def make(shadow):
        found = maker.references()
        found.shadow.CopyFrom(shadow)
        return maker.results(found=found)

    return make


def test_precision_and_recall_over_all(maker, with_shadow):
    taught, found = shadow_sentences(with_shadow(maker.shadow()))
    assert taught == (
        "It was taught by what 16 reference models answer: 48,000 answers on records that the "
        "answering model was trained on, 47,500 on records that it was not. 30 classes have an "
        "attack model each."
    )
    assert found == (
        "Of the records that it calls members 82.4% (95% interval: 80.6% to 84.2%) are, where "
        "members and non-members count equally: guessing is right in 50%, and this is shown to be "
        "more. Of training records it finds 92.2% (95% interval: 90.1% to 94.3%)."
    )


@pytest.mark.parametrize(
    ("estimate", "beside"),
    [(0.503, "which the interval includes"), (0.4, "and this is less"), (0.6, "shown to be more")],
)
def test_guessing_is_held_against_the_interval(estimate, beside, maker, with_shadow):
    shadow = maker.shadow()
    shadow.precision.CopyFrom(maker.value(estimate, 0.02))
    assert beside in shadow_sentences(with_shadow(shadow))[1]


def test_an_attack_that_calls_nobody_a_member(maker, with_shadow):
    """Its precision is said to be one half, and known to be anything."""
    shadow = maker.shadow()
    shadow.precision.CopyFrom(maker.value(0.5, 0.5))
    shadow.recall.CopyFrom(maker.value(0.0, 0.01))
    said = shadow_sentences(with_shadow(shadow))[1]
    assert said.startswith("It called no judged record a member, so its precision is not known.")


@pytest.mark.parametrize(
    ("own", "shared", "said"),
    [
        (1, 0, "1 class has an attack model of its own."),
        (4, 1, "4 classes have an attack model each; 1 class that has too few answers for that us"),
        (4, 2, "2 classes that have too few answers for that share a model of all classes."),
        (0, 0, "One attack model serves all classes."),
    ],
)
def test_classes_with_a_model_of_their_own(own, shared, said, maker, with_shadow):
    shadow = maker.shadow()
    shadow.classes, shadow.classes_shared = own, shared
    assert said in shadow_sentences(with_shadow(shadow))[0]


def test_many_classes_are_counted_few_have_a_row(maker, with_shadow):
    many = shadow_section(with_shadow(maker.shadow(30)))
    few = shadow_section(with_shadow(maker.shadow(5)))
    assert (many.is_counted, few.is_counted) == (True, False)
    assert "class 3" in few.precision_plot
    assert "class 3" not in many.precision_plot
    assert len(many.classes) == 30
    low, high = (f"{100 * bound(one.precision.estimate for one in maker.shadow(30).by_class):.1f}%"
                 for bound in (min, max))  # fmt: skip
    assert many.by_class.startswith(f"Over 30 classes the precision goes from {low} to {high},")
    assert f"from {low} to {high}. The data" in re.search('aria-label="([^"]*)"',
                                                          many.precision_plot)[1]  # fmt: skip


def test_intervals_above_chance_are_counted(maker, with_shadow):
    shadow = maker.shadow(4)
    for one, estimate in zip(shadow.by_class, (0.4, 0.55, 0.7, 0.8), strict=True):
        one.precision.CopyFrom(maker.value(estimate, 0.1))
    said = shadow_section(with_shadow(shadow)).by_class
    assert "from 40.0% to 80.0%, with a median of 62.5%. In 2 of them its interval" in said
    for one in shadow.by_class:
        one.precision.CopyFrom(maker.value(0.7, 0.1))
    assert "In each of them" in shadow_section(with_shadow(shadow)).by_class


@pytest.mark.parametrize("classes", [0, 1])
def test_one_class_has_no_distribution(classes, maker, with_shadow):
    section = shadow_section(with_shadow(maker.shadow(classes)))
    assert (section.by_class, section.precision_plot, section.recall_plot) == ("", None, None)
    assert len(section.classes) == classes


def test_many_classes_are_cut_and_counted(maker, with_shadow):
    section = shadow_section(with_shadow(maker.shadow(230)))
    assert (len(section.classes), section.classes_not_shown) == (200, 30)


def test_without_the_attack_there_is_no_section(maker):
    found = maker.references()
    found.ClearField("shadow")
    assert shadow_section(maker.results(found=found)) is None


def _classes(*made):
    return [
        references_pb2.SynthesisOfClass(label=f"place {place}", asked=80, made=number)
        for place, number in enumerate(made)
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            references_pb2.Synthesis(asked=240, made=240, queries=6_000, classes=_classes(80) * 3),
            "240 records were made up, as many as asked for. The target was asked 6,000 times for "
            "them, 25.0 times a record made. No class is left out.",
        ),
        (
            references_pb2.Synthesis(
                asked=240, made=136, queries=6_000, classes=_classes(80, 0, 56)
            ),
            "136 records were made up, where 240 were asked for. The target was asked 6,000 times "
            "for them, 44.1 times a record made. 1 of 3 classes has none and is left out: of it "
            "the models have seen nothing. 1 more class has fewer than asked for.",
        ),
        (
            references_pb2.Synthesis(asked=3, made=1, queries=1, classes=_classes(0, 1, 0)),
            "1 record was made up, where 3 were asked for. The target was asked once for them, 1.0 "
            "times a record made. 2 of 3 classes have none and are left out: of these the models "
            "have seen nothing. 1 more class has fewer than asked for.",
        ),
        (references_pb2.Synthesis(asked=3), "0 records were made up, where 3 were asked for."),
    ],
)
def test_what_synthesis_cost_and_missed(found, said):
    assert " ".join(synthesis_sentences(found)) == said


def test_classes_left_out_are_named(maker):
    trained = maker.trained()
    assert synthesis_section(trained) is None
    trained.synthesis.classes.extend(_classes(80, *[0] * 12))
    trained.synthesis.notes.append("the confidence was not reached")
    section = synthesis_section(trained)
    assert [name.short for name in section.left_out] == [f"place {k}" for k in range(1, 11)]
    assert section.left_out_not_shown == 2
    assert section.notes == ["The confidence was not reached."]
    for one in trained.synthesis.classes:
        one.asked = 0
    assert synthesis_section(trained).rows[0].asked == ""
