"""Whether metrics tell of every control that they were to have: what was removed is missed."""

from __future__ import annotations

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.attack_network_config import with_settings
from tfx_privacy.metrics.controls import POSITIVE_SHARES
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.errors import InputError

_EXPECTED = "expected what came of it, or why it did not run: metrics must not be edited by hand"


def require_controls(results: results_pb2.PrivacyResults) -> None:
    """Refuses metrics from which a control, or a part of one, was removed.

    Every measurement runs each control or says why not. One that failed and was then
    taken out, its counts with it, would leave metrics that agree with themselves.

    Args:
      results: What was measured.

    Raises:
      InputError: If a control has neither values nor a reason, an attack is missing in
        it, or the positive control lacks one of its shares; or if the metrics do not say
        which attacks were asked for.
    """
    if not results.config.attacks:
        raise InputError(
            "the metrics do not say which attacks were asked for; expected them in `config`: "
            "metrics must not be edited by hand"
        )
    controls = results.controls
    # What an attacker that knows less mounts is tried out by who knows most.
    ran = list(dict.fromkeys(split_name(attack.name)[0] for attack in results.attacks))
    if not (controls.blind_baseline.metrics or controls.blind_baseline.not_run):
        raise _nothing_of("blind baseline")
    if not controls.negative.not_run:
        listed = [attack.name for attack in controls.negative.attacks]
        _require_attacks("negative control", listed, ran)
    if controls.positive.not_run:
        return
    shares = [run.share for run in controls.positive.runs]
    if sorted(shares) != sorted(POSITIVE_SHARES):
        raise InputError(
            f"the metrics have the positive control with shares {shares}; expected "
            f"{list(POSITIVE_SHARES)}: metrics must not be edited by hand"
        )
    seeing = [attack for attack in ran if _sees_planted(attack, results.config)]
    for run in controls.positive.runs:
        listed = [attack.name for attack in run.attacks]
        _require_attacks(f"positive control with share {run.share:g}", listed, seeing)


def _require_attacks(control: str, listed: list[str], expected: list[str]) -> None:
    if not listed:
        raise _nothing_of(control)
    missing = [attack for attack in expected if attack not in listed]
    if missing:
        raise InputError(
            f"the metrics have nothing of {', '.join(missing)} in the {control}; {_EXPECTED}"
        )


def _sees_planted(name: str, config: config_pb2.PrivacyConfig) -> bool:
    try:
        (attack,) = resolve_attacks([name])
    except ValueError as error:
        raise InputError(f"the metrics have an attack that is unknown: {error}") from error
    return with_settings(attack, config).sees_planted


def _nothing_of(control: str) -> InputError:
    return InputError(f"the metrics have nothing of the {control}; {_EXPECTED}")
