"""Bybit's files and answers, in the forms that its public documentation shows; all figures here are made up by hand."""

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from liqstrat.liquidation.contract import Contract, contract_of, venue_of
from liqstrat.market.ingest import FileReport, ingest
from liqstrat.market.store import open_store
from liqstrat.scoring.evidence import recorded
from tests.market.archive_files import ArchiveWriter, only, rows, states, trade_lines
from tests.shell import Shell

HEADER = "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"
BEGIN = 1_709_251_200  # 2024-03-01


def trade(at: float, side: str, size: str, price: str, number: int, symbol: str = "BTCUSDT") -> str:
    gross = f"{float(size) * float(price) * 1e8:g}"
    match = f"0b8d7ee3-0000-5000-8000-{number:012}"
    return (
        f"{BEGIN + at:.4f},{symbol},{side},{size},{price},PlusTick,{match},{gross},{size},{float(size) * float(price)}"
    )


TRADES = [
    trade(0.0012, "Buy", "0.5", "60000.10", 1),
    trade(0.0012, "Sell", "0.003", "60000.00", 2),
    trade(7.5, "Buy", "1.25", "60010.50", 3),
]


def packed(path: Path, lines: list[str]) -> Path:
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


def interest(*values: tuple[int, str, str | None], symbol: str = "BTCUSDT") -> dict[str, Any]:
    listed = []
    for minutes, both, single in values:
        one = {"openInterest": both, "timestamp": str((BEGIN + 60 * minutes) * 1000)}
        listed.append(one if single is None else {**one, "singleOpenInterest": single})
    result = {"symbol": symbol, "category": "linear", "list": listed, "nextPageCursor": ""}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": BEGIN * 1000}


def liquidated(*orders: tuple[int, str, str, str], symbol: str = "BTCUSDT") -> dict[str, Any]:
    data = [{"T": (BEGIN + s) * 1000, "s": symbol, "S": side, "v": size, "p": price} for s, side, size, price in orders]
    return {"topic": f"allLiquidation.{symbol}", "type": "snapshot", "ts": BEGIN * 1000 + 5, "data": data}


def limits(symbol: str = "BTCUSDT", *, percent: bool = False, deduction: bool = True) -> dict[str, Any]:
    times = 100 if percent else 1
    listed = [
        {
            "id": number, "symbol": symbol, "riskLimitValue": cap, "maintenanceMargin": str(rate * times),
            "initialMargin": str(Decimal(1) / Decimal(leverage) * times), "isLowestRisk": int(number == 1),
            "maxLeverage": leverage, **({"mmDeduction": amount} if deduction else {}),
        }
        for number, cap, rate, leverage, amount in (
            (1, "2000000", Decimal("0.005"), "100.00", ""), (2, "10000000", Decimal("0.01"), "50.00", "10000"),
        )
    ]  # fmt: skip
    result = {"category": "linear", "list": listed}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": BEGIN * 1000}


def loaded(folder: Path, database: Path, name: str, *documents: object) -> FileReport:
    path = folder / name
    path.write_text("\n".join(map(json.dumps, documents)) + "\n")
    return only(ingest([path], database))


def test_trades_of_the_archive_get_numbers_by_day(tmp_path: Path, database: Path) -> None:
    path = packed(tmp_path / "BTCUSDT2024-03-01.csv.gz", [HEADER, *TRADES])
    file = only(ingest([tmp_path], database))
    assert (file.state, file.kind, file.symbol, file.rows) == ("loaded", "trades", "BTCUSDT.BYBIT", 3)
    found = rows(
        database,
        "select agg_trade_id % 1000000000, symbol, exchange::varchar, price, quantity, side::varchar, "
        "epoch_us(timestamp) from aggtrades_history order by agg_trade_id",
    )
    assert found == [
        (1, "BTCUSDT.BYBIT", "bybit", Decimal("60000.1"), Decimal("0.5"), "buy", BEGIN * 1_000_000 + 1200),
        (2, "BTCUSDT.BYBIT", "bybit", Decimal("60000"), Decimal("0.003"), "sell", BEGIN * 1_000_000 + 1200),
        (3, "BTCUSDT.BYBIT", "bybit", Decimal("60010.5"), Decimal("1.25"), "buy", BEGIN * 1_000_000 + 7_500_000),
    ]
    assert only(ingest([path], database)).state == "unchanged"


