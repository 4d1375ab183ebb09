"""What a score is made of, read from the history: flows, liquidations, and how complete their record can be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.contract import venue_of
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.model import LiquidationModel
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.recorded_candles import closes_sql
from liqstrat.market.store import Store
from liqstrat.moments import SECOND_US, at_us, column_us, microseconds_in, nanoseconds
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.reached import Reached, gather

WHERE_FROM = (
    "They come from liquidationSnapshot files of the archive (COIN-M: June 2023 to October 2024; USDⓈ-M's are gone) "
    "or from recordings of the forceOrder stream; `liqstrat ingest` loads both"
)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Recorded:
    """Liquidations as recorded: `rows` in the table, of which `twice` repeat an order; `seconds` with at least one, of
    which `crowded` have several; `unpriced` without the price of their execution."""

    liquidations: Liquidations
    rows: int
    twice: int
    seconds: int
    crowded: int
    unpriced: int
    simulated: bool
    venue: str = "binance"

    def remarks(self) -> list[str]:
        """What the record leaves out, in sentences."""
        if self.simulated:
            return ["SIMULATED: every liquidation is on record, which no real source offers."]
        said = [
            "Liquidations are those of Bybit's stream: allLiquidation tells of all, the one before it of one a second."
            if self.venue == "bybit"
            else "Recorded liquidations are a part of all: the stream shows at most one a second of each symbol (since "
            "April 2021), and the archive was made of it. The more is liquidated at once, the more is missing, so "
            "amounts in cascades are understated, for all models and baselines alike."
        ]
        if self.seconds:
            said.append(
                f"Here {self.crowded / self.seconds:.1%} of the seconds with a liquidation have several on record."
            )
        if self.twice:
            said.append(f"{self.twice:,} of {self.rows:,} rows repeat an order and are counted once.")
        if self.unpriced:
            said.append(
                f"{self.unpriced:,} have no price of execution; they are taken to have happened at the last traded "
                "price, as the order's own is the bankruptcy price, which lies beyond."
            )
        return said


def recorded(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> Recorded:
    """Liquidations of `[start, end)`, each order once, at the price and time they happened."""
    rows = store.rows_sql("liquidations", symbol, start, end)
    if rows is None:
        nothing = np.zeros(0)
        none = Liquidations(nothing.astype(np.int64), nothing, nothing, nothing.astype(np.bool_))
        return Recorded(none, 0, 0, 0, 0, 0, store.simulated(symbol))
    sql = f"""
        select timestamp as time, side = 'sell' as long, quantity::double as contracts, count(*) as rows,
               max(nullif(average_price, 0))::double as executed, price::double as ordered
        from ({rows}) group by timestamp, side, quantity, price order by timestamp, side, price, quantity
    """
    table = store.connection.sql(sql).to_arrow_table()
    time_us = column_us(table["time"])
    executed = table["executed"].to_numpy()
    unpriced = np.isnan(executed)
    price = executed.copy()
    if unpriced.any():
        price[unpriced] = _traded_before(store, symbol, time_us[unpriced], table["ordered"].to_numpy()[unpriced])
    _, counts = np.unique(time_us // SECOND_US, return_counts=True)
    every = int(table["rows"].to_numpy().sum())
    return Recorded(
        Liquidations(time_us * 1000, price, table["contracts"].to_numpy(), np.asarray(table["long"], dtype=np.bool_)),
        rows=every,
        twice=every - len(table),
        seconds=len(counts),
        crowded=int((counts > 1).sum()),
        unpriced=int(unpriced.sum()),
        simulated=store.simulated(symbol),
        venue=venue_of(symbol),
    )


def require_liquidations(store: Store, symbol: str, start: datetime, end: datetime) -> Recorded:
    """Those of a range; raises `LiqstratError`, telling what there is, where none are recorded in it."""
    found = recorded(store, symbol, start, end)
    if found.rows:
        return found
    span = store.span(symbol, "liquidations")
    there = f"those on record reach from {_text(span[0])} to {_text(span[1])} UTC" if span else "there are none at all"
    raise LiqstratError(
        f"{store.path}: no liquidations of {symbol} from {_text(start)} to {_text(end)} UTC, without which levels "
        f"cannot be scored; {there}. {WHERE_FROM}"
    )


def gather_history(
    store: Store,
    symbol: str,
    start: datetime,
    end: datetime,
    models: Mapping[str, ModelSettings],
    warmup: timedelta,
    every: timedelta,
    progress: Progress = SILENT,
) -> Reached:
    """The bands reached from `start` to `end`, by models that are filled with up to `warmup` of history before."""
    # Flows are the same for all, but for the large trades, which some models look at.
    settings = next((one for one in models.values() if one.large_rule), next(iter(models.values())))
    loaded = store.brackets(symbol)
    running = {name: new_model(one, symbol, loaded) for name, one in models.items()}
    return gather_models(store, symbol, start, end, running, settings, warmup, every, progress)


def gather_models(
    store: Store,
    symbol: str,
    start: datetime,
    end: datetime,
    running: Mapping[str, LiquidationModel],
    settings: ModelSettings,
    warmup: timedelta,
    every: timedelta,
    progress: Progress = SILENT,
) -> Reached:
    """As `gather_history`, for models that are there, with the flows of `settings`."""
    if store.span(symbol, "open_interest") is None:
        raise LiqstratError(f"{store.path}: no open interest of {symbol}: without it levels cannot be estimated")
    source = flows(store, symbol, start - warmup, end, settings, progress)
    reached = gather(source, running, microseconds_in(every) * 1000, nanoseconds(start))
    if not len(reached):
        span = store.span(symbol, "open_interest")
        raise LiqstratError(
            f"{store.path}: no maps of {symbol} from {_text(start)} to {_text(end)} UTC: there is open interest "
            f"{f'from {_text(span[0])} to {_text(span[1])}' if span else 'nowhere'}, "
            "and trades or candles are needed in the same time"
        )
    return reached


def _traded_before(store: Store, symbol: str, time_us: Ints, otherwise: Floats) -> Floats:
    """The last traded price at each time, `otherwise` where nothing traded within the day before."""
    first, last = at_us(int(time_us[0])) - _DAY, at_us(int(time_us[-1]) + 1)
    asked = pa.table({"number": np.arange(len(time_us)), "asked": time_us})
    store.connection.register("liquidation_times", asked)
    sql = f"""
        select number, price::double as price from liquidation_times
        asof left join ({closes_sql(store, symbol, first, last)}) as trades
        on liquidation_times.asked >= trades.traded order by number
    """
    price = store.connection.sql(sql).to_arrow_table()["price"].to_numpy()
    store.connection.unregister("liquidation_times")
    return np.where(np.isnan(price), otherwise, price)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
