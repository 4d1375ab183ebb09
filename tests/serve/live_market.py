"""A market as it runs: an exchange on loopback, a watch of it, and the pages of that."""

import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

from websockets.sync.client import connect

from tests.live.conftest import SYMBOL, cut_off, play

CUT = datetime(2024, 3, 2, 9, 57, tzinfo=UTC)


class Market:
    """An exchange, a watch of it in a folder with the history up to `CUT`, and the pages of that at `port`."""

    def __init__(self, folder: Path, archive: Path, database: Path, *arguments: str) -> None:
        self._folder, self.port = folder, 0
        cut_off(database, folder / "market.duckdb", CUT)
        (folder / "recorded" / SYMBOL).mkdir(parents=True)
        (folder / "recorded" / SYMBOL / "SIMULATED.json").write_text("{}")
        self.exchange, self._addresses = play(archive, "--start", CUT.isoformat(), *arguments)
        self.watch = self._watch()

    def _watch(self) -> Popen[str]:
        rest, streams = self._addresses
        command = [executable, "-m", "liqstrat", "watch", SYMBOL, "--db", "market.duckdb", "--port", str(self.port),
                   "--rest-url", rest, "--stream-url", streams]  # fmt: skip
        process = Popen(command, stderr=PIPE, text=True, cwd=self._folder)
        said = next(line for line in process.stderr or [] if "websockets" in line)
        self.port = int(said.split()[1].rstrip("/").rsplit(":", 1)[1])
        return process

    def kill_watch(self) -> None:
        """As when the machine goes down."""
        self.watch.kill()
        self.watch.communicate()

    def watch_again(self) -> None:
        self.watch = self._watch()

    def close(self) -> None:
        for process in (self.watch, self.exchange):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()

    def snapshot(self, kind: str) -> dict[str, Any]:
        """What a client gets that comes now."""
        with connect(f"ws://127.0.0.1:{self.port}/ws/{kind}/{SYMBOL}", max_size=None) as socket:
            found: dict[str, Any] = json.loads(socket.recv())
        return found
