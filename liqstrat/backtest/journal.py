"""What strategies write down: lines with market time, for the results and, as far as they are few, for the terminal."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from liqstrat.backtest.sketch import Sketch
from liqstrat.moments import at_ns

#: Lines shown while the run goes on; the rest is in the results only.
MOST_SHOWN = 20

Grade = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class Line:
    """One line: market time in nanoseconds, who wrote it, how grave it is, and what it says."""

    time_ns: int
    strategy: str
    grade: Grade
    text: str

    def __str__(self) -> str:
        moment = at_ns(self.time_ns)
        return f"{moment:%Y-%m-%d %H:%M:%S} {self.strategy} {self.grade}: {self.text}"


@dataclass
class Journal:
    """The lines of a run, in the order in which they were written; `show` gets the first of those above debug.

    sketch: what was drawn.
    """

    lines: list[Line] = field(default_factory=list)
    show: Callable[[str], None] = lambda text: print(text, file=sys.stderr)
    sketch: Sketch = field(default_factory=Sketch)
    _shown: int = 0

    def of(self, strategy: str, now: Callable[[], int]) -> "Writer":
        """What one strategy writes with."""
        return Writer(self, strategy, now)

    def add(self, line: Line) -> None:
        """Keep a line."""
        self.lines.append(line)
        if line.grade == "debug" or self._shown > MOST_SHOWN:
            return
        self._shown += 1
        self.show(str(line) if self._shown <= MOST_SHOWN else "more lines of strategies are in log.txt of the results")


@dataclass(frozen=True)
class Writer:
    """`self.log` of a strategy."""

    journal: Journal
    strategy: str
    now: Callable[[], int]

    def debug(self, text: object) -> None:
        """For the results only."""
        self._write("debug", text)

    def info(self, text: object) -> None:
        """What the user may want to see."""
        self._write("info", text)

    def warning(self, text: object) -> None:
        """What the user should see."""
        self._write("warning", text)

    def error(self, text: object) -> None:
        """What should not have happened."""
        self._write("error", text)

    def _write(self, grade: Grade, text: object) -> None:
        self.journal.add(Line(self.now(), self.strategy, grade, str(text)))
