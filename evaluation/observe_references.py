"""Asks every reference model about every record, and joins what they say to the target's table."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam

from tfx_privacy.evaluation.join_references import (
    Evaluated,
    Joined,
    JoinPlan,
    join_references,
)
from tfx_privacy.evaluation.reference_checks import (
    identity_of,
    loss_difference,
    require_complete,
    require_no_more_loss_inside,
    require_same_identity,
    require_same_records,
)
from tfx_privacy.evaluation.reference_models_input import ReferenceModelsInput
from tfx_privacy.evaluation.shadow_rows import plan_shadow_rows, read_shadow_rows
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.artifact import read_description
from tfx_privacy.reference_models.membership import check_count
from tfx_privacy.signals.augmentation import Augmentation, load_augmentation
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit, check_apart, peek
from tfx_privacy.signals.files import join, remove_folder
from tfx_privacy.signals.observe import ObserveOptions, observe
from tfx_privacy.signals.reference_signals import ReferenceLayout
from tfx_privacy.signals.table import IdentityDescription, TableDescription
from tfx_privacy.signals.table_reader import read_description as read_table_description
from tfx_privacy.signals.table_writer import add_references
from tfx_privacy.signals.target_plan import TargetPlan, plan_target

_LOGGER = logging.getLogger(__name__)

# Enough to see which features there are, few enough to run a model on at once.
_EXAMPLES_TO_PEEK = 10
_ONLINE, _SYNTHETIC = "online", "synthetic"


@dataclasses.dataclass(frozen=True)
class ObservedReferences:
    """What reference models said, beside what the table has of it.

    Attributes:
      results: Where they lie, what the artifact says of itself, queries, whether the
        evaluated records are in training sets, losses, their difference, and notes. What
        attacks say is not in it yet.
      shadow_rows: A bounded sample of what the models answer for records of the pool, for
        Shokri's attack: label, logits and loss under a reference model, and `member` says
        whether it was trained on the record. Sorted by id. None where there are no logits
        or labels of classes.
    """

    results: results_pb2.ReferenceResults
    shadow_rows: Signals | None


@dataclasses.dataclass(frozen=True)
class ObservedTarget:
    """The target, which has been asked about every record already.

    Attributes:
      plan: How it is called.
      transform_graph_dir: Transform's output, or None.
      splits: Its members and non-members.
      table_dir: Its signals table.
      table: The description of this.
    """

    plan: TargetPlan
    transform_graph_dir: str | None
    splits: tuple[ExampleSplit, ...]
    table_dir: str
    table: TableDescription


def read_reference_models(
    references: ReferenceModelsInput, config: config_pb2.PrivacyConfig
) -> references_pb2.ReferenceModels:
    """Reads what reference models say of themselves, and checks what needs no model.

    Args:
      references: The models.
      config: The resolved configuration of the measurement.

    Raises:
      InputError: If they cannot be read, one is missing, their ids were made in another
        way, or the augmentation cannot be imported.
    """
    trained = read_description(references.directory)
    if _kind_of_pool(trained) != _SYNTHETIC:
        wanted = config.identity
        content = "" if wanted.key_feature else trained.features_digest
        found = IdentityDescription(
            "key" if wanted.key_feature else "content",
            wanted.key_feature,
            content,
            wanted.unit_feature,
        )
        require_same_identity(trained, found, references.uri)
    check_count(trained.config.models)
    require_complete(trained, references.uri)
    _require_pool(trained, references)
    if config.references.HasField("augmentation"):
        load_augmentation(Augmentation(config.references.augmentation.function, 1))
    return trained


def observe_references(
    references: ReferenceModelsInput,
    trained: references_pb2.ReferenceModels,
    target: ObservedTarget,
    config: config_pb2.PrivacyConfig,
    scratch: str,
    new_pipeline: Callable[[], beam.Pipeline],
) -> tuple[TableDescription, ObservedReferences]:
    """Asks the models, joins what they say, and checks that they are what they are taken for.

    Each model is run over the records as the target was, one after the other; for several
    queries once for each, and the target too. Then one Beam job lays what they said beside
    the rows of the target's table.

    Args:
      references: The models.
      trained: What `read_reference_models` gave.
      target: The target, observed.
      config: The resolved configuration.
      scratch: A directory that workers and this machine share. It is deleted at the end.
      new_pipeline: Makes a Beam pipeline on the caller's runner; called for each job.

    Returns:
      The description of the target's table, which has reference signals now; and the rest.

    Raises:
      InputError: If a model cannot be asked, answers otherwise than the target does, was
        trained on other records than its hashes say, or all together lose more on what
        they were trained on than on the rest.
    """
    if _kind_of_pool(trained) != _SYNTHETIC:
        require_same_identity(trained, target.table.identity, references.uri)
    check_apart([*target.splits, *references.pool])
    queries = _queries(target.plan, config)
    try:
        joined, layout, shadow_rows = _ask_and_join(
            references, trained, target, queries, config, scratch, new_pipeline
        )
    finally:
        remove_folder(scratch)
    require_same_records(trained, joined.pool, references.uri)
    difference = loss_difference(joined.pool)
    require_no_more_loss_inside(difference, references.uri)
    table = add_references(target.table_dir, target.table, layout)
    results = _results(references, trained, target, queries, joined, difference)
    return table, ObservedReferences(results, shadow_rows)


def _ask_and_join(
    references: ReferenceModelsInput,
    trained: references_pb2.ReferenceModels,
    target: ObservedTarget,
    queries: int,
    config: config_pb2.PrivacyConfig,
    scratch: str,
    new_pipeline: Callable[[], beam.Pipeline],
) -> tuple[Joined, ReferenceLayout, Signals | None]:
    models = sorted(trained.models, key=lambda model: model.index)
    asker = _Asker(target, config, queries, scratch, new_pipeline)
    query_dirs = asker.ask_target()
    model_dirs, pool_dirs = [], []
    for model in models:
        _LOGGER.info("asking reference model %d of %d", model.index + 1, len(models))
        with _named(model, references):
            plan = asker.plan(join(references.directory, model.directory))
            model_dirs.append(asker.ask(model.index, plan))
            if references.pool:
                pool_dirs.append(asker.ask_of_pool(model.index, plan, references.pool, trained))
    pool = read_table_description((pool_dirs or model_dirs[0])[0])
    has_logits = target.plan.task in (config_pb2.BINARY, config_pb2.MULTICLASS)
    layout = ReferenceLayout(len(models), queries, has_logits)
    shadow = plan_shadow_rows(join(scratch, "shadow"), pool, config.seed, models)
    plan_of_join = JoinPlan(
        table_dir=target.table_dir,
        query_dirs=query_dirs,
        model_dirs=tuple(model_dirs),
        pool_dirs=tuple(pool_dirs or (dirs[0] for dirs in model_dirs)),
        evaluated=_evaluated(trained),
        layout=layout,
        seed=trained.config.seed,
        shadow=shadow,
        scratch=join(scratch, "joined"),
    )
    joined = join_references(plan_of_join, target.table, pool.buckets, new_pipeline)
    shadow_rows = None if shadow is None else read_shadow_rows(shadow, pool.buckets)
    return joined, layout, shadow_rows


class _Asker:
    """Runs models over the records that the target was asked about."""

    def __init__(
        self,
        target: ObservedTarget,
        config: config_pb2.PrivacyConfig,
        queries: int,
        scratch: str,
        new_pipeline: Callable[[], beam.Pipeline],
    ) -> None:
        self._target = target
        self._config = config
        self._queries = queries
        self._scratch = scratch
        self._new_pipeline = new_pipeline
        self._examples = [
            record for split in target.splits for record in peek(split, _EXAMPLES_TO_PEEK)
        ]

    def plan(self, model_dir: str) -> TargetPlan:
        """How a reference model is called: as the target, and it has to answer alike."""
        plan = plan_target(
            model_dir,
            self._config.model_spec,
            self._target.plan.batch_size,
            self._examples,
            self._target.transform_graph_dir,
        )
        ours = self._target.plan
        if (plan.task, plan.output_width) != (ours.task, ours.output_width):
            raise InputError(
                f"it answers otherwise than the target: {_answer(plan)}, where the target has "
                f"{_answer(ours)}. Expected a model trained by the target's own code"
            )
        return plan

    def ask(self, index: int, plan: TargetPlan) -> tuple[str, ...]:
        """Asks a reference model all queries; where each query's table is."""
        return tuple(self._ask(f"model-{index:03d}", plan, query) for query in range(self._queries))

    def ask_target(self) -> tuple[str, ...]:
        """Asks the target all further queries; where each query's table is."""
        plan = dataclasses.replace(self._target.plan, white_box=None)
        return tuple(self._ask("target", plan, query) for query in range(1, self._queries))

    def ask_of_pool(
        self,
        index: int,
        plan: TargetPlan,
        pool: Sequence[ExampleSplit],
        trained: references_pb2.ReferenceModels,
    ) -> str:
        """Asks a reference model about the records of a pool of its own."""
        folder = join(self._scratch, f"model-{index:03d}-pool")
        made = identity_of(trained)
        identity = config_pb2.IdentitySpec(key_feature=made.feature, unit_feature=made.unit_feature)
        observe(self._new_pipeline, plan, pool, self._options(identity), folder)
        return folder

    def _ask(self, name: str, plan: TargetPlan, query: int) -> str:
        folder = join(self._scratch, f"{name}-query-{query}" if query else name)
        options = self._options(self._config.identity)
        if query:
            function = self._config.references.augmentation.function
            options = dataclasses.replace(options, augmentation=Augmentation(function, query))
        target = self._target
        observe(
            self._new_pipeline, plan, target.splits, options, folder, buckets=target.table.buckets
        )
        return folder

    def _options(self, identity: config_pb2.IdentitySpec) -> ObserveOptions:
        vocabulary = tuple(self._config.model_spec.label_vocabulary)
        return ObserveOptions(identity=identity, label_vocabulary=vocabulary)


