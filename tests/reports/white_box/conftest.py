"""Results with white-box signals, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

AUC = config_pb2.MetricSpec(name="auc")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)


def _value(estimate: float, half: float) -> results_pb2.MeasuredValue:
    return results_pb2.MeasuredValue(
        estimate=estimate,
        lower=estimate - half,
        upper=estimate + half,
        confidence=0.95,
        members=1_000,
        nonmembers=500,
    )


def difference(
    metric: config_pb2.MetricSpec, black_box: float, added: float, half: float
) -> results_pb2.MetricDifference:
    """Values of the attacks are known to 1.5 times the half-width of the difference."""
    return results_pb2.MetricDifference(
        metric=metric,
        black_box=_value(black_box, 1.5 * half),
        white_box=_value(black_box + added, 1.5 * half),
        difference=_value(added, half),
    )


def norms(layer: str, *, apart: float, rows: int = 1_000) -> results_pb2.NormDistribution:
    """Normal in the logarithm; those of non-members are larger by a factor of 10 ** apart."""
    edges = np.geomspace(1e-4, 1e2, 41)
    rng = np.random.default_rng(len(layer))
    counts = [
        np.bincount(
            np.searchsorted(edges[1:-1], 10 ** rng.normal(place, 0.8, rows)), minlength=40
        ).tolist()
        for place in (-1.0, -1.0 + apart)
    ]
    return results_pb2.NormDistribution(
        layer=layer,
        edges=edges.tolist(),
        members=counts[0],
        nonmembers=counts[1],
        median_member=0.1,
        median_nonmember=0.1 * 10**apart,
    )


def _layer(name: str, index: int, *, has_norms: bool = True) -> results_pb2.WhiteBoxLayer:
    return results_pb2.WhiteBoxLayer(
        name=name,
        index=index,
        kind="dense",
        weights=10_100,
        has_norms=has_norms,
        has_sketches=index > 1,
        activation_width=16 * (index % 2),
    )


def white_box(
    *differences: results_pb2.MetricDifference,
    layers: tuple[str, ...] = ("dense", "dense_1", "dense_2"),
    notes: tuple[str, ...] = (),
) -> results_pb2.WhiteBoxResults:
    """The attacks `loss_threshold` and `gradient_norm` compared, by default with nothing shown."""
    return results_pb2.WhiteBoxResults(
        layers=[_layer(name, index) for index, name in enumerate(layers)],
        notes=notes,
        best_black_box="loss_threshold",
        best_white_box="gradient_norm",
        differences=differences or [difference(AUC, 0.6, 0.005, 0.015)],
        groups=[
            results_pb2.SignalGroupResult(
                group=group,
                attack=attack,
                attacks=number,
                auc=_value(area, 0.02),
                accuracy=_value(area - 0.02, 0.02),
            )
            for group, attack, number, area in (
                ("outputs", "loss_threshold", 7, 0.6),
                ("gradient norms", "gradient_norm", 3, 0.605),
                ("gradient sketches", "logistic_regression_sketches", 2, 0.57),
                ("activations", "logistic_regression_activations", 1, 0.49),
                ("all", "white_box_network", 4, 0.63),
            )
        ],
        norms=[norms("", apart=1.1), *(norms(name, apart=0.6) for name in layers)],
    )


class Maker(NamedTuple):
    """Makes parts of results."""

    difference: Callable[..., results_pb2.MetricDifference]
    norms: Callable[..., results_pb2.NormDistribution]
    white_box: Callable[..., results_pb2.WhiteBoxResults]


@pytest.fixture
def maker() -> Maker:
    """Makes parts of results; see the functions of this module."""
    return Maker(difference, norms, white_box)
