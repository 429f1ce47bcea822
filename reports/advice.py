"""What to do next, given what was found."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import measure_of
from tfx_privacy.reports.reading import Reading, is_below_chance, read


@dataclasses.dataclass(frozen=True)
class Advice:
    """One thing to do, and why."""

    title: str
    text: str


def next_steps(results: results_pb2.PrivacyResults) -> list[Advice]:
    """What to do next, the first things first."""
    return [*_SPLITS_SUSPECT[: _some_below_chance(results)], *_STEPS[read(results)]]


def limits_of_the_result(results: results_pb2.PrivacyResults) -> list[str]:
    """What the result does not show, one sentence each."""
    limits = [
        "It holds for the attacks that ran. An attacker with more knowledge (the model's weights, "
        "models trained on similar data) may find more.",
        "It is about membership: whether a record was used for training. Other leaks, such as "
        "reconstructing a record or inferring an attribute of it, were not measured.",
        "It speaks of the average over the records judged. Single records, outliers above all, can "
        "be at a higher risk than the average.",
        "It is as good as the splits: members and non-members must come from the same population "
        "and differ in nothing but having been trained on.",
    ]
    if not results.records.duplicates_checked:
        limits.append(
            "Duplicates were not checked, because the records have no id. A record on both sides "
            "makes the leak look smaller than it is."
        )
    return limits


def _some_below_chance(results: results_pb2.PrivacyResults) -> int:
    values = [entry for attack in results.attacks for entry in attack.metrics]
    return int(
        any(is_below_chance(entry) for entry in values if measure_of(entry.metric).title == "AUC")
    )


_SPLITS_SUSPECT = (
    Advice(
        "Check the splits",
        "An attack did clearly worse than guessing. That does not happen by itself: members and "
        "non-members may have been swapped, or come from different populations.",
    ),
)

_MEASURE_AGAIN = Advice(
    "Measure again after each change",
    "Change one thing at a time and compare the intervals: where they do not overlap, the "
    "difference is more than luck.",
)

_STEPS = {
    Reading.LEAK: (
        Advice(
            "Stop training earlier",
            "Most leaks of this kind come from overfitting. Keep the checkpoint at which the loss "
            "on held-out records is lowest (early stopping), or train for fewer epochs.",
        ),
        Advice(
            "Regularise",
            "Weight decay, dropout, data augmentation and a smaller model all narrow the gap "
            "between records that were trained on and others. Strong L2 regularisation alone has "
            "been seen to bring attacks close to chance.",
        ),
        Advice(
            "Train on more data",
            "The more records, the less a model depends on a single one. If some slices leak more "
            "than others, they are often the small ones: collect more of these, or merge them.",
        ),
        Advice(
            "Give away less of the output",
            "Returning the predicted class alone hides most of what these attacks use. Rounding "
            "the probabilities or returning the top few barely helps. The model itself remembers "
            "as much as before: this protects against those who see outputs only.",
        ),
        Advice(
            "Train with differential privacy (DP-SGD)",
            "The one remedy with a guarantee that holds for every attack, those not yet known "
            "included. It costs accuracy and training time; choose epsilon by what must be "
            "promised.",
        ),
        _MEASURE_AGAIN,
    ),
    Reading.TOO_UNCERTAIN: (
        Advice(
            "Measure on more records",
            "The intervals are wide because few records were judged, the non-members above all. "
            "Twice as narrow takes four times as many. To show that TPR at 1% FPR stays under 2%, "
            "where nothing leaks, takes about 7,000 members and 3,500 non-members in the splits; "
            "to show an AUC under 0.55, about 1,600 and 800.",
        ),
        Advice(
            "Hold out a larger share",
            "If there are no more records, put more of those there are into the split that is not "
            "trained on: that side limits what can be seen at low rates of false alarms.",
        ),
        Advice(
            "Ask for what can be answered",
            "TPR at 10% FPR and AUC are known from far fewer records than TPR at 1% or 0.1% FPR.",
        ),
    ),
    Reading.NOTHING_FOUND: (
        Advice(
            "Keep measuring",
            "Risk changes with the data, the model's size and the number of epochs. Leave the "
            "measurement in the pipeline, with a gate behind it.",
        ),
        Advice(
            "Look at the slices",
            "The whole can be well-behaved while a small group of records is not. Slice by what "
            "sets people apart, and look at the riskiest below.",
        ),
        Advice(
            "Where a guarantee is needed, train with differential privacy",
            "A measurement can find a leak and never rule one out. Only training such as DP-SGD "
            "gives a bound for every attack.",
        ),
    ),
    Reading.NOT_MEASURED: (
        Advice(
            "Make an attack possible",
            "The reasons why each attack could not run are listed above. Most need the label of "
            "each record and either logits, probabilities or the loss.",
        ),
    ),
}
