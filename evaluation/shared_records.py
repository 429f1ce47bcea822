"""The judged records that two measurements share, from their record-risk tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent
from tfx_privacy.evaluation.record_risk import (
    FILE_PATTERN,
    record_risk_schema,
    score_column,
)
from tfx_privacy.metrics.change import SharedRows
from tfx_privacy.metrics.counts import WHOLE, ScoreCounts, ScoreEdges
from tfx_privacy.metrics.edges import bin_scores, count_bins
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import join, names_in, open_to_read
from tfx_privacy.signals.identity import Ids, hash_fractions
from tfx_privacy.signals.table import ids_from_arrow

# Rows of each table that are kept, about: half of them a side where sides are equal.
MOST_ROWS = 1_000_000
_BATCH_ROWS = 65_536
# A worker that tries again may round a network's scores otherwise; another model's scores are
# elsewhere by far more.
_MOST_ELSEWHERE = 0.01
# The rows that are kept must not be those that a measurement's own hashes have chosen.
_SALT = "shared"


@dataclasses.dataclass(frozen=True)
class SharedRecords:
    """What two measurements have in common.

    Attributes:
      rows: By attack that both have scores of.
      members: How many records both judged as members; estimated where there are more
        than are kept.
      nonmembers: The same of non-members.
    """

    rows: Mapping[str, SharedRows]
    members: int
    nonmembers: int


@dataclasses.dataclass(frozen=True)
class _Judged:
    """The judged rows of one table that were kept, [k] each."""

    ids: Ids
    member: NDArray[np.bool_]
    bins: Mapping[str, NDArray[np.int16]]


def read_shared_records(
    current: PrivacyMetricsContent,
    current_record_risk: str,
    baseline: PrivacyMetricsContent,
    baseline_record_risk: str,
    most_rows: int = MOST_ROWS,
) -> SharedRecords:
    """Reads the rows that both measurements judged, in bounded memory.

    Tables of any size are read some rows at a time, and of their rows those kept whose
    hash of the id lies below a share that leaves `most_rows` of the larger table.

    Args:
      current: The measurement at hand.
      current_record_risk: The directory of its record-risk table.
      baseline: The measurement that a change is counted from.
      baseline_record_risk: The directory of its table.
      most_rows: How many rows to keep, about.

    Raises:
      InputError: If their ids do not relate, or a table cannot be read or is not that
        of its measurement.
    """
    why = why_not_paired(current.results, baseline.results)
    if why is not None:
        raise InputError(
            f"record risk at {current_record_risk} and at {baseline_record_risk} cannot be "
            f"paired: {why}"
        )
    rows = max(rows_of(current_record_risk), rows_of(baseline_record_risk))
    share = min(1.0, most_rows / max(rows, 1))
    attacks = [name for name in current.evidence.edges if name in baseline.evidence.edges]
    ours = _read_judged(current_record_risk, current, attacks, share)
    theirs = _read_judged(baseline_record_risk, baseline, attacks, share)
    in_ours, in_theirs = _same_ids(ours.ids, theirs.ids)
    current_member, baseline_member = ours.member[in_ours], theirs.member[in_theirs]
    return SharedRecords(
        rows={
            attack: SharedRows(
                current_bins=ours.bins[attack][in_ours].astype(np.int64),
                current_member=current_member,
                baseline_bins=theirs.bins[attack][in_theirs].astype(np.int64),
                baseline_member=baseline_member,
                weight=1.0 / share,
            )
            for attack in attacks
        },
        members=round(float((current_member & baseline_member).sum()) / share),
        nonmembers=round(float((~current_member & ~baseline_member).sum()) / share),
    )


def why_not_paired(
    current: results_pb2.PrivacyResults, baseline: results_pb2.PrivacyResults
) -> str | None:
    """Why the ids of two measurements say nothing of each other; None where they do."""
    ours, theirs = current.model.identity, baseline.model.identity
    if ours != theirs:
        return (
            f"the ids of the one are by {ours or 'nothing known'}, those of the other by {theirs}"
        )
    if not (current.records.duplicates_checked and baseline.records.duplicates_checked):
        return (
            "their ids are row numbers, and the same number is not the same record; expected ids "
            "by content or by a key (of saved predictions: a column `id`)"
        )
    return None


def _paths(directory: str) -> list[str]:
    found = [name for name in names_in(directory) if fnmatchcase(name, FILE_PATTERN)]
    if not found:
        raise InputError(
            f"{directory} holds no record risk: expected files {FILE_PATTERN} in it, as "
            "PrivacyEvaluator, `tfx-privacy evaluate` and `tfx-privacy measure` write them"
        )
    return [join(directory, name) for name in found]


def rows_of(directory: str) -> int:
    """How many rows a table has, by what its files say of themselves."""
    rows = 0
    for path in _paths(directory):
        with open_to_read(path) as stream:
            rows += _open(stream, path).metadata.num_rows
    return rows


def _read_judged(
    directory: str, measured: PrivacyMetricsContent, attacks: Sequence[str], share: float
) -> _Judged:
    edges = measured.evidence.edges
    members = nonmembers = 0
    ids, member = [np.empty((0, 2), np.uint64)], [np.empty(0, np.bool_)]
    bins = {attack: [np.empty(0, np.int16)] for attack in attacks}
    counted: dict[str, ScoreCounts] = {}
    for rows in judged_batches(directory, attacks):
        batch_ids = ids_from_arrow(_one_array(rows["id"]))
        chosen = hash_fractions(batch_ids, 0, _SALT) < share
        is_member = rows["member"].to_numpy()
        members += int(is_member.sum())
        nonmembers += int((~is_member).sum())
        ids.append(batch_ids[chosen])
        member.append(is_member[chosen])
        for attack in attacks:
            in_bins = _bins(rows[score_column(attack)].to_numpy(), edges[attack], directory)
            bins[attack].append(in_bins[chosen].astype(np.int16))
            counts = count_bins(in_bins, is_member, edges[attack].bins)
            counted[attack] = counted[attack] + counts if attack in counted else counts
    expected = measured.results.records.judge
    if (members, nonmembers) != (expected.members, expected.nonmembers):
        raise InputError(
            f"the record risk at {directory} has {members} judged members and {nonmembers} "
            f"non-members; expected {expected.members} and {expected.nonmembers}: it is not that "
            "of these metrics"
        )
    for attack, found in counted.items():
        _require_counts(directory, attack, found, measured)
    if _has_repeated(np.concatenate(ids)):
        raise InputError(
            f"the record risk at {directory} has an id twice among the judged rows; expected each "
            "record once"
        )
    return _Judged(
        ids=np.concatenate(ids),
        member=np.concatenate(member),
        bins={attack: np.concatenate(parts) for attack, parts in bins.items()},
    )


def _bins(scores: NDArray[np.float64], edges: ScoreEdges, directory: str) -> NDArray[np.int64]:
    try:
        return bin_scores(scores, edges)
    except ValueError as error:
        raise InputError(f"the record risk at {directory}: {error}") from error


def _require_counts(
    directory: str, attack: str, found: ScoreCounts, measured: PrivacyMetricsContent
) -> None:
    """Refuses the scores of another model on the same rows, of which there are as many."""
    expected = measured.evidence.counts.get((attack, WHOLE))
    if expected is None:
        return
    elsewhere = (
        np.abs(found.members - expected.members).sum()
        + np.abs(found.nonmembers - expected.nonmembers).sum()
    ) / 2
    if elsewhere <= _MOST_ELSEWHERE * (found.n_members + found.n_nonmembers):
        return
    raise InputError(
        f"the record risk at {directory} has other scores of '{attack}' than were counted; "
        "expected those of the judged rows: it is not that of these metrics"
    )


def judged_batches(directory: str, attacks: Sequence[str]) -> Iterator[pa.Table]:
    """The judged rows of a record-risk table, some at a time: id, member, and these scores.

    Raises:
      InputError: If it cannot be read, or lacks something.
    """
    columns = ["id", "member", "part", *map(score_column, attacks)]
    for path in _paths(directory):
        with open_to_read(path) as stream:
            file = _open(stream, path)
            missing = sorted(set(columns) - set(file.schema_arrow.names))
            if missing:
                raise InputError(
                    f"{path} has columns {file.schema_arrow.names}; expected {missing} too: it is "
                    "not the record risk of these metrics"
                )
            written = record_risk_schema(attacks, has_risk=False)
            schema = pa.schema([written.field(name).with_nullable(True) for name in columns])
            try:
                for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                    rows = pa.Table.from_batches([batch]).select(columns).cast(schema)
                    if any(column.null_count for column in rows.columns):
                        raise InputError(
                            f"{path} has rows without a value; expected one in each column"
                        )
                    yield rows.filter(pc.equal(rows["part"], "JUDGE"))
            except (OSError, pa.ArrowException) as error:
                raise InputError(f"cannot read {path}: {error}") from error


def _open(stream: object, path: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(stream)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is not a Parquet file: {error}") from error


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _has_repeated(ids: Ids) -> bool:
    ordered = ids[np.lexsort((ids[:, 1], ids[:, 0]))]
    return bool((ordered[1:] == ordered[:-1]).all(axis=1).any())


def _same_ids(ours: Ids, theirs: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the ids stand that are in both; an id occurs once in each."""
    ids = np.concatenate((ours, theirs))
    order = np.lexsort((ids[:, 1], ids[:, 0]))
    # Sorting is stable: of two that are equal, ours comes first.
    same = np.flatnonzero((ids[order[1:]] == ids[order[:-1]]).all(axis=1))
    return order[same], order[same + 1] - len(ours)
