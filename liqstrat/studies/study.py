"""A study: what is tried, on which data, and which of its trials are best."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from liqstrat.app import codes, data_hash
from liqstrat.backtest.account.facts import require_history
from liqstrat.backtest.account.results import config_hash
from liqstrat.config import RunFile
from liqstrat.market.store import open_store
from liqstrat.research.code import Code
from liqstrat.run_file import run_from
from liqstrat.studies.figures import better, least_time
from liqstrat.studies.journal import Journal, Tried
from liqstrat.studies.space import Space, space_of


@dataclass(frozen=True)
class Study:
    """A sweep that can be gone on with: its run, less what is held out of it, what it tries, and what it is done with.

    folder: its own, with what it leaves behind. results: the folder whose ledger it goes into.
    """

    run: RunFile
    space: Space
    folder: Path
    data_hash: str
    code: list[Code]
    simulated: bool
    results: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def values(self) -> dict[str, Any]:
        return self.run.model_dump(by_alias=True)

    @property
    def working(self) -> Path:
        """Where the trials and what they share are kept."""
        return self.folder / ".study"

    def journal(self) -> Journal:
        return Journal(self.working, self.space)

    def best(self, trials: list[Tried]) -> list[Tried]:
        """Of the trials that meet the constraint, those that no other beats in every objective, the best in the first
        objective first; none where none does."""
        judged = [trial for trial in trials if trial.values is not None and trial.feasible]
        front = [one for one in judged if not any(self._beats(other, one) for other in judged)]
        first = self.space.settings.objective[0]
        order = sorted(front, key=lambda trial: trial.number)
        for at in range(len(order)):
            leader = order[at]
            for other in order[at:]:
                if better(first, (other.values or [0.0])[0], (leader.values or [0.0])[0]):
                    leader = other
            order.remove(leader)
            order.insert(at, leader)
        return order

    def _beats(self, one: Tried, other: Tried) -> bool:
        """Whether one is better than the other in something and worse in nothing."""
        pairs = list(zip(self.space.settings.objective, one.values or (), other.values or (), strict=True))
        return any(better(name, a, b) for name, a, b in pairs) and not any(better(name, b, a) for name, a, b in pairs)


def open_study(
    run: RunFile, out: Path, path: Path | None = None, trials: int | None = None, results: Path | None = None
) -> Study:
    """The study of a run's sweep in `out`: the same run, sweep, data and code have the same folder, so that it goes on.

    trials: how many, in place of the run file's. results: the folder with the ledger, where it is not `out`. `path` is
    where the run is from, for errors.
    """
    if trials is not None and run.sweep is not None:
        run = run.model_copy(update={"sweep": run.sweep.model_copy(update={"trials": trials})})
    space, code, seen = space_of(run, path), codes(run), run.seen
    with open_store(run.data.db, files=run.data.allow_files) as store:
        require_history(store, seen)
        data, simulated = data_hash(store, seen), any(store.simulated(symbol) for symbol in run.symbols)
    sweep = space.settings.model_dump(mode="json", exclude={"trials", "controls", "keep"})
    told = json.dumps([config_hash(seen), sweep, data, [one.sha256 for one in code]], default=repr, sort_keys=True)
    key = hashlib.sha256(told.encode()).hexdigest()[:8]
    return Study(seen, space, out / f"{run.name}-sweep-{key}", data, code, simulated, results or out)


def why_none(study: Study, trials: list[Tried]) -> str:
    """Why none of a study's trials can be chosen, in words; "" where one can."""
    if study.best(trials):
        return ""
    length, objectives = study.run.end - study.run.start, study.space.settings.objective
    refused = [trial.reason for trial in trials if trial.reason]
    undefined = [trial for trial in trials if trial.values is None and not trial.reason]
    idle = sum(not trial.figures.get("trades") for trial in undefined)
    unmet = len(trials) - len(refused) - len(undefined)
    told = []
    if undefined:
        short = [f"{name} takes {_length(least)}" for name in objectives if (least := least_time(name)) > length]
        why = f" ({', '.join(short)})" if short else f", and {idle:,} of them made no trade" if idle else ""
        told.append(f"{len(undefined):,} have no {' or '.join(objectives)} over these {_length(length)}{why}")
    if unmet:
        told.append(f"{unmet:,} do not meet the constraint {study.space.settings.constraint}")
    if refused:
        told.append(f"{len(refused):,} could not be run: {refused[0]}")
    return f"nothing was chosen: of {len(trials):,} trials {'; '.join(told)}" if told else "nothing was tried"


def _length(time: timedelta) -> str:
    days = time / timedelta(days=1)
    return f"{days:g} days" if days > 1 else f"{days * 24:g} hours"


def best_text(study: Study, trials: list[Tried]) -> str:
    """The best figure so far, in words."""
    best = study.best(trials)
    if not best:
        return ""
    names = study.space.settings.objective
    told = ", ".join(f"{name} {value:.4g}" for name, value in zip(names, best[0].values or (), strict=True))
    return f"best {told} (trial {best[0].number})"


def trial_run(study: Study, settings: dict[str, Any]) -> RunFile:
    """The run of a trial."""
    return run_from(study.values, settings)
