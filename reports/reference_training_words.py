"""Who would train such reference models, on what they were trained, and what they remember."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reports.numerals import (
    count_text,
    decimals_for,
    number_text,
    percent_text,
    score_text,
    share_text,
)

_DEFAULT_CONFIDENCE = 0.95
# Training sets whose sizes differ by less than this factor are called as large.
_ALIKE = 1.25
# Names of splits beyond these are counted.
_MOST_SPLITS = 5

_ONLINE = (
    "Whoever does the same has the very records that they ask about, and others like the training "
    "data, before they begin: they train models with each record and models without it, and see "
    "which the target resembles more. For a further record they have to train again."
)
_OFFLINE = (
    "Whoever does the same has records like the training data, and none of the training data "
    "itself. They need not know beforehand which records they will ask about: the models, once "
    "trained, serve for any record."
)
_TRAINED_ALIKE = (
    "The models were trained by the target's own training code. Outsiders would have to guess at "
    "it, so in this these attacks stand for somebody who knows how the target was made."
)
_MADE_UP = {
    "model_based": (
        "Whoever does the same has no records at all: they know the features and the values these "
        "can take, and may ask the target as often as they like, which makes up records that the "
        "target is sure of."
    ),
    "noisy": (
        "Whoever does the same has real records of this kind that are partly wrong, and may ask "
        "the target."
    ),
    "biased_sample": (
        "Whoever does the same has real records of this kind, though not in their true mixture, "
        "and may ask the target."
    ),
}
_FREQUENCIES = {
    references_pb2.STATISTICS: (
        "Whoever does the same knows how often each value of each feature occurs, as published "
        "statistics tell, and may ask the target. They have no record."
    ),
    references_pb2.DATA: (
        "Whoever does the same knows how often each value of each feature occurs in real data, and "
        "may ask the target. They have no record."
    ),
    references_pb2.DATA_PER_CLASS: (
        "Whoever does the same knows how often each value of each feature occurs in each class, "
        "which is more than statistics usually tell, and may ask the target. They have no record."
    ),
}
_NOTHING_TO_GO_BY = (
    "Models that answer what they were trained on no better than other records give attacks little "
    "to go by. Where the target was trained like them, that is a good sign for the target too, and "
    "no proof; where they were trained on fewer records or for less long, it says little of it."
)


def models_of(results: results_pb2.PrivacyResults) -> int:
    """How many reference models there are."""
    return len(results.references.trained.models) or len(results.references.losses)


def models_text(results: results_pb2.PrivacyResults) -> str:
    """How many, with their name: "8 reference models"."""
    number = models_of(results)
    return "1 reference model" if number == 1 else f"{count_text(number)} reference models"


def how_trained(results: results_pb2.PrivacyResults) -> str:
    """What the models were trained on."""
    trained = results.references.trained
    were = "was" if models_of(results) == 1 else "were"
    models = f"{models_text(results)} {were} trained"
    match _pool(trained.config):
        case "offline":
            splits = _splits(trained.config.offline.splits)
            halves = f"on random halves of {splits}, apart from the members and non-members here"
            return f"{models} {halves} (offline)."
        case "synthetic":
            made = trained.synthesis.source or "see the configuration"
            return (
                f"{models} on random halves of records that were made up ({made}), "
                "labelled by the target's own answers."
            )
        case _:
            return (
                f"{models} on random halves of members and non-members together, in "
                "pairs: what one of a pair was trained on the other was not (online)."
            )


def what_it_takes(results: results_pb2.PrivacyResults) -> str:
    """What an attacker would have to know and have to do the same."""
    config = results.references.trained.config
    match _pool(config):
        case "offline":
            return _OFFLINE
        case "synthetic":
            source = config.synthetic.WhichOneof("source") or ""
            if source == "marginals":
                return _FREQUENCIES[config.synthetic.marginals.source]
            return _MADE_UP.get(source, "")
        case _:
            return _ONLINE


def trained_alike(results: results_pb2.PrivacyResults) -> str:
    """Whose training code it was, and how long it ran."""
    rule = results.references.trained.config.steps
    steps = (
        "The number of training steps was the target's, whatever the size of the training set."
        if rule == references_pb2.SAME_STEPS
        else "The number of training steps was scaled to keep the target's number of epochs, where "
        "it was given as steps."
    )
    return f"{_TRAINED_ALIKE} {steps}"


def sizes_sentence(trained: references_pb2.ReferenceModels) -> str:
    """How large training sets were, beside the target's; "" where nothing is known."""
    sizes = [model.trained_on.records for model in trained.models]
    if not sizes or not any(sizes):
        return ""
    told = f"Each was trained on {_range(sizes)} records"
    if not trained.target_records:
        return f"{told}."
    share = sum(sizes) / len(sizes) / trained.target_records
    target = count_text(trained.target_records)
    decimals = 0 if share >= 0.1 else 1
    told = f"{told}, the target on {target}: {percent_text(share, decimals)} of as many"
    if share * _ALIKE < 1:
        return (
            f"{told}. Models trained on less usually remember more of each record, so these are "
            "not quite like the target, and attacks may do worse with them than with models "
            "trained on as much as the target was."
        )
    if share > _ALIKE:
        return (
            f"{told}. Models trained on more usually remember less of each record, so these are "
            "not quite like the target, and attacks may do worse with them."
        )
    return f"{told}."


