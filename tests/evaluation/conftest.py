"""Reference models whose every answer is known, and the records that they are asked about."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from numpy.typing import NDArray

from tfx_privacy.evaluation.reference_models_input import ReferenceModelsInput
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.artifact import model_folder, write_description
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.signals.decode import decode
from tfx_privacy.signals.examples import ExampleSplit
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.identity import Ids
from tfx_privacy.signals.record_identity import describe_identity, ids_of, names_and_types, units_of

CLASSES = 3
# Of the reference models' subsets.
SEED = 11


@dataclasses.dataclass(frozen=True)
class ReferenceWorld:
    """A target, k reference models and records: each answer is a row of a table.

    Attributes:
      folder: Where all of it lies: `target`, `references`, and files of examples.
      identity: How records are told apart.
      keys: By split, the number of each record: of its row in the tables.
      labels: [records], the class of each number.
      target: [records, CLASSES], the target's logits.
      references: [k, records, CLASSES], the reference models' logits.
      inside: [k, records], which models were trained on each.
      splits: Members and non-members.
      given: What a measurement is given.
      trained: What the artifact says.
    """

    folder: Path
    identity: config_pb2.IdentitySpec
    keys: dict[str, list[int]]
    labels: NDArray[np.int64]
    target: NDArray[np.float32]
    references: NDArray[np.float32]
    inside: NDArray[np.bool_]
    splits: tuple[ExampleSplit, ...]
    given: ReferenceModelsInput
    trained: references_pb2.ReferenceModels

    @property
    def model_dir(self) -> str:
        """The target's SavedModel."""
        return str(self.folder / "target")

    def config(self, **fields: object) -> config_pb2.PrivacyConfig:
        """A configuration of the measurement."""
        return config_pb2.PrivacyConfig(
            model_spec={"label_key": "label"}, identity=self.identity, seed=3, **fields
        )

    def ids(self, split: str) -> Ids:
        """The ids of a split's records."""
        records = [example(key, int(self.labels[key])) for key in self.keys[split]]
        return ids_of(decode(records, split), self.identity, split)


def example(number: int, label: int, *, has_user: bool = True) -> bytes:
    """A record: its number is all that a model looks at; four numbers make a user."""
    import tensorflow as tf

    made = tf.train.Example()
    made.features.feature["number"].int64_list.value.append(number)
    made.features.feature["label"].int64_list.value.append(label)
    if has_user:
        made.features.feature["user"].bytes_list.value.append(f"user {number // 4}".encode())
    return made.SerializeToString()


