"""Record a SIMULATED market for long, from an exchange on loopback with faults, and see that memory stays flat.

`python -m tests.benchmarks.soak --minutes 60` says each minute how it goes, and at the end what was lost and what it
took. It fails where a trade is missing or twice, where a liquidation is missing outside of what was told as a gap, or
where memory has grown.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from liqstrat.market.simulator import simulate
from tests.live.exchange import History

_SYMBOL = "BTCUSDT"
_BEGIN = datetime(2024, 3, 1, 1)
#: Memory may differ by so much between the end of the first tenth and the end.
_GROWTH = 1.1
_SAMPLES_A_MINUTE = 6


def main(
    minutes: Annotated[float, typer.Option(min=1.0, help="How long.")] = 60.0,
    speed: Annotated[float, typer.Option(help="How many times as fast as it was.")] = 20.0,
    cut: Annotated[float, typer.Option(help="The streams are cut each so many seconds.")] = 60.0,
    ban: Annotated[int, typer.Option(help="Each so many-th request is refused, 429 and 418 by turns.")] = 40,
) -> None:
    """Record from an exchange with faults, at low priority, and check what was recorded.

    Example: python -m tests.benchmarks.soak --minutes 60
    """
    with tempfile.TemporaryDirectory(prefix="liqstrat-soak-") as aside:
        market, folder = Path(aside) / "market", Path(aside) / "recorded"
        days = 1 + int((timedelta(minutes=minutes * speed) + timedelta(hours=2)) / timedelta(days=1))
        simulate(market, _SYMBOL, days=days, seed=3)
        faults = f"cut={cut},duplicates,reordered,malformed,ban={ban}"
        played = ("tests.live.exchange", str(market), "--speed", str(speed), "--faults", faults)
        with _running(*played, "--start", _BEGIN.isoformat()) as exchange:
            assert exchange.stdout is not None
            port = int(exchange.stdout.readline())
            addresses = ("--rest-url", f"http://127.0.0.1:{port}", "--stream-url", f"ws://127.0.0.1:{port}/market")
            length = ("--for", f"{round(minutes * 60)}s")
            record = ("liqstrat", "record", _SYMBOL, "--to-folder", str(folder), *addresses, *length)
            with _running(*record) as recorder:
                memory, seconds = _watch(recorder)
        right = _check(History.read(market, _SYMBOL), folder)
    first = memory[min(max(len(memory) // 10, _SAMPLES_A_MINUTE), len(memory) - 1)]
    print(
        f"memory of the recorder: {first:.1f} MB after a tenth of the time or a minute, {max(memory):.1f} at most, "
        f"{memory[-1]:.1f} at the end; {seconds:.0f} s of processor time"
    )
    if not right or memory[-1] > first * _GROWTH:
        raise typer.Exit(1)


@contextmanager
def _running(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = ["nice", "-n", "10", sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _watch(process: subprocess.Popen[str]) -> tuple[list[float], float]:
    """Memory (MB) over time until the process ends, and the processor time it took."""
    memory, seconds = [], 0.0
    while process.poll() is None:
        status, times = (Path(f"/proc/{process.pid}/{name}").read_text() for name in ("status", "stat"))
        found = [line for line in status.splitlines() if line.startswith("VmRSS")]
        if found:
            memory.append(int(found[0].split()[1]) / 1024)
            # User and system time, in hundredths of a second.
            seconds = sum(map(int, times.rpartition(")")[2].split()[11:13])) / 100
        if len(memory) % _SAMPLES_A_MINUTE == 1:
            print(f"minute {len(memory) // _SAMPLES_A_MINUTE}: {memory[-1]:.1f} MB", flush=True)
        time.sleep(60 / _SAMPLES_A_MINUTE)
    return memory, seconds


def _check(history: History, folder: Path) -> bool:
    """Say what was recorded of what happened; whether nothing is missing that was not told."""
    found = [entry["a"] for entry in _recorded(folder, "aggTrades")]
    whole = found == list(range(found[0], found[0] + len(found)))
    times = {trade["a"]: trade["T"] for trade in history.trades}
    begin, end = times[found[0]], times[found[-1]]
    gaps = [json.loads(line) for line in (folder / "gaps.txt").read_text().splitlines()]
    there = {json.dumps(frame["o"], sort_keys=True) for frame in _recorded(folder, "forceOrder")}
    happened = [order for order in history.liquidations if begin < order["T"] < end]
    missing = [order for order in happened if json.dumps(order, sort_keys=True) not in there]
    untold = [order for order in missing if not any(_inside(order["T"], gap) for gap in gaps)]
    print(
        f"{len(found):,} trades in order, each once: {'yes' if whole else 'NO'}; {len(happened) - len(missing):,} of "
        f"{len(happened):,} liquidations, {len(untold)} of the missing outside of the {len(gaps)} gaps told"
    )
    return whole and not untold


def _recorded(folder: Path, kind: str) -> Iterator[dict[str, int]]:
    for path in sorted(folder.rglob(f"{_SYMBOL}-{kind}-*.jsonl")):
        yield from (json.loads(line) for line in path.read_text().splitlines())


def _inside(at: int, gap: dict[str, str]) -> bool:
    # Frames are stamped some milliseconds after what they tell of.
    begin, end = (datetime.fromisoformat(gap[key]).timestamp() * 1000 for key in ("from", "to"))
    return begin - 5_000 <= at <= end


if __name__ == "__main__":
    typer.run(main)