def inside_sentence(found: results_pb2.ReferenceResults) -> str:
    """How many of the evaluated records models were trained on; "" where that is not known."""
    if not found.records:
        return ""
    inside, records = count_text(found.records_inside), count_text(found.records)
    if found.records_inside == found.records:
        return (
            f"Each of the {records} evaluated records is in the training sets of half of the "
            "models."
        )
    if not found.records_inside:
        return f"None of the {records} evaluated records is in a model's training set."
    are = "is" if found.records_inside == 1 else "are"
    return (
        f"Of the {records} evaluated records {inside} {are} in the training sets of half of the "
        "models."
    )


def losses_sentences(results: results_pb2.PrivacyResults) -> list[str]:
    """Whether models lose less on what they were trained on; what it means where none was shown."""
    found = results.references.difference
    if not found.records:
        return []
    confidence = results.config.confidence or _DEFAULT_CONFIDENCE
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * found.standard_error
    lower, upper = found.mean - reach, found.mean + reach
    decimals = decimals_for([lower, upper], [0.0], fewest=2, most=5)
    unit = _unit(results)
    records = f"over {count_text(found.records)} records"

    def interval(low: float, high: float) -> str:
        low_text, high_text = number_text(low, decimals), number_text(high, decimals)
        return f"({share_text(confidence)} interval: {low_text} to {high_text})"

    if upper < 0:
        return [
            "The models lose less on what they were trained on: by "
            f"{number_text(-found.mean, decimals)}{unit} on average, {records} "
            f"{interval(-upper, -lower)}. They remember something of their training records, "
            "which is what these attacks go by."
        ]
    if lower > 0:
        return [
            "The models lose more on what they were trained on than on other records: by "
            f"{number_text(found.mean, decimals)}{unit} on average, {records} "
            f"{interval(lower, upper)}. Where training does anything, that is luck: it comes up "
            f"with probability {score_text(found.p_value)} where they lose no more. If it comes "
            "again, see whether the models were trained on the records that their ids say."
        ]
    side = "more" if found.mean > 0 else "less"
    return [
        "No difference could be shown between what the models lose on records that they were "
        f"trained on and on others: it is {number_text(abs(found.mean), decimals)}{unit} {side} on "
        f"the former on average, {records}, and the {share_text(confidence)} interval, "
        f"{number_text(lower, decimals)} to {number_text(upper, decimals)}, contains 0.",
        _NOTHING_TO_GO_BY,
    ]


def loss_unit(results: results_pb2.PrivacyResults) -> str:
    """What losses are counted in."""
    return "squared error" if results.model.task == config_pb2.REGRESSION else "nats"


def _pool(config: references_pb2.ReferenceModelsConfig) -> str:
    return config.WhichOneof("pool") or "online"


def _splits(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_SPLITS])
    more = f" and {count_text(len(names) - _MOST_SPLITS)} more" if len(names) > _MOST_SPLITS else ""
    return f"the split{'s' * (len(names) != 1)} {shown}{more}"


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return count_text(low) if low == high else f"{count_text(low)} to {count_text(high)}"


def _unit(results: results_pb2.PrivacyResults) -> str:
    return "" if loss_unit(results) == "squared error" else f" {loss_unit(results)}"
