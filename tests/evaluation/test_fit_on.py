"""Rows of model A to fit attacks on: all but those of model B, whatever they lie beside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from pathlib import Path
from types import SimpleNamespace

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation import fit_on as fit_on_module
from tfx_privacy.evaluation import samples
from tfx_privacy.evaluation.fit_on import FitOn, _is_among, rows_to_fit_on
from tfx_privacy.evaluation.suite import KnownRows
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.table import IdentityDescription, TableDescription, TableLayout
from tfx_privacy.signals.table_writer import TableWriter, commit, remove_rows
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout

_LAYOUT = TableLayout(
    task=config_pb2.MULTICLASS,
    output_kind=config_pb2.LOGITS,
    output_width=2,
    logits_source="",
    label_vocabulary=(),
    label_width=0,
    slice_features=("city",),
    input_features=(("pixels", "number"),),
    has_label=True,
    has_logits=True,
    has_loss=True,
    has_units=False,
    has_weight=False,
)
_CONTENT = IdentityDescription("content", features_digest="abc")


def _rows(members: Collection[int], nonmembers: Collection[int]) -> Signals:
    """Rows whose loss and inputs are their number."""
    number = np.array([*members, *nonmembers], np.uint64)
    loss = number.astype(np.float32)
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=np.stack([number, number * np.uint64(7)], axis=1),
        member=np.arange(len(number)) < len(members),
        label=np.zeros(len(number), np.int64),
        logits=np.stack([loss, -loss], axis=1),
        loss=loss,
        slices={"city": pa.array([["Zug"]] * len(number), pa.list_(pa.string()))},
        inputs={"pixels": pa.array([[n] for n in loss.tolist()], pa.list_(pa.float32()))},
    )


@dataclasses.dataclass
class _Table:
    folder: str
    description: TableDescription


def _write(
    folder: Path,
    rows: Signals,
    buckets: int = 1,
    layout: TableLayout = _LAYOUT,
    identity: IdentityDescription = _CONTENT,
) -> _Table:
    layout = dataclasses.replace(layout, has_units=rows.units is not None)
    with TableWriter(str(folder), layout, buckets) as writer:
        writer.append(rows, "rows")
        written = writer.finish()
    return _Table(str(folder), commit(str(folder), layout, identity, buckets, [written]))


def _fit_on(
    a: _Table, b: _Table, scratch: Path, cap: int = 100_000, wide: Collection[str] = ()
) -> tuple[KnownRows, results_pb2.FittedOn]:
    config = config_pb2.PrivacyConfig(
        attacks=["loss_threshold"], sample_sizes={"fit_rows_per_side": cap}, seed=3
    )
    return rows_to_fit_on(
        FitOn(a.folder, "/signals/a"),
        b.folder,
        b.description,
        config,
        str(scratch),
        beam.Pipeline,
        wide,
    )


def _numbers(rows: Signals) -> list[int]:
    return rows.ids[:, 0].astype(int).tolist()


def _counts(members: int, nonmembers: int) -> results_pb2.SideCounts:
    return results_pb2.SideCounts(members=members, nonmembers=nonmembers)


@pytest.mark.parametrize("buckets", [(1, 1), (7, 1), (3, 5)])
def test_all_rows_are_known_but_duplicates_and_those_of_the_judged_model(
    tmp_path: Path, buckets: tuple[int, int]
) -> None:
    # Of A the records 0 to 9 are there twice; FIT and JUDGE there are known alike.
    a = _write(tmp_path / "a", _rows([*range(300), *range(10)], range(1_000, 1_200)), buckets[0])
    # B has members and non-members of A, on either side, and one of them twice.
    b = _write(tmp_path / "b", _rows([*range(5, 50), 49, 1_000], [60, *range(1_190, 2_000)]),
               buckets[1])  # fmt: skip

    known, fitted_on = _fit_on(a, b, tmp_path / "scratch")

    expected = [n for n in range(10, 300) if not 5 <= n < 50 and n != 60]
    assert _numbers(known.rows) == [*expected, *range(1_001, 1_190)]
    assert _numbers(known.rows.take(known.rows.member)) == expected
    np.testing.assert_array_equal(known.rows.loss, known.rows.ids[:, 0].astype(np.float32))
    assert fitted_on.signals_uri == "/signals/a"
    assert fitted_on.fit == _counts(len(expected), 189)
    assert fitted_on.shared == _counts(41, 11)
    # What attacks do not read of these is not carried.
    assert not known.rows.slices
    assert not known.rows.inputs
    assert not len(known.wide)


def test_a_sample_is_full_however_many_records_are_shared(tmp_path: Path) -> None:
    a = _rows(range(20_000), range(50_000, 70_000))
    shared = _rows(range(18_000), range(50_000, 68_000))
    tables = [
        (_write(tmp_path / f"a{n}", a, n), _write(tmp_path / f"b{n}", shared, 1 + n % 3))
        for n in (1, 6)
    ]

    found = [_fit_on(*pair, tmp_path / f"s{n}", cap=500) for n, pair in enumerate(tables)]

    for known, fitted_on in found:
        assert fitted_on.fit == _counts(500, 500)
        assert fitted_on.shared == _counts(18_000, 18_000)
        assert min(_numbers(known.rows)) >= 18_000
        # The same rows however they lie in buckets.
        assert _numbers(known.rows) == _numbers(found[0][0].rows)


def test_with_units_whoever_is_in_the_judged_model_is_left_out_with_all_their_rows(
    tmp_path: Path,
) -> None:
    def of_units(rows: Signals, units: list[int]) -> Signals:
        return dataclasses.replace(rows, units=np.array([[u, u] for u in units], np.uint64))

    # Ten rows a unit: units 0 to 29 are members, 30 to 59 are not.
    a_rows = of_units(_rows(range(300), range(300, 600)), [n // 10 for n in range(600)])
    # Another row of unit 3; the record 305 of unit 30 as unit 77's; units of its own.
    b_rows = of_units(
        _rows([9_000, *range(10_000, 10_020)], [305, *range(11_000, 11_020)]),
        [3, *range(100, 120), 77, *range(200, 220)],
    )
    with_unit = dataclasses.replace(_CONTENT, unit_feature="person")
    for buckets in (1, 4):
        folder = tmp_path / str(buckets)
        a = _write(folder / "a", a_rows, buckets, identity=with_unit)
        b = _write(folder / "b", b_rows, 5 - buckets, identity=with_unit)
        known, fitted_on = _fit_on(a, b, folder / "scratch")
        units = [n // 10 for n in _numbers(known.rows)]
        taken = set(_numbers(known.rows))
        # One row a unit. That of unit 30 is the record 305 in one case of ten.
        assert len(set(units)) == len(units)
        assert set(range(60)) - set(units) - {30} == {3}
        assert 305 not in taken
        assert fitted_on.shared.members == 1
        assert fitted_on.fit.nonmembers + fitted_on.shared.nonmembers == 30


def test_a_record_that_has_another_unit_there_is_left_out(tmp_path: Path) -> None:
    def of_units(rows: Signals, first: int) -> Signals:
        units = first + np.arange(len(rows), dtype=np.uint64)
        return dataclasses.replace(rows, units=np.stack([units, units], axis=1))

    keys = IdentityDescription("key", "trip", unit_feature="person")
    a = _write(tmp_path / "a", of_units(_rows(range(40), range(40, 80)), 0), 3, identity=keys)
    b = _write(tmp_path / "b", of_units(_rows(range(7), [78, 90]), 500), 5, identity=keys)
    known, fitted_on = _fit_on(a, b, tmp_path / "scratch", wide=("inputs",))
    expected = [*range(7, 78), 79]
    assert _numbers(known.rows) == expected
    assert _numbers(known.wide) == expected
    assert fitted_on.shared == _counts(7, 1)
    assert fitted_on.fit == _counts(33, 39)


def test_wide_columns_are_carried_by_few_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_WIDE_ROWS_PER_SIDE", 40)
    a = _write(tmp_path / "a", _rows(range(300), range(1_000, 1_300)), 3)
    b = _write(tmp_path / "b", _rows(range(50), range(1_250, 1_400)), 2)
    known, fitted_on = _fit_on(a, b, tmp_path / "scratch", wide=("inputs",))
    assert fitted_on.fit == _counts(250, 250)
    assert (int(known.wide.member.sum()), len(known.wide)) == (40, 80)
    assert set(_numbers(known.wide)) < set(_numbers(known.rows))
    assert known.wide.inputs["pixels"].to_pylist() == [[n] for n in _numbers(known.wide)]


def _layers(*names: str, width: int = 4, **columns: object) -> tuple[LayerDescription, ...]:
    return tuple(
        LayerDescription(
            name=name,
            index=index,
            kind="dense",
            weight_shapes=((width, width), (width,)),
            **{"has_norms": True, "has_sketches": True, "activation_width": 3} | columns,
        )
        for index, name in enumerate(names)
    )


def _white_box(layers: tuple[LayerDescription, ...], seed: int = 0) -> WhiteBoxLayout:
    return WhiteBoxLayout(layers, sketch_rows=2, sketch_columns=2, seed=seed)


def test_layers_go_by_position_and_are_called_as_in_the_judged_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = SimpleNamespace(white_box_seen={"gradient_norms", "activations"})
    monkeypatch.setattr(fit_on_module, "attacks_of", lambda config: [attack])

    def with_white_box(rows: Signals, names: tuple[str, ...]) -> Signals:
        loss = rows.loss
        return dataclasses.replace(
            rows,
            gradient_norms={name: 10**n + loss for n, name in enumerate(names)},
            gradient_sketches={name: np.zeros((len(rows), 4), np.float32) for name in names},
            activations={name: np.outer(loss, [n, 1, 2]) for n, name in enumerate(names)},
        )

    def table(name: str, rows: Signals, names: tuple[str, ...]) -> _Table:
        layout = dataclasses.replace(_LAYOUT, white_box=_white_box(_layers(*names)))
        return _write(tmp_path / name, with_white_box(rows, names), 2, layout)

    # The names of the one are partly those of the other, at other positions.
    a = table("a", _rows(range(50), range(100, 150)), ("dense", "dense_1", "dense_2"))
    b = table("b", _rows(range(200, 250), range(300, 350)), ("dense_1", "dense_2", "dense_3"))

    known, _ = _fit_on(a, b, tmp_path / "scratch", wide=("white_box",))

    assert len(known.wide) == 100
    assert list(known.wide.gradient_norms) == ["dense_1", "dense_2", "dense_3"]
    for n, values in enumerate(known.wide.gradient_norms.values()):
        np.testing.assert_array_equal(values, 10**n + known.wide.loss)
    np.testing.assert_array_equal(
        known.wide.activations["dense_3"], np.outer(known.wide.loss, [2, 1, 2])
    )
    # Nobody looks at these.
    assert known.wide.gradient_sketches == {}


def test_too_few_rows_left_are_told_with_what_was_left_out(tmp_path: Path) -> None:
    a = _write(tmp_path / "a", _rows(range(100), range(1_000, 1_080)))
    # The same non-members serve both models: a mistake easily made.
    b = _write(tmp_path / "b", _rows(range(200, 300), range(1_000, 1_075)))
    with pytest.raises(InputError) as error:
        _fit_on(a, b, tmp_path / "scratch")
    message = str(error.value)
    assert "/signals/a have 100 members and 5 non-members to fit attacks on" in message
    assert "expected at least 10 of each" in message
    assert "0 members and 75 non-members more were left out" in message
    assert "members and non-members of its own for each of the two models" in message


def test_rows_that_were_not_kept(tmp_path: Path) -> None:
    a = _write(tmp_path / "a", _rows(range(100), range(1_000, 1_100)), 3)
    b = _write(tmp_path / "b", _rows(range(200, 300), range(2_000, 2_100)))
    remove_rows(a.folder)
    with pytest.raises(InputError, match=r"/signals/a have no rows: .*`keep_signals: true`"):
        _fit_on(a, b, tmp_path / "scratch")


def test_no_signals_at_all(tmp_path: Path) -> None:
    b = _write(tmp_path / "b", _rows(range(200, 300), range(2_000, 2_100)))
    nothing = dataclasses.replace(b, folder=str(tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"signals to fit on cannot be read: .*/nothing' holds no"):
        _fit_on(nothing, b, tmp_path / "scratch")


@pytest.mark.parametrize(
    ("other", "judged", "words"),
    [
        (
            IdentityDescription("row", checks_duplicates=False),
            IdentityDescription("row", checks_duplicates=False),
            "the ids of the signals to fit on are row numbers",
        ),
        (
            _CONTENT,
            IdentityDescription("row", checks_duplicates=False),
            "the ids of those judged are row numbers",
        ),
        (
            _CONTENT,
            IdentityDescription("content", features_digest="other"),
            r"ids there are by digest of the example's content \(features abc\); of those judged "
            r"by digest of the example's content \(features other\)",
        ),
        (_CONTENT, IdentityDescription("key", "trip"), "of those judged by digest of the key"),
        (
            IdentityDescription("key", "trip", unit_feature="person"),
            IdentityDescription("key", "trip"),
            "unit 'person'; of those judged",
        ),
    ],
)
def test_ids_that_say_nothing_of_each_other(
    tmp_path: Path, other: IdentityDescription, judged: IdentityDescription, words: str
) -> None:
    a = _write(tmp_path / "a", _rows(range(50), range(100, 150)), identity=other)
    b = _write(tmp_path / "b", _rows(range(200, 250), range(300, 350)), identity=judged)
    with pytest.raises(InputError, match=f"records in common cannot be known: .*{words}"):
        _fit_on(a, b, tmp_path / "scratch")


def _false_alarms(known_of: Callable[[Signals, Signals], Signals], runs: int) -> float:
    """How often an attacker fitted on A finds a leak of B, where neither model has one.

    A record's logits are the same of both models, member or not: nothing is given away.
    But half of the records of A are records of B, on the same side. The bound is that of
    a 90% interval: .05 of false alarms are nominal.
    """
    (attack,) = resolve_attacks(["nearest_neighbours"])
    alarms = 0
    for run in range(runs):
        rng = np.random.default_rng(run)
        logits = rng.normal(size=(600, 4)).astype(np.float32)
        label = rng.integers(0, 4, 600)
        log_sum = np.log(np.exp(logits).sum(axis=1))
        everything = Signals(
            task=config_pb2.MULTICLASS,
            ids=np.stack([np.full(600, run), np.arange(600)], axis=1).astype(np.uint64),
            member=np.arange(600) % 2 == 0,
            label=label,
            logits=logits,
            loss=(log_sum - logits[np.arange(600), label]).astype(np.float32),
        )
        a, b = everything.take(np.arange(400)), everything.take(np.arange(200, 600))
        known = known_of(a, b)
        fitted = attack.fit(known, 0)
        edges = choose_edges(fitted.score(known), known.member)
        counts = count_scores(fitted.score(b), b.member, edges)
        alarms += Auc().measure(counts, edges.thresholds, 0.05).lower > 0.5
    return alarms / runs


def test_without_a_leak_shared_records_raise_no_false_alarms() -> None:
    """A seeded simulation; its last line shows that it would see what it looks for."""
    runs = 120
    apart = _false_alarms(lambda a, b: a.take(~_is_among(a.ids, b.ids)), runs)
    # Three standard errors above the nominal rate.
    assert apart <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert _false_alarms(lambda a, b: a, 20) >= 0.25
