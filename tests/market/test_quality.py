"""The truth about a history: each flaw that is put in is found, and a history without flaws has none."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liqstrat.market.ingest import ingest
from liqstrat.market.quality import Gap, KindQuality, Quality, Range, examine
from liqstrat.market.quality.steps import settled_at
from liqstrat.market.schema import create_tables
from liqstrat.market.store import Store, open_store

pytestmark = pytest.mark.slow

START = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = 3
TRADES = 30_000  # a trade every 8.64 seconds
SECOND = timedelta(seconds=1)
Flaw = str


@pytest.fixture(scope="module")
def flawless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days: trades, five-minute open interest, funding that jitters, minute candles."""
    path = tmp_path_factory.mktemp("flawless") / "market.duckdb"
    with duckdb.connect(str(path)) as connection:
        for kind in ("trades", "open_interest", "funding", "klines_1m"):
            create_tables(connection, kind)
        connection.execute(
            f"""
            insert into aggtrades_history by name select range as agg_trade_id, 'BTCUSDT' as symbol,
            timestamp '2024-03-01' + to_milliseconds(8640 * range) as timestamp, 'binance' as exchange,
            60000 + range % 500 as price, 1 as quantity, 'buy' as side from range({TRADES})
            """
        )
        connection.execute(
            """
            insert into open_interest_history by name select timestamp '2024-03-01 00:05' + to_minutes(5 * range)
            as timestamp, 'BTCUSDT' as symbol, 1000 + range as open_interest_contracts from range(864)
            """
        )
        connection.execute(
            """
            insert into funding_rate_history by name select timestamp '2024-03-01' + to_hours(8 * range)
            + to_milliseconds(range % 4) as timestamp, 'BTCUSDT' as symbol, 0.0001 as funding_rate,
            if(range % 2 = 0, 8, null) as funding_interval_hours from range(10)
            """
        )
        connection.execute(
            """
            insert into klines_1m_history by name select timestamp '2024-03-01' + to_minutes(range) as timestamp,
            'BTCUSDT' as symbol, 1 as open, 1 as high, 1 as low, 1 as close, 1 as volume from range(4320)
            """
        )
    return path


@pytest.fixture
def examined(flawless: Path, tmp_path: Path) -> Callable[..., Quality]:
    """What is found in a copy into which flaws were put."""

    def run(*flaws: Flaw, start: datetime | None = None, end: datetime | None = None) -> Quality:
        path = tmp_path / "market.duckdb"
        path.write_bytes(flawless.read_bytes())
        with duckdb.connect(str(path)) as connection:
            for flaw in flaws:
                connection.execute(flaw)
        with open_store(path) as store:
            return examine(store, "BTCUSDT", start, end)

    return run


NO_CANDLES = "delete from klines_1m_history"


def of(quality: Quality, kind: str) -> KindQuality:
    return next(found for found in quality.kinds if found.kind == kind)


def at(id_: int) -> datetime:
    return START + timedelta(milliseconds=8640) * id_


def test_nothing_is_wrong_with_a_flawless_history(examined: Callable[..., Quality]) -> None:
    quality = examined()
    assert not quality.has_gaps
    assert [kind.kind for kind in quality.kinds] == ["trades", "open_interest", "funding", "klines_1m"]
    for kind in quality.kinds:
        assert (kind.gaps, kind.missing, kind.twice, kind.without_value, kind.days_missing) == (0, 0, 0, 0, ())
    assert (quality.still, quality.outliers, quality.outlier_count) == ((), (), 0)
    assert of(quality, "open_interest").step == timedelta(minutes=5)
    assert of(quality, "funding").step == timedelta(hours=8)
    assert of(quality, "trades").rows == TRADES
    # The last candle is known when it ends.
    assert quality.levels == quality.whole == (Range(START, START + timedelta(days=3)),)


def test_missing_ids_are_counted_with_their_place(examined: Callable[..., Quality]) -> None:
    flaws = (
        NO_CANDLES,
        "delete from aggtrades_history where agg_trade_id between 5000 and 5009",
        "delete from aggtrades_history where agg_trade_id between 8000 and 20000",  # more than one block
        "delete from aggtrades_history where agg_trade_id in (4095, 24576)",  # at the bounds of blocks
    )
    quality = examined(*flaws)
    trades = of(quality, "trades")
    assert quality.has_gaps
    assert (trades.gaps, trades.missing) == (4, 10 + 12_001 + 2)
    assert trades.largest == (
        Gap(at(4094), at(4096), 1),
        Gap(at(4999), at(5010), 10),
        Gap(at(7999), at(20001), 12_001),
        Gap(at(24575), at(24577), 1),
    )
    # A minute and a half without trades is bridged, more than a day is not.
    assert quality.levels == (Range(START, at(7999)), Range(at(20001), at(TRADES - 1)))
    assert examined(*flaws[1:]).levels == (Range(START, START + timedelta(days=3)),), "there are candles of it"
    assert trades.days_missing == (date(2024, 3, 2),)


