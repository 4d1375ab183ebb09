from decimal import Decimal
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from liqstrat.report.heatmap import heatmap_figure, write_heatmap_page
from liqstrat.report.tables import Results, read_results


@pytest.fixture(scope="module")
def demo(demo_results: Path) -> Results:
    return read_results(demo_results)


@pytest.fixture(scope="module")
def figure(demo: Results) -> go.Figure:
    symbol = demo.run.symbols[0]
    return drawn(demo.levels(symbol), demo.candles(symbol), demo.positions_of(symbol), simulated=True)


def drawn(*tables: pa.Table, simulated: bool = False) -> go.Figure:
    """The figure as Plotly takes it, which refuses what it does not know."""
    return go.Figure(heatmap_figure(*tables, simulated=simulated))


def traces(figure: go.Figure, kind: str) -> list:
    return [trace for trace in figure.data if trace.type == kind]


def test_the_first_map_is_drawn_from_the_moment_it_was_known(demo: Results, figure: go.Figure) -> None:
    (heat,) = traces(figure, "heatmap")
    first = demo.levels(demo.run.symbols[0])["time"]
    assert heat.x0 - heat.dx / 2 == pc.min(first).as_py().timestamp() * 1000


def test_price_stands_where_its_levels_have_burned(demo: Results, figure: go.Figure) -> None:
    (heat,) = traces(figure, "heatmap")
    candles = demo.candles(demo.run.symbols[0])
    codes = np.asarray(heat.z)
    opened = np.array([moment.timestamp() * 1000 for moment in candles["time"].to_pylist()])
    at_price, elsewhere = [], []
    for column in range(1, codes.shape[1] - 1):
        start = heat.x0 - heat.dx / 2 + column * heat.dx
        before = np.flatnonzero((opened >= start - heat.dx) & (opened < start))
        if len(before):
            row = int((candles["close"][int(before[-1])].as_py() - heat.y0) / heat.dy + 0.5)
            at_price.append(codes[row, column])
            elsewhere.append(codes[:, column][codes[:, column] > 0].mean())
    assert np.mean(at_price) < 0.5 * np.mean(elsewhere)


def test_every_trade_is_entered_and_left_on_the_picture(demo: Results, figure: go.Figure) -> None:
    rows = demo.positions.to_pylist()
    marks = {trace.name: trace for trace in traces(figure, "scatter") if trace.mode == "markers"}
    for side in ("long", "short"):
        entered = sorted(row["entry_price"] for row in rows if row["side"] == side)
        assert sorted(marks[f"{side} entry"].y if f"{side} entry" in marks else []) == entered
    exits = [price for name, trace in marks.items() if not name.endswith("entry") for price in trace.y]
    assert sorted(exits) == sorted(row["exit_price"] for row in rows if row["closed"] is not None)
    stops = [row["exit_price"] for row in rows if row["exit_role"] == "stop"]
    assert sorted(marks["stop"].y if "stop" in marks else []) == sorted(stops)


def test_what_price_did_is_in_view_at_first(demo: Results, figure: go.Figure) -> None:
    candles = demo.candles(demo.run.symbols[0])
    low, high = figure.layout.yaxis.range
    assert low < pc.min(candles["low"]).as_py()
    assert high > pc.max(candles["high"]).as_py()
    assert high / low < 1.2 * pc.max(candles["high"]).as_py() / pc.min(candles["low"]).as_py()


def test_the_colour_bar_says_what_a_colour_is_worth(figure: go.Figure) -> None:
    (heat,) = traces(figure, "heatmap")
    bar = heat.colorbar
    amounts = heat.meta["amounts"]
    for position, text in zip(bar.tickvals, bar.ticktext, strict=True):
        size = {"K": 1e3, "M": 1e6, "B": 1e9}.get(text[-1], 1.0)
        assert amounts[int(position)] == pytest.approx(float(text.rstrip(" KMB")) * size, rel=0.1, abs=amounts[2])
    assert "USDT" in bar.title.text


def test_a_picture_of_simulated_data_says_so(demo: Results, figure: go.Figure) -> None:
    symbol = demo.run.symbols[0]
    real = drawn(demo.levels(symbol), demo.candles(symbol))
    assert "SIMULATED" in str(figure.layout.annotations)
    assert "SIMULATED" not in str(real.layout.annotations)


def test_an_open_trade_has_an_entry_only(demo: Results) -> None:
    trade = {**demo.positions.to_pylist()[0], "side": "long", "closed": None, "exit_price": None, "exit_role": None}
    symbol = demo.run.symbols[0]
    trades = pa.Table.from_pylist([trade], schema=demo.positions.schema)
    figure = drawn(demo.levels(symbol), demo.candles(symbol), trades)
    assert [trace.name for trace in traces(figure, "scatter")] == ["long entry"]


def test_the_page_alone_takes_decimal_candles(demo: Results, tmp_path: Path) -> None:
    symbol = demo.run.symbols[0]
    rows = demo.candles(symbol).to_pylist()
    names = ("open", "high", "low", "close")
    exact = [{"time": row["time"], **{name: Decimal(f"{row[name]:.8f}") for name in names}} for row in rows]
    fields = [("time", pa.timestamp("us", "UTC")), *((name, pa.decimal128(18, 8)) for name in names)]
    candles = pa.Table.from_pylist(exact, schema=pa.schema(fields))
    out = tmp_path / "x.html"
    assert write_heatmap_page(demo.levels(symbol), candles, title="BTC <1h>", simulated=True, out=out) == out
    head = out.read_text(encoding="utf-8").partition("<script type=")[0]
    assert "BTC &lt;1h&gt;" in head
    assert "SIMULATED" in head
    assert list(tmp_path.iterdir()) == [out]


def test_a_heatmap_without_candles_or_levels_is_drawn_all_the_same(demo_results: Path) -> None:
    levels = pq.read_table(demo_results / "levels.parquet")
    assert traces(drawn(levels), "heatmap")
    assert not drawn(levels.slice(0, 0)).data
