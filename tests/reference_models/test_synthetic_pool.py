"""A synthetic pool from what a pipeline has: what is refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.synthesis.pool_source import TargetModel
from tfx_privacy.reference_models.synthetic_pool import PoolInputs, make_synthetic_pool
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit


def test_statistics_of_several_splits_are_not_those_of_one(tmp_path: Path) -> None:
    config = references_pb2.ReferenceModelsConfig(
        splits={"members": ["train", "more"], "nonmembers": ["eval"]},
        synthetic={"records": 10, "marginals": {}},
    )
    inputs = PoolInputs(
        splits={name: ExampleSplit(name, True, ("nowhere*",)) for name in ("train", "more")},
        target=TargetModel("/the/model"),
        statistics_dir=str(tmp_path),
    )
    with pytest.raises(InputError, match=r"splits \['train', 'more'\]: expected one split.*DATA"):
        make_synthetic_pool(config, inputs, str(tmp_path))
