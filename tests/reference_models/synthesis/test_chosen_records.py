from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.reference_models.synthesis.chosen_records import ChosenRecords
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit
from tfx_privacy.signals.tfrecord import write_records


@pytest.fixture(scope="module")
def records(schema, config_of):
    from tfx_privacy.reference_models.synthesis.records import RecordFormat

    record_format = RecordFormat.of_schema(schema, config_of("model_based {}"))
    rows = record_format.features.draw(6_000, np.random.default_rng(5))
    return record_format.encode(rows, np.zeros(6_000, np.int64))


def split_of(path, *parts):
    for number, part in enumerate(parts):
        write_records(str(path / f"part-{number}.gz"), part)
    return ExampleSplit("eval", False, (str(path / "part-*"),))


def read(chosen):
    return [record for batch, _ in chosen.batches() for record in batch]


def test_the_choice_is_of_content_not_of_place(tmp_path, records):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = split_of(tmp_path / "one", records)
    two = split_of(tmp_path / "two", records[4_000:], records[:4_000][::-1])
    found, again = (ChosenRecords.choose([split], 700, seed=1) for split in (one, two))
    assert len(found) == len(again) == 700
    assert found.total == 6_000
    assert sorted(read(found)) == sorted(read(again))
    other = ChosenRecords.choose([one], 700, seed=2)
    # 700 of 6,000 twice by chance: some 82 in common.
    assert 40 < len(set(read(found)) & set(read(other))) < 130


def test_all_of_few(tmp_path, records):
    chosen = ChosenRecords.choose([split_of(tmp_path, records[:50])], 700, seed=1)
    assert read(chosen) == records[:50]
    (columns, where), *_ = chosen.decoded()
    assert columns.rows == 50
    assert where.startswith("split 'eval', records 0 to 49 of ")


def test_no_record(tmp_path):
    with pytest.raises(InputError, match=r"split 'eval' holds no record to make synthetic ones of"):
        ChosenRecords.choose([split_of(tmp_path, [])], 700, seed=1)
