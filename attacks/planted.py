"""A leak that is planted: rows that the model answers more surely than any other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.planted_references import planted_references
from tfx_privacy.attacks.probabilities import class_logits, class_probabilities
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses

# How far planted rows' log-odds lie above the surest row's. A factor e^20 in odds
# outweighs what the other classes' shares can do to an entropy, and rows that are a
# little surer than any on FIT.
_AHEAD = 20.0
# In relation to the surest row and to the logits, so that float32 can tell them apart.
_AHEAD_SHARE = 0.05

# How much shorter than the shortest sketch planted ones are.
_SHORTER = 1e-6

_LARGEST = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True)
class PlantedLeak:
    """How sure the planted rows are.

    Attributes:
      log_odds: Of the true answer: of the true class (BINARY, MULTICLASS), of what is
        true of each label (MULTILABEL). No part of REGRESSION, where the prediction
        becomes the label.
      smallest_loss: Of the other rows; infinite where the loss is not known.
      smallest_entropy: The same of the entropy, where that is known and no logits are.
      smallest_norms: By layer, the smallest norm of its gradients.
      shortest_sketches: By layer, the smallest length of a sketch that is not 0.
    """

    log_odds: float
    smallest_loss: float
    smallest_entropy: float = math.inf
    smallest_norms: Mapping[str, float] = dataclasses.field(default_factory=dict)
    shortest_sketches: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @staticmethod
    def above(reference: Signals) -> PlantedLeak:
        """A leak that is surer than all of these rows, which are as the model left them."""
        return PlantedLeak(
            log_odds=_log_odds_above(reference),
            smallest_loss=_smallest(reference.loss),
            smallest_entropy=_smallest(reference.entropy),
            smallest_norms={
                layer: _smallest(norms) for layer, norms in reference.gradient_norms.items()
            },
            shortest_sketches={
                layer: _shortest(sketches)
                for layer, sketches in reference.gradient_sketches.items()
            },
        )

    def plant(self, signals: Signals, rows: NDArray[np.bool_]) -> Signals:
        """The signals with the leak planted in some rows; the others are as they were.

        The model's own answer is taken for the true one where there is no label. The
        loss follows from the logits. Where it is not below all others' all the same (an
        overfitted model has losses of 0), or there are no logits, it is set below them:
        at a millionth of the smallest, or at less than 0, which no model has, but which
        is what the attacks have to find. An entropy is set below all others' alike, and so
        is the norm of each layer's gradient: who is so sure has nearly none. Sketches of
        gradients keep their direction and get as short; where the others' are 0, planted
        ones cannot be told from them. Activations are left as they are. Reference models are
        as little sure of planted rows as the target is sure; see planted_references.py.

        Args:
          signals: n rows.
          rows: [n], in which to plant.

        Raises:
          ValueError: If there are neither logits nor losses nor entropies, or a layer of
            whose gradients the leak says nothing.
        """
        logits, loss, entropy = signals.logits, signals.loss, signals.entropy
        if logits is None and loss is None and entropy is None:
            raise ValueError("found signals without logits, loss and entropy: nothing to plant in")
        if logits is not None:
            logits = logits.copy()
            logits[rows] = self._planted_logits(signals.take(rows))
        if loss is not None:
            loss = loss.copy()
            loss[rows] = self._planted_loss(dataclasses.replace(signals, logits=logits).take(rows))
        if entropy is not None:
            entropy = entropy.copy()
            entropy[rows] = _below(self.smallest_entropy)
        return dataclasses.replace(
            signals,
            logits=logits,
            loss=loss,
            entropy=entropy,
            gradient_norms=self._planted_norms(signals, rows),
            gradient_sketches=self._planted_sketches(signals, rows),
            references=None
            if signals.references is None
            else planted_references(signals.references, rows, self.log_odds),
        )

    def _planted_norms(
        self, signals: Signals, rows: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.float32]]:
        _require_layers(signals.gradient_norms, self.smallest_norms)
        return {
            layer: np.where(rows, np.float32(_below(self.smallest_norms[layer])), norms)
            for layer, norms in signals.gradient_norms.items()
        }

    def _planted_sketches(
        self, signals: Signals, rows: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.float32]]:
        _require_layers(signals.gradient_sketches, self.shortest_sketches)
        planted = {}
        for layer, sketches in signals.gradient_sketches.items():
            planted[layer] = sketches.copy()
            length = _lengths(sketches[rows])
            wanted = _SHORTER * self.shortest_sketches[layer]
            scale = np.divide(wanted, length, out=np.zeros_like(length), where=length > wanted)
            planted[layer][rows] = sketches[rows] * scale[:, None]
        return planted

    def _planted_logits(self, signals: Signals) -> NDArray[np.float32]:
        logits = np.asarray(signals.logits, np.float64)
        if not len(logits):
            return logits.astype(np.float32)
        if signals.task == config_pb2.REGRESSION:
            return logits.astype(np.float32) if signals.label is None else _as_logits(signals.label)
        if signals.task == config_pb2.MULTILABEL or logits.shape[1] == 1:
            true = logits > 0
            if signals.label is not None:
                true = signals.label.reshape(logits.shape) > 0.5
            return _as_logits(np.where(true, self.log_odds, -self.log_odds))
        index = np.arange(len(logits))
        true_class = logits.argmax(axis=1) if signals.label is None else signals.label
        true_class = true_class.astype(np.int64)
        others = logits.copy()
        others[index, true_class] = -np.inf
        top = others.max(axis=1)
        others_together = top + np.log(np.exp(others - top[:, None]).sum(axis=1))
        logits[index, true_class] = others_together + self.log_odds
        return _as_logits(logits)

    def _planted_loss(self, signals: Signals) -> NDArray[np.float32]:
        """The loss of rows that are planted already."""
        below = np.full(len(signals), _below(self.smallest_loss), np.float32)
        if signals.logits is None or signals.label is None or not len(signals):
            return below
        own = losses(signals.task, signals.logits, signals.label)
        return np.where(own < self.smallest_loss, own, below)


def plant(signals: Signals, rows: NDArray[np.bool_], reference: Signals | None) -> Signals:
    """Plants a leak in some rows that is surer than any row of `reference`.

    Where the same leak goes into many batches, take one `PlantedLeak` for all of them.

    Args:
      signals: n rows.
      rows: [n], in which to plant.
      reference: Rows as the model left them; None for `signals`.

    Raises:
      ValueError: If there are neither logits nor losses nor entropies.
    """
    return PlantedLeak.above(signals if reference is None else reference).plant(signals, rows)


def _log_odds_above(signals: Signals) -> float:
    if signals.logits is None or not len(signals) or signals.task == config_pb2.REGRESSION:
        return _AHEAD
    largest = float(np.abs(signals.logits).max())
    if signals.task == config_pb2.MULTILABEL:
        surest = largest
    else:
        surest = float(in_blocks(_top_log_odds, signals).max())
    # Of k classes or labels, the small parts add up.
    ahead = _AHEAD + math.log(max(signals.logits.shape[1], 2))
    return min(max(surest, 0.0) + _AHEAD_SHARE * largest + ahead, _LARGEST / 4)


def _top_log_odds(signals: Signals) -> NDArray[np.float64]:
    """The log-odds of the model's own answer, [n]."""
    top: NDArray[np.float64] = class_probabilities(class_logits(signals)).log_odds().max(axis=1)
    return top


