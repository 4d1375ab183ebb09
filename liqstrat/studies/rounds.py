"""The trials of a study given out to workers, until there are none."""

import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import UTC, datetime

from loky.process_executor import TerminatedWorkerError

from liqstrat.backtest.account.results import config_hash
from liqstrat.errors import LiqstratError, StrategyError
from liqstrat.held import require_writable
from liqstrat.progress import SILENT, Progress, Step
from liqstrat.research.ledger import Entry, append, read_ledger
from liqstrat.studies.journal import Claim, Journal, Tried
from liqstrat.studies.space import Space
from liqstrat.studies.study import Study, best_text, trial_run
from liqstrat.studies.trial import Outcome, Task
from liqstrat.studies.workers import Workers

#: With more models than this, each is prepared when it is wanted, and none is kept in a file.
_MOST_KEPT = 8
_LOOK_EVERY_SECONDS = 0.2
#: Trials that go into the ledger together.
_TOGETHER = 20
#: A trial whose worker was killed more often is not tried again.
_MOST_KILLED = 3


def run_study(study: Study, hands: Workers, progress: Progress = SILENT) -> list[Tried]:
    """Run the trials of a study that have not been run; returns all. Interrupted, it goes on where it was.

    Every trial is in the ledger when this ends, however it ends.
    """
    require_writable(study.folder / "sweep.json")
    with study.journal() as journal:
        try:
            known, total = len(journal.ended()), study.space.trials
            with progress.task(f"sweep {study.run.name}", total=total, unit="trials", before=known) as step:
                _Round(study, journal, hands, step, known).run()
        finally:
            _into_ledger(study, journal.ended())
        return journal.ended()


class _Round:
    """The giving out of trials, until there are none."""

    def __init__(self, study: Study, journal: Journal, hands: Workers, step: Step, known: int) -> None:
        self._study, self._journal, self._hands, self._step = study, journal, hands, step
        self._running: dict[Future[Outcome], Claim] = {}
        self._again: list[Claim] = []
        self._killed: dict[int, int] = {}
        self._told, self._booked = known, 0
        self._best = best_text(study, journal.ended())

    def run(self) -> None:
        self._tell()
        while True:
            while len(self._running) < self._hands.count and self._give_out():
                pass
            if self._running:
                done, _ = wait(self._running, timeout=_LOOK_EVERY_SECONDS, return_when=FIRST_COMPLETED)
                self._take_in(done)
            elif self._journal.left() > 0:
                # Others have the rest.
                time.sleep(_LOOK_EVERY_SECONDS)
            else:
                self._tell()
                return
            self._tell()

    def _give_out(self) -> bool:
        claim = self._again.pop() if self._again else self._journal.claim()
        if claim is None:
            return False
        folders = self._study.space.settings.keep == "folders"
        task = Task(
            self._study.values,
            claim.settings,
            self._study.data_hash,
            _models(self._study.space) <= _MOST_KEPT,
            self._study.folder / "trials" if folders else None,
            f"{claim.number:05}",
        )
        self._running[self._hands.submit(task)] = claim
        return True

    def _take_in(self, done: Iterable["Future[Outcome]"]) -> None:
        lost = []
        for future in done:
            claim = self._running.pop(future)
            try:
                outcome = future.result()
            except TerminatedWorkerError:
                lost.append(claim)
            except StrategyError as error:
                raise StrategyError(f"trial {claim.number}, with {_told(claim)}: {error}") from None
            else:
                self._write_down(claim, outcome)
        if lost:
            self._lost(lost)

    def _write_down(self, claim: Claim, outcome: Outcome) -> None:
        if outcome.reason:
            self._journal.refuse(claim.number, outcome.reason)
        else:
            made = outcome.figures, outcome.days, outcome.returns
            self._journal.finish(claim.number, *made, notes=outcome.notes)

    def _lost(self, claims: list[Claim]) -> None:
        """A worker was killed, as by the system for its memory: what it and the others had is run again."""
        for claim in claims:
            self._killed[claim.number] = self._killed.get(claim.number, 0) + 1
            if self._killed[claim.number] > _MOST_KILLED:
                raise LiqstratError(
                    f"the worker of trial {claim.number} was killed {_MOST_KILLED + 1} times, with {_told(claim)}; "
                    "was there too little memory? --workers 1 takes less"
                )
        self._again += [*claims, *self._running.values()]
        self._running.clear()
        self._hands.end()

    def _tell(self) -> None:
        ended = self._journal.ended()
        if len(ended) - self._booked >= _TOGETHER:
            _into_ledger(self._study, ended)
            self._booked = len(ended)
        if len(ended) > self._told:
            self._best = best_text(self._study, ended)
        self._step(len(ended) - self._told, self._best)
        self._told = len(ended)


def _told(claim: Claim) -> str:
    """The settings of a trial, as they are typed after --set."""
    return ", ".join(f"{key}={value}" for key, value in claim.settings.items())


def _models(space: Space) -> int:
    """How many differently prepared runs there are."""
    found = 1
    for key, values in space.settings.over.items():
        if key.split(".")[0] != "strategies":
            found *= len(values.points) or _MOST_KEPT + 1
    return found


def _into_ledger(study: Study, trials: list[Tried]) -> None:
    """Put the trials into the ledger that are not in it."""
    results = study.results
    known = set(read_ledger(results, ["run"])["run"].to_pylist())
    entries = []
    for trial in trials:
        name = f"{study.name}/{trial.number:05}"
        if trial.reason or name in known:
            continue
        run = trial_run(study, trial.settings)
        entries.append(
            Entry(
                name,
                (trial.ended or datetime.now()).astimezone(UTC),
                run.model_dump(mode="json", by_alias=True),
                config_hash(run),
                study.data_hash,
                trial.figures,
                study.code,
                kind="trial",
                parent=study.name,
            )
        )
    if entries:
        append(results, entries)
