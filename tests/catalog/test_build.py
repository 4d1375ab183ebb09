"""The catalog holds exactly the history, is read by Nautilus itself, and is rebuilt only where the history changed."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from nautilus_trader.model import AggressorSide, NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog

from liqstrat.backtest.levels.tape import read_tape
from liqstrat.catalog import side_by_side
from liqstrat.catalog.build import CatalogReport, build_catalog
from liqstrat.catalog.columns import stored_trades
from liqstrat.catalog.history import in_order
from liqstrat.catalog.instruments import instrument_id, minute_bars
from liqstrat.catalog.open_interest import OpenInterest, read_open_interest
from liqstrat.catalog.perpetual import Precision
from liqstrat.errors import LiqstratError
from liqstrat.market.ingest import ingest
from liqstrat.market.schema import create_tables
from liqstrat.market.store import open_store
from liqstrat.progress import SILENT, Progress, Step
from tests.history import START, START_US, open_interest_every, random_trades, write_history

BTC = str(instrument_id("BTCUSDT"))
DAY = timedelta(days=1)
DAY_NS = 86_400_000_000_000


NAUTILUS_KINDS = (
    (NautilusDataType.TradeTick, BTC),
    (NautilusDataType.Bar, str(minute_bars("BTCUSDT"))),
    (NautilusDataType.FundingRateUpdate, BTC),
    (NautilusDataType.Custom("OpenInterest"), BTC),
)


@pytest.fixture
def history(three_days: Path, tmp_path: Path) -> Path:
    """Three days of trades and open interest, and funding with the exchange's jitter."""
    return Path(shutil.copy(three_days, tmp_path / "market.duckdb"))


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "market.duckdb"
    write_history(path, random_trades(72, a_minute=2), open_interest_every(60, 72))
    rates = {START + timedelta(hours=8 * i): f"{i / 10_000:.8f}" for i in range(1, 9)}
    jitter = [timedelta(milliseconds=ms) for ms in (0, 3, 11, -2, 0, 999, 1, 5)]
    with changing(path) as connection:
        create_tables(connection, "funding")
        for (moment, rate), late in zip(rates.items(), jitter, strict=True):
            connection.execute(
                "insert into funding_rate_history values (?, 'BTCUSDT', ?::decimal(18,8), 8)",
                [(moment + late).replace(tzinfo=None), rate],
            )
    return path


@contextmanager
def changing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def build(history: Path, symbol: str = "BTCUSDT", progress: Progress = SILENT, **span: datetime) -> CatalogReport:
    with open_store(history) as store:
        return build_catalog(store, symbol, history.parent / "nautilus", progress=progress, **span)


def nautilus(history: Path) -> ParquetDataCatalog:
    return ParquetDataCatalog(str(history.parent / "nautilus"))


def everything(history: Path) -> list[list[object]]:
    """All that Nautilus finds in the catalog, by kind."""
    found = [nautilus(history).query(kind, [name]) for kind, name in NAUTILUS_KINDS]
    return [*found[:3], [(item.data.ts_init, item.data.contracts) for item in found[3]]]


def files(history: Path) -> dict[str, int]:
    """Every data file with the time of its last change."""
    data = history.parent / "nautilus" / "data"
    return {str(path.relative_to(data)): path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}


def rows(history: Path, sql: str) -> list[tuple[object, ...]]:
    with changing(history) as connection:
        return connection.execute(sql).fetchall()


def test_nautilus_reads_back_every_trade_exactly(history: Path) -> None:
    report = build(history)
    trades = nautilus(history).query(NautilusDataType.TradeTick, [BTC])
    told = [
        (
            int(str(trade.trade_id)),
            trade.ts_event // 1000,
            trade.price.as_decimal(),
            trade.size.as_decimal(),
            "buy" if trade.aggressor_side == AggressorSide.BUY else "sell",
        )
        for trade in trades
    ]
    assert told == rows(
        history,
        "select agg_trade_id, epoch_us(timestamp), price, quantity, side from aggtrades_history order by timestamp, 1",
    )
    assert report.rows["trades"] == len(trades) == 8640


