"""The judged records as two attacks of one measurement scored them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfx_privacy.evaluation.record_risk import score_column
from tfx_privacy.evaluation.shared_records import MOST_ROWS, judged_batches, rows_of
from tfx_privacy.metrics.change import SharedRows
from tfx_privacy.metrics.counts import ScoreEdges
from tfx_privacy.metrics.edges import bin_scores
from tfx_privacy.signals.identity import hash_fractions
from tfx_privacy.signals.table import ids_from_arrow

# The rows that are kept must not be those that a measurement's own hashes have chosen.
_SALT = "paired"


def read_paired_attacks(
    record_risk_dir: str,
    current: str,
    baseline: str,
    edges: Mapping[str, ScoreEdges],
    most_rows: int = MOST_ROWS,
) -> SharedRows:
    """Reads the bins of two attacks' scores, row by row, in bounded memory.

    Of a larger table those rows are kept whose hash of the id lies below a share that
    leaves about `most_rows`.

    Args:
      record_risk_dir: The directory of the record-risk table.
      current: The attack that a difference is of.
      baseline: The attack that it is counted from.
      edges: Where scores are cut, by attack; both are among them.
      most_rows: How many rows to keep, about.

    Raises:
      InputError: If the table cannot be read, or has not the scores of both.
    """
    share = min(1.0, most_rows / max(rows_of(record_risk_dir), 1))
    member = [np.empty(0, np.bool_)]
    bins = {name: [np.empty(0, np.int64)] for name in (current, baseline)}
    for rows in judged_batches(record_risk_dir, (current, baseline)):
        ids = ids_from_arrow(rows["id"].combine_chunks())
        kept = hash_fractions(ids, 0, _SALT) < share
        member.append(rows["member"].to_numpy()[kept])
        for name, parts in bins.items():
            scores = rows[score_column(name)].to_numpy()[kept]
            parts.append(bin_scores(scores, edges[name]))
    is_member = np.concatenate(member)
    return SharedRows(
        current_bins=np.concatenate(bins[current]),
        current_member=is_member,
        baseline_bins=np.concatenate(bins[baseline]),
        baseline_member=is_member,
        weight=1.0 / share,
    )
