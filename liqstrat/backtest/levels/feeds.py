"""Actors that bring open interest, and the levels it makes known, into a replay in time order.

A backtest node replays trades, bars and funding rates, but no data of our own; so open interest comes from clock
alerts. What happens at one moment has an order: first all market data stamped with it, then alerts by their names.
Names therefore begin with a digit: open interest (1) is published and ends the levels' interval, then strategies (5)
decide knowing it.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from nautilus_trader.common import DataActor, DataActorConfig, TimeEvent
from nautilus_trader.model import ActorId, CustomData, DataType, InstrumentId

from liqstrat.backtest.failure import Failures, guarded
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.minute_tape import MinuteTape
from liqstrat.backtest.levels.tape import TapeInterval
from liqstrat.catalog.open_interest import OpenInterest
from liqstrat.liquidation.grid import Floats, Ints


@dataclass(frozen=True, eq=False)
class OpenInterestSeries:
    """Open interest of one instrument: `times` when it became known (nanoseconds, ascending) and `contracts`."""

    instrument_id: InstrumentId
    times: Ints
    contracts: Floats


def open_interest_type(instrument_id: InstrumentId) -> DataType:
    """What to subscribe to for open interest: `strategy.subscribe_data(open_interest_type(instrument_id))`."""
    return DataType(OpenInterest.__name__, identifier=str(instrument_id))


class OpenInterestFeed(DataActor):
    """Publishes each value of a series when it becomes known; values of before the start are left out.

    One alert is set at a time, so years of values cost no memory in the clock.
    """

    def __new__(cls, *_: Any) -> Self:
        return super().__new__(cls)

    def __init__(self, series: OpenInterestSeries, failures: Failures) -> None:
        symbol = series.instrument_id.symbol
        super().__init__(_config(f"OpenInterestFeed-{symbol}"))
        self.failures = failures
        self._times, self._contracts = series.times.tolist(), series.contracts.tolist()
        self._alert = f"1-open-interest-{symbol}"
        self._instrument_id, self._type = series.instrument_id, open_interest_type(series.instrument_id)
        self._next = 0

    @guarded
    def on_start(self) -> None:
        self._next = bisect_left(self._times, self.clock.timestamp_ns())
        self._set_alert()

    @guarded
    def _publish(self, event: TimeEvent) -> None:
        known, contracts = self._times[self._next], self._contracts[self._next]
        # The decorator of custom data adds times to the fields, which type checkers do not see.
        make: Any = OpenInterest
        item = make(instrument_id=self._instrument_id, contracts=contracts, ts_event=known, ts_init=known)
        self._next += 1
        self._set_alert()
        self.publish_data(self._type, CustomData(self._type, item))

    def _set_alert(self) -> None:
        if self._next < len(self._times):
            self.clock.set_time_alert_ns(self._alert, self._times[self._next], self._publish)


class LevelsKeeper(DataActor):
    """Feeds the one indicator of a symbol, which all strategies on it read.

    tape: what the levels read by themselves.
    on_step: called with the levels after each value of open interest.
    """

    def __new__(cls, *_: Any) -> Self:
        return super().__new__(cls)

    def __init__(
        self,
        instrument_id: InstrumentId,
        levels: LiquidationLevels,
        tape: TapeInterval | MinuteTape,
        on_step: Callable[[LiquidationLevels], None],
        failures: Failures,
    ) -> None:
        super().__init__(_config(f"LevelsKeeper-{instrument_id.symbol}"))
        self._instrument_id, self.levels, self._tape = instrument_id, levels, tape
        self._on_step, self.failures = on_step, failures

    @guarded
    def on_start(self) -> None:
        self.subscribe_data(open_interest_type(self._instrument_id))
        self._tape.now = self.clock.timestamp_ns

    @guarded
    def on_data(self, data: Any) -> None:
        # Alerts come after all market data of their moment.
        self.levels.settle(self.clock.timestamp_ns())
        self.levels.handle_open_interest(data.data.contracts, data.ts_event)
        self._on_step(self.levels)


def _config(name: str) -> DataActorConfig:
    return DataActorConfig(actor_id=ActorId(name), log_events=False, log_commands=False)
