"""Marginals from what StatisticsGen found: no record is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.reference_models.synthesis.features import (
    Binary,
    BoundedReal,
    Categorical,
    Feature,
    FeatureTable,
    Kind,
)
from tfx_privacy.reference_models.synthesis.marginals import (
    BinMarginal,
    CodeMarginal,
    Marginal,
    Marginals,
    RangeMarginal,
)
from tfx_privacy.signals.errors import InputError

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

# The first one that is there. TFDV computes the second from the first, where both are.
_HISTOGRAMS = ("QUANTILES", "STANDARD")
_MOST_FREQUENCIES = 1_000_000


def marginals_from_statistics(
    features: FeatureTable, statistics: statistics_pb2.DatasetFeatureStatistics
) -> Marginals:
    """The marginals of the data that statistics were made of, as far as these tell.

    Frequencies of text (and of integers that are categorical in the schema) are those listed;
    what the list leaves out is shared evenly among the other values of the domain. The share of a
    binary number comes from its mean. Other integers and real numbers are uniform within the bins
    of the histogram of quantiles. Values outside the domain do not count; missing values neither.

    Args:
      features: The domain.
      statistics: Of one slice: those of all examples, or of a class.

    Raises:
      InputError: If a feature has no statistics or no histogram in them, has a shape (statistics
        do not tell its values apart), or none of its values is in the domain.
    """
    known = {each.name or ".".join(each.path.step): each for each in statistics.features}
    return Marginals(tuple(_checked(feature, known) for feature in features.features))


def _checked(
    feature: Feature, known: Mapping[str, statistics_pb2.FeatureNameStatistics]
) -> Marginal:
    if feature.name not in known:
        raise InputError(
            f"feature {feature.name!r} has no statistics; there are those of {sorted(known)}"
        )
    if feature.shape:
        raise InputError(
            f"feature {feature.name!r} has the shape {feature.shape}, and statistics do not tell "
            "its values apart: take the marginals of the data"
        )
    try:
        return _marginal(feature.kind, known[feature.name])
    except InputError as error:
        raise InputError(f"statistics of feature {feature.name!r}: {error}") from error


def _marginal(kind: Kind, found: statistics_pb2.FeatureNameStatistics) -> Marginal:
    which = found.WhichOneof("stats")
    if isinstance(kind, BoundedReal):
        _require(which, "num_stats")
        return _of_bins(kind, found.num_stats)
    if which == "string_stats":
        return _of_frequencies(kind, found.string_stats)
    _require(which, "num_stats")
    if not all(isinstance(value, int) for value in kind.values[:2]):
        raise InputError(f"they are of numbers, the domain is of {kind.values[0]!r} and others")
    if isinstance(kind, Binary):
        return _of_mean(kind, found.num_stats)
    if not isinstance(kind.values, range):
        raise InputError("integers need a domain that is a range")
    return _of_integer_bins(kind.values, found.num_stats)


def _of_mean(kind: Binary, found: statistics_pb2.NumericStatistics) -> CodeMarginal:
    zero, one = (float(str(value)) for value in kind.values)
    share = (found.mean - zero) / (one - zero)
    if not -1e-9 <= share <= 1 + 1e-9:
        raise InputError(f"the mean is {found.mean}, expected {zero:g} to {one:g}")
    share = min(max(share, 0.0), 1.0)
    return CodeMarginal(np.array([0.0, 1.0]), np.array([1 - share, share]))


def _of_frequencies(
    kind: Binary | Categorical, found: statistics_pb2.StringStatistics
) -> CodeMarginal:
    if len(kind.values) > _MOST_FREQUENCIES:
        raise InputError(
            f"frequencies are kept for at most {_MOST_FREQUENCIES} values, the domain has "
            f"{len(kind.values)}"
        )
    listed = {bucket.label: bucket.sample_count for bucket in found.rank_histogram.buckets} or {
        each.value: each.frequency for each in found.top_values
    }
    counts = np.array([listed.get(str(value), np.nan) for value in kind.values])
    rest = max(found.common_stats.tot_num_values - sum(listed.values()), 0.0)
    unlisted = np.isnan(counts)
    counts[unlisted] = rest / max(int(unlisted.sum()), 1)
    return CodeMarginal(np.arange(len(counts), dtype=np.float64), _shares(counts))


def _of_bins(kind: BoundedReal, found: statistics_pb2.NumericStatistics) -> BinMarginal:
    low, high, counts = _histogram(found)
    inside = (high >= kind.low) & (low <= kind.high)
    return BinMarginal(
        np.clip(low, kind.low, kind.high),
        np.clip(high, kind.low, kind.high),
        _shares(counts * inside),
    )


def _of_integer_bins(values: range, found: statistics_pb2.NumericStatistics) -> RangeMarginal:
    low, high, counts = _histogram(found)
    # A bin of quantiles holds what is above its beginning, up to its end; the first bin its
    # beginning too. One value that fills several bins gives them equal edges.
    beginning = np.where(np.arange(len(low)) == 0, np.ceil(low), np.floor(low) + 1.0)
    last = np.floor(high)
    first = np.minimum(beginning, last)
    lowest, highest = float(values[0]), float(values[-1])
    inside = (last >= lowest) & (first <= highest)
    return RangeMarginal(
        np.clip(first, lowest, highest) - lowest,
        np.clip(last, lowest, highest) - lowest,
        _shares(counts * inside),
    )


def _histogram(
    found: statistics_pb2.NumericStatistics,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where bins begin and end, and how many values each holds."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    of_type = {
        statistics_pb2.Histogram.HistogramType.Name(each.type): each for each in found.histograms
    }
    for name in _HISTOGRAMS:
        if name in of_type and of_type[name].buckets:
            buckets = of_type[name].buckets
            columns = [(each.low_value, each.high_value, each.sample_count) for each in buckets]
            low, high, counts = np.array(columns, dtype=np.float64).T
            return low, high, counts
    raise InputError(f"no histogram of type {' or '.join(_HISTOGRAMS)}")


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    if not counts.sum() > 0:
        raise InputError("none of the values is in the domain")
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _require(found: str | None, expected: str) -> None:
    if found != expected:
        raise InputError(f"found {found}, expected {expected} for its domain")
