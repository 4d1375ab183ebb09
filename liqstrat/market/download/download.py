"""Many files of the archive at once."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread

from liqstrat.errors import LiqstratError
from liqstrat.market.download.answers import StoppedError
from liqstrat.market.download.fetch import Place, fetch
from liqstrat.market.download.plan import KINDS, ArchiveFile, plan
from liqstrat.market.download.report import DownloadReport, FileReport
from liqstrat.market.download.transport import Archive, Retry
from liqstrat.progress import SILENT, Progress, Step

_Bring = Callable[[ArchiveFile], FileReport]
_Todo = SimpleQueue[ArchiveFile | None]
_Done = SimpleQueue[FileReport | Exception]
_FAREWELL_SECONDS = 0.5


def download(
    symbols: Sequence[str],
    start: date,
    end: date,
    target: Path,
    kinds: Sequence[str] = tuple(KINDS),
    base_url: str = "https://data.binance.vision",
    interval: str = "1m",
    workers: int = 4,
    progress: Progress = SILENT,
    *,
    refresh: bool = False,
    retry: Retry = Retry(),  # noqa: B008  frozen
) -> DownloadReport:
    """Bring the archive's files for the days from `start` up to but without `end` below `target`, as the archive lays
    them out (see `plan`), each with its .CHECKSUM.

    A file counts, and has its name, once its SHA-256 is right; until then it ends in `.part`, with which a later
    call goes on. What is there and verified costs no request, unless `refresh` asks whether the archive has corrected
    it. A month the archive does not have, or not as its checksum says, is taken day by day. A file that is missing or
    fails does not stop the others: the report says so. Ctrl-C leaves verified files and `.part` files, nothing else.

    Raises LiqstratError for a symbol, kind, interval, range, URL or folder that cannot be, and when the archive gives
    no answer at all.
    """
    if workers < 1:
        raise LiqstratError(f"workers is {workers}, expected at least 1")
    stop = Event()
    archive = Archive(base_url, retry, stop)
    files = plan(symbols, start, end, kinds, interval, held=lambda file: Place(target, file).held())
    _make_folder(target)
    with progress.task("download", total=sum(file.days for file in files), unit="days") as step:
        meter = _Meter(step)

        def bring(file: ArchiveFile) -> FileReport:
            return fetch(file, archive, target, refresh=refresh, reached=meter.of(file))

        reports = []
        with _staff(bring, workers, stop) as (todo, done):
            for report in _brought(files, todo, done):
                if report.state == "failed" and archive.silent:
                    raise LiqstratError(f"{archive.base_url} gives no answer: {report.reason}")
                reports.append(report)
                meter.of(report.file)(1.0)
    order = {(symbol, kind): (i, j) for i, symbol in enumerate(symbols) for j, kind in enumerate(kinds)}
    reports.sort(key=lambda report: (order[report.file.symbol, report.file.kind], report.file.first))
    return DownloadReport(target, tuple(reports))


class _Meter:
    """Turns the shares of files that have come into days done; a file that starts anew does not count back."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._lock = Lock()
        self._shown: dict[str, float] = {}

    def of(self, file: ArchiveFile) -> Step:
        def reached(share: float, told: str = "") -> None:
            with self._lock:
                before = self._shown.get(file.path, 0.0)
                if share > before:
                    self._shown[file.path] = share
                    self._step((share - before) * file.days)

        return reached


def _brought(files: Sequence[ArchiveFile], todo: _Todo, done: _Done) -> Iterator[FileReport]:
    """Reports as they come; a month that cannot be had is followed by those of its days instead."""
    for file in files:
        todo.put(file)
    pending = len(files)
    while pending:
        outcome = done.get()
        pending -= 1
        if isinstance(outcome, Exception):
            raise outcome
        by_day = outcome.file.instead if outcome.state == "missing" or outcome.unusable else ()
        for day in by_day:
            todo.put(day)
        pending += len(by_day)
        if outcome.state != "missing" or not by_day:
            yield outcome


@contextmanager
def _staff(bring: _Bring, workers: int, stop: Event) -> Iterator[tuple[_Todo, _Done]]:
    """Threads that take files from the one queue and put reports into the other, sent home at the end."""
    todo: _Todo = SimpleQueue()
    done: _Done = SimpleQueue()
    # Daemons, not an executor: that would wait at exit for a thread stuck in a connection that has stalled. One
    # that is left behind can write to nothing: it looks at `stop` after every read.
    threads = [
        Thread(target=_work, args=(bring, todo, done, stop), name="download", daemon=True) for _ in range(workers)
    ]
    try:
        for thread in threads:
            thread.start()
        yield todo, done
    finally:
        stop.set()
        for _ in threads:
            todo.put(None)
        latest = time.monotonic() + _FAREWELL_SECONDS
        for thread in filter(Thread.is_alive, threads):
            thread.join(max(0.0, latest - time.monotonic()))


def _work(bring: _Bring, todo: _Todo, done: _Done, stop: Event) -> None:
    while (file := todo.get()) is not None and not stop.is_set():
        try:
            done.put(bring(file))
        except StoppedError:
            return
        except Exception as bug:  # for the main thread, which would wait for this file for ever
            done.put(bug)


def _make_folder(target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise LiqstratError(f"{target}: expected a folder to download to: {problem.strerror}") from None
