"""What the exchange and the market charge for a fill.

Nautilus fills at the last price, whatever the size, and lets a node have no fill model of our own; a fee model it may.
So what an order pays for depth is charged with the commission and remembered apart in `ExchangeFees.impact`, from which
results restate the price of each fill. Balance and equity are at every moment as if it had been filled there.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from nautilus_trader.common import DataActor
from nautilus_trader.execution import FeeModel
from nautilus_trader.model import LiquiditySide, Money, OrderSide, Price, Quantity

from liqstrat.backtest.costs.depth import RecentDepth
from liqstrat.backtest.failure import Failures, guarded
from liqstrat.catalog.instruments import QUOTE

#: Marks the orders that close a liquidated account.
LIQUIDATION_TAG = "role=liquidation"

_SMALLEST = Decimal("1e-8")


class ExchangeFees(FeeModel):
    """Maker or taker rate of a fill's notional, plus what a taker pays for depth; USDT.

    Limit orders that rest pay for no depth: they fill at their price when the market trades at or through it, by no
    more than what traded. A limit order that takes pays at most its limit.

    impact: for each client order id what depth cost each of its fills, in order, USDT. Subtract it from the commission
    to get the exchange's fee; add impact / contracts to the engine's price of a buy, subtract it from that of a sell.

    host: an actor of the run, which knows the time.

    clearance_rate: what the exchange takes on top from liquidated positions; set by `AccountLiquidator`.

    liquidated_at: by symbol the price inside a bar at which the liquidation began, in place of the engine's.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "ExchangeFees":
        return super().__new__(cls)

    def __init__(self, maker: Decimal, taker: Decimal, depth: RecentDepth | None, failures: Failures) -> None:
        self.maker = maker
        self.taker = taker
        self.failures = failures
        self.host: DataActor | None = None
        self.on_fill: Callable[[], None] = lambda: None
        self.impact: dict[str, list[Decimal]] = {}
        self.clearance_rate = Decimal(0)
        self.liquidated_at: dict[str, Decimal] = {}
        self._depth = depth
        self._begun: dict[str, tuple[Decimal, Decimal]] = {}

    def get_commission(self, order: Any, fill_quantity: Quantity, fill_px: Price, instrument: Any) -> Money:
        # An error here would end the whole process, without a word and with status 0.
        return self._charge(order, fill_quantity, fill_px, instrument) or Money.zero(QUOTE)

    def shutdown_system(self, reason: str | None = None) -> None:
        """End the run; called when charging has failed."""
        if self.host is not None:
            self.host.shutdown_system(reason)

    @guarded
    def _charge(self, order: Any, fill_quantity: Quantity, fill_px: Price, instrument: Any) -> Money:
        self.on_fill()
        contracts, price = fill_quantity.as_decimal(), fill_px.as_decimal()
        sign = 1 if order.side == OrderSide.BUY else -1
        takes = order.liquidity_side != LiquiditySide.MAKER
        impact = self._impact(order, sign, contracts, price, instrument) if takes else Decimal(0)
        self.impact.setdefault(str(order.client_order_id), []).append(impact)
        rate = self.taker if takes else self.maker
        if _liquidates(order):
            rate += self.clearance_rate
        return Money.from_decimal((contracts * price + sign * impact) * rate + impact, QUOTE)

    def _impact(self, order: Any, sign: int, contracts: Decimal, price: Decimal, instrument: Any) -> Decimal:
        """What the walk through the book costs beyond the engine's price.

        The engine's price is a tick worse where an order is more than the last trade's size: not charged twice.
        """
        symbol = str(instrument.raw_symbol)
        filled, start = self._begin(order, contracts, price)
        inside = self.liquidated_at.get(symbol) if _liquidates(order) else None
        slippage = Decimal(0)
        if self._depth is not None:
            assert self.host is not None, "the venue's actors are not all part of the run"
            now, tick = self.host.clock.timestamp_ns(), float(instrument.price_increment)
            slippage = Decimal(self._depth.slippage(symbol, now, float(filled), float(contracts), tick))
        paid = (start if inside is None else inside) + sign * slippage
        if getattr(order, "has_price", False):
            limit = order.price.as_decimal()
            paid = min(paid, limit) if sign > 0 else max(paid, limit)
        impact = (sign * (paid - price) * contracts).quantize(_SMALLEST)
        return impact if inside is not None else max(impact, Decimal(0))

    def _begin(self, order: Any, contracts: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
        """What has been filled of the order before, and the engine's price of its first fill."""
        name = str(order.client_order_id)
        filled, start = self._begun.pop(name, (Decimal(0), price))
        if filled + contracts < order.quantity.as_decimal():
            self._begun[name] = (filled + contracts, start)
        return filled, start


def _liquidates(order: Any) -> bool:
    return LIQUIDATION_TAG in (order.tags or [])
