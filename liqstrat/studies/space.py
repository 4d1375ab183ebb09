"""What a sweep tries: which values its keys may take, and how many trials there are of them."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection

from liqstrat.app import resolve_traders
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.research.expression import Condition, read_condition
from liqstrat.run_file import place_in, run_from
from liqstrat.studies.figures import figure_names
from liqstrat.study_settings import SMALLER, SWEPT, SweepSettings, Values

#: Of a sweep by chance or by tpe that does not say.
_TRIALS = 100


@dataclass(frozen=True)
class Space:
    """The settings that differ, by their keys with dots between, and how a trial is judged."""

    settings: SweepSettings
    condition: Condition | None

    @property
    def keys(self) -> list[str]:
        return list(self.settings.over)

    @property
    def points(self) -> int | None:
        """How many different trials there can be; None where a key takes any number in a range."""
        counts = [len(values.points) for values in self.settings.over.values()]
        return prod(counts) if all(counts) else None

    @property
    def trials(self) -> int:
        """How many trials there are to be: no more than there are points."""
        most = self.points
        wanted = self.settings.trials or (most if self.settings.method == "grid" and most else _TRIALS)
        return wanted if most is None else min(wanted, most)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The space in the optimiser's words: of points it knows the numbers, from 0."""
        return {key: _distribution(values) for key, values in self.settings.over.items()}

    @property
    def directions(self) -> list[StudyDirection]:
        """Of the objectives."""
        least, most = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
        return [least if name in SMALLER else most for name in self.settings.objective]

    def settings_of(self, params: dict[str, Any]) -> dict[str, Any]:
        """What is set over the run file, for the optimiser's parameters."""
        over = self.settings.over
        return {key: over[key].points[params[key]] if over[key].points else params[key] for key in over}

    def numbered(self, number: int) -> dict[str, Any]:
        """The parameters of a point by its number; the last key is counted through first."""
        params: dict[str, Any] = {}
        for key, values in reversed(self.settings.over.items()):
            number, params[key] = divmod(number, len(values.points))
        return {key: params[key] for key in self.keys}

    def judged(self, figures: dict[str, Any]) -> list[float] | None:
        """The objectives of a trial with these figures; None where one is not defined."""
        values = [figures.get(name) for name in self.settings.objective]
        return None if None in values else [float(value) for value in values if value is not None]

    def feasible(self, figures: dict[str, Any]) -> bool:
        """Whether the constraint, if any, is met."""
        return self.condition is None or self.condition.holds(figures)


def space_of(run: RunFile, path: Path | None = None) -> Space:
    """The space of a run's sweep, with every value at the ends of a range tried on the run file.

    Raises `LiqstratError` for a key that the run file or a strategy does not have, a value that it does not take, an
    objective that is no figure or a constraint that cannot be read; `path` is where the run is from.
    """
    settings = run.sweep
    if settings is None:
        raise LiqstratError(f"{path or 'the run'}: there is no [sweep] in it, which says what is tried; see run files")
    known = figure_names()
    for name in settings.objective:
        if name not in known:
            raise LiqstratError(
                f'{place_in(path, "sweep", "objective")}: sweep.objective: there is no figure "{name}"'
                f"{did_you_mean(name, known)}; expected of {', '.join(known)}"
            )
    condition = None
    if settings.constraint:
        try:
            condition = read_condition(settings.constraint, known)
        except LiqstratError as error:
            raise LiqstratError(f"{place_in(path, 'sweep', 'constraint')}: sweep.constraint: {error}") from None
    for key, values in settings.over.items():
        _check_key(run, path, key, values)
    space = Space(settings, condition)
    if settings.method == "grid" and space.points is None:
        free = next(key for key, values in settings.over.items() if not values.points)
        raise LiqstratError(
            f"{place_in(path, 'sweep', 'over', free)}: sweep.over.{free} has no step, which a grid needs; "
            "expected { from = …, to = …, step = … }, or method = random or tpe"
        )
    return space


def _check_key(run: RunFile, path: Path | None, key: str, values: Values) -> None:
    where = f"{place_in(path, 'sweep', 'over', key)}: sweep.over"
    part = key.split(".")[0]
    if part not in SWEPT:
        raise LiqstratError(
            f'{where}: "{key}" cannot be swept{did_you_mean(part, SWEPT)}; expected a key of {", ".join(SWEPT)}, '
            'as "strategies.0.params.turn"'
        )
    for value in [values.points[0], values.points[-1]] if values.points else [values.low, values.high]:
        try:
            resolve_traders(run_from(run.model_dump(by_alias=True), {key: value}))
        except LiqstratError as error:
            said = str(error).removeprefix(f"set {key}: ").removeprefix("the run: ")
            raise LiqstratError(f"{where}: {said}") from None


def _distribution(values: Values) -> BaseDistribution:
    if not values.points:
        return FloatDistribution(values.low, values.high, log=values.log)
    ordered = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.points)
    if ordered and list(values.points) == sorted(values.points):
        return IntDistribution(0, len(values.points) - 1)
    return CategoricalDistribution(range(len(values.points)))
