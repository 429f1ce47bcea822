"""A SavedModel on disk: its signatures and other functions, called by name.

Never needs the Python classes that the model was made of.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_features import feature_for_input, in_words

# Operations that read serialised examples begin with one of these.
_PARSING_OPS = (
    "ParseExample",
    "ParseSingleExample",
    "ParseSequenceExample",
    "ParseSingleSequenceExample",
    "DecodeProto",
)
# Libraries whose operations models may hold; those that TFMA imports.
_OP_LIBRARIES = (
    "tensorflow_text",
    "tensorflow_ranking",
    "tensorflow_decision_forests",
    "struct2tensor",
)
# A signature of TensorFlow's own, for initialisation.
_INTERNAL_SIGNATURES = frozenset({"__saved_model_init_op"})

# Lines with which TensorFlow leads to what an error says.
_AROUND_MESSAGES = ("Graph execution error", "Detected at", 'File "', "in user code", "[[", "Node:")

Tensors = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class ModelFunction:
    """A function of a SavedModel from named tensors to named tensors.

    Attributes:
      name: The name of the signature or attribute.
      input_specs: What each input wants.
      output_specs: What each output is.
      parses: Whether an operation in it reads serialised examples.
      call: Calls it; all inputs are given.
    """

    name: str
    input_specs: Mapping[str, tf.TypeSpec]
    output_specs: Mapping[str, tf.TypeSpec]
    parses: bool
    call: Callable[[Tensors], Tensors]

    def takes_serialized_examples(self) -> bool:
        """Whether it has one input, of strings, and parses."""
        if len(self.input_specs) != 1 or not self.parses:
            return False
        (spec,) = self.input_specs.values()
        return isinstance(spec, tf.TensorSpec) and spec.dtype == tf.string

    def missing_inputs(self, features: Mapping[str, object]) -> list[str]:
        """Inputs, sorted, for which there is no feature."""
        return [name for name in sorted(self.input_specs) if not feature_for_input(name, features)]

    def describe(self) -> str:
        """Name, inputs and outputs in words, for errors."""
        inputs = in_words(
            f"{name}: {describe_spec(spec)}" for name, spec in self.input_specs.items()
        )
        return f"{self.name}({inputs}) -> {in_words(self.output_specs)}"


class SavedModel:
    """A loaded SavedModel."""

    def __init__(self, directory: str, loaded: Any) -> None:
        self.directory = directory
        # Keeps variables and lookup tables alive, which functions refer to weakly.
        self._loaded = loaded

    @classmethod
    def load(cls, directory: str) -> SavedModel:
        """Loads a SavedModel.

        Raises:
          InputError: If there is none in the directory, or it holds operations that
            no installed library has.
        """
        if not tf.saved_model.contains_saved_model(directory):
            raise InputError(
                f"no SavedModel in {directory!r}: expected a directory with saved_model.pb"
            )
        try:
            return cls(directory, _load(directory))
        except (tf.errors.NotFoundError, KeyError) as error:
            raise InputError(
                f"the SavedModel in {directory!r} cannot be loaded: {first_line(error)}"
            ) from error

    def signature(self, name: str) -> ModelFunction:
        """A signature by name.

        Raises:
          InputError: If there is none of that name, with those that there are.
        """
        if name not in self._loaded.signatures:
            raise InputError(
                f"the model {self.directory!r} has no signature {name!r}: "
                f"{self.describe_signatures()}. Set model_spec.signature_name to one of these, "
                "best to one that takes serialised examples and parses them"
            )
        return _from_signature(name, self._loaded.signatures[name])

    def preprocessing_function(self, name: str) -> ModelFunction:
        """A signature or, failing that, an attribute by name, as in TFMA.

        Raises:
          InputError: If there is neither.
        """
        if name in self._loaded.signatures:
            return self.signature(name)
        attribute = getattr(self._loaded, name, None)
        for candidate in (attribute, getattr(attribute, "__call__", None)):  # noqa: B004
            for concrete in getattr(candidate, "concrete_functions", ()):
                return _from_restored(name, candidate, concrete)
        raise InputError(
            f"model_spec.preprocessing_function_names has {name!r}, but the model "
            f"{self.directory!r} has no signature and no function of that name; "
            f"{self.describe_signatures()}"
        )

    def describe_signatures(self) -> str:
        """All signatures with their inputs and outputs, for errors."""
        signatures = [
            _from_signature(name, signature).describe()
            for name, signature in sorted(self._loaded.signatures.items())
            if name not in _INTERNAL_SIGNATURES
        ]
        return (
            f"its signatures are {'; '.join(signatures)}" if signatures else "it has no signatures"
        )


def describe_spec(spec: tf.TypeSpec) -> str:
    """A tensor's type in words: "float32 [batch, 3]"."""
    shape = getattr(spec, "shape", None)
    if shape is None or shape.rank is None:
        dimensions = "[...]"
    elif shape.rank == 0:
        dimensions = "scalar"
    else:
        sizes = ["batch" if shape[0] is None else str(shape[0])]
        sizes += ["?" if size is None else str(size) for size in shape[1:]]
        dimensions = f"[{', '.join(sizes)}]"
    layout = {tf.SparseTensorSpec: "sparse ", tf.RaggedTensorSpec: "ragged "}.get(type(spec), "")
    return f"{layout}{spec.dtype.name} {dimensions}"


