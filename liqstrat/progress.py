"""How long work reports what it has done: a bar with rate and ETA on a terminal, plain lines when piped."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console

from liqstrat.ending import raise_if_asked


class Step(Protocol):
    """Told of each increment that is done, and of what there is to say of how it goes."""

    def __call__(self, done: float, /, told: str = "") -> None: ...


_PLAIN_EVERY_SECONDS = 10.0


class Progress:
    """Does nothing: the default of every function that can take long, and the base of what draws."""

    @contextmanager
    def task(self, name: str, total: float | None = None, unit: str = "", before: float = 0.0) -> Iterator[Step]:
        """A piece of work of `total` units (None: not known), of which so many were done `before`; the value is called
        with each increment done."""
        yield lambda done, told="": None


SILENT = Progress()


class ConsoleProgress(Progress):
    """Draws on `console`: a bar on a terminal, else a line when a task ends and every ten seconds before."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def task(self, name: str, total: float | None = None, unit: str = "", before: float = 0.0) -> Iterator[Step]:
        draw = self._bar if self._console.is_terminal else self._lines
        with draw(name, total, unit, before) as step:
            yield step

    @contextmanager
    def _bar(self, name: str, total: float | None, unit: str, before: float) -> Iterator[Step]:
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[told]}", markup=False),
        )
        started = time.monotonic()
        with RichProgress(*columns, console=self._console, transient=True) as bars:
            bar = bars.add_task(name, total=total, completed=int(before), rate="", told="")
            done = before

            def step(more: float, told: str = "") -> None:
                nonlocal done
                raise_if_asked()
                done += more
                bars.update(bar, completed=done, rate=_rate_text(_rate(done - before, started), unit), told=told)

            yield step
        self._console.print(_line(name, done, None, unit, started, before), highlight=False)

    @contextmanager
    def _lines(self, name: str, total: float | None, unit: str, before: float) -> Iterator[Step]:
        started = said = time.monotonic()
        done = before

        def step(more: float, told: str = "") -> None:
            nonlocal done, said
            raise_if_asked()
            done += more
            if time.monotonic() - said >= _PLAIN_EVERY_SECONDS:
                said = time.monotonic()
                line = _line(name, done, total, unit, started, before)
                self._console.print(f"{line}{told and f'; {told}'}", markup=False, highlight=False, soft_wrap=True)

        yield step
        self._console.print(_line(name, done, None, unit, started, before), highlight=False)


def _rate(done: float, started: float) -> float:
    """Units a second."""
    return done / max(time.monotonic() - started, 1e-9)


def _rate_text(rate: float, unit: str) -> str:
    rate, each = (rate, "s") if rate >= 1 else (rate * 60, "min")
    return f"{rate:,.{0 if rate >= 10 else 1}f} {unit}/{each}"


def _line(name: str, done: float, total: float | None, unit: str, started: float, before: float) -> str:
    if before and done == before and not total:
        return f"{name}: {done:,.0f} {unit}, as before"
    share = f" of {total:,.0f}" if total else ""
    lately = f", {done - before:,.0f} of them" if before else ""
    rate = _rate(done - before, started)
    left = f", {_length((total - done) / rate)} left" if total and rate and total > done else ""
    told = f"in {time.monotonic() - started:.1f} s ({_rate_text(rate, unit)}{left})"
    return f"{name}: {done:,.0f}{share} {unit}{lately} {told}"


def _length(seconds: float) -> str:
    """How long something will take, about."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
