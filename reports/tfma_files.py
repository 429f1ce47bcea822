"""Results as TFMA's files, for `tfma.load_eval_result` and `tfma.load_validation_result`.

eval_config.json                what was evaluated
metrics-00000-of-00001.tfrecord the best of the attacks, slice by slice
plots-00000-of-00001.tfrecord   ROC curves
validations.tfrecord            the verdict, beside the gate's own
attacks/ATTACK/                 the same files of one attack

TFMA's table of slices is empty at first where results have several outputs or models, until
some are picked: so each attack is a result of its own. Importing this module imports TFMA,
which takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from google.protobuf.message import Message

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.tfma_results import (
    attack_metrics,
    attack_plots,
    best_metrics,
    best_plots,
    eval_run,
)
from tfx_privacy.reports.tfma_validation import validation_result
from tfx_privacy.signals.files import join, write_text_whole
from tfx_privacy.signals.tfrecord import open_to_write

CONFIG_FILE = "eval_config.json"
METRICS_FILE = "metrics-00000-of-00001.tfrecord"
PLOTS_FILE = "plots-00000-of-00001.tfrecord"
VALIDATIONS_FILE = "validations.tfrecord"
ATTACKS_FOLDER = "attacks"


def write_tfma_results(
    results: results_pb2.PrivacyResults, evidence: Evidence, folder: str
) -> None:
    """Writes the results that `tfma.load_eval_result` reads, each file whole.

    `tfma.view.render_slicing_metrics` shows the best of the attacks with its bounds, and
    `tfma.view.render_plot` the ROC of the attack that was best on FIT; of another one with
    `output_name="ATTACK"`. `attacks/ATTACK` in the folder is a result of that attack alone.

    Args:
      results: What was measured.
      evidence: The counts behind it.
      folder: Where to; made if need be.

    Raises:
      InputError: If a file cannot be written.
    """
    run = json_format.MessageToJson(eval_run(results, tfma.__version__))
    _write(folder, run, best_metrics(results), best_plots(results, evidence))
    for attack in results.attacks:
        own = join(join(folder, ATTACKS_FOLDER), attack.name)
        _write(own, run, attack_metrics(results, attack.name), attack_plots(evidence, attack.name))


def write_tfma_validation(verdict: verdict_pb2.PrivacyVerdict, folder: str) -> None:
    """Writes the verdict that `tfma.load_validation_result` reads.

    Raises:
      InputError: If the file cannot be written.
    """
    _write_messages(join(folder, VALIDATIONS_FILE), [validation_result(verdict)])


def _write(folder: str, run: str, metrics: Iterable[Message], plots: Iterable[Message]) -> None:
    # Always both: for one that is missing TFMA reads any file whose name begins alike.
    _write_messages(join(folder, METRICS_FILE), metrics)
    _write_messages(join(folder, PLOTS_FILE), plots)
    write_text_whole(join(folder, CONFIG_FILE), run)


def _write_messages(path: str, messages: Iterable[Message]) -> None:
    with open_to_write(path) as file:
        for message in messages:
            file.write([message.SerializeToString(deterministic=True)])
