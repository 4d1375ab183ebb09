"""The way of a strategy's commands to the exchange: how long they take, and what they wait for there.

A command arrives `latency_ns` after it was sent, to the nanosecond, whatever else happens in the market. An order that
takes then waits for the next print: where nobody trades, nothing is filled. The engine itself has no latency and fills
a market order at once, at the last price however old; so orders are handed to it at the moment at which they are met.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nautilus_trader.common import Clock
from nautilus_trader.model import OrderSide, OrderType

from liqstrat.backtest.prints import Print, Prints
from liqstrat.backtest.ticket import CANCELED, NO_PRINT

#: Orders that are filled on arrival.
_TAKERS = (OrderType.MARKET, OrderType.MARKET_TO_LIMIT)


@dataclass(eq=False)
class _Waiting:
    """Orders that the engine does not have yet: their number in the order of sending, and what hands them over."""

    number: int
    order_ids: list[str]
    act: Callable[[], None]


class Wire:
    """Carries the commands of one strategy.

    meet: called with an order's id and the print it meets, before the engine gets it. lose: called with ids and the
    reason when orders end without having been handed over. perform: calls what is due, and keeps its errors.
    """

    def __init__(
        self,
        name: str,
        latency_ns: int,
        prints: Prints,
        *,
        meet: Callable[[str, Print], None],
        lose: Callable[[list[str], str], None],
        perform: Callable[[Callable[[], None]], object],
    ) -> None:
        self._name, self._latency_ns, self._prints = name, latency_ns, prints
        self._meet, self._lose, self._perform = meet, lose, perform
        self._count = 0
        self._number = 0
        self._waiting: list[_Waiting] = []

    @property
    def busy(self) -> bool:
        """Whether orders are under way that the engine does not have yet."""
        return bool(self._waiting)

    def send_orders(
        self, clock: Clock, orders: Sequence[Any], last: Callable[[], float], act: Callable[[], None]
    ) -> None:
        """Let `act` hand `orders` to the engine when they arrive or, where the first of them takes, are met.

        `last` tells the last price at that moment, against which a limit order takes or rests.
        """
        first, ids = orders[0], [str(order.client_order_id) for order in orders]
        now = clock.timestamp_ns()
        self._number += 1
        waiting = _Waiting(self._number, ids, act)
        if first.order_type in _TAKERS:
            self._await_print(clock, waiting, now + self._latency_ns)
        elif first.order_type == OrderType.LIMIT:
            self._waiting.append(waiting)
            self._at(clock, now + self._latency_ns, lambda: self._place(clock, waiting, first, last()))
        else:
            self._waiting.append(waiting)
            self._at(clock, now + self._latency_ns, lambda: self._hand_over(waiting))

    def send(self, clock: Clock, act: Callable[[], None]) -> None:
        """Let `act` happen when a command sent now arrives."""
        self._at(clock, clock.timestamp_ns() + self._latency_ns, act)

    def after(self, clock: Clock, wait_ns: int, act: Callable[[], None]) -> None:
        """Let `act` happen at the exchange by itself, that much later."""
        self._at(clock, clock.timestamp_ns() + wait_ns, act)

    def send_cancel(self, clock: Clock, order_ids: Sequence[str] | None, act: Callable[[], None]) -> None:
        """Take orders back that were sent before, all where no ids are given: here, and by `act` in the engine."""
        sent = self._number

        def arrive() -> None:
            self.drop(order_ids, CANCELED, up_to=sent)
            act()

        self.send(clock, arrive)

    def drop(self, order_ids: Sequence[str] | None, reason: str, up_to: int | None = None) -> None:
        """Forget what waits, all of it where no ids are given, up to a number in the order of sending."""
        for waiting in list(self._waiting):
            named = order_ids is None or waiting.order_ids[0] in order_ids
            if named and (up_to is None or waiting.number <= up_to):
                self._waiting.remove(waiting)
                self._lose(waiting.order_ids, reason)

    def _place(self, clock: Clock, waiting: _Waiting, order: Any, last: float) -> None:
        limit = order.price.as_double()
        takes = last <= limit if order.side == OrderSide.BUY else last >= limit
        if waiting not in self._waiting:
            return
        if takes and not order.is_post_only:
            self._waiting.remove(waiting)
            self._await_print(clock, waiting, clock.timestamp_ns())
        else:
            self._hand_over(waiting)

    def _await_print(self, clock: Clock, waiting: _Waiting, arrival: int) -> None:
        self._waiting.append(waiting)
        # What is stamped with this very moment has happened already.
        met = self._prints.at_or_after(max(arrival, clock.timestamp_ns() + 1))
        if met is None:
            self.drop(waiting.order_ids, NO_PRINT)
            return
        self._at(clock, met.time_ns, lambda: self._hand_over(waiting, met))

    def _hand_over(self, waiting: _Waiting, met: Print | None = None) -> None:
        if waiting not in self._waiting:
            return
        self._waiting.remove(waiting)
        if met is not None:
            self._meet(waiting.order_ids[0], met)
        waiting.act()

    def _at(self, clock: Clock, time_ns: int, act: Callable[[], None]) -> None:
        if time_ns <= clock.timestamp_ns():
            act()
            return
        self._count += 1
        clock.set_time_alert_ns(f"{self._name}-{self._count:09d}", time_ns, lambda event: self._perform(act))
