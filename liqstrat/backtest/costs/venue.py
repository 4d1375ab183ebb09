"""The simulated exchange of a run: account, fees, fills, and what watches over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from nautilus_trader.backtest import BacktestEngine
from nautilus_trader.model import AccountType, Currency, Money, OmsType

from liqstrat.backtest.costs.depth import RecentDepth
from liqstrat.backtest.costs.fees import ExchangeFees
from liqstrat.backtest.costs.fills import MarketFills
from liqstrat.backtest.costs.liquidator import AccountLiquidator
from liqstrat.backtest.failure import Failures
from liqstrat.backtest.prints import Prints
from liqstrat.catalog.instruments import VENUE, money_of
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.config import VenueSettings
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import BracketTable, brackets_for
from liqstrat.moments import MILLISECOND_NS


@dataclass(frozen=True)
class SimulatedVenue:
    """The exchange's parts. `fees` and `fills` need an actor of the run as their `host`; `liquidator`, an actor itself,
    is None where the run switched it off. depth: of the market, whether or not orders pay for it. money: the account's.
    """

    settings: VenueSettings
    fees: ExchangeFees
    fills: MarketFills
    depth: RecentDepth
    liquidator: AccountLiquidator | None
    money: Currency

    @property
    def latency_ns(self) -> int:
        """How long a command is on its way, nanoseconds."""
        return self.settings.latency_ms * MILLISECOND_NS

    def add_to(self, engine: BacktestEngine) -> None:
        """One margin account, one net position for each strategy and instrument.

        Latency is `wire.Wire`'s, as the engine looks at orders on their way only when the next event comes, and
        liquidation `AccountLiquidator`'s, as the engine's own sees only quotes.
        """
        engine.add_venue(
            VENUE,
            OmsType.NETTING,
            AccountType.MARGIN,
            [Money.from_decimal(self.settings.balance, self.money)],
            default_leverage=Decimal(self.settings.leverage),
            fill_model=self.fills,
            fee_model=self.fees,
            # Of a bar's high and low, the one nearer to its open is first: else longs would meet their targets first.
            bar_adaptive_high_low_ordering=True,
        )


def simulated_venue(
    settings: VenueSettings,
    minutes: Mapping[str, MinuteBars],
    prints: Mapping[str, Prints],
    start: datetime,
    failures: Failures,
    *,
    on_bars: bool,
    brackets: Mapping[str, Sequence[BracketTable]] = MappingProxyType({}),
    ahead: bool = True,
) -> SimulatedVenue:
    """The exchange for the symbols of `minutes`, which hold the run's range and, for depth, some time before it.

    `on_bars`: the run replays minute bars, not trades. `brackets`: by symbol, besides those shipped. `ahead`: whether
    `minutes` reach to the run's end already. Raises
    `LiqstratError` where the leverage is more than the exchange allowed for a symbol at `start`.
    """
    for symbol in minutes:
        check_leverage(settings, symbol, start, brackets.get(symbol, ()))
    depth = RecentDepth(minutes, settings.depth_share)
    paid_depth = depth if settings.depth else None
    fills = MarketFills(paid_depth, settings.touch_share, prints, failures)
    fees = ExchangeFees(settings.maker_fee, settings.taker_fee, failures, fills.spared)
    liquidator = None
    if settings.liquidation:
        liquidator = AccountLiquidator(
            minutes, fees, paid_depth, failures, on_bars=on_bars, brackets=brackets, ahead=ahead
        )
        fills.no_worse = liquidator.no_worse_than_bankrupt
    return SimulatedVenue(settings, fees, fills, depth, liquidator, money_of(next(iter(minutes))))


def check_leverage(settings: VenueSettings, symbol: str, at: datetime, loaded: Sequence[BracketTable] = ()) -> None:
    """Raise `LiqstratError` where the leverage is more than the exchange allowed for small positions in it."""
    highest = int(brackets_for(symbol, at, loaded).max_leverage[0])
    if settings.leverage > highest:
        raise LiqstratError(
            f"venue.leverage is {settings.leverage}, {symbol} allowed at most {highest} on {at:%Y-%m-%d}"
        )
