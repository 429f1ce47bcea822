"""What reference models an attack had, in words: alike where two measurements' attacks are."""

from __future__ import annotations

from google.protobuf.text_format import MessageToString

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.attacks.reference_names import REFERENCE_ATTACKS, RMIA_ATTACKS, SHADOW_MODELS
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2

# Of one query alone, whatever the augmentation.
_ONE_QUERY = frozenset({*RMIA_ATTACKS, SHADOW_MODELS, "attack_r"})


def settings_of_attack(attack: str, results: results_pb2.PrivacyResults) -> str:
    """The settings of reference models that an attack's strength hangs on.

    Numbers that follow from the records are none of them: how many records there were, and
    an a of RMIA that was chosen on reference models.

    Args:
      attack: By its name in the results: by who knows most, or by another attacker.
      results: What was measured.

    Returns:
      "" for an attack without reference models, and where none were given.
    """
    base = split_name(attack)[0]
    if base not in REFERENCE_ATTACKS or not results.HasField("references"):
        return ""
    told = models_in_words(results.references.trained.config)
    asked = results.config.references
    if base not in _ONE_QUERY:
        told += f", {_queries(asked)}"
    if base in RMIA_ATTACKS:
        told += f", {_rmia(asked)}"
    return told


def settings_of_all(results: results_pb2.PrivacyResults) -> str:
    """The same of all attacks with reference models; "" where none were given."""
    if not results.HasField("references"):
        return ""
    asked = results.config.references
    models = models_in_words(results.references.trained.config)
    return f"{models}, {_queries(asked)}, {_rmia(asked)}"


def models_in_words(config: references_pb2.ReferenceModelsConfig) -> str:
    """How many models, trained on what and for how long, such as "8 models trained on ...".

    Args:
      config: The resolved configuration that they were trained by.
    """
    steps = ""
    if config.steps == references_pb2.SAME_STEPS:
        steps = ", each with the target's number of steps"
    return f"{config.models} models trained on {_pool(config)}{steps}"


def _pool(config: references_pb2.ReferenceModelsConfig) -> str:
    match config.WhichOneof("pool"):
        case "online":
            return "halves of members and non-members together"
        case "offline":
            return f"halves of {', '.join(config.offline.splits)}, apart from the records judged"
        case "synthetic":
            made = references_pb2.SyntheticPool()
            made.CopyFrom(config.synthetic)
            # As a rule as many as the target was trained on, twice.
            made.ClearField("records")
            return f"halves of synthetic records ({MessageToString(made, as_one_line=True)})"
    return "nobody knows what"


def _queries(asked: config_pb2.ReferenceSpec) -> str:
    if not asked.HasField("augmentation"):
        return "one query a record"
    return f"{asked.augmentation.queries} queries a record by {asked.augmentation.function}"


def _rmia(asked: config_pb2.ReferenceSpec) -> str:
    a = f"{asked.rmia_offline_a:g}" if asked.HasField("rmia_offline_a") else "chosen on them"
    gamma = f"{asked.rmia_gamma:g}" if asked.HasField("rmia_gamma") else "its default"
    return f"RMIA's gamma {gamma} and a {a}"
