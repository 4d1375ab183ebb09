"""Rows of a file that somebody else wrote: understood, left out and counted, or refused by name; never mistaken."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.quality import Quality, examine
from liqstrat.market.store import Store, open_store
from tests.shell import Shell

START = datetime(2024, 3, 1, tzinfo=UTC)
TRADES = """
    create table aggtrades_history as
    select 1000 + i as agg_trade_id, timestamp '2024-03-01' + to_seconds(i * 30) as timestamp, 'BTCUSDT' as symbol,
           round(60000 + 300 * sin(i / 90.0), 1) as price, 1.0 + (i % 7) / 10 as quantity,
           if(i % 3 = 0, 'sell', 'buy') as side
    from range(600) t(i)
"""
OPEN_INTEREST = """
    create table open_interest_history as
    select timestamp '2024-03-01' + to_minutes(i * 5) as timestamp, 'BTCUSDT' as symbol,
           10000.0::double + i as open_interest_contracts
    from range(60) t(i)
"""
FUNDING = """
    create table funding_rate_history as
    select timestamp '2024-03-01' + to_hours(8 * i) as timestamp, 'BTCUSDT' as symbol, 0.0001::double as funding_rate
    from range(3) t(i)
"""
KLINES = """
    create table klines_1m_history as
    select timestamp '2024-03-01' + to_minutes(i) as timestamp, 'BTCUSDT' as symbol, 6e4::double as open,
           6e4::double as high, 6e4::double as low, 6e4::double as close, 1.5::double as volume
    from range(300) t(i)
"""

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a file with some change to the rows."""

    def run(*changes: str, name: str = "mine") -> Path:
        path = tmp_path / f"{name}.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for sql in (TRADES, OPEN_INTEREST, FUNDING, KLINES, *changes):
                connection.execute(sql)
        return path

    return run


def told(path: Path) -> dict[str, Any]:
    """What results are made from."""
    with open_store(path) as store:
        return {
            "trades": store.trades("BTCUSDT").read_all(),
            "open interest": store.open_interest("BTCUSDT"),
            "funding": store.funding("BTCUSDT"),
            "klines": store.klines("BTCUSDT"),
            "built": store.klines("BTCUSDT", interval="15m"),
            "digits": store.price_decimals("BTCUSDT"),
            "fingerprint": store.fingerprint("BTCUSDT"),
            "flow": [
                (flow.contracts.tolist(), flow.buy.tolist(), value)
                for flow, value in flows(store, "BTCUSDT", None, None, ModelSettings())
            ],
        }


def looked_at(path: Path) -> Quality:
    with open_store(path) as store:
        return examine(store, "BTCUSDT")


def of(quality: Quality, kind: str) -> Any:
    return next(one for one in quality.kinds if one.kind == kind)


@pytest.mark.parametrize(
    "spelled", ["upper(side)", "' ' || side || ' '", "side || chr(9)", "upper(side[1]) || side[2:]"]
)
def test_sides_in_any_case_and_with_blanks_are_the_same(make: Make, spelled: str) -> None:
    plain = told(make())
    assert told(make(f"update aggtrades_history set side = {spelled}", name="other")) == plain
    assert plain["trades"]["buy"].to_pylist().count(True) == 400


READS: dict[str, Callable[[Store], Any]] = {
    "trades": lambda store: store.trades("BTCUSDT").read_all(),
    "flow": lambda store: list(flows(store, "BTCUSDT", None, None, ModelSettings())),
    "inspect": lambda store: examine(store, "BTCUSDT"),
    "hash": lambda store: store.fingerprint("BTCUSDT"),
}
FOREIGN_SIDES = {
    "if(side = 'buy', 'b', 's')": '"[bs]"',
    "if(side = 'buy', 'bid', 'ask')": '"(bid|ask)"',
    "if(side = 'buy', 'True', 'False')": '"(True|False)"',
    "if(side = 'buy', 'long', 'short')": '"(long|short)"',
    "if(agg_trade_id = 1500, '', side)": '""',
    "if(agg_trade_id = 1500, null, side)": r"missing \(NULL\)",
    "if(agg_trade_id = 1500, 'bu y', side)": '"bu y"',
}


@pytest.mark.parametrize("read", ["trades", "flow"])
@pytest.mark.parametrize("spelled", FOREIGN_SIDES)
def test_other_sides_are_refused_by_name(make: Make, spelled: str, read: str) -> None:
    path = make(f"update aggtrades_history set side = {spelled}")
    expected = f"mine.duckdb: table aggtrades_history: side is {FOREIGN_SIDES[spelled]}, expected buy or sell$"
    with pytest.raises(LiqstratError, match=expected), open_store(path) as store:
        READS[read](store)


