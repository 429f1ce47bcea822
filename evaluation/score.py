"""The second job: score the rows bucket by bucket, and count."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import cast

import apache_beam as beam
import numpy as np
from apache_beam.utils.shared import Shared
from numpy.typing import NDArray

from tfx_privacy.evaluation.evidence_files import (
    read_counts,
    read_slice_rows,
    write_counts,
    write_slice_rows,
)
from tfx_privacy.evaluation.record_risk import RecordRiskFile
from tfx_privacy.evaluation.select import bucket_roles
from tfx_privacy.evaluation.slice_plan import SlicePlan
from tfx_privacy.evaluation.suite import FittedSuite
from tfx_privacy.evaluation.tally import Addable, ScoredRows, Tally
from tfx_privacy.metrics.counts import (
    WHOLE,
    ControlRun,
    CountsTable,
    Evidence,
    ScoreCounts,
    ScoreEdges,
    SliceKey,
    SparseCounts,
)
from tfx_privacy.metrics.edges import bin_scores, count_bins, count_scores
from tfx_privacy.metrics.risk_curve import RiskCurve
from tfx_privacy.metrics.slice_totals import (
    SliceTotals,
    count_rows_in_slices,
    count_scores_in_slices,
)
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.files import join, read_bytes, write_bytes_whole, write_text_whole
from tfx_privacy.signals.partition import Role
from tfx_privacy.signals.table import TableDescription
from tfx_privacy.signals.table_reader import read_bucket, read_description

_Totals = dict[tuple[str, Hashable], Addable]

_Bins = Mapping[str, tuple[NDArray[np.int64], int]]

# Stand for a tally where the attacks' own counts are meant: of the whole, by attack ...
_WHOLE = "counts of the whole"
# ... and of all slices together, under one key.
_SLICES = "counts of slices"
_ALL = ""
# What scoring and counting read of the table.
_COLUMNS = ("label", "logits", "loss", "slices")


@dataclasses.dataclass(frozen=True)
class RiskPlan:
    """How a record's risk is computed from its score.

    Attributes:
      attack: The attack whose scores are used.
      curves: By the role of the rows that are scored: the curve that was fitted where
        the attack was, so on rows of the other role or of another model.
    """

    attack: str
    curves: Mapping[Role, RiskCurve]

    def of(self, scores: Mapping[str, NDArray[np.float64]], role: Role) -> NDArray[np.float64]:
        """The risk of scored rows of a role, [n] float64 in (0, 1)."""
        return self.curves[role](scores[self.attack])


@dataclasses.dataclass(frozen=True)
class Scored:
    """What came of the job.

    Attributes:
      evidence: The counts of the JUDGE rows; of the whole for every attack, and of
        every slice measured that has a JUDGE row. The rows of the splits in every slice
        measured. Of the controls the blind baseline's counts, where it ran.
      slices_left_out: The slices of which nothing is in the evidence.
      tallies: By the name of a tally, its totals.
    """

    evidence: Evidence
    slices_left_out: results_pb2.LeftOutSlices
    tallies: Mapping[str, Mapping[Hashable, Addable]]


@dataclasses.dataclass(frozen=True)
class ScorePlan:
    """What a worker needs to score: paths and small values.

    Attributes:
      table_dir: The signals table.
      record_risk_dir: Where each record's scores go.
      on_fit_path: The suite fitted on FIT rows, which scores JUDGE rows.
      on_judge_path: The suite fitted on JUDGE rows, which scores FIT rows. Both are one
        where attacks are fitted on another model's rows.
      blind_path: The blind baseline, as a suite that is empty where it does not run.
        It scores JUDGE rows.
      seed: The seed of FIT and JUDGE.
      edges: Where each attack's scores are cut.
      blind_edges: Where the blind baseline's are.
      slices: The slices to count.
      risk: How each record's risk is computed; None where it is not.
      tallies: What else is counted of the scored rows.
      wide_columns: What attacks or the blind baseline look at of "inputs" and
        "white_box".
    """

    table_dir: str
    record_risk_dir: str
    on_fit_path: str
    on_judge_path: str
    blind_path: str
    seed: int
    edges: Mapping[str, ScoreEdges]
    blind_edges: Mapping[str, ScoreEdges]
    slices: SlicePlan
    risk: RiskPlan | None
    tallies: tuple[Tally, ...]
    wide_columns: tuple[str, ...]

    @staticmethod
    def prepare(
        *,
        table_dir: str,
        record_risk_dir: str,
        scratch: str,
        seed: int,
        on_fit: FittedSuite,
        on_judge: FittedSuite,
        blind: FittedSuite,
        edges: Mapping[str, ScoreEdges],
        blind_edges: Mapping[str, ScoreEdges],
        slices: SlicePlan,
        wide_columns: tuple[str, ...],
        risk: RiskPlan | None = None,
        tallies: Iterable[Tally] = (),
    ) -> ScorePlan:
        """Leaves the suites where workers can read them."""
        plan = ScorePlan(
            table_dir=table_dir,
            record_risk_dir=record_risk_dir,
            on_fit_path=join(scratch, "attacks_fitted_on_fit.zip"),
            on_judge_path=join(scratch, "attacks_fitted_on_judge.zip"),
            blind_path=join(scratch, "blind_baseline.zip"),
            seed=seed,
            edges=edges,
            blind_edges=blind_edges,
            slices=slices,
            risk=risk,
            tallies=tuple(tallies),
            wide_columns=wide_columns,
        )
        write_bytes_whole(plan.on_fit_path, on_fit.to_bytes())
        write_bytes_whole(plan.on_judge_path, on_judge.to_bytes())
        write_bytes_whole(plan.blind_path, blind.to_bytes())
        return plan


def score(
    plan: ScorePlan,
    table: TableDescription,
    scratch: str,
    new_pipeline: Callable[[], beam.Pipeline],
) -> Scored:
    """Scores every row that is used, in one Beam job over buckets.

    JUDGE rows are counted, by attacks that never saw them, and by the blind baseline.
    FIT rows are scored by attacks fitted on JUDGE rows, for the record-risk table and
    nothing else. What leaves the workers is counts.

    Args:
      plan: What to score, and how.
      table: The description of the signals table.
      scratch: A directory that workers and this machine share.
      new_pipeline: Makes a Beam pipeline on the caller's runner.
    """
    with new_pipeline() as pipeline:
        _ = (
            pipeline
            | "Buckets" >> beam.Create(range(table.buckets))
            | "Score" >> beam.ParDo(_ScoreBucket(plan))
            | "Sum" >> beam.CombinePerKey(_sum)
            | "One" >> beam.combiners.ToList()
            | "Write" >> beam.Map(lambda totals: _write_totals(plan, dict(totals), scratch))
        )
    left_out = json.loads(read_bytes(_left_out_path(scratch)))
    return Scored(
        evidence=_evidence(
            plan, read_counts(_counts_path(scratch)), read_slice_rows(_rows_path(scratch))
        ),
        slices_left_out=results_pb2.LeftOutSlices(**left_out),
        tallies={
            tally.name: tally.from_bytes(read_bytes(_tally_path(scratch, tally)))
            for tally in plan.tallies
        },
    )


def _write_totals(plan: ScorePlan, totals: _Totals, scratch: str) -> None:
    parts: dict[str, dict[Hashable, Addable]] = {}
    for (name, key), total in totals.items():
        parts.setdefault(name, {})[key] = total
    whole = cast("dict[str, ScoreCounts]", parts.get(_WHOLE, {}))
    slices = cast("SliceTotals", parts[_SLICES][_ALL])
    counts = {(attack, WHOLE): SparseCounts.of(counted) for attack, counted in whole.items()}
    write_counts(CountsTable(counts | slices.counts()), _counts_path(scratch))
    write_slice_rows(slices.slice_rows(), _rows_path(scratch))
    left, largest = slices.left_out()
    left_out = {"slices": left, "largest_rows": largest}
    write_text_whole(_left_out_path(scratch), json.dumps(left_out))
    for tally in plan.tallies:
        content = tally.to_bytes(parts.get(tally.name, {}))
        write_bytes_whole(_tally_path(scratch, tally), content)


def _counts_path(scratch: str) -> str:
    return join(scratch, "counts.parquet")


def _rows_path(scratch: str) -> str:
    return join(scratch, "slices.parquet")


def _left_out_path(scratch: str) -> str:
    return join(scratch, "slices_left_out.json")


def _tally_path(scratch: str, tally: Tally) -> str:
    return join(scratch, f"tally_{tally.name}")


def _evidence(
    plan: ScorePlan, counts: CountsTable, slice_rows: Mapping[SliceKey, tuple[int, int]]
) -> Evidence:
    edges = {**plan.edges, **plan.blind_edges}
    # An attack of which no JUDGE row was counted has counts all the same.
    sparse = {(attack, WHOLE): _no_counts(cut) for attack, cut in edges.items()}
    sparse |= {place: counts.sparse(place) for place in counts}
    runs = {
        name: ControlRun({name: cut}, {name: sparse[name, WHOLE].dense()})
        for name, cut in plan.blind_edges.items()
    }
    return Evidence(
        edges=plan.edges,
        counts=CountsTable(
            {place: part for place, part in sparse.items() if place[0] in plan.edges}
        ),
        slice_rows=slice_rows,
        controls=runs,
    )


def _no_counts(edges: ScoreEdges) -> SparseCounts:
    return SparseCounts.of(
        ScoreCounts(np.zeros(edges.bins, np.int64), np.zeros(edges.bins, np.int64))
    )


def _sum(counts: Iterable[Addable]) -> Addable:
    total: Addable | None = None
    for part in counts:
        total = part if total is None else total + part
    if total is None:
        raise ValueError("no counts to add: expected those of at least one bucket")
    return total


class _ScoreBucket(beam.DoFn):
    """Scores a bucket: its counts go on, its record risk into a file."""

    def __init__(self, plan: ScorePlan) -> None:
        self._plan = plan
        # Attacks are loaded once a process and used by all its threads.
        self._shared = {role: Shared() for role in (Role.FIT, Role.JUDGE)}
        self._shared_blind = Shared()

    def setup(self) -> None:
        # Read here and not sent along: it names every file of the table.
        self._table = read_description(self._plan.table_dir)
        paths = {Role.JUDGE: self._plan.on_fit_path, Role.FIT: self._plan.on_judge_path}
        self._suites: dict[Role, FittedSuite] = {
            role: self._shared[role].acquire(_SuiteLoader(path), tag=path)
            for role, path in paths.items()
        }
        path = self._plan.blind_path
        self._blind: FittedSuite = self._shared_blind.acquire(_SuiteLoader(path), tag=path)

    def process(self, bucket: int) -> Iterator[tuple[tuple[str, Hashable], Addable]]:
        plan = self._plan
        roles = bucket_roles(plan.table_dir, self._table, bucket, plan.seed)
        # These can be wide: they are read where somebody looks at them.
        columns = (*_COLUMNS, *plan.wide_columns)
        totals: _Totals = {}
        start = 0
        with RecordRiskFile.open(
            plan.record_risk_dir, bucket, list(plan.edges), has_risk=plan.risk is not None
        ) as risk_file:
            for batch in read_bucket(plan.table_dir, self._table, bucket, columns):
                batch_roles = roles[start : start + len(batch)]
                start += len(batch)
                slices = plan.slices.rows(batch)
                numbers = plan.slices.numbers(slices.keys)
                in_slices = count_rows_in_slices(slices, numbers, batch.member, plan.slices.most)
                _add(totals, _SLICES, [(_ALL, in_slices)])
                for role in self._suites:
                    chosen = batch_roles == role
                    if not chosen.any():
                        continue
                    scored, bins = self._score(batch.take(chosen), role)
                    risk_file.append(scored)
                    for tally in plan.tallies:
                        _add(totals, tally.name, tally.count(scored).items())
                    if role == Role.JUDGE:
                        _add(totals, _WHOLE, self._count_whole(scored, bins).items())
                        counted = count_scores_in_slices(
                            slices.among(chosen),
                            numbers,
                            scored.signals.member,
                            bins,
                            plan.slices.most,
                        )
                        _add(totals, _SLICES, [(_ALL, counted)])
        yield from totals.items()

    def _score(self, rows: Signals, role: Role) -> tuple[ScoredRows, _Bins]:
        """The rows with their scores; by attack their bins, and how many bins there are."""
        plan = self._plan
        scores = self._suites[role].score(rows)
        bins = {name: (bin_scores(scores[name], cut), cut.bins) for name, cut in plan.edges.items()}
        scored = ScoredRows(
            signals=rows,
            role=role,
            scores=scores,
            guesses={
                name: bins[name][0] >= cut.thresholds.member for name, cut in plan.edges.items()
            },
            risk=None if plan.risk is None else plan.risk.of(scores, role),
        )
        return scored, bins

    def _count_whole(self, scored: ScoredRows, bins: _Bins) -> dict[str, ScoreCounts]:
        member = scored.signals.member
        counts = {
            attack: count_bins(of_row, member, n_bins) for attack, (of_row, n_bins) in bins.items()
        }
        for name, blind_scores in self._blind.score(scored.signals).items():
            counts[name] = count_scores(blind_scores, member, self._plan.blind_edges[name])
        return counts


class _SuiteLoader:
    """Reads a suite; Shared wants a callable whose result can be referred to weakly."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self) -> FittedSuite:
        return FittedSuite.from_bytes(read_bytes(self._path))


def _add(totals: _Totals, name: str, parts: Iterable[tuple[Hashable, Addable]]) -> None:
    for key, part in parts:
        place = (name, key)
        totals[place] = totals[place] + part if place in totals else part
