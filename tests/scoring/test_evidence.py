"""What is read from a database, and what is said where something is missing."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.schema import create_tables
from liqstrat.market.store import open_store
from liqstrat.scoring.evidence import recorded, require_liquidations
from liqstrat.scoring.history import score_history
from liqstrat.scoring.run_verdict import verdict_on_run
from tests.history import START, START_US, open_interest_every, random_trades, write_history

DAY = timedelta(days=1)
MODELS: dict[str, Any] = {"conserving": ModelSettings()}


def add_liquidations(path: Path, rows: list[tuple[datetime, str, float, float, float | None, str]]) -> Path:
    """Rows of time, side of the order, quantity, price, average price and status."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_tables(connection, "liquidations")
        for time, *rest in rows:
            connection.execute(
                "insert into liquidation_history by name select ?::timestamp as timestamp, 'BTCUSDT' as symbol, "
                "? as side, ? as quantity, ? as price, ? as average_price, ? as status",
                [time.replace(tzinfo=None), *rest],
            )
    return path


def history(folder: Path, hours: float = 6, **parts: Any) -> Path:
    interest = open_interest_every(5, hours) if parts.get("interest", True) else {}
    return write_history(folder / "h.duckdb", random_trades(hours=hours), interest)


def test_an_order_counts_once_whatever_its_rows_say(tmp_path: Path) -> None:
    at = START + timedelta(hours=1)
    rows = [
        (at, "sell", 1.5, 59_000.0, 59_500.0, "FILLED"),
        (at, "sell", 1.5, 59_000.0, 59_500.0, "FILLED"),
        (at, "sell", 1.5, 59_000.0, None, "PARTIALLY_FILLED"),
        (at, "buy", 2.0, 61_000.0, 60_500.0, "FILLED"),
    ]
    with open_store(add_liquidations(history(tmp_path), rows)) as store:
        found = recorded(store, "BTCUSDT", START, START + DAY)
    assert (found.rows, found.twice, found.seconds, found.crowded, found.unpriced) == (4, 2, 1, 1, 0)
    both = found.liquidations
    assert sorted(zip(both.long.tolist(), both.price.tolist(), both.contracts.tolist(), strict=True)) == [
        (False, 60_500.0, 2.0),
        (True, 59_500.0, 1.5),
    ]
    assert "2 of 4 rows repeat an order" in " ".join(found.remarks())
    assert "at most one a second" in found.remarks()[0]


def test_without_a_price_of_execution_the_last_trade_tells_where_it_happened(tmp_path: Path) -> None:
    trades = random_trades(hours=6)
    at_us = START_US + 3 * 3_600_000_000 + 123_000
    at = START + timedelta(microseconds=at_us - START_US)
    with open_store(add_liquidations(history(tmp_path), [(at, "SELL", 1.0, 50_000.0, 0.0, "FILLED")])) as store:
        found = recorded(store, "BTCUSDT", START, START + DAY)
    assert found.liquidations.price[0] == trades.price[np.flatnonzero(trades.time_us <= at_us)[-1]]
    assert found.unpriced == 1
    assert "no price of execution" in " ".join(found.remarks())


def test_no_liquidations_in_the_range_names_what_there_is_and_where_they_come_from(tmp_path: Path) -> None:
    path = add_liquidations(history(tmp_path), [(START + 9 * DAY, "sell", 1.0, 50_000.0, 50_000.0, "FILLED")])
    with open_store(path) as store, pytest.raises(LiqstratError) as failed:
        require_liquidations(store, "BTCUSDT", START, START + DAY)
    for said in ("no liquidations of BTCUSDT", "from 2024-03-10 00:00 to 2024-03-10", "forceOrder", "liqstrat ingest"):
        assert said in str(failed.value)


def test_without_any_liquidations_there_are_none_at_all(tmp_path: Path) -> None:
    with open_store(history(tmp_path)) as store, pytest.raises(LiqstratError, match="there are none at all"):
        score_history(store, "BTCUSDT", None, None, MODELS, warmup=DAY, every=timedelta(hours=1))


def test_without_open_interest_levels_cannot_be_scored(tmp_path: Path) -> None:
    path = add_liquidations(
        history(tmp_path, interest=False), [(START + timedelta(hours=1), "sell", 1.0, 5e4, 5e4, "FILLED")]
    )
    with open_store(path) as store, pytest.raises(LiqstratError, match="no open interest of BTCUSDT"):
        score_history(store, "BTCUSDT", None, None, MODELS, warmup=DAY, every=timedelta(hours=1))


def test_one_day_is_too_little(tmp_path: Path) -> None:
    rows = [(START + timedelta(hours=h), "sell", 1.0, 5e4, None, "FILLED") for h in range(1, 6)]
    with open_store(add_liquidations(history(tmp_path), rows)) as store:
        with pytest.raises(LiqstratError, match="on 1 day, expected at least 2"):
            score_history(store, "BTCUSDT", None, None, MODELS, warmup=DAY, every=timedelta(hours=1))
        told = verdict_on_run(store, "BTCUSDT", ModelSettings(), START, START + DAY, DAY)
    assert told["words"] == "not scored"
    assert "on 1 day" in told["reason"]


def test_a_run_without_a_record_says_why_its_levels_were_not_scored(tmp_path: Path) -> None:
    with open_store(history(tmp_path)) as store:
        told = verdict_on_run(store, "BTCUSDT", ModelSettings(kind="oi_candle"), START, START + DAY, DAY)
    assert (told["symbol"], told["model"], told["words"]) == ("BTCUSDT", "oi_candle", "not scored")
    assert "no liquidations" in told["reason"]
