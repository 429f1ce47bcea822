"""A whole run with `white_box` set to nothing: a table with the columns, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from tfx_privacy.__main__ import main
from tfx_privacy.signals.table_reader import read_bucket, read_description


def _evaluate(target: Path, folder: Path, config: dict) -> Result:
    path = folder / "config.json"
    path.write_text(json.dumps({"model_spec": {"label_key": "label"}, "seed": 3} | config))
    files = [f"{split}={target}/{split}.*" for split in ("train", "eval")]
    given = ["--examples", files[0], "--examples", files[1], "--output", str(folder / "output")]
    return CliRunner().invoke(
        main, ["evaluate", "--model", str(target / "model"), "--config", str(path), *given]
    )


def test_white_box_set_to_nothing_gives_a_table_with_its_columns(
    target: Path, tmp_path: Path
) -> None:
    result = _evaluate(target, tmp_path, {"white_box": {}})
    assert result.exit_code == 0, result.output

    table = str(tmp_path / "output" / "signals")
    description = read_description(table)
    layout = description.white_box
    assert layout is not None
    # One layer of 2 x 3 numbers: smaller than a sketch, and nothing before it.
    assert (len(layout.norm_layers), layout.sketch_layers, layout.activation_widths) == (1, (), {})
    assert layout.seed == 3
    norms = [
        values
        for bucket in range(description.buckets)
        for part in read_bucket(table, description, bucket, ("white_box",))
        for values in part.gradient_norms.values()
    ]
    assert sum(map(len, norms)) == 700


def test_what_does_not_suit_the_model_is_told_before_the_job(target: Path, tmp_path: Path) -> None:
    config = {"white_box": {"sketches": {"last": 1}}, "attacks": ["loss_threshold"]}
    result = _evaluate(target, tmp_path, config)
    assert result.exit_code == 1
    assert "error: white_box.sketches: layer" in result.output
    assert "has a gradient of 6 numbers, fewer than the 16 x 16 = 256" in result.output
    assert not (tmp_path / "output" / "signals").exists()
