"""A suite of attacks, fitted on one sample of rows, and where its scores are cut."""

from __future__ import annotations

import dataclasses
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack, FittedAttack
from tfx_privacy.attacks.attacker import LimitedAttacker
from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.attacks.blind_baseline import BlindBaseline
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.shadow_models import ShadowModels, learn_shadow_models
from tfx_privacy.evaluation.attack_network_config import with_settings
from tfx_privacy.evaluation.reference_spec_config import with_reference_settings
from tfx_privacy.metrics.best_attack import select_best_attack
from tfx_privacy.metrics.choose_thresholds import choose_thresholds
from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

# With fewer rows of a side nothing is learned from.
MIN_ROWS_A_SIDE = 10


def attacks_of(config: config_pb2.PrivacyConfig) -> tuple[Attack, ...]:
    """Every attack of a resolved configuration: by who knows most, then by each attacker."""
    limited = (
        LimitedAttacker(attack, attacker.name, attacker.members_known, tuple(attacker.signals))
        for attacker in config.attackers
        for attack in _attacks(attacker.attacks, config)
    )
    return (*_attacks(config.attacks, config), *limited)


def _attacks(names: Sequence[str], config: config_pb2.PrivacyConfig) -> Iterator[Attack]:
    return (with_settings(attack, config) for attack in resolve_attacks(names))


def with_references(
    attacks: Sequence[Attack],
    config: config_pb2.PrivacyConfig,
    shadow_rows: Signals | None,
    seed: int,
) -> tuple[Attack, ...]:
    """The attacks, ready to be fitted where reference models were observed.

    RMIA has the parameters of the configuration, and Shokri's attack has learned what
    shadow models teach: once, whoever mounts it.

    Args:
      attacks: Of `attacks_of`.
      config: The resolved configuration.
      shadow_rows: What the reference models answer for records of the pool, and whether
        they were trained on them; None for nothing to learn from. With fewer than ten on a
        side nothing is learned either: the attack then says that it cannot run.
      seed: Where all randomness comes from.
    """
    bases = {one.name: with_reference_settings(one, config) for one in unlimited(attacks)}
    if ShadowModels.name in bases and shadow_rows is not None and _enough(shadow_rows):
        bases[ShadowModels.name] = ShadowModels(learn_shadow_models(shadow_rows, seed))
    return tuple(
        dataclasses.replace(attack, base=bases[attack.base.name])
        if isinstance(attack, LimitedAttacker)
        else bases[attack.name]
        for attack in attacks
    )


def _enough(rows: Signals) -> bool:
    members = int(rows.member.sum())
    return min(members, len(rows) - members) >= MIN_ROWS_A_SIDE


def wide_columns_of(attacks: Sequence[Attack]) -> tuple[str, ...]:
    """What any of the attacks looks at of "inputs", "white_box" and "references"."""
    return tuple(sorted({column for attack in attacks for column in attack.wide_columns}))


def unlimited(attacks: Sequence[Attack]) -> tuple[Attack, ...]:
    """These attacks by who knows most, each once: what controls try out."""
    known = (one.base if isinstance(one, LimitedAttacker) else one for one in attacks)
    return tuple({attack.name: attack for attack in known}.values())


@dataclasses.dataclass(frozen=True)
class FittedSuite:
    """Attacks ready to score, in the order of the configuration."""

    attacks: Mapping[str, FittedAttack]

    def score(self, signals: Signals) -> dict[str, NDArray[np.float64]]:
        """[n] float64 scores of each attack."""
        return {name: attack.score(signals) for name, attack in self.attacks.items()}

    def to_bytes(self) -> bytes:
        """One archive that workers read; no pickle in it."""
        archive = io.BytesIO()
        with tempfile.TemporaryDirectory() as scratch:
            for name, attack in self.attacks.items():
                directory = Path(scratch) / name
                directory.mkdir()
                attack.save(directory)
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as bundle:
                bundle.writestr("attacks.json", json.dumps(list(self.attacks)))
                for path in sorted(Path(scratch).rglob("*")):
                    if path.is_file():
                        bundle.write(path, path.relative_to(scratch).as_posix())
        return archive.getvalue()

    @staticmethod
    def from_bytes(content: bytes) -> FittedSuite:
        """Reads what `to_bytes` made."""
        with tempfile.TemporaryDirectory() as scratch:
            with zipfile.ZipFile(io.BytesIO(content)) as bundle:
                bundle.extractall(scratch)
            names = json.loads((Path(scratch) / "attacks.json").read_text())
            return FittedSuite({name: _load(name, Path(scratch) / name) for name in names})


def _load(name: str, directory: Path) -> FittedAttack:
    # A suite may hold the blind baseline, which is no attack on membership.
    if name == BlindBaseline.name:
        return BlindBaseline().load(directory)
    base, attacker = split_name(name)
    (attack,) = resolve_attacks([base])
    if attacker:
        return LimitedAttacker.load_described(attack, directory)
    return attack.load(directory)


