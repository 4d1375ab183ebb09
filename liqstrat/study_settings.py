"""What is done with a run beyond running it once: sections of its run file that shape no single run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from liqstrat.errors import did_you_mean
from liqstrat.inputs import nanoseconds_of
from liqstrat.sections import Section

_RANGE = ("from", "to", "step", "log")
#: More points than anybody tries.
_MOST_POINTS = 1_000_000
#: Of a run file, what can differ between the trials of a sweep.
SWEPT = ("strategies", "model", "venue", "resolution")
#: Figures that are the better the smaller they are.
SMALLER = frozenset(
    {
        "max_drawdown",
        "fees",
        "slippage",
        "mae",
        "under_water",
        "longest_under_water_seconds",
        "losses_in_a_row",
        "account_liquidations",
        "insurance",
    }
)


@dataclass(frozen=True)
class Values:
    """What a key of a sweep takes: `points` in order, or where there are none, any number of `low` to `high`.

    log: whether as many are tried between 1 and 10 as between 10 and 100.
    """

    points: Sequence[Any] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False


def read_values(found: object) -> Values:
    """`[0.05, 0.1, 0.2]`, `{ from = 1, to = 5, step = 1 }` or `{ from = 0.001, to = 0.1, log = true }`."""
    if isinstance(found, Values):
        return found
    if isinstance(found, list):
        if not found:
            raise ValueError("is an empty list, expected values to try")
        if twice := [value for at, value in enumerate(found) if value in found[:at]]:
            raise ValueError(f"has {twice[0]!r} more than once")
        return Values(tuple(found))
    if not isinstance(found, dict):
        raise ValueError(f"is {found!r}, expected a list of values or {{ from = …, to = …, step = … }}")
    for key in found:
        if key not in _RANGE:
            raise ValueError(f'unknown key "{key}"{did_you_mean(key, _RANGE)}; expected of {", ".join(_RANGE)}')
    if missing := [key for key in ("from", "to") if key not in found]:
        raise ValueError(f'"{missing[0]}" is missing; expected {{ from = …, to = …, step = … }}')
    return _range(found["from"], found["to"], found.get("step"), found.get("log", False))


def _range(low: Any, high: Any, step: Any, log: Any) -> Values:
    for name, value in (("from", low), ("to", high), ("step", step)):
        if name == "step" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise ValueError(f"{name} is {value!r}, expected a number")
    if not isinstance(log, bool):
        raise ValueError(f"log is {log!r}, expected true or false")
    if high < low:
        raise ValueError(f"is empty: from {low} is above to {high}")
    whole = isinstance(low, int) and isinstance(high, int)
    if step is None and not whole:
        if low == high:
            raise ValueError(f"from and to are both {low}: expected a list with that value, or a range")
        if log and low <= 0:
            raise ValueError(f"from is {low}, expected a number above zero with log = true")
        return Values(low=float(low), high=float(high), log=log)
    if log:
        raise ValueError("log goes with a range of fractions without a step, as { from = 0.001, to = 0.1, log = true }")
    return Values(_steps(low, high, 1 if step is None else step))


def _steps(low: float, high: float, step: float) -> Sequence[float]:
    """The points of a range as they would be typed: sums of decimals, not of binary fractions."""
    if step <= 0:
        raise ValueError(f"step is {step}, expected a number above zero")
    first, last, by = (Decimal(repr(value)) for value in (low, high, step))
    count = int((last - first) / by) + 1
    if count > _MOST_POINTS:
        raise ValueError(f"has {count:,} points, expected at most {_MOST_POINTS:,}: take a larger step")
    whole = isinstance(low, int) and isinstance(step, int)
    return tuple(int(first + i * by) if whole else float(first + i * by) for i in range(count))


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if value in ("0", "0d", "0h", "0m", "0s", 0):
        return timedelta(0)
    return timedelta(microseconds=nanoseconds_of(value) // 1000)


def _names(value: object) -> object:
    return [value] if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class SweepSettings(Section):
    """Which settings of the run are tried, and what they are judged by.

    objective: figures of `metrics.json`; of more than one, what none beats in all is best. constraint: a condition on
    figures; what does not meet it is never best. keep: only the figures of a trial, or its whole results folder.
    controls: how many times the best is held against entries by chance, and against levels of other times; where this
    is not set, fewer are run where they have decided already, and none where there can be no verdict.
    batch: of tpe, how many trials are proposed from what came before them, and may run at once.
    """

    method: Literal["grid", "random", "tpe"] = "tpe"
    trials: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    objective: Annotated[list[str], BeforeValidator(_names), Field(min_length=1)] = Field(
        default_factory=lambda: ["sharpe"]
    )
    constraint: str = ""
    keep: Literal["figures", "folders"] = "figures"
    controls: Annotated[int, Field(ge=0, le=10_000)] = 200
    batch: Annotated[int, Field(ge=1, le=1000)] = 8
    over: Annotated[dict[str, Annotated[Values, BeforeValidator(read_values)]], Field(min_length=1)]


class WalkForwardSettings(Section):
    """How history is cut: settings are chosen on `train` and traded on the `test` that follows, again and again.

    embargo: between the two, besides what warm-up and positions still open would carry over. anchored: every training
    window begins with history. calibrate: fit the levels' model on each training window, too.
    """

    train: Duration
    test: Duration
    embargo: Duration = timedelta(0)
    anchored: bool = False
    calibrate: bool = False


class HoldoutSettings(Section):
    """The end of the run's time that nothing looks at but `liqstrat holdout`."""

    last: Duration