def test_a_file_that_runs_backwards_or_tells_of_retail_orders_is_the_same(tmp_path: Path, database: Path) -> None:
    newer = [f"{HEADER},RPI", *(f"{line},0" for line in reversed(TRADES))]
    assert only(ingest([packed(tmp_path / "a.csv.gz", newer)], database)).rows == 3
    ((first, last),) = rows(
        database, "select min_by(price, agg_trade_id), max_by(price, agg_trade_id) from aggtrades_history"
    )
    assert last == Decimal("60010.5")
    assert first in (Decimal("60000.1"), Decimal("60000"))


def test_both_venues_live_in_one_file_and_are_read_apart(
    write_archive: ArchiveWriter, tmp_path: Path, database: Path
) -> None:
    theirs = packed(tmp_path / "BTCUSDT2024-03-01.csv.gz", [HEADER, *TRADES])
    ours = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(5))
    assert states(ingest([ours, theirs], database)) == ["loaded", "loaded"]
    with open_store(database) as store:
        assert store.symbols() == ["BTCUSDT", "BTCUSDT.BYBIT"]
        assert [sum(len(batch) for batch in store.trades(symbol)) for symbol in store.symbols()] == [5, 3]


def test_a_file_of_an_earlier_version_takes_the_other_venue(
    write_archive: ArchiveWriter, tmp_path: Path, database: Path
) -> None:
    ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(5))], database)
    with duckdb.connect(str(database)) as connection:
        connection.execute("alter table aggtrades_history alter exchange type ENUM('binance')")
    assert only(ingest([packed(tmp_path / "b.csv.gz", [HEADER, *TRADES])], database)).state == "loaded"
    with open_store(database) as store:
        assert [sum(len(batch) for batch in store.trades(symbol)) for symbol in store.symbols()] == [5, 3]


def test_open_interest_is_of_one_side(tmp_path: Path, database: Path) -> None:
    """`openInterest` is the sum of both sides by the documentation; newer answers have `singleOpenInterest` too."""
    assert loaded(tmp_path, database, "oi.json", interest((5, "100", None), (0, "200.5", "100.25"))).rows == 2
    with open_store(database) as store:
        table = store.open_interest("BTCUSDT.BYBIT")
    assert table["contracts"].to_pylist() == [100.25, 50.0]
    assert table["time"].to_pylist()[0] == datetime(2024, 3, 1, tzinfo=UTC)


def test_liquidations_are_of_the_positions_side_and_have_no_price_of_execution(tmp_path: Path, database: Path) -> None:
    old = {
        "topic": "liquidation.BTCUSDT", "type": "snapshot", "ts": 1,
        "data": {"updatedTime": (BEGIN + 9) * 1000, "symbol": "BTCUSDT", "side": "Sell", "size": "0.2", "price": "6e4"},
    }  # fmt: skip
    file = loaded(
        tmp_path, database, "liq.jsonl", liquidated((1, "Buy", "0.5", "59000"), (2, "Sell", "1", "62000")), old
    )
    assert (file.state, file.rows, file.symbol) == ("loaded", 3, "BTCUSDT.BYBIT")
    with open_store(database) as store:
        found = store.liquidations("BTCUSDT.BYBIT").to_pylist()
    assert [(row["side"], row["price"], row["contracts"]) for row in found] == [
        ("long", 59_000, 0.5), ("short", 62_000, 1), ("short", 60_000, 0.2),
    ]  # fmt: skip
    assert rows(database, "select count(average_price) from liquidation_history") == [(0,)]


