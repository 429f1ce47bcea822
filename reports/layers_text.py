"""The layers of a model as plain text, for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from tfx_privacy.reports.plain_text import cell, plain, rule_table
from tfx_privacy.signals.white_box_layout import LayerDescription

# Names are there to be copied: other columns give way.
_NAME_WIDTH = 48


def layers_text(layers: Sequence[LayerDescription], sketch_rows: int, sketch_columns: int) -> str:
    """A row a layer, and what `white_box {}` takes of it.

    Args:
      layers: Every layer with weights; without shapes where they are not trained.
      sketch_rows: Of a sketch.
      sketch_columns: Of a sketch.

    Returns:
      Lines of at most 100 columns, without colours; no line break at the end.
    """
    if not layers:
        return (
            "The model has no weights on the way to its output, so no layers to look into.\n"
            "Weights that were quantised or turned into constants cannot be told from other "
            "numbers."
        )
    table = rule_table(None)
    table.add_column("No.", justify="right")
    longest = max(len(layer.name) for layer in layers)
    table.add_column("Layer", min_width=min(longest, _NAME_WIDTH))
    table.add_column("Kind")
    table.add_column("Weights")
    table.add_column("Numbers", justify="right")
    table.add_column("Norm")
    table.add_column("Sketch")
    table.add_column("Output", justify="right")
    for layer in layers:
        table.add_row(*map(cell, _row(layer)))
    parts: list[RenderableType] = [table, Text("")]
    parts.append(cell(_sentence(layers, sketch_rows, sketch_columns)))
    return plain(parts)


def _row(layer: LayerDescription) -> tuple[str, ...]:
    shapes = " ".join("x".join(map(str, shape)) or "1" for shape in layer.weight_shapes)
    return (
        str(layer.index),
        layer.name,
        layer.kind,
        shapes or "none to train",
        f"{layer.weights:,}",
        "yes" if layer.has_norms else "-",
        "yes" if layer.has_sketches else "-",
        f"{layer.activation_width:,}" if layer.activation_width else "-",
    )


def _sentence(layers: Sequence[LayerDescription], rows: int, columns: int) -> str:
    if not any(layer.weight_shapes for layer in layers):
        return "None of them has weights to train, so there is no gradient to look at."
    return (
        "Norm, Sketch and Output say what `white_box {}` in a configuration takes of a layer: its "
        f"gradient's norm, a sketch of that of {rows} x {columns} numbers, and so many numbers of "
        "what comes out of it."
    )
