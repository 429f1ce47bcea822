"""Fixtures that every room's tests may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

_ROOT = Path(__file__).resolve().parent.parent
_CLASSES = 5


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("TFX_PRIVACY_DATA", _ROOT.parent / "shared" / "data"))
    if not (folder / "location30.npz").is_file():
        pytest.skip(
            f"real data not found in {folder}; set TFX_PRIVACY_DATA to the folder that has it"
        )
    return folder


@pytest.fixture(scope="session")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder that only Beam can reach: a local one under a scheme of its own."""
    from apache_beam.io.localfilesystem import LocalFileSystem

    root = tmp_path_factory.mktemp("remote")

    class MirrorFileSystem(LocalFileSystem):
        @classmethod
        def scheme(cls) -> str:
            return "mirror"

        def join(self, basepath, *paths):
            return "/".join([basepath.rstrip("/"), *paths])

        def _here(self, path):
            return str(root / path.removeprefix("mirror://"))

        def _list(self, dir_or_prefix):
            from apache_beam.io.filesystem import FileMetadata

            for found in super()._list(self._here(dir_or_prefix)):
                there = "mirror://" + str(Path(found.path).relative_to(root))
                yield FileMetadata(there, found.size_in_bytes, found.last_updated_in_seconds)

        def create(self, path, *args, **kwargs):
            Path(self._here(path)).parent.mkdir(parents=True, exist_ok=True)
            return super().create(self._here(path), *args, **kwargs)

        def open(self, path, *args, **kwargs):
            return super().open(self._here(path), *args, **kwargs)

        def rename(self, sources, targets):
            super().rename([*map(self._here, sources)], [*map(self._here, targets)])

        def exists(self, path):
            return super().exists(self._here(path))

        def delete(self, paths):
            super().delete([*map(self._here, paths)])

    # Beam finds file systems among the subclasses of its own, which must stay alive for that.
    yield "mirror://folder"
    del MirrorFileSystem


def save_predictions(path: Path, rows: int, leak: float, seed: int) -> None:
    """Logits of noise; the true class's is raised by `leak`. A group column beside them."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, _CLASSES, rows)
    logits = rng.normal(size=(rows, _CLASSES)).astype(np.float32)
    logits[np.arange(rows), label] += leak
    group = np.where(np.arange(rows) % 3 == 0, "few", "many")
    np.savez(path, label=label, logits=logits, group=group)


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A directory of metrics by name: "leaky", "tame" or "small"."""
    import apache_beam as beam

    from tfx_privacy.evaluation.measure import measure
    from tfx_privacy.evaluation.output_directory import whole_output
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2

    cases = {"leaky": (6_000, 1.0), "tame": (9_000, 0.0), "small": (300, 0.0)}
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            rows, leak = cases[name]
            folder = tmp_path_factory.mktemp(name)
            save_predictions(folder / "members.npz", rows, leak, seed=1)
            save_predictions(folder / "nonmembers.npz", rows, 0.0, seed=2)
            config = config_pb2.PrivacyConfig(slicing_specs=[{"feature_keys": ["group"]}])
            with whole_output(str(folder / "metrics")) as outputs:
                measure(
                    str(folder / "members.npz"),
                    str(folder / "nonmembers.npz"),
                    config,
                    outputs,
                    beam.Pipeline,
                )
            made[name] = folder / "metrics"
        return made[name]

    return make


@pytest.fixture(scope="session")
def measured_series(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Metrics and record risk of models on the same records: "first", "worse" or "third".

    Each has a URI of its own, as models in a pipeline have. Their predictions correlate by .9, and
    of "worse" members give themselves away more often.
    """
    import apache_beam as beam

    from tfx_privacy.evaluation.measure import measure
    from tfx_privacy.evaluation.metrics_directory import read_metrics, write_metrics
    from tfx_privacy.evaluation.output_directory import whole_output
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2

    cases = {"first": (0.0, 1), "worse": (0.5, 2), "third": (0.0, 3)}
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            leak, seed = cases[name]
            folder = tmp_path_factory.mktemp(name)
            for side, rows in (("members", 9_000), ("nonmembers", 9_000)):
                same, own = (
                    np.random.default_rng((which, side == "members")) for which in (0, seed)
                )
                label = same.integers(0, _CLASSES, rows)
                noise = np.sqrt(0.9) * same.normal(size=(rows, _CLASSES))
                logits = (noise + np.sqrt(0.1) * own.normal(size=noise.shape)).astype(np.float32)
                logits[np.arange(rows), label] += leak * (side == "members")
                ids = np.arange(rows) + rows * (side == "members")
                np.savez(folder / f"{side}.npz", label=label, logits=logits, id=ids)
            with whole_output(str(folder / "metrics")) as outputs:
                measure(
                    str(folder / "members.npz"),
                    str(folder / "nonmembers.npz"),
                    config_pb2.PrivacyConfig(attacks=["loss_threshold", "entropy"]),
                    outputs,
                    beam.Pipeline,
                )
            content = read_metrics(str(folder / "metrics"))
            content.results.model.uri = f"/models/{name}"
            content.results.model.signature_name = "serving_default"
            write_metrics(content, str(folder / "metrics"))
            made[name] = folder / "metrics"
        return made[name]

    return make


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `model`, a softmax over 3 classes of 2 features, and TFRecords.

    `train.tfrecord` and `eval.tfrecord.gz` have features `a`, `b` (floats), `label`
    (0 to 2), `name` (its word), `city` and a `key` unique to the row.
    """
    folder = tmp_path_factory.mktemp("target")
    rng = np.random.default_rng(0)
    _export_softmax(folder / "model")
    for name, rows, first in (("train.tfrecord", 400, 0), ("eval.tfrecord.gz", 300, 400)):
        write_examples(
            folder / name,
            [
                {
                    "a": float(rng.normal()),
                    "b": float(rng.normal()),
                    "label": int(row % 3),
                    "name": ("red", "green", "blue")[row % 3].encode(),
                    "city": (b"Chicago", b"Zug")[row % 2],
                    "key": first + row,
                }
                for row in range(rows)
            ],
        )
    return folder


def write_examples(path: Path, rows: list[dict]) -> None:
    """TFRecords of tf.Examples with one value a feature; gzip by the file's suffix."""
    import tensorflow as tf

    compression = "GZIP" if path.suffix == ".gz" else None
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for row in rows:
            features = {name: _feature(value) for name, value in row.items()}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def _feature(value: float | bytes) -> object:
    import tensorflow as tf

    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))


def _export_softmax(folder: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.kernel = tf.Variable([[1.0, -1.0, 0.5], [0.0, 2.0, -1.0]])
    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in ("a", "b")}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        parsed = tf.io.parse_example(examples, spec)
        inputs = tf.concat([parsed["a"], parsed["b"]], axis=1)
        return {"probabilities": tf.nn.softmax(tf.matmul(inputs, module.kernel))}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
