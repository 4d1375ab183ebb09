"""Somebody who trades on paper, in a folder of his own, by the commands."""

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

from tests.live.conftest import SYMBOL, cut_off

RUN = """
name = "chance"
symbols = [{symbols}]
from = "2024-03-02"
to = "2024-03-03"
[data]
db = "market.duckdb"
catalog = "nautilus"
[model]
bin_width = 0.001
[[strategies]]
use = "RandomEntry"
params = {{per_day = 600, stop = 0.002}}
[[strategies]]
use = "RandomEntry"
params = {{per_day = 1000, stop = 0.04, seed = 7}}
[[strategies]]
use = "LevelMagnet"
[[strategies]]
use = "be_paid:BePaid"
params = {{risk = 0.001}}
"""
#: Acts upon a funding rate as soon as it is known.
BE_PAID = """
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.strategy import LevelStrategy


class BePaid(LevelStrategy):
    class Params(StrategyParams):
        pass

    def on_begin(self):
        self.rate = self.funding

    def on_price(self, price):
        if self.funding != self.rate and self.funding == self.funding:
            side, away = ("long", 0.03) if self.funding < 0 else ("short", -0.03)
            if self.enter(side, stop=price * (1 - away), target=price * (1 + away)):
                self.rate = self.funding
"""


class Desk:
    """Has the history up to a moment, and addresses of an exchange that goes on from there."""

    def __init__(
        self,
        folder: Path,
        database: Path,
        addresses: tuple[str, str],
        cut: datetime,
        symbols: Sequence[str] = (SYMBOL,),
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.session = folder, folder / "paper/chance"
        cut_off(database, folder / "market.duckdb", cut)
        self.run = RUN.format(symbols=", ".join(f'"{symbol}"' for symbol in symbols))
        (folder / "run.toml").write_text(self.run)
        (folder / "be_paid.py").write_text(BE_PAID)
        for symbol in symbols:
            (folder / "recorded" / symbol).mkdir(parents=True)
            # So that what is recorded from a simulated market counts as such.
            (folder / "recorded" / symbol / "SIMULATED.json").write_text("{}")
        self._addresses = ["--rest-url", addresses[0], "--stream-url", addresses[1]]

    def start(self, *arguments: str) -> Popen[str]:
        command = [executable, "-m", "liqstrat", "paper", "run.toml", *self._addresses, *arguments]
        return Popen(command, stdout=PIPE, stderr=PIPE, text=True, cwd=self.folder)

    def rows(self, name: str) -> list[dict[str, Any]]:
        path = self.session / name
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def now(self) -> dict[str, Any]:
        path = self.session / "now.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def wait(self, process: Popen[str], what: Callable[[], object]) -> None:
        latest = time.monotonic() + 300
        while not what():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < latest, "it does not come"
            time.sleep(0.1)

    def wait_for_orders(self, process: Popen[str], orders: int) -> None:
        self.wait(process, lambda: len(self.rows("intents.jsonl")) >= orders)

    def parity(self) -> dict[str, Any]:
        return self.says("parity", "run.toml")

    def says(self, *arguments: str) -> dict[str, Any]:
        """What a command says in JSON."""
        command = [executable, "-m", "liqstrat", *arguments, "--json"]
        process = Popen(command, stdout=PIPE, stderr=PIPE, text=True, cwd=self.folder)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0 or out, err
        found: dict[str, Any] = json.loads(out)
        return found
