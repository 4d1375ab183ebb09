"""A market quoted in USDC, from its files to a report: nothing says USDT there."""

import json
import re
import shutil
from pathlib import Path

import pytest

from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from tests.market.archive_files import METRICS_HEADER, ArchiveWriter, states, trade_lines
from tests.shell import Shell
from tests.usdc_market import SYMBOL, usdc_database

DB = ("--db", "catalog/market.duckdb")
#: A user's own words are left as they are.
WORDS = "beside my USDT account"
RUN = """\
name = "coins"
symbols = {symbols}
from = 2024-03-02
to = 2024-03-02T06:00:00
resolution = "1m"

[venue]
leverage = 20

[data]
warmup_days = 1

[report]
title = "{words}"

[[strategies]]
use = "RandomEntry"
params = {{ per_day = 200.0, hold_minutes = 20.0 }}
"""


@pytest.fixture(scope="module")
def renamed(simulated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SIMULATED market under another name."""
    return usdc_database(simulated_database, tmp_path_factory)


@pytest.fixture
def market(liqstrat: Shell, renamed: Path, tmp_path: Path) -> Shell:
    """The commands, in a folder whose catalog has the market."""
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "market.duckdb").symlink_to(renamed)
    return liqstrat


def test_the_account_is_in_usdc_and_nothing_says_usdt(market: Shell, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(RUN.format(symbols=[SYMBOL], words=WORDS))
    done = market("backtest", "run.toml")
    assert done.code == 0, done.err
    assert "fees, USDC" in done.out
    assert "USDT" not in done.out + done.err
    (folder,) = (tmp_path / "results").glob("coins-*")
    run = json.loads((folder / "run.json").read_text())
    assert run["quote"] == "USDC"
    assert json.loads((folder / "metrics.json").read_text())["trades"] > 0
    assert "USDT" not in (folder / "run.json").read_text().replace(WORDS, "")
    page = (folder / "report.html").read_text()
    assert f"<h1>{WORDS} " in page
    page = page.replace(WORDS, "")
    assert "equity, USDC" in page
    assert "P&amp;L, USDC" in page
    assert not re.findall(r".{40}USDT.{20}", page)
    shutil.copytree(folder, tmp_path / "again")
    other = market("compare", str(folder), "again", "--out", "compare.html")
    assert other.code == 0, other.err
    assert "USDT" not in (tmp_path / "compare.html").read_text().replace(WORDS, "")


def test_levels_heatmaps_and_scores_say_usdc(market: Shell, tmp_path: Path) -> None:
    printed = market("levels", SYMBOL, *DB)
    assert " USDC)" in printed.out
    assert market("heatmap", SYMBOL, "--from", "2024-03-02", "--out", "maps.html", *DB).code == 0
    scored = market("score", SYMBOL, "--out", "score.html", *DB)
    assert scored.code == 0, scored.err
    told = market("price", "60000", "--symbol", SYMBOL).out
    assert "10,000 USDC" in told
    assumed = f"{SYMBOL} has none here; those of {SYMBOL.replace('USDC', 'USDT')} "
    assert assumed in " ".join(told.split())
    told = " ".join(told.split()).replace(assumed, "")
    pages = "".join((tmp_path / name).read_text() for name in ("maps.html", "score.html"))
    assert "USDC per" in pages
    assert "USDT" not in printed.out + scored.out + told + pages


def test_one_account_is_in_one_currency(liqstrat: Shell, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(RUN.format(symbols=["BTCUSDC", "BTCUSDT"], words=WORDS))
    refused = liqstrat("backtest", "run.toml")
    assert refused.code == 1
    assert "BTCUSDC in USDC, BTCUSDT in USDT" in refused.err


def test_files_and_brackets_of_usdc_markets_go_in(tmp_path: Path) -> None:
    write_archive, database = ArchiveWriter(tmp_path), tmp_path / "market.duckdb"
    brackets = [{"symbol": SYMBOL, "brackets": [_bracket(0, 7_000, 0.004, 125), _bracket(7_000, 90_000, 0.005, 100)]}]
    (tmp_path / "2024-03-01.json").write_text(json.dumps(brackets))
    files = [
        write_archive(f"{SYMBOL}-aggTrades-2024-03-01.zip", trade_lines(50)),
        write_archive(
            f"{SYMBOL}-metrics-2024-03-01.zip", [METRICS_HEADER, f"2024-03-01 00:05:00,{SYMBOL},50,3000000,1,1,1,1"]
        ),
        tmp_path / "2024-03-01.json",
    ]
    assert states(ingest(files, database)) == ["loaded"] * 3
    with open_store(database) as store:
        (table,) = store.brackets(SYMBOL)
        assert (table.contract.quote, table.floors.tolist()) == ("USDC", [0, 7_000])


def _bracket(floor: float, cap: float, rate: float, leverage: int) -> dict[str, float]:
    cum = round(floor * 0.001, 6)
    return {
        "bracket": 1, "notionalFloor": floor, "notionalCap": cap, "maintMarginRatio": rate, "cum": cum,
        "initialLeverage": leverage,
    }  # fmt: skip
