"""What reference models say of each record stands beside its row: every number, for every row."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest

from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.evaluate import TargetInputs, evaluate
from tfx_privacy.evaluation.observe_references import (
    ObservedReferences,
    ObservedTarget,
    observe_references,
    read_reference_models,
)
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.reference_models.artifact import write_description
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import peek
from tfx_privacy.signals.files import names_in
from tfx_privacy.signals.observe import ObserveOptions, observe
from tfx_privacy.signals.table import TableDescription
from tfx_privacy.signals.table_reader import read_bucket, read_description
from tfx_privacy.signals.target_plan import plan_target

# What the fixtures of conftest.py make.
World = Any
Worlds = Callable[[str], World]
NAMES = ("online", "duplicates", "key", "unit", "offline", "synthetic")


@dataclasses.dataclass(frozen=True)
class Asked:
    table_dir: str
    table: TableDescription
    observed: ObservedReferences
    rows: Signals
    scratch: Path


def ask(
    world, folder: Path, config: config_pb2.PrivacyConfig | None = None, buckets: int = 3
) -> Asked:
    """Observes the target and then the reference models."""
    resolved = resolve_config(config or world.config(references={}))
    examples = [record for split in world.splits for record in peek(split, 5)]
    plan = plan_target(world.model_dir, resolved.model_spec, 64, examples)
    table_dir, scratch = str(folder / "signals"), folder / "scratch"
    options = ObserveOptions(world.identity)
    table = observe(beam.Pipeline, plan, world.splits, options, table_dir, buckets=buckets)
    table, observed = observe_references(
        world.given,
        read_reference_models(world.given, resolved),
        ObservedTarget(plan, None, world.splits, table_dir, table),
        resolved,
        str(scratch),
        beam.Pipeline,
    )
    rows = Signals.concatenate(
        [
            rows
            for bucket in range(table.buckets)
            for rows in read_bucket(
                table_dir, table, bucket, ("label", "logits", "loss", "references"), batch_rows=7
            )
        ]
    )
    return Asked(table_dir, table, observed, rows, scratch)


def numbers_of(world, rows: Signals) -> np.ndarray:
    """Which record each row is, found by its id."""
    by_id = {
        tuple(ids): number
        for split in world.keys
        for ids, number in zip(world.ids(split).tolist(), world.keys[split], strict=True)
    }
    return np.array([by_id[tuple(ids)] for ids in rows.ids.tolist()])


def cross_entropy(logits: np.ndarray, label: np.ndarray) -> np.ndarray:
    """-log softmax(logits)[label], by its definition; logits [..., n, classes]."""
    z = logits.astype(np.float64)
    true = np.take_along_axis(z, np.broadcast_to(label[:, None], (*z.shape[:-1], 1)), -1)
    return np.log(np.exp(z).sum(axis=-1)) - true[..., 0]


def log_odds(logits: np.ndarray, label: np.ndarray) -> np.ndarray:
    p = np.exp(-cross_entropy(logits, label))
    return np.log(p) - np.log(1 - p)


@pytest.fixture(scope="module")
def asked_of(worlds: Worlds, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Asked]:
    """What was asked in a world, once."""
    return functools.cache(lambda name: ask(worlds(name), tmp_path_factory.mktemp("asked")))


@pytest.mark.parametrize("name", NAMES)
def test_every_number_of_every_row_is_the_models_own(
    worlds: Worlds, asked_of: Callable[[str], Asked], name: str
) -> None:
    world, asked = worlds(name), asked_of(name)

    rows, references = asked.rows, asked.rows.references
    evaluated = [*world.keys["train"], *world.keys["eval"]]
    number = numbers_of(world, rows)
    assert sorted(number) == sorted(evaluated)
    assert asked.table.buckets == 3
    label = world.labels[number]
    logits = world.references[:, number]
    made_up = name == "synthetic"
    assert references.inside.tolist() == (world.inside[:, number] & (not made_up)).T.tolist()
    np.testing.assert_allclose(references.loss, cross_entropy(logits, label).T, rtol=1e-5)
    assert references.logit.shape == (len(rows), 4, 1)
    np.testing.assert_allclose(
        references.logit[:, :, 0], log_odds(logits, label).T, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        references.target_logit[:, 0], log_odds(world.target[number], label), rtol=1e-5, atol=1e-5
    )
    assert read_description(asked.table_dir) == asked.table
    assert not asked.scratch.exists()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_of_the_models(
    worlds: Worlds, asked_of: Callable[[str], Asked], name: str
) -> None:
    world, results = worlds(name), asked_of(name).observed.results

    evaluated = [*world.keys["train"], *world.keys["eval"]]
    pool = np.array(world.keys.get("shadow", evaluated))
    assert (results.uri, results.queries) == ("/the/references", 1)
    assert results.trained == world.trained
    has_pool = name in ("offline", "synthetic")
    assert results.online != has_pool
    assert results.records == len(evaluated)
    # Numbers 190 to 199 are non-members and in the offline pool. In the synthetic one there
    # are such keys as well, and they mean nothing.
    assert results.records_inside == {"offline": 10, "synthetic": 0}.get(name, len(evaluated))
    assert any("10 of the 200 evaluated" in note for note in results.notes) == (name == "offline")
    loss = cross_entropy(world.references[:, pool], world.labels[pool])
    with_it = world.inside[:, pool]
    for model, told in enumerate(results.losses):
        assert (told.index, told.inside) == (model, with_it[model].sum())
        assert told.outside == len(pool) - with_it[model].sum()
        assert told.inside_loss == pytest.approx(loss[model][with_it[model]].mean(), rel=1e-5)
        assert told.outside_loss == pytest.approx(loss[model][~with_it[model]].mean(), rel=1e-5)
    # In minus out of each record; with 4 models two are on each side.
    of_record = np.where(with_it, loss, -loss).sum(axis=0) / 2
    key = pool // 4 if name == "unit" else pool
    of_key = [of_record[key == one].sum() for one in np.unique(key)]
    difference = results.difference
    assert difference.records == len(pool)
    assert difference.mean == pytest.approx(of_record.mean(), rel=1e-5)
    assert difference.standard_error == pytest.approx(
        np.sqrt(np.square(of_key).sum()) / len(pool), rel=1e-5
    )
    assert difference.mean < 0
    assert difference.p_value > 0.999


def test_further_queries_are_of_variants_and_all_else_of_the_record(
    make_world: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shifted_queries.py").write_text(
        "from tensorflow.train import Example\n"
        "def shift(records, query):\n"
        "    made = [Example.FromString(record) for record in records]\n"
        "    for one in made:\n"
        "        number = one.features.feature['number'].int64_list\n"
        "        number.value[0] = (number.value[0] + 10 * query) % 200\n"
        "        one.features.feature['label'].int64_list.value[0] = 0\n"
        "        one.features.feature['user'].bytes_list.value[0] = b'nobody'\n"
        "    return [one.SerializeToString() for one in made]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    world = make_world(tmp_path / "world")
    augmentation = {"function": "shifted_queries.shift", "queries": 3}
    asked = ask(world, tmp_path, world.config(references={"augmentation": augmentation}))

    references = asked.rows.references
    number = numbers_of(world, asked.rows)
    label = world.labels[number]
    assert asked.observed.results.queries == 3
    for query in range(3):
        shown = (number + 10 * query) % 200
        np.testing.assert_allclose(
            references.logit[:, :, query],
            log_odds(world.references[:, shown], label).T,
            rtol=1e-5,
            atol=1e-5,
        )
        np.testing.assert_allclose(
            references.target_logit[:, query],
            log_odds(world.target[shown], label),
            rtol=1e-5,
            atol=1e-5,
        )
    np.testing.assert_allclose(
        references.loss, cross_entropy(world.references[:, number], label).T, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return records[1:]", "query 1, returned 2 examples for 3"),
        ("return ['a'] * len(records)", "returned str among its examples: expected bytes"),
        (
            "return [b''] * len(records)",
            r"as the augmentation 'broken_.*', query 1, returned them: .*could not be found",
        ),
        ("return records[0].nothing", "failed: AttributeError: 'bytes' object has no attribute"),
    ],
)
def test_an_augmentation_that_does_not_work_is_told(
    worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str
) -> None:
    module = f"broken_{abs(hash(body))}"
    (tmp_path / f"{module}.py").write_text(f"def make(records, query):\n    {body}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    world = worlds("online")
    augmentation = {"function": f"{module}.make", "queries": 2}

    with pytest.raises(InputError, match=message):
        ask(world, tmp_path, world.config(references={"augmentation": augmentation}))
    assert not (tmp_path / "scratch").exists()


def test_what_cannot_be_imported_is_told_before_any_model_is_run(worlds: Worlds) -> None:
    world = worlds("online")
    for function, message in (
        ("no_such_module.make", "ModuleNotFoundError"),
        ("os.path.no_such_function", "AttributeError"),
        ("os.path.sep", "which is str: expected a function"),
    ):
        config = world.config(references={"augmentation": {"function": function, "queries": 2}})
        with pytest.raises(InputError, match=message):
            read_reference_models(world.given, resolve_config(config))


def test_a_model_of_another_width_is_named(make_world: Callable[..., World], tmp_path: Path):
    world = make_world(tmp_path / "world")
    folder = tmp_path / "world" / "references" / "models" / "002"
    shutil.rmtree(folder)
    other = make_world(tmp_path / "other", models=2)
    shutil.copytree(other.model_dir, folder)
    _widen(folder, other)

    records = world.trained.models[2].trained_on.records
    with pytest.raises(
        InputError,
        match=rf"reference model 2 of /the/references, trained on {records} records: it answers "
        r"otherwise than the target: MULTICLASS with an output of width 4, where the target has "
        r"MULTICLASS with an output of width 3",
    ):
        ask(world, tmp_path)
    assert not (tmp_path / "scratch").exists()


def _widen(folder: Path, world) -> None:
    import tensorflow as tf

    shutil.rmtree(folder)
    module = tf.Module()
    module.table = tf.Variable(np.pad(world.target, ((0, 0), (0, 1))))
    spec = {"number": tf.io.FixedLenFeature([1], tf.int64)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(examples):
        numbers = tf.io.parse_example(examples, spec)["number"][:, 0]
        return {"probabilities": tf.nn.softmax(tf.gather(module.table, numbers))}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        ({"key_feature": "number"}, "here by digest of the key feature 'number'"),
        ({"unit_feature": "user"}, "unit 'user'"),
    ],
)
def test_ids_made_in_another_way_are_refused_first(
    worlds: Worlds, tmp_path: Path, identity: dict[str, str], words: str
) -> None:
    world = worlds("online")
    config = world.config(references={})
    config.identity.CopyFrom(config_pb2.IdentitySpec(**identity))
    broken = dataclasses.replace(world.given, directory=str(tmp_path))
    less = type(world.trained)()
    less.CopyFrom(world.trained)
    del less.models[1:]
    write_description(str(tmp_path), less)

    with pytest.raises(InputError, match="made in another way") as caught:
        read_reference_models(broken, resolve_config(config))
    assert words in str(caught.value)


def test_other_features_are_ids_made_in_another_way(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(tmp_path / "world")
    world.trained.features_digest = "0" * 32
    write_description(world.given.directory, world.trained)

    with pytest.raises(InputError, match=r"made in another way: there by .*0000.*, here by"):
        ask(world, tmp_path)


def test_a_pool_may_lack_features_that_evaluated_records_have(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    """As synthetic records do where features are excluded."""
    world = make_world(tmp_path / "world", pool=range(190, 330), is_synthetic=True)
    asked = ask(world, tmp_path)
    assert asked.observed.results.records_inside == 0
    assert asked.observed.results.trained.pool.records == 140


def test_a_pool_where_none_is_expected_and_the_other_way_round(worlds: Worlds) -> None:
    for name, pool, message in (
        ("online", worlds("offline").given.pool, r"online, and the pool .* is \['shadow'\]: exp"),
        ("offline", (), r"offline, and the pool given with them is \[\]: expected the splits"),
    ):
        world = worlds(name)
        given = dataclasses.replace(world.given, pool=pool)
        with pytest.raises(InputError, match=message):
            read_reference_models(given, resolve_config(world.config(references={})))


def test_a_whole_measurement_and_what_it_leaves(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds("online")
    for keep in (True, False):
        config = world.config(keep_signals=keep, attacks=["loss_threshold", "attack_r"])
        with whole_output(str(tmp_path / str(keep))) as outputs:
            content = evaluate(
                TargetInputs("/the/target", world.model_dir),
                world.splits,
                config,
                outputs,
                beam.Pipeline,
                references=world.given,
            )
        results = content.results
        assert results.config.HasField("references")
        assert results.references.uri == "/the/references"
        assert "references" in [stage.stage for stage in results.stages]
        assert "attack_r" in [attack.name for attack in results.attacks]
        names = names_in(str(tmp_path / str(keep) / "signals"))
        assert ("references-00000.parquet" in names) == keep
        assert "table.json" in names


def test_a_failure_after_the_target_was_observed_leaves_nothing(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(tmp_path / "world")
    world.trained.models[3].trained_on.digest = "1" * 32
    write_description(world.given.directory, world.trained)
    from tfx_privacy.evaluation.attack_table import Outputs

    names = ("metrics", "signals", "record_risk", "scratch")
    outputs = Outputs(**{name: str(tmp_path / "output" / name) for name in names})
    with pytest.raises(InputError, match="model 3 was trained on, there are"):
        evaluate(
            TargetInputs("/the/target", world.model_dir),
            world.splits,
            world.config(),
            outputs,
            beam.Pipeline,
            references=world.given,
        )
    assert [path for path in (tmp_path / "output").rglob("*") if path.is_file()] == []


def test_references_in_the_configuration_alone_are_refused(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds("online")
    with (
        pytest.raises(InputError, match="no reference models are given"),
        whole_output(str(tmp_path / "output")) as outputs,
    ):
        evaluate(
            TargetInputs("/the/target", world.model_dir),
            world.splits,
            world.config(references={}),
            outputs,
            beam.Pipeline,
        )
