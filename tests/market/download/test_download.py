"""Many files: what falls back, what is reported, how it is stopped and gone on with."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.market.download import DownloadReport, Retry, download
from liqstrat.progress import Progress, Step

UM = "data/futures/um"
MONTH = f"{UM}/monthly/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-02.zip"
QUICK = Retry(attempts=2, first_wait=0.01, timeout=2.0)
FEBRUARY = (date(2024, 2, 1), date(2024, 3, 1))


def day(number: int, kind: str = "aggTrades", symbol: str = "BTCUSDT") -> str:
    return f"{UM}/daily/{kind}/{symbol}/{symbol}-{kind}-2024-02-{number:02}.zip"


def put_days(archive: Any, numbers: range, kind: str = "aggTrades", symbol: str = "BTCUSDT") -> None:
    for number in numbers:
        archive.put(day(number, kind, symbol), f"{symbol} {kind} {number}".encode())


def run(
    archive: Any, target: Path, *, symbols: Any = ("BTCUSDT",), span: Any = FEBRUARY, **more: Any
) -> DownloadReport:
    more = {"kinds": ["aggTrades"], "retry": QUICK, "base_url": archive.url, **more}
    return download(symbols, *span, target, **more)


def names(target: Path) -> set[str]:
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}


def test_a_whole_month_comes_as_one_file(archive: Any, tmp_path: Path) -> None:
    archive.put(MONTH, b"february")
    put_days(archive, range(1, 30))
    report = run(archive, tmp_path)
    assert [file.path for file in report.fetched] == [tmp_path / MONTH]
    assert names(tmp_path) == {MONTH, f"{MONTH}.CHECKSUM"}
    assert report.bytes_fetched == len(b"february")


def test_a_month_that_is_not_there_yet_comes_by_day(archive: Any, tmp_path: Path) -> None:
    put_days(archive, range(1, 28))
    report = run(archive, tmp_path)
    assert [file.file.path for file in report.files] == [day(number) for number in range(1, 30)]
    assert (len(report.fetched), len(report.missing), len(report.failed)) == (27, 2, 0)
    (group,) = report.groups()
    assert (group.fetched, group.missing, group.gaps) == (27, 2, ((date(2024, 2, 28), date(2024, 2, 29)),))
    archive.put(MONTH, b"february")
    put_days(archive, range(28, 30))
    archive.requests.clear()
    again = run(archive, tmp_path)
    assert (len(again.present), len(again.fetched)) == (27, 2)
    assert archive.asked(f"{MONTH}.CHECKSUM") == []  # begun by day, completed by day: no trade lies here twice


def test_a_month_that_is_not_what_its_checksum_says_comes_by_day_and_is_reported(archive: Any, tmp_path: Path) -> None:
    archive.put(MONTH, b"february", checksum_of=b"something else")
    put_days(archive, range(1, 30))
    report = run(archive, tmp_path)
    assert [file.file.path for file in report.failed] == [MONTH]
    assert len(report.fetched) == 29
    assert not run(archive, tmp_path).failed


def test_months_only_kinds_have_nothing_to_fall_back_on(archive: Any, tmp_path: Path) -> None:
    report = run(archive, tmp_path, kinds=["fundingRate"], span=(date(2024, 2, 3), date(2024, 2, 5)))
    assert [file.file.path for file in report.missing] == [
        f"{UM}/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-02.zip"
    ]


def test_one_failure_does_not_stop_the_others(archive: Any, tmp_path: Path) -> None:
    kinds = ["metrics", "liquidationSnapshot"]
    for symbol in ("ETHUSDT", "BTCUSDT"):
        for kind in kinds:
            put_days(archive, range(1, 6), kind, symbol)
    archive.fail(day(3, "metrics"), times=9, status=503)
    archive.put(day(4, "metrics"), b"x", checksum_of=b"y")
    del archive.files[day(2, "metrics")], archive.files[day(2, "metrics") + ".CHECKSUM"]
    span = (date(2024, 2, 1), date(2024, 2, 6))
    report = run(archive, tmp_path, symbols=["ETHUSDT", "BTCUSDT"], kinds=kinds, span=span)
    assert len(report.fetched) == 17
    assert [file.file.path for file in report.missing] == [day(2, "metrics")]
    assert {file.file.path: file.reason.split(",")[0] for file in report.failed} == {
        day(3, "metrics"): "HTTP 503 Service Unavailable",
        day(4, "metrics"): "wrong checksum",
    }
    groups = [(group.symbol, group.kind, group.fetched) for group in report.groups()]
    assert groups == [
        ("ETHUSDT", "metrics", 5),
        ("ETHUSDT", "liquidationSnapshot", 5),
        ("BTCUSDT", "metrics", 2),
        ("BTCUSDT", "liquidationSnapshot", 5),
    ]


def test_a_second_run_asks_for_nothing(archive: Any, tmp_path: Path) -> None:
    archive.put(MONTH, b"february")
    put_days(archive, range(1, 30), "metrics")
    first = run(archive, tmp_path, kinds=["aggTrades", "metrics"])
    archive.requests.clear()
    second = run(archive, tmp_path, kinds=["aggTrades", "metrics"])
    assert len(first.fetched) == len(second.present) == 30
    assert archive.requests == []


def test_files_come_at_the_same_time(archive: Any, tmp_path: Path) -> None:
    put_days(archive, range(1, 5))
    four = Barrier(4)
    for number in range(1, 5):
        archive.fail(day(number), meet=four)
    report = run(archive, tmp_path, span=(date(2024, 2, 1), date(2024, 2, 5)), retry=Retry(timeout=20))
    assert len(report.fetched) == 4
    assert not four.broken


class Counting(Progress):
    def __init__(self) -> None:
        self.total: float | None = 0.0
        self.done = 0.0

    @contextmanager
    def task(self, name: str, total: float | None = None, unit: str = "", before: float = 0.0) -> Iterator[Step]:
        self.total = total

        def step(more: float) -> None:
            assert more > 0
            self.done += more

        yield step


@pytest.mark.parametrize("by_month", [True, False])
def test_progress_counts_days_up_to_the_total(archive: Any, tmp_path: Path, by_month: bool) -> None:
    put_days(archive, range(1, 28))
    if by_month:
        body = random.Random(1).randbytes(500_000)
        archive.put(MONTH, body)
        archive.ranges = False
        archive.fail(MONTH, cut_after=300_000)
    progress = Counting()
    run(archive, tmp_path, progress=progress)
    assert progress.total == 29
    assert progress.done == pytest.approx(29)


SCRIPT = """
import signal, sys
from datetime import date
from pathlib import Path
from liqstrat.market.download import download
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    download(["BTCUSDT"], date(2024, 2, 1), date(2024, 2, 4), Path(sys.argv[1]), ["aggTrades"], sys.argv[2])
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_an_abort_leaves_is_gone_on_with(archive: Any, tmp_path: Path, how: signal.Signals) -> None:
    body = random.Random(1).randbytes(300_000)
    put_days(archive, range(1, 4))
    archive.put(day(2), body)
    archive.fail(day(2), stall_after=100_000)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path), archive.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert archive.stalled.wait(60)
    part = tmp_path / f"{day(2)}.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 0)
    wait_for(lambda: {f"{day(1)}.CHECKSUM", f"{day(3)}.CHECKSUM"} <= names(tmp_path))
    asked = time.monotonic()
    os.kill(process.pid, how)
    printed, complaint = process.communicate(timeout=60)
    assert time.monotonic() - asked < 20  # the stalled connection alone would take thirty seconds
    if how == signal.SIGINT:
        assert (printed, complaint) == (b"interrupted\n", b"")
    whole = {name for name in names(tmp_path) if not name.endswith(".part")}
    assert whole == {day(1), f"{day(1)}.CHECKSUM", day(3), f"{day(3)}.CHECKSUM"}

    begun = part.stat().st_size
    report = run(archive, tmp_path, span=(date(2024, 2, 1), date(2024, 2, 4)))
    assert (len(report.present), len(report.fetched)) == (2, 1)
    assert (tmp_path / day(2)).read_bytes() == body
    assert archive.asked(day(2))[-1].headers["Range"] == f"bytes={begun}-"
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


