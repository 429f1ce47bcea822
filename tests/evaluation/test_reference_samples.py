"""Samples carry what reference models said where an attack looks at it, for fewer rows if wide."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import apache_beam as beam
import pytest

from tfx_privacy.attacks.attacker import LimitedAttacker
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.fit_on import without_references
from tfx_privacy.evaluation.matched_layout import match_layout
from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.evaluation.samples import wide_rows
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.reference_signals import ReferenceLayout
from tfx_privacy.signals.table import IdentityDescription, TableDescription

_TABLE = TableDescription(
    task=config_pb2.MULTICLASS,
    output_kind=config_pb2.LOGITS,
    output_width=3,
    logits_source="",
    label_vocabulary=(),
    label_width=0,
    slice_features=(),
    input_features=(),
    has_label=True,
    has_logits=True,
    has_loss=True,
    has_units=False,
    has_weight=False,
    references=ReferenceLayout(models=128, queries=18, has_logits=True),
    identity=IdentityDescription("key", "trip"),
    splits=(),
    buckets=1,
    files=(),
)


def test_a_side_has_so_many_rows_as_fit_and_at_most_20_000() -> None:
    # By hand: 128 * 5 + 4 * 129 * 18 = 9,928 bytes a row; 128 MB a side.
    assert wide_rows(_TABLE, 1_000_000, 0, ("references",)) == (128 << 20) // 9_928
    few = dataclasses.replace(_TABLE, references=ReferenceLayout(4, 1, has_logits=True))
    assert wide_rows(few, 1_000_000, 0, ("references",)) == 20_000
    # Where no attack looks at them they take no room.
    assert wide_rows(_TABLE, 1_000_000, 0, ("inputs",)) == 20_000


def test_another_models_rows_have_none_and_the_reason_is_told() -> None:
    attacks = resolve_attacks(["loss_threshold", "lira_offline", "rmia_online", "attack_r"])
    able, reasons = without_references(attacks)
    assert [attack.name for attack in able] == ["loss_threshold"]
    assert set(reasons) == {"lira_offline", "rmia_online", "attack_r"}
    assert "the other model that attacks are fitted on has none" in reasons["attack_r"]
    # Whether an attacker sees them or not.
    weak = LimitedAttacker(attacks[1], "weak", 1.0, ("logits", "label"))
    assert without_references([weak]) == ((), {"lira_offline@weak": reasons["lira_offline"]})

    assert match_layout(_TABLE, _TABLE, (), (), "/other").layout.references is None


def test_saved_predictions_cannot_be_asked_of_reference_models(tmp_path: Path) -> None:
    config = config_pb2.PrivacyConfig(references={})
    with (
        pytest.raises(InputError, match="references is set, which cannot be followed"),
        whole_output(str(tmp_path / "output")) as outputs,
    ):
        measure("members.npz", "nonmembers.npz", config, outputs, beam.Pipeline)
