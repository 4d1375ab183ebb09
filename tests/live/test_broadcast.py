"""Websockets get a snapshot, then what changes; who does not take it is told and cut, and nobody waits."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from liqstrat.liquidation.settings import ModelSettings
from liqstrat.live.broadcast import MOST_WAITING, TOO_SLOW, UNKNOWN, Broadcaster
from liqstrat.serve.start import serve_besides
from liqstrat.serve.watched import Watched


class Source:
    """A map of numbers that go up."""

    def __init__(self) -> None:
        self.broadcaster, self.seq = Broadcaster(), 0
        self.broadcaster.offer("map", "BTCUSDT", lambda: {"type": "map", "seq": self.seq})

    def change(self, ballast: str = "") -> None:
        self.seq += 1
        self.broadcaster.map_message("BTCUSDT", {"type": "gone", "seq": self.seq, "ballast": ballast})


@asynccontextmanager
async def served(source: Source, folder: Path, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Pages and websockets in the same loop, as a watch serves them; the address of websockets."""
    said: asyncio.Queue[str] = asyncio.Queue()
    work = asyncio.create_task(
        serve_besides(
            (folder / "catalog", folder / "results", folder / "configs"),
            host,
            0,
            said.put_nowait,
            Watched(source.broadcaster.app, ["BTCUSDT"], folder / "catalog" / "market.duckdb", ModelSettings()),
        )
    )
    try:
        address = await asyncio.wait_for(said.get(), 60)
        yield address.replace("http://", "ws://").replace("0.0.0.0", "127.0.0.1")
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(180):
            await test()

    asyncio.run(limited())


async def message(socket: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await socket.recv())
    return found


def test_a_snapshot_first_then_what_changes_without_a_gap(tmp_path: Path) -> None:
    source = Source()

    async def test() -> None:
        async with served(source, tmp_path) as address:
            source.change()
            async with connect(f"{address}ws/map/BTCUSDT") as one:
                assert await message(one) == {"type": "map", "seq": 1}
                for _ in range(20):
                    source.change()
                async with connect(f"{address}ws/map/BTCUSDT") as other:
                    source.change()
                    assert await message(other) in ({"type": "map", "seq": 21}, {"type": "map", "seq": 22})
                    assert source.broadcaster.clients == 2
                    assert [(await message(one))["seq"] for _ in range(21)] == list(range(2, 23))
            while source.broadcaster.clients:
                await asyncio.sleep(0.01)

    run(test)


def test_a_slow_client_is_told_and_cut_and_others_do_not_wait(tmp_path: Path) -> None:
    source = Source()

    async def test() -> None:
        # One message at a time is read ahead, and the system keeps little: the rest waits at the server.
        async with (
            served(source, tmp_path) as address,
            connect(f"{address}ws/map/BTCUSDT", max_queue=1, compression=None) as slow,
            connect(f"{address}ws/map/BTCUSDT", max_queue=4096) as quick,
        ):
            await message(slow)
            assert (await message(quick))["seq"] == 0
            taken: list[int] = []
            taking = asyncio.create_task(take_up_to(quick, 4 * MOST_WAITING, taken))
            for _ in range(4 * MOST_WAITING):
                source.change("x" * 20_000)
                # The quick one is as quick as this machine.
                while len(taken) < source.seq - MOST_WAITING // 4:
                    await asyncio.sleep(0)
            await taking
            assert taken == list(range(1, 4 * MOST_WAITING + 1))
            left = [one async for one in until_closed(slow)]
            assert source.broadcaster.cut == 1
            assert len(left) < 2 * MOST_WAITING
            # Told, where it takes up again in time; its connection is closed at any rate.
            if left[-1]["type"] == "cut":
                assert "come again" in left[-1]["reason"]
                assert slow.close_code == TOO_SLOW

    run(test)


async def until_closed(socket: Any) -> AsyncIterator[dict[str, Any]]:
    with suppress(ConnectionClosed):
        while True:
            yield await message(socket)


async def take_up_to(socket: Any, last: int, taken: list[int]) -> None:
    while not taken or taken[-1] < last:
        taken.append((await message(socket))["seq"])


def test_what_is_not_watched_is_refused_with_the_nearest_right_name(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(Source(), tmp_path) as address, connect(f"{address}ws/map/BTCUSD") as socket:
            told = await message(socket)
            assert told["reason"] == '"map/BTCUSD" is not watched (did you mean "BTCUSDT"?); there are BTCUSDT'
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == UNKNOWN

    run(test)


def test_pages_of_other_sites_and_strangers_hear_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQSTRAT_TOKEN", "a-token-of-enough-letters")

    async def refused(address: str, **options: Any) -> None:
        with pytest.raises(InvalidStatus) as found:
            async with connect(address, **options):
                pass
        assert found.value.response.status_code == 403

    async def test() -> None:
        async with served(Source(), tmp_path) as address:
            await refused(f"{address}ws/map/BTCUSDT", origin="http://elsewhere.example")
        async with served(Source(), tmp_path, "0.0.0.0") as address:
            address, _, token = address.partition("?token=")
            await refused(f"{address}ws/map/BTCUSDT")
            headers = {"Authorization": f"Bearer {token}"}
            async with connect(f"{address}ws/map/BTCUSDT", additional_headers=headers) as socket:
                assert (await message(socket))["type"] == "map"

    run(test)
