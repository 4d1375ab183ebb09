"""Somebody who watches a market, in a folder of his own, by the command."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

import pytest

from liqstrat.maps import maps_at
from liqstrat.market.store import open_store
from liqstrat.moments import microseconds
from liqstrat.run_file import load_model
from tests.live.conftest import SYMBOL, cut_off
from tests.live.redis_server import Server

FILE = """
[model]
bin_width = 0.001

[[alerts]]
when = "near"
notional = 1e6
distance = 0.03
cooldown = "1s"
command = ["tee", "-a", "alerts.txt"]
"""


class Watcher:
    """Has the history up to a moment, and addresses of an exchange that goes on from there."""

    def __init__(self, folder: Path, database: Path, addresses: tuple[str, str], cut: datetime, server: Server) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.database = folder, cut_off(database, folder / "market.duckdb", cut)
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

    def alerts(self) -> list[str]:
        """Texts of the alerts that were called, in order."""
        path = self.folder / "alerts.txt"
        found = path.read_text().replace("}{", "}\n{").splitlines() if path.exists() else []
        return [json.loads(line)["text"] for line in found]

    def check_maps(self, messages: list[dict[str, Any]]) -> None:
        """Each whole map of which history knows no more is that of `liqstrat levels --at`."""
        compared = 0
        model = load_model(self.folder / "watch.toml")
        with open_store(self.database) as store:
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
                held = _held(message)
                assert {key: held.get(key, 0.0) for key in rows} == rows
                assert (message["price"], message["open_interest"]) == (expected.price, expected.open_interest)
                compared += 1
        assert compared >= 2


def entries(server: Server, kind: str) -> list[dict[str, Any]]:
    """What stands in a stream of Redis."""
    found = server.client.xrange(f"liquidation:stream:{kind}:{SYMBOL}")
    return [json.loads(fields["json"]) for _, fields in found]


def taken(server: Server, kind: str, take: Callable[[dict[str, Any]], object]) -> int:
    """Consume a stream by a group to its end, and return how many entries there were."""
    stream, group, count = f"liquidation:stream:{kind}:{SYMBOL}", "desk", 0
    server.client.xgroup_create(stream, group, id="0", mkstream=True)
    while found := server.client.xreadgroup(group, "a", {stream: ">"}, count=50):
        for number, fields in found[0][1]:
            take(json.loads(fields["json"]))
            server.client.xack(stream, group, number)
            count += 1
    return count


def _held(message: dict[str, Any]) -> dict[tuple[str, int, int], float]:
    return {(side, tier, place): amount for side in ("long", "short") for tier, place, amount in message[side]}
