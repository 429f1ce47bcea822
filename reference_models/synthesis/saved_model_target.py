"""A SavedModel as a target: rows or serialised records to probabilities.

Any Python callable on rows serves synthesis as well, a remote service for instance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.reference_models.synthesis.records import RecordFormat
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_plan import plan_target

if TYPE_CHECKING:
    from tfx_privacy.signals.observed_model import ObservedModel

# Rows that the model is run on at once. Hill climbing's last calls are about a few records, and
# the model sees full batches whatever is asked.
_BATCH = 256
# Records that the call of the model is planned by.
_EXAMPLES = 10


@dataclasses.dataclass(frozen=True, eq=False)
class SavedModelTarget:
    """A SavedModel, loaded, that answers about serialised records.

    Attributes:
      model: What runs it.
    """

    model: ObservedModel

    @staticmethod
    def load(
        model_dir: str,
        model_spec: config_pb2.ModelSpec,
        examples: Sequence[bytes],
        transform_graph_dir: str | None = None,
    ) -> SavedModelTarget:
        """Loads a model. Slow: it is traced and run on the examples.

        Args:
          model_dir: Directory of a SavedModel.
          model_spec: How the model is called and its output read.
          examples: Some ten records such as it will be asked about, with a label.
          transform_graph_dir: Directory of a TransformGraph artifact, where it is needed.

        Raises:
          InputError: If the model cannot be run on such examples, for instance because they lack a
            feature that it wants, or is no classifier with one class a record.
        """
        try:
            plan = plan_target(model_dir, model_spec, _BATCH, examples, transform_graph_dir)
        except InputError as error:
            message = f"the target cannot be asked about synthetic records: {error}"
            raise InputError(message) from error
        if plan.task not in (config_pb2.BINARY, config_pb2.MULTICLASS):
            raise InputError(
                f"{plan.output_in_words} has the task {config_pb2.Task.Name(plan.task)}: expected "
                "BINARY or MULTICLASS, since a synthetic record's label is the class that the "
                "target finds likeliest"
            )
        # Imports TensorFlow.
        from tfx_privacy.signals.observed_model import ObservedModel

        return SavedModelTarget(ObservedModel.load(plan))

    def probabilities(self, records: Sequence[bytes]) -> NDArray[np.float64]:
        """What the model answers to serialised records, [m, classes]; two columns for BINARY."""
        logits = self.model.run(records).logits.astype(np.float64)
        if logits.shape[1] == 1:
            # A sigmoid is a softmax beside a logit of 0.
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))


@dataclasses.dataclass(frozen=True, eq=False)
class RowsTarget:
    """A SavedModel as a `Target` callable: asked about rows of a table.

    Attributes:
      model: The model.
      record_format: How rows stand in tf.Examples.
    """

    model: SavedModelTarget
    record_format: RecordFormat

    @staticmethod
    def load(
        model_dir: str,
        model_spec: config_pb2.ModelSpec,
        record_format: RecordFormat,
        transform_graph_dir: str | None = None,
    ) -> RowsTarget:
        """As `SavedModelTarget.load`, with records drawn from the domain for examples."""
        generator = np.random.default_rng(0)
        rows = record_format.features.draw(_EXAMPLES, generator)
        examples = _unlabelled(record_format, rows)
        model = SavedModelTarget.load(model_dir, model_spec, examples, transform_graph_dir)
        return RowsTarget(model, record_format)

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities [m, classes] of rows [m, width]."""
        return self.model.probabilities(_unlabelled(self.record_format, rows))


def _unlabelled(record_format: RecordFormat, rows: NDArray[np.float64]) -> list[bytes]:
    # A signature may parse the label, so there is one; no answer depends on it.
    return record_format.encode(rows, np.zeros(len(rows), np.int64))
