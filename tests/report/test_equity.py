import json
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqstrat.report.equity import equity_figure


def values(figure: go.Figure, name: str) -> np.ndarray:
    return next(np.asarray(trace.y, dtype=float) for trace in figure.data if trace.name == name)


def test_the_picture_agrees_with_the_metrics(demo_results: Path) -> None:
    metrics = json.loads((demo_results / "metrics.json").read_text())
    figure = go.Figure(equity_figure(pq.read_table(demo_results / "equity.parquet"), None, simulated=True))
    assert -values(figure, "drawdown").min() == pytest.approx(metrics["max_drawdown"], abs=1e-6)
    assert values(figure, "equity")[-1] == pytest.approx(metrics["final_equity"], abs=0.01)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_a_month_of_minutes_loses_points_but_no_extreme(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 44_640
    equity = 100_000 + np.cumsum(rng.normal(0, 20, count))
    notional = np.where(rng.random(count) < 0.0005, rng.normal(0, 5e4, count), 0.0)
    time = pa.array(np.arange(count, dtype=np.int64) * 60_000_000).cast(pa.timestamp("us", "UTC"))
    table = pa.table({"time": time, "equity": equity, "notional": notional})
    figure = go.Figure(equity_figure(table, None, simulated=False))
    drawn, drawdown, position = (values(figure, name) for name in ("equity", "drawdown", "position"))
    assert len(drawn) < 5000
    assert (drawn.min(), drawn.max(), drawn[0], drawn[-1]) == (equity.min(), equity.max(), equity[0], equity[-1])
    assert drawdown.min() == pytest.approx((equity / np.maximum.accumulate(equity) - 1).min())
    assert np.abs(position).max() == np.abs(notional).max(), "a position of a minute is still seen"


def test_drawdown_counts_from_the_balance_at_the_start() -> None:
    time = pa.array([60_000_000, 120_000_000]).cast(pa.timestamp("us", "UTC"))
    table = pa.table({"time": time, "equity": [95_000.0, 96_000.0], "notional": [0.0, 0.0]})
    figure = go.Figure(equity_figure(table, 100_000.0, simulated=False))
    assert values(figure, "drawdown").min() == pytest.approx(-0.05)
