"""Sources of synthetic records as rows, some thousand at a time, with the target's labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.reference_models.synthesis.chosen_records import ChosenRecords
from tfx_privacy.reference_models.synthesis.features import FeatureTable
from tfx_privacy.reference_models.synthesis.hill_climbing import HillClimbing, hill_climb
from tfx_privacy.reference_models.synthesis.marginals import (
    ClassMarginals,
    Marginals,
    marginals,
    marginals_per_class,
)
from tfx_privacy.reference_models.synthesis.records import RecordFormat
from tfx_privacy.reference_models.synthesis.tally import SynthesisTally
from tfx_privacy.reference_models.synthesis.target_queries import TargetQueries
from tfx_privacy.signals.labels import LabelSpec, labels_of_column

Rows = NDArray[np.float64]
LabelledRows = tuple[Rows, NDArray[np.int64]]
Ask = TargetQueries[Rows]
Change = Callable[[FeatureTable, Rows, float, np.random.Generator], Rows]

# Rows that are made, and asked about, at once.
BLOCK = 10_000
# Real records that marginals are taken of.
MOST_FOR_MARGINALS = 50_000


def climbed(
    settings: HillClimbing,
    records: int,
    features: FeatureTable,
    ask: Ask,
    seed: int,
    tally: SynthesisTally,
) -> Iterator[LabelledRows]:
    """Records that hill climbing finds, as many of each class as far as they divide evenly.

    A class of which a block's search finds none is not searched for again.
    """
    # One answer tells how many classes there are.
    ask(features.draw(1, np.random.default_rng((seed, 0))))
    wanted = np.arange(records) % ask.classes
    tally.ask_for(wanted)
    given_up = np.zeros(ask.classes, dtype=bool)
    for block, start in enumerate(range(0, records, BLOCK)):
        here = wanted[start : start + BLOCK]
        here = here[~given_up[here]]
        if not here.size:
            continue
        block_seed = int(np.random.default_rng((seed, 1, block)).integers(2**62))
        found = hill_climb(ask, features, here, block_seed, settings)
        given_up[list(found.classes_not_reached)] = True
        yield found.rows, found.classes


def drawn(from_marginals: Marginals, records: int, ask: Ask, seed: int) -> Iterator[LabelledRows]:
    """Records whose values are drawn by themselves."""
    generator = np.random.default_rng((seed, 2))
    for start in range(0, records, BLOCK):
        yield _labelled(from_marginals.draw(min(BLOCK, records - start), generator), ask)


def drawn_by_class(
    from_marginals: ClassMarginals,
    shares: NDArray[np.float64],
    records: int,
    ask: Ask,
    seed: int,
) -> Iterator[LabelledRows]:
    """Records of classes by their shares [classes], whose values are drawn within the class.

    Their labels are the target's answers all the same.
    """
    generator = np.random.default_rng((seed, 3))
    for start in range(0, records, BLOCK):
        classes = generator.choice(len(shares), size=min(BLOCK, records - start), p=shares)
        yield _labelled(from_marginals.draw(classes, generator), ask)


def with_noise(
    change: Change,
    share: float,
    chosen: ChosenRecords,
    record_format: RecordFormat,
    ask: Ask,
    seed: int,
) -> Iterator[LabelledRows]:
    """One copy of each real record, a share of its values changed."""
    generator = np.random.default_rng((seed, 4))
    for columns, where in chosen.decoded():
        rows = record_format.rows_of(columns, where)
        yield _labelled(change(record_format.features, rows, share, generator), ask)


def marginals_of(chosen: ChosenRecords, record_format: RecordFormat) -> Marginals:
    """Marginals of real records, which are read into memory.

    Raises:
      InputError: If a record does not fit the schema.
    """
    rows = [record_format.rows_of(columns, where) for columns, where in chosen.decoded()]
    return marginals(record_format.features, np.concatenate(rows))


def class_marginals_of(
    chosen: ChosenRecords, record_format: RecordFormat
) -> tuple[ClassMarginals, NDArray[np.float64]]:
    """Marginals of real records within each class, and the classes' shares of them, [classes].

    Classes are the records' own.

    Raises:
      InputError: If a record does not fit the schema, or has no label that is a class.
    """
    label = record_format.label
    width = label.width if label.width > 1 else len(label.words)
    spec = LabelSpec(label.name, config_pb2.MULTICLASS, width, label.words)
    rows, classes = [], []
    for columns, where in chosen.decoded():
        rows.append(record_format.rows_of(columns, where))
        classes.append(labels_of_column(columns.features, columns.rows, spec, where))
    found = np.concatenate(classes).astype(np.int64)
    by_class = marginals_per_class(record_format.features, np.concatenate(rows), found)
    return by_class, np.bincount(found) / len(found)


def _labelled(rows: Rows, ask: Ask) -> LabelledRows:
    return rows, ask(rows).argmax(axis=1)
