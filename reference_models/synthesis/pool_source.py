"""From a configuration to the source of synthetic records that it asks for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.synthesis import row_sources
from tfx_privacy.reference_models.synthesis.chosen_records import ChosenRecords
from tfx_privacy.reference_models.synthesis.hill_climbing import HillClimbing
from tfx_privacy.reference_models.synthesis.label_feature import LabelFeature
from tfx_privacy.reference_models.synthesis.marginals_from_statistics import (
    marginals_from_statistics,
)
from tfx_privacy.reference_models.synthesis.noisy import noisy, redrawn
from tfx_privacy.reference_models.synthesis.records import RecordFormat
from tfx_privacy.reference_models.synthesis.saved_model_target import RowsTarget, SavedModelTarget
from tfx_privacy.reference_models.synthesis.tally import SynthesisTally
from tfx_privacy.reference_models.synthesis.target_queries import Target, TargetQueries
from tfx_privacy.reference_models.synthesis.uneven_records import drawn_unevenly
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit, peek

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

LabelledRecords = tuple[list[bytes], NDArray[np.int64]]

_DEFAULT_MOST_FAVOURED = 10.0
# Real records that are looked at to see how they hold a label.
_PEEK = 10
# Of each record that a biased sample may draw, a hash and a label are kept.
_MOST_FOR_SAMPLE = 10_000_000


@dataclasses.dataclass(frozen=True)
class TargetModel:
    """The target as a SavedModel.

    Attributes:
      model_dir: Its directory.
      transform_graph_dir: That of Transform's graph, where it is needed to call the model.
    """

    model_dir: str
    transform_graph_dir: str | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class PoolSource:
    """A source at work.

    Attributes:
      words: What it is.
      blocks: The serialised records and labels that come of it, made while they are gone through.
      queries: What counts how often the target is asked.
      label: How the records hold their class.
      tally: What was asked by class, and what went otherwise than asked.
    """

    words: str
    blocks: Iterator[LabelledRecords]
    queries: TargetQueries[NDArray[np.float64]] | TargetQueries[list[bytes]]
    label: LabelFeature
    tally: SynthesisTally


@dataclasses.dataclass(frozen=True, eq=False)
class PoolSources:
    """What sources are made of; the arguments of `make_pool`.

    Attributes:
      config: The configuration, with a synthetic pool.
      schema: Of the examples.
      statistics: Of the examples.
      target: The target.
      splits: By name.
      records: How many are wanted.
    """

    config: references_pb2.ReferenceModelsConfig
    schema: schema_pb2.Schema | None
    statistics: statistics_pb2.DatasetFeatureStatistics | None
    target: Target | TargetModel
    splits: Mapping[str, ExampleSplit]
    records: int

    def choose(self) -> PoolSource:
        """The source that is configured.

        Raises:
          InputError: If there is none, or what it needs is not there.
        """
        sources = {
            "model_based": self._model_based,
            "marginals": self._marginals,
            "noisy": self._noisy,
            "biased_sample": self._biased_sample,
        }
        which = self.config.synthetic.WhichOneof("source")
        if which is None:
            raise InputError(f"synthetic has no source: expected one of {', '.join(sources)}")
        return sources[which]()

    @property
    def _seed(self) -> int:
        return int(self.config.seed)

    @functools.cached_property
    def _format(self) -> RecordFormat:
        if self.schema is None:
            raise InputError(
                "there is no schema: synthesis needs the domains of features; give the "
                "node a Schema artifact"
            )
        return RecordFormat.of_schema(self.schema, self.config)

    @functools.cached_property
    def _ask(self) -> TargetQueries[NDArray[np.float64]]:
        if not isinstance(self.target, TargetModel):
            return TargetQueries(self.target)
        return TargetQueries(
            RowsTarget.load(
                self.target.model_dir,
                self.config.model_spec,
                self._format,
                self.target.transform_graph_dir,
            )
        )

    def _model_based(self) -> PoolSource:
        given = self.config.synthetic.model_based
        set_ones = {field.name: value for field, value in given.ListFields()}
        settings, tally = HillClimbing(**set_ones), SynthesisTally()
        features = self._format.features
        rows = row_sources.climbed(settings, self.records, features, self._ask, self._seed, tally)
        return self._of_rows("model-based hill climbing", rows, tally)

    def _marginals(self) -> PoolSource:
        given = self.config.synthetic.marginals
        if given.source == references_pb2.STATISTICS:
            if self.statistics is None:
                raise InputError(
                    "there are no statistics: marginals of statistics need StatisticsGen's "
                    "artifact; give it to the node, or set marginals.source to DATA and "
                    "marginals.splits"
                )
            of_statistics = marginals_from_statistics(self._format.features, self.statistics)
            rows = row_sources.drawn(of_statistics, self.records, self._ask, self._seed)
            return self._of_rows("marginals of statistics", rows, SynthesisTally())
        tally = SynthesisTally()
        chosen = self._chosen(given.splits, row_sources.MOST_FOR_MARGINALS, "marginals")
        if len(chosen) < chosen.total:
            tally.notes.append(
                f"marginals are those of {len(chosen):,} of the {chosen.total:,} records of "
                f"{chosen.where}, chosen by a hash of their content"
            )
        if given.source == references_pb2.DATA:
            of_data = row_sources.marginals_of(chosen, self._format)
            rows = row_sources.drawn(of_data, self.records, self._ask, self._seed)
            return self._of_rows(f"marginals of {chosen.where}", rows, tally)
        by_class, shares = row_sources.class_marginals_of(chosen, self._format)
        rows = row_sources.drawn_by_class(by_class, shares, self.records, self._ask, self._seed)
        return self._of_rows(f"marginals of {chosen.where}, class by class", rows, tally)

    def _noisy(self) -> PoolSource:
        given = self.config.synthetic.noisy
        if not 0 <= given.share <= 1:
            raise InputError(f"noisy.share is {given.share}: expected 0 to 1")
        tally = SynthesisTally()
        chosen = self._chosen(given.splits, self.records, "noisy")
        if len(chosen) < self.records:
            tally.notes.append(
                f"{len(chosen):,} records instead of {self.records:,}: {chosen.where} has no more, "
                "and each is taken once"
            )
        change = redrawn if given.noise == references_pb2.REDRAWN else noisy
        what = "drawn anew" if change is redrawn else "flipped"
        rows = row_sources.with_noise(
            change, given.share, chosen, self._format, self._ask, self._seed
        )
        words = f"records of {chosen.where}, {given.share:.3g} of their values {what}"
        return self._of_rows(words, rows, tally)

    def _biased_sample(self) -> PoolSource:
        given = self.config.synthetic.biased_sample
        most = given.most_favoured if given.HasField("most_favoured") else _DEFAULT_MOST_FAVOURED
        if not most > 1:
            raise InputError(f"biased_sample.most_favoured is {most}: expected more than 1")
        tally = SynthesisTally()
        chosen = self._chosen(given.splits, _MOST_FOR_SAMPLE, "biased_sample")
        label, ask = self._ask_records(peek(chosen.splits[0], _PEEK))
        blocks = drawn_unevenly(chosen, most, self.records, label, ask, self._seed, tally)
        words = f"records of {chosen.where}, the likeliest class {most:g} times as likely"
        return PoolSource(words, blocks, ask, label, tally)

    def _ask_records(self, first: list[bytes]) -> tuple[LabelFeature, TargetQueries[list[bytes]]]:
        """How real records hold a label, and the target as asked about them."""
        spec = self.config.model_spec
        label = LabelFeature.of_records(first, spec)
        target = self.target
        if isinstance(target, TargetModel):
            model = SavedModelTarget.load(target.model_dir, spec, first, target.transform_graph_dir)
            return label, TargetQueries(model.probabilities)
        # A callable knows rows alone.
        record_format, rows_target = self._format, target
        return label, TargetQueries(
            lambda records: rows_target(record_format.decode(records, "records to draw from"))
        )

    def _chosen(self, names: Sequence[str], most: int, source: str) -> ChosenRecords:
        if not names:
            raise InputError(
                f"{source}.splits is empty: expected the splits that real records come from"
            )
        if unknown := [name for name in names if name not in self.splits]:
            raise InputError(
                f"{source}.splits names {', '.join(map(repr, unknown))}: expected names of "
                f"splits of the examples, {', '.join(map(repr, self.splits))}"
            )
        return ChosenRecords.choose([self.splits[name] for name in names], most, self._seed)

    def _of_rows(
        self, words: str, rows: Iterator[row_sources.LabelledRows], tally: SynthesisTally
    ) -> PoolSource:
        blocks = _encoded(rows, self._format, self._ask)
        return PoolSource(words, blocks, self._ask, self._format.label, tally)


def _encoded(
    labelled: Iterator[row_sources.LabelledRows],
    record_format: RecordFormat,
    ask: TargetQueries[NDArray[np.float64]],
) -> Iterator[LabelledRecords]:
    first = 0
    for rows, labels in labelled:
        record_format.label.check_classes(ask.classes)
        if len(rows):
            yield record_format.encode(rows, labels, first), labels
            first += len(rows)
