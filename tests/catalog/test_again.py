"""A second build looks only at what can have changed, and at everything that can."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from nautilus_trader.model import NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog

from liqstrat.catalog.build import CatalogReport, build_catalog
from liqstrat.catalog.instruments import instrument_id
from liqstrat.market.store import open_store
from liqstrat.progress import Progress, Step
from tests.history import START, open_interest_every, random_trades, write_history

DAY = timedelta(days=1)
AN_HOUR_AGO = time.time() - 3600


class Watched(Progress):
    """How many trades each build had to look at; none where it had nothing to do."""

    def __init__(self) -> None:
        self.totals: list[float | None] = []

    @contextmanager
    def task(self, name: str, total: float | None = None, unit: str = "", before: float = 0.0) -> Iterator[Step]:
        self.totals.append(total)
        yield lambda more: None


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = write_history(tmp_path / "market.duckdb", random_trades(48, a_minute=2), open_interest_every(60, 48))
    settle(path)
    return path


def settle(path: Path, at: float = AN_HOUR_AGO) -> None:
    """As if nobody had written to the file since."""
    os.utime(path, (at, at))


def build(history: Path, **span: object) -> tuple[CatalogReport, list[float | None]]:
    watched = Watched()
    with open_store(history, files=[history.parent]) as store:
        report = build_catalog(store, "BTCUSDT", history.parent / "nautilus", progress=watched, **span)  # type: ignore[arg-type]
    return report, watched.totals


def change(history: Path, sql: str) -> None:
    with duckdb.connect(str(history)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(sql)


def prices(history: Path) -> list[object]:
    catalog = ParquetDataCatalog(str(history.parent / "nautilus"))
    return [t.price.as_decimal() for t in catalog.query(NautilusDataType.TradeTick, [str(instrument_id("BTCUSDT"))])]


def test_nothing_is_looked_at_while_the_database_is_the_same_file(history: Path) -> None:
    first, looked = build(history)
    assert looked == [5760]
    again, looked = build(history)
    assert looked == []
    assert (again.days_written, again.days_kept, again.rows) == (0, first.days_written, first.rows)


def test_a_backtest_of_a_day_looks_at_that_day_only(history: Path) -> None:
    _, looked = build(history, start=START + timedelta(hours=25), end=START + timedelta(hours=30))
    with open_store(history) as store:
        (day,) = (
            store.connection.execute(f"select count(*) from ({store.trades_sql('BTCUSDT', START + DAY)})").fetchone()
            or ()
        )
    assert looked == [day]
    assert day < 5760
    _, looked = build(history, start=START + timedelta(hours=25), end=START + timedelta(hours=30))
    assert looked == []


def test_a_change_of_the_database_is_looked_for_on_every_day(history: Path) -> None:
    build(history)
    change(history, "update aggtrades_history set price = price + 1 where agg_trade_id = 5000")
    settle(history, AN_HOUR_AGO + 60)
    before = prices(history)
    report, looked = build(history)
    assert (looked, report.days_written) == ([5760], 1)
    assert [after - was for after, was in zip(prices(history), before, strict=True) if after != was] == [1]
    assert build(history)[1] == []


def test_finer_prices_are_noticed_on_days_that_are_not_asked_for(history: Path) -> None:
    """What an instrument is like may not depend on which days somebody has looked at before."""
    build(history, end=START + DAY)
    change(history, "update aggtrades_history set price = price + 0.01 where agg_trade_id = 5000")
    settle(history, AN_HOUR_AGO + 60)
    report, _ = build(history, end=START + DAY)
    assert (report.price_decimals, report.days_written) == (2, 1)


def test_a_file_that_was_written_just_now_is_looked_at_again(history: Path) -> None:
    settle(history, time.time())
    build(history)
    assert build(history)[1] == [5760]


def test_views_of_other_files_are_looked_at_again(history: Path) -> None:
    """Their rows change without the database's file."""
    aside = history.parent / "trades.parquet"
    change(history, f"copy aggtrades_history to '{aside}'")
    change(history, "drop table aggtrades_history")
    change(history, f"create view aggtrades_history as select * from read_parquet('{aside}')")
    settle(history)
    build(history)
    with duckdb.connect() as connection:
        rows = f"select * replace (price + 1 as price) from read_parquet('{aside}')"
        connection.execute(f"copy ({rows}) to '{aside}.new' (format parquet)")
    os.replace(f"{aside}.new", aside)
    before = prices(history)
    assert build(history)[0].days_written == 2
    assert [after - was for after, was in zip(prices(history), before, strict=True)] == [1] * 5760


def test_a_catalog_of_an_older_version_is_written_anew(history: Path) -> None:
    build(history)
    manifest = history.parent / "nautilus" / "manifest" / "BTCUSDT.json"
    manifest.write_text('{"version": 1, "price_decimals": 1, "size_decimals": 3, "days": {"2024-03-01": {"rows": {}}}}')
    assert build(history, start=START + DAY)[0].days_written == 3
    assert build(history)[1] == []
