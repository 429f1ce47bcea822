"""Several measurements side by side: one model over epochs, or several models."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Sequence

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import find_metric


class Places(enum.Enum):
    """What the measurements are in the order of."""

    # Epochs that were given.
    EPOCHS_GIVEN = "epochs, as given"
    # The numbers that all names end with.
    EPOCHS_OF_NAMES = "epochs, the numbers at the end of the names"
    # Nothing but the order in which they were given.
    ORDER = "the order in which they were given"

    @property
    def are_epochs(self) -> bool:
        """Whether places are numbers of epochs, and distances between them mean something."""
        return self is not Places.ORDER


@dataclasses.dataclass(frozen=True)
class Compared:
    """One measurement.

    Attributes:
      name: What it is called.
      place: Its epoch; where there are no epochs 1, 2, 3 ...
      results: What was measured.
      evidence: The counts behind it.
    """

    name: str
    place: float
    results: results_pb2.PrivacyResults
    evidence: Evidence

    def best(self, metric: config_pb2.MetricSpec) -> results_pb2.MeasuredValue | None:
        """The best of the attacks; None where that was not measured."""
        return find_metric(self.results.best_of_attacks, metric)

    @property
    def train_accuracy(self) -> results_pb2.MeasuredValue | None:
        """Accuracy on judged members; None where there is none."""
        return _accuracy(self.results.explanation.whole.members)

    @property
    def test_accuracy(self) -> results_pb2.MeasuredValue | None:
        """Accuracy on judged non-members; None where there is none."""
        return _accuracy(self.results.explanation.whole.nonmembers)


@dataclasses.dataclass(frozen=True)
class Change:
    """By how much a metric differs between the first and the last.

    Attributes:
      metric: Which.
      interval: Last minus first.
      confidence: Two-sided, of the interval.
    """

    metric: config_pb2.MetricSpec
    interval: Interval
    confidence: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Measurements of one task.

    Attributes:
      compared: Two at least, in the order of their places.
      places: What the places are.
      metrics: Those that all measurements have, and a chart can show.
      change: Of the first of the metrics, from the first measurement to the last.
      warnings: In what the measurements differ beside the model, in sentences.
    """

    compared: Sequence[Compared]
    places: Places
    metrics: Sequence[config_pb2.MetricSpec]
    change: Change
    warnings: Sequence[str]

    @property
    def lack_accuracy(self) -> Sequence[str]:
        """Names of the measurements without the accuracies."""
        return [
            each.name
            for each in self.compared
            if each.test_accuracy is None or each.train_accuracy is None
        ]


def place_text(place: float) -> str:
    """A place as short as it is exact: "5", "0.5"."""
    return str(int(place)) if math.isclose(place, round(place)) else f"{place:g}"


def _accuracy(side: results_pb2.SideStatistics) -> results_pb2.MeasuredValue | None:
    return side.accuracy if side.HasField("accuracy") else None