def test_trades_that_lie_in_the_table_in_no_order_are_put_in_order(history: Path) -> None:
    """Day files are loaded in any order, and other people's collectors write as they please."""
    build(history)
    files = sorted((history.parent / "nautilus" / "data" / "trades").rglob("*.parquet"))
    ordered = [pq.read_table(path) for path in files]
    bars = nautilus(history).query(NautilusDataType.Bar, [str(minute_bars("BTCUSDT"))])
    with changing(history) as connection:
        connection.execute("create table other as from aggtrades_history order by agg_trade_id > 5000, hash(timestamp)")
        connection.execute("drop table aggtrades_history")
        connection.execute("alter table other rename to aggtrades_history")
    shutil.rmtree(history.parent / "nautilus")
    report = build(history)
    assert report.rows["trades"] == 8640
    assert [pq.read_table(path) for path in files] == ordered
    assert nautilus(history).query(NautilusDataType.Bar, [str(minute_bars("BTCUSDT"))]) == bars


def test_bars_are_those_of_the_trades_and_are_stamped_with_their_close(history: Path) -> None:
    build(history)
    bars = nautilus(history).query(NautilusDataType.Bar, [str(minute_bars("BTCUSDT"))])
    told = [
        (bar.ts_event, *(p.as_decimal() for p in (bar.open, bar.high, bar.low, bar.close)), bar.volume.as_decimal())
        for bar in bars
    ]
    assert told == rows(
        history,
        """
        select (epoch_us(time_bucket(interval '1 minute', timestamp)) + 60000000) * 1000 as closes,
               arg_min(price, agg_trade_id), max(price), min(price), arg_max(price, agg_trade_id), sum(quantity)
        from aggtrades_history group by closes order by closes
        """,
    )


def test_minutes_without_trades_come_from_the_recorded_candles(history: Path) -> None:
    before = START - DAY
    with changing(history) as connection:
        create_tables(connection, "klines_1m")
        connection.execute(
            "insert into klines_1m_history by name select unnest([?, ?])::timestamp as timestamp, 'BTCUSDT' as symbol, "
            "100.5 as open, 101 as high, 99 as low, 100 as close, 7.125 as volume",
            [before.replace(tzinfo=None), (START + timedelta(minutes=5)).replace(tzinfo=None)],
        )
    build(history)
    bars = nautilus(history).query(NautilusDataType.Bar, [str(minute_bars("BTCUSDT"))])
    assert bars[0].ts_event == (START_US - 86_400_000_000 + 60_000_000) * 1000
    assert bars[0].volume.as_decimal() == Decimal("7.125")
    sixth = next(bar for bar in bars if bar.ts_event == (START_US + 6 * 60_000_000) * 1000)
    traded = rows(history, f"select sum(quantity) from aggtrades_history where {_minute(5)}")[0][0]
    assert sixth.volume.as_decimal() == (traded or Decimal("7.125"))


def test_funding_is_told_at_the_hour_at_which_it_is_settled(history: Path) -> None:
    build(history)
    updates = nautilus(history).query(NautilusDataType.FundingRateUpdate, [BTC])
    assert len(updates) == 8
    for number, update in enumerate(updates, 1):
        hour_ns = START_US * 1000 + number * 8 * 3_600_000_000_000
        assert (update.ts_event, update.ts_init, update.next_funding_ns) == (hour_ns, hour_ns, hour_ns)
        assert update.rate == Decimal(number) / 10_000
        assert update.interval == 480


def test_open_interest_is_read_by_nautilus_and_as_a_table(history: Path) -> None:
    build(history)
    items = [item.data for item in nautilus(history).query(NautilusDataType.Custom("OpenInterest"))]
    recorded = rows(
        history,
        "select epoch_us(timestamp) * 1000, open_interest_contracts::double from open_interest_history order by 1",
    )
    assert all(isinstance(item, OpenInterest) and str(item.instrument_id) == BTC for item in items)
    assert [(item.ts_init, item.contracts) for item in items] == recorded
    table = read_open_interest(history.parent / "nautilus", "BTCUSDT", START + timedelta(hours=24), START + 2 * DAY)
    assert table["contracts"].to_pylist() == [value for _, value in recorded[23:47]]
    assert table["time"][0].as_py() == START + DAY