def _queries(plan: TargetPlan, config: config_pb2.PrivacyConfig) -> int:
    """How often each model is asked about a record."""
    if not config.references.HasField("augmentation"):
        return 1
    if plan.task not in (config_pb2.BINARY, config_pb2.MULTICLASS):
        raise InputError(
            "references.augmentation is set, and the task is "
            f"{config_pb2.Task.Name(plan.task)}: only LiRA looks at several queries, which is "
            "defined for BINARY and MULTICLASS; expected it unset"
        )
    return config.references.augmentation.queries


def _kind_of_pool(trained: references_pb2.ReferenceModels) -> str:
    return trained.config.WhichOneof("pool") or _ONLINE


def _evaluated(trained: references_pb2.ReferenceModels) -> Evaluated:
    kind = _kind_of_pool(trained)
    if kind == _ONLINE:
        return Evaluated.ALL
    if kind == _SYNTHETIC and (trained.key_feature or trained.unit_feature):
        return Evaluated.NONE
    return Evaluated.IN_POOL


def _require_pool(
    trained: references_pb2.ReferenceModels, references: ReferenceModelsInput
) -> None:
    kind = _kind_of_pool(trained)
    if (kind == _ONLINE) == bool(references.pool):
        found = [split.name for split in references.pool]
        expected = (
            "no pool of its own, since subsets were drawn from members and non-members"
            if kind == _ONLINE
            else "the splits that subsets were drawn from"
        )
        raise InputError(
            f"the reference models at {references.uri} are {kind}, and the pool given with them is "
            f"{found}: expected {expected}"
        )


