"""Predictions of a small overfitted target on real data: a part of against_tf_privacy.py.

    python benchmarks/target_predictions.py DATA TARGET SEED ROWS.npz

TARGET is location30 (1,200 members, 40 epochs) or cifar10 (5,000 members, 20 epochs); as many
other records are its non-members. DATA holds location30.npz and cifar10_webp/.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tfx_privacy.benchmarks.real_models import cnn, logits_over_epochs, mlp
from tfx_privacy.benchmarks.real_pools import cifar10, location30, split

# The data, the model, members, epochs.
TARGETS = {"location30": (location30, mlp, 1_200, 40), "cifar10": (cifar10, cnn, 5_000, 20)}


def main() -> None:
    data, target, seed, rows_path = sys.argv[1:]
    read, build, size, epochs = TARGETS[target]
    pool = read(Path(data))
    members, others = split(pool, size, int(seed))
    model = build(pool, int(seed))
    ((_, logits),) = logits_over_epochs(model, pool, members, (epochs,), int(seed))
    rows = np.concatenate([members, others[:size]])
    member = np.arange(len(rows)) < size
    np.savez(rows_path, logits=logits[rows], label=pool.label[rows], member=member)


if __name__ == "__main__":
    main()
