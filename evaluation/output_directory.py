"""The command line's output: all of a run's results, or none of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from tfx_privacy.evaluation import (
    gate,
    metrics_directory,
    privacy_meter_files,
    training_curves,
)
from tfx_privacy.evaluation.attack_table import Outputs
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import is_local, join, names_in

_SIGNALS = "signals"
_RECORD_RISK = "record_risk"

# What readers ask for first goes first, and comes last.
_FILES = (
    metrics_directory.BINARY_FILE,
    metrics_directory.JSON_FILE,
    metrics_directory.REPORT_FILE,
    # A gate may have written its verdict beside the metrics; it is not about new ones.
    gate.BINARY_FILE,
    gate.JSON_FILE,
)
# What each folder may hold; "*" stands for a part of one name.
_FOLDERS = {
    "evidence": ("edges.parquet", "counts.parquet", "slices.parquet", "controls.parquet"),
    training_curves.FOLDER: (f"*/{training_curves.EVENTS_FILE}",),
    _SIGNALS: ("table.json", "rows-*.parquet"),
    _RECORD_RISK: (
        "record_risk-*.parquet",
        *(f"{privacy_meter_files.FOLDER}/{name}" for name in privacy_meter_files.FILE_PATTERNS),
    ),
}


def record_risk_beside(metrics_dir: str) -> str | None:
    """The record-risk table that a run left with its metrics; None where there is none."""
    folder = join(metrics_dir, _RECORD_RISK)
    return folder if names_in(folder) else None


@contextlib.contextmanager
def whole_output(directory: str) -> Iterator[Outputs]:
    """Directories aside of the output, moved into it when the run has succeeded.

    Results of an earlier run in the same directory are replaced, and stay where
    the run fails. Nothing else in the directory is touched.

    Raises:
      InputError: Before anything is computed, if the directory is not local or
        cannot be written, or has something under a result's name that no earlier
        run wrote; at the end, if the results cannot be moved.
    """
    if not is_local(directory):
        raise InputError(f"results are written to a local folder; found {directory}")
    target = Path(directory)
    with _folder(target):
        with _explained(target):
            aside = Path(tempfile.mkdtemp(prefix=".tfx-privacy-", dir=target))
        metrics, scratch, earlier = aside / "metrics", aside / "scratch", aside / "earlier"
        try:
            yield Outputs(
                metrics=str(metrics),
                signals=str(metrics / _SIGNALS),
                record_risk=str(metrics / _RECORD_RISK),
                scratch=str(scratch),
            )
            with _explained(target):
                # A run takes its time; what has come meanwhile is not ours to replace.
                _check_replaceable(target)
                _swap(metrics, target, earlier)
            shutil.rmtree(earlier, ignore_errors=True)
        finally:
            shutil.rmtree(metrics, ignore_errors=True)
            shutil.rmtree(scratch, ignore_errors=True)
            # Earlier results that could be moved neither away nor back are kept.
            with contextlib.suppress(OSError):
                aside.rmdir()


@contextlib.contextmanager
def _folder(target: Path) -> Iterator[None]:
    """The folder, made if need be; one that was made is gone if the block raises."""
    with _explained(target):
        is_new = not target.exists()
        _check_replaceable(target)
        target.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                target.rmdir()
        raise


def _check_replaceable(target: Path) -> None:
    for path in _results_in(target):
        if not _is_result(path):
            raise InputError(
                f"{path} is not the output of an earlier run, and results would replace it: "
                "choose an empty folder for the output"
            )


def _results_in(target: Path) -> list[Path]:
    paths = (target / name for name in (*_FILES, *_FOLDERS))
    return [path for path in paths if os.path.lexists(path)]


def _is_result(path: Path) -> bool:
    if path.name in _FILES:
        return _is_plain_file(path)
    return (
        path.is_dir()
        and not path.is_symlink()
        and all(_is_expected(entry, path) for entry in path.rglob("*"))
    )


def _is_expected(entry: Path, folder: Path) -> bool:
    """Whether a file or folder within a result's folder is such as a run writes."""
    name, patterns = entry.relative_to(folder), _FOLDERS[folder.name]
    if entry.is_dir() and not entry.is_symlink():
        return any(_matches(name, PurePath(pattern).parent) for pattern in patterns)
    return _is_plain_file(entry) and any(_matches(name, PurePath(one)) for one in patterns)


def _matches(path: PurePath, pattern: PurePath) -> bool:
    return len(path.parts) == len(pattern.parts) and all(
        map(fnmatchcase, path.parts, pattern.parts)
    )


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _swap(results: Path, target: Path, earlier: Path) -> None:
    """Moves results into the target and what they replace out of it, or neither."""
    earlier.mkdir()
    moved: list[tuple[Path, Path]] = []
    try:
        for old in _results_in(target):
            moved.append(_move(old, earlier))
        for new in sorted(results.iterdir(), key=_readers_ask_for_it):
            moved.append(_move(new, target))
    except BaseException:
        for source, moved_to in reversed(moved):
            moved_to.rename(source)
        earlier.rmdir()
        raise


def _move(path: Path, folder: Path) -> tuple[Path, Path]:
    return path, path.rename(folder / path.name)


def _readers_ask_for_it(path: Path) -> tuple[bool, str]:
    return path.name == metrics_directory.BINARY_FILE, path.name


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write to {target}: {error}") from error
