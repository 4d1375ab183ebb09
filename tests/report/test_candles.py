import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqstrat.report.candles import MOST_IN_VIEW, candle_traces, read_candles

START_US = 1_709_251_200_000_000


def table(count: int, minutes: int = 5, first: int = 0, seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    close = 60_000 + np.cumsum(rng.normal(0, 30, count))
    opened = np.append(60_000.0, close[:-1])
    time = START_US + (first + np.arange(count)) * minutes * 60_000_000
    return pa.table(
        {
            "time": pa.array(time.astype(np.int64)).cast(pa.timestamp("us", "UTC")),
            "open": opened,
            "high": np.maximum(opened, close) + 5,
            "low": np.minimum(opened, close) - 5,
            "close": close,
        }
    )


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 11), st.sampled_from([1, 5, 15]))
def test_every_length_tells_the_same_prices(count: int, first: int, minutes: int) -> None:
    candles = read_candles(table(count, minutes, first))
    assert candles is not None
    for trace in candle_traces(candles):
        assert trace["open"][0] == candles.open[0]
        assert trace["close"][-1] == candles.close[-1]
        assert max(trace["high"]) == candles.high.max()
        assert min(trace["low"]) == candles.low.min()


def test_a_week_is_shown_in_candles_wide_enough_to_see() -> None:
    candles = read_candles(table(2016))
    assert candles is not None
    traces = candle_traces(candles)
    shown = [trace for trace in traces if trace["visible"]]
    assert len(shown) == 1
    assert 100 <= len(shown[0]["x"]) <= MOST_IN_VIEW
    assert traces[0]["meta"]["candle_minutes"] == 5, "zooming in still reaches the candles that were recorded"


def test_joined_candles_begin_at_whole_multiples() -> None:
    candles = read_candles(table(1000, first=7))
    assert candles is not None
    hourly = next(trace for trace in candle_traces(candles) if trace["meta"]["candle_minutes"] == 60)
    opened = np.array(hourly["x"]) - 30 * 60_000
    assert (opened % 3_600_000 == 0).all()
    inside = slice(5, 17)  # 00:35 is the first, so these are the twelve of 01:00 to 02:00
    assert hourly["open"][1] == candles.open[inside][0]
    assert hourly["high"][1] == pytest.approx(candles.high[inside].max())
    assert hourly["low"][1] == pytest.approx(candles.low[inside].min())
    assert hourly["close"][1] == candles.close[inside][-1]


def test_no_candles() -> None:
    assert read_candles(None) is None
    assert read_candles(table(3).slice(0, 0)) is None
