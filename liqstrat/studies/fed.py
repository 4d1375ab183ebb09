"""Market data as the engine's objects, made once for all trials of a process on the same bars.

To read and to make them takes a fifth of a trial. Trades are too many to be kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from liqstrat.app import Prepared
from liqstrat.backtest.replay import Slice, Source, SymbolData, history

#: Two years of one symbol, whose objects take some 800 MB.
_MOST_BARS = 1_100_000
#: What the last trial was fed with: of which data, and whether with funding.
_last: tuple[dict[str, SymbolData], bool, Source] | None = None


def source_of(prepared: Prepared) -> Source | None:
    """What a trial is fed with; None where it is to read it by itself."""
    global _last
    run, data = prepared.run, prepared.data
    if run.bar_minutes is None or sum(len(minutes) for minutes in prepared.minutes.values()) > _MOST_BARS:
        return None
    if _last is None or _last[0] is not data or _last[1] != run.venue.funding:
        # What was there before goes first: both at once may be more than there is room for.
        _last = None
        source = history(run, data)
        _last = data, run.venue.funding, replace(source, slices=_Reel(source.slices))
    return _last[2]


class _Reel:
    """Slices that can be had again, also where a trial has stopped in the middle."""

    def __init__(self, slices: Iterable[Slice]) -> None:
        self._seen: list[Slice] = []
        self._rest = iter(slices)

    def __iter__(self) -> Iterator[Slice]:
        yield from self._seen
        for one in self._rest:
            self._seen.append(one)
            yield one
