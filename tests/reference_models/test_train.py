"""Training reference models from start to end, with training code that takes no time."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models import artifact
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.reference_models.model_job import TrainingCode
from tfx_privacy.signals import files, identity
from tfx_privacy.signals.decode import decode
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.id_set import IdSet

CodeOf = Callable[..., TrainingCode]

# "Trains": writes a model that holds what it was told.
TRAIN = """
import json, pathlib, sys
job = json.load(open(sys.argv[1]))
print("training", job["index"])
folder = pathlib.Path(job["output_dir"], "model")
folder.mkdir()
(folder / "variables").mkdir()
(folder / "variables" / "weights").write_bytes(b"w" * job["index"])
(folder / "saved_model.pb").write_text(json.dumps(job))
"""
# What stands before the training: the third model fails, after it has said so.
FAILS = """
import json, sys
if json.load(open(sys.argv[1]))["index"] == 2:
    print("first line")
    print("a bad thing", file=sys.stderr)
    sys.exit(3)
"""


def test_models_and_their_records_are_described(run: Any, rows: list[bytes]):
    description = run(train_steps=100)
    columns = decode(rows, "rows")
    ids = identity.content_ids(columns.features, len(rows))
    is_inside = inside(ids, 0, 4)

    assert description == artifact.read_description(str(run.folder / "output"))
    assert description.target_records == 160
    assert description.pool.records == 240
    assert description.pool.digest == IdSet.of(ids).digest
    assert description.identity_kind == "content"
    assert description.config == run.resolved()
    for index, model in enumerate(description.models):
        assert model.index == index
        assert model.directory == artifact.model_folder(index)
        assert model.trained_on.digest == IdSet.of(ids[is_inside[:, index]]).digest
        assert model.trained_on.records == is_inside[:, index].sum()
        assert model.held_out.digest == IdSet.of(ids[~is_inside[:, index]]).digest
        # 100 steps on 160 records are as many epochs as this many on so many.
        assert model.train_steps == round(100 * is_inside[:, index].sum() / 160)
        assert model.seconds > 0
        assert model.subset_bytes > 0
        job = run.job(index)
        assert job.train_steps == model.train_steps
        assert (job.train_records, job.eval_records) == (
            model.trained_on.records,
            model.held_out.records,
        )
        weights = run.folder / "output" / model.directory / "variables" / "weights"
        assert weights.read_bytes() == b"w" * index
    assert run.left_of_runs() == []


def test_finished_models_are_reused_by_other_runs(run: Any, rows: list[bytes]):
    run(config={"models": 2})
    # ExampleGen has run again: other files, the same records.
    again = [run.write_split("train2", [rows[:160]]), run.write_split("eval2", [rows[160:]])]
    run.sentences.clear()

    second = run("second", splits=again, pool=again, only=[3, 0, 1])

    assert [model.index for model in second.models] == [0, 1, 3]
    assert [line for line in run.sentences if line.endswith("finished earlier")] == [
        "reference model 1 of 4 (index 0): finished earlier",
        "reference model 2 of 4 (index 1): finished earlier",
    ]
    assert run.job(0, "second").models == 2
    assert run.job(3, "second").models == 4


@pytest.mark.parametrize(
    "changed",
    [
        {"config": {"models": 2, "seed": 1}},
        {"config": {"models": 2}, "code": "other"},
        {"config": {"models": 2}, "train_steps": 7},
    ],
)
def test_other_settings_make_other_models(run: Any, code_of: CodeOf, changed: dict[str, Any]):
    run(config={"models": 2}, train_steps=5)
    run.sentences.clear()
    if "code" in changed:
        changed = {**changed, "code": code_of(digest=changed["code"])}

    run(**{"train_steps": 5, **changed})

    assert not any("finished earlier" in line for line in run.sentences)


def test_steps_may_stay_what_they_are(run: Any):
    description = run(
        config={"models": 2, "steps": references_pb2.SAME_STEPS}, train_steps=100, only=[1]
    )

    assert [model.train_steps for model in description.models] == [100]


def test_an_offline_pool_leaves_members_and_nonmembers_alone(run: Any, example: Any):
    others = [example(number=float(-row), label=row % 3, row=-row) for row in range(1, 101)]
    pool = [run.write_split("more", [others])]

    description = run(config={"models": 2, "offline": {"splits": ["more"]}}, pool=pool)

    assert description.pool.records == 100
    assert description.target_records == 160
    assert sum(model.trained_on.records for model in description.models) == 100
    # Features that the measurement will find: the pool has no "person".
    online = run("of_both_sides", config={"models": 2})
    assert description.features_digest == online.features_digest


def test_a_failed_training_names_model_records_and_log_and_keeps_the_others(
    run: Any, code_of: CodeOf
):
    with pytest.raises(InputError) as raised:
        run(code=code_of(FAILS + TRAIN))

    message = str(raised.value)
    assert re.search(
        r"reference model 3 of 4 \(index 2\), on 1\d\d training records, failed", message
    )
    assert "ended with exit status 3" in message
    assert "index 0, 1." in message
    assert message.endswith("Its last lines:\nfirst line\na bad thing") or message.endswith(
        "Its last lines:\na bad thing\nfirst line"
    )
    log = re.search("The whole log is '(.*?)'", message)
    assert log
    assert "a bad thing" in Path(log[1]).read_text()
    assert not (run.folder / "output" / artifact.DESCRIPTION_FILE).exists()
    assert run.left_of_runs() == []

    run.sentences.clear()
    run()

    assert sum(line.endswith("finished earlier") for line in run.sentences) == 2
    assert sum("trained in" in line for line in run.sentences) == 2


def test_a_training_that_writes_no_model_is_an_error(run: Any, code_of: CodeOf):
    with pytest.raises(InputError, match=r"wrote no SavedModel .* No model is finished yet"):
        run(code=code_of("print('done')"))


def test_a_training_that_is_killed_is_an_error_that_tells_the_signal(run: Any, code_of: CodeOf):
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"

    with pytest.raises(InputError, match=r"killed by signal 9 \(SIGKILL; was there too little"):
        run(code=code_of(script))


def test_a_status_that_is_no_signal_is_told_as_it_is(run: Any, code_of: CodeOf):
    # 128 + 42: there is no signal 42.
    with pytest.raises(InputError, match="failed: its process ended with exit status 170"):
        run(code=code_of("import sys; sys.exit(170)"))


def test_so_many_are_trained_at_a_time(run: Any, code_of: CodeOf):
    times = run.folder / "times"
    times.mkdir()
    script = f"""
