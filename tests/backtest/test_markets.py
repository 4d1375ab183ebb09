"""What a strategy may know beside its price: bars of before and in the run, open interest, funding, other symbols."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.backtest.bars import BarHistory, Bars
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.errors import LiqstratError
from liqstrat.market.schema import create_tables
from liqstrat.moments import MINUTE_NS
from tests.backtest.runs import replayed, run_file
from tests.history import START, open_interest_every, random_trades, write_history

LENGTHS = {"1m": 1, "5m": 5, "15m": 15, "1h": 60}


class Looks(LevelStrategy):
    """Writes down everything it can know, at the full quarters of an hour."""

    seen: ClassVar[dict[datetime, dict[str, Any]]] = {}

    def on_begin(self) -> None:
        self.seen.clear()

    def on_price(self, price: float) -> None:
        if self.now.minute % 15 or self.now.second:
            return
        other = self.market("ETHUSDT")
        assert self.market("BTCUSDT").price == price
        self.seen[self.now] = {
            "bars": {length: self.bars(length, 7) for length in LENGTHS},
            "others": other.bars("5m", 5),
            "price": other.price,
            "age": other.price_age,
            "interest": (self.open_interest, other.open_interest),
            "funding": self.funding,
            "levels": [(cluster.price, cluster.contracts) for cluster in other.levels.clusters()],
        }


class Mistypes(LevelStrategy):
    def on_price(self, price: float) -> None:
        self.market("ETHUSD")


class MisaskesBars(LevelStrategy):
    def on_price(self, price: float) -> None:
        self.bars("2h", 5)


def two_markets(folder: Path) -> Path:
    """Five hours of two symbols, and two funding rates."""
    for symbol, seed in (("BTCUSDT", 1), ("ETHUSDT", 11)):
        trades = random_trades(5, a_minute=12, seed=seed)
        interest = {START: 1_000.0 + seed, **open_interest_every(5, 5, contracts=1_000.0 + seed, seed=seed)}
        database = write_history(folder / "two.duckdb", trades, interest, symbol)
    with duckdb.connect(str(database)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_tables(connection, "funding")
        connection.executemany(
            "insert into funding_rate_history by name select ?::timestamp as timestamp, 'BTCUSDT' as symbol, "
            "?::decimal(18,8) as funding_rate",
            [
                [(START + timedelta(hours=hours)).replace(tzinfo=None), rate]
                for hours, rate in ((0, "0.0001"), (4, "-0.0002"))
            ],
        )
    return database


def looked(folder: Path, database: Path, resolution: str, use: str = "Looks") -> dict[datetime, dict[str, Any]]:
    (folder / resolution).mkdir(exist_ok=True)
    run = run_file(
        folder / resolution, database, hours=5, start_hours=3, resolution=resolution, symbols=["BTCUSDT", "ETHUSDT"],
        strategies=[{"use": f"{__name__}:{use}", "symbols": ["BTCUSDT"], "params": {"decide_seconds": 60}}],
    )  # fmt: skip
    replayed(run)
    return dict(Looks.seen)


def by_hand(database: Path, symbol: str, minutes: int, now: datetime, count: int) -> list[tuple[Any, ...]]:
    """Bars out of the database's trades before `now` alone."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(
            f"select time_bucket(interval '{minutes} minutes', timestamp) as t, arg_min(price, agg_trade_id), "
            "max(price), min(price), arg_max(price, agg_trade_id), sum(quantity) from aggtrades_history "
            f"where symbol = '{symbol}' and timestamp < ?::timestamp group by t "
            f"having t + interval '{minutes} minutes' <= ?::timestamp order by t desc limit {count}",
            [now.replace(tzinfo=None)] * 2,
        ).fetchall()[::-1]


def as_rows(bars: Bars) -> list[tuple[Any, ...]]:
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return list(zip(bars.time.astype("datetime64[us]").tolist(), *(column.tolist() for column in columns), strict=True))


