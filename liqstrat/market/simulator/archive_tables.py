"""The rows of the archive's files, in its columns and number formats, from a simulated day."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from liqstrat.market.simulator.archive_writer import decimals
from liqstrat.market.simulator.market import DayLog, Measure
from liqstrat.market.simulator.positions import Exit, Floats, Ints
from liqstrat.market.simulator.price import DAY_MS
from liqstrat.market.simulator.settings import Listing
from liqstrat.market.simulator.tape import Trades

_MINUTE_MS = 60_000
#: Premium at which demand is for longs only; usual interest and how far it dampens the premium (the exchange's).
_PREMIUM, _INTEREST, _DAMPING, _CAP = 0.01, 0.0001, 0.0005, 0.0075


def aggregated_trades(trades: Trades, listing: Listing, first_id: int, first_single: int) -> pa.Table:
    last_single = first_single - 1 + np.cumsum(trades.singles)
    return pa.table(
        {
            "agg_trade_id": first_id + np.arange(len(trades)),
            "price": decimals(trades.ticks, listing.price_decimals),
            "quantity": decimals(trades.lots, listing.quantity_decimals),
            "first_trade_id": last_single - trades.singles + 1,
            "last_trade_id": last_single,
            "transact_time": trades.times_ms,
            "is_buyer_maker": ~trades.buy,
        }
    )


def klines(trades: Trades, listing: Listing, day_ms: int, previous_close: int) -> pa.Table:
    """1-minute candles; a minute without trades repeats the last price, as in the archive."""
    minutes = np.arange(DAY_MS // _MINUTE_MS)
    first = np.searchsorted(trades.times_ms, day_ms + minutes * _MINUTE_MS)
    last = np.append(first[1:], len(trades)) - 1
    some = last >= first

    def per_minute(ufunc: np.ufunc, values: Ints) -> Ints:
        result = np.zeros(len(minutes), dtype=np.int64)
        result[some] = ufunc.reduceat(values, first[some])
        return result

    ticks, lots, bought = trades.ticks, trades.lots, trades.lots * trades.buy
    closes = np.concatenate(([previous_close], ticks))[last + 1]
    prices = {
        "open": np.where(some, ticks[np.minimum(first, len(ticks) - 1)], closes),
        "high": np.where(some, per_minute(np.maximum, ticks), closes),
        "low": np.where(some, per_minute(np.minimum, ticks), closes),
        "close": closes,
    }
    volume_digits, value_digits = listing.quantity_decimals, listing.price_decimals + listing.quantity_decimals
    opens = day_ms + minutes * _MINUTE_MS
    return pa.table(
        {
            "open_time": opens,
            **{name: decimals(values, listing.price_decimals) for name, values in prices.items()},
            "volume": decimals(per_minute(np.add, lots), volume_digits),
            "close_time": opens + _MINUTE_MS - 1,
            "quote_volume": decimals(per_minute(np.add, ticks * lots), value_digits),
            "count": per_minute(np.add, trades.singles),
            "taker_buy_volume": decimals(per_minute(np.add, bought), volume_digits),
            "taker_buy_quote_volume": decimals(per_minute(np.add, ticks * bought), value_digits),
            "ignore": np.zeros(len(minutes), dtype=np.int64),
        }
    )


def metrics(
    measures: Sequence[Measure], symbol: str, listing: Listing, taker_ratios: Sequence[float | None]
) -> pa.Table:
    """Open interest at each `create_time`, as of the trades before it; `taker_ratios` are of five minutes before."""
    lots, ticks = (np.array(values) for values in zip(*((m.lots, m.ticks) for m in measures), strict=True))
    eight = 10 ** (8 - listing.quantity_decimals)
    value_digits = listing.price_decimals + listing.quantity_decimals
    ratios = {
        "count_toptrader_long_short_ratio": [m.top_accounts for m in measures],
        "sum_toptrader_long_short_ratio": [m.top_positions for m in measures],
        "count_long_short_ratio": [m.accounts for m in measures],
        "sum_taker_long_short_vol_ratio": taker_ratios,
    }
    return pa.table(
        {
            "create_time": [datetime.fromtimestamp(m.time_ms / 1000, UTC).strftime("%F %T") for m in measures],
            "symbol": [symbol] * len(measures),
            "sum_open_interest": decimals(lots * eight, 8),
            "sum_open_interest_value": decimals(lots * ticks * 10 ** (8 - value_digits), 8),
            **{name: [None if v is None else f"{v:.8f}" for v in values] for name, values in ratios.items()},
        }
    )


def taker_ratios(trades: Trades, times_ms: Sequence[int], span_ms: int = 300_000) -> list[float | None]:
    """Volume that takers bought over what they sold in the `span_ms` before each time; None where unknown."""
    bought, sold = (np.append(0, np.cumsum(trades.lots * side)) for side in (trades.buy, ~trades.buy))
    begin, end = (np.searchsorted(trades.times_ms, np.array(times_ms) - back) for back in (span_ms, 0))
    buys, sells = bought[end] - bought[begin], sold[end] - sold[begin]
    return [float(b / s) if s else None for b, s in zip(buys, sells, strict=True)]


def funding_rates(funding: Sequence[tuple[int, float]], rng: np.random.Generator) -> pa.Table:
    """Rates by the exchange's rule, premium and damped interest; times are a few ms late."""
    rates = []
    for _, leaning in funding:
        premium = _PREMIUM * leaning
        rate = premium + min(max(_INTEREST - premium, -_DAMPING), _DAMPING)
        rates.append(f"{min(max(rate, -_CAP), _CAP):.8f}")
    late = rng.integers(0, 12, len(funding))
    return pa.table(
        {
            "calc_time": [time + int(ms) for (time, _), ms in zip(funding, late, strict=True)],
            "funding_interval_hours": [8] * len(funding),
            "last_funding_rate": rates,
        }
    )


def liquidations(log: DayLog, trades: Trades, listing: Listing) -> pa.Table:
    """Orders that closed liquidated positions; `price` is the bankruptcy price, as in the archive."""
    gone, ends = log.all_closed()
    liquidated = np.flatnonzero(ends["reason"] == Exit.LIQUIDATED)
    liquidated = liquidated[np.argsort(ends["time"][liquidated], kind="stable")]
    gone, ends = gone[liquidated], ends[liquidated]
    side, entry = gone["side"].astype(np.int64), gone["entry"]
    bankrupt = np.rint(entry * (1 - side / gone["leverage"])).astype(np.int64)
    average = _average_ticks(trades, gone["id"])
    lots = decimals(gone["lots"], listing.quantity_decimals)
    count = len(gone)
    return pa.table(
        {
            "time": ends["time"],
            "side": np.where(side > 0, "SELL", "BUY"),
            "order_type": ["LIMIT"] * count,
            "time_in_force": ["IOC"] * count,
            "original_quantity": lots,
            "price": decimals(bankrupt, listing.price_decimals),
            "average_price": decimals(np.rint(average).astype(np.int64), listing.price_decimals),
            "order_status": ["FILLED"] * count,
            "last_fill_quantity": lots,
            "accumulated_fill_quantity": lots,
        }
    )


def _average_ticks(trades: Trades, ids: Ints) -> Floats:
    """Average price of the trades tagged with each of `ids`, all of which are there."""
    tagged = trades.liquidates > 0
    order = np.argsort(ids)
    place = order[np.searchsorted(ids, trades.liquidates[tagged], sorter=order)]
    lots = trades.lots[tagged]
    values = np.bincount(place, weights=lots * trades.ticks[tagged], minlength=len(ids))
    return values / np.bincount(place, weights=lots, minlength=len(ids))
