"""Names of the attacks that look inside the model and of what they see, for readers of results.

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

# What attacks see beside the label: the model's answers alone, one kind of white-box signal,
# or several of these; in the order in which they are told.
OUTPUTS, ALL = "outputs", "all"
GROUPS = (OUTPUTS, "gradient norms", "gradient sketches", "activations", ALL)
