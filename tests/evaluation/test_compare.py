"""Which measurements can be compared, what they are called, and what changed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tfx_privacy.evaluation.compare import compare, write_comparison
from tfx_privacy.evaluation.in_memory import measure_in_memory
from tfx_privacy.evaluation.metrics_directory import read_metrics, write_metrics
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.comparison import Places
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import row_ids

ROWS = 600


def _measure(folder: Path, leak: float = 0.0, **config) -> Path:
    """Metrics of losses that are smaller by `leak` for members."""
    task = config.pop("task", config_pb2.MULTICLASS)
    rng = np.random.default_rng(3)
    signals = Signals.concatenate(
        [
            Signals(
                task=task,
                ids=row_ids(0, ROWS, is_member=is_member),
                member=np.full(ROWS, is_member),
                loss=(rng.normal(size=ROWS) - leak * is_member).astype(np.float32),
            )
            for is_member in (True, False)
        ]
    )
    given = config_pb2.PrivacyConfig(**{"attacks": ["loss_threshold"], **config})
    model = results_pb2.TargetModel(uri=folder.name, task=task)
    write_metrics(measure_in_memory(signals, model, given), str(folder))
    return folder


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("runs")
    leaks = {10: 1.5, 2: 0.0, 1: 0.0}
    return [str(_measure(root / f"epoch_{epoch}", leak)) for epoch, leak in leaks.items()]


def test_numbers_at_the_end_of_names_are_epochs(epochs: list[str]) -> None:
    comparison = compare(epochs)
    assert comparison.places is Places.EPOCHS_OF_NAMES
    # In the order of numbers, not of letters or arguments.
    assert [each.name for each in comparison.compared] == ["epoch_1", "epoch_2", "epoch_10"]
    assert [each.place for each in comparison.compared] == [1, 2, 10]


def test_epochs_that_are_given_count_before_names(epochs: list[str]) -> None:
    comparison = compare(epochs, epochs=(0.5, 3, 7))
    assert comparison.places is Places.EPOCHS_GIVEN
    assert [each.name for each in comparison.compared] == ["epoch_10", "epoch_2", "epoch_1"]


@pytest.mark.parametrize("names", [("cnn2", "mlp3", "mlp9"), ("a", "b", "c"), ("v1", "v2", "v")])
def test_other_names_leave_the_order_that_was_given(epochs, names) -> None:
    comparison = compare(epochs, names=names)
    assert comparison.places is Places.ORDER
    assert [each.name for each in comparison.compared] == list(names)
    assert [each.place for each in comparison.compared] == [1, 2, 3]


def test_names_are_the_parts_of_paths_that_differ(tmp_path: Path) -> None:
    folders = [_measure(tmp_path / name / "metrics") for name in ("epoch_1", "epoch_5")]
    comparison = compare([str(folder) for folder in folders])
    assert [each.name for each in comparison.compared] == ["epoch_1", "epoch_5"]
    assert comparison.places is Places.EPOCHS_OF_NAMES


def test_the_change_is_movers_of_two_unrelated_intervals(epochs: list[str]) -> None:
    comparison = compare(epochs)
    change = comparison.change
    assert change.metric.name == "auc"
    # One attack, so the best of all is that attack.
    first, *_, last = [each.results.attacks[0].metrics[0].value for each in comparison.compared]
    assert change.interval.estimate == pytest.approx(last.estimate - first.estimate)
    # Zou and Donner 2008, without correlation.
    down = math.hypot(last.estimate - last.lower, first.upper - first.estimate)
    assert change.interval.lower == pytest.approx(change.interval.estimate - down)
    up = math.hypot(last.upper - last.estimate, first.estimate - first.lower)
    assert change.interval.upper == pytest.approx(change.interval.estimate + up)
    # Normal losses 1.5 deviations apart: AUC = Phi(1.5 / sqrt 2) = .856 against .5.
    assert change.interval.lower < 0.856 - 0.5 < change.interval.upper


def test_equal_measurements_warn_of_nothing_but_the_controls(epochs: list[str]) -> None:
    warnings = compare(epochs).warnings
    assert len(warnings) == 1
    assert "(the blind baseline did not run)" in warnings[0]


def test_what_differs_beside_the_model_is_said(epochs: list[str], tmp_path: Path) -> None:
    other = _measure(
        tmp_path / "other",
        metrics=[{"name": "auc"}, {"name": "epsilon"}],
        confidence=0.9,
        seed=1,
    )
    comparison = compare([epochs[0], str(other)])
    told = "\n".join(comparison.warnings)
    assert "Intervals have different confidences: 0.95 in epoch_10; 0.9 in other." in told
    assert "fit or judge differs (the seed): 0 in epoch_10; 1 in other." in told
    assert "only common ones are compared" in told
    assert [spec.name for spec in comparison.metrics] == ["auc", "epsilon"]


def test_what_cannot_be_compared_is_refused(epochs: list[str], tmp_path: Path) -> None:
    regression = str(_measure(tmp_path / "regression", task=config_pb2.REGRESSION))
    with pytest.raises(InputError, match="epoch_10 is of the task MULTICLASS and regression of RE"):
        compare([epochs[0], regression])
    precise = str(_measure(tmp_path / "precise", metrics=[{"name": "precision"}]))
    with pytest.raises(InputError, match="neither AUC nor advantage in common"):
        compare([epochs[0], precise])
    with pytest.raises(InputError, match="epoch_2/ is given twice"):
        compare([epochs[1], epochs[1] + "/"])
    with pytest.raises(InputError, match="holds no metrics"):
        compare([epochs[0], str(tmp_path)])


def test_names_and_epochs_are_one_for_each(epochs: list[str]) -> None:
    with pytest.raises(InputError, match="found 2 of --name and 3 directories"):
        compare(epochs, names=("a", "b"))
    with pytest.raises(InputError, match="--epoch 2 is given twice"):
        compare(epochs, epochs=(1, 2, 2))


def test_page_and_table_are_written(epochs: list[str], tmp_path: Path) -> None:
    write_comparison(compare(epochs), str(tmp_path / "deep" / "output"))
    written = {path.name for path in (tmp_path / "deep" / "output").iterdir()}
    assert written == {"comparison.html", "comparison.csv"}


def test_attackers_of_one_name_that_know_other_things_are_warned_of(tmp_path: Path) -> None:
    weak = {"name": "weak", "members_known": 0.2}
    less = {"name": "weak", "members_known": 0.1}
    folders = [
        str(_measure(tmp_path / name, attackers=[attacker]))
        for name, attacker in (("a", weak), ("b", less), ("c", weak))
    ]
    (told,) = (each for each in compare(folders).warnings if each.startswith("Attackers"))
    assert told == (
        "Attackers that know less differ: weak (told 20% of the members, sees everything) in a, c; "
        "weak (told 10% of the members, sees everything) in b."
    )
    same = compare([folders[0], folders[2]]).warnings
    assert not [each for each in same if each.startswith("Attackers")]


def test_other_settings_of_white_box_attacks_are_warned_of(tmp_path: Path) -> None:
    plain = _measure(tmp_path / "plain")
    folders = [str(plain)]
    for name, epochs in (("a", 1), ("b", 50)):
        content = read_metrics(str(plain))
        content.results.config.white_box.sketch_rows = 16
        content.results.config.attack_network.epochs = epochs
        content.results.white_box.not_computed = "no attack that looks at gradients ran"
        write_metrics(content, str(tmp_path / name))
        folders.append(str(tmp_path / name))
    (told,) = (each for each in compare(folders).warnings if each.startswith("What attacks"))
    assert told == (
        "What attacks are shown of the inside of the model differs: nothing in plain; white_box { "
        "sketch_rows: 16 } attack_network { epochs: 1 } in a; white_box { sketch_rows: 16 } "
        "attack_network { epochs: 50 } in b."
    )


def test_other_reference_models_are_warned_of(tmp_path: Path) -> None:
    plain = _measure(tmp_path / "plain")
    folders = [str(plain)]
    for name, models in (("a", 4), ("b", 8)):
        content = read_metrics(str(plain))
        content.results.config.references.rmia_gamma = 2
        trained = content.results.references.trained.config
        trained.models = models
        trained.offline.splits.append("rest")
        write_metrics(content, str(tmp_path / name))
        folders.append(str(tmp_path / name))
    (told,) = (each for each in compare(folders).warnings if each.startswith("Reference models"))
    rest = (
        "models trained on halves of rest, apart from the records judged, one query a record, "
        "RMIA's gamma 2 and a chosen on them"
    )
    assert told == (
        "Reference models, or how they are asked and compared, differ: none in plain; "
        f"4 {rest} in a; 8 {rest} in b."
    )
