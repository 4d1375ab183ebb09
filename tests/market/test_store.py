"""Reads of a history file, of ours and of those that people already have."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.market.ingest import ingest
from liqstrat.market.store import TRADES_SCHEMA, open_store
from tests.market.archive_files import METRICS_HEADER, ArchiveWriter, trade_lines

START = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def history(write_archive: ArchiveWriter, database: Path) -> Path:
    """Three trades a second apart at the start of two days; open interest every five minutes."""
    metrics = [f"2024-03-01 00:{m:02}:00,BTCUSDT,{1000 + m},{60e6},1,1,1,1" for m in (5, 10, 15)]
    next_day = [line.replace("17092512", "17093376") for line in trade_lines(3, first_id=4, price="60000.25")]
    ingest(
        [
            write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(3)),
            write_archive("BTCUSDT-aggTrades-2024-03-02.zip", next_day),
            write_archive("BTCUSDT-metrics-2024-03-01.zip", [METRICS_HEADER, *metrics]),
        ],
        database,
    )
    return database


def existing_file(path: Path, *statements: str) -> Path:
    """A DuckDB file such as people already have."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for statement in statements:
            connection.execute(statement)
    return path


def test_trades_stream_in_order_across_days(history: Path) -> None:
    with open_store(history) as store:
        trades = store.trades("BTCUSDT", batch_rows=2).read_all()
        assert trades.schema == TRADES_SCHEMA
        assert trades["id"].to_pylist() == [1, 2, 3, 4, 5, 6]
        assert trades["time"][0].as_py() == START
        assert trades["price"].to_pylist()[2:4] == [Decimal("60000.1"), Decimal("60000.25")]
        assert trades["buy"].to_pylist()[:3] == [True, False, True]


def test_ranges_are_half_open(history: Path) -> None:
    second = timedelta(seconds=1)
    with open_store(history) as store:
        assert store.trades("BTCUSDT", START + second, START + 2 * second).read_all()["id"].to_pylist() == [2]
        assert len(store.trades("BTCUSDT", START, START).read_all()) == 0
        later = store.trades("BTCUSDT", START + timedelta(days=1)).read_all()
        assert later["id"].to_pylist() == [4, 5, 6]
        five = timedelta(minutes=5)
        assert store.open_interest("BTCUSDT", START + five, START + 2 * five)["contracts"].to_pylist() == [1005.0]


def test_other_queries_do_not_disturb_a_stream(history: Path) -> None:
    with open_store(history) as store:
        reader = store.trades("BTCUSDT", batch_rows=2)
        first = reader.read_next_batch()
        store.open_interest("BTCUSDT")
        rest = reader.read_all()
        assert [*first["id"].to_pylist(), *rest["id"].to_pylist()] == [1, 2, 3, 4, 5, 6]


def test_a_stream_of_a_closed_store_does_not_just_end(history: Path) -> None:
    with open_store(history) as store:
        reader = store.trades("BTCUSDT", batch_rows=2)
        reader.read_next_batch()
    with pytest.raises(LiqstratError, match="closed"):
        reader.read_all()


def test_spans_and_digits(history: Path) -> None:
    with open_store(history) as store:
        assert store.symbols() == ["BTCUSDT"]
        assert store.span("BTCUSDT", "trades") == (START, START + timedelta(days=1, seconds=2))
        assert store.span("BTCUSDT", "open_interest") == (
            START + timedelta(minutes=5),
            START + timedelta(minutes=15),
        )
        assert store.span("BTCUSDT", "funding") is None
        assert (store.price_decimals("BTCUSDT"), store.quantity_decimals("BTCUSDT")) == (2, 2)


def test_an_unknown_symbol_names_the_nearest(history: Path) -> None:
    with open_store(history) as store, pytest.raises(LiqstratError, match='did you mean "BTCUSDT"'):
        store.trades("BTCUSD")


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(LiqstratError, match=r"liqstrat ingest[\s\S]*liqstrat demo"):
        open_store(tmp_path / "market.duckdb")
    assert not (tmp_path / "market.duckdb").exists()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    path.write_text("no database at all " * 500)
    with pytest.raises(LiqstratError, match=r"market\.duckdb: is not a DuckDB file"):
        open_store(path)