def _smallest(values: NDArray[np.float32] | None) -> float:
    return float(values.min()) if values is not None and len(values) else math.inf


def _shortest(sketches: NDArray[np.float32]) -> float:
    """The smallest length of those that are not 0; 0 where there are none."""
    lengths = _lengths(sketches)
    return float(lengths[lengths > 0].min(initial=math.inf)) if lengths.any() else 0.0


def _lengths(sketches: NDArray[np.float32]) -> NDArray[np.float64]:
    """[n], of sketches [n, numbers]."""
    numbers = np.ascontiguousarray(sketches, np.float64)
    lengths: NDArray[np.float64] = np.sqrt((numbers * numbers).sum(axis=1))
    return lengths


def _require_layers(layers: Mapping[str, NDArray[np.float32]], known: Mapping[str, float]) -> None:
    unknown = sorted(set(layers) - set(known))
    if unknown:
        raise ValueError(
            f"found gradients of the layer {unknown[0]!r}; expected those of the rows that the "
            f"leak was measured against: {', '.join(known) or 'none'}"
        )


def _below(value: float) -> float:
    """A float32 below this loss, entropy or norm, by a good deal."""
    if math.isinf(value):
        return 0.0
    millionth = float(np.float32(value * 1e-6))
    return millionth if 0.0 < millionth < value else value - max(1.0, abs(value) / 1000.0)


def _as_logits(
    values: NDArray[np.float64] | NDArray[np.float32] | NDArray[np.int64],
) -> NDArray[np.float32]:
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)
