"""How a walk forward cuts history."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.study_settings import WalkForwardSettings


@dataclass(frozen=True)
class Window:
    """Settings are chosen on `[train_start, train_end)` and traded on `[test_start, test_end)`."""

    number: int
    train_start: datetime
    train_end: datetime
    test_start: datetime
    test_end: datetime

    def later(self, gap: timedelta) -> "Window":
        """With at least so much time between the two; at most half of the test is given up for it."""
        latest = self.test_start + (self.test_end - self.test_start) / 2
        start = min(max(self.test_start, self.train_end + gap), latest)
        start += -timedelta(seconds=start.second, microseconds=start.microsecond) % timedelta(minutes=1)
        return Window(self.number, self.train_start, self.train_end, start, self.test_end)


def windows_of(run: RunFile, settings: WalkForwardSettings, where: str = "the run") -> list[Window]:
    """The windows of a run, less what it holds out; tests follow each other without a gap or an overlap.

    Raises `LiqstratError` where there is no room for one.
    """
    seen = run.seen
    found: list[Window] = []
    end = seen.start + settings.train
    while end + settings.embargo + settings.test <= seen.end:
        start = seen.start if settings.anchored else end - settings.train
        test = end + settings.embargo
        found.append(Window(len(found) + 1, start, end, test, test + settings.test))
        end += settings.test
    if not found:
        needed = settings.train + settings.embargo + settings.test
        raise LiqstratError(
            f"{where}: walk_forward: a window takes {_days(needed)} (train {_days(settings.train)}, embargo "
            f"{_days(settings.embargo)}, test {_days(settings.test)}), the run has {_days(seen.end - seen.start)}"
            f"{' less what is held out' if run.holdout else ''}"
        )
    return found


def _days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):g} d"