class Interrupting(Progress):
    """Ctrl-C at the first file that is done, once `condition` holds."""

    def __init__(self, condition: Any) -> None:
        self.condition = condition

    @contextmanager
    def task(self, name: str, total: float | None = None, unit: str = "", before: float = 0.0) -> Iterator[Step]:
        def step(more: float) -> None:
            if threading.current_thread() is threading.main_thread():
                wait_for(self.condition)
                raise KeyboardInterrupt

        yield step


def test_after_an_interrupt_nothing_goes_on_in_the_background(archive: Any, tmp_path: Path) -> None:
    put_days(archive, range(3, 29))
    archive.put(day(2), bytes(1_000))
    archive.fail(day(2), drip=True)
    begun = Interrupting(lambda: archive.asked(day(2)))  # and day 1 is missing
    span = (date(2024, 2, 1), date(2024, 2, 29))
    with pytest.raises(KeyboardInterrupt):
        run(archive, tmp_path, span=span, workers=2, progress=begun, retry=Retry(timeout=60))
    wait_for(lambda: all(thread.name != "download" for thread in threading.enumerate()))
    assert not (tmp_path / day(28)).exists()


def wait_for(condition: Any) -> None:
    latest = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < latest
        time.sleep(0.02)


def test_an_archive_that_does_not_answer_is_said_at_once(archive: Any, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(LiqstratError, match=rf"{url} gives no answer: connection failed.*tried 2 times"):
            run(archive, tmp_path, base_url=url)


@pytest.mark.parametrize("url", ["data.binance.vision", "file:///etc", "ftp://x"])
def test_an_address_that_is_not_of_the_web_is_refused(archive: Any, tmp_path: Path, url: str) -> None:
    with pytest.raises(LiqstratError, match=r"base URL .* expected one that starts with https://"):
        run(archive, tmp_path, base_url=url)


def test_a_target_that_is_a_file_is_refused(archive: Any, tmp_path: Path) -> None:
    target = tmp_path / "downloads"
    target.write_text("")
    with pytest.raises(LiqstratError, match="expected a folder"):
        run(archive, target)
