"""Rows by gradient norm: against counts by hand, whatever batches they come in."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

from tfx_privacy.evaluation.norm_tally import BINS, MOST_LAYERS, NormTally, norm_distributions
from tfx_privacy.evaluation.tally import ScoredRows
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role


def _signals(member, **norms):
    number = np.arange(len(member), dtype=np.uint64)
    return Signals(
        config_pb2.MULTICLASS,
        np.stack([number, number], axis=1),
        np.array(member, np.bool_),
        gradient_norms={name: np.array(of_layer, np.float32) for name, of_layer in norms.items()},
    )


def _random(rows, layers, seed):
    rng = np.random.default_rng(seed)
    norms = {f"layer_{i}": np.exp(rng.normal(i, 2, rows)) for i in range(layers)}
    return _signals(rng.random(rows) < 0.4, **norms)


def _scored(rows, role=Role.JUDGE):
    return ScoredRows(rows, role, {}, {}, None)


def _told(tally, *parts):
    totals = {}
    for part in parts:
        for key, value in tally.count(_scored(part)).items():
            totals[key] = totals[key] + value if key in totals else value
    return norm_distributions(tally.from_bytes(tally.to_bytes(totals)))


def test_by_hand():
    # Norms (3, 4) have 5 together; FIT reaches from 1 to 16 in the first layer.
    fit = _signals([1, 0, 1, 0], a=[1, 16, 4, 4], b=[0, 0, 3, 3])
    tally = NormTally.prepare(fit)
    together, first, second = _told(
        tally, _signals([1, 1, 0, 0, 1], a=[3, 0, 1e30, 2, 15], b=[4, 0, 0, 0, 1])
    )
    assert [one.layer for one in (together, first, second)] == ["", "a", "b"]
    assert (first.median_member, first.median_nonmember) == (2.5, 10)
    assert (together.median_member, together.median_nonmember) == (3, 10.5)
    assert (second.median_member, second.median_nonmember) == (1.5, 1.5)
    # Half a percent of two rows lies that far from the lower one, on a line between them.
    low, high = 1 + 0.005 * 3, 16 - 0.005 * 12
    edges = np.array(first.edges)
    assert edges[[0, -1]] == pytest.approx([low, high])
    assert edges[1:] / edges[:-1] == pytest.approx(np.full(BINS, (high / low) ** (1 / BINS)))

    def bin_of(norm):
        return math.floor(BINS * math.log(norm / low) / math.log(high / low))

    # 0 lies below all edges and 1e30 above: the first bin and the last.
    assert dict(_filled(first.members)) == {0: 1, bin_of(3): 1, bin_of(15): 1}
    assert dict(_filled(first.nonmembers)) == {bin_of(2): 1, BINS - 1: 1}
    # All norms of FIT that are not 0 are 3: the bins reach from .3 to 30.
    assert np.array(second.edges)[[0, 20, 40]] == pytest.approx([0.3, 3, 30])
    assert dict(_filled(second.members)) == {0: 1, math.floor(20 * math.log10(1 / 0.3)): 1, 22: 1}
    # 22: log10(4 / .3) is 1.12, times 20. Together 5, 0, 15.03.
    assert sum(together.members) == 3
    assert together.members[0] == 1


def _filled(counts):
    return [(place, count) for place, count in enumerate(counts) if count]


def test_batches_do_not_matter():
    tally = NormTally.prepare(_random(500, 3, seed=1))
    rows = _random(1_000, 3, seed=2)
    whole = _told(tally, rows)
    cuts = [0, 1, 2, 640, 640, 1_000]
    parts = [rows.take(np.arange(a, b)) for a, b in itertools.pairwise(cuts)]
    assert _told(tally, *reversed(parts)) == whole
    assert [sum(one.members) for one in whole] == [int(rows.member.sum())] * 4
    # About half a percent of a side beyond each of the outermost edges, and no more.
    for one in whole:
        assert sum(one.members[1:-1]) > 0.8 * sum(one.members)


def test_only_judge_rows_are_counted():
    rows = _random(50, 1, seed=3)
    tally = NormTally.prepare(rows)
    assert tally.count(_scored(rows, Role.FIT)) == {}
    assert tally.count(_scored(rows))


def test_of_many_layers_the_last_are_told_and_all_are_together():
    rows = _random(40, MOST_LAYERS + 3, seed=4)
    tally = NormTally.prepare(rows)
    told = _told(tally, rows)
    assert [one.layer for one in told[1:]] == [f"layer_{i}" for i in range(3, MOST_LAYERS + 3)]
    squares = np.sum([norms.astype(float) ** 2 for norms in rows.gradient_norms.values()], axis=0)
    expected = np.median(np.sqrt(squares)[rows.member])
    assert told[0].median_member == pytest.approx(expected)


def test_nothing_without_norms_or_without_a_side():
    rows = _random(10, 1, seed=5)
    for fit in (
        dataclasses.replace(rows, gradient_norms={}),
        rows.take(rows.member),
        rows.take(~rows.member),
    ):
        tally = NormTally.prepare(fit)
        assert tally.wide_columns == ()
        assert _told(tally, rows) == []
    assert NormTally.prepare(rows).wide_columns == ("white_box",)


def test_norms_that_are_all_zero_have_bins():
    zero = _signals([1, 0, 1], a=[0, 0, 0])
    (together, first) = _told(NormTally.prepare(zero), zero)
    assert list(np.diff(first.edges) > 0) == [True] * BINS
    assert (first.members[0], first.nonmembers[0], together.members[0]) == (2, 1, 2)


def test_names_survive_whatever_they_hold():
    name = "é\0<b>\u202e\0"
    rows = _signals([1, 0], **{name: [1, 2]})
    assert _told(NormTally.prepare(rows), rows)[1].layer == name
