"""Messages that are not what they say they are: they are told, recorded nowhere, and end nothing."""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from liqstrat.live import market as module
from liqstrat.live import recorder as recorder_module
from liqstrat.live.gaps import Gaps
from liqstrat.live.listener import Listener
from liqstrat.live.market import Market
from liqstrat.live.rest import AnswerError, Rest
from tests.live.conftest import SYMBOL
from tests.live.loopback import answering

BEGIN = 1_709_373_600_000
TRADE = {"e": "aggTrade", "E": BEGIN, "s": SYMBOL, "a": 7, "p": "60000.0", "q": "0.5", "f": 1, "l": 1, "T": BEGIN,
         "m": False}  # fmt: skip
ORDER = {"s": SYMBOL, "S": "SELL", "o": "LIMIT", "q": "1", "p": "60000", "ap": "60000", "X": "FILLED", "T": BEGIN}
FORCED = {"e": "forceOrder", "E": BEGIN, "o": ORDER}
MARK = {"e": "markPriceUpdate", "E": BEGIN, "s": SYMBOL, "p": "60000.0", "r": "0.0001", "T": BEGIN}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**12, 10**19) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


class Told(Listener):
    """What a watch makes of what it is told, in numbers."""

    def __init__(self) -> None:
        self.interest: list[float] = []
        self.trades_told: list[int] = []

    def trades(self, symbol: str, trades: Any) -> None:
        self.trades_told += [int(one["a"]) for one in trades]

    def open_interest(self, symbol: str, entries: Any) -> None:
        self.interest += [float(one["sumOpenInterest"]) for one in entries]


Work = Callable[[Market, list[str], Told], Coroutine[Any, Any, None]]


def with_market(folder: Path, answers: dict[str, list[Any]], work: Work) -> None:
    """Do something with a market whose exchange gives those answers by path, one after the other, the last for ever."""

    async def answer(request: web.Request) -> web.Response:
        left = answers[request.path]
        return web.json_response(left.pop(0) if len(left) > 1 else left[0])

    async def run() -> None:
        said, told = list[str](), Told()
        async with answering("GET", answer) as at, aiohttp.ClientSession() as session:
            rest, gaps = Rest(session, f"http://{at}", said.append), Gaps(folder, said.append)
            market = Market(SYMBOL, folder, rest, gaps, said.append, told)
            try:
                await work(market, said, told)
            finally:
                market.close()

    asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_frame_ends_a_recording(data: st.DataObject) -> None:
    frame = json.loads(json.dumps(data.draw(st.sampled_from([TRADE, FORCED, MARK]))))
    place = data.draw(st.sampled_from([frame, frame["o"]])) if "o" in frame else frame
    for key in data.draw(st.lists(st.sampled_from(sorted(set(place) - {"e"})), max_size=2, unique=True)):
        if data.draw(st.booleans()):
            place.pop(key)
        else:
            place[key] = data.draw(JSON)

    async def work(market: Market, said: list[str], told: Told) -> None:
        assert market.take(frame) in (True, False)
        assert market.take({**TRADE, "a": 8}), "what comes after it is recorded"

    with tempfile.TemporaryDirectory() as folder:
        with_market(Path(folder), {}, work)


def interest(minute: int, contracts: Any = "80000.5") -> dict[str, Any]:
    return {"symbol": SYMBOL, "sumOpenInterest": contracts, "timestamp": BEGIN + minute * 60_000}


@pytest.mark.parametrize("wrong", [None, [], {}, "x", interest(0, None), interest(0, "1e5"), interest(0, "-1")])
def test_an_answer_with_something_else_in_it_is_asked_for_again(tmp_path: Path, wrong: Any) -> None:
    path = "/futures/data/openInterestHist"

    async def work(market: Market, said: list[str], told: Told) -> None:
        with pytest.raises(AnswerError, match="openInterestHist: answers something else: "):
            await market.polls.ask_interest_history(BEGIN)
        assert told.interest == []
        await market.polls.ask_interest_history(BEGIN)
        assert told.interest == [80000.5] * 2

    with_market(tmp_path, {path: [[interest(0), wrong], [interest(0), interest(5)], []]}, work)


def test_trades_that_the_exchange_does_not_have_yet_are_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_YET_SECONDS", 0.01)
    between = [{key: value for key, value in TRADE.items() if key != "E"} | {"a": number} for number in (8, 9)]
    answers = {"/fapi/v1/aggTrades": [[], [], between]}

    async def work(market: Market, said: list[str], told: Told) -> None:
        market.take(TRADE)
        market.take({**TRADE, "a": 10})
        filling = asyncio.create_task(market.fill_gaps())
        async with asyncio.timeout(60):
            while market.behind:
                await asyncio.sleep(0.01)
            assert told.trades_told == [7, 8, 9, 10]
            assert said == []
            # These it never has.
            answers["/fapi/v1/aggTrades"] = [[]]
            market.take({**TRADE, "a": 12})
            while market.behind:
                await asyncio.sleep(0.01)
        filling.cancel()
        assert told.trades_told == [7, 8, 9, 10, 12]
        assert ["1 trades from" in text for text in said] == [True]

    with_market(tmp_path, answers, work)


def test_this_computer_s_clock_is_held_against_the_exchange_s_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_CLOCK_EVERY_SECONDS", 0.05)
    said, ahead, asked = list[str](), [0, 0, 0, 90, 90.2], list[str]()

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        if len(asked) == 1:
            # What was asked for before the rest was over would make the clock seem to be off by half of it.
            return web.json_response({}, status=429, headers={"Retry-After": "3"})
        if request.path == "/fapi/v1/exchangeInfo":
            return web.json_response({"symbols": [{"symbol": SYMBOL}]})
        late = ahead.pop(0) if len(ahead) > 1 else ahead[0]
        return web.json_response({"serverTime": round((time.time() - late) * 1000)})

    async def run() -> None:
        async with answering("GET", answer) as at:
            settings = recorder_module.Settings([SYMBOL], tmp_path, rest_url=f"http://{at}", stream_url=f"ws://{at}")
            recorder = recorder_module.Recorder(settings, said.append)
            recording = asyncio.create_task(recorder._run(lambda _: None))
            async with asyncio.timeout(60):
                while len(ahead) > 1 or recorder.connection.skew_ms < 90_000:
                    await asyncio.sleep(0.02)
            recording.cancel()
            with suppress(asyncio.CancelledError):
                await recording

    asyncio.run(run())
    clocks = [text for text in said if "clock" in text]
    assert clocks == [clocks[0]], "told when it has been set, and once"
    assert "90.0 s ahead of the exchange's" in clocks[0]
