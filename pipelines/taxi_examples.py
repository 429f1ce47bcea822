"""Where the taxi pipeline's members and non-members come from."""

from __future__ import annotations

from pathlib import Path

from tfx import v1 as tfx


def split_by_hash(data_root: Path) -> tfx.components.CsvExampleGen:
    """Trips of one CSV file, half of them to train on, chosen by a hash of their content.

    Both halves come from one population, so that nothing but training tells them apart.
    The other half is needed to tell what training gave away: the fewer non-members, the
    wider the intervals, and a gate that cannot tell does not bless.

    Args:
      data_root: The folder of the CSV file.
    """
    split_config = tfx.proto.SplitConfig(
        splits=[
            tfx.proto.SplitConfig.Split(name="train", hash_buckets=50),
            tfx.proto.SplitConfig.Split(name="eval", hash_buckets=50),
        ]
    )
    return tfx.components.CsvExampleGen(
        input_base=str(data_root), output_config=tfx.proto.Output(split_config=split_config)
    )


def split_by_file(data_root: Path, train: str, eval_: str) -> tfx.components.CsvExampleGen:
    """Trips that were split beforehand: by time, say, as many a pipeline has it.

    Where the splits differ in more than training, an attacker can tell them apart
    without the model, and the gate does not bless.

    Args:
      data_root: The folder of the CSV files.
      train: Pattern, relative to the folder, of the files to train on.
      eval_: Pattern of those to evaluate on.
    """
    input_config = tfx.proto.Input(
        splits=[
            tfx.proto.Input.Split(name="train", pattern=train),
            tfx.proto.Input.Split(name="eval", pattern=eval_),
        ]
    )
    return tfx.components.CsvExampleGen(input_base=str(data_root), input_config=input_config)