@contextlib.contextmanager
def _named(
    model: references_pb2.ReferenceModel, references: ReferenceModelsInput
) -> Iterator[None]:
    """Says of an InputError which model it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(
            f"reference model {model.index} of {references.uri}, trained on "
            f"{model.trained_on.records} records: {error}"
        ) from error


def _answer(plan: TargetPlan) -> str:
    return f"{config_pb2.Task.Name(plan.task)} with an output of width {plan.output_width}"


def _results(
    references: ReferenceModelsInput,
    trained: references_pb2.ReferenceModels,
    target: ObservedTarget,
    queries: int,
    joined: Joined,
    difference: results_pb2.LossDifference,
) -> results_pb2.ReferenceResults:
    online = _kind_of_pool(trained) == _ONLINE
    table = target.table
    results = results_pb2.ReferenceResults(
        uri=references.uri,
        trained=trained,
        queries=queries,
        online=online,
        records_inside=joined.records_inside,
        records=table.members + table.nonmembers,
        difference=difference,
    )
    for model in sorted(trained.models, key=lambda model: model.index):
        inside, outside = joined.pool.sets[model.index]
        inside_loss, outside_loss = joined.pool.mean_losses(model.index)
        results.losses.add(
            index=model.index,
            inside=inside.records,
            outside=outside.records,
            inside_loss=inside_loss,
            outside_loss=outside_loss,
        )
    if joined.records_inside and not online:
        results.notes.append(
            f"{joined.records_inside} of the {results.records} evaluated records are among those "
            "that the reference models' training sets were drawn from as well: half of the models "
            "were trained on each of these, and are not taken for models without it."
        )
    if trained.target_records != table.members:
        results.notes.append(
            f"The reference models were made for a target trained on {trained.target_records} "
            f"records; the measurement has {table.members} members."
        )
    return results
