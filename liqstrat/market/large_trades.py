"""Large trades by SQL: those of each interval that a `LargeRule` chooses."""

import numpy as np
import pyarrow as pa

from liqstrat.liquidation.contract import Contract
from liqstrat.liquidation.grid import Ints, bin_of
from liqstrat.liquidation.large import LargeRule, LargeTrades
from liqstrat.market.store import Store

_NUMBERED = """
    select number, price::double as price, quantity::double as contracts, side = 'buy' as buy, agg_trade_id as id,
           quantity::double * {worth} as notional
    from ({trades}) as trades asof join interval_ends on epoch_us(trades.timestamp) < interval_ends.ends
"""
_CHOSEN = {
    "value": "select * from ({rows}) where notional >= {amount!r}",
    "top": """
        select * from ({rows})
        qualify row_number() over (partition by number order by notional desc, id) <= {amount!r}
    """,
    "portion": """
        select * from ({rows})
        qualify sum(notional) over (partition by number order by notional desc, id rows unbounded preceding) - notional
              < {amount!r} * sum(notional) over (partition by number)
    """,
}


def large_trades(
    store: Store, trades: str, ends_us: Ints, rule: LargeRule, width: float, contract: Contract
) -> list[LargeTrades]:
    """The large ones among `trades` (SQL), for each of the intervals that end at `ends_us` (microseconds).

    The same as `LargeRule.chosen` says of an interval's trades in order.
    """
    worth = "price::double" if contract.size is None else repr(contract.size)
    store.connection.register("interval_ends", pa.table({"ends": ends_us, "number": np.arange(len(ends_us))}))
    chosen = _CHOSEN[rule.by].format(rows=_NUMBERED.format(trades=trades, worth=worth), amount=rule.amount)
    table = store.connection.sql(f"select number, price, contracts, buy from ({chosen}) order by number, id")
    rows = table.to_arrow_table()
    store.connection.unregister("interval_ends")
    bins, contracts = bin_of(rows["price"].to_numpy(), width), rows["contracts"].to_numpy()
    buy = np.asarray(rows["buy"], dtype=np.bool_)
    bounds = np.searchsorted(rows["number"].to_numpy(), np.arange(len(ends_us) + 1))
    parts = [slice(first, stop) for first, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
    return [LargeTrades(bins[part], buy[part], contracts[part]) for part in parts]
