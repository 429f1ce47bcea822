"""ReferenceTrainer: trains the models that a target is compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tfx import types
from tfx.components.util import udf_utils
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as stock
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from tfx_privacy.components.artifacts import ReferenceModels
from tfx_privacy.components.reference_trainer import executor
from tfx_privacy.components.reference_trainer.run_fn_source import digest_of_file, digest_of_module
from tfx_privacy.evaluation.code_version import code_version
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.reference_config import resolve_reference_config
from tfx_privacy.signals.errors import InputError


class ReferenceTrainerSpec(ComponentSpec):
    """Inputs, outputs and properties of ReferenceTrainer: Trainer's, and its own."""

    PARAMETERS = {
        stock.TRAIN_ARGS_KEY: ExecutionParameter(type=trainer_pb2.TrainArgs),
        stock.EVAL_ARGS_KEY: ExecutionParameter(type=trainer_pb2.EvalArgs),
        stock.MODULE_FILE_KEY: ExecutionParameter(type=str, optional=True),
        stock.MODULE_PATH_KEY: ExecutionParameter(type=str, optional=True),
        stock.RUN_FN_KEY: ExecutionParameter(type=str, optional=True),
        stock.CUSTOM_CONFIG_KEY: ExecutionParameter(type=str, optional=True),
        executor.CONFIG: ExecutionParameter(type=str),
        executor.MAX_PARALLEL: ExecutionParameter(type=int),
        executor.WORK_DIRECTORY: ExecutionParameter(type=str, optional=True),
        executor.ONLY_MODELS: ExecutionParameter(type=str, optional=True),
        executor.CODE_VERSION: ExecutionParameter(type=str),
        executor.SOURCE_DIGEST: ExecutionParameter(type=str),
    }
    INPUTS = {
        executor.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        executor.TRANSFORM_GRAPH: ChannelParameter(
            type=standard_artifacts.TransformGraph, optional=True
        ),
        executor.SCHEMA: ChannelParameter(type=standard_artifacts.Schema, optional=True),
        executor.STATISTICS: ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
        executor.MODEL: ChannelParameter(type=standard_artifacts.Model, optional=True),
        executor.HYPERPARAMETERS: ChannelParameter(
            type=standard_artifacts.HyperParameters, optional=True
        ),
    }
    OUTPUTS = {executor.REFERENCE_MODELS: ChannelParameter(type=ReferenceModels)}


