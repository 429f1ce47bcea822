"""The halves of a pair as files. Which record is inside is `membership`'s word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from tfx_privacy.reference_models.membership import inside
from tfx_privacy.reference_models.subset_records import RecordsSource
from tfx_privacy.reference_models.subsets import view, write_pair
from tfx_privacy.signals import identity, tfrecord
from tfx_privacy.signals.decode import decode
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.id_set import IdSet


def records_of(folder: Path) -> list[bytes]:
    return [
        record for path in sorted(folder.iterdir()) for record in tfrecord.read_records(str(path))
    ]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write(run: Any, folder: Path, pair: int = 1, **settings: object):
    config = run.resolved(**settings)
    return write_pair(beam.Pipeline, run.splits, config, pair, RecordsSource(None), str(folder))


def test_halves_are_complements_in_the_order_of_the_pool(run: Any, rows: list[bytes]):
    written = write(run, run.folder / "pair", seed=3)
    columns = decode(rows, "rows")
    ids = identity.content_ids(columns.features, len(rows))
    is_first = inside(ids, 3, 4)[:, 2]
    # Splits come in the order they are given: these are all rows in their order.
    first = [row for row, is_in in zip(rows, is_first, strict=True) if is_in]
    second = [row for row, is_in in zip(rows, is_first, strict=True) if not is_in]

    assert records_of(run.folder / "pair" / "half-0") == first
    assert records_of(run.folder / "pair" / "half-1") == second
    assert written.first == IdSet.of(ids[is_first])
    assert written.second == IdSet.of(ids[~is_first])
    assert written.size == sum(map(len, bytes_of(run.folder / "pair").values()))


def test_each_file_of_the_pool_becomes_one_of_each_half(run: Any):
    write(run, run.folder / "pair")

    assert sorted(bytes_of(run.folder / "pair")) == [
        f"half-{half}/data_tfrecord-0000{number}-of-00003.gz"
        for half in (0, 1)
        for number in (0, 1, 2)
    ]


def test_the_same_data_make_the_same_bytes(run: Any):
    for name in ("one", "two"):
        write(run, run.folder / name)

    assert bytes_of(run.folder / "one") == bytes_of(run.folder / "two")


def test_files_that_are_not_packed_make_files_that_are_not(run: Any, rows: list[bytes]):
    split = run.write_split("plain", [rows], suffix="")

    write_pair(
        beam.Pipeline, [split], run.resolved(), 0, RecordsSource(None), str(run.folder / "pair")
    )

    content = bytes_of(run.folder / "pair")
    assert sorted(content) == [
        "half-0/data_tfrecord-00000-of-00001",
        "half-1/data_tfrecord-00000-of-00001",
    ]
    both = [*records_of(run.folder / "pair/half-0"), *records_of(run.folder / "pair/half-1")]
    assert sorted(both) == sorted(rows)


def test_rows_of_a_unit_stay_together(run: Any):
    write(run, run.folder / "pair", identity={"unit_feature": "person"})

    persons = [
        {person[0] for person in decode(records_of(half), half.name).features["person"].to_pylist()}
        for half in (run.folder / "pair/half-0", run.folder / "pair/half-1")
    ]
    assert not persons[0] & persons[1]
    assert len(persons[0]) + len(persons[1]) == 60


def test_a_key_feature_decides_alone(run: Any, rows: list[bytes]):
    written = write(run, run.folder / "pair", pair=0, identity={"key_feature": "row"})
    ids = identity.value_ids(decode(rows, "rows").features["row"])

    assert written.first == IdSet.of(ids[inside(ids, 0, 2)[:, 0]])


def test_a_row_without_a_key_is_an_error(run: Any):
    with pytest.raises(InputError, match="100 of 100 examples read together have no key feature"):
        write(run, run.folder / "pair", identity={"key_feature": "nothing"})


@pytest.mark.parametrize("first", [0, 1])
def test_a_view_has_no_copies(run: Any, first: int):
    write(run, run.folder / "pair")
    view(str(run.folder / "pair"), first, str(run.folder / "view"))

    name = "data_tfrecord-00001-of-00003.gz"
    for split, half in (("Split-train", first), ("Split-eval", 1 - first)):
        here, there = run.folder / "view" / split / name, run.folder / f"pair/half-{half}" / name
        assert here.samefile(there)
