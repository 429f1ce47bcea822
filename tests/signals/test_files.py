"""Files appear whole or not at all, locally and through Beam's file systems."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import files
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import row_ids
from tfx_privacy.signals.table import IdentityDescription, TableLayout
from tfx_privacy.signals.table_reader import read_bucket, read_description
from tfx_privacy.signals.table_writer import TableWriter, commit, remove_table


@pytest.fixture(scope="module")
def object_store() -> Iterator[dict[str, bytes]]:
    """What lies under `objects://`, where folders are but the beginnings of names."""
    from apache_beam.io.filesystem import BeamIOError, FileMetadata
    from apache_beam.io.localfilesystem import LocalFileSystem

    stored: dict[str, bytes] = {}

    class ObjectStore(LocalFileSystem):
        @classmethod
        def scheme(cls) -> str:
            return "objects"

        def has_dirs(self):
            return False

        def _list(self, dir_or_prefix):
            for path in [path for path in stored if path.startswith(dir_or_prefix)]:
                yield FileMetadata(path, len(stored[path]))

        def exists(self, path):
            return path in stored

        def delete(self, paths):
            missing = [path for path in paths if path not in stored]
            if missing:
                raise BeamIOError("no such object", missing)
            for path in paths:
                del stored[path]

    yield stored
    del ObjectStore


@pytest.fixture
def objects(object_store: dict[str, bytes]) -> dict[str, bytes]:
    object_store.clear()
    return object_store


@pytest.fixture(params=["local", "remote"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "folder")
    return files.join(request.getfixturevalue("remote"), tmp_path.name)


def test_what_is_written_is_read_and_nothing_else_is_there(folder: str):
    path = files.join(folder, "a.txt")

    files.write_text_whole(path, "für immer")

    assert files.read_bytes(path) == "für immer".encode()
    assert files.names_in(folder) == ["a.txt"]
    assert files.exists(path)


def test_a_file_is_replaced(folder: str):
    path = files.join(folder, "a.bin")

    files.write_bytes_whole(path, b"old and long")
    files.write_bytes_whole(path, b"new")

    assert files.read_bytes(path) == b"new"


def test_a_name_that_looks_compressed_is_written_and_read_as_it_is(folder: str):
    path = files.join(folder, "a.gz")

    files.write_bytes_whole(path, b"plain")

    assert files.read_bytes(path) == b"plain"


def test_a_stream_that_fails_leaves_the_old_file(folder: str):
    path = files.join(folder, "a.bin")
    files.write_bytes_whole(path, b"old")

    def write_half() -> None:
        with files.open_whole(path) as stream:
            stream.write(b"half")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_half()

    assert files.read_bytes(path) == b"old"
    assert files.names_in(folder) == ["a.bin"]


def test_a_local_file_is_moved(folder: str, tmp_path: Path):
    source = tmp_path / "made.bin"
    source.write_bytes(b"x" * 3_000_000)
    path = files.join(folder, "a.bin")

    files.put_whole(str(source), path)

    assert files.read_bytes(path) == b"x" * 3_000_000
    assert files.names_in(folder) == ["a.bin"]
    assert not source.exists()


def test_removing_twice_is_removing(folder: str):
    path = files.join(folder, "a.txt")
    files.write_text_whole(path, "a")

    files.remove([path])
    files.remove([path])

    assert not files.exists(path)


def test_a_folder_is_removed_with_all_that_is_in_it(folder: str):
    gone, kept = files.join(folder, "scratch"), files.join(folder, "scratch2")
    files.write_text_whole(files.join(gone, "a.txt"), "a")
    files.write_text_whole(files.join(gone, "deep/b.txt"), "b")
    files.write_text_whole(files.join(kept, "c.txt"), "c")

    files.remove_folder(gone)
    files.remove_folder(gone)

    assert not files.exists(gone)
    assert files.names_in(kept) == ["c.txt"]


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_folder_is_removed_where_only_files_exist(objects: dict[str, bytes], ending: str):
    scratch = [f"objects://bucket/run/scratch/{name}" for name in ("a", "deep/b")]
    others = ["objects://bucket/run/scratch2/c", "objects://bucket/run/rows"]
    objects.update(dict.fromkeys([*scratch, *others], b"rows"))

    files.remove_folder(f"objects://bucket/run/scratch{ending}")
    files.remove_folder(f"objects://bucket/run/scratch{ending}")

    assert list(objects) == others


def test_a_wildcard_in_a_folders_name_matches_no_other_folder(objects: dict[str, bytes]):
    objects.update({"objects://bucket/one/a": b"rows", "objects://bucket/?ne/a": b"rows"})

    files.remove_folder("objects://bucket/?ne")

    assert list(objects) == ["objects://bucket/one/a"]


def test_a_folder_that_is_not_there_has_no_names(tmp_path: Path):
    assert files.names_in(str(tmp_path / "nowhere")) == []


def test_an_unwritable_place_is_an_error_that_names_it(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    path = str(tmp_path / "file" / "a.txt")

    with pytest.raises(InputError, match=r"cannot write '.*file/a\.txt'|cannot write '.*/file'"):
        files.write_text_whole(path, "a")


def test_a_missing_file_is_an_error_that_names_it(folder: str):
    with pytest.raises(InputError, match=r"cannot read '.*nothing\.txt'"):
        files.read_bytes(files.join(folder, "nothing.txt"))


def test_a_signals_table_is_written_and_read(folder: str):
    layout = TableLayout(
        task=config_pb2.BINARY,
        output_kind=config_pb2.LOGITS,
        output_width=1,
        logits_source="",
        label_vocabulary=(),
        label_width=0,
        slice_features=(),
        input_features=(),
        has_label=False,
        has_logits=False,
        has_loss=True,
        has_units=False,
        has_weight=False,
    )
    ids, loss = row_ids(0, 100, is_member=True), np.arange(100, dtype=np.float32)
    rows = Signals(config_pb2.BINARY, ids, np.ones(100, bool), loss=loss)
    with TableWriter(folder, layout, 2) as writer, TableWriter(folder, layout, 2) as other:
        writer.append(rows, "train")
        other.append(rows, "train")
        other.finish()
        written = writer.finish()

    commit(folder, layout, IdentityDescription("row"), 2, [written])

    description = read_description(folder)
    found = [part.loss for bucket in range(2) for part in read_bucket(folder, description, bucket)]
    assert sorted(np.concatenate(found).tolist()) == loss.tolist()
    assert files.names_in(folder) == [*(file.name for file in description.files), "table.json"]
    remove_table(folder)
    assert files.names_in(folder) == []


def test_a_scheme_that_no_file_system_has_is_an_error_that_names_the_path():
    with pytest.raises(InputError, match=r"cannot write 'nosuch://folder/a.txt'"):
        files.write_text_whole("nosuch://folder/a.txt", "a")


def test_a_folder_is_copied_with_all_that_is_in_it(folder: str, tmp_path: Path):
    for name in ("model", "variables/weights", "assets/deep/words"):
        files.write_text_whole(files.join(f"{folder}/source", name), name)
    names = ["assets/deep/words", "model", "variables/weights"]

    files.copy_folder(f"{folder}/source", f"{folder}/target")
    files.copy_folder(f"{folder}/target", str(tmp_path / "back"))

    assert files.files_below(f"{folder}/target") == names
    assert files.files_below(str(tmp_path / "back")) == names
    assert (tmp_path / "back" / "assets" / "deep" / "words").read_text() == names[0]


def test_below_a_folder_that_is_not_there_there_are_no_files(tmp_path: Path):
    assert files.files_below(str(tmp_path / "nowhere")) == []
