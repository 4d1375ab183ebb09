"""What the exchange charges for a fill."""

from collections.abc import Callable, Set
from decimal import Decimal
from typing import Any

from nautilus_trader.common import DataActor
from nautilus_trader.execution import FeeModel
from nautilus_trader.model import LiquiditySide, Money, Price, Quantity

from liqstrat.backtest.failure import Failures, guarded

#: Marks the orders that close a liquidated account.
LIQUIDATION_TAG = "role=liquidation"

#: Share of the liquidated notional that the exchange takes at most for itself: `liquidationFee` of BTCUSDT.
CLEARANCE_RATE = Decimal("0.0125")

_SMALLEST = Decimal("1e-8")


class ExchangeFees(FeeModel):
    """Maker or taker rate of a fill's notional, USDT; of a liquidation what is left, up to `CLEARANCE_RATE` on top.

    host: an actor of the run. on_fill: called before each fill changes the account.
    left: what a liquidated account has left (USDT), set by `AccountLiquidator`: no more can be charged.
    spared: ids of orders that used up the account, of which nothing can be charged; see `MarketFills`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "ExchangeFees":
        return super().__new__(cls)

    def __init__(self, maker: Decimal, taker: Decimal, failures: Failures, spared: Set[str] = frozenset()) -> None:
        self.maker = maker
        self.taker = taker
        self.failures = failures
        self.host: DataActor | None = None
        self.on_fill: Callable[[], None] = lambda: None
        self.left = Decimal(0)
        self._spared = spared

    def get_commission(self, order: Any, fill_quantity: Quantity, fill_px: Price, instrument: Any) -> Money:
        # An error here would end the whole process, without a word and with status 0.
        return self._charge(order, fill_quantity, fill_px, instrument) or Money.zero(instrument.quote_currency)

    def shutdown_system(self, reason: str | None = None) -> None:
        """End the run; called when charging has failed."""
        if self.host is not None:
            self.host.shutdown_system(reason)

    @guarded
    def _charge(self, order: Any, fill_quantity: Quantity, fill_px: Price, instrument: Any) -> Money:
        self.on_fill()
        fee = self._fee(order, fill_quantity.as_decimal() * fill_px.as_decimal())
        return Money.from_decimal(fee, instrument.quote_currency)

    def _fee(self, order: Any, notional: Decimal) -> Decimal:
        if LIQUIDATION_TAG in (order.tags or []):
            fee = min(notional * (self.taker + CLEARANCE_RATE), self.left).quantize(_SMALLEST)
            self.left -= fee
            return fee
        if str(order.client_order_id) in self._spared:
            return Decimal(0)
        return notional * (self.maker if order.liquidity_side == LiquiditySide.MAKER else self.taker)
