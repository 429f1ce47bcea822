"""Where the white-box attack network trains: in this process, or in one of its own.

Keras has one backend for a process, chosen as it is imported. The process may be that of
a whole pipeline and its Keras the user's, so where its backend is another than the one
wanted, training has a process of its own.

That process gets and leaves arrays and JSON in a temporary folder, and writes a line for
each epoch. Nothing in it is a pickle.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfx_privacy.attacks.white_box_network_training import (
    Architecture,
    Encoder,
    Epoch,
    TrainedNetwork,
    TrainingRows,
    TrainingSettings,
    train,
)
from tfx_privacy.signals.errors import InputError

BACKENDS = ("tensorflow", "jax", "torch")

# Files of the temporary folder, and what lines about epochs begin with.
ROWS_FILE, TASK_FILE, NETWORK_FILE, ERROR_FILE = "rows.npz", "task.json", "network.npz", "error.txt"
EPOCH_MARK = "epoch: "

_MODULE = "tfx_privacy.attacks.white_box_network_process"
_LINES_OF_ERROR = 12


def train_with(
    backend: str,
    rows: TrainingRows,
    architecture: Architecture,
    settings: TrainingSettings,
    tell: Callable[[Epoch], None],
) -> TrainedNetwork:
    """Trains with Keras on that backend.

    Args:
      backend: One of BACKENDS.
      rows: What to learn from.
      architecture: The layers.
      settings: How to train.
      tell: Is told of every epoch.

    Raises:
      InputError: If the backend is not installed, or the settings cannot train.
      RuntimeError: If training fails in its own process.
    """
    require_installed(backend)
    if _is_backend_here(backend):
        return train(rows, architecture, settings, tell)
    return train_in_own_process(backend, rows, architecture, settings, tell)


def require_installed(backend: str) -> None:
    """Raises InputError where the backend's package cannot be found."""
    if importlib.util.find_spec(backend) is None:
        raise InputError(
            f"attack_network.backend is {backend!r}, and there is no package {backend!r} in "
            f"{sys.executable}'s environment: install it, or set the backend to one that is "
            f"installed, of {', '.join(BACKENDS)}"
        )


def train_in_own_process(
    backend: str,
    rows: TrainingRows,
    architecture: Architecture,
    settings: TrainingSettings,
    tell: Callable[[Epoch], None],
) -> TrainedNetwork:
    """The same as `train_with`, in a process whose Keras has that backend."""
    with tempfile.TemporaryDirectory(prefix="tfx-privacy-network-") as scratch:
        folder = Path(scratch)
        _write_task(folder, rows, architecture, settings)
        _run(folder, backend, tell)
        return read_network(folder / NETWORK_FILE)


def read_task(folder: Path) -> tuple[TrainingRows, Architecture, TrainingSettings]:
    """What `train_in_own_process` left for the other process."""
    task = json.loads((folder / TASK_FILE).read_text(encoding="utf-8"))
    with np.load(folder / ROWS_FILE, allow_pickle=False) as arrays:
        rows = TrainingRows(
            parts=[arrays[f"part_{index}"] for index in range(task["parts"])],
            member=arrays["member"],
            trains=arrays["trains"],
            stops=arrays["stops"],
        )
    architecture = Architecture(
        encoders=tuple(
            Encoder(**{**encoder, "units": tuple(encoder["units"])}) for encoder in task["encoders"]
        ),
        head=tuple(task["head"]),
        l2=task["l2"],
    )
    return rows, architecture, TrainingSettings(**task["settings"])


def write_network(path: Path, network: TrainedNetwork) -> None:
    """Writes the network for the process that asked for it."""
    arrays = {f"curve_{name}": np.array(values) for name, values in network.curves.items()}
    arrays["depths"] = np.array([len(encoder) for encoder in network.encoders])
    layers = [layer for encoder in network.encoders for layer in encoder] + list(network.head)
    arrays["layers"] = np.array(len(layers))
    for index, (weight, bias) in enumerate(layers):
        arrays[f"weight_{index}"], arrays[f"bias_{index}"] = weight, bias
    np.savez(path, **arrays)


def read_network(path: Path) -> TrainedNetwork:
    """What `write_network` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        layers = iter(
            [
                (arrays[f"weight_{index}"], arrays[f"bias_{index}"])
                for index in range(int(arrays["layers"]))
            ]
        )
        encoders = [[next(layers) for _ in range(depth)] for depth in arrays["depths"].tolist()]
        curves = {
            name.removeprefix("curve_"): arrays[name].tolist()
            for name in arrays.files
            if name.startswith("curve_")
        }
        return TrainedNetwork(encoders, list(layers), curves)


def _is_backend_here(backend: str) -> bool:
    """Whether this process's Keras has the backend, or would have it when imported."""
    if "keras" not in sys.modules and os.environ.get("KERAS_BACKEND", backend) != backend:
        # Importing it would settle the process on the other one.
        return False
    import keras

    return bool(keras.config.backend() == backend)


def _write_task(
    folder: Path, rows: TrainingRows, architecture: Architecture, settings: TrainingSettings
) -> None:
    arrays = {f"part_{index}": part for index, part in enumerate(rows.parts)}
    np.savez(folder / ROWS_FILE, member=rows.member, trains=rows.trains, stops=rows.stops, **arrays)
    task = {
        "parts": len(rows.parts),
        **dataclasses.asdict(architecture),
        "settings": dataclasses.asdict(settings),
    }
    (folder / TASK_FILE).write_text(json.dumps(task), encoding="utf-8")


def _run(folder: Path, backend: str, tell: Callable[[Epoch], None]) -> None:
    log = folder / "stderr.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(folder)],
            # Not where this one stands: a folder of modules there would be found first.
            cwd=folder,
            env=_environment(backend),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        with process:
            try:
                for line in process.stdout or ():
                    if line.startswith(EPOCH_MARK):
                        tell(Epoch(**json.loads(line.removeprefix(EPOCH_MARK))))
            except BaseException:
                process.kill()
                raise
    if process.returncode == 0:
        return
    if (folder / ERROR_FILE).exists():
        raise InputError((folder / ERROR_FILE).read_text(encoding="utf-8"))
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_OF_ERROR:]
    raise RuntimeError(
        f"training the attack network with Keras on {backend} failed in its own process (exit "
        f"code {process.returncode}); its last words:\n" + "\n".join(last)
    )


def _environment(backend: str) -> dict[str, str]:
    # The same modules are found there as here, however they are here.
    places = [os.path.abspath(place) for place in sys.path]
    return {
        # This process may hold most of the GPU's memory already.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(places),
    }
