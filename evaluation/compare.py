"""Metrics of several models, or of one at several epochs, brought together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePath

from google.protobuf.text_format import MessageToString

from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent, read_metrics
from tfx_privacy.metrics.change import change_interval
from tfx_privacy.metrics.controls import ControlOutcome
from tfx_privacy.metrics.counts import WHOLE
from tfx_privacy.metrics.measure import one_sided_alpha
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.attackers_section import signals_in_words
from tfx_privacy.reports.comparison import Change, Compared, Comparison, Places
from tfx_privacy.reports.comparison_page import comparison_page
from tfx_privacy.reports.comparison_table import comparison_csv
from tfx_privacy.reports.control_findings import judge_controls
from tfx_privacy.reports.reading import Shown, read
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import join, write_text_whole
from tfx_privacy.verdict.reference_settings import settings_of_all

PAGE_FILE = "comparison.html"
TABLE_FILE = "comparison.csv"

# In charts and in the change, in this order; the others are in the table.
_CHARTED = ("auc", "advantage")
_NUMBER_AT_END = re.compile(r"(.*?)(\d+)", re.DOTALL)


def compare(
    directories: Sequence[str], names: Sequence[str] = (), epochs: Sequence[float] = ()
) -> Comparison:
    """Reads directories of metrics and finds out whether they can be compared.

    Args:
      directories: Two at least, as metrics_directory.py describes them.
      names: What each is called; empty for the parts of their paths that differ.
      epochs: The epoch of each. Empty: the number that all names end with after the same
        beginning, if all are different; otherwise there are no epochs, and the order is
        the one given.

    Raises:
      InputError: If there are too few, a number of names or epochs is wrong or one is
        twice there, a directory cannot be read or is given twice, or the measurements
        are of different tasks or have no AUC and no advantage in common.
    """
    _require_two(directories)
    called = _names(directories, names)
    contents = [read_metrics(directory) for directory in directories]
    _require_one_task(called, contents)
    places, numbers = _places(called, epochs)
    compared = [
        Compared(name, number, content.results, content.evidence)
        for name, number, content in zip(called, numbers, contents, strict=True)
    ]
    compared.sort(key=lambda each: each.place)
    metrics = _metrics_of_all(compared)
    return Comparison(
        compared=compared,
        places=places,
        metrics=metrics,
        change=_change(metrics[0], compared[0], compared[-1]),
        warnings=_warnings(compared),
    )


def write_comparison(comparison: Comparison, directory: str) -> None:
    """Writes the page and the table."""
    write_text_whole(join(directory, TABLE_FILE), comparison_csv(comparison))
    write_text_whole(join(directory, PAGE_FILE), comparison_page(comparison))


def _require_two(directories: Sequence[str]) -> None:
    if len(directories) < 2:
        raise InputError(
            f"found {len(directories)} directory of metrics to compare; expected two at least"
        )
    seen = set()
    for directory in directories:
        if PurePath(directory) in seen:
            raise InputError(f"{directory} is given twice; expected each directory once")
        seen.add(PurePath(directory))


def _names(directories: Sequence[str], names: Sequence[str]) -> list[str]:
    if not names:
        return _parts_that_differ([PurePath(directory).parts for directory in directories])
    _require_one_each("name", names, directories)
    return list(names)


def _require_one_each(
    option: str, given: Sequence[str] | Sequence[float], directories: Sequence[str]
) -> None:
    if len(given) != len(directories):
        raise InputError(
            f"found {len(given)} of --{option} and {len(directories)} directories; expected one "
            "for each, in the same order"
        )
    for index, value in enumerate(given):
        if value in given[:index]:
            raise InputError(f"--{option} {value} is given twice; expected each once")


def _parts_that_differ(paths: list[tuple[str, ...]]) -> list[str]:
    """The paths without the folders that all have, at the beginning and at the end."""
    shortest = min(map(len, paths))
    end = 0
    while end < shortest - 1 and len({path[-1 - end] for path in paths}) == 1:
        end += 1
    paths = [path[: len(path) - end] for path in paths]
    # As few of the last folders as tell them apart.
    for parts in range(1, max(map(len, paths)) + 1):
        named = ["/".join(path[-parts:]) for path in paths]
        if len(set(named)) == len(named):
            break
    return named


def _places(names: Sequence[str], epochs: Sequence[float]) -> tuple[Places, Sequence[float]]:
    if epochs:
        _require_one_each("epoch", epochs, names)
        return Places.EPOCHS_GIVEN, epochs
    found = [_NUMBER_AT_END.fullmatch(name) for name in names]
    numbers = [float(match[2]) for match in found if match]
    beginnings = {match[1] for match in found if match}
    if len(set(numbers)) == len(names) and len(beginnings) == 1:
        return Places.EPOCHS_OF_NAMES, numbers
    return Places.ORDER, range(1, len(names) + 1)


def _require_one_task(names: Sequence[str], contents: Sequence[PrivacyMetricsContent]) -> None:
    first = contents[0].results.model.task
    for name, content in zip(names, contents, strict=True):
        task = content.results.model.task
        if task != first:
            raise InputError(
                f"{names[0]} is of the task {config_pb2.Task.Name(first)} and {name} of "
                f"{config_pb2.Task.Name(task)}; expected measurements of one task"
            )
        if not content.results.best_of_attacks:
            raise InputError(f"no attack could run in {name}, so there is nothing to compare")


def _metrics_of_all(compared: Sequence[Compared]) -> list[config_pb2.MetricSpec]:
    """The metrics that all have, those that charts show first."""
    first, *others = [[entry.metric for entry in each.results.best_of_attacks] for each in compared]
    common = [spec for spec in first if all(spec in other for other in others)]
    charted = [spec for name in _CHARTED for spec in common if spec.name == name]
    if not charted:
        raise InputError(
            "the measurements have neither AUC nor advantage in common; expected one of them "
            "among the metrics of each"
        )
    return charted + [spec for spec in common if spec not in charted]


def _change(spec: config_pb2.MetricSpec, first: Compared, last: Compared) -> Change:
    """Last minus first, of the attack that was best on FIT in each."""
    metric: Metric = metric_from_spec(spec)
    confidence = last.results.config.confidence
    ours, theirs = last.results.best_attack, first.results.best_attack
    return Change(
        metric=spec,
        interval=change_interval(
            metric,
            last.evidence.counts[ours, WHOLE],
            last.evidence.edges[ours].thresholds,
            first.evidence.counts[theirs, WHOLE],
            first.evidence.edges[theirs].thresholds,
            one_sided_alpha(confidence),
        ),
        confidence=confidence,
    )


def _warnings(compared: Sequence[Compared]) -> list[str]:
    return [
        *_not_trusted(compared),
        *_controls_not_run(compared),
        *(
            warning
            for what, told in _DIFFERENCES
            if (warning := _difference(what, told, compared)) is not None
        ),
    ]


def _not_trusted(compared: Sequence[Compared]) -> list[str]:
    return [
        f"The numbers of {each.name} cannot be trusted: a control failed. Its own report says more."
        for each in compared
        if read(each.results, each.evidence).shown is Shown.NOT_TRUSTED
    ]


def _controls_not_run(compared: Sequence[Compared]) -> list[str]:
    without = [
        each.name
        for each in compared
        if judge_controls(each.results, each.evidence).blind_baseline.outcome
        is ControlOutcome.NOT_RUN
    ]
    if not without:
        return []
    return [
        "Whether members and non-members can be told apart without the model was not tried in "
        f"{_listed(without)} (the blind baseline did not run)."
    ]


def _difference(
    what: str, told: Callable[[results_pb2.PrivacyResults], str], compared: Sequence[Compared]
) -> str | None:
    """In what the measurements differ, and which has what; None where they do not."""
    groups: dict[str, list[str]] = {}
    for each in compared:
        groups.setdefault(told(each.results), []).append(each.name)
    if len(groups) == 1:
        return None
    parts = "; ".join(f"{text or 'none'} in {_listed(names)}" for text, names in groups.items())
    return f"{what}: {parts}."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


_MOST_NAMES = 5


def _judged(results: results_pb2.PrivacyResults) -> str:
    judge = results.records.judge
    return f"{judge.members:,} members and {judge.nonmembers:,} non-members"


def _fitted(results: results_pb2.PrivacyResults) -> str:
    fit = results.fitted_on.fit if results.HasField("fitted_on") else results.records.fit
    return f"{fit.members:,} members and {fit.nonmembers:,} non-members"


def _fitted_on(results: results_pb2.PrivacyResults) -> str:
    if results.HasField("fitted_on"):
        return f"those of {results.fitted_on.signals_uri}"
    return "the model's own"


def _attacks(results: results_pb2.PrivacyResults) -> str:
    return ", ".join(attack.name for attack in results.attacks)


def _attackers(results: results_pb2.PrivacyResults) -> str:
    return "; ".join(
        f"{one.name} (told {100 * one.members_known:.12g}% of the members, sees "
        f"{signals_in_words(one)})"
        for one in results.config.attackers
    )


def _inside(results: results_pb2.PrivacyResults) -> str:
    config = results.config
    if not config.HasField("white_box"):
        return "nothing"
    told = f"white_box {{ {MessageToString(config.white_box, as_one_line=True)} }}"
    if config.HasField("attack_network"):
        network = MessageToString(config.attack_network, as_one_line=True)
        told += f" attack_network {{ {network} }}"
    return told


def _metrics(results: results_pb2.PrivacyResults) -> str:
    return ", ".join(
        metric_title(metric_from_spec(entry.metric)) for entry in results.best_of_attacks
    )


# What may differ beside the model, and how it is told.
_DIFFERENCES: tuple[tuple[str, Callable[[results_pb2.PrivacyResults], str]], ...] = (
    ("The records judged differ in number", _judged),
    ("The records that attacks were fitted on differ in number", _fitted),
    ("Attacks were fitted on another model's records, or on others", _fitted_on),
    ("The attacks differ, and more attacks find more", _attacks),
    ("Attackers that know less differ", _attackers),
    ("What attacks are shown of the inside of the model differs", _inside),
    ("Reference models, or how they are asked and compared, differ", settings_of_all),
    ("The metrics differ, and only common ones are compared", _metrics),
    ("Intervals have different confidences", lambda results: f"{results.config.confidence:g}"),
    (
        "What makes records fit or judge differs (the seed)",
        lambda results: str(results.config.seed),
    ),
    ("Records are identified differently", lambda results: results.model.identity),
    (
        "The output was read differently",
        lambda results: config_pb2.OutputKind.Name(results.model.output_kind),
    ),
    (
        "Different versions of tfx-privacy measured",
        lambda results: f"{results.package_version} ({results.code_digest[:8]})",
    ),
)