@dataclasses.dataclass(frozen=True)
class KnownRows:
    """Rows that attacks are fitted on, sorted by id.

    Attributes:
      rows: Without inputs, white-box signals and references.
      wide: A part of them, for attacks that look at those.
      called: What reasons call them.
    """

    rows: Signals
    wide: Signals
    called: str = "FIT"

    def seen_by(self, attack: Attack) -> Signals:
        """Those that an attack is fitted on."""
        return self.wide if attack.wide_columns else self.rows


def runnable_attacks(
    attacks: Sequence[Attack], known: KnownRows, judged: KnownRows, seed: int
) -> tuple[tuple[Attack, ...], dict[str, str]]:
    """The attacks that can run, and why the others cannot, by name.

    Args:
      attacks: Those that were asked for.
      known: The FIT rows.
      judged: The JUDGE rows that attacks are fitted on for per-record risk; those of
        `known` where no attack is fitted on others.
      seed: Of the configuration.
    """
    reasons = {
        attack.name: attack.cannot_run(known.seen_by(attack))
        or _too_few(attack, known, judged, seed)
        for attack in attacks
    }
    able = tuple(attack for attack in attacks if not reasons[attack.name])
    return able, {name: reason for name, reason in reasons.items() if reason}


def _too_few(attack: Attack, known: KnownRows, judged: KnownRows, seed: int) -> str:
    """Why an attack has too few rows to be fitted on; "" where there are enough."""
    # A trained attack is also fitted on each half of FIT, so a side needs a few rows.
    needed = MIN_ROWS_A_SIDE if attack.is_trained else 1
    parts = [known] if judged is known else [known, judged]
    sides = [_sides_known(attack, rows.seen_by(attack), seed) for rows in parts]
    if min(min(pair) for pair in sides) >= needed:
        return ""
    places = " and in ".join(rows.called for rows in parts)
    found = ", ".join(
        f"{members} and {nonmembers} in {rows.called}"
        for rows, (members, nonmembers) in zip(parts, sides, strict=True)
    )
    return f"needs at least {needed} members and {needed} non-members in {places}; found {found}"


def _sides_known(attack: Attack, rows: Signals, seed: int) -> tuple[int, int]:
    """Members and non-members that an attack is fitted on."""
    member = rows.member
    if isinstance(attack, LimitedAttacker):
        member = member[attack.known_rows(rows, seed)]
    members = int(member.sum())
    return members, len(member) - members


def fit_suite(attacks: Sequence[Attack], known: KnownRows, seed: int) -> FittedSuite:
    """Fits every attack on the known rows."""
    return FittedSuite({attack.name: attack.fit(known.seen_by(attack), seed) for attack in attacks})


@dataclasses.dataclass(frozen=True)
class ChosenOnFit:
    """What is chosen on FIT rows before a JUDGE row is seen.

    Attributes:
      edges: Bin edges and threshold, by attack.
      best_attack: The attack with the largest AUC; "" where there is none.
      best_scores: Its scores of the FIT rows that it was fitted on, each by a fit that
        did not see the row, [n] float64; none where there is no attack.
      counts: By attack, the counts of the FIT rows that it was fitted on, each scored
        by a fit that did not see the row.
    """

    edges: Mapping[str, ScoreEdges]
    best_attack: str
    best_scores: NDArray[np.float64]
    counts: Mapping[str, ScoreCounts] = dataclasses.field(default_factory=dict)


def choose_on_fit(
    attacks: Sequence[Attack], suite: FittedSuite, known: KnownRows, seed: int
) -> ChosenOnFit:
    """Chooses edges, thresholds and the best attack on FIT rows.

    A trained attack scores the rows it learned from too well, so here each row is
    scored by a fit on the other half of FIT: else the attack that overfits most
    would be called the best.

    An attacker that knows less decides by what it knows: its thresholds are chosen on
    the rows that it is told the side of. Its edges, and which attack is the best, are
    no business of the attacker's, and are chosen on all rows.
    """
    edges: dict[str, ScoreEdges] = {}
    counts: dict[str, ScoreCounts] = {}
    scores: dict[str, NDArray[np.float64]] = {}
    for attack in attacks:
        name, signals = attack.name, known.seen_by(attack)
        scores[name] = unseen_scores(attack, suite, signals, seed)
        edges[name] = choose_edges(scores[name], signals.member)
        counts[name] = count_scores(scores[name], signals.member, edges[name])
        if isinstance(attack, LimitedAttacker):
            told = attack.known_rows(signals, seed)
            edges[name] = _decided_by(edges[name], scores[name][told], signals.member[told])
    best = select_best_attack(counts) if counts else ""
    return ChosenOnFit(edges, best, scores.get(best, np.empty(0)), counts)


def _decided_by(
    edges: ScoreEdges, scores: NDArray[np.float64], member: NDArray[np.bool_]
) -> ScoreEdges:
    """The same edges, with the thresholds that these rows speak for."""
    counts = count_scores(scores, member, edges)
    return dataclasses.replace(edges, thresholds=choose_thresholds(counts))


def unseen_scores(
    attack: Attack, suite: FittedSuite, signals: Signals, seed: int
) -> NDArray[np.float64]:
    """[n] scores of rows that the suite was fitted on, each by a fit that did not see it."""
    if attack.is_trained:
        return out_of_fold_scores(attack, signals, seed)
    return suite.attacks[attack.name].score(signals)
