from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pytest

from liqstrat.report.levels_map import map_figure
from liqstrat.report.tables import read_results


@pytest.fixture(scope="module")
def last_map(demo_results: Path) -> pa.Table:
    results = read_results(demo_results)
    return results.last_map(results.run.symbols[0])


def usdt(table: pa.Table, price: float, side: str | None = None) -> float:
    """What stands within half of price of it."""
    middle = np.sqrt(np.array(table["price_low"]) * np.array(table["price_high"]))
    wanted = np.abs(middle / price - 1) <= 0.5
    if side:
        wanted &= np.array(table["side"].to_pylist()) == side
    return float((np.array(table["contracts"]) * middle)[wanted].sum())


def by_name(figure: go.Figure) -> dict[str, go.Bar | go.Scatter]:
    return {trace.name: trace for trace in figure.data}


def test_the_stacked_bars_hold_all_there_is_by_leverage(last_map: pa.Table) -> None:
    price = last_map["price"][0].as_py()
    traces = by_name(go.Figure(map_figure(last_map, price)))
    for tier in set(last_map["leverage"].to_pylist()):
        part = last_map.filter(pa.compute.field("leverage") == tier)
        assert sum(traces[f"{tier}x"].y) == pytest.approx(usdt(part, price))


def test_the_curves_grow_outwards_from_price(last_map: pa.Table) -> None:
    price = last_map["price"][0].as_py()
    traces = by_name(go.Figure(map_figure(last_map, price)))
    longs, shorts = traces["longs, sum"], traces["shorts, sum"]
    assert max(longs.x) < price * 1.005
    assert min(shorts.x) > price * 0.995
    assert (np.diff(longs.y) <= 0).all(), "less the nearer to price"
    assert (np.diff(shorts.y) >= 0).all(), "more the further above price"
    assert longs.y[0] == pytest.approx(usdt(last_map, price, "long"))
    assert shorts.y[-1] == pytest.approx(usdt(last_map, price, "short"))


def test_the_current_price_is_drawn_and_named(last_map: pa.Table) -> None:
    figure = go.Figure(map_figure(last_map, 61_234.5))
    assert figure.layout.shapes[0].x0 == 61_234.5
    assert "61,234.5" in str(figure.layout.annotations)


def test_a_fine_grid_is_joined_into_bars_that_can_be_seen() -> None:
    low = 60_000 * 1.0005 ** np.arange(-500, 500)
    count = len(low)
    columns = {"side": np.where(low < 60_000, "long", "short"), "price_low": low, "price_high": low * 1.0005}
    table = pa.table({**columns, "leverage": np.full(count, 10), "contracts": np.ones(count)})
    figure = go.Figure(map_figure(table, 60_000))
    bars = by_name(figure)["10x"]
    in_view = (bars.x > 48_000) & (bars.x < 72_000)
    assert 60 < in_view.sum() <= 180
    assert sum(bars.y) == pytest.approx(usdt(table, 60_000))


def test_an_empty_map_is_a_picture_of_the_price(last_map: pa.Table) -> None:
    figure = go.Figure(map_figure(last_map.slice(0, 0), 60_000))
    assert not figure.data
    assert figure.layout.shapes
