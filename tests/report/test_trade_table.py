import re
from pathlib import Path

import pytest

from liqstrat.report import numbers, trade_table
from liqstrat.report.markers import Row
from liqstrat.report.tables import read_results
from liqstrat.report.trade_table import trades_html


@pytest.fixture(scope="module")
def rows(demo_results: Path) -> list[Row]:
    return read_results(demo_results).positions.to_pylist()


def cells(html: str) -> list[list[str]]:
    """Text of the body's cells, row by row."""
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    found = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")[:-1]]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in found]


def columns(html: str) -> list[str]:
    return re.findall(r"<th[^>]*>([^<]+)</th>", html)


def test_each_trade_has_its_row_with_the_level_it_was_taken_at(rows: list[Row]) -> None:
    html = trades_html(rows, {})
    table = [dict(zip(columns(html), row, strict=True)) for row in cells(html)]
    assert len(table) == len(rows)
    for shown, row in zip(table, rows, strict=True):
        assert shown["P&amp;L, USDT"] == numbers.number(row["pnl"], signed=True)
        assert shown["Entry"] == numbers.price(row["entry_price"])
        level = shown["Level taken at, USDT"]
        if row["level_low"] is None:
            assert level == "–"
        else:
            assert level.startswith(f"{row['level_side']} {numbers.price(row['level_low'])} – ")


def test_the_sums_stand_below(rows: list[Row]) -> None:
    below = trades_html(rows, {}).partition("<tfoot>")[2]
    assert numbers.number(sum(row["pnl"] for row in rows), signed=True) in below
    assert numbers.number(sum(row["fees"] for row in rows)) in below


def test_an_open_trade_and_one_without_a_level(rows: list[Row]) -> None:
    nothing = {"closed": None, "exit_price": None, "exit_role": None, "return": None, "reason": ""}
    levels = {"level_side": None, "level_low": None, "level_high": None, "level_notional": None}
    html = trades_html([{**rows[0], **nothing, **levels}], {rows[0]["symbol"]: "plot-heatmap"})
    (shown,) = cells(html)
    row = dict(zip(columns(html), shown, strict=True))
    assert (row["Held"], row["Exit"], row["Left by"]) == ("–", "–", "still open")
    assert row["Level taken at, USDT"] == "–"
    assert "Reason" not in row


def test_names_cannot_break_the_page(rows: list[Row]) -> None:
    hostile = {**rows[0], "strategy": '<img src=x onerror="1">', "reason": '"><script>alert(1)</script>'}
    html = trades_html([hostile, {**rows[0], "strategy": "other"}], {})
    assert "<img" not in html
    assert "<script" not in html


def test_strategy_and_symbol_are_columns_only_where_they_differ(rows: list[Row]) -> None:
    one = [{**row, "strategy": "fade"} for row in rows[:3]]
    assert not {"Strategy", "Symbol"} & set(columns(trades_html(one, {})))
    two = [{**one[0], "strategy": "magnet"}, *one]
    assert "Strategy" in columns(trades_html(two, {}))


def test_thousands_of_trades_are_cut_and_it_is_said(rows: list[Row]) -> None:
    many = [{**rows[0], "number": number} for number in range(1, trade_table.MOST_ROWS + 12)]
    html = trades_html(many, {})
    assert len(cells(html)) == trade_table.MOST_ROWS
    assert "11 more trades" in html


def test_no_trades_are_said() -> None:
    assert "No trade" in trades_html([], {})
