"""When strategies can act. A replay of history always can; a program on paper was dead at times, or late."""

from bisect import bisect_right
from collections.abc import Iterable


class Presence:
    """Stretches of market time, `[from, to)` in nanoseconds, in which nothing is decided, and nothing can be sent.

    What rests at the exchange goes on there. leaving: stretches in which positions are closed, and nothing else.
    """

    def __init__(self, absent: Iterable[tuple[int, int]] = (), leaving: Iterable[tuple[int, int]] = ()) -> None:
        self._absent, self._leaving = _Stretches(absent), _Stretches(leaving)
        #: Whether there is no such stretch yet.
        self.unbroken = not (self._absent.any or self._leaving.any)

    def absent(self, now_ns: int) -> bool:
        """Whether nobody is there at that moment."""
        return self._absent.has(now_ns)

    def leaving(self, now_ns: int) -> bool:
        """Whether positions are to be closed at that moment."""
        return self._leaving.has(now_ns)

    def absent_ns(self, until_ns: int) -> int:
        """How long nobody was there up to a moment."""
        return self._absent.length(until_ns)

    def be_absent(self, begin_ns: int, end_ns: int) -> None:
        """Add a stretch that is no earlier than those there are."""
        self._absent.add(begin_ns, end_ns)
        self.unbroken = False

    def leave(self, begin_ns: int, end_ns: int) -> None:
        """Add a stretch of leaving that is no earlier than those there are."""
        self._leaving.add(begin_ns, end_ns)
        self.unbroken = False


class _Stretches:
    """In order; those that touch are one."""

    def __init__(self, stretches: Iterable[tuple[int, int]]) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        for begin_ns, end_ns in stretches:
            self.add(begin_ns, end_ns)

    def add(self, begin_ns: int, end_ns: int) -> None:
        if self._ends and begin_ns <= self._ends[-1]:
            self._ends[-1] = max(self._ends[-1], end_ns)
        elif begin_ns < end_ns:
            self._begins.append(begin_ns)
            self._ends.append(end_ns)

    def length(self, until_ns: int) -> int:
        pairs = zip(self._begins, self._ends, strict=True)
        return sum(min(end, until_ns) - begin for begin, end in pairs if begin < until_ns)

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._begins)

    def has(self, now_ns: int) -> bool:
        place = bisect_right(self._begins, now_ns) - 1
        return place >= 0 and now_ns < self._ends[place]
