"""The exact path, on record-risk tables written by hand."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_privacy.attacks.entropy import Entropy
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.evaluation import exact
from tfx_privacy.evaluation.exact import exact_values_of_attacks

ATTACKS = (LossThreshold(), Entropy())


def _write(folder: Path, bucket: int, rows: list[tuple[bool, str, float, float]]) -> None:
    member, part, loss, entropy = (list(column) for column in zip(*rows, strict=True))
    table = {
        "member": member,
        "part": part,
        "score:loss_threshold": loss,
        "score:entropy": entropy,
    }
    pq.write_table(pa.table(table), folder / f"record_risk-{bucket:05d}.parquet")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    _write(
        tmp_path,
        0,
        [
            (True, "JUDGE", 3.0, 0.0),
            (False, "JUDGE", 1.0, 0.0),
            (True, "FIT", -9.0, 5.0),
        ],
    )
    _write(tmp_path, 7, [(True, "JUDGE", 1.0, 0.0), (False, "JUDGE", 0.0, 1.0)])
    return tmp_path


def test_by_hand(table: Path) -> None:
    """Members 3 and 1, others 1 and 0: of four pairs three are right and one is a tie."""
    found = exact_values_of_attacks(str(table), ATTACKS)
    values = found["loss_threshold"]
    assert (values.auc, values.max_advantage, values.max_ppv) == (3.5 / 4, 0.5, 1.0)
    assert (values.rows.members, values.rows.nonmembers) == (2, 2)
    # Members 0 and 0, others 0 and 1: two ties, two wrong; who calls 0 a member gains .5.
    values = found["entropy"]
    assert (values.auc, values.max_advantage, values.max_ppv) == (0.25, 0.5, 0.5)


def test_nothing_where_too_many_rows_are_judged(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "MOST_ROWS", 4)
    assert exact_values_of_attacks(str(table), ATTACKS)
    monkeypatch.setattr(exact, "MOST_ROWS", 3)
    assert exact_values_of_attacks(str(table), ATTACKS) == {}


def test_nothing_where_a_side_is_missing(tmp_path: Path) -> None:
    assert exact_values_of_attacks(str(tmp_path / "none"), ATTACKS) == {}
    _write(tmp_path, 0, [(True, "JUDGE", 3.0, 0.0), (False, "FIT", 1.0, 0.0)])
    assert exact_values_of_attacks(str(tmp_path), ATTACKS) == {}
