"""The part of PrivacyConfig about the attack network, checked, with its defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.white_box_network import WhiteBoxNetwork
from tfx_privacy.attacks.white_box_network_backend import BACKENDS, require_installed
from tfx_privacy.attacks.white_box_network_training import OPTIMIZERS
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.white_box_layout import WhiteBoxLayout

_DEFAULTS = WhiteBoxNetwork()
_PARTS = {
    config_pb2.OUTPUT_PART: None,
    config_pb2.LOSS_PART: None,
    config_pb2.LABEL_PART: None,
    config_pb2.NORM_PART: config_pb2.GRADIENT_NORMS,
    config_pb2.SKETCH_PART: config_pb2.GRADIENT_SKETCHES,
    config_pb2.ACTIVATION_PART: config_pb2.ACTIVATIONS,
}

# By the field that names layers: the parts that are of layers.
_LAYER_FIELDS = {
    "gradient_layers": (config_pb2.NORM_PART, config_pb2.SKETCH_PART),
    "activation_layers": (config_pb2.ACTIVATION_PART,),
}


def resolve_attack_network(config: config_pb2.PrivacyConfig) -> None:
    """Fills in the defaults of `attack_network`, where it is set or the network is to run.

    Attacks are resolved before. Whether the model has layers of the names given shows
    when it is at hand, whether the backend is installed where attacks are fitted.

    Raises:
      InputError: If a value is out of its range or unknown; the message names the field.
    """
    if not (config.HasField("attack_network") or _runs_network(config)):
        return
    network = config.attack_network
    _check_parts(network.parts, config.white_box.skip)
    _check_layers(network, config.white_box.skip)
    _resolve_choice(network, "optimizer", _DEFAULTS.optimizer, OPTIMIZERS)
    _resolve_choice(network, "backend", _DEFAULTS.backend, BACKENDS)
    _resolve_numbers(network)


def require_network_backend(config: config_pb2.PrivacyConfig) -> None:
    """Raises InputError where the network is to run and its backend is not installed here."""
    if _runs_network(config):
        require_installed(config.attack_network.backend or _DEFAULTS.backend)


def require_seen(config: config_pb2.PrivacyConfig, layout: WhiteBoxLayout | None) -> None:
    """Sees to it that what the network is to look at is computed, part by part and layer by layer.

    Where nothing is said of parts or layers, it looks at whatever is there.

    Args:
      config: The resolved configuration.
      layout: What is computed; None for nothing, which is told as with every attack.

    Raises:
      InputError: If a part or a layer is named that is not; the message names the field.
    """
    if layout is None or not _runs_network(config):
        return
    network = config.attack_network
    computed = {
        config_pb2.NORM_PART: layout.norm_layers,
        config_pb2.SKETCH_PART: layout.sketch_layers,
        config_pb2.ACTIVATION_PART: tuple(layout.activation_widths),
    }
    for part in network.parts:
        if part in computed and not computed[part]:
            raise InputError(
                f"attack_network.parts names {config_pb2.NetworkPart.Name(part)}, which is "
                "computed of no layer of this model (by default no sketches of layers with fewer "
                "weights than a sketch has); expected layers for it in white_box, or other parts"
            )
    parts = tuple(network.parts) or tuple(computed)
    for field, seen in _LAYER_FIELDS.items():
        there = [layer for part in seen if part in parts for layer in computed[part]]
        for layer in getattr(network, field):
            if layer not in there:
                raise InputError(
                    f"attack_network.{field} names {layer!r}, of which nothing is computed that "
                    f"the network looks at; expected some of {', '.join(dict.fromkeys(there))}"
                )


def with_settings(attack: Attack, config: config_pb2.PrivacyConfig) -> Attack:
    """The attack with the settings that a resolved configuration has for it."""
    if not (isinstance(attack, WhiteBoxNetwork) and config.HasField("attack_network")):
        return attack
    network = config.attack_network
    return WhiteBoxNetwork(
        parts=tuple(network.parts),
        gradient_layers=tuple(network.gradient_layers),
        activation_layers=tuple(network.activation_layers),
        optimizer=network.optimizer,
        learning_rate=network.learning_rate,
        epochs=network.epochs,
        batch_size=network.batch_size,
        patience=network.patience,
        backend=network.backend,
    )


def _runs_network(config: config_pb2.PrivacyConfig) -> bool:
    attacks = [config.attacks, *(attacker.attacks for attacker in config.attackers)]
    return any(WhiteBoxNetwork.name in names for names in attacks)


def _check_parts(
    parts: Sequence[config_pb2.NetworkPart.ValueType],
    skipped: Sequence[config_pb2.WhiteBoxSignal.ValueType],
) -> None:
    names = {part: config_pb2.NetworkPart.Name(part) for part in _PARTS}
    for index, part in enumerate(parts):
        if part not in names:
            raise InputError(
                f"attack_network.parts[{index}] is {part}; expected one of "
                f"{', '.join(names.values())}"
            )
        if part in parts[:index]:
            raise InputError(
                f"attack_network.parts names {names[part]} more than once; expected each part once"
            )
        signal = _PARTS[part]
        if signal is not None and signal in skipped:
            raise InputError(
                f"attack_network.parts names {names[part]}, and white_box.skip names "
                f"{config_pb2.WhiteBoxSignal.Name(signal)}, which it is; expected one of the two"
            )


def _check_layers(
    network: config_pb2.AttackNetwork, skipped: Sequence[config_pb2.WhiteBoxSignal.ValueType]
) -> None:
    parts = set(network.parts) or set(_PARTS)
    for field, seen in _LAYER_FIELDS.items():
        layers = list(getattr(network, field))
        if "" in layers:
            raise InputError(f"attack_network.{field} has an empty name; expected names of layers")
        repeated = next((layer for layer in layers if layers.count(layer) > 1), None)
        if repeated is not None:
            raise InputError(
                f"attack_network.{field} names {repeated!r} more than once; expected each layer "
                "once"
            )
        if layers and parts.isdisjoint(seen):
            missing = " or ".join(config_pb2.NetworkPart.Name(part) for part in seen)
            raise InputError(
                f"attack_network.{field} names {layers[0]!r}, and attack_network.parts has no "
                f"{missing} to look at it; expected that part, or no layers"
            )
        if layers and all(_PARTS[part] in skipped for part in seen):
            raise InputError(
                f"attack_network.{field} names {layers[0]!r}, and white_box.skip names what there "
                "would be to look at; expected one of the two"
            )


def _resolve_choice(
    network: config_pb2.AttackNetwork, field: str, default: str, known: Sequence[str]
) -> None:
    value = getattr(network, field) or default
    if value not in known:
        raise InputError(f"attack_network.{field} is {value!r}; expected one of {', '.join(known)}")
    setattr(network, field, value)


def _resolve_numbers(network: config_pb2.AttackNetwork) -> None:
    if not network.HasField("learning_rate"):
        network.learning_rate = _DEFAULTS.learning_rate
    if not (network.learning_rate > 0 and math.isfinite(network.learning_rate)):
        raise InputError(
            f"attack_network.learning_rate is {network.learning_rate}; expected a number above 0, "
            f"{_DEFAULTS.learning_rate:g} for example"
        )
    for field in ("epochs", "batch_size", "patience"):
        value = getattr(network, field)
        if value < 0:
            raise InputError(f"attack_network.{field} is {value}; expected a positive number")
        setattr(network, field, value or getattr(_DEFAULTS, field))
    if network.batch_size % 2:
        raise InputError(
            f"attack_network.batch_size is {network.batch_size}; expected an even number, half of "
            "it members"
        )
