"""Trading on paper: what a backtest of the recording does, to the last digit, whatever happened in between."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen

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
from tests.live.conftest import SYMBOL, Start, exchanges
from tests.live.desk import Desk

CUT = datetime(2024, 3, 2, 9, 57, tzinfo=UTC)


@pytest.fixture
def played(simulated_archive: Path) -> Iterator[Start]:
    yield from exchanges(simulated_archive)


@pytest.mark.slow
def test_what_comes_late_is_not_acted_upon_and_what_was_changed_since_is_found(
    played: Start, simulated_database: Path, tmp_path: Path
) -> None:
    faults = "cut=3,lost=1,held=3"
    addresses = played("--speed", "100", "--start", CUT.isoformat(), "--faults", faults)
    desk = Desk(tmp_path, simulated_database, addresses, CUT)
    process = desk.start("--late", "100s")
    desk.wait_for_orders(process, 6)
    desk.wait(process, lambda: any(one["kind"] == "moved" for one in desk.rows("heard.jsonl")))
    desk.wait(process, lambda: (now := desk.now())["positions"] and now["resting"])
    process.kill()
    process.communicate()
    kept = desk.now()
    # What stands in the folder must come again.
    changed = {**kept, "positions": [{**kept["positions"][0], "contracts": "9.999"}]}
    (desk.session / "now.json").write_text(json.dumps(changed))
    said = refused(desk.start())
    assert "now.json: positions of" in said
    assert "come again as" in said
    (desk.session / "now.json").write_text(json.dumps(kept))
    process = desk.start("--late", "100s", "--no-report")
    desk.wait(process, lambda: desk.now()["time"] > kept["time"])
    process.terminate()
    out, err = process.communicate(timeout=300)
    assert process.returncode == 143, err
    assert " trades came too late" in out
    assert " 0 trades came too late" not in out
    assert desk.now()["positions"], "stopping keeps positions"
    check_absences(desk)
    assert desk.parity()["equal"]
    intents = desk.session / "intents.jsonl"
    lines = intents.read_text().splitlines()
    changed = json.loads(lines[3]) | {"quantity": "9.999"}
    intents.write_text("\n".join([*lines[:3], json.dumps(changed), *lines[4:]]) + "\n")
    found = desk.parity()
    assert not found["equal"]
    assert found["unexplained"]["intents"]["only_paper"] == [changed]
    (desk.folder / "run.toml").write_text(desk.run.replace("per_day = 600", "per_day = 300"))
    assert refused(desk.start()).startswith("error: paper/chance: is a session of another run file")


def refused(process: Popen[str]) -> str:
    """The last line of a program that does not go on."""
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    return err.splitlines()[-1]


def check_absences(desk: Desk) -> None:
    """Nobody was there at times, and nothing was sent then."""
    late = [(one["from"], one["to"]) for one in desk.rows("heard.jsonl") if one.get("why") == "late"]
    assert late
    for intent in desk.rows("intents.jsonl"):
        assert not any(begin <= intent["submitted_ns"] < end for begin, end in late), intent


def test_presence_is_what_its_stretches_say() -> None:
    presence = Presence([(10, 20), (20, 30), (50, 60)], leaving=[(60, 70)])
    assert [at for at in range(0, 80, 5) if presence.absent(at)] == [10, 15, 20, 25, 50, 55]
    presence.be_absent(60, 65)
    assert presence.absent(62)
    assert [at for at in range(0, 80, 5) if presence.leaving(at)] == [60, 65]
    assert [presence.absent_ns(at) for at in (5, 15, 40, 62, 99)] == [0, 5, 20, 32, 35]


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
