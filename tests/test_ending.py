"""How the program ends, as processes of its own: one line, the code that the help tells, and nothing left over."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liqstrat.ending import in_good_order, sentence, visible
from liqstrat.held import partial_file, partial_folder
from tests.history import open_interest_every, random_trades, write_history

pytestmark = pytest.mark.slow

RUN = """
name = "t"
symbols = ["BTCUSDT"]
from = 2024-03-01T01:00:00
to = 2024-03-02T00:00:00
data = { db = "m.duckdb", catalog = "nautilus" }
[[strategies]]
use = "RandomEntry"
"""
DB = ("--db", "m.duckdb")
#: What is left over by none.
HIDDEN = ("*.partial", "*.part", "*.writing", "*.unpacked", "*.tmp")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "m.duckdb"
    return write_history(path, random_trades(24, a_minute=20), open_interest_every(5, 24))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    (tmp_path / "m.duckdb").write_bytes(made.read_bytes())
    (tmp_path / "run.toml").write_text(RUN)
    return tmp_path


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts the program in the folder."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **how: object) -> "subprocess.Popen[str]":
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **how}
        process = subprocess.Popen([sys.executable, "-m", "liqstrat", *arguments], cwd=folder, **streams)  # type: ignore[call-overload]
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


def left_over(folder: Path) -> list[Path]:
    return [path for pattern in HIDDEN for path in folder.rglob(pattern)]


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def hears(process: "subprocess.Popen[str]") -> bool:
    """Whether the program has begun to listen to signals; before, Python has not got to it."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell who hears what")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_is_one_line_and_its_code(folder: Path, start: Start, number: signal.Signals) -> None:
    said = {signal.SIGINT: "stopped", signal.SIGTERM: "ended from outside"}[number]
    processes = []
    # While it imports, and while it works.
    for wait in (0, 0.1, 0.4, 1.5):
        process = start("simulate", f"market-{wait}", "--days", "60")
        wait_until(lambda of=process: hears(of))
        time.sleep(wait)
        processes.append(process)
        process.send_signal(number)
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (128 + number, ""), err
        assert err.splitlines()[-1] == f"{said}; run the same command again to go on"
        assert "Traceback" not in err
    assert left_over(folder) == []


def test_an_interrupt_that_a_library_swallows_comes_again(tmp_path: Path) -> None:
    code = """
import time
from liqstrat.ending import run

def command():
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
    time.sleep(60)

run(command, at_last=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: hears(process))
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGINT, err
    assert err.splitlines() == ["stopped; run the same command again to go on"]


def test_a_run_that_is_ended_leaves_nothing_and_one_that_is_killed_until_the_next(folder: Path, start: Start) -> None:
    def begun() -> list[Path]:
        return [path for path in (folder / "results").glob(".*.partial/levels.parquet") if path.exists()]

    process = start("backtest", "run.toml")
    wait_until(begun)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert left_over(folder) == []
    process = start("backtest", "run.toml")
    wait_until(begun)
    process.kill()
    process.wait(60)
    assert len(left_over(folder)) == 1
    assert start("backtest", "run.toml").wait(60) == 0
    assert left_over(folder) == []
    assert len(list((folder / "results").glob("*/run.json"))) == 1


def test_what_the_living_hold_stays(tmp_path: Path) -> None:
    with partial_folder(tmp_path / "run") as (partial, target):
        (partial / "a").write_text("a")
        with partial_folder(tmp_path / "run") as (other, second), partial_file(tmp_path / "page") as page:
            page.write_text("page")
            dead = tmp_path / ".run-3.partial"
            dead.mkdir()
            os.utime(dead, (1, 1))
            with partial_folder(tmp_path / "third"):
                pass
            assert not dead.exists()
            assert partial.is_dir()
            assert other.is_dir()
            assert page.exists()
        assert (target, second) == (tmp_path / "run", tmp_path / "run-2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page", "run", "run-2", "third"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_an_output_that_takes_nothing(start: Start) -> None:
    with open("/dev/full", "w") as full:
        process = start("price", "60000", "--json", stdout=full)
        _, err = process.communicate()
    assert process.returncode == 1
    assert err == "error: the output cannot be written: No space left on device\n"


def test_an_output_that_is_closed(start: Start) -> None:
    process = start("price", "60000", preexec_fn=lambda: (os.close(1), os.close(2)))
    assert process.wait(60) == 0
    reader, writer = os.pipe()
    os.close(reader)
    process = start("price", "60000", stdout=writer)
    os.close(writer)
    assert (process.communicate()[1], process.returncode) == ("", 141)


def test_an_output_that_knows_few_letters(start: Start, folder: Path) -> None:
    process = start("inspect", "BTCUSDT", *DB, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    out, err = process.communicate()
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert "levels can be estimated: 2024-03-01 00:00 ? 2024-03-01" in out


COMMANDS = {
    "backtest": ("backtest", "run.toml", "--out", "{}"),
    "heatmap": ("heatmap", "BTCUSDT", *DB, "--out", "{}.html"),
    "rows": ("heatmap", "BTCUSDT", *DB, "--out", "{}.parquet"),
    "catalog": ("catalog", "BTCUSDT", *DB, "--catalog", "{}"),
    "calibrate": ("calibrate", "BTCUSDT", *DB, "--from", "2024-03-01", "--to", "2024-03-02", "--out", "{}.toml"),
    "simulate": ("simulate", "{}-market", "--days", "1"),
}


#: Types commands in one process, a line each, and says the code after what was told.
TYPING = """
import resource, sys
from liqstrat.cli import main
if sys.argv[1:]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
for line in sys.stdin:
    sys.argv = ["liqstrat", *line.split()]
    try:
        main()
    except SystemExit as left:
        print("code", left.code, file=sys.stderr, flush=True)
