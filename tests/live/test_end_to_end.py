"""All at once on two SIMULATED markets with faults: recorded, watched, traded on paper with a kill in between, and held
against backtests."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE, Popen, run
from sys import executable
from typing import Any

import pytest
from websockets.asyncio.client import connect

from liqstrat.market.store import open_store
from liqstrat.moments import nanoseconds
from tests.live.conftest import OTHER, SYMBOL, Start, cut_off, exchanges
from tests.live.desk import Desk
from tests.live.redis_server import Server
from tests.live.watcher import Watcher, entries, taken
from tests.serve.browsing import chromium, until

pytestmark = pytest.mark.slow

#: Funding is settled at 16:00, when positions that are held for long are open.
CUT = datetime(2024, 3, 2, 15, 15, tzinfo=UTC)
SETTLEMENT = datetime(2024, 3, 2, 16, tzinfo=UTC)
FAULTS = "cut=6,duplicates,reordered,malformed,ban=15,unsettled=240"


@pytest.fixture
def played(two_markets: tuple[Path, Path]) -> Iterator[Start]:
    yield from exchanges(two_markets[0])


def test_record_watch_paper_and_parity_on_markets_with_faults(
    played: Start, two_markets: tuple[Path, Path], tmp_path: Path, server: Server
) -> None:
    both = [SYMBOL, OTHER]
    playing = ("--speed", "60", "--start", CUT.isoformat(), "--symbols", ",".join(both), "--faults", FAULTS)
    addresses = played(*playing)
    desk = Desk(tmp_path / "desk", two_markets[1], addresses, CUT, both)
    first = desk.start("--late", "480s")
    watcher = Watcher(tmp_path / "watch", two_markets[1], addresses, CUT, server)
    watching = watcher.start()
    recording = recorder(tmp_path / "recorded", addresses, both)
    address = next(line.split()[-1] for line in watching.stderr or [] if "websockets" in line)
    heard = asyncio.run(listened(address.replace("SYMBOL", SYMBOL), 12))
    assert heard[0]["type"] == "map"
    assert [one["seq"] for one in heard] == list(range(heard[0]["seq"], heard[0]["seq"] + 12))
    check_page(address.partition("ws/")[0])
    session = traded(desk, first)
    recording.send_signal(signal.SIGINT)
    _, err = recording.communicate(timeout=120)
    assert recording.returncode == 130, err
    watched(watcher, watching, server)
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=120)
    assert watching.returncode == 130, err
    assert "connecting again" in err
    assert "message to map" in " ".join(out.split())
    check_watch(watcher, server)
    check_session(desk, session)
    check_recording(tmp_path, two_markets[1])


def recorder(folder: Path, addresses: tuple[str, str], symbols: list[str]) -> Popen[str]:
    for symbol in symbols:
        (folder / symbol).mkdir(parents=True)
        (folder / symbol / "SIMULATED.json").write_text("{}")
    command = [executable, "-m", "liqstrat", "record", *symbols, "--to-folder", str(folder)]
    where = ["--rest-url", addresses[0], "--stream-url", addresses[1]]
    return Popen([*command, *where], stdout=PIPE, stderr=PIPE, text=True)


async def listened(address: str, count: int) -> list[dict[str, Any]]:
    """The first messages of the map's websocket."""
    got: list[dict[str, Any]] = []
    async with connect(address.replace("http", "ws")) as socket:
        while len(got) < count:
            message = json.loads(await asyncio.wait_for(socket.recv(), 120))
            # That the exchange is heard changes nothing, and has no number.
            if message["type"] != "alive":
                got.append(message)
    return got


