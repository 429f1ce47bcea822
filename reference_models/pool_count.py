"""The first look at all records: how many, which ids, which classes. One Beam job, nothing kept."""

from __future__ import annotations

import dataclasses
import functools
import json
import operator
import uuid
from collections.abc import Callable, Sequence

import apache_beam as beam

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.beam_sums import sum_over
from tfx_privacy.reference_models.class_counts import ClassCounts, count_classes
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.signals import files
from tfx_privacy.signals.decode import decode
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import (
    ExampleBatch,
    ExampleFile,
    ExampleSplit,
    batches_of,
    check_apart,
    empty_split_message,
    files_of,
)
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.identity import content_ids
from tfx_privacy.signals.record_identity import ids_of, names_and_types, units_of


@dataclasses.dataclass(frozen=True)
class PoolCount:
    """What was found; parts can be added.

    Attributes:
      members: Records that the target was trained on.
      rows: Records of each split read, by its place among them.
      pool: Ids of the pool.
      content: Ids of the pool by content, which are the same unless there is a key feature.
      inside: Records of the pool that each model is to be trained on.
      names: Names and types of the features of members and non-members: with content ids what
        a measurement's are compared with. A pool of its own may lack a rare one, or have one more.
      features: Names of features of the pool.
      classes: Of the pool, by the label among the features as they are.
    """

    members: int
    rows: dict[int, int]
    pool: IdSet
    content: IdSet
    inside: tuple[int, ...]
    names: frozenset[str]
    features: frozenset[str]
    classes: ClassCounts

    def __add__(self, other: PoolCount) -> PoolCount:
        places = sorted({*self.rows, *other.rows})
        return PoolCount(
            self.members + other.members,
            {place: self.rows.get(place, 0) + other.rows.get(place, 0) for place in places},
            self.pool + other.pool,
            self.content + other.content,
            tuple(a + b for a, b in zip(self.inside, other.inside, strict=True)),
            self.names | other.names,
            self.features | other.features,
            self.classes + other.classes,
        )

    @staticmethod
    def nothing(models: int) -> PoolCount:
        """The count of no records."""
        none, empty = IdSet(), frozenset[str]()
        return PoolCount(0, {}, none, none, (0,) * models, empty, empty, ClassCounts())

    def to_json(self) -> str:
        """The count as text, for `from_json`."""
        found = dataclasses.asdict(self)
        found["rows"] = [*self.rows.items()]
        for field in ("names", "features"):
            found[field] = sorted(found[field])
        return json.dumps(found)

    @staticmethod
    def from_json(text: str | bytes) -> PoolCount:
        """The count that `to_json` wrote."""
        found = json.loads(text)
        id_sets = {
            field: IdSet(found[field]["records"], tuple(found[field]["sums"]))
            for field in ("pool", "content")
        }
        classes = {label: tuple(counts) for label, counts in found["classes"]["of"].items()}
        return PoolCount(
            members=found["members"],
            rows=dict(found["rows"]),
            inside=tuple(found["inside"]),
            names=frozenset(found["names"]),
            features=frozenset(found["features"]),
            classes=ClassCounts(classes, found["classes"]["are_numbers"]),
            **id_sets,
        )


def count_pool(
    new_pipeline: Callable[[], beam.Pipeline],
    splits: Sequence[ExampleSplit],
    pool: Sequence[ExampleSplit],
    config: references_pb2.ReferenceModelsConfig,
    scratch: str,
) -> PoolCount:
    """Counts.

    Args:
      new_pipeline: Makes the pipeline that the job is run in.
      splits: Members and non-members.
      pool: What models are trained on: `splits`, or others.
      config: Resolved.
      scratch: A folder that workers reach; what is written there is deleted.

    Raises:
      InputError: If a split is empty or read twice, a file cannot be read, or a record
        has no key or unit.
    """
    read = [*splits, *(split for split in pool if split not in splits)]
    check_apart(read)
    sources = [
        _Source(file, place, split in splits, split in pool)
        for place, split in enumerate(read)
        for file in files_of(split)
    ]
    text = sum_over(
        new_pipeline,
        sources,
        functools.partial(_count_file, config=config),
        PoolCount.nothing(config.models),
        files.join(scratch, f"count-{uuid.uuid4().hex[:12]}.json"),
    )
    count = PoolCount.from_json(text)
    for place, split in enumerate(read):
        if not count.rows.get(place):
            raise InputError(empty_split_message(split, len(files_of(split))))
    return count


@dataclasses.dataclass(frozen=True)
class _Source:
    """A file, and what its split is.

    Attributes:
      file: The file.
      place: Of the split among those read.
      is_evaluated: Whether it is one of the target's.
      is_of_pool: Whether models are trained on it.
    """

    file: ExampleFile
    place: int
    is_evaluated: bool
    is_of_pool: bool


def _count_file(source: _Source, config: references_pb2.ReferenceModelsConfig) -> PoolCount:
    nothing = PoolCount.nothing(config.models)
    batches = (_count_batch(source, batch, config) for batch in batches_of(source.file))
    return functools.reduce(operator.add, batches, nothing)


def _count_batch(
    source: _Source, batch: ExampleBatch, config: references_pb2.ReferenceModelsConfig
) -> PoolCount:
    columns = decode(batch.records, batch.where)
    # That members and non-members have keys and units is seen here too.
    ids = ids_of(columns, config.identity, batch.where)
    units = units_of(columns, config.identity, batch.where)
    count = dataclasses.replace(
        PoolCount.nothing(config.models),
        members=columns.rows if source.file.is_member else 0,
        rows={source.place: columns.rows},
        names=frozenset(names_and_types(columns) if source.is_evaluated else ()),
    )
    if not source.is_of_pool:
        return count
    is_inside = inside(ids if units is None else units, config.seed, config.models)
    pool = IdSet.of(ids)
    by_key = config.identity.key_feature
    content = content_ids(columns.features, columns.rows, columns.sequences) if by_key else ids
    label = columns.features.get(config.model_spec.label_key)
    return dataclasses.replace(
        count,
        pool=pool,
        content=IdSet.of(content) if by_key else pool,
        inside=tuple(is_inside.sum(axis=0).tolist()),
        features=frozenset(columns.features),
        classes=count_classes(label, is_inside),
    )