"""


def told_of(folder: Path, place: str, *limit: str) -> dict[str, list[str]]:
    """What each command says that shall write to `place`."""
    lines = [" ".join(arguments).format(place) for arguments in COMMANDS.values()]
    typing = [sys.executable, "-c", TYPING, *limit]
    done = subprocess.run(typing, cwd=folder, input="\n".join(lines), capture_output=True, text=True)
    *told, rest = done.stderr.split("code 1\n")
    assert (len(told), rest) == (len(COMMANDS), ""), done.stderr
    # Lines of progress tell how long it took.
    return {
        name: [line for line in text.splitlines() if not line.endswith(("/s)", "/min)", " left)"))]
        for name, text in zip(COMMANDS, told, strict=True)
    }


def test_a_full_disk_is_told_by_name(folder: Path) -> None:
    """A limit for the size of files is as good as a disk that is full."""
    for told in told_of(folder, "out", "1000").values():
        (line,) = told
        assert line.startswith("error: out")
        assert line.endswith(": cannot be written: File too large")
    assert left_over(folder) == []


@pytest.mark.parametrize("place", ["m.duckdb/out", "n" * 300])
def test_a_place_that_cannot_be_is_told_by_name(folder: Path, place: str) -> None:
    for told in told_of(folder, place).values():
        (line,) = told
        assert line.startswith(f"error: {place}")
        assert line.rpartition(": ")[2] in ("Not a directory", "File exists", "File name too long")
    assert left_over(folder) == []


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert visible("a\x1b[31mb\nc\udc80é") == "a\\x1b[31mb\nc\\x80é"
    assert sentence(FileNotFoundError(2, "No such file or directory", "a\x1b")) == "a\\x1b: No such file or directory"
    assert sentence(ValueError("a bug")) is None


def test_the_codes_are_in_the_help(start: Start) -> None:
    out, _ = start("--help").communicate()
    assert "130 stopped (Ctrl-C), 143 ended (SIGTERM)" in " ".join(out.split())


def test_a_first_signal_stops_in_good_order() -> None:
    async def work(done: list[str]) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        with in_good_order(lambda: loop.call_soon_threadsafe(task.cancel)) as asked:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                # What is cancelled once may still send something.
                await asyncio.sleep(0.01)
                done.append(f"sent after {[int(number) for number in asked]}")

    before, done = signal.getsignal(signal.SIGINT), list[str]()
    asyncio.run(work(done))
    assert done == ["sent after [2]"]
    assert signal.getsignal(signal.SIGINT) is before