@pytest.mark.parametrize("how", [{}, {"percent": True}, {"deduction": False}])
def test_risk_limits_are_brackets(tmp_path: Path, database: Path, how: dict[str, bool]) -> None:
    """Rates as shares, as newer answers have them, or in percent, as older ones; with their deduction or without."""
    assert loaded(tmp_path, database, "limits.json", limits(**how)).kind == "brackets"
    with open_store(database) as store:
        (table,) = store.brackets("BTCUSDT.BYBIT")
    assert (table.as_of, table.caps.tolist(), table.rates.tolist()) == (date(2024, 3, 1), [2e6, 1e7], [0.005, 0.01])
    assert (table.amounts.tolist(), table.max_leverage.tolist()) == ([0, 10_000], [100, 50])


def test_contracts_of_bybit() -> None:
    assert contract_of("BTCUSDT.BYBIT") == Contract("USDT", "USDT")
    assert contract_of("BTCPERP.BYBIT") == Contract("USDC", "USDC")
    assert contract_of("BTCUSD.BYBIT") == Contract("USD", "BTC", 1.0)
    assert (venue_of("BTCUSDT"), venue_of("BTCUSDT.BYBIT")) == ("binance", "bybit")


@pytest.mark.parametrize("cell", ["riskLimitValue", "maintenanceMargin", "maxLeverage", "initialMargin", "mmDeduction"])
def test_risk_limits_of_others_go_in_where_one_symbol_s_cannot_be_read(
    tmp_path: Path, database: Path, cell: str
) -> None:
    answer = limits()
    answer["result"]["list"] += [
        one | {cell: [[]] if cell == "mmDeduction" else "x"} for one in limits("ETHUSDT")["result"]["list"]
    ]
    file = loaded(tmp_path, database, "limits.json", answer)
    assert file.state == "loaded"
    assert "left out ETHUSDT.BYBIT (" in file.reason
    with open_store(database) as store:
        assert len(store.brackets("BTCUSDT.BYBIT")) == 1
        assert store.brackets("ETHUSDT.BYBIT") == []


def candles(
    *values: tuple[int, str, str], asked: int = 10**6, category: str = "linear", symbol: str = "BTCUSDT", cut: int = 7
) -> dict[str, Any]:
    """An answer with candles, newest first as it has them, by minute of their begin: close and volume."""
    listed = [
        [str((BEGIN + 60 * minute) * 1000), "60000", "60100.5", "59900", close, volume, "1234567.123456789"][:cut]
        for minute, close, volume in sorted(values, reverse=True)
    ]
    result = {"symbol": symbol, "category": category, "list": listed}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": (BEGIN + 60 * asked) * 1000}


def test_candles_are_of_the_length_between_them_and_only_of_what_was_over(tmp_path: Path, database: Path) -> None:
    """Pages of an hour each, that share a candle; the last one was open, and one stands alone."""
    older = candles((0, "60010", "1.5"), (5, "60020", "2"), (10, "60030", "2.5"))
    newer = candles((10, "60030", "2.5"), (15, "60040", "3"), (20, "60050", "0.1"), asked=21)
    file = loaded(tmp_path, database, "klines.jsonl", newer, older, candles((25, "60060", "9")))
    assert (file.state, file.kind, file.symbol) == ("loaded", "klines_5m", "BTCUSDT.BYBIT")
    assert "1 of its rows were left out: close_time is yet to come" in file.reason
    assert "1 of its rows were left out: close_time is unknown" in file.reason
    found = rows(database, "select symbol, epoch_ms(timestamp), open, high, low, close, volume from klines_5m_history")
    assert found == [
        (
            "BTCUSDT.BYBIT", (BEGIN + 60 * minute) * 1000, Decimal(60_000), Decimal("60100.5"), Decimal(59_900),
            Decimal(close), Decimal(volume),
        )
        for minute, close, volume in ((0, 60_010, "1.5"), (5, 60_020, "2"), (10, 60_030, "2.5"), (15, 60_040, "3"))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pages", "word"),
    [
        ([candles((0, "60010", "1"))], "more candles than one"),
        (
            [candles((0, "60010", "1"), (1, "60010", "1")), candles((60, "60010", "1"), (120, "60010", "1"))],
            "candles of 1h",
        ),
        ([candles((0, "60010", "1"), (7, "60010", "1"))], "0:07:00 long"),
        ([candles((1, "60010", "1"), (6, "60010", "1"))], "a multiple of 300000"),
        ([candles((0, "60010", "1"), (5, "60010", "1"), category="spot")], "spot market"),
        ([candles((0, "60010", "1"), (5, "60010", "1"), cut=5)], "mark, index or premium"),
        ([candles((0, "60200", "1"), (5, "60010", "1"))], "a high not below"),
    ],
)
def test_candles_of_unclear_length_or_other_prices_are_refused(
    tmp_path: Path, database: Path, pages: list[dict[str, Any]], word: str
) -> None:
    file = loaded(tmp_path, database, "klines.jsonl", *pages)
    assert file.state == "refused"
    assert word in file.reason
    assert not database.exists()


