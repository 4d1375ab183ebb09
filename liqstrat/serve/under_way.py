"""How far long work for pages is, for whoever waits for it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from liqstrat.progress import Progress, Step


class UnderWay:
    """What this server works on now, in the order in which it began; `count`: of all that it has begun."""

    def __init__(self) -> None:
        self._tasks: dict[int, dict[str, Any]] = {}
        self.count = 0
        self._lock = threading.Lock()

    def all(self) -> list[dict[str, Any]]:
        """Of each task: its name, what is done, of how much (None where nobody knows) and in which unit."""
        with self._lock:
            return [dict(one) for one in self._tasks.values()]

    def named(self, name: str) -> Progress:
        """Tasks that go by this name."""
        return _Named(self, name)

    @contextmanager
    def task(self, name: str, total: float | None, unit: str, before: float = 0.0) -> Iterator[Step]:
        """A piece of work, as `Progress.task`."""
        mine: dict[str, Any] = {"task": name, "done": before, "total": total, "unit": unit}
        with self._lock:
            self.count += 1
            number = self.count
            self._tasks[number] = mine

        def step(more: float, told: str = "") -> None:
            mine["done"] += more

        try:
            yield step
        finally:
            with self._lock:
                del self._tasks[number]


class _Named(Progress):
    def __init__(self, under_way: UnderWay, name: str) -> None:
        self._under_way, self._name = under_way, name

    @contextmanager
    def task(self, name: str, total: float | None = None, unit: str = "", before: float = 0.0) -> Iterator[Step]:
        with self._under_way.task(self._name, total, unit, before) as step:
            yield step