def test_a_locked_file_names_the_process(history: Path) -> None:
    writer = f"import duckdb; c = duckdb.connect({str(history)!r}); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", writer], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(LiqstratError, match=f"process {process.pid}"):
            open_store(history)
        process.communicate("\n")


def test_who_writes_is_told_who_reads(
    history: Path, write_archive: ArchiveWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liqstrat.market.connection._PATIENCE_SECONDS", 0.1)
    more = write_archive("BTCUSDT-aggTrades-2024-03-03.zip", trade_lines(3, first_id=9, day=3))
    reader = f"import duckdb; c = duckdb.connect({str(history)!r}, read_only=True); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", reader], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(LiqstratError, match=f"in use by process {process.pid}; wait until it is done"):
            ingest([more], history)
        process.communicate("\n")
    assert ingest([more], history).files[0].state == "loaded"


def test_readers_share_a_file(history: Path) -> None:
    reader = f"import duckdb; print(duckdb.connect({str(history)!r}, read_only=True).execute('select 1').fetchone()[0])"
    with open_store(history), open_store(history):
        assert subprocess.run([sys.executable, "-c", reader], capture_output=True, text=True).stdout == "1\n"


def test_nothing_is_said_at_exit(history: Path) -> None:
    script = (
        "from liqstrat.market.store import open_store\n"
        f"store = open_store({str(history)!r})\n"
        "print(store.open_interest('BTCUSDT').num_rows, store.trades('BTCUSDT').read_all().num_rows)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("3 6\n", "")


def test_an_existing_file_opens_as_it_is(tmp_path: Path) -> None:
    """No exchange, doubles, capital sides, zoned times, a symbol twice in open interest."""
    path = existing_file(
        tmp_path / "old.duckdb",
        """create table aggtrades_history as select range + 1 as agg_trade_id,
        '2024-03-01 00:00:00+00'::timestamptz + to_seconds(range) as timestamp, 'BTCUSDT' as symbol,
        60000.1::double + range as price, 0.5::double as quantity, if(range % 2 = 0, 'BUY', 'Sell') as side
        from range(5)""",
        """create table open_interest_history as select * from (values
        ('2024-03-01 00:05:00+00'::timestamptz, 'BTCUSDT', 6e7::double, 1000.5::double),
        ('2024-03-01 00:05:00+00'::timestamptz, 'BTCUSDT', 6e7::double, 1000.5::double),
        ('2024-03-01 00:10:00+00'::timestamptz, 'BTCUSDT', null, 0.0::double))
        t(timestamp, symbol, open_interest_value, open_interest_contracts)""",
    )
    with open_store(path) as store:
        trades = store.trades("BTCUSDT", START + timedelta(seconds=1), START + timedelta(seconds=3)).read_all()
        assert trades.schema == TRADES_SCHEMA
        assert trades.to_pylist()[0] == {
            "id": 2,
            "time": START + timedelta(seconds=1),
            "price": Decimal("60001.1"),
            "quantity": Decimal("0.5"),
            "buy": False,
        }
        assert store.open_interest("BTCUSDT").to_pylist() == [
            {"time": START + timedelta(minutes=5), "contracts": 1000.5, "value": 6e7}
        ]
        assert store.funding("BTCUSDT").num_rows == store.liquidations("BTCUSDT").num_rows == 0
        assert not store.simulated("BTCUSDT")
        store.connection.execute("set TimeZone = 'Asia/Tokyo'")
        assert store.span("BTCUSDT", "trades") == (START, START + timedelta(seconds=4))
        assert store.klines("BTCUSDT", interval="1d")["time"].to_pylist() == [START]


def test_other_exchanges_rows_are_left_out(tmp_path: Path) -> None:
    path = existing_file(
        tmp_path / "old.duckdb",
        """create table aggtrades_history as select range as agg_trade_id, timestamp '2024-03-01' as timestamp,
        'BTCUSDT' as symbol, if(range < 3, 'Binance', 'bybit') as exchange, 1.0 as price, 1.0 as quantity,
        'buy' as side from range(10)""",
    )
    with open_store(path) as store:
        assert store.trades("BTCUSDT").read_all()["id"].to_pylist() == [0, 1, 2]


def test_trades_of_other_exchanges_alone_are_said_to_be_so(tmp_path: Path) -> None:
    path = existing_file(
        tmp_path / "old.duckdb",
        """create table aggtrades_history as select range as agg_trade_id, timestamp '2024-03-01' as timestamp,
        'BTCUSDT' as symbol, 'binance_futures' as exchange, 1.0 as price, 1.0 as quantity, 'buy' as side
        from range(3)""",
    )
    with open_store(path) as store:
        for _ in range(2):
            with pytest.raises(LiqstratError, match="exchange binance_futures only, expected binance"):
                store.trades("BTCUSDT")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("create table aggtrades_history (timestamp TIMESTAMP, symbol VARCHAR)", "no column agg_trade_id"),
        (
            "create table aggtrades_history (agg_trade_id BIGINT, timestamp BIGINT, symbol VARCHAR, price DOUBLE, "
            "quantity DOUBLE, side VARCHAR)",
            "column timestamp of table aggtrades_history is BIGINT, expected TIMESTAMP",
        ),
        ("create table unrelated (a INTEGER)", "has no table aggtrades_history; it has .*unrelated"),
        (
            "create table agg_trades_history (a INTEGER)",
            r'has no table aggtrades_history \(did you mean "agg_trades_history"',
        ),
    ],
)
def test_missing_tables_and_columns_are_named(tmp_path: Path, statement: str, words: str) -> None:
    path = existing_file(
        tmp_path / "old.duckdb",
        statement,
        """create table funding_rate_history as
        select timestamp '2024-03-01' as timestamp, 'BTCUSDT' as symbol, 0.0001 as funding_rate""",
    )
    with open_store(path) as store, pytest.raises(LiqstratError, match=words):
        store.trades("BTCUSDT")


