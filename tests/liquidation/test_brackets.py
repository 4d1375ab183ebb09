import json
import time
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import (
    DEFAULT_SYMBOL,
    BracketTable,
    bracket_table,
    brackets_for,
    in_force,
    known_brackets,
)
from liqstrat.liquidation.settings import ModelSettings


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_table_of_the_day_is_used() -> None:
    assert brackets_for("BTCUSDT", at("2024-03-01")).caps[0] == 50_000
    assert brackets_for("BTCUSDT", at("2026-10-01")).caps[0] == 300_000
    assert brackets_for("SOLUSDT", at("2023-02-01")).max_leverage[0] == 12


def test_before_the_first_table_the_first_is_used() -> None:
    assert brackets_for("BTCUSDT", at("2020-01-01")).as_of == date(2022, 6, 30)


def test_a_table_does_not_apply_before_the_day_it_was_seen() -> None:
    assert brackets_for("ETHUSDT", at("2023-12-31T23:59:59")).as_of == date(2023, 6, 30)
    assert brackets_for("ETHUSDT", at("2024-01-01")).as_of == date(2024, 1, 1)


def test_an_unknown_symbol_gets_the_default_schedule_and_says_so() -> None:
    assert brackets_for("NEWUSDT", at("2024-03-01")).symbol == DEFAULT_SYMBOL


@pytest.mark.parametrize("symbol", ["BTCUSDT.BYBIT", "BTCUSDC", "BTCPERP.BYBIT"])
def test_the_same_coin_elsewhere_has_like_brackets_until_its_own_are_loaded(symbol: str) -> None:
    """Of Bybit's hours maps add +.054 to longs so, and +.045 with a typical market's, which ends at 75x."""
    assumed, known = brackets_for(symbol, at("2024-03-01")), brackets_for("BTCUSDT", at("2024-03-01"))
    assert (assumed.symbol, assumed.caps.tolist(), assumed.max_leverage[0]) == ("BTCUSDT", known.caps.tolist(), 125)
    assert assumed.contract.quote == ("USDT" if "USDT" in symbol else "USDC")
    table = own(symbol, date(2024, 2, 1), "7")
    assert brackets_for(symbol, at("2024-03-01"), [table]) is table


@pytest.mark.parametrize("symbol", ["BTCUSD.BYBIT", "BTCUSDT_240329", "BTCFDUSD", "NEWUSDC", "PERP.BYBIT"])
def test_other_contracts_and_coins_get_the_default_schedule(symbol: str) -> None:
    assert brackets_for(symbol, at("2024-03-01")).symbol == DEFAULT_SYMBOL


def own(symbol: str, day: date, first_cap: str) -> BracketTable:
    rows = [("0", first_cap, "0.01", 20), (first_cap, "1000000", "0.1", 5)]
    return bracket_table(symbol, day, [(Decimal(f), Decimal(c), Decimal(r), lev) for f, c, r, lev in rows])


def test_loaded_tables_stand_beside_those_shipped_and_win_on_their_day() -> None:
    later, same = own("BTCUSDT", date(2024, 2, 1), "7"), own("BTCUSDT", date(2024, 1, 1), "8")
    assert brackets_for("BTCUSDT", at("2024-01-15"), [later, same]).caps[0] == 8
    assert brackets_for("BTCUSDT", at("2024-03-01"), [later, same]).caps[0] == 7
    assert brackets_for("BTCUSDT", at("2023-12-01"), [later, same]).caps[0] == 50_000


def test_a_symbol_of_which_tables_were_loaded_needs_no_default() -> None:
    table = own("NEWUSDT", date(2024, 2, 1), "7")
    assert brackets_for("NEWUSDT", at("2023-01-01"), [table]) is table
    book = LiquidationBook(ModelSettings(), "NEWUSDT", [table])
    assert book.brackets(1_709_251_200_000_000_000) is table


def test_amounts_are_the_exchanges() -> None:
    """`cum` of GET /fapi/v1/leverageBracket, BTCUSDT, as of 2024-01-01."""
    amounts = brackets_for("BTCUSDT", at("2024-01-01")).amounts[:6]
    np.testing.assert_allclose(amounts, [0, 50, 2550, 122550, 1372550, 5372550])


def test_all_tables_agree_with_what_the_exchange_published(shared_data: Path) -> None:
    for file in sorted((shared_data / "brackets").glob("*.json")):
        for entry in json.loads(file.read_text()):
            if entry["symbol"] not in known_brackets():
                continue
            table = brackets_for(entry["symbol"], at(file.stem))
            published = sorted(entry["brackets"], key=lambda b: float(b["notionalFloor"]))
            np.testing.assert_allclose(table.floors, [float(b["notionalFloor"]) for b in published])
            np.testing.assert_allclose(table.rates, [float(b["maintMarginRatio"]) for b in published])
            np.testing.assert_allclose(table.amounts, [float(b["cum"]) for b in published], atol=0.01)
            assert table.max_leverage.tolist() == [int(b["initialLeverage"]) for b in published]


