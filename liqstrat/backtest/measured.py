"""What a replay came to: the figures of `metrics.json`, the account minute by minute, and what a reader must know."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from liqstrat.backtest.account.equity import EquityCurve, equity_curve
from liqstrat.backtest.account.ledger import Ledger
from liqstrat.backtest.account.metrics import as_json, metrics_of
from liqstrat.backtest.account.tearsheet import tearsheet
from liqstrat.backtest.account.trades import courses
from liqstrat.backtest.costs.liquidator import Liquidation
from liqstrat.backtest.levels.tape import last_price
from liqstrat.backtest.replay import Replayed, Trader
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.config import RunFile
from liqstrat.moments import at_ns, nanoseconds

_CENT = 0.01
#: By symbol.
Minutes = Mapping[str, MinuteBars]


def measure(
    run: RunFile,
    minutes: Minutes,
    traders: Sequence[Trader],
    replayed: Replayed,
    last: Mapping[str, float] | None = None,
) -> tuple[dict[str, Any], EquityCurve]:
    """The figures of a replay, as `metrics.json` has them, and its account minute by minute; `last`: prices at the end,
    where they are not those of the catalog."""
    if last is None:
        # Where a run ends with a minute, that has them.
        last = {} if run.end.timestamp() % 60 == 0 else last_prices(run)
    curve = _account(run, minutes, replayed, last)
    return _metrics(run, minutes, traders, replayed, curve, last), curve


def last_prices(run: RunFile) -> dict[str, float]:
    """The last price in the catalog before a run's end, of each symbol that has one."""
    found = {symbol: last_price(run.data.catalog, symbol, run.start, run.end) for symbol in run.symbols}
    return {symbol: price for symbol, price in found.items() if price is not None}


def _account(run: RunFile, minutes: Minutes, replayed: Replayed, last: Mapping[str, float]) -> EquityCurve:
    """The account minute by minute; it must end with the equity that the engine has at the last price it saw."""
    curve = equity_curve(replayed.ledger, run.venue.balance, minutes, run.start, run.end, last)
    if abs(float(curve.equity[-1]) - replayed.equity) > _CENT:
        raise RuntimeError(f"the fills add up to {curve.equity[-1]} {run.quote}, the engine has {replayed.equity}")
    return curve


def _metrics(
    run: RunFile,
    minutes: Minutes,
    traders: Sequence[Trader],
    replayed: Replayed,
    curve: EquityCurve,
    last: Mapping[str, float],
) -> dict[str, Any]:
    whole, by_strategy = _figures(run, minutes, replayed.ledger, curve), {}
    for trader in traders:
        part = replayed.ledger.of(trader.label)
        # Of most runs one strategy did all.
        if part == replayed.ledger:
            by_strategy[trader.label] = whole
            continue
        own = equity_curve(part, run.venue.balance, minutes, run.start, run.end, last)
        by_strategy[trader.label] = _figures(run, minutes, part, own)
    return {
        **whole,
        "account_liquidations": len(replayed.liquidations),
        "insurance": round(sum(event.insurance for event in replayed.liquidations), 8),
        "entries_not_made": dict(sorted(_not_made(replayed).items())),
        "by_strategy": by_strategy,
    }


def _figures(run: RunFile, minutes: Minutes, ledger: Ledger, curve: EquityCurve) -> dict[str, Any]:
    went = courses(ledger, minutes, nanoseconds(run.end))
    return {**as_json(metrics_of(ledger, curve, run.venue.balance)), **tearsheet(ledger, went, curve, minutes)}


def _not_made(replayed: Replayed) -> Counter[str]:
    """How many entries did not happen, by reason."""
    counted: Counter[str] = Counter()
    for order in replayed.ledger.orders:
        if order.role == "entry" and order.reason:
            counted[order.reason.partition(":")[0]] += 1
    for refusal in replayed.ledger.refusals:
        counted[refusal.reason] += refusal.times
    return counted


def notes_on(replayed: Replayed, quote: str) -> list[str]:
    """What a reader must know of a replay: liquidations, entries not made, orders too large, what was still open.

    quote: the currency of the account.
    """
    notes = [_liquidation_note(event, quote) for event in replayed.liquidations]
    if counted := _not_made(replayed):
        told = ", ".join(f"{reason} {count:,}" for reason, count in counted.most_common())
        total = counted.total()
        notes.append(f"{total:,} {'entry was' if total == 1 else 'entries were'} not made: {told}")
    notes += [
        f"{label}: {len(caps)} order(s) of its own were larger than the exchange allows at this leverage, which left "
        f"{min(caps):,.0f} {quote}: on the exchange they would have been refused"
        for label, caps in replayed.ledger.beyond.items()
    ]
    still = [trip for trip in replayed.ledger.trips if trip.closed_ns is None]
    if still:
        notes.append(f"{len(still)} position(s) were open at the end, valued at the last price")
    return notes


def _liquidation_note(event: Liquidation, quote: str) -> str:
    moment = at_ns(event.time_ns)
    at = ", ".join(f"{symbol} at {price:.10g}" for symbol, price in event.prices.items())
    note = (
        f"the account was liquidated on {moment:%Y-%m-%d %H:%M:%S}{f', {at}' if at else ''}; nothing is traded after it"
    )
    if event.insurance:
        note += f"; the market paid {event.insurance:,.2f} {quote} less than that, which is the insurance fund's loss"
    return note
