"""The trials of a study in Optuna's journal, a file that is only ever added to.

Any number of processes, of one machine or of many that share the folder, take trials from it: under a lock each gets a
number that no other has. Who dies leaves his trials to the others, for a lock of his own tells that he lives.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from liqstrat.held import alone, hold, written
from liqstrat.studies.proposals import propose, waits_for
from liqstrat.studies.space import Space

_OWNER, _SETTINGS, _RESULT, _REASON = "owner", "settings", "result", "reason"


@dataclass(frozen=True)
class Claim:
    """A trial that is this process's to run. settings: what is set over the run file."""

    number: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Tried:
    """A trial that has ended.

    values: its objectives; None where one is not defined, or the trial could not be run. days: since 1970, and the
    returns of equity on them. reason: why it could not be run. notes: what a reader must know of its history.
    """

    number: int
    settings: dict[str, Any]
    values: list[float] | None
    feasible: bool
    figures: dict[str, Any]
    days: list[int]
    returns: list[float]
    ended: datetime | None
    reason: str = ""
    notes: list[str] = field(default_factory=list)


class Journal:
    """The trials of one study, in `folder`; to be used in a `with`, which keeps this process known as alive."""

    def __init__(self, folder: Path, space: Space) -> None:
        self._folder, self._space = folder, space
        self._name = os.urandom(8).hex()
        self._lock = folder / ".lock"
        self._study: Any = None
        #: Those that have ended, by number; nothing of them changes any more.
        self._known: dict[int, Tried] = {}

    def __enter__(self) -> "Journal":
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with written(self._lock):
            (self._folder / "owners").mkdir(parents=True, exist_ok=True)
            self._alive = os.open(self._owner(self._name), os.O_CREAT | os.O_RDWR, 0o666)
        hold(self._alive)
        with self._alone():
            _mend(self._folder / "journal.log")
            # The lock around it is ours, which ends with its holder.
            storage = JournalStorage(JournalFileBackend(str(self._folder / "journal.log"), lock_obj=_NoLock()))
            self._study = optuna.create_study(
                storage=storage, study_name="sweep", directions=self._space.directions, load_if_exists=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._alive)
        self._owner(self._name).unlink(missing_ok=True)

    def claim(self) -> Claim | None:
        """The next trial that nobody runs; None where there is none now: all have been taken, or must be waited for."""
        with self._alone():
            trials: Sequence[FrozenTrial] = self._study.get_trials(deepcopy=False)
            for trial in trials:
                if trial.state == TrialState.RUNNING and not self._lives(trial.user_attrs.get(_OWNER)):
                    return self._take_over(trial)
            number = len(trials)
            if number >= self._space.trials:
                return None
            if any(not trial.state.is_finished() for trial in trials[: waits_for(self._space, number)]):
                return None
            return self._begin(number, propose(self._space, number, trials))

    def finish(
        self,
        number: int,
        figures: dict[str, Any],
        days: Sequence[int],
        returns: Sequence[float],
        notes: Sequence[str] = (),
    ) -> None:
        """Write down what a claimed trial has made; where somebody else has done so, it is the same."""
        values, feasible = self._space.judged(figures), self._space.feasible(figures)
        with self._alone():
            trial = self._running(number)
            if trial is None:
                return
            made = {"figures": figures, "days": list(days), "returns": list(returns), "notes": list(notes)}
            trial.set_user_attr(_RESULT, made)
            trial.set_constraint("constraint", -1.0 if feasible else 1.0)
            self._study.tell(number, values, state=TrialState.FAIL if values is None else None)

    def refuse(self, number: int, reason: str) -> None:
        """Write down that a claimed trial cannot be run."""
        with self._alone():
            trial = self._running(number)
            if trial is not None:
                trial.set_user_attr(_REASON, reason)
                self._study.tell(number, state=TrialState.FAIL)

    def ended(self) -> list[Tried]:
        """All trials that have ended, by their numbers."""
        with self._alone():
            trials = self._study.get_trials(deepcopy=False)
        return [self._known.get(trial.number) or self._tried(trial) for trial in trials if trial.state.is_finished()]

    def left(self) -> int:
        """How many trials are still to end."""
        return self._space.trials - len(self.ended())

    def _tried(self, trial: FrozenTrial) -> Tried:
        result = trial.user_attrs.get(_RESULT, {"figures": {}, "days": [], "returns": []})
        found = self._known[trial.number] = Tried(
            trial.number,
            trial.user_attrs[_SETTINGS],
            trial.values,
            not any(value > 0 for value in trial.constraints.values()) and not trial.user_attrs.get(_REASON),
            **result,
            ended=trial.datetime_complete,
            reason=trial.user_attrs.get(_REASON, ""),
        )
        return found

    def _begin(self, number: int, params: dict[str, Any]) -> Claim:
        settings = self._space.settings_of(params)
        # In one line of the journal: who is stopped here leaves a whole trial or none.
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.RUNNING,
                params=params,
                distributions=self._space.distributions,
                user_attrs={_OWNER: self._name, _SETTINGS: settings},
            )
        )
        return Claim(number, settings)

    def _take_over(self, trial: FrozenTrial) -> Claim:
        optuna.trial.Trial(self._study, trial._trial_id).set_user_attr(_OWNER, self._name)
        return Claim(trial.number, trial.user_attrs[_SETTINGS])

    def _running(self, number: int) -> Any:
        found = self._study.get_trials(deepcopy=False)[number]
        return None if found.state.is_finished() else optuna.trial.Trial(self._study, found._trial_id)

    def _lives(self, owner: str | None) -> bool:
        """Whether the process is still there: it holds its file."""
        if owner == self._name:
            return True
        path = self._owner(owner or "nobody")
        try:
            handle = os.open(path, os.O_RDWR)
        except OSError:
            return False
        try:
            return not hold(handle)
        finally:
            os.close(handle)

    def _owner(self, name: str) -> Path:
        return self._folder / "owners" / name

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with written(self._lock), alone(self._lock, lambda _: None):
            yield


class _NoLock(optuna.storages.journal._file.BaseJournalFileLock):
    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _mend(path: Path) -> None:
    """Take off what somebody who was killed had only half written."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
