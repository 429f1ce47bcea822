"""What a training set holds of a record: the record itself, or what Transform makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa
from apache_beam.utils.shared import Shared

from tfx_privacy.reference_models.example_order import in_order
from tfx_privacy.signals.errors import InputError


class TrainingRecords(Protocol):
    """Turns serialised examples into what training code reads."""

    def of(
        self, records: Sequence[bytes], where: str
    ) -> tuple[Sequence[bytes], dict[str, pa.Array]]:
        """As many serialised examples, and those of their features that were made anew."""
        ...


class AsTheyAre:
    """Training code reads the examples as they are."""

    def of(
        self, records: Sequence[bytes], where: str
    ) -> tuple[Sequence[bytes], dict[str, pa.Array]]:
        """The records, and nothing that was made anew."""
        return records, {}


class Transformed:
    """Training code reads what Transform materialises, made here by its graph."""

    def __init__(self, transform_graph_dir: str) -> None:
        """Loads the graph.

        Raises:
          InputError: If the folder holds no Transform graph.
        """
        import tensorflow as tf
        import tensorflow_transform as tft
        from tensorflow_transform import impl_helper
        from tfx_bsl.coders import example_coder

        from tfx_privacy.signals.target_transform_graph import TransformGraph

        graph = TransformGraph(transform_graph_dir)
        raw_spec, self._layer = graph.raw_spec, graph.layer()
        schema = tft.TFTransformOutput(transform_graph_dir).transformed_metadata.schema
        self._converter = impl_helper.make_tensor_to_arrow_converter(schema)
        self._encoder = example_coder.RecordBatchToExamplesEncoder(schema)
        self._failure = tf.errors.OpError

        def transform(serialized: Any) -> Any:
            return self._layer(tf.io.parse_example(serialized, raw_spec))

        serialized = tf.TensorSpec([None], tf.string)
        self._transform = tf.function(transform, input_signature=[serialized])

    def of(
        self, records: Sequence[bytes], where: str
    ) -> tuple[Sequence[bytes], dict[str, pa.Array]]:
        """The transformed records and their features.

        Raises:
          InputError: If the graph does not take a record.
        """
        import tensorflow as tf

        try:
            tensors = self._transform(tf.constant(list(records), tf.string))
        except self._failure as error:
            raise InputError(
                f"{where}: Transform's graph does not take these examples: {error.message}"
            ) from error
        batch = self._converter.convert(tensors)
        features = dict(zip(batch.schema.names, batch.columns, strict=True))
        return [in_order(example) for example in self._encoder.encode(batch)], features


class RecordsSource:
    """What workers get `TrainingRecords` from; a graph is loaded once a process and run."""

    def __init__(self, transform_graph_dir: str | None) -> None:
        """Loads nothing yet.

        Args:
          transform_graph_dir: Transform's graph where training code reads its output;
            None where it reads the examples as they are.
        """
        self._graph = transform_graph_dir
        self._shared = Shared()

    @property
    def is_transformed(self) -> bool:
        """Whether records are transformed."""
        return self._graph is not None

    def records(self) -> TrainingRecords:
        """What turns examples into what training code reads.

        Raises:
          InputError: If the folder holds no Transform graph.
        """
        graph = self._graph
        if graph is None:
            return AsTheyAre()
        made: Transformed = self._shared.acquire(lambda: Transformed(graph))
        return made

    def release(self) -> None:
        """Gives the graph's memory back."""
        # Beam keeps the object that was shared last until another is.
        Shared().acquire(_Nothing)


class _Nothing:
    """An object to share instead of a graph."""


def transformed_features(transform_graph_dir: str | None) -> frozenset[str]:
    """The names of the features that a Transform graph makes; none where there is none.

    Raises:
      InputError: If the folder holds no Transform graph.
    """
    if transform_graph_dir is None:
        return frozenset()
    from tfx_privacy.signals.target_transform_graph import TransformGraph

    return frozenset(TransformGraph(transform_graph_dir).transformed_spec)
