"""The exact path: values from the scores themselves, for comparison with other tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.evaluation.record_risk import FILE_PATTERN, score_column
from tfx_privacy.metrics.exact import exact_values
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.files import join, names_in, open_to_read
from tfx_privacy.signals.partition import Role

# More judged rows than these are not read back.
MOST_ROWS = 1_000_000


def exact_values_of_attacks(
    record_risk_dir: str, attacks: Sequence[Attack]
) -> Mapping[str, results_pb2.ExactValues]:
    """Values of each attack from its scores of the JUDGE rows, in the record-risk table.

    One attack's scores are in memory at a time.

    Args:
      record_risk_dir: Where the table is.
      attacks: Those that scored.

    Returns:
      By attack; nothing where more than 1,000,000 rows are judged, or none of a side.
    """
    names = [name for name in names_in(record_risk_dir) if fnmatchcase(name, FILE_PATTERN)]
    paths = [join(record_risk_dir, name) for name in names]
    member = _judged(paths, "member").astype(np.bool_)
    members = int(member.sum())
    if len(member) > MOST_ROWS or members in (0, len(member)):
        return {}
    found = {}
    for attack in attacks:
        scores = _judged(paths, score_column(attack.name)).astype(np.float64, copy=False)
        values = exact_values(scores, member)
        found[attack.name] = results_pb2.ExactValues(
            auc=values.auc,
            max_advantage=values.max_advantage,
            max_ppv=values.ppv,
            rows=results_pb2.SideCounts(members=values.members, nonmembers=values.nonmembers),
        )
    return found


def _judged(paths: Sequence[str], column: str) -> NDArray[np.generic]:
    """A column of the JUDGE rows, in the order of files and of rows in them."""
    parts = [rows for path in paths for rows in _judged_of_file(path, column)]
    return np.concatenate(parts) if parts else np.empty(0)


def _judged_of_file(path: str, column: str) -> Iterator[NDArray[np.generic]]:
    with open_to_read(path) as stream:
        for batch in pq.ParquetFile(stream).iter_batches(columns=["part", column]):
            judged = pc.equal(batch.column("part"), Role.JUDGE.name)
            values = batch.column(column).filter(judged)
            yield values.to_numpy(zero_copy_only=False)