@pytest.mark.parametrize(
    "change", ["side = 'buy'", "if(side = 'buy', 1, -1)", "if(side = 'buy', 'b', 's')::enum('b', 's')"]
)
@pytest.mark.parametrize("read", READS)
def test_sides_of_other_types_are_refused_by_name(make: Make, change: str, read: str) -> None:
    path = make(
        f"create or replace table aggtrades_history as select * replace ({change} as side) from aggtrades_history"
    )
    with pytest.raises(LiqstratError, match=r"side is .+, expected buy or sell"), open_store(path) as store:
        READS[read](store)


@pytest.mark.parametrize("late", [True, False])
def test_a_side_far_behind_is_found_as_it_is_read(make: Make, late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liqstrat.market.faults._SAMPLE", 10)
    path = make("update aggtrades_history set side = 'x' where agg_trade_id = 1500")
    with open_store(path) as store:
        if late:
            reader = store.trades("BTCUSDT", batch_rows=50)
            with pytest.raises(LiqstratError, match='side is "x"'):
                reader.read_all()
        else:
            before = store.trades("BTCUSDT", None, START + timedelta(hours=4)).read_all()
            assert len(before) == 480


@pytest.mark.parametrize("value", ["'nan'::double", "'inf'::double", "'-inf'::double", "null"])
def test_values_that_are_no_numbers_are_left_out_and_counted(make: Make, value: str) -> None:
    """The same as if the rows were not there, however they say that there is nothing."""
    rows = "agg_trade_id in (1100, 1101)", "agg_trade_id = 1300"
    hour = "timestamp = timestamp '2024-03-01 02:00'"
    path = make(
        "alter table aggtrades_history alter price type double",
        "alter table aggtrades_history alter quantity type double",
        f"update aggtrades_history set price = {value} where {rows[0]}",
        f"update aggtrades_history set quantity = {value} where {rows[1]}",
        f"update open_interest_history set open_interest_contracts = {value} where {hour}",
        f"update funding_rate_history set funding_rate = {value} where timestamp > timestamp '2024-03-01 10:00'",
        f"update klines_1m_history set high = {value} where {hour}",
        name="with",
    )
    without = make(
        f"delete from aggtrades_history where {rows[0]} or {rows[1]}",
        f"delete from open_interest_history where {hour}",
        "delete from funding_rate_history where timestamp > timestamp '2024-03-01 10:00'",
        f"delete from klines_1m_history where {hour}",
        name="without",
    )
    found, right = told(path), told(without)
    # A row that says nothing is still a row.
    assert found.pop("fingerprint") != right.pop("fingerprint")
    assert found == right
    quality = looked_at(path)
    counted = {kind.kind: kind.without_value for kind in quality.kinds}
    assert counted == {"trades": 3, "open_interest": 1, "funding": 1, "klines_1m": 1}
    assert of(quality, "trades").rows == 600
    assert of(quality, "trades").missing == 3


TIMES = ["0001-01-01", "1970-01-01", "9999-12-31 23:59:59", "infinity", "-infinity", "290000-01-01"]


def test_rows_of_no_possible_time_are_left_out_and_counted(make: Make, liqstrat: Shell) -> None:
    insert = "insert into {} select * replace (timestamp '{}' as timestamp) from {} limit 1"
    tables = ("aggtrades_history", "open_interest_history", "funding_rate_history", "klines_1m_history")
    path = make(*(insert.format(table, time, table) for table in tables for time in TIMES), name="with")
    assert told(path) == told(make(name="without"))
    assert {kind.without_value for kind in looked_at(path).kinds} == {len(TIMES)}
    for arguments in (["inspect"], ["levels", "BTCUSDT"], ["catalog", "BTCUSDT", "--catalog", "c"]):
        done = liqstrat(*arguments, "--db", str(path))
        assert (done.code, "error" in done.err) == (0, False), done.err


def test_trades_that_stand_twice_count_once(make: Make) -> None:
    once = told(make(name="once"))
    for name, which in {"all": "true", "some": "agg_trade_id between 1100 and 1120", "thrice": "true"}.items():
        insert = f"insert into aggtrades_history select * from aggtrades_history where {which}"
        path = make(*[insert] * (2 if name == "thrice" else 1), name=name)
        assert told(path) == once
        with open_store(path) as store:
            list(flows(store, "BTCUSDT", None, None, ModelSettings()))
            assert store.remarks == ["BTCUSDT: trades stand twice in aggtrades_history; each counts once"]
    assert of(looked_at(path), "trades").twice == 1800


@pytest.mark.parametrize(
    "change", ["price + 1 as price", "'buy' as side", "timestamp + interval 1 second as timestamp"]
)
def test_different_trades_of_one_number_are_refused(make: Make, change: str) -> None:
    path = make(
        f"insert into aggtrades_history select * replace ({change}) from aggtrades_history where agg_trade_id = 1300"
    )
    for read in ("trades", "flow", "hash"):
        with (
            pytest.raises(
                LiqstratError, match=r"different trades with agg_trade_id 1300, the first at 2024-03-01 02:30"
            ),
            open_store(path) as store,
        ):
            READS[read](store)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(copies=st.lists(st.integers(0, 599), max_size=12), gone=st.sets(st.integers(0, 599), max_size=12))
def test_any_trades_twice_and_any_missing(tmp_path: Path, copies: list[int], gone: set[int]) -> None:
    path = tmp_path / "mine.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(TRADES)
        for copy in copies:
            connection.execute(
                f"insert into aggtrades_history from aggtrades_history where agg_trade_id = {1000 + copy} limit 1"
            )
        connection.executemany(
            "delete from aggtrades_history where agg_trade_id = ?", [[1000 + i] for i in [*gone, -1]]
        )
    with open_store(path) as store:
        ids = store.trades("BTCUSDT").read_all()["id"].to_pylist()
        assert bool(store.remarks) == bool(set(copies) - gone)
    assert ids == [1000 + i for i in range(600) if i not in gone]


def test_open_interest_that_contradicts_itself_is_left_out_and_told(make: Make, liqstrat: Shell) -> None:
    hour = "timestamp = timestamp '2024-03-01 02:00'"
    insert = "insert into open_interest_history select timestamp, symbol, {} from open_interest_history where {}"
    path = make(
        insert.format("990000", hour),
        # Told twice, and as good as the same.
        insert.format("open_interest_contracts", "timestamp = timestamp '2024-03-01 03:00'"),
        insert.format("open_interest_contracts * 1.0001", "timestamp = timestamp '2024-03-01 03:30'"),
        name="with",
    )
    without = told(make(f"delete from open_interest_history where {hour}", name="without"))
    found = told(path)
    assert found["open interest"]["time"] == without["open interest"]["time"]
    assert (
        found["open interest"]["contracts"].to_pylist()[:41] == without["open interest"]["contracts"].to_pylist()[:41]
    )
    quality = looked_at(path)
    (conflict,) = quality.contradictions
    assert (conflict.time, conflict.least, conflict.largest) == (START + timedelta(hours=2), 10_024.0, 990_000.0)
    assert of(quality, "open_interest").twice == 3
    done = liqstrat("levels", "BTCUSDT", "--db", str(path))
    assert done.code == 0
    assert (
        "note: BTCUSDT: open_interest_history has moments with different values, which are left out: the first is "
        "2024-03-01 02:00:00" in done.err
    )
    assert "10,024.000 and 990,000.000 contracts" in liqstrat("inspect", "BTCUSDT", "--db", str(path)).out


def test_open_interest_that_jumps_and_comes_back_is_flagged(make: Make) -> None:
    update = "update open_interest_history set open_interest_contracts = {} where timestamp = timestamp '2024-03-01 {}'"
    quality = looked_at(
        make(update.format(990_000, "02:00"), update.format(10, "03:00"), update.format(12_000, "04:00"))
    )
    assert [(spike.contracts, spike.before) for spike in quality.spikes] == [(990_000, 10_023), (10, 10_035)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("update aggtrades_history set quantity = 12052330040 where agg_trade_id = 1042", "quantity is 12052330040"),
        ("update aggtrades_history set price = 1e300 where agg_trade_id = 1042", "price is 1e+300"),
        (
            "update klines_1m_history set volume = 1e25 where timestamp = timestamp '2024-03-01 00:21'",
            "volume is 1e+25",
        ),
    ],
)
def test_numbers_that_do_not_fit_are_refused_by_name(make: Make, change: str, said: str) -> None:
    path = make(
        "alter table aggtrades_history alter price type double",
        "alter table aggtrades_history alter quantity type double",
        change,
    )
    with pytest.raises(LiqstratError) as error:
        told(path)
    for words in (str(path), "_history: ", said, "at 2024-03-01 00:21:00 UTC, expected a number below 1"):
        assert words in str(error.value)


def test_words_where_numbers_belong_are_refused_by_name(make: Make) -> None:
    path = make(
        "alter table aggtrades_history alter price type varchar",
        "update aggtrades_history set price = 'abc' where agg_trade_id = 1042",
    )
    with pytest.raises(LiqstratError, match="table aggtrades_history: price is abc at 2024-03-01 00:21:00 UTC"):
        told(path)
