"""Recording from an exchange that cuts, repeats, shuffles, lies and bans: what is in the database is what happened."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen, run
from sys import executable

import duckdb
import pytest

from tests.live.conftest import SYMBOL, Start
from tests.live.exchange import History

pytestmark = pytest.mark.slow

EVERYTHING_WRONG = "cut=3,duplicates,reordered,malformed,ban=4"


def recorder(folder: Path, addresses: tuple[str, str], *arguments: str) -> Popen[str]:
    rest, streams = addresses
    command = [executable, "-m", "liqstrat", "record", SYMBOL, "--to-folder", str(folder), "--rest-url", rest]
    folder.mkdir(exist_ok=True)
    with said_in(folder).open("a") as file:
        return Popen([*command, "--stream-url", streams, *arguments], stdout=file, stderr=file, text=True)


def said_in(folder: Path) -> Path:
    """The file of what recorders into a folder have said."""
    return folder.with_suffix(".txt")


def has_said(folder: Path, *parts: str) -> bool:
    said = said_in(folder).read_text()
    return all(part in said for part in parts)


def ended(process: Popen[str], folder: Path, code: int = 0) -> str:
    assert process.wait(120) == code, said_in(folder).read_text()
    return said_in(folder).read_text()


def interrupted(process: Popen[str], folder: Path) -> str:
    process.send_signal(signal.SIGINT)
    return ended(process, folder, 130)


def recorded(folder: Path, kind: str) -> list[dict[str, int]]:
    paths = sorted(folder.rglob(f"{SYMBOL}-{kind}-*.jsonl"))
    # Half a line at the end is being written.
    return [json.loads(line) for path in paths for line in path.read_text().rpartition("\n")[0].splitlines()]


def check_trades(folder: Path, history: History) -> None:
    """No trade is missing between the first and the last, none stands twice, none is another than it was."""
    found = [{key: entry[key] for key in "apqflTm"} for entry in recorded(folder, "aggTrades")]
    begin = next(i for i, trade in enumerate(history.trades) if trade["a"] == found[0]["a"])
    assert found == history.trades[begin : begin + len(found)]


def busiest(history: History) -> datetime:
    """The begin of the half hour with the most liquidations."""
    counted = Counter(order["T"] // 1_800_000 for order in history.liquidations)
    (half_hour, _), *_ = counted.most_common(1)
    return datetime.fromtimestamp(half_hour * 1800 - 300, UTC).replace(tzinfo=None)


def marks_between(folder: Path, history: History) -> list[int]:
    """Moments of open interest between the first and the last trade that is recorded."""
    times = [trade["T"] for trade in recorded(folder, "aggTrades")] or [0]
    return [entry["timestamp"] for entry in history.interest if times[0] <= entry["timestamp"] <= times[-1]]


def latest_mark(folder: Path) -> int:
    """The last moment of which open interest is recorded."""
    return recorded(folder, "openInterestHist")[-1]["timestamp"]


def wait_for_lines(folder: Path, count: int) -> None:
    wait_for(lambda: len(recorded(folder, "aggTrades")) >= count)


def wait_for(comes: Callable[[], object]) -> None:
    latest = time.monotonic() + 180
    while not comes():
        assert time.monotonic() < latest, "it does not come"
        time.sleep(0.1)


def test_what_is_recorded_and_loaded_is_what_happened(exchange: Start, history: History, tmp_path: Path) -> None:
    folder, database = tmp_path / "recorded", tmp_path / "market.duckdb"
    addresses = exchange("--speed", "200", "--start", busiest(history).isoformat(), "--faults", EVERYTHING_WRONG)
    first = recorder(folder, addresses, "--db", str(database))
    wait_for(lambda: len(marks_between(folder, history)) > 2)
    wait_for(lambda: has_said(folder, "connecting again", "none that the exchange documents"))
    wait_for(lambda: has_said(folder, "rest of 1 s (status 429)", "rest of 1 s (status 418)"))
    interrupted(first, folder)
    check_trades(folder, history)
    # What was due when it ended, or waited for the end of a ban, is asked for when it goes on.
    marks = marks_between(folder, history)
    again = recorder(folder, addresses, "--db", str(database))
    wait_for(lambda: latest_mark(folder) >= marks[-1])
    known_at = latest_mark(folder)
    wait_for(lambda: latest_mark(folder) > known_at)
    interrupted(again, folder)
    check_trades(folder, history)
    with duckdb.connect(str(database), read_only=True) as connection:
        trades, first, last = connection.execute(
            "select count(*), min(agg_trade_id), max(agg_trade_id) from aggtrades_history"
        ).fetchall()[0]
        assert trades == last - first + 1 == len(recorded(folder, "aggTrades"))
        begin, end = (next(t["T"] for t in history.trades if t["a"] == number) for number in (first, last))
        there = connection.execute("select epoch_ms(timestamp) from liquidation_history").fetchnumpy()
        gaps = [json.loads(line) for line in (folder / "gaps.txt").read_text().splitlines()]
        assert all(gap["kind"] == "forceOrder" for gap in gaps)
        known = connection.execute("select epoch_ms(timestamp) from open_interest_history").fetchall()
        assert set(marks) <= {at for (at,) in known}
    happened = [order["T"] for order in history.liquidations if begin < order["T"] < end]
    found = set(next(iter(there.values())).tolist())
    assert found <= {order["T"] for order in history.liquidations}
    missing = [at for at in happened if at not in found]
    assert all(any(inside(at, gap) for gap in gaps) for at in missing)


def inside(at: int, gap: dict[str, str]) -> bool:
    # Frames are stamped some milliseconds after what they tell of.
    begin, end = (datetime.fromisoformat(gap[key]).timestamp() * 1000 for key in ("from", "to"))
    return begin - 5_000 <= at <= end


def test_a_killed_recorder_loses_nothing_and_goes_on(exchange: Start, history: History, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    addresses = exchange("--speed", "100", "--faults", "duplicates,reordered")
    first = recorder(folder, addresses)
    wait_for_lines(folder, 300)
    first.kill()
    first.wait()
    before = len(recorded(folder, "aggTrades"))
    second = recorder(folder, addresses)
    wait_for_lines(folder, before + 600)
    said = interrupted(second, folder)
    assert "forceOrder frames" in said
    assert "run the same command again to go on" in said
    check_trades(folder, history)


def test_trades_that_the_exchange_has_no_more_are_told_as_a_gap(
    exchange: Start, history: History, tmp_path: Path
) -> None:
    folder = tmp_path / "recorded"
    path = folder / SYMBOL / f"{SYMBOL}-aggTrades-2024-03-01.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(history.trades[0] | {"E": 1}) + "\n")
    forgotten = history.trades[-1]["a"]
    process = recorder(folder, exchange("--speed", "50", "--faults", f"forgotten={forgotten}"))
    wait_for_lines(folder, 20)
    said = interrupted(process, folder)
    gap = json.loads((folder / "gaps.txt").read_text().splitlines()[0])
    assert gap["kind"] == "aggTrades"
    assert int(gap["first_id"]) == history.trades[1]["a"]
    assert "trades from 2024-03-01T00:00:00" in said
    assert "Invalid fromId" in said
    found = [entry["a"] for entry in recorded(folder, "aggTrades")]
    assert found[1] == int(gap["last_id"]) + 1
    assert found[1:] == list(range(found[1], found[1] + len(found) - 1))


def test_a_skewed_clock_and_a_wrong_symbol_are_told(exchange: Start, tmp_path: Path) -> None:
    addresses = exchange()
    said = ended(recorder(tmp_path / "a", addresses, "--for", "1s"), tmp_path / "a")
    assert "this computer's clock is" in said
    rest, streams = addresses
    command = [executable, "-m", "liqstrat", "record", "ETHUSD", "--rest-url", rest, "--stream-url", streams]
    done = run([*command, "--to-folder", str(tmp_path / "b")], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'error: the exchange has no market "ETHUSD" (did you mean "ETHUSDT"?)\n'


def test_nobody_at_the_address_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    said = ended(recorder(folder, ("http://127.0.0.1:9", "ws://127.0.0.1:9")), folder, 1)
    assert said.startswith("error: http://127.0.0.1:9: cannot be asked for its markets")
    assert _lines(said) == 1


def _lines(text: str) -> int:
    return len(text.splitlines())
