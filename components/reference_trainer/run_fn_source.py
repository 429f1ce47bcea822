"""A digest of the source that `run_fn` stands in.

TFX's cache, and the work directory of reference models, go by it: changed code trains
anew.
"""

from __future__ import annotations

import hashlib
import importlib.util
import zipfile
from pathlib import Path

from tfx.dsl.io import fileio

from tfx_privacy.signals.errors import InputError


def digest_of_module(run_fn: str) -> str:
    """The digest of the module that holds a function, found without importing the module.

    Args:
      run_fn: "package.module.function"; the packages above the module are imported.

    Raises:
      InputError: If there is no such module, or none with a source file.
    """
    module, _, function = run_fn.rpartition(".")
    if not module:
        raise InputError(
            f"run_fn is {run_fn!r}; expected an import path, 'package.module.function', or the "
            "function's file as module_file"
        )
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise InputError(_not_found(run_fn, module)) from error
    if found is None:
        raise InputError(_not_found(run_fn, module))
    if found.origin is None or not Path(found.origin).is_file():
        raise InputError(
            f"run_fn is {run_fn!r}, but {module!r} is no module with a source file (its origin is "
            f"{found.origin}); expected one: its source tells whether models have to be trained "
            "again"
        )
    return _digest(function.encode(), Path(found.origin).read_bytes())


def digest_of_file(module_file: str) -> str:
    """The digest of a module's file.

    Raises:
      InputError: If there is no such file.
    """
    if not fileio.exists(module_file):
        raise InputError(f"module_file is {module_file!r}; there is no such file")
    with fileio.open(module_file, "rb") as stream:
        return _digest(b"run_fn", stream.read())


def digest_of_wheel(module: str, wheel: str) -> str:
    """The digest of a module in a wheel that TFX made of a module file and those beside it.

    Args:
      module: The module's name.
      wheel: A local file.
    """
    with zipfile.ZipFile(wheel) as archive:
        # Its name and metadata hold the node's id.
        names = sorted(name for name in archive.namelist() if name.endswith(".py"))
        contents = [part for name in names for part in (name.encode(), archive.read(name))]
    return _digest(f"{module}.run_fn".encode(), *contents)


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]


def _not_found(run_fn: str, module: str) -> str:
    return (
        f"run_fn is {run_fn!r}, but no module {module!r} can be found; expected one that can be "
        "imported here too, where the pipeline is written: its source tells whether models have "
        "to be trained again"
    )
