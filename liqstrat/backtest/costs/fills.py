"""At which prices and in which parts an order is filled.

The engine says which order meets the market; here is the book that it then walks:

- An order that takes (market, a stop that was triggered, a limit beyond the market) starts at the print that it met and
  eats through a book as deep as recent trading (`depth`), in up to ten parts.
- A limit order that rests is filled in full at its price when the market trades through it, and at its price by a
  stated share of what prints there (`touch_share`): the rest of the queue was there before.
- A liquidated position is taken over at one price, which the liquidator sets.
"""

from collections.abc import Callable, Mapping
from math import floor
from typing import Any

from nautilus_trader.common import DataActor
from nautilus_trader.execution import FillModel
from nautilus_trader.model import BookOrder, BookType, LiquiditySide, OrderBook, OrderSide, Price, Quantity

from liqstrat.backtest.costs.depth import RecentDepth
from liqstrat.backtest.failure import Failures, guarded
from liqstrat.backtest.prints import Prints

#: Parts in which an order that takes is filled at most.
MOST_PARTS = 10

_Level = tuple[float, int]


class MarketFills(FillModel):
    """The book that each order of a run finds.

    depth: None where orders fill at the print they meet, whatever their size.
    prints: by symbol. host: an actor of the run, which knows the time.
    start: by client order id, the price of the print that an order waited for. taken_over: the one price of orders that
    pay no depth: a liquidation's, and targets that price ran through before they were placed. Both are set by whoever
    sends the order.
    no_worse: the least that an order gets so that the account does not end below zero, see `AccountLiquidator`; its
    arguments are symbol, price and contracts (sells: negative). spared: ids of orders that got it; no fee is left of
    those.
    """

    def __new__(cls, *_: Any) -> "MarketFills":
        return super().__new__(cls)

    def __init__(
        self, depth: RecentDepth | None, touch_share: float, prints: Mapping[str, Prints], failures: Failures
    ) -> None:
        self.depth = depth
        self.prints = prints
        self.failures = failures
        self.host: DataActor | None = None
        self.start: dict[str, float] = {}
        self.taken_over: dict[str, float] = {}
        self.no_worse: Callable[[str, float, float], float | None] = lambda symbol, price, contracts: None
        self.spared: set[str] = set()
        self._touch_share = touch_share
        self._touched: tuple[str, int, float] = ("", 0, 0.0)
        self._used = 0

    def is_limit_filled(self) -> bool:
        """Of a resting order that is touched; by how much is decided with the book."""
        return True

    def is_slipped(self) -> bool:
        """Slippage is in the book."""
        return False

    def fill_limit_inside_spread(self) -> bool:
        """There is no spread: orders are held against the last price."""
        return False

    def get_orderbook_for_fill_simulation(
        self, instrument: Any, order: Any, best_bid: Price | None = None, best_ask: Price | None = None
    ) -> OrderBook | None:
        # An error here would end the whole process, without a word and with status 0.
        return self._book(instrument, order, best_bid, best_ask)

    def shutdown_system(self, reason: str | None = None) -> None:
        """End the run; called when filling has failed."""
        if self.host is not None:
            self.host.shutdown_system(reason)

    @guarded
    def _book(self, instrument: Any, order: Any, bid: Price | None, ask: Price | None) -> OrderBook | None:
        last = bid if bid is not None else ask
        if last is None:
            return None
        order_id, step = str(order.client_order_id), instrument.size_increment.as_double()
        wanted = round(order.leaves_qty.as_double() / step)
        if order_id in self.taken_over:
            levels = [(self.taken_over[order_id], wanted)]
        elif getattr(order, "has_price", False):
            levels = self._limit(instrument, order, last.as_double(), wanted)
        else:
            levels = self._walk(instrument, order, self._met(instrument, order, last.as_double()), wanted)
            levels = self._spare(instrument, order, levels)
        return _book_of(instrument, order, levels)

    def _met(self, instrument: Any, order: Any, last: float) -> float:
        """The price of the print that an order without a limit meets."""
        if (price := self.start.pop(str(order.client_order_id), None)) is not None:
            return price
        if getattr(order, "has_trigger_price", False):
            trigger, buy = order.trigger_price.as_double(), order.side == OrderSide.BUY
            met = self.prints[str(instrument.raw_symbol)].met_at(self._now(), trigger, buy=buy)
            if met is not None:
                return met
        return last

    def _limit(self, instrument: Any, order: Any, last: float, wanted: int) -> list[_Level]:
        limit, worse = order.price.as_double(), 1 if order.side == OrderSide.BUY else -1
        if order.liquidity_side == LiquiditySide.MAKER:
            if worse * (last - limit) < 0:
                return [(limit, wanted)]
            return [(limit, min(self._touch(instrument, limit), wanted))]
        start = self.start.pop(str(order.client_order_id), last)
        within = [one for one in self._walk(instrument, order, start, wanted) if worse * (one[0] - limit) <= 0]
        return within or [(limit, min(self._touch(instrument, limit), wanted))]

    def _touch(self, instrument: Any, price: float) -> int:
        """Steps that orders resting at `price` get of what prints there now: each print is given away once."""
        symbol, now = str(instrument.raw_symbol), self._now()
        if self._touched != (symbol, now, price):
            self._touched, self._used = (symbol, now, price), 0
        printed = self.prints[symbol].printed(now, price)
        there = floor(self._touch_share * printed / float(instrument.size_increment) + 1e-9)
        given = max(there - self._used, 0)
        self._used = there
        return given

    def _walk(self, instrument: Any, order: Any, start: float, wanted: int) -> list[_Level]:
        """Levels from `start` on: each part pays what the middle of its way through the book costs."""
        if self.depth is None:
            return [(start, wanted)]
        symbol, now, worse = str(instrument.raw_symbol), self._now(), 1 if order.side == OrderSide.BUY else -1
        tick, step = instrument.price_increment.as_double(), instrument.size_increment.as_double()
        parts = min(MOST_PARTS, wanted)
        levels: list[_Level] = []
        filled = 0
        for number in range(1, parts + 1):
            part = wanted * number // parts - filled
            slippage = self.depth.slippage(symbol, now, filled * step, part * step, tick)
            # To whole ticks, half of one up: parts that pay less than a tick more than the last join it.
            price = start + worse * max(floor(slippage / tick + 0.5), 1) * tick
            levels.append((price, part))
            filled += part
        return levels

    def _spare(self, instrument: Any, order: Any, levels: list[_Level]) -> list[_Level]:
        """The levels, or one at the price at which the account has nothing left."""
        sign = 1 if order.side == OrderSide.BUY else -1
        steps = sum(part for _, part in levels)
        if not steps:
            return levels
        mean = sum(price * part for price, part in levels) / steps
        contracts = sign * steps * instrument.size_increment.as_double()
        price = self.no_worse(str(instrument.raw_symbol), mean, contracts)
        if price is None:
            return levels
        self.spared.add(str(order.client_order_id))
        return [(price, steps)]

    def _now(self) -> int:
        assert self.host is not None, "the host is not part of the run"
        return self.host.clock.timestamp_ns()


def _book_of(instrument: Any, order: Any, levels: list[_Level]) -> OrderBook:
    """The engine's book of these levels; from one without any it fills nothing."""
    buy = order.side == OrderSide.BUY
    book = OrderBook(instrument.id, BookType.L2_MBP)
    merged: dict[Price, int] = {}
    for price, steps in levels:
        rounded = instrument.make_price(price)
        merged[rounded] = merged.get(rounded, 0) + steps
    step = instrument.size_increment.as_decimal()
    for number, (at, steps) in enumerate(merged.items(), 1):
        size = Quantity.from_decimal(step * steps) if steps else _too_fine(instrument)
        book.add(BookOrder(OrderSide.SELL if buy else OrderSide.BUY, at, size, number), 0, number, 0)
    return book


def _too_fine(instrument: Any) -> Quantity:
    """A quantity below what the instrument can tell. The engine passes over a level of it, but takes none as given;
    for a book without levels it would take its own, and fill whatever the last print's size was."""
    return Quantity.from_str(f"{10.0 ** -(instrument.size_precision + 1):.{instrument.size_precision + 1}f}")