def check_page(address: str) -> None:
    """The heatmap grows in a browser."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{address}heatmap?live=1")
        until(page, "window.live?.state === 'live' && window.shown")
        columns, picture = page.evaluate("[shown.heat.ms.at(-1), document.querySelector('canvas').toDataURL()]")
        until(page, f"live.state === 'live' && shown.heat.ms.at(-1) > {columns}")
        assert page.evaluate("document.querySelector('canvas').toDataURL()") != picture
        page.close()


def watched(watcher: Watcher, watching: Popen[str], server: Server) -> None:
    """Wait until it has told of enough to look at, and was cut."""
    gaps, latest = watcher.folder / "recorded/gaps.txt", time.monotonic() + 240

    def is_enough() -> bool:
        maps = entries(server, "maps")
        return len(maps) > 8 and sum(one["type"] == "map" for one in maps) > 5 and gaps.exists()

    while not (is_enough() and watcher.alerts()):
        assert watching.poll() is None, watching.communicate()
        assert time.monotonic() < latest, "the watch tells nothing"
        time.sleep(0.1)


def traded(desk: Desk, first: Popen[str]) -> list[dict[str, Any]]:
    """Kill it where a position is open and orders rest, let it go on and stop it; returns the intents of before."""
    desk.wait_for_orders(first, 6)
    desk.wait(first, lambda: (now := desk.now()) and now["positions"] and now["resting"])
    first.kill()
    first.communicate()
    before, held = desk.rows("intents.jsonl"), desk.now()["time"] < SETTLEMENT.isoformat()
    second = desk.start("--late", "480s", "--on-stop", "close")
    desk.wait_for_orders(second, len(before) + 6)
    # On a computer so slow that nothing was held before, nothing is paid.
    desk.wait(second, lambda: desk.now()["time"] > SETTLEMENT.isoformat() and (not held or desk.rows("funding.jsonl")))
    # The rate came too late to be waited for, and is known when it was heard.
    desk.wait(second, lambda: entered_to_be_paid(desk))
    assert entered_to_be_paid(desk)[0] > nanoseconds(SETTLEMENT) + 60 * 10**9
    page = (desk.session / "session.html").read_text()
    assert "PAPER" in page
    assert "SIMULATED" in page
    second.terminate()
    out, err = second.communicate(timeout=300)
    assert second.returncode == 143, err
    assert "run the same command again to go on" in err
    assert "report: paper/chance/report/report.html" in out
    return before


def entered_to_be_paid(desk: Desk) -> list[int]:
    return [one["submitted_ns"] for one in desk.rows("intents.jsonl") if one["strategy"].startswith("BePaid")]


def check_watch(watcher: Watcher, server: Server) -> None:
    """Maps are those of the recording, consumers get all of them in order, no alert is called twice."""
    watcher.check_maps(entries(server, "maps"))
    numbers: list[int] = []
    assert taken(server, "maps", lambda one: numbers.append(one["seq"])) == len(numbers) > 8
    assert numbers == sorted(set(numbers)), "prices alone are not kept, all else is, in order"
    alerts = watcher.alerts()
    assert len(alerts) == len(set(alerts)) > 0


def check_session(desk: Desk, before: list[dict[str, Any]]) -> None:
    """What was done before the kill stands, what came after is that of a backtest, and the report says so."""
    after, now = desk.rows("intents.jsonl"), desk.now()
    assert after[: len(before)] == before
    assert {one["symbol"] for one in after} == {SYMBOL, OTHER}
    assert now["positions"] == now["resting"] == [], "stopping closes positions"
    late = [(one["from"], one["to"]) for one in desk.rows("heard.jsonl") if one.get("why") == "late"]
    assert late, "nobody was there while it was dead"
    for intent in after:
        assert not any(begin <= intent["submitted_ns"] < end for begin, end in late), intent
    found = desk.parity()
    assert found["equal"], found["unexplained"]
    assert found["counts"]["intents"] == {"paper": len(after), "backtest": len(after), "differ": 0}
    assert found["counts"]["fills"]["paper"] > 10
    assert found["late_trades"] == 0, "what was cut came again before its time had been worked"
    assert "Equal." in (desk.folder / found["page"]).read_text()
    assert found["counts"]["funding"]["paper"] > 0 or after[0]["submitted_ns"] > nanoseconds(SETTLEMENT)
    assert found["equity"]["paper"] == pytest.approx(found["equity"]["backtest"], abs=1e-6)
    assert found["plain_backtest"]["absent"] > 0, "a plain one trades while this one was dead"
    metrics = json.loads((desk.session / "report/metrics.json").read_text())
    assert metrics["final_equity"] == pytest.approx(found["equity"]["paper"], abs=0.01)
    assert "chance, paper session" in (desk.session / "report/report.html").read_text()


def check_recording(folder: Path, database: Path) -> None:
    """What was recorded is history like any other: loaded, scored and traded in a backtest."""
    cut_off(database, folder / "market.duckdb", CUT)
    commands("ingest", "recorded", "--db", "market.duckdb", cwd=folder)
    with open_store(folder / "market.duckdb") as store:
        for symbol in (SYMBOL, OTHER):
            sql = store.trades_sql(symbol)
            ((count, low, high),) = store.connection.execute(
                f"select count(*), min(agg_trade_id), max(agg_trade_id) from ({sql}) where timestamp >= ?", [CUT]
            ).fetchall()
            assert count == high - low + 1 > 200
        span = store.span(SYMBOL, "trades")
        assert span is not None
        until = span[1].replace(second=0, microsecond=0).isoformat()
    score = json.loads(commands("score", SYMBOL, "--db", "market.duckdb", "--from", "2024-03-01T12:00", "--to", until,
                                "--json", cwd=folder))  # fmt: skip
    assert score["simulated"]
    for name in ("run.toml", "be_paid.py"):
        (folder / name).write_text((folder / "desk" / name).read_text())
    commands("backtest", "run.toml", "--from", CUT.isoformat(), "--to", until, "--no-report", cwd=folder)
    (metrics,) = (folder / "results").glob("*/metrics.json")
    assert json.loads(metrics.read_text())["trades"] > 0


def commands(*arguments: str, cwd: Path) -> str:
    done = run([executable, "-m", "liqstrat", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout
