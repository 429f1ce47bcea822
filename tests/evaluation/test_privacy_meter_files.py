"""The files of ML Privacy Meter: names, shapes, orders, and what is where something is missing.

Names and shapes are those that its first version's documentation and code give:
https://github.com/privacytrustlab/ml_privacy_meter, folder `archive`.
"""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest

from tfx_privacy.evaluation import attack_table
from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.evaluation.privacy_meter_files import FOLDER, write_privacy_meter_files
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import table_writer
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.table_reader import read_description

_ROWS = 900
_CLASSES = 3
_VOCABULARY = ["<one>", "two & more", "three"]
_SIDES = {"members": ("m", "member_probs.npy"), "nonmembers": ("nm", "nonmember_probs.npy")}

# Time is saved.
_HALVED = (config_pb2.NEGATIVE_CONTROL, config_pb2.POSITIVE_CONTROL)

Inputs = dict[str, np.ndarray]


def _columns(side: str, **more: np.ndarray) -> Inputs:
    """Predictions of which members' are better; `row` tells each record from any other."""
    is_member = side == "members"
    rng = np.random.default_rng(is_member)
    label = rng.integers(0, _CLASSES, _ROWS)
    logits = rng.normal(size=(_ROWS, _CLASSES)).astype(np.float32)
    logits[np.arange(_ROWS), label] += 1.5 * is_member
    row = np.arange(_ROWS) + (0 if is_member else 10_000)
    return {"id": row, "label": label, "logits": logits, "row": row, **more}


def _measured(
    folder: Path, columns: Callable[[str], Inputs] = _columns, **fields: object
) -> tuple[Path, dict[str, Inputs]]:
    """The folder of the files, and what was measured."""
    given = {side: columns(side) for side in ("members", "nonmembers")}
    for side, of_side in given.items():
        np.savez(folder / f"{side}.npz", **of_side)
    defaults = {"attacks": ["loss_threshold"], "skip_controls": _HALVED}
    config = config_pb2.PrivacyConfig(**{**defaults, "privacy_meter_files": True, **fields})
    with whole_output(str(folder / "metrics")) as outputs:
        measure(
            str(folder / "members.npz"),
            str(folder / "nonmembers.npz"),
            config,
            outputs,
            beam.Pipeline,
        )
    return folder / "metrics" / "record_risk" / FOLDER, given


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Inputs]]:
    """The folder of a run whose rows lie in several buckets."""
    folder = tmp_path_factory.mktemp("plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_writer, "_ROWS_A_BUCKET", 300)
        return _measured(folder, model_spec={"label_vocabulary": _VOCABULARY})


def _column_of(folder: Path, feature: str) -> int:
    layout = json.loads((folder / "features.json").read_text())
    (found,) = (one for one in layout["features"] if one["feature"] == feature)
    return found["first_column"]


def _risks(folder: Path) -> pd.DataFrame:
    """The judged records of the record-risk table, read as the README says."""
    table = pd.read_parquet(folder.parent)
    judged = table[table["part"] == "JUDGE"]
    return judged.set_index(judged["id"].map(bytes.hex))


def test_each_row_of_every_file_is_the_same_record(plain: tuple[Path, dict[str, Inputs]]) -> None:
    folder, given = plain
    assert read_description(str(folder.parent.parent / "signals")).buckets == 6
    table = _risks(folder)
    for side, (prefix, probs_name) in _SIDES.items():
        ids = np.load(folder / f"{prefix}_ids.npy")
        probs = np.load(folder / probs_name)
        features = np.load(folder / f"{prefix}_features.npy")
        labels = np.load(folder / f"{prefix}_labels.npy")
        judged = table[table["member"] == (side == "members")]
        assert 500 < len(ids) == len(judged) < 700
        assert set(ids) == set(judged.index)
        # [n, 1], as the sigmoid at the end of Privacy Meter's attack network gives them.
        assert probs.shape == (len(ids), 1)
        np.testing.assert_array_equal(probs[:, 0], judged.loc[ids, "risk"])
        rows = features[:, _column_of(folder, "row")].astype(int) % 10_000
        assert len(set(rows)) == len(rows)
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(labels, given[side]["label"][rows])
        assert features.dtype == np.float32
    # Scripts compare these two: members are at a higher risk.
    member, nonmember = (np.load(folder / name).mean() for _, name in _SIDES.values())
    assert member > nonmember + 0.1


def test_the_files_are_the_same_however_rows_lie_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = np.random.default_rng(5).permutation(_ROWS)
    orders = {"first": np.arange(_ROWS), "second": order}
    found = {}
    for name, rows in orders.items():
        (tmp_path / name).mkdir()
        columns = {
            side: {k: v[rows] for k, v in _columns(side).items()}
            for side in ("members", "nonmembers")
        }
        folder, _ = _measured(tmp_path / name, columns.__getitem__)
        found[name] = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found["first"] == found["second"]


def test_signals_may_go(tmp_path: Path) -> None:
    folder, _ = _measured(tmp_path, keep_signals=False)
    assert not list((tmp_path / "metrics" / "signals").glob("*.parquet"))
    assert np.load(folder / "m_features.npy").shape[0] == len(np.load(folder / "m_ids.npy")) > 500


def test_words_lists_and_numbers_have_columns_of_their_own(tmp_path: Path) -> None:
    words = np.array(["cash", "card", "cash"] * (_ROWS // 3))
    pixels = np.arange(4 * _ROWS, dtype=np.float32).reshape(_ROWS, 4)
    folder, given = _measured(
        tmp_path, lambda side: _columns(side, payment=words, pixels=pixels), attacks=["fast"]
    )
    features = np.load(folder / "m_features.npy")
    layout = json.loads((folder / "features.json").read_text())
    assert [(one["feature"], one["kind"], one["columns"]) for one in layout["features"]] == [
        ("payment", "word", 1),
        ("pixels", "number", 4),
        ("row", "number", 1),
    ]
    assert features.shape[1] == layout["columns"] == 6
    rows = features[:, _column_of(folder, "row")].astype(int)
    first = _column_of(folder, "pixels")
    np.testing.assert_array_equal(features[:, first : first + 4], given["members"]["pixels"][rows])
    codes = features[:, _column_of(folder, "payment")]
    by_word = {word: set(codes[words[rows] == word]) for word in ("cash", "card")}
    assert [len(found) for found in by_word.values()] == [1, 1]
    assert by_word["cash"] != by_word["card"]


def test_without_inputs_the_readme_says_why(tmp_path: Path) -> None:
    folder, _ = _measured(tmp_path, skip_controls=[config_pb2.BLIND_BASELINE])
    names = {path.name for path in folder.iterdir()}
    assert "m_features.npy" not in names
    assert "features.json" not in names
    assert {"m_labels.npy", "member_probs.npy", "privacy_risk.svg", "roc.svg"} <= names
    assert "No features: the signals table keeps no inputs" in (folder / "README.txt").read_text()


def test_without_risk_there_are_no_probabilities_and_the_readme_says_why(tmp_path: Path) -> None:
    # No attack can run: entropy is not defined for a regression.
    folder, _ = _measured(
        tmp_path,
        lambda side: {**_columns(side), "label": _columns(side)["logits"] + 1},
        model_spec={"task": config_pb2.REGRESSION},
        attacks=["entropy"],
    )
    names = {path.name for path in folder.iterdir()}
    assert not {"member_probs.npy", "nonmember_probs.npy"} & names
    assert not [name for name in names if name.endswith(".svg")]
    assert np.load(folder / "m_labels.npy").shape == (len(np.load(folder / "m_ids.npy")), 3)
    assert "No probabilities: no attack ran." in (folder / "README.txt").read_text()


@pytest.mark.parametrize("task", [config_pb2.MULTILABEL, config_pb2.REGRESSION])
def test_labels_of_several_numbers_are_a_matrix(
    tmp_path: Path, task: config_pb2.Task.ValueType
) -> None:
    def columns(side: str) -> Inputs:
        found = _columns(side)
        close = found["logits"] + (0.1 if side == "members" else 1.0)
        flags = (found["logits"] > 0).astype(np.int64)
        return {**found, "label": flags if task == config_pb2.MULTILABEL else close}

    folder, given = _measured(tmp_path, columns, model_spec={"task": task})
    for side, (prefix, _) in _SIDES.items():
        labels = np.load(folder / f"{prefix}_labels.npy")
        rows = np.load(folder / f"{prefix}_features.npy")[:, 0].astype(int) % 10_000
        assert labels.dtype == np.float32
        np.testing.assert_array_equal(labels, given[side]["label"][rows].astype(np.float32))
    # These have no classes to draw one by one.
    assert not list(folder.glob("privacy_risk_label*.svg"))
    assert not (folder / "risk_by_label.svg").exists()


def test_without_labels_there_is_no_file_of_them(tmp_path: Path) -> None:
    def columns(side: str) -> Inputs:
        found = _columns(side)
        del found["label"]
        return found

    folder, _ = _measured(tmp_path, columns, attacks=["entropy"])
    assert not (folder / "m_labels.npy").exists()
    assert (folder / "m_features.npy").exists()
    assert "No labels" in (folder / "README.txt").read_text()


def test_pictures_are_svg_files_of_their_own(plain: tuple[Path, dict[str, Inputs]]) -> None:
    folder, _ = plain
    names = sorted(path.name for path in folder.glob("*.svg"))
    expected = [f"privacy_risk_label{label}.svg" for label in range(_CLASSES)]
    assert names == sorted(["privacy_risk.svg", "risk_by_label.svg", "roc.svg", *expected])
    for name in names:
        text = (folder / name).read_text()
        assert ET.fromstring(text.encode()).tag == "{http://www.w3.org/2000/svg}svg"
        # Nothing that only the page's style sheet would know.
        assert "var(" not in text
        assert "members (training records)" in text or name == "roc.svg"
    assert "label &lt;one&gt;" in (folder / "privacy_risk_label0.svg").read_text()


def test_of_many_classes_twenty_are_drawn(tmp_path: Path) -> None:
    def columns(side: str) -> Inputs:
        rng = np.random.default_rng(3)
        label = np.minimum(np.arange(_ROWS) // 20, 29)
        logits = rng.normal(size=(_ROWS, 30)).astype(np.float32)
        logits[np.arange(_ROWS), label] += 2 * (side == "members")
        return {**_columns(side), "label": label, "logits": logits}

    folder, _ = _measured(tmp_path, columns)
    drawn = {path.stem for path in folder.glob("privacy_risk_label*.svg")}
    assert len(drawn) == 20
    # The largest of them is among these: class 29 has 320 of 900 rows a side.
    assert "privacy_risk_label29" in drawn


def test_norms_are_drawn_where_results_have_them(
    plain: tuple[Path, dict[str, Inputs]], tmp_path: Path
) -> None:
    metrics = tmp_path / "metrics"
    shutil.copytree(plain[0].parent.parent, metrics)
    folder = metrics / "record_risk" / FOLDER
    content = read_metrics(str(metrics))
    for layer, members in (("", [3, 2, 1]), ("dense/kernel", [3, 2, 1]), ("other", [0, 0, 0])):
        content.results.white_box.norms.add(
            layer=layer,
            edges=[0.01, 0.1, 1.0, 10.0],
            members=members,
            nonmembers=[1, 2, 3],
            median_member=0.25,
            median_nonmember=2.5,
        )
    write_privacy_meter_files(
        str(metrics / "signals"),
        read_description(str(metrics / "signals")),
        str(metrics / "record_risk"),
        content.results,
        content.evidence,
    )
    whole = (folder / "gradient_norms.svg").read_text()
    assert "all layers together: median of members 0.25, of non-members 2.5" in whole
    layer = (folder / "gradient_norms_layer0.svg").read_text()
    assert "of dense/kernel" in layer
    assert "all layers together" not in layer
    # The second distribution has no member, so no shape to draw.
    assert not (folder / "gradient_norms_layer1.svg").exists()


def test_a_second_run_replaces_them(plain: tuple[Path, dict[str, Inputs]], tmp_path: Path) -> None:
    shutil.copytree(plain[0].parent.parent, tmp_path / "metrics")
    folder, _ = _measured(tmp_path, privacy_meter_files=False)
    assert not folder.exists()


def test_a_failure_leaves_none_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def fail(*args: object) -> None:
        seen.extend(path.name for path in tmp_path.rglob("*.npy"))
        raise RuntimeError("late")

    monkeypatch.setattr(attack_table, "write_metrics", fail)
    with pytest.raises(RuntimeError, match="late"):
        _measured(tmp_path)
    assert len(seen) == 8
    assert not (tmp_path / "metrics").exists()


def test_tables_that_do_not_belong_together_are_an_error(
    plain: tuple[Path, dict[str, Inputs]], tmp_path: Path
) -> None:
    metrics = plain[0].parent.parent
    shutil.copytree(metrics / "record_risk", tmp_path / "record_risk")
    first, second = sorted((tmp_path / "record_risk").glob("*.parquet"))[:2]
    shutil.copy(first, second)
    content = read_metrics(str(metrics))
    with pytest.raises(InputError, match=r"bucket 1 of the signals table .* holds 0 of the"):
        write_privacy_meter_files(
            str(metrics / "signals"),
            read_description(str(metrics / "signals")),
            str(tmp_path / "record_risk"),
            content.results,
            content.evidence,
        )
