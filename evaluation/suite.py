"""A suite of attacks, fitted on one sample of rows, and where its scores are cut."""

from __future__ import annotations

import dataclasses
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack, FittedAttack
from tfx_privacy.attacks.blind_baseline import BlindBaseline
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.metrics.best_attack import select_best_attack
from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.signals.batch import Signals


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
            return FittedSuite(
                {name: _attack_named(name).load(Path(scratch) / name) for name in names}
            )


def _attack_named(name: str) -> Attack:
    # A suite may hold the blind baseline, which is no attack on membership.
    return BlindBaseline() if name == BlindBaseline.name else resolve_attacks([name])[0]


def runnable_attacks(
    attacks: Sequence[Attack], signals: Signals
) -> tuple[tuple[Attack, ...], dict[str, str]]:
    """The attacks that can run on such signals, and why the others cannot, by name."""
    reasons = {attack.name: attack.cannot_run(signals) for attack in attacks}
    able = tuple(attack for attack in attacks if reasons[attack.name] is None)
    return able, {name: reason for name, reason in reasons.items() if reason is not None}


@dataclasses.dataclass(frozen=True)
class KnownRows:
    """Rows that attacks are fitted on, sorted by id.

    Attributes:
      rows: Without inputs.
      with_inputs: A part of them, for attacks that look at inputs.
    """

    rows: Signals
    with_inputs: Signals

    def seen_by(self, attack: Attack) -> Signals:
        """Those that an attack is fitted on."""
        return self.with_inputs if "inputs" in attack.needs else self.rows


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
    """

    edges: Mapping[str, ScoreEdges]
    best_attack: str
    best_scores: NDArray[np.float64]


def choose_on_fit(
    attacks: Sequence[Attack], suite: FittedSuite, known: KnownRows, seed: int
) -> ChosenOnFit:
    """Chooses edges, thresholds and the best attack on FIT rows.

    A trained attack scores the rows it learned from too well, so here each row is
    scored by a fit on the other half of FIT: else the attack that overfits most
    would be called the best.
    """
    edges: dict[str, ScoreEdges] = {}
    counts: dict[str, ScoreCounts] = {}
    scores: dict[str, NDArray[np.float64]] = {}
    for attack in attacks:
        signals = known.seen_by(attack)
        scores[attack.name] = unseen_scores(attack, suite, signals, seed)
        edges[attack.name] = choose_edges(scores[attack.name], signals.member)
        counts[attack.name] = count_scores(scores[attack.name], signals.member, edges[attack.name])
    best = select_best_attack(counts) if counts else ""
    return ChosenOnFit(edges, best, scores.get(best, np.empty(0)))


def unseen_scores(
    attack: Attack, suite: FittedSuite, signals: Signals, seed: int
) -> NDArray[np.float64]:
    """[n] scores of rows that the suite was fitted on, each by a fit that did not see it."""
    if attack.is_trained:
        return out_of_fold_scores(attack, signals, seed)
    return suite.attacks[attack.name].score(signals)
