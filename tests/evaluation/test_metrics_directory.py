"""A directory of metrics comes back whole, or is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_privacy.evaluation.message_files import message_from_json, message_to_json
from tfx_privacy.evaluation.metrics_directory import (
    BINARY_FILE,
    CONTROLS_FILE,
    COUNTS_FILE,
    SLICES_FILE,
    read_metrics,
    write_metrics,
)
from tfx_privacy.evaluation.summary import summary_properties
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import read_bytes

Measured = Callable[[str], Path]


@pytest.fixture
def copied(measured: Measured, tmp_path: Path) -> Path:
    write_metrics(read_metrics(str(measured("small"))), str(tmp_path))
    return tmp_path


def test_what_is_written_again_is_the_same(measured: Measured, copied: Path) -> None:
    for name in (BINARY_FILE, "metrics.json", SLICES_FILE, CONTROLS_FILE):
        assert read_bytes(str(copied / name)) == read_bytes(str(measured("small") / name))


@pytest.mark.parametrize("name", [SLICES_FILE, CONTROLS_FILE])
def test_no_part_of_the_evidence_may_be_missing(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(InputError, match=f"cannot read .*{name}"):
        read_metrics(str(copied))


@pytest.mark.parametrize("bins", [1 << 50, -1, 0])
def test_counts_are_in_the_bins_between_the_edges(copied: Path, bins: int) -> None:
    """A number that would take a petabyte is refused before room is made for it."""
    path = copied / COUNTS_FILE
    table = pq.read_table(path)
    columns = {"bins": pa.array([bins] * len(table))}
    for name in ("occupied", "members", "nonmembers"):
        field = table.schema.field(name)
        columns[name] = pa.array([[]] * len(table), field.type)
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), column)
    pq.write_table(table, path)
    with pytest.raises(InputError, match=f"counts.parquet has {bins} bins in the row of"):
        read_metrics(str(copied))


def test_metrics_of_an_earlier_version_are_refused_with_what_to_do(copied: Path) -> None:
    results = read_metrics(str(copied)).results
    results.schema_version = 1
    (copied / BINARY_FILE).write_bytes(results.SerializeToString())
    with pytest.raises(InputError, match=r"schema version 1; expected 5.*Measure the model again"):
        read_metrics(str(copied))


def test_infinite_numbers_survive_json() -> None:
    """An epsilon has no upper bound."""
    results = results_pb2.PrivacyResults(schema_version=5)
    best = results.best_of_attacks.add()
    best.metric.name = "epsilon"
    best.value.estimate = best.value.lower = 0.4
    best.value.upper = math.inf
    results.controls.power.add(smallest_found=math.inf, power=0.8)
    text = message_to_json(results)
    assert message_from_json(text, results_pb2.PrivacyResults, "a test") == results
    assert '"upper": "Infinity"' in text


def test_a_summary_has_no_infinite_number(measured: Measured) -> None:
    results = read_metrics(str(measured("small"))).results
    assert any(math.isinf(one.value.upper) for one in results.best_of_attacks)
    properties = summary_properties(results)
    assert {"auc", "auc_lower", "auc_upper"} <= set(properties)
    numbers = [value for value in properties.values() if isinstance(value, float)]
    assert all(map(math.isfinite, numbers))
    epsilon = {name for name in properties if name.startswith("epsilon")}
    assert len(epsilon) == 2
    assert not any(name.endswith("_upper") for name in epsilon)
