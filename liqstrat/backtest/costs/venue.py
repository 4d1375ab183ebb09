"""The simulated exchange of a run: account, fees, latency, fills, and what watches over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from nautilus_trader.backtest import BacktestVenueConfig
from nautilus_trader.common import DataActor, TimeEvent
from nautilus_trader.execution import StaticLatencyModel
from nautilus_trader.model import AccountType, OmsType

from liqstrat.backtest.costs.depth import RecentDepth
from liqstrat.backtest.costs.fees import ExchangeFees
from liqstrat.backtest.costs.liquidator import AccountLiquidator
from liqstrat.backtest.failure import Failures
from liqstrat.catalog.instruments import QUOTE, VENUE
from liqstrat.catalog.minutes import MINUTE_NS, MinuteBars
from liqstrat.config import VenueSettings
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import BracketTable, brackets_for

_MILLISECOND_NS = 1_000_000


@dataclass(frozen=True)
class SimulatedVenue:
    """A venue's config and the actors to add to the node. `liquidator` is None where the run switched it off."""

    config: BacktestVenueConfig
    actors: list[DataActor]
    fees: ExchangeFees
    liquidator: AccountLiquidator | None


def simulated_venue(
    settings: VenueSettings,
    minutes: Mapping[str, MinuteBars],
    start: datetime,
    failures: Failures,
    *,
    on_bars: bool,
    brackets: Mapping[str, Sequence[BracketTable]] = MappingProxyType({}),
) -> SimulatedVenue:
    """The exchange for the symbols of `minutes`, which hold the run's range and, for depth, some time before it.

    `on_bars`: the run replays minute bars, not trades. `brackets`: by symbol, besides those shipped. Raises
    `LiqstratError` where the leverage is more than the exchange allowed for a symbol at `start`.
    """
    for symbol in minutes:
        check_leverage(settings, symbol, start, brackets.get(symbol, ()))
    depth = RecentDepth(minutes, settings.depth_share) if settings.depth else None
    fees = ExchangeFees(settings.maker_fee, settings.taker_fee, depth, failures)
    actors: list[DataActor] = [VenueClock(settings, fees, on_bars=on_bars)]
    liquidator = None
    if settings.liquidation:
        liquidator = AccountLiquidator(minutes, fees, failures, on_bars=on_bars, brackets=brackets)
        actors.append(liquidator)
    return SimulatedVenue(venue_config(settings, fees), actors, fees, liquidator)


def venue_config(settings: VenueSettings, fees: ExchangeFees) -> BacktestVenueConfig:
    """One margin account in USDT, one net position for each strategy and instrument.

    Liquidation is `AccountLiquidator`'s, as the engine's own sees only quotes.
    """
    latency_ns = settings.latency_ms * _MILLISECOND_NS
    return BacktestVenueConfig(
        name=str(VENUE),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[f"{settings.balance} {QUOTE.code}"],
        default_leverage=Decimal(settings.leverage),
        fee_model=fees,
        latency_model=StaticLatencyModel(base_latency_nanos=latency_ns) if latency_ns else None,
        # Of a bar's high and low, the one nearer to its open comes first: else longs would meet their targets first.
        bar_adaptive_high_low_ordering=True,
    )


def check_leverage(settings: VenueSettings, symbol: str, at: datetime, loaded: Sequence[BracketTable] = ()) -> None:
    """Raise `LiqstratError` where the leverage is more than the exchange allowed for small positions in it."""
    highest = int(brackets_for(symbol, at, loaded).max_leverage[0])
    if settings.leverage > highest:
        raise LiqstratError(
            f"venue.leverage is {settings.leverage}, {symbol} allowed at most {highest} on {at:%Y-%m-%d}"
        )


class VenueClock(DataActor):
    """Tells the fees the time and, with bars, makes orders arrive when they should.

    The engine looks at orders on their way when the next event comes. With bars that would be a minute later, so an
    event is made one latency after every minute.
    """

    def __new__(cls, *args: object, **kwargs: object) -> "VenueClock":
        return super().__new__(cls)

    def __init__(self, settings: VenueSettings, fees: ExchangeFees, *, on_bars: bool) -> None:
        super().__init__()
        self._fees = fees
        self._arrival_ns = settings.latency_ms * _MILLISECOND_NS if on_bars else 0

    def on_start(self) -> None:
        self._fees.host = self
        if self._arrival_ns:
            minute = self.clock.timestamp_ns() // MINUTE_NS * MINUTE_NS
            self.clock.set_timer_ns(
                "orders-arrive", MINUTE_NS, start_time_ns=minute + self._arrival_ns, callback=self._arrive
            )

    def _arrive(self, event: TimeEvent) -> None:
        """Nothing to do: after every event the engine takes in what has arrived."""
