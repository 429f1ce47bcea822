"""Files that appear whole: written aside and then renamed, or not at all.

Paths are local, or anything that Beam's FileSystems reach (`gs://`, `hdfs://`).
Beam is imported for the latter only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from tfx_privacy.signals.errors import InputError


def is_local(path: str) -> bool:
    """Whether a path is on a file system that the operating system knows."""
    return "://" not in path


def join(folder: str, name: str) -> str:
    """The path of a file in a folder."""
    return str(Path(folder, name)) if is_local(folder) else f"{folder.rstrip('/')}/{name}"


def write_text_whole(path: str, text: str) -> None:
    """Writes a UTF-8 text file that appears whole.

    Raises:
      InputError: If the file cannot be written.
    """
    write_bytes_whole(path, text.encode())


def write_bytes_whole(path: str, data: bytes) -> None:
    """Writes a file that appears whole.

    Raises:
      InputError: If the file cannot be written.
    """
    with open_whole(path) as stream, _explained("write", path):
        stream.write(data)
        # What a full disk has to say should be said here, not when the stream is closed.
        stream.flush()


@contextlib.contextmanager
def open_whole(path: str) -> Iterator[BinaryIO]:
    """A stream to a file that appears when the block ends, unless it raises.

    Folders that are missing are made. A file that is there is replaced.

    Raises:
      InputError: If the file cannot be made.
    """
    aside = f"{path}.{uuid.uuid4().hex}.tmp"
    if is_local(path):
        make_folder(str(Path(path).parent))
    with _explained("write", path):
        stream = _create(aside)
    try:
        with stream:
            yield stream
        with _explained("write", path):
            _rename(aside, path)
    except BaseException:
        remove([aside])
        raise


def put_whole(local_path: str, path: str) -> None:
    """Moves a local file to a path, where it appears whole.

    Raises:
      InputError: If the file cannot be written.
    """
    if is_local(path) and _same_device(local_path, str(Path(path).parent)):
        with _explained("write", path):
            Path(local_path).replace(path)
        return
    with (
        Path(local_path).open("rb") as source,
        open_whole(path) as target,
        _explained("write", path),
    ):
        shutil.copyfileobj(source, target, 1 << 20)
    Path(local_path).unlink()


def open_to_read(path: str) -> BinaryIO:
    """A seekable stream of a file's bytes, as they are, compressed or not.

    Raises:
      InputError: If the file cannot be opened.
    """
    with _explained("read", path):
        if is_local(path):
            return Path(path).open("rb")
        return cast(BinaryIO, _beam_files().open(path, compression_type=_AS_IT_IS))


def read_bytes(path: str) -> bytes:
    """The content of a file.

    Raises:
      InputError: If the file cannot be read.
    """
    with open_to_read(path) as stream, _explained("read", path):
        return stream.read()


def exists(path: str) -> bool:
    """Whether there is a file or folder at a path."""
    return Path(path).exists() if is_local(path) else bool(_beam_files().exists(path))


def make_folder(path: str) -> None:
    """Makes a local folder; elsewhere folders come into being with their files.

    Raises:
      InputError: If the folder cannot be made.
    """
    if is_local(path):
        with _explained("write", path):
            Path(path).mkdir(parents=True, exist_ok=True)


def names_in(folder: str) -> list[str]:
    """The names of what is in a folder, sorted; none where there is no such folder."""
    if is_local(folder):
        return sorted(os.listdir(folder)) if Path(folder).is_dir() else []
    matches = _beam_files().match([join(folder, "*")])[0].metadata_list
    return sorted(found.path.rsplit("/", 1)[1] for found in matches)


def files_below(folder: str) -> list[str]:
    """The files in a folder and in folders below it, as paths relative to it, sorted.

    Raises:
      InputError: If a folder that is not local cannot be looked into.
    """
    if is_local(folder):
        found = (path for path in Path(folder).rglob("*") if path.is_file())
        return sorted(path.relative_to(folder).as_posix() for path in found)
    prefix = f"{folder.rstrip('/')}/"
    with _explained("read", folder):
        matches = _beam_files().match([f"{prefix}**"])[0].metadata_list
    # In a folder's name a wildcard would match other folders too; a name that ends in a
    # slash stands for an empty folder.
    names = (found.path[len(prefix) :] for found in matches if found.path.startswith(prefix))
    return sorted(name for name in names if name and not name.endswith("/"))


def copy_folder(source: str, target: str) -> None:
    """Copies the files of a folder, each of which appears whole; those at the target stay.

    Raises:
      InputError: If a file cannot be read or written.
    """
    for name in files_below(source):
        with (
            open_to_read(join(source, name)) as stream,
            open_whole(join(target, name)) as copy,
            _explained("copy", join(source, name)),
        ):
            shutil.copyfileobj(stream, copy, 1 << 20)


def remove(paths: Iterable[str]) -> None:
    """Deletes files and local folders; what is not there needs no deleting."""
    for path in paths:
        if not is_local(path):
            if exists(path):
                _beam_files().delete([path])
        elif Path(path).is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            # Where a folder should be there may be a file: nothing is there then.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                Path(path).unlink()


def remove_folder(folder: str) -> None:
    """Deletes a folder and all that is in it; what is not there needs no deleting.

    Raises:
      InputError: If a folder that is not local cannot be deleted.
    """
    if is_local(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    prefix = f"{folder.rstrip('/')}/"
    with _explained("delete", folder):
        # An object store knows files alone: a folder there does not "exist".
        matches = _beam_files().match([f"{prefix}**"])[0].metadata_list
        # In a folder's name a wildcard would match other folders too.
        found = [match.path for match in matches if match.path.startswith(prefix)]
        _beam_files().delete(found)
        # Other file systems keep the empty folder.
        remove([prefix.rstrip("/")])


# Beam's word for "do not guess a compression from the file's suffix".
_AS_IT_IS = "uncompressed"


def _create(path: str) -> BinaryIO:
    if is_local(path):
        return Path(path).open("wb")
    return cast(BinaryIO, _beam_files().create(path, compression_type=_AS_IT_IS))


def _rename(source: str, target: str) -> None:
    if is_local(target):
        Path(source).replace(target)
        return
    # Some of Beam's file systems refuse to rename onto a file that is there.
    remove([target])
    _beam_files().rename([source], [target])


def _same_device(path: str, folder: str) -> bool:
    return Path(folder).is_dir() and Path(path).stat().st_dev == Path(folder).stat().st_dev


def _beam_files() -> Any:  # Beam's classes have no types to speak of.
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


@contextlib.contextmanager
def _explained(verb: str, path: str) -> Iterator[None]:
    # Each remote file system raises errors of its own kind, Google's for instance.
    failures = OSError if is_local(path) else Exception
    try:
        yield
    except failures as error:
        raise InputError(f"cannot {verb} {path!r}: {error}") from error
