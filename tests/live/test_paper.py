"""Trading on paper: what a backtest of the recording does, to the last digit, whatever happened in between."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

import numpy as np
import pytest

from liqstrat.backtest.levels.tape import read_tape
from liqstrat.backtest.presence import Presence
from liqstrat.catalog.build import build_catalog
from liqstrat.catalog.minutes import read_minutes
from liqstrat.live.minutes import GrowingMinutes
from liqstrat.live.tail import Tail
from liqstrat.market.store import open_store
from liqstrat.moments import nanoseconds
from tests.live.conftest import SYMBOL, Start, cut_off, exchanges

CUT = datetime(2024, 3, 2, 9, 57, tzinfo=UTC)
RUN = """
name = "chance"
symbols = ["BTCUSDT"]
from = "2024-03-02"
to = "2024-03-03"
[data]
db = "market.duckdb"
catalog = "nautilus"
[model]
bin_width = 0.001
[[strategies]]
use = "RandomEntry"
params = {per_day = 400, stop = 0.002}
[[strategies]]
use = "LevelMagnet"
"""


@pytest.fixture
def played(simulated_archive: Path) -> Iterator[Start]:
    yield from exchanges(simulated_archive)


class Desk:
    """Trades on paper in a folder of its own, with the history up to `CUT`."""

    def __init__(self, folder: Path, database: Path, addresses: tuple[str, str]) -> None:
        self.folder = folder
        cut_off(database, folder / "market.duckdb", CUT)
        (folder / "run.toml").write_text(RUN)
        (folder / "recorded" / SYMBOL).mkdir(parents=True)
        # So that what is recorded from a simulated market counts as such.
        (folder / "recorded" / SYMBOL / "SIMULATED.json").write_text("{}")
        self._addresses = ["--rest-url", addresses[0], "--stream-url", addresses[1]]

    def start(self, *arguments: str) -> Popen[str]:
        command = [executable, "-m", "liqstrat", "paper", "run.toml", *self._addresses, *arguments]
        return Popen(command, stdout=PIPE, stderr=PIPE, text=True, cwd=self.folder)

    def rows(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / "paper/chance" / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for(self, process: Popen[str], orders: int) -> None:
        latest = time.monotonic() + 150
        while len(self.rows("intents.jsonl")) < orders:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < latest, "nothing is traded"
            time.sleep(0.2)

    def parity(self) -> dict[str, Any]:
        return self.says("parity", "run.toml")

    def says(self, *arguments: str) -> dict[str, Any]:
        """What a command says in JSON."""
        command = [executable, "-m", "liqstrat", *arguments, "--json"]
        process = Popen(command, stdout=PIPE, stderr=PIPE, text=True, cwd=self.folder)
        out, err = process.communicate(timeout=200)
        assert process.returncode in (0, 1), err
        found: dict[str, Any] = json.loads(out)
        return found


@pytest.mark.slow
def test_a_session_with_cuts_that_is_killed_and_goes_on_is_equal_to_a_backtest_of_it(
    played: Start, simulated_database: Path, tmp_path: Path
) -> None:
    faults = "cut=6,duplicates,reordered,malformed,ban=15"
    desk = Desk(tmp_path, simulated_database, played("--speed", "60", "--start", CUT.isoformat(), "--faults", faults))
    # Of the market's time, which runs 60 times as fast.
    first = desk.start("--late", "240s")
    desk.wait_for(first, 6)
    first.kill()
    first.communicate()
    before = desk.rows("intents.jsonl")
    second = desk.start("--late", "240s", "--on-stop", "close")
    desk.wait_for(second, len(before) + 6)
    second.terminate()
    _, err = second.communicate(timeout=100)
    assert second.returncode == 143, err
    assert "run the same command again to go on" in err
    after = desk.rows("intents.jsonl")
    assert after[: len(before)] == before
    now = json.loads((desk.folder / "paper/chance/now.json").read_text())
    assert now["positions"] == now["resting"] == [], "stopping closes positions"
    found = desk.parity()
    assert found["equal"], found["unexplained"]
    assert found["counts"]["intents"] == {"paper": len(after), "backtest": len(after), "differ": 0}
    assert found["counts"]["fills"]["paper"] > 10
    assert found["equity"]["paper"] == pytest.approx(found["equity"]["backtest"], abs=1e-6)
    assert found["open_interest_seconds_late"] > 0
    assert found["plain_backtest"]["absent"] > 0, "a plain one trades while this one was dead"
    check_absences(desk)
    # What was recorded is history like any other: maps of it, and scores on what was liquidated meanwhile.
    known = desk.says("levels", SYMBOL, "--db", "market.duckdb", "--at", found["to"])
    assert known["time"][:16] == found["to"][:16]
    assert known["simulated"]
    assert len(known["clusters"]) > 2
    score = desk.says("score", SYMBOL, "--db", "market.duckdb", "--from", "2024-03-01T12:00", "--to", found["to"])
    assert score["simulated"]
    # What somebody changes afterwards is found.
    intents = desk.folder / "paper/chance/intents.jsonl"
    lines = intents.read_text().splitlines()
    changed = json.loads(lines[3]) | {"quantity": "9.999"}
    intents.write_text("\n".join([*lines[:3], json.dumps(changed), *lines[4:]]) + "\n")
    found = desk.parity()
    assert not found["equal"]
    assert found["unexplained"]["intents"]["only_paper"] == [changed]


def check_absences(desk: Desk) -> None:
    """Nobody was there at times, and nothing was sent then."""
    late = [(one["from"], one["to"]) for one in desk.rows("heard.jsonl") if one.get("why") == "late"]
    assert late
    for intent in desk.rows("intents.jsonl"):
        assert not any(begin <= intent["submitted_ns"] < end for begin, end in late), intent


@pytest.mark.slow
def test_what_comes_late_is_not_acted_upon_and_another_run_file_is_refused(
    played: Start, simulated_database: Path, tmp_path: Path
) -> None:
    addresses = played("--speed", "60", "--start", CUT.isoformat(), "--faults", "cut=3,lost=2")
    desk = Desk(tmp_path, simulated_database, addresses)
    process = desk.start("--late", "30s")
    desk.wait_for(process, 6)
    process.terminate()
    _, err = process.communicate(timeout=100)
    assert process.returncode == 143, err
    check_absences(desk)
    assert desk.parity()["equal"]
    (desk.folder / "run.toml").write_text(RUN.replace("per_day = 400", "per_day = 300"))
    process = desk.start()
    _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("error: paper/chance: is a session of another run file")


def test_presence_is_what_its_stretches_say() -> None:
    presence = Presence([(10, 20), (20, 30), (50, 60)], leaving=[(60, 70)])
    assert [at for at in range(0, 80, 5) if presence.absent(at)] == [10, 15, 20, 25, 50, 55]
    presence.be_absent(60, 65)
    assert presence.absent(62)
    assert [at for at in range(0, 80, 5) if presence.leaving(at)] == [60, 65]


def test_minutes_that_grow_are_those_of_the_catalog(simulated_database: Path, tmp_path: Path) -> None:
    begin, end = (datetime(2024, 3, 2, hour, tzinfo=UTC) for hour in (9, 13))
    with open_store(simulated_database) as store:
        build_catalog(store, SYMBOL, tmp_path, begin, end)
    whole = read_minutes(tmp_path, SYMBOL, begin, end)
    cut = begin.replace(hour=10)
    growing = GrowingMinutes(read_minutes(tmp_path, SYMBOL, begin, cut))
    rng, until = np.random.default_rng(3), nanoseconds(cut)
    for trades in read_tape(tmp_path, SYMBOL, cut, end):
        at = 0
        while at < len(trades.times):
            piece = trades.part(slice(at, at + int(rng.integers(1, 60))))
            at += len(piece.times)
            growing.take(piece)
            until = int(piece.times[-1])
            growing.complete(until)
            assert growing.start_ns + len(growing) * 60_000_000_000 <= until
    growing.complete(nanoseconds(end))
    for name in ("open", "high", "low", "close", "volume", "recorded"):
        assert getattr(growing, name).tolist() == getattr(whole, name)[: len(growing)].tolist(), name
    assert len(whole) - len(growing) <= 1


def test_a_recording_is_read_line_by_line_while_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / SYMBOL
    folder.mkdir()
    tail = Tail(tmp_path, SYMBOL, "aggTrades", 1_709_337_600_000)
    assert tail.read() == []
    (folder / f"{SYMBOL}-aggTrades-2024-03-01.jsonl").write_text('{"a":0}\n')
    path = folder / f"{SYMBOL}-aggTrades-2024-03-02.jsonl"
    path.write_text('{"a":1}\n{"a":')
    assert tail.read() == [{"a": 1}]
    assert tail.read() == []
    with path.open("a") as file:
        file.write("2}\n")
    (folder / f"{SYMBOL}-aggTrades-2024-03-03.jsonl").write_text('{"a":3}\n')
    assert tail.read() == [{"a": 2}]
    assert tail.read() == [{"a": 3}]
    assert tail.read() == []
