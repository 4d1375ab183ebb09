"""An exchange on loopback that speaks Binance's messages, out of simulated markets, with faults on demand.

`python -m tests.live.exchange FOLDER --speed 20 --faults cut=60,duplicates` prints its port and plays the markets.
"""

import asyncio
import csv
import io
import json
import random
import sys
import time
import zipfile
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from aiohttp import WSCloseCode, web

_LIMIT = 1000
_TICK_SECONDS = 0.02
_HELD_EVERY = 8.0
_TRADE = '"e": "aggTrade"'
_MALFORMED = '{"stream":', "[]", '{"data":{"e":"aggTrade","a":"x"}}', '{"data":{"e":5}}', ""
_MALFORMED_FIRST, _MALFORMED_EVERY = 10, 100


@dataclass
class Faults:
    """What goes wrong. cut: each so many seconds the streams are cut, and frames are lost for `lost` seconds.

    silent: so many connections accept and bring nothing. ban: each so many-th request is answered 429, every other time
    418. forgotten: trades up to this id cannot be had any more. held: trades of so many seconds of each eight come
    together when they are over; all else goes on meanwhile. unsettled: a settled rate can be had so many seconds of the
    market later.
    """

    cut: float = 0.0
    lost: float = 0.5
    silent: int = 0
    ban: int = 0
    forgotten: int = 0
    duplicates: bool = False
    reordered: bool = False
    malformed: bool = False
    skew_ms: int = 0
    held: float = 0.0
    unsettled: float = 0.0

    def holds(self, seconds: float) -> bool:
        """Whether trades are held back, so long after the begin."""
        return seconds % _HELD_EVERY < self.held

    @classmethod
    def parse(cls, text: str) -> "Faults":
        found: dict[str, Any] = {}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            kind = type(getattr(cls(), name))
            found[name] = True if kind is bool else kind(float(value))
        return cls(**found)


def _rows(folder: Path, symbol: str, kind: str) -> Iterator[dict[str, str]]:
    for path in sorted(folder.rglob(f"{symbol}-{kind}-*.zip")):
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0]).decode()
        yield from csv.DictReader(io.StringIO(text))


@dataclass
class History:
    """Everything of one symbol, in order of time (ms)."""

    symbol: str
    trades: list[dict[str, Any]]
    liquidations: list[dict[str, Any]]
    interest: list[dict[str, Any]]
    funding: list[dict[str, Any]]
    candles: list[list[Any]]
    trade_times: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, symbol: str) -> "History":
        trades = [
            {
                "a": int(row["agg_trade_id"]), "p": row["price"], "q": row["quantity"], "f": int(row["first_trade_id"]),
                "l": int(row["last_trade_id"]), "T": int(row["transact_time"]), "m": row["is_buyer_maker"] == "true",
            }
            for row in _rows(folder, symbol, "aggTrades")
        ]  # fmt: skip
        liquidations = [
            {
                "s": symbol, "S": row["side"], "o": row["order_type"], "f": row["time_in_force"],
                "q": row["original_quantity"], "p": row["price"], "ap": row["average_price"], "X": row["order_status"],
                "l": row["last_fill_quantity"], "z": row["accumulated_fill_quantity"], "T": int(row["time"]),
            }
            for row in _rows(folder, symbol, "liquidationSnapshot")
        ]  # fmt: skip
        interest = [
            {
                "symbol": symbol, "sumOpenInterest": row["sum_open_interest"],
                "sumOpenInterestValue": row["sum_open_interest_value"],
                "timestamp": int(datetime.fromisoformat(row["create_time"]).replace(tzinfo=UTC).timestamp() * 1000),
            }
            for row in _rows(folder, symbol, "metrics")
        ]  # fmt: skip
        funding = [
            {"symbol": symbol, "fundingTime": int(row["calc_time"]), "fundingRate": row["last_funding_rate"]}
            for row in _rows(folder, symbol, "fundingRate")
        ]
        integers = ("open_time", "close_time", "count")
        candles = [
            [int(value) if key in integers else value for key, value in row.items()]
            for row in _rows(folder, symbol, "1m")
        ]
        return cls(
            symbol, trades, liquidations, interest, funding, candles, trade_times=[trade["T"] for trade in trades]
        )