def test_bars_and_other_markets_are_those_of_the_past_alone_and_equal_on_ticks_and_bars(tmp_path: Path) -> None:
    database = two_markets(tmp_path)
    ticks, bars = looked(tmp_path, database, "tick"), looked(tmp_path, database, "1m")
    assert len(ticks) == len(bars) >= 7
    for now, seen in ticks.items():
        other = bars[now]
        for length, minutes in LENGTHS.items():
            rows = as_rows(seen["bars"][length])
            assert rows == as_rows(other["bars"][length])
            expected = by_hand(database, "BTCUSDT", minutes, now, 7)
            assert len(rows) == len(expected) == min(7, int((now - START).total_seconds()) // 60 // minutes)
            for row, wanted in zip(rows, expected, strict=True):
                assert row[0] == wanted[0]
                assert row[1:] == pytest.approx([float(value) for value in wanted[1:]])
        assert as_rows(seen["others"]) == as_rows(other["others"])
        assert seen["others"].close[-1] == other["price"]
        assert seen["interest"] == other["interest"]
        assert seen["interest"][0] != seen["interest"][1]
        assert len(seen["levels"]) == len(other["levels"]) > 0
        assert 0 <= seen["age"] < 120
        # A rate is known as soon as it is settled, one of before the run from its start.
        assert seen["funding"] == other["funding"] == (-0.0002 if now >= START + timedelta(hours=4) else 0.0001)


def test_another_market_or_length_than_there_are_is_named(tmp_path: Path) -> None:
    database = two_markets(tmp_path)
    with pytest.raises(
        LiqstratError, match=r'market: "ETHUSD" is not a symbol of the run \(did you mean "ETHUSDT"\?\)'
    ):
        looked(tmp_path, database, "1m", "Mistypes")
    with pytest.raises(LiqstratError, match='bars: "2h" is not a length, expected one of 1m, 5m'):
        looked(tmp_path, database, "1m", "MisaskesBars")


def minute_row(first: int, closes: list[float]) -> MinuteBars:
    close = np.array(closes, dtype=np.float64)
    return MinuteBars(first * MINUTE_NS, close - 1, close + 2, close - 2, close, close * 0 + 1, close > 0)


@given(
    first=st.integers(1_000, 1_100),
    before=st.integers(0, 40),
    hole=st.integers(0, 5),
    count=st.integers(1, 20),
    length=st.sampled_from(["1m", "5m", "15m"]),
    now=st.integers(990 * 60, 1_250 * 60),
)
def test_no_bar_reaches_beyond_now_or_what_history_has(
    first: int, before: int, hole: int, count: int, length: str, now: int
) -> None:
    minutes = minute_row(first, list(range(1, 101)))
    early = minute_row(first - hole - before, list(range(501, 501 + before))) if before else None
    history = BarHistory(early, minutes, (first + 130) * MINUTE_NS)
    size = LENGTHS[length]
    bars = history.last(length, count, min(now, (first + 130) * 60) * 1_000_000_000)
    begin = first - hole - before if before else first
    opened = bars.time.astype(np.int64) // MINUTE_NS
    assert len(bars) <= count
    assert all(opened % size == 0)
    assert all(np.diff(opened) == size)
    assert all(opened >= begin)
    if len(bars):
        assert (opened[-1] + size) * 60 <= now < (opened[-1] + 2 * size) * 60 or now > (first + 130) * 60
        assert bars.volume.sum() <= before + 100
        assert all(bars.low <= bars.close)
        with pytest.raises(ValueError, match="read-only"):
            bars.close[0] = 1.0


def test_a_count_that_is_none_is_named() -> None:
    history = BarHistory(None, minute_row(1_000, [1.0, 2.0]), 1_002 * MINUTE_NS)
    with pytest.raises(LiqstratError, match="bars: count is 0, expected a whole number above 0"):
        history.last("1m", 0, 1_002 * MINUTE_NS)
