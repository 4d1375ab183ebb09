"""Leverage brackets and instruments as the exchange tells them, by symbol and day."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.market.brackets import load_brackets
from liqstrat.market.ingest import ingest
from liqstrat.market.instruments import load_instruments
from liqstrat.market.store import open_store
from tests.market.archive_files import ArchiveWriter, only, trade_lines
from tests.market.served import Server

SPRING, AUTUMN = date(2024, 3, 1), date(2024, 9, 1)


def bracket(number: int, floor: Any, cap: Any, rate: Any, cum: Any, leverage: Any) -> dict[str, Any]:
    return {
        "bracket": number,
        "initialLeverage": leverage,
        "notionalCap": cap,
        "notionalFloor": floor,
        "maintMarginRatio": rate,
        "cum": cum,
    }


def entry(symbol: str = "ABCUSDT", rate: Any = 0.01, **more: Any) -> dict[str, Any]:
    """Two brackets, the higher one first; floor 5,000 USDT and 0.05 from there on."""
    cum = round(5000 * (0.05 - float(rate)), 6)
    brackets = [bracket(2, "5000", "100000", "0.05", str(cum), "20"), bracket(1, 0, 5000, rate, 0.0, 75)]
    return {"symbol": symbol, "brackets": brackets, **more}


def exchange_info(**more: Any) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "1", "maxPrice": "2"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"},
        {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "120"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
    ]
    symbol = {"contractType": "PERPETUAL", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
    listed = {"onboardDate": 1569398400000, "liquidationFee": "0.012500", "filters": filters}
    symbols = [{"symbol": name, **symbol, **listed, **more} for name in ("BTCUSDT", "ETHUSDT")]
    return {"serverTime": 1709251200000, "rateLimits": [], "symbols": symbols}


def written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_brackets_become_tables_by_day(tmp_path: Path, database: Path) -> None:
    for day, rate in ((AUTUMN, "0.02"), (SPRING, 0.01)):
        load_brackets(written(tmp_path / "answer.json", [entry(rate=rate), entry("XYZUSDT")]), day, database)
    with open_store(database) as store:
        spring, autumn = store.brackets("ABCUSDT")
        assert store.brackets("BTCUSDT") == []
    assert load_brackets(tmp_path / "answer.json", SPRING, database).rows == 0, "the other day does not count"
    assert (spring.symbol, spring.as_of, autumn.as_of) == ("ABCUSDT", SPRING, AUTUMN)
    assert spring.rates.tolist() == [0.01, 0.05]
    assert autumn.amounts.tolist() == [0, 150]
    assert spring.max_leverage.tolist() == [75, 20]
    assert float(spring.maintenance_margin(10_000)) == pytest.approx(10_000 * 0.05 - 200)


def test_the_fingerprint_tells_other_brackets(write_archive: ArchiveWriter, tmp_path: Path, database: Path) -> None:
    ingest([write_archive("ABCUSDT-aggTrades-2024-03-01.zip", trade_lines(3))], database)

    def fingerprint() -> str:
        with open_store(database) as store:
            return store.fingerprint("ABCUSDT", None, datetime(2024, 6, 1, tzinfo=UTC))

    seen = [fingerprint()]
    for rate, day in (("0.01", SPRING), ("0.02", SPRING), ("0.03", AUTUMN)):
        load_brackets(written(tmp_path / "answer.json", [entry(rate=rate)]), day, database)
        seen.append(fingerprint())
    assert len(set(seen)) == 3
    assert seen[2] == seen[3], "brackets of after the range change nothing"


def test_loading_again_changes_nothing_and_a_correction_replaces_its_day(tmp_path: Path, database: Path) -> None:
    answer = written(tmp_path / "answer.json", [entry()])
    assert load_brackets(answer, SPRING, database).rows == 2
    assert load_brackets(answer, SPRING, database).rows == 0
    one = entry()
    one["brackets"] = [bracket(1, 0, 8000, "0.03", 0, 25)]
    assert load_brackets(written(answer, [one]), SPRING, database).rows == 2
    with open_store(database) as store:
        (table,) = store.brackets("ABCUSDT")
    assert table.caps.tolist() == [8000]


def test_real_brackets_are_those_shipped(shared_data: Path, database: Path) -> None:
    report = ingest([shared_data / "brackets"], database)
    assert {file.state for file in report.files} == {"loaded"}
    assert {file.state for file in ingest([shared_data / "brackets"], database).files} == {"unchanged"}
    at = datetime(2024, 8, 9, tzinfo=UTC)
    with open_store(database) as store:
        found = {table.as_of: table for table in store.brackets("BTCUSDT")}[at.date()]
        assert len(store.brackets("DOTUSDT")) == 7
    shipped = brackets_for("BTCUSDT", at)
    for name in ("floors", "caps", "rates", "amounts", "max_leverage"):
        assert getattr(found, name).tolist() == getattr(shipped, name).tolist()


def test_brackets_that_contradict_themselves_are_left_out_and_named(tmp_path: Path, database: Path) -> None:
    hole, wrong, mine = entry("HOLEUSDT"), entry("WRONGUSDT"), entry("MINEUSDT", notionalCoef="1.5")
    hole["brackets"][0]["notionalFloor"] = "6000"
    wrong["brackets"][0]["cum"] = "300"
    loaded = load_brackets(written(tmp_path / "a.json", [hole, wrong, mine, entry()]), SPRING, database)
    assert loaded.symbols == ("ABCUSDT",)
    for word in ("HOLEUSDT", "hole", "WRONGUSDT", "cum is 300", "200.00", "MINEUSDT", "one account"):
        assert word in loaded.remark


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "line 1: is not JSON"),
        ('{"code": -2014, "msg": "API-key format invalid."}', "no answer of leverageBracket"),
        ('[{"symbol": "ABCUSDT", "brackets": [{"qtyCap": 5}]}]', "notionalFloor"),
        ('[{"pair": "BTCUSD", "brackets": []}]', "of a pair of COIN-M"),
    ],
)
def test_other_answers_are_refused(tmp_path: Path, database: Path, content: str, words: str) -> None:
    path = tmp_path / "answer.json"
    path.write_text(content)
    with pytest.raises(LiqstratError, match=f"answer.json: .*{words}"):
        load_brackets(path, SPRING, database)


def test_an_address_is_read_like_a_file(served: Server, tmp_path: Path, database: Path) -> None:
    address = served.url
    served.put("leverageBracket", json.dumps([entry()]))
    assert load_brackets(f"{address}/leverageBracket", SPRING, database).symbols == ("ABCUSDT",)
    with pytest.raises(LiqstratError, match=r"nothing: .*404"):
        load_brackets(f"{address}/nothing", SPRING, database)
    with pytest.raises(LiqstratError, match="No such file"):
        load_brackets(tmp_path / "nothing.json", SPRING, database)


def test_instruments_have_their_steps(tmp_path: Path, database: Path) -> None:
    info = written(tmp_path / "exchangeInfo.json", exchange_info())
    assert load_instruments(["BTCUSDT"], info, database).symbols == ("BTCUSDT",)
    with open_store(database) as store:
        market = store.instrument("BTCUSDT")
        assert store.instrument("ETHUSDT") is None
    assert market is not None
    assert (market.as_of, market.contract_type, market.listed) == (
        date(2024, 3, 1),
        "PERPETUAL",
        datetime(2019, 9, 25, 8),
    )
    assert (market.price_tick, market.quantity_step) == (Decimal("0.1"), Decimal("0.001"))
    assert (market.min_notional, market.max_market_quantity) == (100, 120)
    with pytest.raises(LiqstratError, match=r'no BTCUSD .*did you mean "BTCUSDT"'):
        load_instruments(["BTCUSD"], info, database)


def test_the_instrument_is_that_of_its_day(tmp_path: Path, database: Path) -> None:
    info = exchange_info()
    load_instruments([], written(tmp_path / "a.json", info), database)
    info["serverTime"] += 86_400_000 * 100
    info["symbols"][0]["filters"][0]["tickSize"] = "0.01"
    file = only(ingest([written(tmp_path / "b.json", info)], database))
    assert (file.state, file.kind, file.rows) == ("loaded", "instruments", 2)
    with open_store(database) as store:
        for at, tick in ((datetime(2024, 1, 1, tzinfo=UTC), "0.1"), (datetime(2025, 1, 1, tzinfo=UTC), "0.01")):
            market = store.instrument("BTCUSDT", at)
            assert market is not None
            assert market.price_tick == Decimal(tick)


def test_other_markets_are_refused(tmp_path: Path, database: Path) -> None:
    spot = exchange_info()
    for symbol in spot["symbols"]:
        del symbol["contractType"]
    with pytest.raises(LiqstratError, match="spot"):
        load_instruments([], written(tmp_path / "spot.json", spot), database)


def test_they_are_no_history(write_archive: ArchiveWriter, tmp_path: Path, database: Path) -> None:
    """A simulated market may use real brackets, and a symbol with nothing else is not one to backtest."""
    ingest([write_archive("ABCUSDT-aggTrades-2024-03-01.zip", trade_lines(3), comment=b"SIMULATED {}")], database)
    load_brackets(written(tmp_path / "answer.json", [entry(), entry("XYZUSDT")]), SPRING, database)
    more = write_archive("ABCUSDT-aggTrades-2024-03-02.zip", trade_lines(3, 10, day=2), comment=b"SIMULATED {}")
    assert only(ingest([more], database)).state == "loaded"
    with open_store(database) as store:
        assert store.symbols() == ["ABCUSDT"]
