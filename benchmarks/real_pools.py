"""Real data as pools that members are drawn from.

Official training and test parts are joined, and of exact copies of a record, label included, the
first stays: then any choice by chance gives members and non-members of one population.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Adult's columns of numbers, each divided by about its largest value: constants, so that nothing
# of the non-members is in the model.
_ADULT_SCALES = (100.0, 1.5e6, 16.0, 1e5, 5e3, 100.0)
_CIFAR10_SPRITES = (*(f"{number:02d}" for number in range(10)), "50", "51", "52", "53", "54")
_SPRITE_ROWS = 1_000


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """Records of one population.

    Attributes:
      ids: [n], the row in the source.
      inputs: [n, ...] float32, what the model sees.
      label: [n], 0 to classes - 1.
      classes: How many classes there are.
      features: What the blind baseline sees: columns, [n] or [n, w].
    """

    ids: NDArray[np.int64]
    inputs: NDArray[np.float32]
    label: NDArray[np.int64]
    classes: int
    features: Mapping[str, NDArray[np.generic]]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Pool:
        """Some of the records."""
        return dataclasses.replace(
            self,
            ids=self.ids[rows],
            inputs=self.inputs[rows],
            label=self.label[rows],
            features={name: column[rows] for name, column in self.features.items()},
        )


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    """`--data`, the folder that real data is read from."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("TFX_PRIVACY_DATA", beside)),
        help="the folder of real data; default $TFX_PRIVACY_DATA, else ../shared/data",
    )


def split(pool: Pool, members: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of members, drawn by chance, and all other rows, both in the order of a shuffle."""
    order = np.random.default_rng((seed, 0)).permutation(len(pool))
    return order[:members], order[members:]


def location30(data: Path) -> Pool:
    """Location-30, the set of Shokri et al. 2017: 446 bits, 30 classes."""
    stored = np.load(data / "location30.npz")
    bits = np.unpackbits(stored["x_packed"], axis=1)[:, : int(stored["x_shape"][1])]
    return _pool(bits, bits.astype(np.float32), stored["y"], 30, {"bits": bits.astype(np.float32)})


def adult(data: Path) -> Pool:
    """UCI Adult: 14 columns, whether the income is above 50,000."""
    stored = np.load(data / "adult.npz")
    numbers, codes = stored["x_num"], stored["x_cat"]
    words = {str(name): stored[f"cats_{name}"] for name in stored["cat_names"]}
    one_hot = [np.eye(len(known))[codes[:, i]] for i, known in enumerate(words.values())]
    inputs = np.concatenate([numbers / _ADULT_SCALES, *one_hot], axis=1).astype(np.float32)
    features = {
        **{str(name): numbers[:, i] for i, name in enumerate(stored["num_names"])},
        **{name: known[codes[:, i]] for i, (name, known) in enumerate(words.items())},
    }
    return _pool(np.concatenate([numbers, codes], axis=1), inputs, stored["y"], 2, features)


def mnist(data: Path) -> Pool:
    """MNIST: 28 x 28 pixels, 10 classes."""
    stored = np.load(data / "mnist.npz")
    return _images(stored["x"][..., np.newaxis], stored["y"], side=4)


def cifar10(data: Path) -> Pool:
    """A part of CIFAR-10: 15,000 images of 32 x 32 x 3, without those that are JPEG decodes."""
    folder = data / "cifar10_webp"
    labels = np.load(folder / "labels.npz")
    images = np.concatenate([sprite(folder / f"{name}.webp") for name in _CIFAR10_SPRITES])
    starts = _SPRITE_ROWS * np.array([int(name) for name in _CIFAR10_SPRITES])
    rows = (starts[:, np.newaxis] + np.arange(_SPRITE_ROWS)).ravel()
    lossless = ~labels["lossy"][rows]
    return _images(images[lossless], labels["y"][rows[lossless]], side=8)


def sprite(path: Path) -> NDArray[np.uint8]:
    """1,000 images that stand in 25 rows of 40."""
    from PIL import Image

    tiles = np.asarray(Image.open(path)).reshape(25, 32, 40, 32, 3)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(_SPRITE_ROWS, 32, 32, 3)


def _images(pixels: NDArray[np.uint8], label: NDArray[np.uint8], side: int) -> Pool:
    """Images; the blind baseline sees the means of squares, `side` pixels wide."""
    rows, height, width, channels = pixels.shape
    inputs = pixels.astype(np.float32) / 255.0
    squares = inputs.reshape(rows, height // side, side, width // side, side, channels)
    means = squares.mean(axis=(2, 4)).reshape(rows, -1)
    return _pool(pixels.reshape(rows, -1), inputs, label, 10, {"squares": means})


def _pool(
    source: NDArray[np.generic],
    inputs: NDArray[np.float32],
    label: NDArray[np.generic],
    classes: int,
    features: Mapping[str, NDArray[np.generic]],
) -> Pool:
    """The records whose source and label are those of none before them."""
    whole = np.ascontiguousarray(np.concatenate([source, label[:, np.newaxis]], axis=1))
    as_bytes = whole.view(np.dtype((np.void, whole.dtype.itemsize * whole.shape[1])))[:, 0]
    rows = np.sort(np.unique(as_bytes, return_index=True)[1])
    ids = np.arange(len(label))
    return Pool(ids, inputs, label.astype(np.int64), classes, features).take(rows)