def test_the_instrument_has_the_decimals_of_the_history(history: Path) -> None:
    build(history)
    (instrument,) = nautilus(history).instruments()
    assert (str(instrument.id), instrument.price_precision, instrument.size_precision) == (BTC, 1, 3)
    assert instrument.price_increment.as_decimal() == Decimal("0.1")
    assert str(instrument.base_currency) == "BTC"


def test_one_file_a_day_and_kind_that_do_not_overlap(history: Path) -> None:
    build(history)
    catalog = nautilus(history)
    for kind, name in ((NautilusDataType.TradeTick, BTC), (NautilusDataType.Bar, str(minute_bars("BTCUSDT")))):
        intervals = catalog.get_intervals(kind, name)
        assert len(intervals) == 3
        assert all(end - start == DAY_NS - 1 for start, end in intervals)
        assert all(a[1] + 1 == b[0] for a, b in pairwise(intervals))


def test_a_second_build_changes_nothing(history: Path) -> None:
    first = build(history)
    before = files(history)
    second = build(history)
    assert (first.days_written, second.days_written, second.days_kept) == (4, 0, 4)
    data = {path: changed for path, changed in files(history).items() if "crypto_perpetual" not in path}
    assert data == {path: changed for path, changed in before.items() if path in data}
    assert second.rows == first.rows


@pytest.mark.parametrize(
    "change",
    [
        "update aggtrades_history set quantity = quantity + 0.001 where agg_trade_id = 4000",
        "delete from open_interest_history where timestamp = '2024-03-02 12:00:00'",
        "update funding_rate_history set funding_rate = 0.5 where timestamp::date = '2024-03-02' and hour(timestamp)=0",
    ],
    ids=["a trade", "an open interest", "a funding rate"],
)
def test_only_a_day_whose_history_changed_is_written_anew(history: Path, change: str) -> None:
    build(history)
    before = files(history)
    with changing(history) as connection:
        connection.execute(change)
    report = build(history)
    assert (report.days_written, report.days_kept) == (1, 3)
    touched = {path for path, changed in files(history).items() if before[path] != changed}
    assert {path.rpartition("/")[2][:10] for path in touched if "crypto_perpetual" not in path} == {"2024-03-02"}


def test_more_history_adds_days(history: Path) -> None:
    assert build(history, end=START + timedelta(hours=30)).days_written == 2
    assert build(history, start=START + DAY).days_written == 2
    assert len(nautilus(history).query(NautilusDataType.TradeTick, [BTC])) == 8640


