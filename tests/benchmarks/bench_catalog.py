"""From DuckDB to the catalog that Nautilus replays."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from liqstrat.catalog.build import build_catalog
from liqstrat.catalog.columns import NARROW_DECIMALS, TRADES_SQL
from liqstrat.catalog.day_files import ROW_GROUP, folder
from liqstrat.market.store import open_store
from tests.benchmarks.measure import Place, Row, size_of
from tests.benchmarks.tape import START, SYMBOL, days_of

_REACH = 0.8
_REACH_BYTES = 9.0
_DAY = timedelta(days=1)
#: The columns that Nautilus stores, in their order.
_STORED = """
    select cast(price as decimal(38, 16)) as price, cast(quantity as decimal(38, 16)) as size, side = 'buy' as buy,
           cast(agg_trade_id as varchar) as trade_id, epoch_ns(timestamp) as ts_event, epoch_ns(timestamp) as ts_init
"""
_ORDER = "order by timestamp, agg_trade_id"


@dataclass(frozen=True)
class _Took:
    """Seconds of the clock and of the processors; those of the clock say little where others use the machine."""

    wall: float
    cpu: float


def measure(place: Place) -> list[Row]:
    """A catalog of the whole history, begun from nothing, against only reading trades in the same order.

    Two ways of reading: the columns that Nautilus stores, which is what a catalog needs of the database; and the query
    that the build reads, which leaves some of that to NumPy. The build itself reads without sorting, and looks whether
    there is need to: that is the third, for comparison.
    """
    built: list[Path] = []

    def build() -> None:
        built[:] = [place.scratch("catalog")]
        again()

    def again() -> None:
        with open_store(place.database) as store:
            build_catalog(store, SYMBOL, built[0])

    ways: dict[str, Callable[[], None]] = {
        "stored": lambda: _read(place, _STORED, _ORDER),
        "own": lambda: _read(place, TRADES_SQL, _ORDER),
        "unsorted": lambda: _read(place, TRADES_SQL, ""),
        "ours": build,
        "again": again,
    }
    turns: dict[str, list[_Took]] = {name: [] for name in ways}
    for _ in range(place.repeats):
        for name, way in ways.items():
            turns[name].append(_timed(way))
    wall = {name: min(took.wall for took in each) for name, each in turns.items()}
    cpu = {name: min(took.cpu for took in each) for name, each in turns.items()}
    each = size_of(folder(built[0], SYMBOL, "trades")) / place.trades
    share = wall["stored"] / wall["ours"]
    rows = [
        Row(
            "DuckDB → catalog: trades, bars, checks and fingerprints",
            "the columns that Nautilus stores, in order, out of DuckDB into Arrow, nothing written",
            f"≥ {_REACH} of its speed",
            f"{share:.2f}, by processor time {cpu['stored'] / cpu['ours']:.2f} "
            f"({place.trades / wall['ours'] / 1e6:.1f}M trades/s)",
            share >= _REACH,
        ),
        Row(
            "the same",
            "the columns that the build reads, in order (without the order, as it reads them)",
            "–",
            f"{wall['own'] / wall['ours']:.2f}, by processor time {cpu['own'] / cpu['ours']:.2f} "
            f"({wall['unsorted'] / wall['ours']:.2f}, by processor time {cpu['unsorted'] / cpu['ours']:.2f})",
        ),
        Row(
            "catalog on disk",
            "–",
            f"≤ {_REACH_BYTES:.0f} bytes a trade",
            f"{each:.1f} bytes a trade",
            each <= _REACH_BYTES,
        ),
        Row("a second build, nothing changed", "–", "–", f"{wall['again'] * 1000:.0f} ms"),
    ]
    place.scratch("catalog")
    return rows


def _read(place: Place, select: str, order: str) -> None:
    """All trades into Arrow, day by day and in batches as the build has them."""
    with open_store(place.database) as store:
        store.connection.execute(NARROW_DECIMALS)
        for i in range(days_of(place.trades)):
            rows = store.trades_sql(SYMBOL, START + i * _DAY, START + (i + 1) * _DAY)
            for _ in store.connection.sql(f"{select} from ({rows}) {order}").to_arrow_reader(ROW_GROUP):
                pass


def _timed(run: Callable[[], None]) -> _Took:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return _Took(time.perf_counter() - wall, time.process_time() - cpu)
