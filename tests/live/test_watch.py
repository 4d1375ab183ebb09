"""A watch of an exchange with faults: its maps are those of the recording, and a restart tells nothing twice."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

import pytest
from websockets.asyncio.client import connect

from liqstrat.maps import maps_at
from liqstrat.market.store import open_store
from liqstrat.moments import microseconds
from liqstrat.run_file import load_model
from tests.live.conftest import SYMBOL, Start, cut_off, exchanges
from tests.live.redis_server import Server

pytestmark = pytest.mark.slow

CUT = datetime(2024, 3, 2, 9, 57, tzinfo=UTC)
FILE = """
[model]
bin_width = 0.001

[[alerts]]
when = "near"
usdt = 1e6
distance = 0.03
cooldown = "1s"
command = ["tee", "-a", "alerts.txt"]
"""


@pytest.fixture
def played(simulated_archive: Path) -> Iterator[Start]:
    """Starts exchanges that play the market of the archive."""
    yield from exchanges(simulated_archive)


class Watcher:
    """Watches in a folder of its own, which has the history up to `CUT`."""

    def __init__(self, folder: Path, database: Path, addresses: tuple[str, str], server: Server) -> None:
        self.folder, self.database = folder, cut_off(database, folder / "market.duckdb", CUT)
        (folder / "watch.toml").write_text(FILE)
        (folder / "recorded" / SYMBOL).mkdir(parents=True)
        # So that what is recorded from a simulated market counts as such.
        (folder / "recorded" / SYMBOL / "SIMULATED.json").write_text("{}")
        rest, streams = addresses
        self._command = [executable, "-m", "liqstrat", "watch", SYMBOL, "--db", "market.duckdb", "--redis", server.url,
                         "--config", "watch.toml", "--rest-url", rest, "--stream-url", streams, "--port", "0",
                         "--set", "watch=0.03", "--set", "min_strength=0.01"]  # fmt: skip

    def start(self, *arguments: str) -> Popen[str]:
        return Popen([*self._command, *arguments], stdout=PIPE, stderr=PIPE, text=True, cwd=self.folder)


def entries(server: Server, kind: str) -> list[dict[str, Any]]:
    found = server.client.xrange(f"liquidation:stream:{kind}:{SYMBOL}")
    return [json.loads(fields["json"]) for _, fields in found]


def held(message: dict[str, Any]) -> dict[tuple[str, int, int], float]:
    return {(side, tier, place): amount for side in ("long", "short") for tier, place, amount in message[side]}


def test_the_map_in_real_time_is_that_of_the_recording(
    played: Start, simulated_database: Path, tmp_path: Path, server: Server
) -> None:
    faults = "cut=4,duplicates,reordered,malformed,ban=15"
    addresses = played("--speed", "100", "--start", CUT.isoformat(), "--faults", faults)
    watcher = Watcher(tmp_path, simulated_database, addresses, server)
    process = watcher.start("--for", "16s")
    address = next(line.split()[-1] for line in process.stderr or [] if "websockets" in line)

    async def listen() -> list[dict[str, Any]]:
        got = []
        async with connect(address.replace("SYMBOL", SYMBOL).replace("http", "ws")) as socket:
            while len(got) < 12:
                message = json.loads(await asyncio.wait_for(socket.recv(), 20))
                # That the exchange is heard changes nothing, and has no number.
                if message["type"] != "alive":
                    got.append(message)
        return got

    heard = asyncio.run(listen())
    assert heard[0]["type"] == "map"
    assert [one["seq"] for one in heard] == list(range(heard[0]["seq"], heard[0]["seq"] + 12))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "connecting again" in err
    assert "message to map" in " ".join(out.split())
    check_maps(watcher, entries(server, "maps"))
    texts = [
        json.loads(line)["text"] for line in (tmp_path / "alerts.txt").read_text().replace("}{", "}\n{").split("\n")
    ]
    assert len(texts) == len(set(texts)) > 0


def check_maps(watcher: Watcher, messages: list[dict[str, Any]]) -> None:
    """Each whole map of which history knows no more is that of `liqstrat levels --at`."""
    compared = 0
    model = load_model(watcher.folder / "watch.toml")
    with open_store(watcher.database) as store:
        times = [microseconds(at) for at in store.open_interest(SYMBOL)["time"].to_pylist()]
        for message in messages:
            known, moment = (datetime.fromisoformat(message[key]) for key in ("known_at", "time"))
            after = moment + timedelta(milliseconds=1)
            sql = store.trades_sql(SYMBOL, moment, after)
            ((last,),) = store.connection.execute(f"select max(agg_trade_id) from ({sql})").fetchall()
            newest = max(at for at in times if at <= microseconds(after))
            if message["type"] != "map" or newest != microseconds(known) or last != message["trade_id"]:
                continue
            (expected,) = maps_at(store, SYMBOL, [after], model, timedelta(days=14), span=0.2)
            rows = {}
            for side, contracts in (("long", expected.longs), ("short", expected.shorts)):
                for tier, place in zip(*contracts.nonzero(), strict=True):
                    key = (side, int(tier), int(place) + expected.first_bin - message["first_bin"])
                    rows[key] = pytest.approx(contracts[tier, place], abs=1e-6)
            assert {key: held(message).get(key, 0.0) for key in rows} == rows
            assert (message["price"], message["open_interest"]) == (expected.price, expected.open_interest)
            compared += 1
    assert compared >= 2


def test_a_watch_that_is_killed_goes_on_and_tells_no_signal_twice(
    played: Start, simulated_database: Path, tmp_path: Path, server: Server
) -> None:
    addresses = played("--speed", "60", "--start", CUT.isoformat())
    watcher = Watcher(tmp_path, simulated_database, addresses, server)
    first = watcher.start()
    latest = time.monotonic() + 90
    while not entries(server, "signals") or len(entries(server, "maps")) < 6:
        assert time.monotonic() < latest, "nothing is told"
        time.sleep(0.2)
    first.kill()
    first.communicate()
    before = entries(server, "signals")
    second = watcher.start("--for", "8s")
    _, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    told = entries(server, "signals")
    assert told[: len(before)] == before
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in told:
        for other in seen.setdefault((one["kind"], one["side"]), []):
            # The same may come up again when it has been gone for a while.
            away = datetime.fromisoformat(one["timestamp"]) - datetime.fromisoformat(other["timestamp"])
            low, high = (other["level"][key] for key in ("price_low", "price_high"))
            assert away > timedelta(minutes=15) or not low <= one["level"]["price"] <= high, told
        seen[one["kind"], one["side"]].append(one)
    assert len(entries(server, "maps")) > 6