def test_an_interrupted_build_leaves_whole_days_only_and_goes_on_from_there(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of three days that are begun, one is then done, on a machine with more processors, too.
    monkeypatch.setattr(side_by_side, "_AT_MOST", 2)

    class Interrupted(Progress):
        @contextmanager
        def task(self, name: str, total: float | None = None, unit: str = "", before: float = 0.0) -> Iterator[Step]:
            done = 0.0

            def step(more: float) -> None:
                nonlocal done
                done += more
                if done > 6000:
                    raise KeyboardInterrupt

            yield step

    with pytest.raises(KeyboardInterrupt):
        build(history, progress=Interrupted())
    assert not [path for path in files(history) if not path.endswith(".parquet")]
    # The fourth day, which has no trades, may be done or not.
    done = {path.rpartition("/")[2][:10] for path in files(history)}
    days = {path.rpartition("/")[2][:10] for path in files(history) if path.startswith("trades")}
    assert 1 <= len(days) <= 2
    there = rows(history, f"select count(*) from aggtrades_history where timestamp::date::text in {_listed(days)}")
    assert len(nautilus(history).query(NautilusDataType.TradeTick, [BTC])) == there[0][0]
    killed = history.parent / "nautilus" / "data" / "trades" / BTC / ".2024-03-02.parquet.part"
    killed.touch()
    again = build(history)
    assert (again.days_written, again.days_kept) == (4 - len(done), len(done))
    assert len(nautilus(history).query(NautilusDataType.TradeTick, [BTC])) == 8640
    assert not [path for path in files(history) if not path.endswith(".parquet")]


def test_a_finer_tick_in_one_day_makes_all_days_fit_it(history: Path) -> None:
    build(history)
    with changing(history) as connection:
        connection.execute("update aggtrades_history set price = price + 0.01 where agg_trade_id = 8640")
    report = build(history, start=START + 2 * DAY)
    assert (report.price_decimals, report.days_written) == (2, 4)
    catalog = nautilus(history)
    assert {trade.price.precision for trade in catalog.query(NautilusDataType.TradeTick, [BTC])} == {2}
    assert catalog.instruments()[0].price_precision == 2


def test_candles_with_a_finer_tick_than_the_trades_make_the_instrument_fit(history: Path) -> None:
    with changing(history) as connection:
        create_tables(connection, "klines_1m")
        connection.execute(
            "insert into klines_1m_history by name select timestamp '2024-02-29 23:00:00' as timestamp, "
            "'BTCUSDT' as symbol, 100.123 as open, 101 as high, 99 as low, 100 as close, 7.0001 as volume"
        )
    report = build(history)
    assert (report.price_decimals, report.size_decimals) == (3, 4)
    first = nautilus(history).query(NautilusDataType.Bar, [str(minute_bars("BTCUSDT"))])[0]
    assert (str(first.open), str(first.volume)) == ("100.123", "7.0001")


def test_a_price_that_does_not_fit_is_refused_by_symbol_value_and_time(history: Path) -> None:
    with open_store(history) as store:
        batch = next(in_order(store.connection, store.trades_sql("BTCUSDT")))
    assert batch is not None
    price = f"{batch['price'][0].as_py():f}".rstrip("0")
    with pytest.raises(
        LiqstratError, match=rf"BTCUSDT: price is {price} at 2024-03-01 00:.*expected at most 0 decimals"
    ):
        stored_trades(batch, Precision("BTCUSDT", price=0, size=3))


def test_a_trade_without_quantity_is_refused_by_name(history: Path) -> None:
    with changing(history) as connection:
        connection.execute("update aggtrades_history set quantity = 0 where agg_trade_id = 100")
    with pytest.raises(LiqstratError, match=r"BTCUSDT: quantity is 0.* at 2024-03-01 .*expected more than 0"):
        build(history)


def test_files_that_nautilus_put_together_are_kept_until_their_history_changes(history: Path) -> None:
    build(history)
    nautilus(history).consolidate_data(NautilusDataType.TradeTick, BTC)
    assert len([path for path in files(history) if path.startswith("trades")]) == 1
    assert len(nautilus(history).query(NautilusDataType.TradeTick, [BTC])) == 8640
    assert build(history).days_written == 0
    with changing(history) as connection:
        connection.execute("delete from aggtrades_history where agg_trade_id = 4000")
    with pytest.raises(LiqstratError, match=r"holds more than 2024-03-02, whose history has changed; delete"):
        build(history)


def test_a_day_can_be_added_to_files_that_nautilus_put_together(history: Path, tmp_path: Path) -> None:
    two_days = shutil.copy(history, tmp_path / "two.duckdb")
    with changing(two_days) as connection:
        connection.execute("delete from aggtrades_history where timestamp >= '2024-03-03'")
        connection.execute("delete from open_interest_history where timestamp >= '2024-03-03'")
        connection.execute("delete from funding_rate_history where timestamp >= '2024-03-03'")
    build(two_days)
    nautilus(history).consolidate_catalog()
    assert all(len(nautilus(history).get_intervals(*kind)) == 1 for kind in NAUTILUS_KINDS)
    report = build(history)
    assert (report.days_written, report.days_kept) == (2, 2)
    together = everything(history)
    shutil.rmtree(tmp_path / "nautilus")
    build(history)
    assert together == everything(history)
    assert len(together[0]) == 8640
    nautilus(history).consolidate_catalog()
    assert together == everything(history)
    assert build(history).days_written == 0


def test_the_tape_reads_files_that_nautilus_put_together(history: Path) -> None:
    def tape() -> list[list[float]]:
        parts = list(read_tape(history.parent / "nautilus", "BTCUSDT", START + timedelta(hours=30), START + 2 * DAY))
        return [np.concatenate([getattr(p, name) for p in parts]).tolist() for name in ("times", "price", "buy")]

    build(history)
    by_day = tape()
    assert len(by_day[0]) > 1000
    nautilus(history).consolidate_data(NautilusDataType.TradeTick, BTC)
    assert tape() == by_day


def test_days_of_another_history_do_not_stay(history: Path) -> None:
    build(history)
    other = history.parent / "other.duckdb"
    write_history(other, random_trades(24, a_minute=2, seed=5), {START: 1.0})
    with open_store(other) as store:
        report = build_catalog(store, "BTCUSDT", history.parent / "nautilus")
    assert report.rows["trades"] == 2880
    assert len(nautilus(history).query(NautilusDataType.TradeTick, [BTC])) == 2880
    assert len(nautilus(history).query(NautilusDataType.FundingRateUpdate, [BTC])) == 0


def test_symbols_share_a_catalog(history: Path, tmp_path: Path) -> None:
    other = write_history(tmp_path / "eth.duckdb", random_trades(1, price=3000.0), {START: 1.0}, symbol="ETHUSDT")
    build(history)
    build(other, "ETHUSDT")
    catalog = nautilus(history)
    assert {str(instrument.id) for instrument in catalog.instruments()} == {BTC, str(instrument_id("ETHUSDT"))}
    assert len(catalog.query(NautilusDataType.TradeTick, [BTC])) == 8640
    assert len(catalog.query(NautilusDataType.Custom("OpenInterest"), [BTC])) == 72


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda path: build(path, "BTCUSD"), 'did you mean "BTCUSDT"'),
        (lambda path: build(path, start=START + 30 * DAY), "no history of BTCUSDT from 2024-03-31"),
        (lambda path: build(path, end=START - DAY), "it has 2024-03-01 00:"),
        (lambda path: read_open_interest(path.parent / "nautilus", "ETHUSDT", START, START + DAY), "of ETHUSDT in the"),
    ],
)
def test_what_is_not_there_is_said(history: Path, ask: Callable[[Path], object], answer: str) -> None:
    with pytest.raises(LiqstratError, match=answer):
        ask(history)


