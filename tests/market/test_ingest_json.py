"""Answers of the exchange's API and recordings of its streams: recognised by content, added to what is there."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from tests.market.archive_files import DAY_MS, ArchiveWriter, only, rows, states, trade_lines

MINUTE = 60_000


def trade(id_: int, price: str = "60000.10", **more: Any) -> dict[str, Any]:
    return {"a": id_, "p": price, "q": "0.5", "f": 1, "l": 1, "T": DAY_MS + 1000 * (id_ - 1), "m": id_ % 2 == 0, **more}


def candle(minute: int, volume: str = "5", close: str = "105") -> list[Any]:
    begin = DAY_MS + minute * MINUTE
    return [begin, "100", "110", "90", close, volume, begin + MINUTE - 1, "500", 7, "2", "200", "0"]


def frame(symbol: str = "BTCUSDT", second: int = 1, side: str = "SELL", average: str = "0") -> dict[str, Any]:
    order = {"s": symbol, "S": side, "o": "LIMIT", "f": "IOC", "q": "0.5", "p": "59000.10", "ap": average}
    return {
        "e": "forceOrder",
        "E": DAY_MS,
        "o": {**order, "X": "FILLED", "l": "0.5", "z": "0.5", "T": DAY_MS + 1000 * second},
    }


def document(value: object, indent: int | None = None) -> list[str]:
    return [json.dumps(value, indent=indent)]


def lines(*entries: object) -> list[str]:
    return [json.dumps(entry) for entry in entries]


@pytest.mark.parametrize("name", ["aggTrades-BTCUSDT-2024-03-01.json", "BTCUSDT_answer.json", "x BTCUSDT.jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
def test_trades_are_of_the_symbol_in_the_name(
    write_archive: ArchiveWriter, database: Path, name: str, indent: int | None
) -> None:
    answer = write_archive(name, document([trade(1, nq="0.5"), trade(2)], indent))
    assert only(ingest([answer], database)).symbol == "BTCUSDT"
    with open_store(database) as store:
        first, second = store.trades("BTCUSDT").read_all().to_pylist()
    assert first["time"] == datetime(2024, 3, 1, tzinfo=UTC)
    assert (first["price"], first["quantity"], first["buy"]) == (Decimal("60000.1"), Decimal("0.5"), True)
    assert second["buy"] is False


def test_open_interest_and_funding_say_their_symbol(write_archive: ArchiveWriter, database: Path) -> None:
    values = [
        {"symbol": "SOLUSDC", "sumOpenInterest": "432.5", "sumOpenInterestValue": "8e4", "timestamp": DAY_MS},
        {"symbol": "SOLUSDC", "sumOpenInterest": "0E-8", "sumOpenInterestValue": "0", "timestamp": DAY_MS + 300_000},
    ]
    rates = [
        {"symbol": symbol, "fundingTime": DAY_MS + 3, "fundingRate": rate, "markPrice": ""}
        for symbol, rate in (("BTCUSDT", "-0.00012500"), ("ETHUSDT", "0.0001"))
    ]
    files = [write_archive("oi.json", document(values)), write_archive("rates.json", document(rates))]
    assert [(file.kind, file.symbol, file.rows) for file in ingest(files, database).files] == [
        ("open_interest", "SOLUSDC", 2),
        ("funding", None, 2),
    ]
    with open_store(database) as store:
        assert store.open_interest("SOLUSDC")["contracts"].to_pylist() == [432.5]
        assert store.funding("BTCUSDT")["rate"].to_pylist() == [Decimal("-0.000125")]
        assert store.symbols() == ["BTCUSDT", "ETHUSDT", "SOLUSDC"]


def test_a_candle_that_was_still_open_is_replaced_when_it_is_asked_for_again(
    write_archive: ArchiveWriter, database: Path
) -> None:
    first = write_archive("klines-BTCUSDT-1.json", document([candle(0), candle(1, volume="1", close="101")]))
    again = write_archive("klines-BTCUSDT-2.json", document([candle(1, volume="9"), candle(2, volume="1")]))
    ingest([first], database)
    ingest([again, first], database)
    with open_store(database) as store:
        assert store.klines("BTCUSDT")["volume"].to_pylist() == [5, 9, 1]
        assert store.klines("BTCUSDT")["close"].to_pylist() == [105, 105, 105]


def test_a_recording_holds_all_symbols(write_archive: ArchiveWriter, database: Path) -> None:
    entries = [
        {"result": None, "id": 1},
        frame(),
        frame(),
        frame("ETHUSDT", side="BUY", average="59010.5"),
        {"stream": "!forceOrder@arr", "data": frame("1000PEPEUSDT")},
        frame("ETH_250627USDT"),
    ]
    file = only(ingest([write_archive("2024-03-01.jsonl", lines(*entries))], database))
    assert (file.state, file.kind, file.rows) == ("loaded", "liquidations", 4)
    with open_store(database) as store:
        assert store.symbols() == ["1000PEPEUSDT", "BTCUSDT", "ETHUSDT", "ETH_250627USDT"]
        assert store.liquidations("BTCUSDT").to_pylist() == [
            {"time": datetime(2024, 3, 1, 0, 0, 1, tzinfo=UTC), "side": "long", "price": 59000.1, "contracts": 0.5}
        ]
        assert [tuple(row.values())[1:3] for row in store.liquidations("ETHUSDT").to_pylist()] == [("short", 59010.5)]


def test_a_recording_that_grows_or_has_the_name_of_another_adds_to_it(
    write_archive: ArchiveWriter, database: Path
) -> None:
    def record(*entries: object) -> Path:
        return write_archive("today.jsonl", lines(*entries))

    assert only(ingest([record(frame(second=1), frame(second=3))], database)).rows == 2
    assert only(ingest([record(frame(second=1), frame(second=3), frame(second=4))], database)).rows == 1
    other = only(ingest([record(frame(second=2), frame(second=3))], database))
    assert (other.state, other.rows) == ("loaded", 1)
    assert rows(database, "select count(*), count(distinct timestamp) from liquidation_history") == [(4, 4)]
    assert only(ingest([record(frame(second=2), frame(second=3))], database)).state == "unchanged"


def test_half_a_line_at_the_end_of_a_recording_is_left_out(write_archive: ArchiveWriter, database: Path) -> None:
    path = write_archive("today.jsonl", [*lines(frame(second=1), frame(second=2)), lines(frame())[0][:50]])
    file = only(ingest([path], database))
    assert (file.state, file.rows) == ("loaded", 2)
    assert "cut short" in file.reason


def test_answers_fill_what_the_archive_lacks(write_archive: ArchiveWriter, database: Path) -> None:
    day = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(3))
    answer = write_archive("BTCUSDT-aggTrades-2024-03-01.json", document([trade(i) for i in (2, 3, 4, 5)]))
    assert [file.rows for file in ingest([day, answer], database).files] == [3, 2]
    assert rows(database, "select agg_trade_id from aggtrades_history order by 1") == [(i,) for i in range(1, 6)]
    # The name is that of the day's file; it is no correction of it all the same.
    whole = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(4))
    assert only(ingest([whole], database)).state == "replaced"
    assert rows(database, "select agg_trade_id from aggtrades_history order by 1") == [(i,) for i in range(1, 6)]


def test_real_recordings_stay_out_of_a_simulated_history(write_archive: ArchiveWriter, database: Path) -> None:
    simulated = write_archive("ETHUSDT-aggTrades-2024-03-01.zip", trade_lines(3), comment=b"SIMULATED {}")
    recording = write_archive("today.jsonl", lines(frame(), frame("ETHUSDT")))
    report = ingest([simulated, recording], database)
    assert states(report) == ["loaded", "refused"]
    assert "SIMULATED history of ETHUSDT" in report.files[1].reason
    with open_store(database) as store:
        assert store.symbols() == ["ETHUSDT"], "nothing of the refused file stays"


CASES = {
    "error": ("aggTrades-BTCUSDT.json", document({"code": -1121, "msg": "Invalid symbol."}), ["-1121", "Invalid"]),
    "spot trades": ("BTCUSDT.json", document([trade(1, M=True)]), ["spot", "USDⓈ-M"]),
    "spot by name": ("spot-BTCUSDT.json", document([trade(1)]), ["spot"]),
    "single trades": ("BTCUSDT.json", document([{"id": 1, "price": "1", "qty": "2"}]), ["single trades", "aggTrades"]),
    "open interest of no known contract": (
        "x.json",
        document([{"pair": "BTCUSD", "contractType": "CURRENT_QUARTER", "sumOpenInterest": "1"}]),
        ["COIN-M", "CURRENT_QUARTER", "PERPETUAL"],
    ),
    "another stream": ("x.jsonl", lines({"e": "depthUpdate", "b": []}), ["depthUpdate", "forceOrder"]),
    "no symbol anywhere": ("answer.json", document([trade(1)]), ["symbol", "name"]),
    "something else": ("BTCUSDT.json", document({"a": 1}), ["the keys a", "aggTrades", "exchangeInfo"]),
    "another entry inside": ("x.jsonl", lines(frame(), {"e": "trade"}, frame()), ["entry 2", "trade", "forceOrder"]),
    "letters in a price": ("BTCUSDT.json", document([trade(1), trade(2, "abc")]), ["entry 2", "price", "abc"]),
    "price below zero": ("BTCUSDT.json", document([trade(1), trade(2, "-1")]), ["entry 2", "price", "above 0"]),
    "time in seconds": ("BTCUSDT.json", document([{**trade(1), "T": 1709251200}]), ["entry 1", "1709251200"]),
    "one id, two prices": ("BTCUSDT.json", document([trade(1), trade(1, "9")]), ["agg_trade_id 1"]),
    "cut": ("BTCUSDT.json", [json.dumps([trade(1), trade(2)], indent=1)[:-20]], ["line", "not JSON"]),
    "broken line": ("x.jsonl", [*lines(frame()), "{oops", *lines(frame())], ["line 2", "not JSON"]),
    "empty": ("x.json", [""], ["empty"]),
    "no entry": ("BTCUSDT.json", ["[]"], ["no entry"]),
    "brackets of no day": ("brackets.json", document([{"symbol": "BTCUSDT", "brackets": []}]), ["day", "--as-of"]),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_with_what_was_found(write_archive: ArchiveWriter, database: Path, case: str) -> None:
    name, content, words = CASES[case]
    file = only(ingest([write_archive(name, content)], database))
    assert file.state == "refused"
    assert [word for word in words if word not in file.reason] == [], file.reason
    assert not database.exists()
