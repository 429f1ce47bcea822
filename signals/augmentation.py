"""Variants of examples that a model is asked about in their place."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence

from tfx_privacy.signals.errors import InputError

# From serialised examples, and where they come from, to their variants.
Variants = Callable[[Sequence[bytes], str], list[bytes]]


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """One further query for each record.

    Attributes:
      function: Import path "package.module.function" of a function. Given a list of
        serialised examples and the number of the query it returns as many serialised
        examples, in the same order. It should return the same ones whenever it is asked.
      query: The number of the query, from 1: query 0 is the record itself.
    """

    function: str
    query: int


def load_augmentation(augmentation: Augmentation) -> Variants:
    """Imports the function.

    Returns:
      A function of examples and where these come from, which raises an InputError where
      the imported one fails or does not return as many examples.

    Raises:
      InputError: If it cannot be imported.
    """
    path = augmentation.function
    make = _imported(path)

    def variants(records: Sequence[bytes], where: str) -> list[bytes]:
        called = f"the augmentation {path!r}, query {augmentation.query}"
        try:
            made = list(make(list(records), augmentation.query))
        except Exception as error:
            raise InputError(
                f"{where}: {called}, failed: {type(error).__name__}: {error}"
            ) from error
        if len(made) != len(records):
            raise InputError(
                f"{where}: {called}, returned {len(made)} examples for {len(records)}: expected a "
                "variant of each, in their order"
            )
        wrong = next((one for one in made if not isinstance(one, bytes)), None)
        if wrong is not None:
            raise InputError(
                f"{where}: {called}, returned {type(wrong).__name__} among its examples: expected "
                "bytes, serialised examples"
            )
        return made

    return variants


def _imported(path: str) -> Callable[[list[bytes], int], Sequence[bytes]]:
    field = "references.augmentation.function"
    module, _, name = path.rpartition(".")
    if not module:
        raise InputError(
            f"{field} is {path!r}: expected the import path of a function, "
            "'package.module.function'"
        )
    try:
        function: Callable[[list[bytes], int], Sequence[bytes]] = getattr(
            importlib.import_module(module), name
        )
    except Exception as error:
        raise InputError(
            f"{field} is {path!r}, which cannot be imported: {type(error).__name__}: {error}; "
            "expected a function that this machine and every worker can import"
        ) from error
    if not callable(function):
        raise InputError(
            f"{field} is {path!r}, which is {type(function).__name__}: expected a function"
        )
    return function
