"""The plan by which workers run the target model: made once, where the job is built.

Importing this does not import TensorFlow.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_features import ParsedFeature
from tfx_privacy.signals.white_box_plan import WhiteBoxPlan

DEFAULT_SIGNATURE = "serving_default"


class InputWay(enum.Enum):
    """How an example reaches the signature; the first that is possible is taken."""

    # The signature has one input, of strings, and parses serialised examples itself.
    # Preprocessing functions then serve the label alone, as in TFMA.
    SERIALIZED_EXAMPLES = "serialised examples"
    # The model's own functions turn raw examples into the signature's inputs.
    PREPROCESSING_FUNCTIONS = "the model's preprocessing functions"
    # Transform's graph turns raw examples into the signature's inputs.
    TRANSFORM_GRAPH = "Transform's graph"
    # The examples' features, raw or materialised by Transform, are the inputs.
    FEATURES = "the examples' features"


@dataclasses.dataclass(frozen=True)
class TargetPlan:
    """All that a worker needs to run the target model: paths and small values.

    Attributes:
      model_dir: Directory of the SavedModel.
      signature_name: The signature to call.
      output_name: The output of it to read.
      task: What the model answers; resolved.
      output_kind: What the output holds; resolved.
      output_width: Columns of the logits.
      logits_source: Where the logits come from, in words.
      reads_logits: Whether they are taken from the frozen graph, before the Softmax or
        Sigmoid; otherwise they are computed from the output.
      input_way: How an example reaches the signature.
      parsed_features: The features that are parsed out of the examples for the
        signature or the preprocessing functions. Transform's graph brings its own.
      preprocessing_function_names: The model's functions to apply, in order; none
        where neither the signature nor the label needs them.
      transform_graph_dir: Transform's graph, or None where neither the signature nor
        the label needs it.
      label_key: The feature that holds the label.
      label_is_transformed: Whether it is to be taken from what the preprocessing
        functions or Transform's graph give, because the examples do not have it.
      label_width: Values of the transformed label an example; 0 where there is none.
      batch_size: Rows that the model is run on at once. It is the signature's own
        where that is fixed.
      white_box: What is computed inside the model; None for nothing.
    """

    model_dir: str
    signature_name: str
    output_name: str
    task: config_pb2.Task.ValueType
    output_kind: config_pb2.OutputKind.ValueType
    output_width: int
    logits_source: str
    reads_logits: bool
    input_way: InputWay
    parsed_features: tuple[ParsedFeature, ...]
    preprocessing_function_names: tuple[str, ...]
    transform_graph_dir: str | None
    label_key: str
    label_is_transformed: bool
    label_width: int
    batch_size: int
    white_box: WhiteBoxPlan | None = None

    @property
    def signature_in_words(self) -> str:
        """The signature and its model, for errors."""
        return f"signature {self.signature_name!r} of the model {self.model_dir!r}"

    @property
    def output_in_words(self) -> str:
        """The output, its signature and its model, for errors."""
        return f"output {self.output_name!r} of {self.signature_in_words}"


def plan_target(
    model_dir: str,
    model_spec: config_pb2.ModelSpec,
    batch_size: int,
    examples: Sequence[bytes],
    transform_graph_dir: str | None = None,
    white_box: config_pb2.WhiteBoxSpec | None = None,
    seed: int = 0,
) -> TargetPlan:
    """Checks at the door all that a few examples can show, and plans the runs.

    The model is loaded and run on the examples once, forward and where white-box signals
    are asked for back.

    Args:
      model_dir: Directory of a SavedModel.
      model_spec: How the model is called and its output read.
      batch_size: Rows that the model is to be run on at once.
      examples: Some ten of the serialised examples that are to be measured.
      transform_graph_dir: Directory of a TransformGraph artifact.
      white_box: Which white-box signals are wanted, with sizes filled in; None for none.
      seed: Of their random projections.

    Returns:
      The plan, with nothing left open.

    Raises:
      InputError: If the model, signature, output, features, label or configuration do
        not fit together, what the output holds cannot be known, or white-box signals
        cannot be computed.
    """
    if not model_spec.label_key:
        raise InputError("model_spec.label_key is empty: expected the feature that holds the label")
    if batch_size < 1:
        raise InputError(f"sample_sizes.batch_size is {batch_size}: expected at least 1")

    # These import TensorFlow.
    from tfx_privacy.signals.saved_model import SavedModel
    from tfx_privacy.signals.target_inputs import plan_inputs
    from tfx_privacy.signals.target_trial import try_target

    model = SavedModel.load(model_dir)
    draft = plan_inputs(model, model_spec, batch_size, examples, transform_graph_dir)
    program = try_target(draft, model, model_spec, examples)
    if white_box is None:
        return program.plan

    # This does too.
    from tfx_privacy.signals.white_box_trial import plan_white_box

    inside = plan_white_box(program, model, white_box, seed, examples)
    return dataclasses.replace(program.plan, white_box=inside)