def metatrader(*minutes: int, begin: str = "2024.03.01 00:00", volume: str = "1.5") -> list[str]:
    first = datetime.strptime(begin, "%Y.%m.%d %H:%M")
    return [
        f"{first + timedelta(minutes=minute):%Y.%m.%d %H:%M},60000.5,60100,59900,60010,{volume}" for minute in minutes
    ]


MONTH = "BTCUSDT_5_2024-03-01_2024-03-31.csv.gz"


def test_candles_of_the_archive_are_of_a_clock_three_hours_ahead(tmp_path: Path, database: Path) -> None:
    """Two public descriptions of the files say UTC+3; ten months of them that one compared with another exchange's
    minutes fit best three hours off, in winter as in summer."""
    path = packed(tmp_path / MONTH, metatrader(0, 5, 10, 20))
    file = only(ingest([tmp_path], database))
    assert (file.state, file.kind, file.symbol, file.rows) == ("loaded", "klines_5m", "BTCUSDT.BYBIT", 4)
    found = rows(database, "select symbol, timestamp, open, high, low, close, volume from klines_5m_history")
    prices = (Decimal("60000.5"), Decimal(60_100), Decimal(59_900), Decimal(60_010), Decimal("1.5"))
    assert found == [("BTCUSDT.BYBIT", datetime(2024, 2, 29, 21, minute), *prices) for minute in (0, 5, 10, 20)]
    assert only(ingest([path], database)).state == "unchanged"


def test_candles_of_archive_and_api_are_the_same_candles(tmp_path: Path, database: Path) -> None:
    loaded(tmp_path, database, "klines.json", candles((0, "60010", "1"), (5, "60020", "2")))
    file = only(ingest([packed(tmp_path / MONTH, metatrader(180, 185, 190, volume="2.5"))], database))
    assert file.state == "loaded"
    found = rows(database, "select epoch(timestamp)::bigint, volume from klines_5m_history where symbol like '%BYBIT'")
    by_time = {time - BEGIN: float(volume) for time, volume in found}
    assert by_time.keys() == {0, 300, 600}
    assert by_time[600] == 2.5


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        (MONTH, ["time,open,high,low,close,volume", *metatrader(0, 5)], 'line 1: open is "open", expected a number'),
        (MONTH, ["2024-03-01 00:00,1,1,1,1,1"], 'time is "2024-03-01 00:00", expected a time as 2024.03.01 00:00'),
        (MONTH, ["2024.03.32 00:00,1,1,1,1,1"], 'time is "2024.03.32 00:00", expected a time as 2024.03.01 00:00'),
        (MONTH, ["2014.03.02 00:00,1,1,1,1,1"], "expected a time from 2019 on"),
        (MONTH, metatrader(0, 1, 2), "is named as klines of 5m, but its candles are of 1m"),
        (MONTH, ["2024.03.01 00:00,60000,60100,59900,60200,1"], "a high not below"),
        (MONTH, [*metatrader(0), "2024.03.01 00:05,60000,60100"], "has 3 columns, expected 6"),
        ("BTCUSDT_7_2024-03-01_2024-03-31.csv.gz", metatrader(0, 7), "0:07:00 long"),
    ],
)
def test_candles_of_the_archive_that_are_wrong_are_refused(
    tmp_path: Path, database: Path, name: str, lines: list[str], said: str
) -> None:
    file = only(ingest([packed(tmp_path / name, lines)], database))
    assert file.state == "refused"
    assert said in file.reason
    assert not database.exists()


