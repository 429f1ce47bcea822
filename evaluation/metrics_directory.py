"""A directory of metrics: the content of a PrivacyMetrics artifact.

metrics.json             PrivacyResults, for people and other programs
metrics.binpb            the same, as our own nodes read it
report.html              the page
evidence/edges.parquet   where each attack's scores were cut into bins
evidence/counts.parquet  how many rows of each slice fell into each bin
evidence/slices.parquet  how many rows of the splits are in each slice
evidence/controls.parquet  edges and counts of the controls' runs
tensorboard/ATTACK/      how an attack's training went, where it is one that is told of
"""

from __future__ import annotations

import dataclasses

from google.protobuf.message import DecodeError

from tfx_privacy.evaluation.evidence_files import (
    read_controls,
    read_counts,
    read_edges,
    read_slice_rows,
    write_controls,
    write_counts,
    write_edges,
    write_slice_rows,
)
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.metrics.counts import CountsTable, Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.page import metrics_page
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import (
    exists,
    join,
    read_bytes,
    write_bytes_whole,
    write_text_whole,
)

SCHEMA_VERSION = 5
JSON_FILE = "metrics.json"
BINARY_FILE = "metrics.binpb"
REPORT_FILE = "report.html"
EDGES_FILE = "evidence/edges.parquet"
COUNTS_FILE = "evidence/counts.parquet"
SLICES_FILE = "evidence/slices.parquet"
CONTROLS_FILE = "evidence/controls.parquet"


@dataclasses.dataclass(frozen=True)
class PrivacyMetricsContent:
    """What a directory of metrics holds."""

    results: results_pb2.PrivacyResults
    evidence: Evidence


def write_metrics(content: PrivacyMetricsContent, directory: str) -> None:
    """Writes a directory of metrics; `metrics.binpb`, which readers need, comes last."""
    write_edges(content.evidence.edges, join(directory, EDGES_FILE))
    write_counts(content.evidence.counts, join(directory, COUNTS_FILE))
    write_slice_rows(content.evidence.slice_rows, join(directory, SLICES_FILE))
    write_controls(content.evidence.controls, join(directory, CONTROLS_FILE))
    page = metrics_page(content.results, content.evidence)
    write_text_whole(join(directory, REPORT_FILE), page)
    write_text_whole(join(directory, JSON_FILE), message_to_json(content.results))
    binary = content.results.SerializeToString(deterministic=True)
    write_bytes_whole(join(directory, BINARY_FILE), binary)


def read_metrics(directory: str) -> PrivacyMetricsContent:
    """Reads a directory of metrics.

    Raises:
      InputError: If a file is missing or unreadable, or of another schema version, or
        counts are not in the bins between the edges.
    """
    results = results_pb2.PrivacyResults()
    path = join(directory, BINARY_FILE)
    if not exists(path):
        raise InputError(
            f"{directory} holds no metrics: expected {BINARY_FILE} in it, as PrivacyEvaluator, "
            "`tfx-privacy evaluate` and `tfx-privacy measure` write it"
        )
    try:
        results.ParseFromString(read_bytes(path))
    except DecodeError as error:
        raise InputError(f"{path} is not a PrivacyResults message: {error}") from error
    if results.schema_version != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {results.schema_version}; expected {SCHEMA_VERSION}: "
            "it was written by another version of tfx-privacy. Measure the model again with the "
            "version at hand, or read these metrics with the one that wrote them"
        )
    evidence = Evidence(
        edges=read_edges(join(directory, EDGES_FILE)),
        counts=read_counts(join(directory, COUNTS_FILE)),
        slice_rows=read_slice_rows(join(directory, SLICES_FILE)),
        controls=read_controls(join(directory, CONTROLS_FILE)),
    )
    _require_bins_of_edges(evidence, join(directory, COUNTS_FILE))
    return PrivacyMetricsContent(results, evidence)


def _require_bins_of_edges(evidence: Evidence, path: str) -> None:
    """Refuses counts in more bins than there are, before room is made for so many."""
    counts = CountsTable.of(evidence.counts)
    for place in counts:
        cut = evidence.edges.get(place[0])
        found = counts.sparse(place).bins
        if cut is not None and found != cut.bins:
            raise InputError(
                f"{path} has {found} bins in the row of {place!r}; expected {cut.bins}, between "
                f"the edges in {EDGES_FILE}"
            )
        if cut is None:
            raise InputError(f"{path} has a row of {place!r}, of which {EDGES_FILE} has no edges")
