"""Signals and maps in a real Redis: nothing is lost while it is away, and nothing stands twice."""

import asyncio
import json
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.live.redis_sink import RedisSink, feedback_channel, maps_stream, signals_channel, signals_stream
from tests.live.redis_server import Server

SYMBOL = "BTCUSDT"

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="no Redis on this machine")


def signal(number: int) -> dict[str, Any]:
    moment = f"2024-03-02T10:00:{number // 2:02d}.{500 * (number % 2):03d}000+00:00"
    return {"symbol": SYMBOL, "price": 60_000.5, "side": "long", "timestamp": moment, "signal_id": f"s-{number}"}


def whole(seq: int) -> dict[str, Any]:
    return {"type": "map", "seq": seq, "time": "2024-03-02T10:00:00+00:00"}


def sent(server: Server, sink: RedisSink, count: int, meanwhile: Any = None) -> None:
    async def send() -> None:
        work = asyncio.create_task(sink.run())
        async with asyncio.timeout(120):
            if meanwhile is not None:
                await meanwhile()
            while sink.sent < count:
                await asyncio.sleep(0.01)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    asyncio.run(send())


def entries(server: Server, stream: str) -> list[dict[str, Any]]:
    return [json.loads(fields["json"]) for _, fields in server.client.xrange(stream)]


def test_who_listens_hears_signals_and_what_became_of_them(server: Server, tmp_path: Path) -> None:
    listener = server.client.pubsub(ignore_subscribe_messages=True)
    channels = signals_channel(SYMBOL), feedback_channel(SYMBOL)
    listener.subscribe(*channels)
    while not all(count for _, count in server.client.pubsub_numsub(*channels)):
        time.sleep(0.01)
    sink = RedisSink(server.url, tmp_path / "redis.jsonl", print)
    sink.signal(SYMBOL, signal(1))
    sink.feedback(SYMBOL, {"signal_id": "s-1", "happened": True})
    sent(server, sink, 3)
    heard = {}
    while len(heard) < 2:
        if message := listener.get_message(timeout=5):
            heard[message["channel"]] = json.loads(message["data"])
    listener.close()
    assert heard["liquidation:signals:BTCUSDT"] == signal(1)
    assert heard["liquidation:feedback:BTCUSDT"] == {"signal_id": "s-1", "happened": True}


def test_nothing_is_lost_while_redis_is_killed_and_nothing_stands_twice(server: Server, tmp_path: Path) -> None:
    said: list[str] = []
    sink = RedisSink(server.url, tmp_path / "redis.jsonl", said.append)

    async def trouble() -> None:
        for number in range(40):
            sink.signal(SYMBOL, signal(number))
            if number == 20:
                await asyncio.sleep(0.1)
                server.kill()
            await asyncio.sleep(0.005)
        while not said:
            await asyncio.sleep(0.01)
        server.start()

    sent(server, sink, 80, trouble)
    assert entries(server, signals_stream(SYMBOL)) == [signal(number) for number in range(40)]
    assert len(said) == 2
    assert "cannot be reached" in said[0]
    # A program that begins anew and tells the same once more.
    again = RedisSink(server.url, tmp_path / "redis.jsonl", said.append)
    for number in range(35, 42):
        again.signal(SYMBOL, signal(number))
    sent(server, again, 14)
    assert entries(server, signals_stream(SYMBOL)) == [signal(number) for number in range(42)]


def test_a_consumer_group_takes_over_what_a_dead_consumer_had(server: Server, tmp_path: Path) -> None:
    sink = RedisSink(server.url, tmp_path / "redis.jsonl", print)
    for number in range(6):
        sink.signal(SYMBOL, signal(number))
    sent(server, sink, 12)
    stream, group = signals_stream(SYMBOL), "desk"
    server.client.xgroup_create(stream, group, id="0", mkstream=True)
    ((_, first),) = server.client.xreadgroup(group, "a", {stream: ">"}, count=4)
    server.client.xack(stream, group, first[0][0])
    # "a" dies with three that it has not acknowledged.
    _, claimed, _ = server.client.xautoclaim(stream, group, "b", min_idle_time=0)
    ((_, rest),) = server.client.xreadgroup(group, "b", {stream: ">"})
    done = [json.loads(fields["json"])["signal_id"] for _, fields in [first[0], *claimed, *rest]]
    assert done == [f"s-{number}" for number in range(6)]


