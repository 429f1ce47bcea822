"""The terms of the report, for readers new to them."""

from __future__ import annotations

from tfx_privacy.proto import privacy_results_pb2 as results_pb2

TERMS: tuple[tuple[str, str], ...] = (
    ("Member", "A record that the model was trained on; a non-member is one that it was not."),
    (
        "Membership inference",
        "Finding out from a model whether a certain record was among its training data. Where "
        "that data is, say, of patients, membership itself is a personal fact.",
    ),
    (
        "Attack",
        "A way to turn what can be seen of the model's answer to a record into a score; the higher "
        "the score, the more the attacker believes that the record is a member.",
    ),
    (
        "TPR and FPR",
        "True- and false-positive rate: the share of members that the attacker calls members, and "
        "the share of non-members that it calls members by mistake (false alarms).",
    ),
    (
        "ROC curve",
        "TPR against FPR at every threshold of the score. On the diagonal lies guessing; the "
        "further above it, the greater the leak. The lower left corner matters most: an "
        "attacker who accuses few, and is right.",
    ),
    (
        "Interval",
        "The range that the true value lies in, at the stated confidence, given that only so many "
        "records were looked at. More records make it narrower.",
    ),
    (
        "FIT and JUDGE",
        "One third of the records, chosen by a hash, is used to build the attacks (FIT), unless "
        "records of another model are; every number in this report comes from the rest (JUDGE), "
        "which the attacks have not seen.",
    ),
    (
        "Slice",
        "The records with one value of a feature, or one combination of values, such as those of "
        "one age group. A slice with few records is too small to judge, which is not to say safe.",
    ),
    (
        "Blind baseline",
        "An attacker that sees the records and never the model. If it can tell members from "
        "non-members, the two groups differ, and other attacks may find that and no leak.",
    ),
    (
        "Negative control",
        "The attacks where there is nothing to find: non-members halved by chance. What they find "
        "there is a fault of the measurement.",
    ),
    (
        "Positive control",
        "The attacks where a leak was planted. What they miss there they would miss in the model.",
    ),
    (
        "Power",
        "How likely a leak of a given size is to be found, with so many records. What is smaller "
        "than the run could find may be there, unseen.",
    ),
    (
        "Baseline (change)",
        "The measurement of an earlier model, the last that a gate let through. A limit on the "
        "change says by how much the new model may leak more.",
    ),
    (
        "Canary",
        "A record made up and planted in the training data at random, half of the made-up records "
        "in and half out, to see whether the model gives away which.",
    ),
    (
        "Differential privacy",
        "A property of training: whether or not any one record took part, the result is nearly the "
        "same. How nearly is given by epsilon; smaller is stronger.",
    ),
    (
        "Epsilon",
        "How much the result of training may depend on one record, in differential privacy; delta "
        "is the probability that it may do so more. A measurement gives a lower bound on epsilon "
        "and never an upper limit: only the way of training gives that.",
    ),
)
_WHITE_BOX_TERMS: tuple[tuple[str, str], ...] = (
    (
        "Black-box and white-box",
        "Who sees the model's answers alone, and who holds the model with its parameters. The "
        "latter can do all that the former can. What the parameters add is measured as white-box "
        "minus black-box: the difference of the best attack of each kind, chosen on FIT, on the "
        "same JUDGE records. Below 0 it says that they add nothing; they take nothing away.",
    ),
    (
        "Parameters",
        "The numbers of a model that training sets; a layer is a part of the model that has some.",
    ),
    (
        "Gradient",
        "In which direction, and how far, training on a record would push each parameter.",
    ),
    (
        "Gradient norm",
        "The length of that push: one number for a layer, or for all layers together. It is small "
        "where the model already answers the record well.",
    ),
    (
        "Gradient sketch",
        "A gradient shrunk to a few numbers by a random projection that is the same for all "
        "records: what is alike stays alike.",
    ),
    ("Activations", "What comes out of a layer while the model works on a record."),
)
_REFERENCE_TERMS: tuple[tuple[str, str], ...] = (
    (
        "Reference model",
        "A model trained like the one that is attacked (the target), on other records or on a part "
        "of the same: it shows what a model answers that has, or has not, seen a record. Reference "
        "models come in pairs, each trained on what the other was not.",
    ),
    (
        "Shadow model",
        "The same, where an attack model learns from it what answers on training records look like "
        "(Shokri et al., S&P 2017). It then decides about the target's answers.",
    ),
    (
        "Online and offline",
        "Online, reference models are trained on the very records that are asked about, half of "
        "the models on each. Offline, they are trained on records apart from these, once and for "
        "all; the attacker need not know beforehand what will be asked.",
    ),
    (
        "LiRA",
        "Likelihood-ratio attack (Carlini et al., S&P 2022): how well the target's answer to a "
        "record fits those of reference models trained on it, against those of models that were "
        "not. With a fixed variance all records share one measure of how far models differ, which "
        "serves better with few models.",
    ),
    (
        "RMIA",
        "Robust membership inference (Zarifzadeh et al., ICML 2024): how much surer the target is "
        "of a record than models in general are, compared with the same for other records.",
    ),
    (
        "Attack-R",
        "The share of reference models trained without the record that lose more on it than the "
        "target does (Ye et al., CCS 2022).",
    ),
    (
        "Synthetic record",
        "A record that was made up for reference models to be trained on, where an attacker has no "
        "real ones.",
    ),
)


def terms_of(results: results_pb2.PrivacyResults) -> tuple[tuple[str, str], ...]:
    """The terms that a report on such results uses."""
    white_box = _WHITE_BOX_TERMS if results.HasField("white_box") else ()
    references = _REFERENCE_TERMS if results.HasField("references") else ()
    return (*TERMS, *white_box, *references)
