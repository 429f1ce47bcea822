"""Reference models as a measurement is given them."""

from __future__ import annotations

import dataclasses

from tfx_privacy.signals.examples import ExampleSplit


@dataclasses.dataclass(frozen=True)
class ReferenceModelsInput:
    """Where reference models lie, and the records that they were trained on.

    Attributes:
      directory: The folder of the ReferenceModels artifact.
      uri: What the results call it.
      pool: The splits that subsets were drawn from, where these are not the measurement's
        members and non-members: those of an offline pool, or the artifact's own synthetic
        records. Empty for an online pool.
    """

    directory: str
    uri: str
    pool: tuple[ExampleSplit, ...] = ()
