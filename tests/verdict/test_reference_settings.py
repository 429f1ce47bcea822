"""A baseline that was measured with other reference models is none for attacks with them."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.verdict.baseline import Baseline
from tfx_privacy.verdict.judge import judge
from tfx_privacy.verdict.reference_settings import settings_of_all, settings_of_attack

RISE = text_format.Parse(
    'thresholds { metric { name: "auc" } upper_limit: 0.95 } '
    'thresholds { metric { name: "auc" } change_limit: 0.02 }',
    thresholds_pb2.PrivacyThresholds(),
)
FLIPS = {"function": "mine.flips", "queries": 2}


def _set(ids):
    found = IdSet.of(ids)
    return {"records": found.records, "digest": found.digest}


def _references(models=4, queries=1, rows=200, **pool):
    """Models that know nothing of their own records."""
    ids = np.random.default_rng(models).integers(0, 2**63, (rows, 2)).astype(np.uint64)
    trained_on = inside(ids, 0, models)
    pool = pool or {"online": {}}
    trained = references_pb2.ReferenceModels(
        config=references_pb2.ReferenceModelsConfig(models=models, **pool),
        pool=_set(ids),
        models=[
            {"index": index, "trained_on": _set(ids[side]), "held_out": _set(ids[~side])}
            for index, side in enumerate(trained_on.T)
        ],
    )
    return results_pb2.ReferenceResults(
        trained=trained,
        queries=queries,
        online="online" in pool,
        losses=[
            {"index": one.index, "inside": one.trained_on.records, "outside": one.held_out.records}
            for one in trained.models
        ],
        difference={"records": rows, "p_value": 1.0},
        rmia_gamma=2,
        rmia_offline_a=0.3,
    )


def _run(measurements, attack, references, **asked):
    made = measurements.of(members=40_000, nonmembers=20_000, advantages={attack: 0.05})
    if references is not None:
        made.results.references.CopyFrom(references)
        spec = config_pb2.ReferenceSpec(**{"rmia_gamma": 2.0, **asked})
        made.results.config.references.CopyFrom(spec)
    return made


def _judged(run, before):
    return judge(
        run.results,
        run.evidence,
        RISE,
        baseline=Baseline("/metrics/before", before.results, before.evidence),
    )


SYNTHETIC = {"records": 10, "noisy": {"share": 0.1, "splits": ["train"]}}
LESS_NOISE = {"records": 10, "noisy": {"share": 0.2, "splits": ["train"]}}


@pytest.mark.parametrize(
    ("attack", "then", "now", "why"),
    [
        ("lira_online", {}, {}, ""),
        ("lira_online", {"models": 8}, {}, "(8 models trained on halves of members and non-mem"),
        ("attack_r", {"models": 8}, {}, "than here (4 models trained on"),
        ("attack_r", {"offline": {"splits": ["rest"]}}, {}, "halves of rest, apart from the rec"),
        ("attack_r", {"synthetic": SYNTHETIC}, {"synthetic": LESS_NOISE}, "noisy { share: 0.1"),
        # How many synthetic records there are hangs on the target's, as other numbers do.
        ("attack_r", {"synthetic": SYNTHETIC}, {"synthetic": {**SYNTHETIC, "records": 5}}, ""),
        ("attack_r", {"rows": 100}, {"rows": 200}, ""),
        ("lira_offline", {"queries": 2, "asked": {"augmentation": FLIPS}}, {}, "2 queries a re"),
        ("attack_r", {"queries": 2, "asked": {"augmentation": FLIPS}}, {}, ""),
        ("rmia_online", {"asked": {"rmia_offline_a": 0.3}}, {}, "RMIA's gamma 2 and a 0.3)"),
        ("lira_online", {"asked": {"rmia_offline_a": 0.3}}, {}, ""),
        ("loss_threshold", {"models": 8}, {}, ""),
    ],
)
def test_what_reference_models_there_are_has_to_be_the_same(
    measurements, attack, then, now, why
) -> None:
    """Else a model that leaks more could hide behind an attack with fewer of them."""
    before, run = (
        _run(
            measurements,
            attack,
            _references(**{name: value for name, value in given.items() if name != "asked"}),
            **given.get("asked", {}),
        )
        for given in (then, now)
    )
    verdict = _judged(run, before)
    assert verdict.outcome == (verdict_pb2.CANNOT_TELL if why else verdict_pb2.PASS)
    if why:
        assert f"the attack '{attack}' had other reference models in the base" in verdict.reasons[0]
        assert why in verdict.reasons[0]


def test_a_baseline_without_reference_models(measurements) -> None:
    """Attacks without them have their baseline, the others have none."""
    before = _run(measurements, "loss_threshold", None)
    verdict = _judged(_run(measurements, "loss_threshold", _references()), before)
    assert verdict.outcome == verdict_pb2.PASS
    verdict = _judged(_run(measurements, "attack_r", _references()), before)
    assert verdict.outcome == verdict_pb2.CANNOT_TELL
    assert "the attack 'attack_r' did not run on the baseline" in verdict.reasons[0]


def test_settings_in_words(measurements) -> None:
    run = _run(measurements, "rmia_offline", _references(), augmentation=FLIPS)
    models = "4 models trained on halves of members and non-members together"
    assert settings_of_all(run.results) == (
        f"{models}, 2 queries a record by mine.flips, RMIA's gamma 2 and a chosen on them"
    )
    assert settings_of_attack("rmia_offline", run.results) == (
        f"{models}, RMIA's gamma 2 and a chosen on them"
    )
    assert settings_of_attack("shadow_models", run.results) == models
    # Whoever mounts it.
    for attack in ("rmia_offline", "lira_online", "shadow_models", "loss_threshold"):
        assert settings_of_attack(f"{attack}@weak", run.results) == settings_of_attack(
            attack, run.results
        )
    assert settings_of_attack("loss_threshold", run.results) == ""
    run.results.references.trained.config.steps = references_pb2.SAME_STEPS
    assert settings_of_attack("attack_r", run.results) == (
        f"{models}, each with the target's number of steps"
    )
    run.results.ClearField("references")
    assert settings_of_all(run.results) == settings_of_attack("attack_r", run.results) == ""
