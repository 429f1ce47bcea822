"""Names of the attacks with reference models, for readers of results.

Importing this imports nothing: not even what attacks need.
"""

from __future__ import annotations

# Shokri's: it learns from shadow models, and compares no record with them.
SHADOW_MODELS = "shadow_models"

REFERENCE_ATTACKS = frozenset(
    {
        "lira_online",
        "lira_online_fixed_variance",
        "lira_offline",
        "lira_offline_fixed_variance",
        "rmia_online",
        "rmia_offline",
        "attack_r",
        SHADOW_MODELS,
    }
)

# Their parameters are in `references` of the configuration.
RMIA_ATTACKS = ("rmia_online", "rmia_offline")

# Those that are measured with fewer reference models as well. Of LiRA's, those with one
# variance for all records, which is the better for few models.
CURVE_ATTACKS = ("lira_online_fixed_variance", "lira_offline_fixed_variance", *RMIA_ATTACKS)