def write_records(path: Path, records: Sequence[bytes]) -> str:
    """TFRecords."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return str(path)


def export(folder: Path, table: NDArray[np.float32]) -> None:
    """A model that looks its logits up in a table, by the number of the record."""
    import tensorflow as tf

    module = tf.Module()
    module.table = tf.Variable(table)
    spec = {"number": tf.io.FixedLenFeature([1], tf.int64)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        numbers = tf.io.parse_example(examples, spec)["number"][:, 0]
        return {"probabilities": tf.nn.softmax(tf.gather(module.table, numbers))}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def make_world(
    folder: Path,
    *,
    identity: config_pb2.IdentitySpec | None = None,
    members: Sequence[int] = range(120),
    nonmembers: Sequence[int] = range(120, 200),
    pool: Sequence[int] = (),
    is_synthetic: bool = False,
    models: int = 4,
    gain: float = 2.0,
) -> ReferenceWorld:
    """Writes a world.

    Args:
      folder: Where.
      identity: How records are told apart; default by content.
      members: Numbers of the members' records; one may come twice.
      nonmembers: Those of the non-members.
      pool: Those of an offline or synthetic pool; none for an online one.
      is_synthetic: Whether the pool is called synthetic.
      models: k.
      gain: How much higher the true class's logit is where the model was trained on the
        record.
    """
    identity = identity or config_pb2.IdentitySpec()
    keys = {"train": list(members), "eval": list(nonmembers)}
    if pool:
        keys["shadow"] = list(pool)
    size = 1 + max(max(numbers) for numbers in keys.values())
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CLASSES, size)
    target = rng.normal(size=(size, CLASSES)).astype(np.float32)
    target[list(members), labels[list(members)]] += gain
    drawn_from = list(pool) if pool else [*members, *nonmembers]
    # What is excluded from synthesis made-up records do not have.
    lacks_users = is_synthetic and not identity.unit_feature

    def record(number: int, *, of_pool: bool) -> bytes:
        return example(number, int(labels[number]), has_user=not (of_pool and lacks_users))

    columns = decode([record(number, of_pool=bool(pool)) for number in drawn_from], "pool")
    ids, units = ids_of(columns, identity, "pool"), units_of(columns, identity, "pool")
    of_rows = inside(ids if units is None else units, SEED, models)
    trained_on = np.zeros((models, size), np.bool_)
    trained_on[:, drawn_from] = of_rows.T
    references = rng.normal(size=(models, size, CLASSES)).astype(np.float32)
    for model in range(models):
        mine = np.flatnonzero(trained_on[model])
        references[model, mine, labels[mine]] += gain
    export(folder / "target", target)
    artifact = folder / "references"
    description = references_pb2.ReferenceModels(
        schema_version=1,
        config=references_pb2.ReferenceModelsConfig(models=models, seed=SEED, identity=identity),
        target_records=len(members),
        pool=_id_set(ids),
    )
    if is_synthetic:
        description.config.synthetic.records = len(pool)
    elif pool:
        description.config.offline.splits.append("shadow")
    else:
        description.config.online.SetInParent()
    evaluated = decode([record(int(members[0]), of_pool=False)], "members")
    made = describe_identity(identity, set(names_and_types(evaluated)))
    description.identity_kind, description.key_feature = made.kind, made.feature
    description.features_digest, description.unit_feature = made.features_digest, made.unit_feature
    for model in range(models):
        export(artifact / model_folder(model), references[model])
        description.models.add(
            index=model,
            directory=model_folder(model),
            trained_on=_id_set(ids[of_rows[:, model]]),
            held_out=_id_set(ids[~of_rows[:, model]]),
        )
    write_description(str(artifact), description)
    splits = []
    for name, numbers in keys.items():
        parts = np.array_split(numbers, 2)
        for part, some in enumerate(parts):
            write_records(
                folder / f"{name}-{part}.tfrecord",
                [record(int(number), of_pool=name == "shadow") for number in some],
            )
        pattern = str(folder / f"{name}-*.tfrecord")
        splits.append(ExampleSplit(name, name == "train", (pattern,)))
    return ReferenceWorld(
        folder=folder,
        identity=identity,
        keys=keys,
        labels=labels,
        target=target,
        references=references,
        inside=trained_on,
        splits=tuple(splits[:2]),
        given=ReferenceModelsInput(str(artifact), "/the/references", tuple(splits[2:])),
        trained=description,
    )


def _id_set(ids: Ids) -> references_pb2.IdSet:
    found = IdSet.of(ids)
    return references_pb2.IdSet(records=found.records, digest=found.digest)


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ReferenceWorld]:
    """A world by name: one of those below; made once."""
    made: dict[str, ReferenceWorld] = {}
    kinds: dict[str, dict[str, object]] = {
        "online": {},
        "duplicates": {"members": [*range(100), *range(60, 90)], "nonmembers": range(80, 150)},
        "key": {"identity": config_pb2.IdentitySpec(key_feature="number")},
        "unit": {
            "identity": config_pb2.IdentitySpec(unit_feature="user"),
            # Users 25 to 29 are on both sides.
            "members": [*range(100), *range(100, 120, 2)],
            "nonmembers": [*range(101, 120, 2), *range(120, 180)],
        },
        "offline": {"pool": [*range(190, 330), *range(200, 210)]},
        "synthetic": {
            "pool": range(190, 330),
            "identity": config_pb2.IdentitySpec(key_feature="number"),
            "is_synthetic": True,
        },
    }

    def world(name: str) -> ReferenceWorld:
        if name not in made:
            made[name] = make_world(tmp_path_factory.mktemp(name), **kinds[name])
        return made[name]

    return world


@pytest.fixture(name="make_world", scope="session")
def make_world_fixture() -> Callable[..., ReferenceWorld]:
    return make_world


@pytest.fixture
def new_pipeline() -> Callable[[], beam.Pipeline]:
    return beam.Pipeline