class ReferenceTrainer(base_beam_component.BaseBeamComponent):
    """Trains reference models (shadow models) with the target's own training code.

    ```
    reference_trainer = ReferenceTrainer(
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        module_file="model.py",
        config=ReferenceModelsConfig(
            models=8,
            model_spec={"label_key": "label"},
            training_examples="TRANSFORMED_EXAMPLES",
        ),
    )
    privacy_evaluator = PrivacyEvaluator(
        ..., reference_models=reference_trainer.outputs["reference_models"]
    )
    ```

    What Trainer takes, give here too, but for the examples: these are always the raw ones,
    which the ids that tell records apart are made of.

    Each model is trained by the stock Trainer's executor in a process of its own. One that
    is finished is kept in the work directory: a run that was stopped goes on from there, and
    a larger number of models needs the new ones only.

    Output: `reference_models` (tfx_privacy.ReferenceModels). Like a model it tells of the
    records that it was trained on.
    """

    SPEC_CLASS = ReferenceTrainerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel | None = None,
        schema: types.BaseChannel | None = None,
        statistics: types.BaseChannel | None = None,
        model: types.BaseChannel | None = None,
        hyperparameters: types.BaseChannel | None = None,
        module_file: str | None = None,
        run_fn: str | None = None,
        train_args: trainer_pb2.TrainArgs | None = None,
        eval_args: trainer_pb2.EvalArgs | None = None,
        custom_config: Mapping[str, object] | None = None,
        config: references_pb2.ReferenceModelsConfig | None = None,
        max_parallel: int = 1,
        work_directory: str | None = None,
        only_models: Sequence[int] | None = None,
    ) -> None:
        """Describes the node.

        Args:
          examples: Raw examples, with the splits that `config` names.
          transform_graph: Transform's graph, where Trainer is given it.
          schema: As Trainer is given it. Needed for synthetic records.
          statistics: StatisticsGen's, for synthetic records by their marginals.
          model: The Trainer's model, which is asked about synthetic records.
          hyperparameters: As Trainer is given them.
          module_file: A Python file with a function `run_fn`. Exactly one of this and
            `run_fn` is given.
          run_fn: Import path of the function, "package.module.run_fn".
          train_args: As Trainer is given them; `num_steps` is scaled as `config.steps` says.
          eval_args: As Trainer is given them.
          custom_config: As Trainer is given it.
          config: How many models, and what they are trained on.
          max_parallel: How many are trained at a time. Each needs the memory of a Trainer.
          work_directory: Where finished models are kept. Default: the folder `work` beside
            the output's versions. Whatever keeps no folder across runs, Kubeflow for one,
            needs one given.
          only_models: Indices of models to train, complementary pairs; other nodes train
            the rest. Default: all.

        Raises:
          InputError: If the configuration is wrong.
        """
        source_digest = _source_digest(module_file, run_fn)
        if max_parallel < 1:
            raise InputError(f"max_parallel is {max_parallel}; expected 1 at least")
        resolved = resolve_reference_config(
            config or references_pb2.ReferenceModelsConfig(),
            has_transform_graph=transform_graph is not None,
        )
        train_args = train_args or trainer_pb2.TrainArgs()
        _check_splits(train_args, resolved)
        optional = {
            executor.TRANSFORM_GRAPH: transform_graph,
            executor.SCHEMA: schema,
            executor.STATISTICS: statistics,
            executor.MODEL: model,
            executor.HYPERPARAMETERS: hyperparameters,
        }
        inputs = {key: channel for key, channel in optional.items() if channel is not None}
        _check_synthesis(resolved, inputs)
        super().__init__(
            ReferenceTrainerSpec(
                **{executor.EXAMPLES: examples, **inputs},
                **{
                    stock.TRAIN_ARGS_KEY: train_args,
                    stock.EVAL_ARGS_KEY: eval_args or trainer_pb2.EvalArgs(),
                    stock.MODULE_FILE_KEY: module_file,
                    stock.RUN_FN_KEY: run_fn,
                    stock.CUSTOM_CONFIG_KEY: json_utils.dumps(
                        None if custom_config is None else dict(custom_config)
                    ),
                    executor.CONFIG: message_to_json(resolved),
                    executor.MAX_PARALLEL: max_parallel,
                    executor.WORK_DIRECTORY: work_directory,
                    executor.ONLY_MODELS: (
                        None if only_models is None else json.dumps(sorted(only_models))
                    ),
                    executor.CODE_VERSION: code_version(),
                    executor.SOURCE_DIGEST: source_digest,
                    executor.REFERENCE_MODELS: types.Channel(type=ReferenceModels),
                },
            )
        )
        if udf_utils.should_package_user_modules():
            # As Trainer does it: TFX makes a wheel of the file and names it as module_path.
            udf_utils.add_user_module_dependency(self, stock.MODULE_FILE_KEY, stock.MODULE_PATH_KEY)


def _source_digest(module_file: str | None, run_fn: str | None) -> str:
    if module_file and not run_fn:
        return digest_of_file(module_file)
    if run_fn and not module_file:
        return digest_of_module(run_fn)
    raise InputError(
        f"ReferenceTrainer: found module_file={module_file!r} and run_fn={run_fn!r}; expected "
        "exactly one of them"
    )


def _check_splits(
    train_args: trainer_pb2.TrainArgs, config: references_pb2.ReferenceModelsConfig
) -> None:
    trained_on = list(train_args.splits) or ["train"]
    if sorted(trained_on) != sorted(config.splits.members):
        raise InputError(
            f"Trainer trains on the splits {trained_on}, as train_args has it, but config.splits "
            f"names {list(config.splits.members)} as members; expected the same"
        )


def _check_synthesis(
    config: references_pb2.ReferenceModelsConfig, inputs: Mapping[str, types.BaseChannel]
) -> None:
    if config.WhichOneof("pool") != "synthetic":
        return
    needed = [executor.MODEL]
    if config.synthetic.WhichOneof("source") != "biased_sample":
        needed.append(executor.SCHEMA)
    if (
        config.synthetic.WhichOneof("source") == "marginals"
        and config.synthetic.marginals.source == references_pb2.STATISTICS
    ):
        needed.append(executor.STATISTICS)
    missing = [key for key in needed if key not in inputs]
    if missing:
        raise InputError(
            f"config.synthetic asks for synthetic records, and ReferenceTrainer is given no "
            f"{' and no '.join(missing)}; expected {', '.join(needed)}"
        )