def test_maintenance_margin_is_continuous_at_every_floor() -> None:
    for tables in known_brackets().values():
        for table in tables:
            below, above = table.floors[1:] * (1 - 1e-12), table.floors[1:] * (1 + 1e-12)
            np.testing.assert_allclose(table.maintenance_margin(below), table.maintenance_margin(above), rtol=1e-9)


def test_a_position_at_a_cap_belongs_to_the_lower_bracket() -> None:
    table = brackets_for("BTCUSDT", at("2024-03-01"))
    assert table.index_of([1, 50_000, 50_000.01, 1e12]).tolist() == [0, 0, 1, 9]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("0", "10", "0.01", 50), ("20", "30", "0.02", 25)], "hole"),
        ([("0", "10", "0.02", 50), ("10", "30", "0.01", 25)], "rise"),
    ],
)
def test_tables_with_holes_or_falling_rates_are_refused(rows: list[tuple[str, str, str, int]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bracket_table("X", date(2024, 1, 1), [(Decimal(f), Decimal(c), Decimal(r), lev) for f, c, r, lev in rows])


def test_a_table_holds_its_rows_as_numbers_and_the_amounts_that_follow() -> None:
    """Amounts by hand: 10 · 0.01 = 0.1; 0.1 + 50 · 0.03 = 1.6."""
    rows = [("0", "10", "0.01", 50), ("10", "50", "0.02", 25), ("50", "Infinity", "0.05", 5)]
    table = bracket_table("X", date(2024, 1, 1), [(Decimal(f), Decimal(c), Decimal(r), lev) for f, c, r, lev in rows])
    assert (table.symbol, table.as_of, len(table)) == ("X", date(2024, 1, 1), 3)
    assert table.floors.tolist() == [0.0, 10.0, 50.0]
    assert table.caps.tolist() == [10.0, 50.0, np.inf]
    assert table.rates.tolist() == [0.01, 0.02, 0.05]
    assert table.amounts.tolist() == pytest.approx([0.0, 0.1, 1.6])
    assert table.max_leverage.tolist() == [50, 25, 5]
    kinds = {array.dtype for array in (table.floors, table.caps, table.rates, table.amounts)}
    assert (kinds, table.max_leverage.dtype) == ({np.dtype(np.float64)}, np.dtype(np.int64))
    assert table.maintenance_margin(100) == pytest.approx(100 * 0.05 - 1.6)
    assert table.maintenance_margin([5, 100]).tolist() == pytest.approx([0.05, 3.4])


@pytest.mark.parametrize(
    "rows",
    [
        [("0", "10", "0.02", 50), ("10", "30", "0.02", 25)],
        [("1", "10", "0.01", 50)],
        [("0", "10", "0.01", 50), ("10", "30", "0.02", 25), ("31", "40", "0.03", 5)],
    ],
    ids=["a rate twice", "no floor at zero", "a hole further up"],
)
def test_tables_with_smaller_faults_are_refused_too(rows: list[tuple[str, str, str, int]]) -> None:
    with pytest.raises(ValueError, match="as of 2024-01-01"):
        bracket_table("X", date(2024, 1, 1), [(Decimal(f), Decimal(c), Decimal(r), lev) for f, c, r, lev in rows])


def test_the_most_that_a_leverage_allows() -> None:
    rows = [("0", "10", "0.01", 50), ("10", "30", "0.02", 20), ("30", "90", "0.05", 5)]
    table = bracket_table("XUSDT", date(2024, 3, 1), [(*map(Decimal, row[:3]), row[3]) for row in rows])  # type: ignore[misc, arg-type]
    most = {51: 0, 50: 10, 21: 10, 20: 30, 6: 30, 5: 90, 1: 90}
    assert {leverage: table.most_notional(leverage) for leverage in most} == most


def test_a_table_is_in_force_from_midnight_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the machine stands, and however a moment is written."""
    tables = [
        bracket_table("XUSDT", day, [(Decimal(0), Decimal(cap), Decimal("0.01"), 50)])
        for day, cap in ((date(2024, 3, 1), 10), (date(2024, 3, 2), 20))
    ]
    moments = {at("2024-03-01T23:59"): 10, at("2024-03-02T00:00"): 20}
    for zone in ("UTC", "America/Los_Angeles", "Pacific/Auckland"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        for moment, cap in moments.items():
            for written in (moment, moment.astimezone(timezone(timedelta(hours=9)))):
                assert in_force(tables, written).caps[0] == cap
    monkeypatch.undo()
    time.tzset()
