"""Input columns of a few examples, by hand."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import word_hashes
from tfx_privacy.signals.inputs import choose_inputs, input_columns

FLOATS = pa.large_list(pa.float32())
INTEGERS = pa.large_list(pa.int64())
WORDS = pa.large_list(pa.large_binary())


def digest(word: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(word, digest_size=16).digest()[:8], "little")


def test_numbers_stay_and_words_are_hashed_and_what_is_missing_is_empty():
    features = {
        "height": pa.array([[1.5], None, []], FLOATS),
        "age": pa.array([[30, -1], [7], None], INTEGERS),
        "city": pa.array([[b"Zug", b""], None, [b"Zug"]], WORDS),
        "other": pa.array([[1], [2], [3]], INTEGERS),
    }
    wanted = (("age", "number"), ("city", "word"), ("height", "number"), ("shoe", "number"))

    columns = input_columns(features, 3, wanted, "split 'train'")

    assert {name: column.to_pylist() for name, column in columns.items()} == {
        "height": [[1.5], [], []],
        "age": [[30.0, -1.0], [7.0], []],
        "city": [[digest(b"Zug"), digest(b"")], [], [digest(b"Zug")]],
        "shoe": [[], [], []],
    }
    assert columns["age"].type == columns["shoe"].type == pa.list_(pa.float32())
    assert columns["city"].type == pa.list_(pa.uint64())
    assert all(column.null_count == 0 for column in columns.values())


def test_whole_numbers_beyond_2_to_the_24_lose_digits():
    column = pa.array([[2**24], [2**24 + 1], [2**24 + 2]], INTEGERS)

    (found,) = input_columns({"n": column}, 3, [("n", "number")], "here").values()

    # Ties go to the even neighbour, as IEEE 754 has it.
    assert found.to_pylist() == [[2**24], [2**24], [2**24 + 2]]


def test_a_word_is_hashed_once_however_often_it_occurs(monkeypatch: pytest.MonkeyPatch):
    calls = []
    blake2b = hashlib.blake2b

    def counted(*arguments, **options):
        calls.append(arguments)
        return blake2b(*arguments, **options)

    monkeypatch.setattr(hashlib, "blake2b", counted)

    hashes = word_hashes(pa.array([b"a", b"b", b"a"] * 100, pa.large_binary()))

    assert len(calls) == 2
    assert hashes.tolist() == [digest(b"a"), digest(b"b"), digest(b"a")] * 100


def chosen(**spec: list[str]) -> tuple[tuple[str, str], ...]:
    samples = {
        "split 'train'": {
            "y": pa.array([[1]], INTEGERS),
            "b": pa.array([[1]], INTEGERS),
            "a": pa.array([[b"x"]], WORDS),
        },
        "split 'eval'": {"b": pa.array([[0.5]], FLOATS), "c": pa.array([[0.5]], FLOATS)},
    }
    return choose_inputs(config_pb2.InputSpec(**spec), samples, {"y"})


def test_every_feature_is_an_input_but_some():
    assert chosen() == (("a", "word"), ("b", "number"), ("c", "number"))
    assert chosen(excluded_feature_keys=["b", "z"]) == (("a", "word"), ("c", "number"))


def test_features_that_are_named_are_the_inputs():
    assert chosen(feature_keys=["y", "c"]) == (("c", "number"), ("y", "number"))


def test_a_named_feature_that_no_example_has_is_an_error_that_lists_those_found():
    message = r"names 'z', which is in none .* 'train', split 'eval'\. Features found: a, b, c, y"
    with pytest.raises(InputError, match=message):
        chosen(feature_keys=["a", "z"])


def test_numbers_here_and_strings_there_are_an_error():
    samples = {
        "split 'train'": {"a": pa.array([[1]], INTEGERS)},
        "split 'eval'": {"a": pa.array([[b"1"]], WORDS)},
    }
    message = r"split 'eval': feature 'a' holds strings: expected numbers.*excluded_feature_keys"
    with pytest.raises(InputError, match=message):
        choose_inputs(config_pb2.InputSpec(), samples, ())
    without = config_pb2.InputSpec(excluded_feature_keys=["a"])
    assert choose_inputs(without, samples, ()) == ()

    with pytest.raises(InputError, match="rows 0-5: feature 'a' holds numbers: expected strings"):
        input_columns(samples["split 'train'"], 1, [("a", "word")], "rows 0-5")


def test_a_long_string_is_kept_as_eight_bytes():
    image = np.random.default_rng(0).bytes(100_000)
    column = pa.array([[image], [image[:-1]]], WORDS)

    (found,) = input_columns({"image": column}, 2, [("image", "word")], "here").values()

    assert found.to_pylist() == [[digest(image)], [digest(image[:-1])]]
    assert found.nbytes <= 2 * 8 + 3 * 4
