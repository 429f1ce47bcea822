"""Which white-box signals a table of signals holds, and of which layers.

Importing this does not import TensorFlow.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class LayerDescription:
    """A layer of the target model with trainable weights.

    Attributes:
      name: As `tfx-privacy layers` prints it.
      index: Its position among the model's layers with weights, from 0.
      kind: "dense", "convolution", "embedding" and so on.
      weight_shapes: The shapes of its trainable weights, in forward order.
      has_norms: Whether the table has its gradients' norms.
      has_sketches: Whether the table has its gradients' sketches.
      activation_width: Numbers that the table has of its output; 0 for none.
    """

    name: str
    index: int
    kind: str
    weight_shapes: tuple[tuple[int, ...], ...]
    has_norms: bool
    has_sketches: bool
    activation_width: int

    @property
    def weights(self) -> int:
        """Number of its trainable numbers."""
        total = 0
        for shape in self.weight_shapes:
            size = 1
            for length in shape:
                size *= length
            total += size
        return total


@dataclasses.dataclass(frozen=True)
class WhiteBoxLayout:
    """The white-box columns of a table.

    Attributes:
      layers: The model's layers with trainable weights, in forward order.
      sketch_rows: Rows of a sketch.
      sketch_columns: Its columns; a row of the table has rows * columns numbers of it.
      seed: Of the random projections.
      notes: What was slow or otherwise than asked, in sentences.
    """

    layers: tuple[LayerDescription, ...]
    sketch_rows: int
    sketch_columns: int
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def norm_layers(self) -> tuple[str, ...]:
        """Names of the layers whose gradient norms the table has."""
        return tuple(layer.name for layer in self.layers if layer.has_norms)

    @property
    def sketch_layers(self) -> tuple[str, ...]:
        """Names of the layers whose gradient sketches the table has."""
        return tuple(layer.name for layer in self.layers if layer.has_sketches)

    @property
    def activation_widths(self) -> dict[str, int]:
        """By the name of each layer whose output the table has, how many numbers of it."""
        return {
            layer.name: layer.activation_width for layer in self.layers if layer.activation_width
        }

    @property
    def sketch_size(self) -> int:
        """Numbers of a sketch."""
        return self.sketch_rows * self.sketch_columns

    @property
    def row_bytes(self) -> int:
        """What the white-box columns of a row take in memory."""
        numbers = len(self.norm_layers) + sum(self.activation_widths.values())
        return 4 * (numbers + self.sketch_size * len(self.sketch_layers))

    @staticmethod
    def from_json_content(content: dict[str, object]) -> WhiteBoxLayout:
        """What `dataclasses.asdict` gave, read back from JSON.

        Raises:
          KeyError: If something is missing.
          TypeError: If something is not what it should be.
        """
        layers = content.pop("layers")
        notes = content.pop("notes")
        if not isinstance(layers, list) or not isinstance(notes, list):
            raise TypeError("layers and notes of white-box signals: expected lists")
        return WhiteBoxLayout(
            layers=tuple(
                LayerDescription(
                    **{**layer, "weight_shapes": tuple(map(tuple, layer["weight_shapes"]))}
                )
                for layer in layers
            ),
            notes=tuple(notes),
            **content,  # type: ignore[arg-type]
        )
