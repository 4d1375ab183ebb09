"""From DuckDB to the catalog that Nautilus replays."""

from datetime import timedelta
from pathlib import Path

from liqstrat.backtest.day_files import folder
from liqstrat.catalog import build_catalog
from liqstrat.market.store import open_store
from tests.benchmarks.measure import Place, Row, best_of, size_of
from tests.benchmarks.tape import START, SYMBOL, days_of

_REACH = 0.8
_REACH_BYTES = 9.0
_DAY = timedelta(days=1)
_BATCH = 1_048_576
#: The columns that Nautilus stores, in their order.
_ROWS = """
    select cast(price as decimal(38, 16)) as price, cast(quantity as decimal(38, 16)) as size, side = 'buy' as buy,
           cast(agg_trade_id as varchar) as trade_id, epoch_ns(timestamp) as ts_event, epoch_ns(timestamp) as ts_init
    from ({rows}) order by timestamp, agg_trade_id
"""


def measure(place: Place) -> list[Row]:
    """A catalog of the whole history, begun from nothing, against only reading the same rows in the same order."""
    days = [START + i * _DAY for i in range(days_of(place.trades))]
    built: list[Path] = []

    def read() -> None:
        with open_store(place.database) as store:
            for day in days:
                rows = store.trades_sql(SYMBOL, day, day + _DAY)
                for _ in store.connection.sql(_ROWS.format(rows=rows)).to_arrow_reader(_BATCH):
                    pass

    def build() -> None:
        built[:] = [place.scratch("catalog")]
        with open_store(place.database) as store:
            build_catalog(store, SYMBOL, built[0])

    seconds = best_of({"yardstick": read, "ours": build}, place.repeats)
    share = seconds["yardstick"] / seconds["ours"]
    speed = {name: place.trades / s / 1e6 for name, s in seconds.items()}
    each = size_of(folder(built[0], SYMBOL, "trades")) / place.trades
    rows = [
        Row(
            "DuckDB → catalog, trades, bars, checks and fingerprints included",
            "the same rows in the same order out of DuckDB into Arrow, nothing written",
            f"≥ {_REACH} of its speed",
            f"{share:.2f} ({speed['ours']:.1f}M against {speed['yardstick']:.1f}M trades/s)",
            share >= _REACH,
        ),
        Row(
            "catalog on disk",
            "–",
            f"≤ {_REACH_BYTES:.0f} bytes a trade",
            f"{each:.1f} bytes a trade",
            each <= _REACH_BYTES,
        ),
    ]
    place.scratch("catalog")
    return rows
