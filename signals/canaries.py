"""Canaries: examples of which a fair coin decides whether the model is trained on them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals import decode, tfrecord
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit, batches_of, files_of
from tfx_privacy.signals.files import is_local, join, write_text_whole
from tfx_privacy.signals.identity import Ids, content_ids, hash_fractions
from tfx_privacy.version import __version__

# The folders that canaries are written to, which are also good names for the splits.
INCLUDED = "included"
HELD_OUT = "held_out"
DESCRIPTION_FILE = "canaries.json"

_RECORDS_FILE = "canaries-00000-of-00001.tfrecord.gz"


@dataclasses.dataclass(frozen=True)
class Canaries:
    """What `make_canaries` wrote.

    Attributes:
      included: How many are to be added to the training data.
      held_out: How many are to be left out of it.
      relabelled: How many have another label than before.
    """

    included: int
    held_out: int
    relabelled: int


def make_canaries(
    patterns: Sequence[str], count: int, seed: int, output: str, label_key: str | None = None
) -> Canaries:
    """Makes canaries of examples and tosses a coin for each.

    Canaries are chosen by a hash of their content, among the examples whose content
    occurs once: a copy that stays in the training data would say "included" of a
    canary that was held out. The coin is another hash of content and seed, so that
    nothing about a canary but the coin itself tells on which side it is.

    With a label key, labels are exchanged among the canaries, so that as many as
    possible have a wrong one: what cannot be learnt from other examples has to be
    memorised, and shows more. Shares of the labels stay as they are, and so does
    everything a coin could be told by.

    Args:
      patterns: TFRecord files of tf.Examples, gzip if they end in `.gz`.
      count: How many canaries, at least 2.
      seed: Of choice and coins.
      output: A local folder that does not exist: `included/` and `held_out/` with a
        TFRecord file each, and `canaries.json`. Appears whole.
      label_key: The feature to exchange. None leaves labels as they are.

    Raises:
      InputError: If the count is below 2, the output exists, a pattern matches no
        file, a file cannot be read, there are too few examples, an example has no
        label, or all coins fall on one side.
    """
    if count < 2:
        raise InputError(f"the number of canaries is {count}: expected at least 2, some hundreds")
    if not is_local(output):
        raise InputError(f"canaries are written to a local folder; found {output}")
    if Path(output).exists():
        raise InputError(f"{output} exists: expected a new folder, since canaries are made once")
    source = ExampleSplit("canaries", is_member=True, file_patterns=tuple(patterns))
    chosen = _choose(source, count, seed, label_key)
    records, relabelled = chosen.records, 0
    if label_key is not None:
        records, relabelled = _exchange_labels(records, label_key)
    included = hash_fractions(chosen.ids, seed, "canary coin") < 0.5
    if included.all() or not included.any():
        raise InputError(
            f"all {count} coins fell on the same side: expected canaries on both; take more of "
            "them, or another seed"
        )
    sides = {
        INCLUDED: [record for record, is_in in zip(records, included, strict=True) if is_in],
        HELD_OUT: [record for record, is_in in zip(records, included, strict=True) if not is_in],
    }
    _write(output, sides, _description(sides, seed, label_key, relabelled))
    return Canaries(len(sides[INCLUDED]), len(sides[HELD_OUT]), relabelled)


@dataclasses.dataclass(frozen=True)
class _Chosen:
    """Examples in the order of the hash that they were chosen by, and their ids."""

    records: list[bytes]
    ids: Ids


def _choose(source: ExampleSplit, count: int, seed: int, label_key: str | None) -> _Chosen:
    """The `count` examples of the smallest hashes, of those whose content occurs once."""
    chances = np.concatenate(
        [np.empty(0), *(chance for _, _, chance in _read(source, seed, label_key))]
    )
    distinct, copies = np.unique(chances, return_counts=True)
    once = distinct[copies == 1]
    if len(once) < count:
        raise InputError(
            f"{len(chances)} examples match {', '.join(map(repr, source.file_patterns))}, and "
            f"{len(once)} of them are like no other: expected at least {count}, one for each canary"
        )
    wanted = once[:count]
    records: list[bytes] = []
    ids: list[Ids] = []
    found: list[NDArray[np.float64]] = []
    for batch, batch_ids, chance in _read(source, seed, label_key):
        rows = np.flatnonzero(np.isin(chance, wanted))
        records.extend(batch[row] for row in rows)
        ids.append(batch_ids[rows])
        found.append(chance[rows])
    order = np.argsort(np.concatenate(found))
    return _Chosen([records[row] for row in order], np.concatenate(ids)[order])


def _read(
    source: ExampleSplit, seed: int, label_key: str | None
) -> Iterator[tuple[list[bytes], Ids, NDArray[np.float64]]]:
    """Batches of records, their ids, and the hashes that canaries are chosen by.

    Where labels are exchanged they are no part of the ids: canaries that differ in
    their labels alone could become the same.
    """
    for file in files_of(source):
        for batch in batches_of(file):
            columns = decode.decode(batch.records, batch.where)
            features = {name: c for name, c in columns.features.items() if name != label_key}
            if label_key is not None:
                _require_label(columns, label_key, batch.where)
            ids = content_ids(features, columns.rows, columns.sequences)
            yield batch.records, ids, hash_fractions(ids, seed, "canary")


def _require_label(columns: decode.Columns, label_key: str, where: str) -> None:
    column = columns.features.get(label_key)
    if column is None or column.null_count or not np.diff(column.offsets.to_numpy()).all():
        raise InputError(
            f"{where}: found examples without the feature {label_key!r}, expected a label in each; "
            f"the features are {', '.join(sorted(columns.features)) or 'none'}"
        )


def _exchange_labels(records: Sequence[bytes], label_key: str) -> tuple[list[bytes], int]:
    """Gives each record the label of another, a different label wherever there are enough.

    In the order of the labels each takes the one that stands as many places on as the
    most frequent label is frequent: no two of the same label stand so far apart.
    """
    # TensorFlow's protos come with all of TensorFlow, which the rest does without. An
    # example is read as the context of a tf.SequenceExample, whose bytes are the same.
    from tensorflow.core.example import example_pb2

    examples = [example_pb2.SequenceExample.FromString(record) for record in records]
    labels = [
        example.context.feature[label_key].SerializeToString(deterministic=True)
        for example in examples
    ]
    shift = max(Counter(labels).values())
    by_label = sorted(range(len(labels)), key=lambda row: (labels[row], row))
    relabelled = 0
    for place, row in enumerate(by_label):
        label = labels[by_label[(place + shift) % len(labels)]]
        relabelled += label != labels[row]
        examples[row].context.feature[label_key].ParseFromString(label)
    return [example.SerializeToString(deterministic=True) for example in examples], relabelled


def _write(output: str, sides: dict[str, list[bytes]], description: str) -> None:
    target = Path(output)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".tfx-privacy-", dir=target.parent))
    except OSError as error:
        raise InputError(f"cannot write to {output!r}: {error}") from error
    try:
        whole = aside / "canaries"
        for side, records in sides.items():
            tfrecord.write_records(join(str(whole / side), _RECORDS_FILE), records)
        write_text_whole(str(whole / DESCRIPTION_FILE), description)
        try:
            whole.rename(target)
        except OSError as error:
            raise InputError(f"cannot write to {output!r}: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _description(
    sides: dict[str, list[bytes]], seed: int, label_key: str | None, relabelled: int
) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for side, records in sides.items():
        for record in records:
            digest.update(f"{side} {len(record)} ".encode() + record)
    content = {
        "package_version": __version__,
        "count": sum(map(len, sides.values())),
        "seed": seed,
        "included": len(sides[INCLUDED]),
        "held_out": len(sides[HELD_OUT]),
        "label_key": label_key or "",
        "relabelled": relabelled,
        "digest": digest.hexdigest(),
        "how_to_go_on": [
            "Take the canaries out of the training data if that is where they come from: out of "
            "it altogether, those included and those held out.",
            f"Train the model on the rest and on {INCLUDED}/. Nothing may be trained on, or chosen "
            f"by, {HELD_OUT}/.",
            f'In the configuration: splits {{ members: "{INCLUDED}" nonmembers: "{HELD_OUT}" }} '
            'metrics { name: "canary_epsilon" delta: 1e-5 }',
            f"tfx-privacy evaluate --model MODEL --examples '{INCLUDED}=DIR/{INCLUDED}/*' "
            f"--examples '{HELD_OUT}=DIR/{HELD_OUT}/*' --config CONFIG --output RESULTS",
        ],
    }
    return json.dumps(content, indent=2) + "\n"