def first_line(error: BaseException) -> str:
    """What an error says, without the pages of graph nodes that TensorFlow puts around it."""
    message = str(getattr(error, "message", None) or error)
    lines = [line.strip() for line in message.splitlines()]
    said = [line for line in lines if line and not line.startswith(_AROUND_MESSAGES)]
    return said[0] if said else type(error).__name__


def _load(directory: str) -> Any:
    try:
        return tf.saved_model.load(directory)
    except (tf.errors.NotFoundError, KeyError) as error:
        if "not registered" not in str(error):
            raise
    for library in _OP_LIBRARIES:
        # A library that is there but broken is as good as absent.
        with contextlib.suppress(ImportError, tf.errors.NotFoundError):
            importlib.import_module(library)
    return tf.saved_model.load(directory)


def _from_signature(name: str, signature: Any) -> ModelFunction:
    def call(inputs: Tensors) -> Tensors:
        outputs: Tensors = signature(**inputs)
        return outputs

    return ModelFunction(
        name=name,
        input_specs=dict(signature.structured_input_signature[1]),
        output_specs=dict(signature.structured_outputs),
        parses=_parses(signature.graph),
        call=call,
    )


def _from_restored(name: str, function: Any, concrete: Any) -> ModelFunction:
    """A function that was an attribute: its tensors may lie in a dict, in order, or by name."""
    arguments = concrete.structured_input_signature

    def call(inputs: Tensors) -> Tensors:
        args, kwargs = _fill(arguments, inputs)
        outputs = function(*args, **kwargs)
        return outputs if isinstance(outputs, Mapping) else {name: outputs}

    outputs = concrete.structured_outputs
    return ModelFunction(
        name=name,
        input_specs=dict(_named_specs(arguments)),
        output_specs=dict(outputs) if isinstance(outputs, Mapping) else {name: outputs},
        parses=_parses(concrete.graph),
        call=call,
    )


def _named_specs(arguments: Any) -> Iterable[tuple[str, tf.TypeSpec]]:
    """Name and type of each tensor among a function's arguments."""
    args, kwargs = arguments
    for index, argument in enumerate(args):
        yield from _specs_in(_argument_name(index, argument), argument)
    for name, argument in kwargs.items():
        yield from _specs_in(name, argument)


def _specs_in(name: str, argument: Any) -> Iterable[tuple[str, tf.TypeSpec]]:
    if isinstance(argument, Mapping):
        for key, value in argument.items():
            yield from _specs_in(key, value)
    elif isinstance(argument, tf.TypeSpec):
        yield name, argument


def _fill(arguments: Any, inputs: Tensors) -> tuple[list[Any], dict[str, Any]]:
    """The arguments with tensors for types; what is no tensor (`training`) stays."""

    def fill(name: str, argument: Any) -> Any:
        if isinstance(argument, Mapping):
            return {key: fill(key, value) for key, value in argument.items()}
        return inputs[name] if isinstance(argument, tf.TypeSpec) else argument

    args, kwargs = arguments
    return (
        [fill(_argument_name(index, argument), argument) for index, argument in enumerate(args)],
        {name: fill(name, argument) for name, argument in kwargs.items()},
    )


def _argument_name(index: int, argument: Any) -> str:
    """A positional argument's name; types of sparse and ragged tensors have none."""
    return getattr(argument, "name", None) or f"argument {index}"


def _parses(graph: Any) -> bool:
    definition = graph.as_graph_def()
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    return any(node.op.startswith(_PARSING_OPS) for node in nodes)
