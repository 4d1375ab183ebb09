"""Trades that come when their interval is over, or their time has been worked, are counted, and told."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from liqstrat.backtest.levels.interval import Trades
from liqstrat.catalog.build import build_catalog
from liqstrat.catalog.minutes import read_minutes
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.signals import SignalRules
from liqstrat.live.begin import begin
from liqstrat.live.gaps import Gaps
from liqstrat.live.levels import LiveLevels
from liqstrat.live.listener import Listener
from liqstrat.live.market import Market
from liqstrat.live.minutes import GrowingMinutes
from liqstrat.live.paper_stream import PaperStream
from liqstrat.live.rest import Rest
from liqstrat.live.session import Moved
from liqstrat.live.tail import Tail
from liqstrat.market.store import open_store
from liqstrat.moments import nanoseconds
from tests.live.conftest import SYMBOL, cut_off

START = datetime(2024, 3, 2, 10, tzinfo=UTC)
START_MS = round(START.timestamp() * 1000)
NOTHING = Trades(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.bool_))


def trade(number: int, second: float) -> dict[str, Any]:
    return {"e": "aggTrade", "E": START_MS + round(second * 1000), "s": SYMBOL, "a": number, "p": "60000.0", "q": "0.5",
            "f": number, "l": number, "T": START_MS + round(second * 1000), "m": False}  # fmt: skip


class Reader:
    """Reads a recording that is written meanwhile, as a session on paper does."""

    def __init__(self, folder: Path, database: Path) -> None:
        self.folder, self.noted = folder, list[Moved]()
        with open_store(database) as store:
            report = build_catalog(store, SYMBOL, folder / "nautilus", START - timedelta(hours=1), START)
        self.instrument = report.instrument
        self.before = read_minutes(folder / "nautilus", SYMBOL, START - timedelta(hours=1), START)
        (folder / SYMBOL).mkdir()

    def record(self, *trades: dict[str, Any]) -> None:
        with (self.folder / SYMBOL / f"{SYMBOL}-aggTrades-{START.date()}.jsonl").open("a") as file:
            file.write("".join(json.dumps(one) + "\n" for one in trades))

    def stream(self, taken: tuple[int, int] | None = None) -> PaperStream:
        tail = Tail(self.folder, SYMBOL, "aggTrades", START_MS)
        minutes, start = GrowingMinutes(self.before), nanoseconds(START)
        return PaperStream(SYMBOL, self.instrument, NOTHING, 0, tail, minutes, start, lambda: False, taken=taken,
                           moved=self.noted, move=self.noted.append)  # fmt: skip


def at(second: float) -> int:
    return nanoseconds(START) + round(second * 1e9)


def times(stream: PaperStream, until: float) -> list[float]:
    return [(one.ts_init - at(0)) / 1e9 for one in stream.take(at(until))]


def test_a_trade_that_comes_when_its_time_has_been_worked_counts_from_then_on(
    simulated_database: Path, tmp_path: Path
) -> None:
    reader = Reader(tmp_path, simulated_database)
    reader.record(trade(1, 1.0), trade(2, 2.0))
    stream = reader.stream()
    stream.read()
    assert times(stream, 5.0) == [1.0, 2.0]
    assert (stream.taken_id, stream.late) == (2, 0)
    reader.record(trade(3, 3.0), trade(4, 4.5), trade(5, 6.0))
    stream.read()
    assert times(stream, 7.0) == [5.0, 5.0, 6.0]
    assert stream.late == 2
    assert reader.noted == [Moved(3, 4, at(5.0))]
    # All again after a kill, in one piece: the same trades count from the same time.
    again = reader.stream(taken=(at(7.0), 5))
    again.read()
    assert times(again, 7.0) == [1.0, 2.0, 5.0, 5.0, 6.0]
    assert (again.late, reader.noted) == (2, [Moved(3, 4, at(5.0))])


def test_a_trade_that_came_between_a_kill_and_the_restart_is_late_too(simulated_database: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path, simulated_database)
    reader.record(trade(1, 1.0), trade(2, 2.0))
    # The session had worked up to second 5 when it was killed, and had had the first trade only.
    stream = reader.stream(taken=(at(5.0), 1))
    stream.read()
    assert times(stream, 5.0) == [1.0]
    assert times(stream, 6.0) == [5.0]
    assert reader.noted == [Moved(2, 2, at(5.0))]


class Asking(Listener):
    """Asks a market, whenever trades are told, whether all is here."""

    def __init__(self) -> None:
        self.market: Market | None = None
        self.answers: list[bool] = []

    def trades(self, symbol: str, trades: Any) -> None:
        assert self.market is not None
        self.answers.append(self.market.is_complete)


def test_a_recorder_counts_late_trades_and_is_not_complete_while_it_writes(tmp_path: Path) -> None:
    async def recorded() -> tuple[Market, Asking]:
        async with aiohttp.ClientSession() as session:
            listener, said = Asking(), list[str]()
            rest, gaps = Rest(session, "http://127.0.0.1:9", said.append), Gaps(tmp_path, said.append)
            market = listener.market = Market(SYMBOL, tmp_path, rest, gaps, said.append, listener)
            market.take(trade(1, 1.0))
            assert market.is_complete
            market.take(trade(4, 301.0))
            assert not market.is_complete, "two are missing"
            market.state.open_interest = START_MS + 300_000
            market.take(trade(2, 299.0))
            market.take(trade(3, 300.0))
            return market, listener

    market, listener = asyncio.run(recorded())
    assert market.state.late == 1
    assert market.is_complete
    assert listener.answers == [False] * 3, "another thread could take what is being written for complete"
    market.close()


@pytest.mark.parametrize("second", [299.0, 301.0])
def test_a_watch_counts_trades_whose_interval_it_has_closed(
    simulated_database: Path, tmp_path: Path, second: float
) -> None:
    with open_store(cut_off(simulated_database, tmp_path / "cut.duckdb", START)) as store:
        live = LiveLevels(begin(store, SYMBOL, ModelSettings(bin_width=0.001), timedelta(days=14), SignalRules()))
    live.take_trades([trade(10**9, 10.0)])
    live.clock_ms = START_MS + 320_000
    live.take_open_interest([{"timestamp": START_MS + 300_000, "sumOpenInterest": str(live.levels.open_interest)}])
    assert live.step(complete=True) >= 1
    live.take_trades([trade(10**9 + 1, second)])
    assert live.late == (second < 300)
