"""What strategies draw: series of numbers by name, and notes at moments, for the results and the report."""

from array import array
from dataclasses import dataclass, field
from math import isfinite, nan
from numbers import Real
from typing import NamedTuple

from liqstrat.errors import LiqstratError

#: Characters of a series' name.
_LONGEST = 60


class Note(NamedTuple):
    """Words at a moment (nanoseconds) and a price (USDT)."""

    time_ns: int
    strategy: str
    symbol: str
    price: float
    text: str


@dataclass(eq=False)
class Series:
    """Times (nanoseconds, ascending) and values, NaN where a line is to be broken."""

    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))


@dataclass(eq=False)
class Sketch:
    """Of a run: series by strategy, symbol and name, and notes in the order in which they were made."""

    series: dict[tuple[str, str, str], Series] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def plot(self, strategy: str, symbol: str, name: str, time_ns: int, value: float | None) -> None:
        """Keep a value; raises `LiqstratError` for a name or a value that is none."""
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST or not name.isprintable():
            raise LiqstratError(f"plot: name is {name!r}, expected a text of up to {_LONGEST} characters in one line")
        if value is not None and not isinstance(value, Real):
            raise LiqstratError(f'plot: value of "{name}" is {value!r}, expected a number, or None where there is none')
        number = nan if value is None or not isfinite(value) else float(value)
        series = self.series.setdefault((strategy, symbol, name), Series())
        if series.times and series.times[-1] == time_ns:
            series.values[-1] = number
            return
        series.times.append(time_ns)
        series.values.append(number)
