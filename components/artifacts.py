"""The artifacts that the nodes hand to each other.

Kubeflow imports `module.Class` from the type name, so each name is
`tfx_privacy.<Class>` and the package's root exports the class. None declares
PROPERTIES: Kubeflow's compiler fails on them. What there is to say about an
artifact stands in its custom properties.
"""

from __future__ import annotations

from tfx.types.artifact import Artifact


class PrivacyMetrics(Artifact):
    """What attacks found out about a model: `metrics.json`, `report.html`, `evidence/`.

    Custom properties: `model_uri`, `best_attack`, and the best attack's metrics as
    doubles (`auc`, `auc_lower`, `auc_upper` and so on).
    """

    TYPE_NAME = "tfx_privacy.PrivacyMetrics"


class PrivacySignals(Artifact):
    """The signals table: what an attacker observes of each example. Personal data."""

    TYPE_NAME = "tfx_privacy.PrivacySignals"


class RecordRisk(Artifact):
    """Each record's scores by each attack, by id. Personal data.

    Custom properties: `model_uri`, and `metrics_uri` of the metrics of the same run.
    """

    TYPE_NAME = "tfx_privacy.RecordRisk"


class PrivacyVerdict(Artifact):
    """The gate's decision: `verdict.json`, `report.html`.

    Custom properties: `outcome` ("PASS", "BLOCK", "CANNOT_TELL"), `blessed` (0 or
    1), `reason`, `model_uri`, `metrics_uri`, and `baseline_uri` where a baseline's
    metrics were given.
    """

    TYPE_NAME = "tfx_privacy.PrivacyVerdict"


class ReferenceModels(Artifact):
    """Models to compare a target with: SavedModels, `reference_models.json`.

    With them the records, where these were made up. Like a model, personal data as far
    as training records can be told from it.

    Custom properties: `models`, `pool` ("online", "offline", "synthetic"),
    `pool_records`, `target_records`.
    """

    TYPE_NAME = "tfx_privacy.ReferenceModels"
