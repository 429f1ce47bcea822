"""Reference models trained by several nodes at once: on Kubeflow, on several machines."""

from __future__ import annotations

from typing import Any

from tfx_privacy.components.reference_trainer.component import ReferenceTrainer
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.reference_config import resolve_reference_config
from tfx_privacy.signals.errors import InputError


def reference_trainer_nodes(n: int, **arguments: Any) -> list[ReferenceTrainer]:
    """Nodes that share the training of reference models.

    ```
    nodes = reference_trainer_nodes(4, examples=..., work_directory="gs://bucket/references")
    privacy_evaluator = PrivacyEvaluator(
        ..., reference_models=nodes[-1].outputs["reference_models"]
    )
    components = [..., *nodes, privacy_evaluator]
    ```

    Args:
      n: How many of them train: 1, or at most one for each pair of models.
      **arguments: ReferenceTrainer's. With several nodes `work_directory` has to be given,
        and all of them have to reach it.

    Returns:
      One node that trains all; or n that train a share of the pairs each, and a last one,
      downstream of them, that gathers their models from the work directory. The last one's
      output is the one to use.

    Raises:
      InputError: If there are more nodes than pairs, or no work directory to share.
    """
    if n == 1:
        return [ReferenceTrainer(**arguments)]
    if "only_models" in arguments:
        raise InputError("only_models is what reference_trainer_nodes chooses for each node")
    if not arguments.get("work_directory"):
        raise InputError(
            f"{n} nodes are to train reference models, and work_directory is not given; expected "
            "a folder that all of them reach: the last one finds the others' models there"
        )
    config = resolve_reference_config(
        arguments.get("config") or references_pb2.ReferenceModelsConfig(),
        has_transform_graph=arguments.get("transform_graph") is not None,
    )
    pairs = config.models // 2
    if not 1 <= n <= pairs:
        raise InputError(
            f"found {n} nodes to train {config.models} reference models; expected 1 to {pairs}: "
            "a pair of models is trained by one node"
        )
    nodes = []
    for node in range(n):
        only = [index for pair in range(node, pairs, n) for index in (2 * pair, 2 * pair + 1)]
        trainer = ReferenceTrainer(**arguments, only_models=only)
        nodes.append(trainer.with_id(f"ReferenceTrainer_{node + 1}_of_{n}"))
    last = ReferenceTrainer(**arguments)
    last.add_upstream_nodes(nodes)
    return [*nodes, last]
