"""What to do next, given what was found."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.metrics.controls import ControlOutcome
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.reports.advice_entry import Advice
from tfx_privacy.reports.attack_words import has_reference_attacks, has_white_box_attacks
from tfx_privacy.reports.mitigations import mitigations
from tfx_privacy.reports.names import name_of
from tfx_privacy.reports.numerals import count_text, number_text
from tfx_privacy.reports.reading import Reading, Shown
from tfx_privacy.reports.reference_growth import advise_more
from tfx_privacy.reports.slices_table import is_too_small


def next_steps(reading: Reading, slice_minimum: thresholds_pb2.RecordCounts) -> list[Advice]:
    """What to do next, the first things first.

    Args:
      reading: What was found.
      slice_minimum: A slice with fewer rows of the splits is too small to judge.
    """
    steps = _mending(reading)
    if reading.worse_than_guessing:
        steps.append(_SPLITS_SUSPECT)
    if reading.shown is Shown.LEAK:
        steps.extend([*mitigations(reading.results), _MEASURE_AGAIN])
    else:
        steps.extend(_STEPS[reading.shown])
    more = advise_more(reading.results)
    if more is not None and reading.shown not in (Shown.NOT_TRUSTED, Shown.NOT_MEASURED):
        steps.append(more)
    small = [entry for entry in reading.results.slices if is_too_small(entry, slice_minimum)]
    if small and reading.shown is not Shown.NOT_TRUSTED:
        steps.append(_small_slices(len(small), slice_minimum))
    return steps


def limits_of_the_result(results: results_pb2.PrivacyResults) -> list[str]:
    """What the result does not show, one sentence each."""
    limits = [
        f"It holds for the attacks that ran. An attacker with more knowledge ({_unknown(results)}) "
        "may find more.",
        "It is about membership: whether a record was used for training. Other leaks, such as "
        "reconstructing a record or inferring an attribute of it, were not measured.",
        "It speaks of the average over the records judged. Single records, outliers above all, can "
        "be at a higher risk than the average.",
        "It is as good as the splits: members and non-members must come from the same population "
        "and differ in nothing but having been trained on.",
    ]
    if results.HasField("fitted_on"):
        limits.append(
            "The attacks were built on another model, of which the attacker knows the members. An "
            "attacker who knows members of this very model may find more."
        )
    if not results.records.duplicates_checked:
        limits.append(
            "Duplicates were not checked, because the records have no id. A record on both sides "
            "makes the leak look smaller than it is."
        )
    return limits


def _unknown(results: results_pb2.PrivacyResults) -> str:
    """What no attack here knew."""
    more = "more " if has_reference_attacks(results) else ""
    models = f"{more}models trained on similar data"
    return models if has_white_box_attacks(results) else f"the model's weights, {models}"


def _mending(reading: Reading) -> list[Advice]:
    """What to do about controls that failed or could not run."""
    controls, results = reading.controls, reading.results
    steps = []
    if controls.blind_baseline.outcome is ControlOutcome.FAILED:
        steps.append(_splits_differ(results.controls.blind_baseline.features))
    if controls.negative.outcome is ControlOutcome.FAILED:
        steps.append(_FOUND_WHAT_IS_NOT_THERE)
    if controls.positive.outcome is ControlOutcome.FAILED:
        steps.append(_MISSED_WHAT_IS_THERE)
    skipped = config_pb2.BLIND_BASELINE in results.config.skip_controls
    if controls.blind_baseline.outcome is ControlOutcome.NOT_RUN and results.attacks:
        steps.append(_NOT_LOOKED_AT if skipped else _NO_INPUTS)
    return steps


def _splits_differ(features: Sequence[results_pb2.FeatureGiveaway]) -> Advice:
    named = ", ".join(
        f"{name_of(entry.feature).short} (AUC {number_text(entry.auc, 2)} alone)"
        for entry in features
    )
    found = (
        f"What gives them away most: {named}."
        if named
        else "No feature does so by itself; several together do."
    )
    return Advice(
        "Make the splits at random from one population",
        "Members and non-members can be told apart without the model, so no attack on the model "
        f"means anything here. {found} Splits by time, place or source differ in this way: split "
        "at random (by a hash of the record or of the person), train again, and measure again. A "
        "feature that no attacker would know, a running number for instance, can be left out by "
        "`inputs.excluded_feature_keys`.",
    )


def _small_slices(number: int, minimum: thresholds_pb2.RecordCounts) -> Advice:
    slices = "1 slice has" if number == 1 else f"{count_text(number)} slices have"
    return Advice(
        "Give small slices more records, or merge them",
        f"{slices} fewer than {count_text(minimum.members)} members or "
        f"{count_text(minimum.nonmembers)} non-members in the splits, and nothing is known about "
        "them. Small groups are often those that leak most.",
    )


_SPLITS_SUSPECT = Advice(
    "Check the splits",
    "An attack did clearly worse than guessing. That does not happen by itself: members and "
    "non-members may have been swapped, or come from different populations.",
)
_FOUND_WHAT_IS_NOT_THERE = Advice(
    "Report a bug, and rely on nothing here",
    "An attack told non-members from non-members that were halved by chance. Attacks that come "
    "with the package must never do so: report it with the configuration below. If the attack is "
    "your own, look for anything that it learns from the rows it is judged on.",
)
_MISSED_WHAT_IS_THERE = Advice(
    "Mend the suite of attacks",
    "A leak that was planted was not found, so a leak of the model would not be found either. "
    "An attack is broken, or far too few records were judged: take out attacks of your own first, "
    "and report it if it stays.",
)
_NO_INPUTS = Advice(
    "Let the blind baseline run",
    "It did not run, so it is not known whether members and non-members can be told apart without "
    "the model. It needs the input features beside the signals: name them by `inputs` in the "
    "configuration, or put them as columns beside saved predictions.",
)
_NOT_LOOKED_AT = Advice(
    "Let the blind baseline run",
    "The configuration skips it, so it is not known whether members and non-members can be told "
    "apart without the model. Take it out of `skip_controls`.",
)

_MEASURE_AGAIN = Advice(
    "Measure again after each change",
    "Change one thing at a time and compare the intervals: where they do not overlap, the "
    "difference is more than luck.",
)

_STEPS = {
    Shown.NOT_TRUSTED: (
        Advice(
            "Read nothing into the numbers until the controls pass",
            "Neither a high nor a low number means anything about the model as long as a control "
            "fails.",
        ),
    ),
    Shown.TOO_UNCERTAIN: (
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
    Shown.NOTHING_FOUND: (
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
    Shown.NOT_MEASURED: (
        Advice(
            "Make an attack possible",
            "The reasons why each attack could not run are listed above. Most need the label of "
            "each record and either logits, probabilities or the loss.",
        ),
    ),
}