class Exchange:
    """Plays histories `speed` times as fast as they were, from `start_ms` on."""

    def __init__(
        self, histories: list[History], start_ms: int, speed: float, faults: Faults, sent: Path | None = None
    ) -> None:
        self.histories = {one.symbol: one for one in histories}
        self.faults = faults
        self._sent = sent.open("w") if sent else None
        self._start_ms, self._speed, self._begin = start_ms, speed, time.monotonic()
        self._rng = random.Random(1)
        self._requests = 0
        self._brought = 0
        self._bans = 0
        self._connections = 0

    @property
    def now_ms(self) -> int:
        """The exchange's clock."""
        return self._start_ms + int((time.monotonic() - self._begin) * 1000 * self._speed)

    def app(self) -> web.Application:
        app = web.Application()
        listed = {*self.histories, "ETHUSDT"}
        symbols = [{"symbol": name, "contractType": "PERPETUAL"} for name in sorted(listed)]
        app.router.add_get("/fapi/v1/time", lambda _: self._answer({"serverTime": self.now_ms + self.faults.skew_ms}))
        app.router.add_get("/fapi/v1/exchangeInfo", lambda _: self._answer({"symbols": symbols}))
        app.router.add_get("/fapi/v1/aggTrades", self._agg_trades)
        app.router.add_get("/fapi/v1/openInterest", self._open_interest)
        app.router.add_get(
            "/futures/data/openInterestHist", lambda r: self._since(r, self._history(r).interest, "timestamp")
        )
        app.router.add_get("/fapi/v1/fundingRate", lambda r: self._since(r, self._settled(r), "fundingTime"))
        app.router.add_get("/fapi/v1/klines", lambda r: self._since(r, self._history(r).candles, 0))
        app.router.add_get("/market/stream", self._stream)
        return app

    def _history(self, request: web.Request) -> History:
        return self.histories[request.query["symbol"]]

    def _settled(self, request: web.Request) -> list[dict[str, Any]]:
        until = self.now_ms - self.faults.unsettled * 1000
        return [entry for entry in self._history(request).funding if entry["fundingTime"] <= until]

    # -- REST ----------------------------------------------------------------------------------------------------------

    async def _answer(self, body: Any, status: int = 200) -> web.Response:
        self._requests += 1
        if self.faults.ban and self._requests % self.faults.ban == 0:
            self._bans += 1
            return web.json_response(
                {"code": -1003, "msg": "Too many requests"},
                status=429 if self._bans % 2 else 418,
                headers={"Retry-After": "1"},
            )
        return web.json_response(body, status=status, headers={"X-MBX-USED-WEIGHT-1M": "20"})

    async def _agg_trades(self, request: web.Request) -> web.Response:
        first, history = int(request.query["fromId"]), self._history(request)
        if first <= self.faults.forgotten:
            return await self._answer({"code": -4144, "msg": "Invalid fromId."}, 400)
        known = bisect_left(history.trade_times, self.now_ms)
        at = max(first - history.trades[0]["a"], 0)
        return await self._answer(history.trades[at : min(at + int(request.query["limit"]), known)])

    async def _open_interest(self, request: web.Request) -> web.Response:
        history = self._history(request)
        known = [entry for entry in history.interest if entry["timestamp"] <= self.now_ms]
        body = {"symbol": history.symbol, "openInterest": known[-1]["sumOpenInterest"], "time": self.now_ms}
        return await self._answer(body)

    async def _since(self, request: web.Request, entries: list[Any], key: Any) -> web.Response:
        begin, limit = int(request.query["startTime"]), int(request.query["limit"])
        return await self._answer([one for one in entries if begin <= one[key] <= self.now_ms][:limit])

    # -- streams -------------------------------------------------------------------------------------------------------

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._connections += 1
        if self._connections <= self.faults.silent:
            await socket.receive()
            return socket
        names = request.query["streams"].split("/")
        opened, since = time.monotonic(), self.now_ms
        held: list[str] = []
        while not socket.closed:
            await asyncio.sleep(_TICK_SECONDS)
            if self.faults.cut and time.monotonic() - opened > self.faults.cut:
                await socket.close(code=WSCloseCode.GOING_AWAY)
                await asyncio.sleep(self.faults.lost)
                break
            until = self.now_ms
            frames = self._spoiled(names, since, until)
            since = until
            if self.faults.holds(time.monotonic() - self._begin):
                held += [frame for frame in frames if _TRADE in frame]
                frames = [frame for frame in frames if _TRADE not in frame]
            else:
                frames, held = [*held, *frames], []
            try:
                for frame in frames:
                    self._note(frame)
                    await socket.send_str(frame)
            except ConnectionError:
                break
        return socket

    def _note(self, frame: str) -> None:
        """When a trade was sent, where that is wanted."""
        if self._sent and _TRADE in frame:
            self._sent.write(f"{json.loads(frame)['data']['a']} {time.time()}\n")
            self._sent.flush()

    def _spoiled(self, names: list[str], begin: int, end: int) -> list[str]:
        """Frames of all markets, with what goes wrong on the way."""
        frames = [frame for history in self.histories.values() for frame in _frames(history, names, begin, end)]
        texts = [json.dumps({"stream": name, "data": data}) for name, data in frames]
        if self.faults.duplicates:
            texts = [text for text in texts for _ in range(1 + (self._rng.random() < 0.1))]
        if self.faults.reordered and self._rng.random() < 0.3:
            self._rng.shuffle(texts)
        # Counted, not drawn: a slow machine, where little is brought, meets it as well.
        if self.faults.malformed and self._brought % _MALFORMED_EVERY == _MALFORMED_FIRST:
            texts.append(_MALFORMED[self._brought // _MALFORMED_EVERY % len(_MALFORMED)])
        self._brought += 1
        return texts


def _frames(history: History, names: list[str], begin: int, end: int) -> list[tuple[str, dict[str, Any]]]:
    """What the streams of a market bring of `[begin, end)`, milliseconds."""
    symbol, frames = history.symbol, []
    lower = symbol.lower()
    first, last = (bisect_left(history.trade_times, at) for at in (begin, end))
    if f"{lower}@aggTrade" in names:
        for trade in history.trades[first:last]:
            frames.append((f"{lower}@aggTrade", {"e": "aggTrade", "E": trade["T"] + 5, "s": symbol, **trade}))
    if f"{lower}@forceOrder" in names or "!forceOrder@arr" in names:
        for order in history.liquidations:
            if begin <= order["T"] < end:
                frames.append((f"{lower}@forceOrder", {"e": "forceOrder", "E": order["T"] + 5, "o": order}))
    if f"{lower}@markPrice@1s" in names:
        for at in range((begin + 999) // 1000 * 1000, end, 1000):
            price = history.trades[max(bisect_left(history.trade_times, at) - 1, 0)]["p"]
            mark = {"e": "markPriceUpdate", "E": at, "s": symbol, "p": price, "i": price, "P": price,
                    "r": "0.00010000", "T": at // 28_800_000 * 28_800_000 + 28_800_000}  # fmt: skip
            frames.append((f"{lower}@markPrice@1s", mark))
    return frames


def main(
    folder: Path,
    symbols: str = "BTCUSDT",
    start: Annotated[str, typer.Option(help="Where in the market to begin.")] = "2024-03-01T06:00",
    speed: float = 1.0,
    faults: str = "",
    port: int = 0,
    sent: Annotated[Path | None, typer.Option(help="Note here when which trade is sent.")] = None,
) -> None:
    """Serve until killed; the first line has the port."""
    start_ms = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp() * 1000)
    histories = [History.read(folder, symbol) for symbol in symbols.split(",")]
    exchange = Exchange(histories, start_ms, speed, Faults.parse(faults), sent)

    async def serve() -> None:
        runner = web.AppRunner(exchange.app())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    sys.exit(typer.run(main))
