"""Reference signals beside a table: written in parts, read with the rows of a bucket, removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import table_reader
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import names_in
from tfx_privacy.signals.identity import row_ids
from tfx_privacy.signals.reference_files import write_references
from tfx_privacy.signals.reference_signals import ReferenceLayout, ReferenceSignals
from tfx_privacy.signals.table import (
    IdentityDescription,
    TableDescription,
    TableLayout,
    arrow_schema,
    from_table,
    to_record_batch,
)
from tfx_privacy.signals.table_reader import read_bucket, read_description
from tfx_privacy.signals.table_writer import (
    TableWriter,
    add_references,
    commit,
    remove_rows,
    remove_table,
)

_LAYOUT = TableLayout(
    task=config_pb2.REGRESSION,
    output_kind=config_pb2.REGRESSION_VALUE,
    output_width=1,
    logits_source="",
    label_vocabulary=(),
    label_width=1,
    slice_features=(),
    input_features=(),
    has_label=False,
    has_logits=False,
    has_loss=True,
    has_units=False,
    has_weight=False,
)
_BUCKETS = 2


def _references(loss: np.ndarray, layout: ReferenceLayout) -> ReferenceSignals:
    """Numbers that say which row, model and query they are of."""
    row, model = loss[:, None], np.arange(layout.models)
    references = ReferenceSignals(
        inside=(row + model) % 2 == 0, loss=(row + model / 100).astype(np.float32)
    )
    if not layout.has_logits:
        return references
    query = np.arange(layout.queries)
    logit = row[:, :, None] + model[:, None] / 100 + query / 10
    return ReferenceSignals(
        references.inside,
        references.loss,
        logit.astype(np.float32),
        (-row - query / 10).astype(np.float32),
    )


def _table(folder: Path, layout: ReferenceLayout, rows: int = 50) -> TableDescription:
    """A table of several files a bucket, and what models said of each row, in parts of 7."""
    signals = Signals(
        task=config_pb2.REGRESSION,
        ids=row_ids(0, rows, is_member=True),
        member=np.arange(rows) % 2 == 0,
        loss=np.arange(rows, dtype=np.float32),
    )
    written = []
    for part in np.array_split(np.arange(rows), 3):
        writer = TableWriter(str(folder), _LAYOUT, _BUCKETS)
        writer.append(signals.take(part), "train")
        written.append(writer.finish())
    identity = IdentityDescription("row", checks_duplicates=False)
    table = commit(str(folder), _LAYOUT, identity, _BUCKETS, written)
    for bucket in range(_BUCKETS):
        loss = np.concatenate([part.loss for part in read_bucket(str(folder), table, bucket)])
        parts = [_references(loss[start : start + 7], layout) for start in range(0, len(loss), 7)]
        write_references(str(folder), bucket, layout, parts)
    return add_references(str(folder), table, layout)


@pytest.mark.parametrize(
    "layout",
    [ReferenceLayout(4, 1, True), ReferenceLayout(2, 3, True), ReferenceLayout(4, 1, False)],
)
@pytest.mark.parametrize("batch_rows", [1, 5, 1_000])
def test_each_row_is_read_with_its_own(
    tmp_path: Path, layout: ReferenceLayout, batch_rows: int
) -> None:
    folder = str(tmp_path)
    _table(tmp_path, layout)
    table = read_description(folder)
    assert table.references == layout

    rows = 0
    for bucket in range(_BUCKETS):
        for part in read_bucket(folder, table, bucket, ("loss", "references"), batch_rows):
            assert len(part) <= batch_rows
            expected = _references(part.loss, layout)
            assert part.references.layout == layout
            assert part.references.inside.tolist() == expected.inside.tolist()
            assert part.references.loss.tolist() == expected.loss.tolist()
            if layout.has_logits:
                assert part.references.logit.tolist() == expected.logit.tolist()
                assert part.references.target_logit.tolist() == expected.target_logit.tolist()
            else:
                assert part.references.logit is None
                assert part.references.target_logit is None
            rows += len(part)
    assert rows == 50


def test_they_are_read_where_they_are_asked_for_alone(tmp_path: Path) -> None:
    table = _table(tmp_path, ReferenceLayout(4, 1, True))
    for columns in (None, ("loss",)):
        for part in read_bucket(str(tmp_path), table, 0, columns):
            assert part.references is None


def test_wide_ones_come_in_smaller_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = _table(tmp_path, ReferenceLayout(4, 1, True))
    # A row takes 4 * 5 + 5 * 4 = 40 bytes.
    monkeypatch.setattr(table_reader, "_BATCH_BYTES", 400)
    sizes = [len(part) for part in read_bucket(str(tmp_path), table, 0, ("references",))]
    assert max(sizes) == 10


def test_a_sample_carries_them(tmp_path: Path) -> None:
    table = _table(tmp_path, ReferenceLayout(2, 3, True))
    (rows,) = read_bucket(str(tmp_path), table, 1, ("loss", "references"))
    schema = arrow_schema(table)
    read = from_table(pa.Table.from_batches([to_record_batch(rows, "", schema)]), table)
    for name in ("inside", "loss", "logit", "target_logit"):
        assert getattr(read.references, name).tolist() == getattr(rows.references, name).tolist()


def test_a_bucket_whose_rows_are_more_is_refused(tmp_path: Path) -> None:
    layout = ReferenceLayout(2, 1, False)
    table = _table(tmp_path, layout)
    write_references(str(tmp_path), 1, layout, [_references(np.arange(3.0), layout)])
    with pytest.raises(InputError, match=r"references-00001\.parquet' .* rows too few"):
        list(read_bucket(str(tmp_path), table, 1, ("references",)))
    (tmp_path / "references-00001.parquet").unlink()
    with pytest.raises(InputError, match=r"cannot read .*references-00001\.parquet"):
        list(read_bucket(str(tmp_path), table, 1, ("references",)))


@pytest.mark.parametrize("remove", [remove_rows, remove_table])
def test_they_are_removed_with_the_rows(tmp_path: Path, remove) -> None:
    _table(tmp_path, ReferenceLayout(2, 1, False))
    assert "references-00000.parquet" in names_in(str(tmp_path))
    remove(str(tmp_path))
    assert names_in(str(tmp_path)) == (["table.json"] if remove is remove_rows else [])


def test_a_table_written_anew_has_none(tmp_path: Path) -> None:
    _table(tmp_path, ReferenceLayout(2, 1, False))
    writer = TableWriter(str(tmp_path), _LAYOUT, 1)
    identity = IdentityDescription("row", checks_duplicates=False)
    table = commit(str(tmp_path), _LAYOUT, identity, 1, [writer.finish()])
    assert table.references is None
    assert names_in(str(tmp_path)) == ["table.json"]
