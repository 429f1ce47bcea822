"""What usually helps against a leak, chosen by what goes with it."""

from __future__ import annotations

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.advice_entry import Advice
from tfx_privacy.reports.attack_words import has_white_box_attacks
from tfx_privacy.reports.explanation_findings import (
    ExplanationFindings,
    explanation_findings,
    has_accuracies,
)
from tfx_privacy.reports.explanation_words import gap_text
from tfx_privacy.reports.white_box_words import adds

# From this lower bound of the AUC on, remedies without a guarantee leave much.
_STRONG = 0.7


def mitigations(results: results_pb2.PrivacyResults) -> list[Advice]:
    """What to try against a leak that was shown, the cheapest first.

    Sources stand in the texts. Where nothing is known of what goes with the leak, the
    advice is what helps most often.
    """
    explanation = results.explanation
    findings = explanation_findings(explanation)
    steps = [_stop_earlier(findings, explanation.whole), _regularise(findings)]
    if findings.small_classes_leak_more:
        steps.append(_SMALL_CLASSES)
    steps.append(_MORE_DATA)
    steps.append(_less_output(results))
    if any(map(adds, results.white_box.differences)):
        steps.append(_KEEP_THE_PARAMETERS)
    steps.append(_dp_sgd(results))
    return steps


def _stop_earlier(findings: ExplanationFindings, whole: results_pb2.GroupStatistics) -> Advice:
    if findings.has_gap:
        seen = "accuracy" if has_accuracies(whole) else "mean loss"
        beside = f"The gap between train and test {seen} is {gap_text(whole).with_interval}. "
    elif findings.is_surer:
        beside = (
            "The model is surer of training records, though it is hardly more often right about "
            "them: accuracy does not show when to stop, the loss on held-out records does. "
        )
    else:
        beside = ""
    return Advice(
        "Stop training earlier",
        f"{beside}Most leaks of this kind come from overfitting (Yeom et al., CSF 2018). Keep the "
        "checkpoint at which the loss on held-out records is lowest (early stopping), or train for "
        "fewer epochs: that has been seen to protect about as well as a defence made for the "
        "purpose (Song and Mittal, USENIX Security 2021).",
    )


def _regularise(findings: ExplanationFindings) -> Advice:
    text = (
        "Weight decay, dropout and a smaller model all narrow the difference between records that "
        "were trained on and others. Strong L2 regularisation has been seen to bring attacks close "
        "to chance, at a price in accuracy (Shokri et al., S&P 2017, section VIII). Augmentation "
        "that is there to raise accuracy may not lower the risk (Kaya and Dumitras, ICML 2021)."
    )
    if findings.is_surer and not findings.has_gap:
        text += (
            " Label smoothing is no remedy, it has been seen to raise the risk (the same paper); "
            "nor is a temperature on the output, which changes what is shown and not what is "
            "remembered."
        )
    return Advice("Regularise", text)


def _less_output(results: results_pb2.PrivacyResults) -> Advice:
    beyond = (
        " Against those who hold the parameters it does nothing: they work out the whole answer, "
        "and all that the white-box attacks look at, by themselves."
        if has_white_box_attacks(results)
        else ""
    )
    return Advice(
        "Give away less of the output",
        "Returning the predicted class alone hides most of what these attacks use. Rounding the "
        "probabilities or returning the top few barely helps (Shokri et al., S&P 2017, section "
        "VIII). The model itself remembers as much as before: this protects against those who see "
        f"outputs only.{beyond}",
    )


def _dp_sgd(results: results_pb2.PrivacyResults) -> Advice:
    lower = max(
        (e.value.lower for e in results.best_of_attacks if e.metric.name == "auc"), default=0.0
    )
    strong = (
        "With a leak as strong as this one, expect the steps above to narrow it and not to end it. "
        if lower > _STRONG
        else ""
    )
    return Advice(
        "Train with differential privacy (DP-SGD)",
        f"{strong}The one remedy with a guarantee that holds for every attack, those not yet known "
        "included (Abadi et al., CCS 2016). It costs accuracy and training time; choose epsilon by "
        "what must be promised.",
    )


_MORE_DATA = Advice(
    "Train on more data",
    "The more records, the less a model depends on a single one. If some slices leak more than "
    "others, they are often the small ones: collect more of these, or merge them.",
)
_SMALL_CLASSES = Advice(
    "Give small classes more records, or merge them",
    "Classes with fewer training records leak more here, as they often do (Shokri et al., S&P "
    "2017, section VI): the less there is of a class, the more the model relies on each record of "
    "it.",
)
_KEEP_THE_PARAMETERS = Advice(
    "Hand out answers, not the model",
    "The parameters add to the risk here. Where answers are enough, serve them from a place that "
    "the model does not leave. Where it has to leave (to devices, to another's cloud, to the "
    "aggregator of federated training), only what was done in training protects it: of these "
    "steps, all but giving away less of the output.",
)
