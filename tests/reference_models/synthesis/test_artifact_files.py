from __future__ import annotations

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from tfx_privacy.reference_models.synthesis.artifact_files import read_schema, read_statistics
from tfx_privacy.signals.errors import InputError


def test_a_schema_as_schema_gen_writes_it(tmp_path, schema):
    (tmp_path / "schema.pbtxt").write_text(str(schema))
    assert read_schema(str(tmp_path)) == schema


def test_what_is_no_schema(tmp_path):
    (tmp_path / "schema.pbtxt").write_text("features {}")
    with pytest.raises(InputError, match=r"schema\.pbtxt' is no schema in text format"):
        read_schema(str(tmp_path))
    with pytest.raises(InputError, match="cannot read"):
        read_schema(str(tmp_path / "nowhere"))


def test_statistics_as_tfdv_makes_them(tmp_path):
    import pandas as pd
    import tensorflow_data_validation as tfdv

    frame = pd.DataFrame({"age": np.arange(100)})
    made = tfdv.generate_statistics_from_dataframe(frame)
    # Beside the whole, as with slices.
    both = statistics_pb2.DatasetFeatureStatisticsList()
    both.datasets.add(name="age_5").features.add().path.step.append("age")
    both.datasets.add().CopyFrom(made.datasets[0])
    both.datasets[1].name = "All Examples"
    (tmp_path / "Split-eval").mkdir()
    (tmp_path / "Split-eval" / "FeatureStats.pb").write_bytes(both.SerializeToString())
    found = read_statistics(str(tmp_path), "eval")
    assert found.num_examples == 100
    assert found.features[0].num_stats.mean == pytest.approx(49.5)
    with pytest.raises(InputError, match=r"no statistics of split 'train' at .*artifact has eval"):
        read_statistics(str(tmp_path), "train")


def test_what_are_no_statistics(tmp_path):
    (tmp_path / "Split-a").mkdir()
    path = tmp_path / "Split-a" / "FeatureStats.pb"
    path.write_bytes(b"\xff\xff")
    with pytest.raises(InputError, match="holds no statistics"):
        read_statistics(str(tmp_path), "a")
    path.write_bytes(b"")
    with pytest.raises(InputError, match="holds statistics of no feature"):
        read_statistics(str(tmp_path), "a")
