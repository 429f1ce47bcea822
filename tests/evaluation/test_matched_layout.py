"""Two signals tables that do not go together: each reason with what the one has and the other."""

from __future__ import annotations

import dataclasses

import pytest

from tfx_privacy.evaluation.matched_layout import MatchedLayout, match_layout
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import WHITE_BOX
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.table import IdentityDescription, TableDescription
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout


def _layer(index: int, name: str, **fields: object) -> LayerDescription:
    found = {
        "kind": "dense",
        "weight_shapes": ((64, 10), (10,)),
        "has_norms": True,
        "has_sketches": True,
        "activation_width": 10,
    }
    return LayerDescription(name=name, index=index, **(found | fields))


_A_LAYERS = (_layer(0, "first"), _layer(1, "second"))
_B_LAYERS = (_layer(0, "one"), _layer(1, "two"))


def _white_box(*layers: LayerDescription, **fields: object) -> WhiteBoxLayout:
    found = {"sketch_rows": 16, "sketch_columns": 16, "seed": 1} | fields
    return WhiteBoxLayout(layers or _A_LAYERS, **found)


_A = TableDescription(
    task=config_pb2.MULTICLASS,
    output_kind=config_pb2.LOGITS,
    output_width=10,
    logits_source="",
    label_vocabulary=("cat", "dog"),
    label_width=0,
    slice_features=("city",),
    input_features=(("age", "number"), ("name", "word")),
    has_label=True,
    has_logits=True,
    has_loss=True,
    has_units=False,
    has_weight=True,
    white_box=_white_box(),
    identity=IdentityDescription("content"),
    splits=(),
    buckets=1,
    files=(),
)
_B = dataclasses.replace(_A, white_box=_white_box(*_B_LAYERS), slice_features=(), has_weight=False)


def _match(a: TableDescription, b: TableDescription, seen: tuple[str, ...]) -> MatchedLayout:
    wide = ("inputs", "white_box") if seen else ("inputs",)
    return match_layout(a, b, wide, seen, "/signals/a")


def _changed(table: TableDescription, **white_box: object) -> TableDescription:
    assert table.white_box is not None
    return dataclasses.replace(table, white_box=dataclasses.replace(table.white_box, **white_box))


def test_one_architecture_under_other_names() -> None:
    matched = _match(_A, _B, WHITE_BOX)
    assert matched.layer_names == {"first": "one", "second": "two"}
    assert matched.layout.white_box == _A.white_box
    assert matched.layout.slice_features == ()
    # Nothing of it but the layout goes to workers: files are many.
    assert not isinstance(matched.layout, TableDescription)


def test_what_the_judged_table_lacks_is_not_read() -> None:
    less = (
        _layer(0, "one", has_norms=False, activation_width=0),
        _layer(1, "two", has_sketches=False),
    )
    b = dataclasses.replace(_changed(_B, layers=less), has_label=False, label_vocabulary=())
    layout = _match(_A, b, WHITE_BOX).layout
    assert layout.white_box is not None
    assert layout.white_box.norm_layers == ("second",)
    assert layout.white_box.sketch_layers == ("first",)
    assert layout.white_box.activation_widths == {"second": 10}
    assert (layout.has_label, layout.has_loss) == (False, True)


def test_norms_alone_need_no_common_projection() -> None:
    a = _changed(_A, seed=7, sketch_rows=4)
    layout = _match(a, _B, ("gradient_norms",)).layout
    assert layout.white_box is not None
    assert layout.white_box.norm_layers == ("first", "second")
    assert not layout.white_box.sketch_layers
    assert not layout.white_box.activation_widths


@pytest.mark.parametrize("white_box", [None, _white_box(_layer(0, "a", kind="convolution"))])
def test_black_box_attacks_need_no_common_architecture(white_box: WhiteBoxLayout | None) -> None:
    other = dataclasses.replace(_A, white_box=white_box)
    for a, b in ((other, _B), (_B, other)):
        assert _match(a, b, ()).layout.white_box is None


def test_white_box_signals_that_the_judged_model_has_none_of() -> None:
    """Attacks that want them are skipped, with the reason that any measurement gives."""
    layout = _match(_A, dataclasses.replace(_B, white_box=None), WHITE_BOX).layout
    assert layout.white_box is None


@pytest.mark.parametrize(
    ("a", "words"),
    [
        ({"task": config_pb2.BINARY}, "the task of .* is BINARY, .* is MULTICLASS"),
        ({"output_width": 5}, "the width of the output of .* is 5, that of those judged is 10"),
        ({"label_width": 3}, "the number of labels a record has of .* is 3, .* is 0"),
        (
            {"label_vocabulary": ("dog", "cat")},
            r"the label vocabulary of .* is dog, cat, that of those judged is cat, dog: .*"
            r"the same classes in the same order \(model_spec.label_vocabulary\)",
        ),
        (
            {"has_label": False, "has_logits": False},
            "have loss, those judged have label, logits, loss: expected label, logits there too",
        ),
        (
            {"input_features": (("age", "word"),)},
            r"the input features of .* is age \(word\), .* is age \(number\), name \(word\)",
        ),
        (
            {"white_box": None},
            "have no white-box signals, which attacks look at: expected them there too; set "
            "`white_box`",
        ),
        (
            {"white_box": _white_box(*_A_LAYERS[:1])},
            "is one of 1 layers with weights, that of those judged is one of 2",
        ),
        (
            {"white_box": _white_box(_A_LAYERS[0], _layer(1, "b", weight_shapes=((32, 10), ())))},
            r"layer 1 .* is 'b' \(dense, weights 32 x 10, one number\), .* is 'two' \(dense, "
            r"weights 64 x 10, 10\): expected one architecture",
        ),
        (
            {"white_box": _white_box(_layer(0, "b", kind="embedding"), _A_LAYERS[1])},
            r"layer 0 .* is 'b' \(embedding",
        ),
        (
            {"white_box": _white_box(sketch_columns=8)},
            "size of the gradient sketches .* is 16 x 8, .* is 16 x 16",
        ),
        (
            {"white_box": _white_box(seed=2)},
            "the seed of .* is 2, .* is 1: expected the same `seed` in both configurations",
        ),
        (
            {"white_box": _white_box(_A_LAYERS[0], _layer(1, "b", has_norms=False))},
            "have no gradient norms of layer 1, 'b', and those judged have, of 'two'",
        ),
        (
            {"white_box": _white_box(_A_LAYERS[0], _layer(1, "b", has_sketches=False))},
            "have no gradient sketches of layer 1, 'b'",
        ),
        (
            {"white_box": _white_box(_A_LAYERS[0], _layer(1, "b", activation_width=0))},
            r"number of activations of layer 1 .* is 0 \('b'\), .* is 10 \('two'\): .*"
            "same activation_width",
        ),
    ],
)
def test_what_does_not_go_together_is_one_clear_error(a: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        _match(dataclasses.replace(_A, **a), _B, WHITE_BOX)
    assert "the signals to fit on at /signals/a" in str(error.value)


def test_classes_of_predictions_without_labels_are_not_compared() -> None:
    b = dataclasses.replace(_B, has_label=False, label_vocabulary=(), label_width=0)
    assert not _match(_A, b, ()).layout.has_label
