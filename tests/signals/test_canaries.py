"""Canaries: who they are, on which side they are, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from tfx_privacy.__main__ import main
from tfx_privacy.signals import tfrecord
from tfx_privacy.signals.canaries import DESCRIPTION_FILE, HELD_OUT, INCLUDED, make_canaries
from tfx_privacy.signals.errors import InputError


def _example(number: int, label: int) -> bytes:
    from tensorflow.core.example import example_pb2

    example = example_pb2.Example()
    example.features.feature["number"].int64_list.value.append(number)
    example.features.feature["label"].int64_list.value.append(label)
    return example.SerializeToString(deterministic=True)


def _read(record: bytes) -> tuple[int, int]:
    from tensorflow.core.example import example_pb2

    features = example_pb2.Example.FromString(record).features.feature
    return features["number"].int64_list.value[0], features["label"].int64_list.value[0]


def _file(folder: Path, records: list[bytes], name: str = "data.gz") -> str:
    path = str(folder / name)
    tfrecord.write_records(path, records)
    return path


def _side(output: Path, side: str) -> list[tuple[int, int]]:
    (path,) = (output / side).glob("*.tfrecord.gz")
    return [_read(record) for record in tfrecord.read_records(str(path))]


@pytest.fixture
def source(tmp_path: Path) -> str:
    return _file(tmp_path, [_example(i, i % 3) for i in range(2000)])


def test_canaries_are_examples_as_they_are_each_on_one_side(tmp_path: Path, source: str) -> None:
    output = tmp_path / "canaries"
    made = make_canaries([source], 400, 1, str(output))
    included, held_out = _side(output, INCLUDED), _side(output, HELD_OUT)
    assert (len(included), len(held_out)) == (made.included, made.held_out)
    numbers = {number for number, _ in included + held_out}
    assert len(numbers) == len(included) + len(held_out) == 400
    assert all(label == number % 3 for number, label in included + held_out)
    # Chosen from anywhere, by chance: the mean of 400 of 0 .. 1999 errs by 29.
    assert abs(np.mean(list(numbers)) - 999.5) < 4 * 29


def test_coins_are_fair_and_those_of_another_seed_are_others(tmp_path: Path, source: str) -> None:
    sides = []
    for seed in (1, 2):
        output = tmp_path / str(seed)
        # Every example is a canary: only the coins differ.
        made = make_canaries([source], 2000, seed, str(output))
        assert stats.binomtest(made.included, 2000).pvalue > 1e-4
        numbers = np.zeros(2000, np.bool_)
        numbers[[number for number, _ in _side(output, INCLUDED)]] = True
        sides.append(numbers)
    # Independent of each other, and of the label.
    assert stats.binomtest(int((sides[0] == sides[1]).sum()), 2000).pvalue > 1e-4
    table = [[sides[0][label::3].sum(), (~sides[0][label::3]).sum()] for label in range(3)]
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_the_same_seed_makes_the_same_bytes_whatever_the_files(tmp_path: Path) -> None:
    examples = [_example(i, i % 3) for i in range(500)]
    first = _file(tmp_path, examples, "one")
    _file(tmp_path, examples[:200][::-1], "part-0.gz")
    _file(tmp_path, examples[200:], "part-1.gz")
    make_canaries([first], 100, 7, str(tmp_path / "a"), "label")
    make_canaries([str(tmp_path / "part-*")], 100, 7, str(tmp_path / "b"), "label")
    for file in sorted((tmp_path / "a").rglob("*")):
        if file.is_file():
            other = tmp_path / "b" / file.relative_to(tmp_path / "a")
            assert file.read_bytes() == other.read_bytes()


def test_labels_are_exchanged_so_that_all_are_wrong_where_that_can_be(
    tmp_path: Path, source: str
) -> None:
    output = tmp_path / "canaries"
    made = make_canaries([source], 300, 3, str(output), label_key="label")
    canaries = _side(output, INCLUDED) + _side(output, HELD_OUT)
    assert made.relabelled == 300
    assert all(label != number % 3 for number, label in canaries)
    # The same labels as before, in other hands.
    before, after = (
        sorted(labels) for labels in zip(*((n % 3, y) for n, y in canaries), strict=True)
    )
    assert before == after


def test_where_one_label_is_most_of_them_it_goes_round_as_far_as_it_can(tmp_path: Path) -> None:
    # 90 of 100 have label 0: 10 of those can have another, and the 10 others a 0.
    path = _file(tmp_path, [_example(i, int(i >= 90)) for i in range(100)])
    made = make_canaries([path], 100, 3, str(tmp_path / "canaries"), label_key="label")
    assert made.relabelled == 20


def test_examples_that_occur_twice_are_no_canaries(tmp_path: Path) -> None:
    records = [_example(i, 0) for i in range(50)] + [_example(i, 0) for i in range(40)]
    path = _file(tmp_path, records)
    make_canaries([path], 10, 0, str(tmp_path / "canaries"))
    canaries = _side(tmp_path / "canaries", INCLUDED) + _side(tmp_path / "canaries", HELD_OUT)
    assert {number for number, _ in canaries} == set(range(40, 50))
    with pytest.raises(InputError, match="10 of them are like no other: expected at least 11"):
        make_canaries([path], 11, 0, str(tmp_path / "more"))


def test_examples_that_differ_in_the_label_alone_are_none_where_labels_are_exchanged(
    tmp_path: Path,
) -> None:
    path = _file(tmp_path, [_example(0, 0), _example(0, 1), *(_example(i, i) for i in (1, 2, 3))])
    with pytest.raises(InputError, match=r"5 examples match .* and 3 of them are like no other"):
        make_canaries([path], 4, 0, str(tmp_path / "canaries"), "label")


def test_the_description_says_how_to_go_on(tmp_path: Path, source: str) -> None:
    output = tmp_path / "canaries"
    made = make_canaries([source], 100, 5, str(output))
    description = json.loads((output / DESCRIPTION_FILE).read_text())
    assert description["count"] == 100
    assert description["seed"] == 5
    assert (description["included"], description["held_out"]) == (made.included, made.held_out)
    assert len(description["digest"]) == 32
    how = " ".join(description["how_to_go_on"])
    assert 'members: "included"' in how
    assert 'nonmembers: "held_out"' in how
    assert "canary_epsilon" in how


def test_wrong_arguments_are_named_and_leave_nothing_behind(tmp_path: Path, source: str) -> None:
    output = tmp_path / "canaries"
    before = sorted(tmp_path.iterdir())
    for arguments, message in (
        (([source], 1, 0, str(output)), "number of canaries is 1: expected at least 2"),
        (([source], 3000, 0, str(output)), "2000 examples match .* expected at least 3000"),
        (([str(tmp_path / "no*")], 10, 0, str(output)), "no file matches"),
        (([source], 10, 0, str(output), "lable"), "without the feature 'lable', expected a label"),
        (([source], 10, 0, str(tmp_path)), "exists: expected a new folder"),
        (([source], 10, 0, "gs://bucket/canaries"), "written to a local folder"),
    ):
        with pytest.raises(InputError, match=message):
            make_canaries(*arguments)
    assert sorted(tmp_path.iterdir()) == before


def test_coins_on_one_side_alone_are_named(tmp_path: Path, source: str) -> None:
    # Two coins agree for half of the seeds.
    outcomes = []
    for seed in range(12):
        try:
            make_canaries([source], 2, seed, str(tmp_path / str(seed)))
            outcomes.append("")
        except InputError as error:
            outcomes.append(str(error))
    assert any("all 2 coins fell on the same side" in outcome for outcome in outcomes)
    assert "" in outcomes


def test_an_example_that_is_none_is_named(tmp_path: Path) -> None:
    path = _file(tmp_path, [b"\xff no example"])
    with pytest.raises(InputError, match="is no serialized tf"):
        make_canaries([path], 2, 0, str(tmp_path / "canaries"))


def test_the_command_says_what_it_made(tmp_path: Path, source: str) -> None:
    output = str(tmp_path / "canaries")
    arguments = ["canaries", "--examples", source, "--count", "50", "--seed", "3"]
    result = CliRunner().invoke(main, [*arguments, "--label-key", "label", "--output", output])
    assert result.exit_code == 0, result.output
    assert "50 with a wrong label" in result.output
    again = CliRunner().invoke(main, [*arguments, "--output", output])
    assert again.exit_code == 1
    assert "exists: expected a new folder" in again.output


def test_records_are_read_back_and_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    records = [b"one", b"", b"three" * 1000]
    for name in ("plain", "packed.gz"):
        path = _file(tmp_path, records, name)
        first = Path(path).read_bytes()
        assert list(tfrecord.read_records(path)) == records
        assert Path(_file(tmp_path, records, name)).read_bytes() == first


def test_tensorflow_reads_what_was_written(tmp_path: Path) -> None:
    import tensorflow as tf

    path = _file(tmp_path, [b"one", b"", b"three" * 1000])
    read = [record.numpy() for record in tf.data.TFRecordDataset(path, compression_type="GZIP")]
    assert read == [b"one", b"", b"three" * 1000]
