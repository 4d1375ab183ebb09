"""The exits of one position at the exchange: a stop for all of it, and targets for shares of it.

An order that may only reduce is sized by the exchange (here: the engine) to what the position holds whenever that
changes, and canceled when nothing is left. That is right for the stop at any time, and for targets as long as there is
one, or a second one that takes all the rest. So targets rest there one after the other, nearest first, the last two
together; and whenever the position has changed, their parts are set to what they should be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from nautilus_trader.model import ClientOrderId

from liqstrat.backtest.entries import Plan, in_steps


class Exchange(Protocol):
    """Orders of one position that are at the exchange already: nothing is on its way."""

    def order(self, order_id: ClientOrderId) -> Any:
        """An order the engine has; None for one it has not."""

    def place_stop(self, steps: int, price: float) -> ClientOrderId | None:
        """Place a stop; None where price is beyond it, so that the position has been left at once."""

    def place_target(self, steps: int, price: float) -> ClientOrderId:
        """Place a limit."""

    def change(self, order_id: ClientOrderId, steps: int, trigger: float | None = None) -> None:
        """Set what is left of an order, and a stop's price, where they differ."""


@dataclass(eq=False)
class _Target:
    price: float
    share: float
    left: int = 0
    order_id: ClientOrderId | None = None
    seen: int = 0


class Exits:
    """Keeps them in step with the position; `step` is the exchange's, of contracts.

    stop: the price that the stop is to have. placed: orders that came with the entry, the stop's and the target's.
    """

    def __init__(
        self, plan: Plan, step: Decimal, exchange: Exchange, placed: Sequence[ClientOrderId | None] = (None, None)
    ) -> None:
        self.side = plan.side
        self.stop = plan.stop
        self._step, self._exchange = step, exchange
        self._stop_id = placed[0]
        self._targets = [_Target(price, share) for price, share in plan.targets]
        self._rest = max(1.0 - sum(share for _, share in plan.targets), 0.0)
        self._rest_steps = 0
        self._one_of_all = placed[1] is not None
        #: Whether a part of the position has left by one of these.
        self.begun = False

    def look(self, held: int) -> None:
        """Place and change what `held` steps of the position ask for; none ask for nothing."""
        self._note_fills()
        if not held:
            return
        if not self._hold_the_stop(held) or self._one_of_all:
            return
        self._share_out(held)
        waiting = [target for target in self._targets if target.left]
        together = 2 if len(waiting) == 2 and self._rest_of(held) == 0 else 1
        for target in waiting[:together]:
            if target.order_id is None:
                target.order_id = self._exchange.place_target(target.left, target.price)
            else:
                self._exchange.change(target.order_id, target.left)

    def _hold_the_stop(self, held: int) -> bool:
        if self._stop_id is None or self._is_over(self._stop_id):
            self._stop_id = self._exchange.place_stop(held, self.stop)
            return self._stop_id is not None
        self._exchange.change(self._stop_id, held, self.stop)
        return True

    def _share_out(self, held: int) -> None:
        """What each target is to close: by share until one has filled, by what is left of each from then on."""
        left = [target.left for target in self._targets]
        if self.begun and sum(left) + self._rest_steps != held:
            *parts, self._rest_steps = in_steps(held, [*left, self._rest_steps or (0 if any(left) else 1)])
        elif not self.begun:
            *parts, self._rest_steps = in_steps(held, [*(target.share for target in self._targets), self._rest])
        else:
            return
        for target, part in zip(self._targets, parts, strict=True):
            target.left = part

    def _rest_of(self, held: int) -> int:
        return held - sum(target.left for target in self._targets)

    def _note_fills(self) -> None:
        for target in self._targets:
            order = None if target.order_id is None else self._exchange.order(target.order_id)
            if order is None:
                continue
            filled = round(order.filled_qty.as_decimal() / self._step)
            if filled > target.seen:
                self.begun = True
                target.left = max(target.left - (filled - target.seen), 0)
                target.seen = filled
            if order.is_closed:
                target.order_id, target.seen = None, 0

    def _is_over(self, order_id: ClientOrderId) -> bool:
        order = self._exchange.order(order_id)
        return order is not None and bool(order.is_closed)