def test_maps_that_nobody_can_take_are_dropped_up_to_the_next_whole_one(server: Server, tmp_path: Path) -> None:
    sink = RedisSink(server.url, tmp_path / "redis.jsonl", print)
    sink.map_message(SYMBOL, whole(1))
    for seq in range(2, 3000):
        sink.map_message(SYMBOL, {**whole(seq), "type": "gone"})
    sink.signal(SYMBOL, signal(0))
    sink.map_message(SYMBOL, whole(3000))
    sink.map_message(SYMBOL, {**whole(3001), "type": "gone"})
    sent(server, sink, 5)
    assert [(one["type"], one["seq"]) for one in entries(server, maps_stream(SYMBOL))] == [
        ("map", 1), ("map", 3000), ("gone", 3001),
    ]  # fmt: skip
    assert len(entries(server, signals_stream(SYMBOL))) == 1


@pytest.mark.slow
def test_a_map_whose_answer_is_lost_stands_once(server: Server, tmp_path: Path) -> None:
    """Redis stands still for longer than the sink waits, and then does what it was told meanwhile."""
    said: list[str] = []
    sink = RedisSink(server.url, tmp_path / "redis.jsonl", said.append)

    async def trouble() -> None:
        sink.map_message(SYMBOL, whole(1))
        while not sink.sent:
            await asyncio.sleep(0.01)
        server.pause()
        sink.map_message(SYMBOL, {**whole(2), "type": "gone"})
        while not said:
            await asyncio.sleep(0.01)
        server.go_on()
        sink.map_message(SYMBOL, {**whole(3), "type": "gone"})

    sent(server, sink, 3, trouble)
    assert [one["seq"] for one in entries(server, maps_stream(SYMBOL))] == [1, 2, 3]


def test_signals_that_wait_are_sent_by_the_program_that_begins_anew(server: Server, tmp_path: Path) -> None:
    said: list[str] = []
    sink = RedisSink(server.url, tmp_path / "redis.jsonl", said.append)
    for number in range(3):
        sink.signal(SYMBOL, signal(number))
    sent(server, sink, 6)
    server.kill()
    for number in range(3, 6):
        sink.signal(SYMBOL, signal(number))

    async def ended() -> None:
        work = asyncio.create_task(sink.run())
        while not said:
            await asyncio.sleep(0.01)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    asyncio.run(ended())
    assert "cannot be reached" in said[0]
    assert said[-1].startswith("3 signals wait for Redis at redis://127.0.0.1")
    # Killed while it was writing down the next.
    with (tmp_path / "redis.jsonl").open("a") as file:
        file.write('{"stream": "liq')
    server.start()
    again = RedisSink(server.url, tmp_path / "redis.jsonl", said.append)
    again.signal(SYMBOL, signal(6))
    sent(server, again, 5)
    assert entries(server, signals_stream(SYMBOL)) == [signal(number) for number in range(7)]
    assert (tmp_path / "redis.jsonl").read_bytes() == b""


def test_a_redis_that_takes_nothing_ends_nothing(server: Server, tmp_path: Path) -> None:
    said: list[str] = []
    sink = RedisSink(server.url.replace("//", "//:secret@"), tmp_path / "redis.jsonl", said.append)
    server.client.config_set("maxmemory", "1")
    sink.signal(SYMBOL, signal(1))

    async def room() -> None:
        # A password that it does not know, then no memory left, then an entry of a later time, as of another market.
        server.client.config_set("requirepass", "secret")
        while not said:
            await asyncio.sleep(0.01)
        server.client.config_set("maxmemory", "0")
        server.client.xadd(signals_stream(SYMBOL), {"json": "{}"}, id="9999999999999-7")

    sent(server, sink, 2, room)
    assert len(said) == 2
    assert "does not take what is sent: command not allowed when used memory" in said[0]
    assert "there again" in said[1]
    assert not any("secret" in text for text in said)
    assert entries(server, signals_stream(SYMBOL)) == [{}, signal(1)]


@pytest.mark.parametrize(
    "url", ["localhost:6379", "redis://localhost:port", "redis://:secret@localhost/abc", "redis://localhost/0?bogus=1"]
)
def test_an_address_that_is_none_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(LiqstratError, match="is no address of a Redis, as redis://localhost:6379/0: ") as told:
        RedisSink(url, tmp_path / "redis.jsonl", print)
    assert "secret" not in str(told.value)
