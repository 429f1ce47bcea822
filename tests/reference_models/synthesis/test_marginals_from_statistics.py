"""Statistics as TFDV writes them; expected shares are computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2

from tfx_privacy.reference_models.synthesis.features import (
    Binary,
    BoundedReal,
    Categorical,
    Feature,
    FeatureTable,
)
from tfx_privacy.reference_models.synthesis.marginals_from_statistics import (
    marginals_from_statistics,
)
from tfx_privacy.signals.errors import InputError


def statistics_of(text):
    found = f'features {{ path {{ step: "x" }} {text} }}'
    return text_format.Parse(found, statistics_pb2.DatasetFeatureStatistics())


def bins(kind, *edges_and_counts):
    buckets = "".join(
        f"buckets {{ low_value: {low} high_value: {high} sample_count: {count} }} "
        for low, high, count in edges_and_counts
    )
    return f"histograms {{ type: {kind} {buckets} }} "


def column_of(kind, text):
    table = FeatureTable((Feature("x", kind),))
    return marginals_from_statistics(table, statistics_of(text)).columns[0]


def test_a_binary_numbers_share_comes_from_its_mean():
    column = column_of(Binary((0, 1)), "num_stats { mean: 0.3 }")
    assert column.codes.tolist() == [0, 1]
    np.testing.assert_allclose(column.shares, [0.7, 0.3])
    # 3 with share 1/4, 7 with 3/4: mean 6.
    np.testing.assert_allclose(
        column_of(Binary((3, 7)), "num_stats { mean: 6 }").shares, [0.25, 0.75]
    )


def test_frequencies_of_text_and_what_the_list_leaves_out():
    text = """string_stats {
      common_stats { tot_num_values: 20 }
      rank_histogram {
        buckets { label: "b" sample_count: 10 }
        buckets { label: "unknown" sample_count: 4 }
      }
    }"""
    column = column_of(Categorical(("a", "b", "c")), text)
    # 20 - 14 = 6 are of values not listed: 3 each for a and c. "unknown" is outside the domain.
    np.testing.assert_allclose(column.shares, [3 / 16, 10 / 16, 3 / 16])


def test_frequencies_of_categorical_integers():
    text = """string_stats {
      common_stats { tot_num_values: 8 }
      rank_histogram {
        buckets { label: "5" sample_count: 6 }
        buckets { label: "3" sample_count: 2 }
      }
    }"""
    assert column_of(Categorical((3, 5)), text).shares.tolist() == [0.25, 0.75]
    assert column_of(Categorical(range(3, 6)), text).shares.tolist() == [0.25, 0, 0.75]


def test_top_values_where_there_are_no_ranks():
    text = """string_stats {
      common_stats { tot_num_values: 4 }
      top_values { value: "a" frequency: 3 }
      top_values { value: "b" frequency: 1 }
    }"""
    assert column_of(Binary(("a", "b")), text).shares.tolist() == [0.75, 0.25]


def test_integers_are_uniform_within_bins_of_quantiles():
    # Values 0 to 9 once each, and 7 ten times more: bins hold what is above their beginning.
    histogram = bins("QUANTILES", (0, 3, 4), (3, 7, 4), (7, 7, 10), (7, 9, 2))
    column = column_of(Categorical(range(10)), f"num_stats {{ {histogram} }}")
    assert column.first.tolist() == [0, 4, 7, 8]
    assert column.last.tolist() == [3, 7, 7, 9]
    np.testing.assert_allclose(column.shares, np.array([4, 4, 10, 2]) / 20)
    # A domain from 5 on: codes count from there, and the bin below it is dropped.
    column = column_of(Categorical(range(5, 10)), f"num_stats {{ {histogram} }}")
    assert column.first.tolist()[1:] == [0, 2, 3]
    assert column.last.tolist()[1:] == [2, 2, 4]
    np.testing.assert_allclose(column.shares, np.array([0, 4, 10, 2]) / 16)


def test_reals_are_uniform_within_bins_of_quantiles():
    histograms = bins("STANDARD", (0, 10, 8)) + bins("QUANTILES", (0, 1, 4), (1, 10, 4))
    column = column_of(BoundedReal(0.5, 5.0), f"num_stats {{ {histograms} }}")
    assert column.low.tolist() == [0.5, 1]
    assert column.high.tolist() == [1, 5]
    assert column.shares.tolist() == [0.5, 0.5]


def test_draws_follow():
    histogram = bins("QUANTILES", (0, 1, 3), (1, 2, 1))
    table = FeatureTable((Feature("x", BoundedReal(0, 2)),))
    found = marginals_from_statistics(table, statistics_of(f"num_stats {{ {histogram} }}"))
    drawn = found.draw(20_000, np.random.default_rng(0))
    assert drawn.shape == (20_000, 1)
    # Mean .75 * .5 + .25 * 1.5.
    assert drawn.mean() == pytest.approx(0.75, abs=0.015)
    assert np.mean(drawn < 1) == pytest.approx(0.75, abs=0.015)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (BoundedReal(0, 1), "num_stats {}", "no histogram of type QUANTILES or STANDARD"),
        (BoundedReal(0, 1), "string_stats {}", "found string_stats, expected num_stats"),
        (BoundedReal(0, 1), f"num_stats {{ {bins('QUANTILES', (2, 3, 4))} }}", "in the domain"),
        (Binary(), "num_stats { mean: 1.5 }", "the mean is 1.5, expected 0 to 1"),
        (Binary(("a", "b")), "num_stats { mean: 0.5 }", "of numbers, the domain is of 'a'"),
        (Categorical((3, 5, 9)), "num_stats {}", "a domain that is a range"),
        (Categorical(("a",)), "string_stats {}", "none of the values is in the domain"),
        (Categorical(range(2**40)), "string_stats {}", "at most 1000000 values"),
        (Binary(), "", "found None, expected num_stats"),
    ],
)
def test_statistics_that_do_not_tell(kind, text, message):
    with pytest.raises(InputError, match=f"statistics of feature 'x': .*{message}"):
        column_of(kind, text)


def test_features_without_statistics():
    known = statistics_of("num_stats { mean: 0.5 }")
    with pytest.raises(InputError, match=r"feature 'y' has no statistics; .* \['x'\]"):
        marginals_from_statistics(FeatureTable((Feature("y", Binary()),)), known)
    with pytest.raises(InputError, match=r"'x' has the shape \(3,\).*take the marginals of the"):
        marginals_from_statistics(FeatureTable((Feature("x", Binary(), (3,)),)), known)