import json, pathlib, sys, time
start = time.time()
time.sleep(1)
index = json.load(open(sys.argv[1]))["index"]
pathlib.Path({str(times)!r}, str(index)).write_text(json.dumps([start, time.time()]))
"""

    run(code=code_of(script + TRAIN), max_parallel=2)

    spans = [tuple(map(float, path.read_text()[1:-1].split(","))) for path in times.iterdir()]
    at_a_time = [sum(start <= moment < end for start, end in spans) for moment, _ in spans]
    assert len(spans) == 4
    assert max(at_a_time) == 2


def test_what_still_runs_is_killed_when_another_fails(run: Any, code_of: CodeOf):
    pid = run.folder / "pid"
    script = f"""
import json, os, pathlib, subprocess, sys, time
if json.load(open(sys.argv[1]))["index"] == 0:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    pathlib.Path({str(pid)!r} + ".new").write_text(str(child.pid))
    os.rename({str(pid)!r} + ".new", {str(pid)!r})
    time.sleep(300)
while not pathlib.Path({str(pid)!r}).exists():
    time.sleep(0.05)
sys.exit(1)
"""

    with pytest.raises(InputError, match=r"\(index 1\)"):
        run(code=code_of(script), max_parallel=2)

    assert has_ended(int(pid.read_text()))
    assert run.left_of_runs() == []


def test_a_run_that_is_killed_takes_its_trainings_along_and_is_resumed(run: Any):
    pid = run.folder / "pid"
    parent = subprocess.Popen([sys.executable, "-c", KILLED, str(run.folder), TRAIN])
    try:
        wait_for(pid.exists)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert len(run.left_of_runs()) == 1
    wait_for(lambda: has_ended(int(pid.read_text())), seconds=10)

    description = run()

    assert [model.index for model in description.models] == [0, 1, 2, 3]
    assert sum(line.endswith("finished earlier") for line in run.sentences) == 2
    assert run.left_of_runs() == []


# A run whose third model hangs.
KILLED = """
import pathlib, sys
import apache_beam as beam
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.model_job import TrainingCode
from tfx_privacy.reference_models.reference_config import resolve_reference_config
from tfx_privacy.reference_models.train import train_reference_models
from tfx_privacy.signals.examples import ExampleSplit
folder, train = sys.argv[1:]
hang = f'''
import json, os, pathlib, sys, time
if json.load(open(sys.argv[1]))["index"] == 2:
    pathlib.Path({folder + "/new"!r}).write_text(str(os.getpid()))
    os.rename({folder + "/new"!r}, {folder + "/pid"!r})
    time.sleep(300)
'''
names = ("train", "eval")
splits = [ExampleSplit(name, name == "train", (f"{folder}/{name}/*",)) for name in names]
config = references_pb2.ReferenceModelsConfig(models=4, model_spec={"label_key": "label"})
train_reference_models(
    splits=splits,
    pool=splits,
    config=resolve_reference_config(config, has_transform_graph=False),
    code=TrainingCode("code", lambda job, path: [sys.executable, "-c", hang + train, path]),
    train_steps=0,
    only=None,
    work_directory=folder + "/work",
    output_dir=folder + "/killed",
    max_parallel=1,
    transform_graph_dir=None,
    synthesis=None,
    new_pipeline=beam.Pipeline,
)
"""


def test_time_left_is_told(run: Any):
    run()

    told = [line.split("; ")[1] for line in run.sentences if "; " in line]
    assert [words.split(",")[0] for words in told] == ["3 left", "2 left", "1 left", "none left"]
    assert re.fullmatch(r"3 left, about \d\.\d s", told[0])


def test_a_work_directory_and_an_output_may_be_remote(run: Any, remote: str, code_of: CodeOf):
    work, output = f"{remote}/work", f"{remote}/output"
    with pytest.raises(InputError, match="The whole log is 'mirror://") as raised:
        run(work_directory=work, output_dir=output, code=code_of(FAILS + TRAIN))
    log = re.search("The whole log is '(.*?)'", str(raised.value))
    assert log
    assert b"a bad thing" in files.read_bytes(log[1])

    description = run(work_directory=work, output_dir=output)

    assert sum(line.endswith("finished earlier") for line in run.sentences) == 2
    assert artifact.read_description(output) == description
    assert files.files_below(f"{output}/models") == [
        f"{index:03d}/{name}"
        for index in range(4)
        for name in ("saved_model.pb", "variables/weights")
    ]
    assert files.read_bytes(f"{output}/models/003/variables/weights") == b"www"
    assert {re.sub("[0-9a-f]{12}", "RUN", name[33:]) for name in files.files_below(work)} == {
        *(f"model-{index:03d}/{name}" for index in range(4) for name in KEPT),
    }


# What is kept of each model, beside what its training said.
KEPT = ("finished.json", "log-RUN.txt", "model-RUN/saved_model.pb", "model-RUN/variables/weights")


def test_a_half_without_a_class_is_an_error_before_anything_is_trained(
    run: Any, rows: list[bytes], example: Any
):
    rare = example(number=-1.0, label=9, person=b"0", row=-1)
    splits = [run.splits[0], run.write_split("rare", [[*rows[160:], rare]])]

    with pytest.raises(InputError, match="training records is of class 9 of the label 'label', of"):
        run(splits=splits, pool=splits)

    assert not any("training on" in line for line in run.sentences)


def test_without_a_label_no_class_is_missed(run: Any, rows: list[bytes], example: Any):
    rare = example(number=-1.0, label=9, person=b"0", row=-1)
    splits = [run.splits[0], run.write_split("rare", [[*rows[160:], rare]])]

    description = run(
        splits=splits, pool=splits, only=[0], config={"models": 2, "model_spec": {"label_key": ""}}
    )

    assert description.pool.records == 241


def test_a_label_that_is_not_there_is_an_error(run: Any):
    with pytest.raises(InputError, match=r"no label 'digit' .* found the features label, number"):
        run(config={"model_spec": {"label_key": "digit"}})


def test_an_empty_split_is_an_error(run: Any):
    splits = [run.splits[0], run.write_split("nothing", [[]])]

    with pytest.raises(InputError, match="split 'nothing' is empty"):
        run(splits=splits, pool=splits)


def test_a_pool_of_one_unit_is_an_error(run: Any, example: Any):
    pool = [run.write_split("more", [[example(number=float(n), label=0) for n in range(9)] * 2])]
    one = [run.write_split("one", [[example(number=1.0, label=0)]])]
    assert run(pool=pool, only=[0], config={"models": 2}).pool.records == 18

    with pytest.raises(InputError, match=r"would be trained on [01] of the pool's 1 records"):
        run(pool=one)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"max_parallel": 0}, "max_parallel is 0: expected at least 1"),
        ({"only": [1, 4]}, r"the models to train are \[1, 4\]: expected indices from 0 to 3"),
        ({"only": [-1]}, "expected indices from 0 to 3"),
        ({"only": []}, r"the models to train are \[\]: expected indices"),
    ],
)
def test_wrong_arguments_are_errors(run: Any, changed: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        run(**changed)


def has_ended(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked how."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
