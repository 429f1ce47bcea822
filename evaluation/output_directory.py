"""The command line's output: all of a run's results, or none of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfx_privacy.evaluation.attack_table import Outputs
from tfx_privacy.signals.errors import InputError

_SIGNALS = "signals"
_RECORD_RISK = "record_risk"


@contextmanager
def whole_output(directory: str) -> Iterator[Outputs]:
    """Directories aside of the output, moved into it when the run has succeeded.

    Results of an earlier run in the same directory are replaced, and stay where
    the run fails.

    Raises:
      InputError: If the directory cannot be written, before anything is computed.
    """
    target = Path(directory)
    try:
        target.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".tfx-privacy-", dir=target))
    except OSError as error:
        raise InputError(f"cannot write to {directory}: {error}") from error
    try:
        metrics = aside / "metrics"
        yield Outputs(
            metrics=str(metrics),
            signals=str(metrics / _SIGNALS),
            record_risk=str(metrics / _RECORD_RISK),
            scratch=str(aside / "scratch"),
        )
        for entry in sorted(metrics.iterdir()):
            _replace(entry, target / entry.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    os.replace(source, target)