def test_a_symbol_that_no_account_is_in_the_money_of_is_refused(tmp_path: Path) -> None:
    path = write_history(tmp_path / "market.duckdb", random_trades(1), {START: 1.0}, symbol="ETHBTC")
    with pytest.raises(LiqstratError, match='symbol "ETHBTC" is quoted in BTC: levels and scores take it'):
        build(path, "ETHBTC")
    assert not (tmp_path / "nautilus").exists()


def test_real_trades_reach_the_catalog_exactly(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    ingest([shared_data / "aggTrades"], path)
    for symbol, decimals in (("BTCUSDT", 1), ("ETHUSDT", 2)):
        report = build(path, symbol, start=datetime(2024, 7, 18, tzinfo=UTC))
        assert (report.price_decimals, report.size_decimals) == (decimals, 3)
        trades = nautilus(path).query(NautilusDataType.TradeTick, [str(instrument_id(symbol))])
        counted = "count(*), sum(price), sum(quantity), sum(epoch_us(timestamp))"
        wanted = f"symbol = '{symbol}' and timestamp >= '2024-07-18'"
        assert rows(path, f"select {counted} from aggtrades_history where {wanted}") == [
            (
                report.rows["trades"],
                sum(trade.price.as_decimal() for trade in trades),
                sum(trade.size.as_decimal() for trade in trades),
                sum(trade.ts_event // 1000 for trade in trades),
            )
        ]


def _listed(words: Iterable[str]) -> str:
    return f"({', '.join(f"'{word}'" for word in words)})"


def _minute(number: int) -> str:
    first, end = (f"{START + timedelta(minutes=number + i):%Y-%m-%d %H:%M}:00" for i in (0, 1))
    return f"timestamp >= '{first}' and timestamp < '{end}'"
