"""The process of its own that the white-box attack network trains in; see ..._backend.py.

python -m tfx_privacy.attacks.white_box_network_process FOLDER
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from tfx_privacy.attacks.white_box_network_backend import (
    EPOCH_MARK,
    ERROR_FILE,
    NETWORK_FILE,
    read_task,
    write_network,
)
from tfx_privacy.attacks.white_box_network_training import Epoch, train
from tfx_privacy.signals.errors import InputError


def main(folder: Path) -> int:
    """Does the task in the folder; 0 where that went well."""
    try:
        network = train(*read_task(folder), tell=_print_epoch)
    except InputError as error:
        (folder / ERROR_FILE).write_text(str(error), encoding="utf-8")
        return 1
    write_network(folder / NETWORK_FILE, network)
    return 0


def _print_epoch(epoch: Epoch) -> None:
    print(EPOCH_MARK + json.dumps(dataclasses.asdict(epoch)), flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