def test_liquidated_positions_and_prices(tmp_path: Path) -> None:
    path = existing_file(
        tmp_path / "old.duckdb",
        """create table liquidation_history as select * from (values
        (timestamp '2024-03-01 00:00:02', 'BTCUSDT', 'SELL', 0.5, 59000.0, 59010.0, 'FILLED'),
        (timestamp '2024-03-01 00:00:02', 'BTCUSDT', 'SELL', 0.5, 59000.0, 59010.0, 'FILLED'),
        (timestamp '2024-03-01 00:00:01', 'BTCUSDT', 'BUY', 0.2, 61000.0, 0.0, 'FILLED'))
        t(timestamp, symbol, side, quantity, price, average_price, status)""",
    )
    with open_store(path) as store:
        found = [tuple(row.values())[1:] for row in store.liquidations("BTCUSDT").to_pylist()]
    assert found == [("short", 61000.0, 0.2), ("long", 59010.0, 0.5)]


def test_a_moment_without_zone_is_refused(history: Path) -> None:
    with open_store(history) as store, pytest.raises(ValueError, match="time zone"):
        store.trades("BTCUSDT", datetime(2024, 3, 1))


def test_times_are_utc_in_arrow(history: Path) -> None:
    with open_store(history) as store:
        for table in (store.open_interest("BTCUSDT"), store.klines("BTCUSDT"), store.funding("BTCUSDT")):
            assert table.schema.field("time").type == pa.timestamp("us", "UTC")


def test_where_the_demo_has_made_a_database_it_is_said_how_to_take_it(tmp_path: Path) -> None:
    missing = tmp_path / "market.duckdb"
    made = tmp_path / "demo" / "BTCUSDT-7d-seed1"
    made.mkdir(parents=True)
    (made / "market.duckdb").touch()
    with pytest.raises(LiqstratError) as caught:
        open_store(missing)
    db, catalog = made / "market.duckdb", made / "nautilus"
    assert str(caught.value).endswith(
        f"the SIMULATED one of the demo: --db {db}, or with a run file --set data.db={db} --set data.catalog={catalog}"
    )
