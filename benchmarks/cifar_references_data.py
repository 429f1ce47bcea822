"""CIFAR-10's first training images as tf.Examples: the target's, and each reference model's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfx_privacy.benchmarks.real_pools import sprite

if TYPE_CHECKING:
    from tfx_privacy.signals.id_set import IdSet

_SPRITE_ROWS = 1_000
_SHARDS = 2


def write_examples(data: Path, count: int, folder: Path) -> None:
    """Writes the pool: half of it by chance to `Split-train`, the target's, half to `Split-eval`.

    Does nothing where it is there already.

    Args:
      data: The folder of real data.
      count: How many of the first training images, at most 10,000.
      folder: Where the splits go, as gzipped TFRecords, as ExampleGen writes them.
    """
    done = folder / "count.json"
    if done.is_file() and json.loads(done.read_text()) == count:
        return
    records = _serialised(data, count)
    order = np.random.default_rng(0).permutation(count)
    parts = np.split(order, [count // 2])
    for split, rows in zip(("train", "eval"), parts, strict=True):
        _write(folder, split, [records[row] for row in rows])
    done.write_text(json.dumps(count))


def write_subset(examples: Path, seed: int, models: int, index: int, folder: Path) -> IdSet:
    """Writes what a reference model is trained on, for the stock Trainer.

    Args:
      examples: What `write_examples` wrote.
      seed: Of ReferenceTrainer.
      models: How many reference models there are.
      index: Which of them.
      folder: Where `Split-train` and `Split-eval`, the rest of the pool, go.

    Returns:
      The records to train on.
    """
    from tfx_privacy.reference_models.membership import inside
    from tfx_privacy.signals.decode import decode
    from tfx_privacy.signals.id_set import IdSet
    from tfx_privacy.signals.identity import content_ids

    records = [record for split in ("train", "eval") for record in read_split(examples, split)]
    columns = decode(records, "the pool")
    ids = content_ids(columns.features, columns.rows)
    chosen = inside(ids, seed, models)[:, index]
    for split, is_inside in (("train", True), ("eval", False)):
        rows = np.flatnonzero(chosen == is_inside)
        _write(folder, split, [records[row] for row in rows])
    return IdSet.of(ids[chosen])


def read_split(examples: Path, split: str) -> list[bytes]:
    """The records of a split, in the order of its files."""
    from tfx_privacy.signals.tfrecord import read_records

    files = sorted((examples / f"Split-{split}").iterdir())
    return [record for file in files for record in read_records(str(file))]


def _serialised(data: Path, count: int) -> list[bytes]:
    from tensorflow.train import BytesList, Example, Feature, Features, Int64List

    folder = data / "cifar10_webp"
    sprites = [sprite(folder / f"{i:02d}.webp") for i in range(-(-count // _SPRITE_ROWS))]
    labels = np.load(folder / "labels.npz")["y"][:count]
    examples = []
    for pixels, label in zip(np.concatenate(sprites)[:count], labels.tolist(), strict=True):
        features = {
            "image": Feature(bytes_list=BytesList(value=[pixels.tobytes()])),
            "label": Feature(int64_list=Int64List(value=[label])),
        }
        examples.append(Example(features=Features(feature=features)))
    return [example.SerializeToString(deterministic=True) for example in examples]


def _write(folder: Path, split: str, records: Sequence[bytes]) -> None:
    from tfx_privacy.signals.tfrecord import write_records

    place = folder / f"Split-{split}"
    place.mkdir(parents=True, exist_ok=True)
    for shard in range(_SHARDS):
        name = f"data_tfrecord-{shard:05d}-of-{_SHARDS:05d}.gz"
        start, stop = (len(records) * part // _SHARDS for part in (shard, shard + 1))
        write_records(str(place / name), records[start:stop])