def test_a_day_without_trades(examined: Callable[..., Quality]) -> None:
    quality = examined("delete from aggtrades_history where timestamp::date = date '2024-03-02'")
    trades = of(quality, "trades")
    assert trades.days_missing == (date(2024, 3, 2),)
    assert trades.missing == TRADES - trades.rows


def test_a_silence_without_a_missing_id_is_told_and_cuts_the_ranges(examined: Callable[..., Quality]) -> None:
    later = "update aggtrades_history set timestamp = timestamp + interval 3 hours where agg_trade_id > 20000"
    quality = examined(NO_CANDLES, later)
    silence = Range(at(20_000), at(20_001) + timedelta(hours=3))
    assert quality.quiet == (silence,)
    assert quality.levels == (Range(START, silence.start), Range(silence.end, START + timedelta(days=3)))
    assert not quality.has_gaps
    assert examined(later, "delete from aggtrades_history where agg_trade_id = 20001").quiet == (), "that is a gap"


def test_where_trades_are_rare_an_hour_is_no_silence(examined: Callable[..., Quality]) -> None:
    quality = examined(
        "delete from aggtrades_history where agg_trade_id % 500 != 0",
        "update aggtrades_history set agg_trade_id = agg_trade_id // 500",
    )
    assert (of(quality, "trades").rows, quality.quiet, quality.has_gaps) == (60, (), False)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(missing=st.sets(st.integers(1, 29_998), max_size=40), first=st.integers(1, 29_000), length=st.integers(1, 900))
def test_gaps_are_those_that_a_plain_look_finds(flawless: Path, missing: set[int], first: int, length: int) -> None:
    gone = missing | set(range(first, min(first + length, TRADES - 1)))
    there = np.setdiff1d(np.arange(TRADES), sorted(gone))
    with duckdb.connect() as connection:
        connection.execute(f"attach '{flawless}' as whole (read_only)")
        connection.register("gone", {"id": np.array(sorted(gone))})
        connection.execute(
            "create table aggtrades_history as select * from whole.aggtrades_history "
            "where agg_trade_id not in (select id from gone) order by hash(agg_trade_id)"
        )
        connection.execute("detach whole")
        trades = of(examine(Store(flawless, connection), "BTCUSDT"), "trades")
    assert trades.missing == len(gone)
    assert trades.gaps == int((np.diff(there) > 1).sum())


def test_ids_twice_are_counted_even_where_they_hide_a_gap(examined: Callable[..., Quality]) -> None:
    quality = examined(
        "insert into aggtrades_history select * exclude (gross_value) from aggtrades_history "
        "where agg_trade_id between 100 and 102",
        "delete from aggtrades_history where agg_trade_id between 200 and 202",
    )
    trades = of(quality, "trades")
    assert (trades.twice, trades.missing, trades.gaps) == (3, 3, 1)


def test_prices_that_cannot_be(examined: Callable[..., Quality]) -> None:
    quality = examined(
        "update aggtrades_history set price = 6 where agg_trade_id in (5000, 29999)",
        # In blocks beside each other, so that each has a wrong price beside it.
        "update aggtrades_history set price = 600000 where agg_trade_id in (17000, 21000)",
        # A fall that stays is none.
        "update aggtrades_history set price = price / 2 where agg_trade_id > 15000",
    )
    assert quality.outlier_count == 4
    assert [(outlier.time, outlier.price) for outlier in quality.outliers] == [
        (at(5000), 6.0),
        (at(17_000), 300_000.0),
        (at(21_000), 300_000.0),
        (at(29_999), 3.0),
    ]
    assert (quality.outliers[0].low, quality.outliers[0].high) == (30_000.0, 60_499.0)
    assert not quality.has_gaps


def test_missing_blank_and_repeated_open_interest(examined: Callable[..., Quality]) -> None:
    table = "open_interest_history"
    quality = examined(
        NO_CANDLES,
        f"delete from {table} where timestamp in (timestamp '2024-03-01 06:00', timestamp '2024-03-01 06:05')",
        f"update {table} set open_interest_contracts = 0 where timestamp = timestamp '2024-03-01 07:00'",
        f"update {table} set open_interest_contracts = null where timestamp = timestamp '2024-03-01 08:00'",
        f"""update {table} set open_interest_contracts = 1234.5
        where timestamp between timestamp '2024-03-02 10:00' and timestamp '2024-03-02 13:00'""",
        f"""update {table} set open_interest_contracts = 99
        where timestamp between timestamp '2024-03-02 15:00' and timestamp '2024-03-02 15:30'""",
        f"insert into {table} select * from {table} where timestamp = timestamp '2024-03-02 20:00'",
        f"delete from {table} where timestamp between timestamp '2024-03-03 10:00' and timestamp '2024-03-03 11:55'",
    )
    found = of(quality, "open_interest")
    assert (found.gaps, found.missing, found.without_value, found.twice) == (4, 2 + 1 + 1 + 24, 2, 1)
    assert found.largest[0] == Gap(START + timedelta(hours=5, minutes=55), START + timedelta(hours=6, minutes=10), 2)
    (still,) = quality.still
    begin = START + timedelta(days=1, hours=10)
    assert (still.start, still.end, still.values, still.contracts) == (begin, begin + timedelta(hours=3), 37, 1234.5)
    hole = START + timedelta(days=2, hours=9, minutes=55), START + timedelta(days=2, hours=12)
    assert quality.levels == (Range(START, hole[0]), Range(hole[1], at(TRADES - 1)))


def test_a_missing_settlement_but_no_jitter(examined: Callable[..., Quality]) -> None:
    quality = examined(
        NO_CANDLES, "delete from funding_rate_history where timestamp::date = date '2024-03-02' and hour(timestamp) = 8"
    )
    funding = of(quality, "funding")
    settlement = START + timedelta(days=1)
    assert funding.largest == (Gap(settlement, settlement + timedelta(hours=16), 1),)
    assert quality.levels == (Range(START, at(TRADES - 1)),)
    assert quality.whole == (Range(START, settlement), Range(settlement + timedelta(hours=16), at(TRADES - 1)))


def test_a_change_of_the_funding_interval_is_no_gap(examined: Callable[..., Quality]) -> None:
    quality = examined(
        "update funding_rate_history set funding_interval_hours = 8",
        """
        insert into funding_rate_history by name
        select timestamp '2024-03-04 04:00' + to_hours(4 * range) as timestamp, 'BTCUSDT' as symbol,
        0.0001 as funding_rate, 4 as funding_interval_hours from range(20)
        """,
    )
    assert of(quality, "funding").missing == 0


def test_missing_candles(examined: Callable[..., Quality]) -> None:
    quality = examined("delete from klines_1m_history where timestamp = timestamp '2024-03-01 12:00'")
    assert (of(quality, "klines_1m").missing, quality.has_gaps) == (1, True)


def test_without_a_kind_nothing_is_whole(examined: Callable[..., Quality]) -> None:
    quality = examined(NO_CANDLES, "delete from funding_rate_history")
    assert quality.whole == ()
    assert quality.levels == (Range(START, at(TRADES - 1)),)
    assert examined("delete from open_interest_history").levels == ()
    minutes = examined("drop table aggtrades_history")
    assert minutes.levels == (Range(START, START + timedelta(days=3)),)


def test_only_the_range_counts(examined: Callable[..., Quality]) -> None:
    flaw = "delete from aggtrades_history where agg_trade_id between 5000 and 5009"
    assert not examined(flaw, start=at(5010), end=at(9000)).has_gaps
    assert examined(flaw, start=at(4000), end=at(5011)).has_gaps


def test_it_can_be_written_as_json(examined: Callable[..., Quality]) -> None:
    quality = examined("delete from aggtrades_history where agg_trade_id = 5000")
    told = json.loads(json.dumps(quality.to_json()))
    assert told["has_gaps"] is True
    assert told["kinds"][0]["largest"] == [{"start": at(4999).isoformat(), "end": at(5001).isoformat(), "missing": 1}]
    assert told["kinds"][1]["step"] == 300.0


def test_funding_settles_on_its_hour() -> None:
    hour = 3_600_000_000
    times = np.array([8 * hour, 8 * hour + 7_000, 16 * hour - 3_000, 8 * hour + 20 * 60_000_000])
    assert settled_at(times).tolist() == [8 * hour, 8 * hour, 16 * hour, int(times[3])]


def test_the_gaps_of_real_pieces_are_told(shared_data: Path, database: Path) -> None:
    ingest([shared_data], database)
    with open_store(database) as store:
        bitcoin, solana = examine(store, "BTCUSDT"), examine(store, "SOLUSDC")
        ids = store.trades("BTCUSDT").read_all()["id"].to_numpy()
    trades = of(bitcoin, "trades")
    assert trades.rows == len(ids)
    assert trades.missing == int(ids.max() - ids.min()) + 1 - len(np.unique(ids))
    assert trades.gaps == int((np.diff(np.unique(ids)) > 1).sum())
    assert date(2024, 1, 1) in trades.days_missing
    # Whoever gathered the pieces numbered the trades on; time tells that most are not there.
    assert [(quiet.start.date(), quiet.end.date()) for quiet in bitcoin.quiet] == [
        (date(2023, 4, 5), date(2024, 7, 18)),
        (date(2024, 7, 19), date(2024, 8, 8)),
    ]
    assert bitcoin.outlier_count == 0
    assert of(bitcoin, "open_interest").step == timedelta(hours=4)
    assert of(bitcoin, "funding").missing == 0
    # Open interest is of another year than the trades, but not than the candles.
    (there,) = bitcoin.levels
    assert (there.start.date(), there.end.date()) == (date(2026, 2, 20), date(2026, 3, 19))
    assert (of(solana, "open_interest").missing, solana.has_gaps) == (0, False)
