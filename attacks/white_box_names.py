"""Names of the attacks that look inside the model, for those who read results alone.

Importing this imports nothing: not even what attacks need.
"""

from __future__ import annotations

# Its settings are in `attack_network`, beside what `white_box` has for all of them.
ATTACK_NETWORK = "white_box_network"

WHITE_BOX_ATTACKS = frozenset(
    {
        "gradient_norm",
        "logistic_regression_norms",
        "logistic_regression_sketches",
        "logistic_regression_activations",
        "logistic_regression_white_box",
        "boosted_trees_norms",
        "boosted_trees_sketches",
        "boosted_trees_white_box",
        ATTACK_NETWORK,
    }
)
