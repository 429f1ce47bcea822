"""The files that ML Privacy Meter writes, for those who have scripts that read them.

Names and shapes are those of its first version (TensorFlow, 2020): probabilities
[n, 1], features and labels a row a record. Its pictures are here too, as SVG.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from tfx_privacy.evaluation.privacy_meter_arrays import JudgedTable, Written, write_arrays
from tfx_privacy.evaluation.privacy_meter_counts import RiskCounts
from tfx_privacy.evaluation.risk import class_name
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.privacy_meter_pictures import (
    ClassRisk,
    label_picture,
    norm_picture,
    risk_picture,
    roc_picture,
)
from tfx_privacy.reports.whole_counts import whole_counts
from tfx_privacy.signals.files import (
    is_local,
    join,
    make_folder,
    names_in,
    put_whole,
    remove,
    write_text_whole,
)
from tfx_privacy.signals.table import TableDescription

# Who reads a folder of Parquet files passes over what begins with an underscore.
FOLDER = "_privacy_meter"
COLUMNS_FILE = "features.json"
README_FILE = "README.txt"
# What may lie in the folder.
FILE_PATTERNS = ("*.npy", "*.svg", COLUMNS_FILE, README_FILE)
_MOST_CLASS_PICTURES = 20
_MOST_NORM_PICTURES = 20


def write_privacy_meter_files(
    signals_dir: str,
    table: TableDescription,
    record_risk_dir: str,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
) -> None:
    """Writes member_probs.npy and its companions into a folder in record_risk_dir.

    They are of the judged records alone, whom no attack was fitted on. The rows of a
    side have one order in all its files: by bucket of the signals table, then by id.
    Memory does not grow with the number of records.

    Args:
      signals_dir: The signals table, with its rows.
      table: Its description.
      record_risk_dir: Where the record-risk table lies, and the folder goes.
      results: Of the measurement.
      evidence: Its counts.

    Raises:
      InputError: If the tables cannot be read, or do not belong together, or the files
        cannot be written.
    """
    remove_privacy_meter_files(record_risk_dir)
    folder = join(record_risk_dir, FOLDER)
    make_folder(folder)
    prior = None if results.record_risk.not_computed else results.config.risk_prior
    near = record_risk_dir if is_local(record_risk_dir) else None
    with tempfile.TemporaryDirectory(prefix=".tfx-privacy-", dir=near) as aside:
        source = JudgedTable(signals_dir, table, record_risk_dir)
        written = write_arrays(Path(aside), source, prior)
        for name in sorted(os.listdir(aside)):
            put_whole(str(Path(aside, name)), join(folder, name))
    if written.features is not None:
        write_text_whole(join(folder, COLUMNS_FILE), written.features.to_json())
    for name, picture in _pictures(written.counts, results, evidence):
        write_text_whole(join(folder, name), picture)
    write_text_whole(join(folder, README_FILE), _readme(written, table, results))


def remove_privacy_meter_files(record_risk_dir: str) -> None:
    """Deletes what `write_privacy_meter_files` wrote, and the folder if it is empty then."""
    folder = join(record_risk_dir, FOLDER)
    names = names_in(folder)
    ours = [name for name in names if any(fnmatchcase(name, kind) for kind in FILE_PATTERNS)]
    remove(join(folder, name) for name in ours)
    if len(ours) == len(names):
        remove([folder])


def _pictures(
    counts: RiskCounts | None, results: results_pb2.PrivacyResults, evidence: Evidence
) -> Iterator[tuple[str, str]]:
    """Names of files and their SVG."""
    if counts is not None:
        yield from _risk_pictures(counts, results)
    best = whole_counts(evidence, results.best_attack)
    if best is not None:
        yield "roc.svg", roc_picture(results.best_attack, best)
    for number, norms in enumerate(results.white_box.norms[: 1 + _MOST_NORM_PICTURES]):
        # Of all layers together, then of each: a layer's name may be no name of a file.
        name = f"gradient_norms_layer{number - 1}.svg" if norms.layer else "gradient_norms.svg"
        if sum(norms.members) and sum(norms.nonmembers):
            yield name, norm_picture(norms)


def _risk_pictures(
    counts: RiskCounts, results: results_pb2.PrivacyResults
) -> Iterator[tuple[str, str]]:
    edges = counts.edges.tolist()
    yield "privacy_risk.svg", risk_picture("Membership probability", edges, *counts.whole.bins)
    vocabulary = results.config.model_spec.label_vocabulary
    names = {label: class_name(label, vocabulary) for label in counts.classes}
    for label in counts.largest_classes(_MOST_CLASS_PICTURES):
        title = f"Membership probability, label {names[label]}"
        picture = risk_picture(title, edges, *counts.classes[label].bins)
        yield f"privacy_risk_label{label}.svg", picture
    if counts.classes:
        yield (
            "risk_by_label.svg",
            label_picture(
                [
                    ClassRisk(
                        name=names[label],
                        members=int(counted.bins[0].sum()),
                        nonmembers=int(counted.bins[1].sum()),
                        member_mean=counted.mean(0),
                        nonmember_mean=counted.mean(1),
                    )
                    for label, counted in counts.classes.items()
                ]
            ),
        )


def _readme(written: Written, table: TableDescription, results: results_pb2.PrivacyResults) -> str:
    lines = [
        "Files as ML Privacy Meter's first version writes them. They are personal data.",
        "",
        "Of the judged records alone: no attack was fitted on them. The same row of every",
        "file of a side (member and m, nonmember and nm) is the same record; its id is that",
        "of the signals table and of the record-risk table, in hexadecimal digits.",
        "",
    ]
    lines += [f"{name}: {list(shape)}" for name, shape in sorted(written.shapes.items())]
    lines.append("")
    if written.counts is not None:
        lines.append(
            f"Probabilities: P(member | score) by the attack {results.record_risk.attack}, among "
            f"records of which a share of {results.record_risk.prior:g} are members."
        )
    else:
        lines.append(f"No probabilities: {results.record_risk.not_computed}.")
    if written.features is not None:
        lines.append(f"Features: {COLUMNS_FILE} says which column holds what.")
    else:
        lines.append(
            "No features: the signals table keeps no inputs. It keeps them where the blind "
            "baseline runs or an attack looks at them, and where inputs.feature_keys names them."
        )
    if not table.has_label:
        lines.append("No labels: the measurement has none.")
    return "\n".join(lines) + "\n"
