"""The levels of a replay, brought up to date when open interest becomes known.

What happens at one moment has an order: first all market data stamped with it, then the open interest of that moment,
which ends the levels' interval, then alerts by their names, which begin with a digit: orders arrive at the exchange
(0), then strategies decide (5).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId, DataType, InstrumentId

from liqstrat.backtest.failure import Failures, guarded
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.interval import Tape
from liqstrat.catalog.open_interest import OpenInterest
from liqstrat.liquidation.grid import Floats, Ints


@dataclass(frozen=True, eq=False)
class OpenInterestSeries:
    """Open interest of one instrument: `times` of the values (nanoseconds, ascending) and `contracts`.

    known: when each became known, where that was later than its time. own: which are values of their time, where the
    others are carried on (`liqstrat.market.carried`).
    """

    instrument_id: InstrumentId
    times: Ints
    contracts: Floats
    known: Ints | None = None
    own: npt.NDArray[np.bool_] | None = None

    def rows(self) -> Iterator[tuple[int, float, int]]:
        """The time of each value, the value, and when it became known."""
        known = self.times if self.known is None else self.known
        return zip(self.times.tolist(), self.contracts.tolist(), known.tolist(), strict=True)


def open_interest_type(instrument_id: InstrumentId) -> DataType:
    """What to subscribe to for open interest: `strategy.subscribe_data(open_interest_type(instrument_id))`."""
    return DataType(OpenInterest.__name__, identifier=str(instrument_id))


class Timed(Protocol):
    """What asks for the time: `now` is to be set when there is a clock."""

    now: Callable[[], int]


class LevelsKeeper(DataActor):
    """Feeds the one indicator of a symbol, which all strategies on it read.

    tape: what the levels read by themselves.
    on_step: if any, called with the levels after each value of open interest.
    listeners: called after that, to tell strategies of a new map.
    behind: tells the levels of open interest where nobody else is to hear of it.
    """

    def __new__(cls, *_: Any) -> Self:
        return super().__new__(cls)

    def __init__(
        self,
        instrument_id: InstrumentId,
        levels: LiquidationLevels,
        tape: Tape,
        on_step: Callable[[LiquidationLevels], None] | None,
        failures: Failures,
        behind: Timed | None = None,
    ) -> None:
        super().__init__(_config(f"LevelsKeeper-{instrument_id.symbol}"))
        self._instrument_id, self.levels, self._tape = instrument_id, levels, tape
        self._on_step, self.failures, self._behind = on_step, failures, behind
        self.listeners: list[Callable[[], None]] = []

    @guarded
    def on_start(self) -> None:
        if self._behind is None:
            self.subscribe_data(open_interest_type(self._instrument_id))
        (self._behind or self._tape).now = self.clock.timestamp_ns

    @guarded
    def on_data(self, data: Any) -> None:
        # Open interest comes after all market data of its moment.
        self.levels.settle(data.ts_init)
        self.levels.handle_open_interest(data.data.contracts, data.ts_event)
        if self._on_step is not None:
            self._on_step(self.levels)
        for tell in self.listeners:
            tell()


def _config(name: str) -> DataActorConfig:
    return DataActorConfig(actor_id=ActorId(name), log_events=False, log_commands=False)
