"""The exchange's end of the wire, for what happens there by itself: exits that come with an entry, and entries that
expire. Nothing here takes time: it was ordered with what was sent before."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from nautilus_trader.model import ClientOrderId, OrderSide, Price, Quantity

from liqstrat.backtest.costs.fills import MarketFills
from liqstrat.backtest.entries import Side
from liqstrat.backtest.prints import Prints
from liqstrat.backtest.records import tags_of


class Desk:
    """Exits of one position; see `exits.Exchange`.

    submit, modify: hand an order, or a change of one, to the engine now. price: tells the last price, USDT.
    """

    def __init__(
        self,
        side: Side,
        strategy: Any,
        prints: Prints,
        fills: MarketFills,
        submit: Callable[[Any], None],
        modify: Callable[..., None],
    ) -> None:
        self._up, self._side = (1, OrderSide.SELL) if side == "long" else (-1, OrderSide.BUY)
        self._strategy, self._prints, self._fills = strategy, prints, fills
        self._submit, self._modify = submit, modify
        #: Of minute bars, the close of the one in which a waiting entry was filled.
        self.filled_in: int | None = None

    def order(self, order_id: ClientOrderId) -> Any:
        """An order the engine has; None for one it has not."""
        return self._strategy.cache.order(order_id)

    def place_stop(self, steps: int, price: float) -> ClientOrderId | None:
        """Place a stop; where price is beyond it, leave at the price at which it would have been met."""
        met = self._met_already(price)
        factory, tags = self._strategy.order_factory, tags_of("stop", price)
        name, quantity = self._strategy.instrument_id, self._contracts(steps)
        if met is None:
            stop = factory.stop_market(name, self._side, quantity, self._price(price), reduce_only=True, tags=tags)
            self._submit(stop)
            return stop.client_order_id  # type: ignore[no-any-return]
        order = factory.market(name, self._side, quantity, reduce_only=True, tags=tags)
        self._fills.start[str(order.client_order_id)] = met
        self._submit(order)
        return None

    def place_target(self, steps: int, price: float) -> ClientOrderId:
        """Place a limit; where price has run through it already, it is filled at its price, as if it had rested."""
        order = self._strategy.order_factory.limit(
            self._strategy.instrument_id,
            self._side,
            self._contracts(steps),
            self._price(price),
            reduce_only=True,
            tags=tags_of("target", price),
        )
        if self._up * self._strategy.price > self._up * price:
            self._fills.taken_over[str(order.client_order_id)] = order.price.as_double()
        self._submit(order)
        return order.client_order_id  # type: ignore[no-any-return]

    def change(self, order_id: ClientOrderId, steps: int, trigger: float | None = None) -> None:
        """Set what is left of an order, and a stop's price, where they differ."""
        order = self.order(order_id)
        if order is None or order.is_closed:
            return
        quantity = self._contracts(steps)
        wanted = None if order.leaves_qty == quantity else self._quantity(order.filled_qty.as_decimal(), quantity)
        price = None if trigger is None or order.trigger_price == self._price(trigger) else self._price(trigger)
        if wanted is not None or price is not None:
            self._modify(order_id, quantity=wanted, trigger_price=price)

    def _met_already(self, stop: float) -> float | None:
        """The price at which a stop that is only placed now has been met since the entry; None where it has not."""
        last = self._strategy.price
        ended, self.filled_in = self.filled_in, None
        if ended is not None:
            # The minute came to the entry first: that lies between its open and the stop.
            low, high = self._prints.range_of(ended)
            if (low if self._up > 0 else -high) <= self._up * stop:
                return self._prints.met_at(ended, stop, buy=self._up < 0)
        return float(last) if self._up * last <= self._up * stop else None

    def _contracts(self, steps: int) -> Quantity:
        instrument = self._strategy.cache.instrument(self._strategy.instrument_id)
        made: Quantity = instrument.make_qty(instrument.size_increment.as_decimal() * steps)
        return made

    def _quantity(self, filled: Decimal, left: Quantity) -> Quantity:
        instrument = self._strategy.cache.instrument(self._strategy.instrument_id)
        made: Quantity = instrument.make_qty(filled + left.as_decimal())
        return made

    def _price(self, price: float) -> Price:
        made: Price = self._strategy.cache.instrument(self._strategy.instrument_id).make_price(price)
        return made
