"""Flow by SQL: trades grouped by interval, price bin, taker side and notional bracket."""

import time
from pathlib import Path

from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.store import open_store
from tests.benchmarks.measure import Place, Row, best_of
from tests.benchmarks.tape import SYMBOL

_REACH = 5.0


def measure(place: Place) -> list[Row]:
    """The flow of the whole history against the plainest question that reads price and quantity of every trade."""
    return [
        _row(place, place.ingested, "flow by SQL (price bin, taker side, notional bracket, 5 min)"),
        _row(place, place.database, "the same, of a file that no ingest made: does any trade stand in it twice?"),
    ]


def _row(place: Place, database: Path, what: str) -> Row:
    clocks = {"clock": time.perf_counter, "processor": time.process_time}
    with open_store(database) as store:
        plain = f"select count(*), sum(price::double * quantity::double) from ({store.trades_sql(SYMBOL)})"
        ways = {
            "yardstick": lambda: store.connection.execute(plain).fetchall(),
            "ours": lambda: [None for _ in flows(store, SYMBOL, None, None, ModelSettings())],
        }
        took = {name: best_of(ways, place.repeats, clock) for name, clock in clocks.items()}
    ratio, by_processor = (each["ours"] / each["yardstick"] for each in took.values())
    speed = {name: place.trades / seconds / 1e6 for name, seconds in took["clock"].items()}
    return Row(
        what,
        "`select count(*), sum(price*quantity)`",
        f"≤ {_REACH:.0f} × its time",
        f"{ratio:.1f} ×, by processor time {by_processor:.1f} × "
        f"({speed['ours']:.0f}M against {speed['yardstick']:.0f}M trades/s)",
        ratio <= _REACH,
    )
