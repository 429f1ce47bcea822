"""Where finished models are kept, and what runs that were killed leave behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.work_directory import use_work_directory, work_digest
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.id_set import IdSet


def model_in(folder: Path, content: str = "model") -> str:
    folder.mkdir()
    (folder / "saved_model.pb").write_text(content)
    return str(folder)


def test_a_model_that_is_kept_is_found_by_the_next_run(tmp_path: Path):
    with use_work_directory(str(tmp_path), "digest") as work:
        assert work.finished(3) is None
        work.keep(references_pb2.ReferenceModel(index=3, train_steps=7), model_in(tmp_path / "m"))

    with use_work_directory(str(tmp_path), "digest") as work:
        found = work.finished(3)
        assert found is not None
        assert found.train_steps == 7
        assert Path(found.directory, "saved_model.pb").read_text() == "model"
    with use_work_directory(str(tmp_path), "other") as work:
        assert work.finished(3) is None


def test_of_two_runs_that_train_the_same_model_the_later_counts(tmp_path: Path):
    model = references_pb2.ReferenceModel(index=0)
    with (
        use_work_directory(str(tmp_path), "digest") as one,
        use_work_directory(str(tmp_path), "digest") as two,
    ):
        one.keep(model, model_in(tmp_path / "one", "one"))
        first = one.finished(0)
        two.keep(model, model_in(tmp_path / "two", "two"))
        found = one.finished(0)

    assert first is not None
    assert found is not None
    assert Path(found.directory, "saved_model.pb").read_text() == "two"
    # What was found before is still there.
    assert Path(first.directory, "saved_model.pb").read_text() == "one"


@pytest.mark.parametrize("broken", ["model", "marker"])
def test_a_model_that_was_tampered_with_is_not_finished(tmp_path: Path, broken: str):
    with use_work_directory(str(tmp_path), "digest") as work:
        work.keep(references_pb2.ReferenceModel(index=0), model_in(tmp_path / "m"))
        if broken == "model":
            next(tmp_path.rglob("saved_model.pb")).unlink()
        else:
            next(tmp_path.rglob("finished.json")).write_text("{")

        assert work.finished(0) is None


def test_the_scratch_of_a_run_that_lives_is_left_alone_and_that_of_a_dead_one_is_not(
    tmp_path: Path,
):
    dead = tmp_path / "another" / "run-dead"
    dead.mkdir(parents=True)
    (dead / "lock").touch()
    (dead / "subset").touch()

    with use_work_directory(str(tmp_path), "digest") as living:
        assert not dead.exists()
        with use_work_directory(str(tmp_path), "digest"):
            assert Path(living.scratch).is_dir()

    assert not Path(living.scratch).exists()


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()

    with (
        pytest.raises(InputError, match=r"cannot write .*file/work"),
        use_work_directory(str(tmp_path / "file" / "work"), "digest"),
    ):
        pass


def digest(**changes: Any) -> str:
    given: dict[str, Any] = {
        "pool": IdSet(3, (1, 2)),
        "content": IdSet(3, (1, 2)),
        "code_digest": "code",
        "config": references_pb2.ReferenceModelsConfig(models=4, seed=1),
        "target_records": 10,
        "train_steps": 5,
    }
    return work_digest(**{**given, **changes})


def test_more_models_and_other_names_of_splits_have_the_same_digest():
    more = references_pb2.ReferenceModelsConfig(
        models=16, seed=1, splits={"members": ["a"]}, model_spec={"label_key": "b"}
    )

    assert digest(config=more) == digest()


def test_how_many_the_target_had_tells_nothing_where_no_steps_are_given():
    assert digest(train_steps=0, target_records=11) == digest(train_steps=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"pool": IdSet(3, (1, 3))},
        {"content": IdSet(3, (1, 3))},
        {"code_digest": "another"},
        {"target_records": 11},
        {"train_steps": 6},
        *(
            {"config": references_pb2.ReferenceModelsConfig(**{"seed": 1, **settings})}
            for settings in (
                {"seed": 2},
                {"identity": {"unit_feature": "person"}},
                {"identity": {"key_feature": "row"}},
                {"training_examples": 2},
                {"steps": 1},
            )
        ),
    ],
)
def test_all_that_decides_a_model_is_in_the_digest(changes: dict[str, Any]):
    assert digest(**changes) != digest()
