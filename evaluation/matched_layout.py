"""Whether two signals tables go together: what attacks read of one, fitted on another."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import WHITE_BOX
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.inputs import InputFeature
from tfx_privacy.signals.table import TableDescription, TableLayout
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout

_COLUMNS = ("label", "logits", "loss", "entropy")
_NORMS, _SKETCHES, _ACTIVATIONS = WHITE_BOX
# Names in an error are few enough to read.
_MOST_NAMES = 5


@dataclasses.dataclass(frozen=True)
class MatchedLayout:
    """What is read of the table that attacks are fitted on.

    Attributes:
      layout: Of its columns those that the judged table has too.
      layer_names: By the name of a layer there, that of the layer of the judged model
        at the same position.
    """

    layout: TableLayout
    layer_names: Mapping[str, str]


def require_related(other: TableDescription, judged: TableDescription, uri: str) -> None:
    """Sees to it that ids of the two tables say whether records are the same.

    Args:
      other: The table that attacks are fitted on.
      judged: The table that is judged.
      uri: What the error calls the former.

    Raises:
      InputError: If they do not.
    """
    if not (other.identity.checks_duplicates and judged.identity.checks_duplicates):
        whose = "those judged" if other.identity.checks_duplicates else "the signals to fit on"
        raise InputError(
            f"whether the signals to fit on at {uri} and those judged have records in common "
            f"cannot be known: the ids of {whose} are row numbers, and the same number is not the "
            "same record. Expected ids by content or by a key (of saved predictions: a column 'id')"
        )
    if other.identity != judged.identity:
        raise InputError(
            f"whether the signals to fit on at {uri} and those judged have records in common "
            f"cannot be known: ids there are by {other.identity.in_words()}; of those judged by "
            f"{judged.identity.in_words()}. Expected examples with the same features, and the same "
            "`identity` in both configurations"
        )


def match_layout(
    other: TableDescription,
    judged: TableDescription,
    wide_columns: Collection[str],
    white_box_seen: Collection[str],
    uri: str,
) -> MatchedLayout:
    """What attacks that score the judged table can be fitted on in another.

    Columns of the other table that the judged one lacks are left out. White-box signals
    have to agree where an attack looks at them: layers by position, kind and shapes of
    weights, whatever they are called; sketches by size and by the seed of the random
    projections, which with a layer's position and shapes makes the projections.

    Args:
      other: The table that attacks are fitted on.
      judged: The table that is judged.
      wide_columns: What attacks look at of "inputs" and "white_box".
      white_box_seen: What they look at of WHITE_BOX.
      uri: What errors call the former.

    Raises:
      InputError: If the judged table has what the other lacks, or has otherwise.
    """
    _require_same("task", config_pb2.Task.Name(other.task), config_pb2.Task.Name(judged.task), uri)
    _require_columns(other, judged, uri)
    if judged.has_logits:
        _require_same("width of the output", other.output_width, judged.output_width, uri)
    if judged.has_label:
        _require_same("number of labels a record has", other.label_width, judged.label_width, uri)
        if other.label_vocabulary != judged.label_vocabulary:
            raise _mismatch(
                "label vocabulary",
                _listed(other.label_vocabulary),
                _listed(judged.label_vocabulary),
                uri,
                "the same classes in the same order (model_spec.label_vocabulary)",
            )
    inputs: tuple[InputFeature, ...] = ()
    if "inputs" in wide_columns:
        inputs = judged.input_features
        if set(other.input_features) != set(inputs):
            raise _mismatch(
                "input features",
                _listed([f"{name} ({kind})" for name, kind in other.input_features]),
                _listed([f"{name} ({kind})" for name, kind in inputs]),
                uri,
                "the same, since an attack looks at them",
            )
    white_box, layer_names = _match_white_box(other, judged, white_box_seen, uri)
    columns = {field.name: getattr(other, field.name) for field in dataclasses.fields(TableLayout)}
    columns |= {f"has_{name}": getattr(judged, f"has_{name}") for name in _COLUMNS}
    # Reference models of one target say nothing of another.
    columns |= {"slice_features": (), "input_features": inputs, "white_box": white_box}
    columns |= {"references": None}
    return MatchedLayout(TableLayout(**columns), layer_names)


def _require_columns(other: TableLayout, judged: TableLayout, uri: str) -> None:
    missing = [name for name in _columns(judged) if name not in _columns(other)]
    if missing:
        raise InputError(
            f"the signals to fit on at {uri} have {_listed(_columns(other))}, those judged have "
            f"{_listed(_columns(judged))}: expected {_listed(missing)} there too, since attacks "
            "are fitted on what they look at"
        )


def _columns(layout: TableLayout) -> list[str]:
    return [name for name in _COLUMNS if getattr(layout, f"has_{name}")]


def _match_white_box(
    other: TableLayout, judged: TableLayout, seen: Collection[str], uri: str
) -> tuple[WhiteBoxLayout | None, dict[str, str]]:
    """The layers that attacks look at, as the other table has them, and their names."""
    wanted = [] if judged.white_box is None else _seen_layers(judged.white_box, seen)
    if judged.white_box is None or not any(map(_is_read, wanted)):
        return None, {}
    if other.white_box is None:
        raise InputError(
            f"the signals to fit on at {uri} have no white-box signals, which attacks look at: "
            "expected them there too; set `white_box` in the configuration that they are measured "
            "by, or name attacks in this one that see the model's answers alone"
        )
    _require_one_architecture(other.white_box, judged.white_box, uri)
    _require_one_projection(other.white_box, judged.white_box, wanted, uri)
    for theirs, ours in zip(other.white_box.layers, wanted, strict=True):
        _require_read(theirs, ours, uri)
    layers = tuple(
        dataclasses.replace(
            theirs,
            has_norms=ours.has_norms,
            has_sketches=ours.has_sketches,
            activation_width=ours.activation_width,
        )
        for theirs, ours in zip(other.white_box.layers, wanted, strict=True)
    )
    names = {theirs.name: ours.name for theirs, ours in zip(layers, wanted, strict=True)}
    return dataclasses.replace(other.white_box, layers=layers, notes=()), names


def _seen_layers(layout: WhiteBoxLayout, seen: Collection[str]) -> list[LayerDescription]:
    """The layers without what no attack looks at."""
    return [
        dataclasses.replace(
            layer,
            has_norms=layer.has_norms and _NORMS in seen,
            has_sketches=layer.has_sketches and _SKETCHES in seen,
            activation_width=layer.activation_width if _ACTIVATIONS in seen else 0,
        )
        for layer in layout.layers
    ]


def _is_read(layer: LayerDescription) -> bool:
    return layer.has_norms or layer.has_sketches or bool(layer.activation_width)


def _require_one_architecture(other: WhiteBoxLayout, judged: WhiteBoxLayout, uri: str) -> None:
    expected = "one architecture, since attacks look at white-box signals"
    if len(other.layers) != len(judged.layers):
        raise _mismatch(
            "model",
            f"one of {len(other.layers)} layers with weights",
            f"one of {len(judged.layers)}",
            uri,
            expected,
        )
    for theirs, ours in zip(other.layers, judged.layers, strict=True):
        if (theirs.kind, theirs.weight_shapes) != (ours.kind, ours.weight_shapes):
            raise _mismatch(f"layer {ours.index}", _layer(theirs), _layer(ours), uri, expected)


def _require_one_projection(
    other: WhiteBoxLayout, judged: WhiteBoxLayout, wanted: Collection[LayerDescription], uri: str
) -> None:
    sketched = any(layer.has_sketches for layer in wanted)
    if sketched:
        _require_same(
            "size of the gradient sketches",
            f"{other.sketch_rows} x {other.sketch_columns}",
            f"{judged.sketch_rows} x {judged.sketch_columns}",
            uri,
        )
    if other.seed != judged.seed and (sketched or any(one.activation_width for one in wanted)):
        raise _mismatch(
            "seed",
            str(other.seed),
            str(judged.seed),
            uri,
            "the same `seed` in both configurations: gradients and activations are projected at "
            "random by it",
        )


def _require_read(theirs: LayerDescription, ours: LayerDescription, uri: str) -> None:
    for what, there, wanted in (
        ("gradient norms", theirs.has_norms, ours.has_norms),
        ("gradient sketches", theirs.has_sketches, ours.has_sketches),
    ):
        if wanted and not there:
            raise InputError(
                f"the signals to fit on at {uri} have no {what} of layer {theirs.index}, "
                f"{theirs.name!r}, and those judged have, of {ours.name!r}: expected the same "
                "layers in `white_box` of both configurations"
            )
    if ours.activation_width and theirs.activation_width != ours.activation_width:
        raise _mismatch(
            f"number of activations of layer {ours.index}",
            f"{theirs.activation_width} ({theirs.name!r})",
            f"{ours.activation_width} ({ours.name!r})",
            uri,
            "the same layers and the same activation_width in `white_box` of both configurations",
        )


def _require_same(what: str, theirs: object, ours: object, uri: str) -> None:
    if theirs != ours:
        raise _mismatch(what, str(theirs), str(ours), uri, "the same")


def _mismatch(what: str, theirs: str, ours: str, uri: str, expected: str) -> InputError:
    return InputError(
        f"the {what} of the signals to fit on at {uri} is {theirs}, that of those judged is "
        f"{ours}: expected {expected}"
    )


def _layer(layer: LayerDescription) -> str:
    shapes = ", ".join(" x ".join(map(str, shape)) or "one number" for shape in layer.weight_shapes)
    return f"{layer.name!r} ({layer.kind}, weights {shapes})"


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return (f"{shown} and {more} more" if more > 0 else shown) or "none"
