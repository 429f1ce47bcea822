"""What the README tells people to type."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest


@pytest.fixture
def readme() -> str:
    return (Path(__file__).parent.parent.parent / "README.md").read_text()


def test_adding_the_nodes_takes_at_most_15_lines(readme: str) -> None:
    diff = re.search(r"```diff\n(.*?)```", readme, re.DOTALL)
    assert diff is not None
    lines = diff.group(1).splitlines()
    changed = [line for line in lines if line[0] in "+-"]
    assert len(changed) <= 15
    code = ast.parse("\n".join(line[1:] for line in lines if line[0] != "-"))
    called = {
        node.func.id
        for node in ast.walk(code)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called >= {"PrivacyEvaluator", "PrivacyGate", "Pusher"}
    # A node that is not among the components is dropped, and Pusher then pushes unchecked.
    added = [node for node in code.body if isinstance(node, ast.AugAssign)]
    assert [ast.unparse(node) for node in added] == [
        "components += [privacy_evaluator, privacy_gate]"
    ]


def test_every_file_it_links_is_there(readme: str) -> None:
    root = Path(__file__).parent.parent.parent
    links = re.findall(r"\]\(([^)]+)\)", readme)
    assert links
    missing = [link for link in links if "://" not in link and not (root / link).exists()]
    assert not missing


def test_its_configuration_files_can_be_read(readme: str, tmp_path: Path) -> None:
    from tfx_privacy.evaluation.config import resolve_config
    from tfx_privacy.evaluation.message_files import read_message
    from tfx_privacy.evaluation.thresholds import resolve_gate_thresholds
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2
    from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2

    blocks = [block.lstrip("\n") for block in readme.split("```")[1::2]]
    config = next(block for block in blocks if block.startswith("model_spec"))
    thresholds = next(block for block in blocks if block.startswith("thresholds"))
    path = tmp_path / "message.pbtxt"
    path.write_text(config)
    assert resolve_config(read_message(path, config_pb2.PrivacyConfig)).model_spec.label_key
    path.write_text(thresholds)
    read = resolve_gate_thresholds(read_message(path, thresholds_pb2.PrivacyThresholds))
    assert len(read.thresholds) == 2
