"""The catalog's instrument: the exchange's tick, step and limits, but never coarser than the history."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from nautilus_trader.model import NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog

from liqstrat.app import run_backtest
from liqstrat.catalog.build import CatalogReport, build_catalog
from liqstrat.catalog.instruments import instrument_id
from liqstrat.errors import LiqstratError
from liqstrat.market.store import open_store
from tests.backtest.runs import run_file
from tests.history import START, open_interest_every, random_trades, write_history
from tests.shell import Shell

BTC = str(instrument_id("BTCUSDT"))


@pytest.fixture
def history(ten_hours: Path, tmp_path: Path) -> Path:
    """Prices with one decimal, quantities with three."""
    return Path(shutil.copy(ten_hours, tmp_path / "market.duckdb"))


@pytest.fixture(scope="module")
def ten_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "market.duckdb"
    return write_history(path, random_trades(10), open_interest_every(5, 10))


def load(liqstrat: Shell, database: Path, day: datetime, **market: str) -> None:
    """The exchange's word on BTCUSDT, by the command that a user types."""
    known = {"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "tick": "0.10", "step": "0.001"} | market
    entry: dict[str, Any] = {
        "symbol": known["symbol"],
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": known["base"],
        "quoteAsset": known["quote"],
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": known["tick"]},
            {"filterType": "LOT_SIZE", "stepSize": known["step"], "minQty": "0.002", "maxQty": "1000"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": known["step"], "minQty": "0.002", "maxQty": "120"},
            {"filterType": "MIN_NOTIONAL", "notional": "50"},
        ],
    }
    info = database.with_name(f"exchangeInfo-{day:%Y-%m-%d}.json")
    info.write_text(json.dumps({"serverTime": int(day.timestamp() * 1000), "symbols": [entry]}))
    done = liqstrat("instruments", "--exchange-info", str(info), "--db", str(database))
    assert done.code == 0, done.err


def build(history: Path, **span: datetime) -> CatalogReport:
    with open_store(history) as store:
        return build_catalog(store, "BTCUSDT", history.parent / "nautilus", **span)


def instrument(history: Path) -> Any:
    (found,) = ParquetDataCatalog(str(history.parent / "nautilus")).instruments()
    return found


def make_finer(history: Path) -> None:
    with duckdb.connect(str(history)) as connection:
        connection.execute("update aggtrades_history set price = price + 0.01 where agg_trade_id = 1000")


def test_tick_step_and_limits_are_those_of_the_exchange(history: Path, liqstrat: Shell) -> None:
    load(liqstrat, history, START, tick="0.010", step="0.0001")
    report = build(history)
    found = instrument(history)
    assert (found.price_precision, found.size_precision) == (2, 4)
    assert (report.price_decimals, report.size_decimals, report.notes) == (2, 4, ())
    assert found.price_increment.as_decimal() == Decimal("0.01")
    assert found.size_increment.as_decimal() == Decimal("0.0001")
    assert found.min_quantity.as_decimal() == Decimal("0.002")
    assert str(found.min_notional) == "50.00000000 USDT"
    trades = ParquetDataCatalog(str(history.parent / "nautilus")).query(NautilusDataType.TradeTick, [BTC])
    assert {(trade.price.precision, trade.size.precision) for trade in trades} == {(2, 4)}


def test_a_tick_that_is_no_power_of_ten_is_kept(history: Path, liqstrat: Shell) -> None:
    load(liqstrat, history, START, tick="0.5")
    build(history)
    found = instrument(history)
    assert (found.price_precision, found.price_increment.as_decimal()) == (1, Decimal("0.5"))


def test_history_with_finer_prices_than_the_tick_keeps_its_decimals_and_says_so(history: Path, liqstrat: Shell) -> None:
    load(liqstrat, history, datetime(2026, 9, 30, tzinfo=UTC))
    assert build(history).notes == ()
    make_finer(history)
    report = build(history)
    note = "BTCUSDT: prices have 2 decimals, finer than the tick 0.1 of 2026-09-30"
    assert (report.price_decimals, report.notes) == (2, (note,))
    assert instrument(history).price_increment.as_decimal() == Decimal("0.01")
    printed = liqstrat("catalog", "BTCUSDT", "--db", str(history), "--catalog", str(history.parent / "nautilus"))
    assert f"note: {note}" in printed.out


def test_a_backtest_has_the_finer_prices_among_its_notes(history: Path, liqstrat: Shell) -> None:
    load(liqstrat, history, START)
    make_finer(history)
    run = run_file(history.parent, history, hours=4, start_hours=1)
    folder = run_backtest(run, history.parent / "results")
    note = "BTCUSDT: prices have 2 decimals, finer than the tick 0.1 of 2024-03-01"
    assert note in json.loads((folder / "run.json").read_text())["notes"]
    assert note in (folder / "report.html").read_text()


def test_the_limits_are_those_of_the_day_and_the_decimals_those_of_all_days(history: Path, liqstrat: Shell) -> None:
    """Else backtests of two years would write the same catalog anew by turns."""
    load(liqstrat, history, START - timedelta(days=100), tick="0.01", step="0.01")
    load(liqstrat, history, START + timedelta(days=100))
    early = build(history, end=START + timedelta(hours=5))
    assert early.notes == ("BTCUSDT: quantities have 3 decimals, finer than the step 0.01 of 2023-11-22",)
    files = sorted((history.parent / "nautilus" / "data" / "trades").rglob("*.parquet"))
    before = [path.stat().st_mtime_ns for path in files]
    late = build(history)
    assert (late.days_written, late.notes) == (0, ())
    assert [path.stat().st_mtime_ns for path in files] == before
    assert {pq.read_schema(path).metadata[b"price_precision"] for path in files} == {b"2"}


def test_a_market_that_is_quoted_in_another_coin_is_refused(history: Path, liqstrat: Shell) -> None:
    load(liqstrat, history, START, quote="USDC")
    with pytest.raises(LiqstratError, match='"BTCUSDT" is not quoted in USDT'):
        build(history)
    assert not (history.parent / "nautilus").exists()