def test_funding_stands_at_its_time(tmp_path: Path, database: Path) -> None:
    listed = [
        {"symbol": "BTCUSDT", "fundingRate": rate, "fundingRateTimestamp": str((BEGIN + 3600 * hour) * 1000)}
        for hour, rate in ((8, "-0.00003781"), (0, "0.0001"))
    ]
    answer = {"retCode": 0, "result": {"category": "linear", "list": listed}, "time": BEGIN * 1000}
    assert loaded(tmp_path, database, "funding.json", answer).kind == "funding"
    found = rows(database, "select symbol, epoch_ms(timestamp), funding_rate from funding_rate_history order by 2")
    assert found == [
        ("BTCUSDT.BYBIT", BEGIN * 1000, Decimal("0.0001")),
        ("BTCUSDT.BYBIT", (BEGIN + 28_800) * 1000, Decimal("-0.00003781")),
    ]


def test_levels_rest_on_candles_of_bybit_where_there_are_no_trades(
    tmp_path: Path, database: Path, liqstrat: Shell
) -> None:
    minutes = range(0, 1440, 5)
    loaded(tmp_path, database, "klines.json", candles(*((minute, "60010", "2") for minute in minutes)))
    loaded(tmp_path, database, "oi.json", interest(*((minute, str(200 + minute / 5), None) for minute in minutes)))
    loaded(tmp_path, database, "limits.json", limits())
    one = liqstrat("levels", "BTCUSDT.BYBIT", "--db", str(database))
    assert one.code == 0, one.err
    assert "levels rest on 5m candles" in one.err
    seen = liqstrat("inspect", "BTCUSDT.BYBIT", "--db", str(database)).out
    assert "levels rest on klines_5m, and open interest every 5 minutes" in seen


REFUSED = {
    "twice": ([HEADER, *TRADES, TRADES[0]], "has trades twice"),
    "side": ([HEADER, TRADES[0].replace("Buy", "Hold")], "side"),
    "price": ([HEADER, trade(1, "Buy", "1", "-5", 1)], "price"),
    "milliseconds": ([HEADER, TRADES[0].replace(f"{BEGIN}.", f"{BEGIN}000.")], "timestamp"),
    "two symbols": ([HEADER, TRADES[0], trade(1, "Buy", "1", "5", 9, symbol="ETHUSDT")], "several symbols"),
    "cut": ([HEADER, TRADES[0], TRADES[1][:40]], ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_and_leaves_nothing(tmp_path: Path, database: Path, case: str) -> None:
    lines, word = REFUSED[case]
    file = only(ingest([packed(tmp_path / "x.csv.gz", lines)], database))
    assert file.state == "refused"
    assert word in file.reason
    assert not database.exists()


def test_broken_gzip_and_answers_of_errors_are_refused(tmp_path: Path, database: Path) -> None:
    path = packed(tmp_path / "x.csv.gz", [HEADER, *TRADES * 1])
    path.write_bytes(path.read_bytes()[:-12])
    assert "not a whole gzip" in only(ingest([path], database)).reason
    file = loaded(tmp_path, database, "e.json", {"retCode": 10001, "retMsg": "params error", "result": {}, "time": 1})
    assert "error that Bybit answered: 10001" in file.reason
    side = liquidated((1, "Long", "0.5", "59000"))
    assert "expected Buy or Sell" in loaded(tmp_path, database, "s.json", side).reason


def test_a_liquidation_without_a_price_of_execution_happened_at_the_last_trade(tmp_path: Path, database: Path) -> None:
    """The bankruptcy price lies beyond: a score and a fit look where price was."""
    ingest([packed(tmp_path / "BTCUSDT2024-03-01.csv.gz", [HEADER, *TRADES])], database)
    loaded(tmp_path, database, "liq.jsonl", liquidated((1, "Buy", "0.5", "59000"), (9, "Sell", "1", "62000")))
    with open_store(database) as store:
        found = recorded(store, "BTCUSDT.BYBIT", None, None)
    assert (found.unpriced, found.liquidations.price.tolist()) == (2, [60_000.0, 60_010.5])
    assert "Bybit's stream" in found.remarks()[0]
