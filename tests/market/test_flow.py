from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.flow import Flow, flow_from_trades
from liqstrat.liquidation.large import LargeBy, LargeRule
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.store import open_store
from tests.history import START, START_US, Trades, open_interest_every, random_trades, write_history

MODEL = ModelSettings()


def groups(flow: Flow) -> dict[tuple[int, bool, int], float]:
    keys = zip(flow.bins.tolist(), flow.buy.tolist(), flow.brackets.tolist(), strict=True)
    return dict(zip(keys, flow.contracts.tolist(), strict=True))


def by_hand(
    trades: Trades, start_us: int, end_us: int, large: LargeRule | None = None, symbol: str = "BTCUSDT"
) -> Flow:
    here = (trades.time_us >= start_us) & (trades.time_us < end_us)
    brackets = brackets_for(symbol, datetime.fromtimestamp(end_us / 1e6, UTC))
    return flow_from_trades(
        start_us * 1000,
        end_us * 1000,
        trades.price[here],
        trades.contracts[here],
        trades.buy[here],
        width=MODEL.fine_width,
        brackets=brackets,
        large=large,
    )


@pytest.mark.parametrize("minutes", [5, 7.5])
def test_sql_groups_as_the_trades_do(tmp_path: Path, minutes: float) -> None:
    """Also where open interest is not on whole minutes."""
    trades = random_trades(hours=6)
    interest = {m + timedelta(seconds=minutes % 1 * 7): v for m, v in open_interest_every(int(minutes), 6).items()}
    with open_store(write_history(tmp_path / "h.duckdb", trades, interest)) as store:
        found = list(flows(store, "BTCUSDT", None, None, MODEL))
    assert [value for _, value in found] == list(interest.values())
    for flow, _ in found:
        expected = by_hand(trades, flow.start_ns // 1000, flow.end_ns // 1000)
        assert groups(flow) == pytest.approx(groups(expected))
        np.testing.assert_equal((flow.low, flow.high, flow.close), (expected.low, expected.high, expected.close))
    assert all(a.end_ns == b.start_ns for (a, _), (b, _) in pairwise(found))


def test_sql_groups_inverse_contracts_by_coins(tmp_path: Path) -> None:
    """BTCUSD_PERP, 100 USD each: brackets begin at 5, 10, 20 BTC, and many trades are of the higher ones."""
    trades = random_trades(hours=2)
    trades = replace(trades, contracts=np.ceil(trades.contracts * 2_000), price=np.round(trades.price / 3, 1))
    written = write_history(tmp_path / "h.duckdb", trades, open_interest_every(5, 2), "BTCUSD_PERP")
    settings = replace(MODEL, kind="large_trades", large_by="value", large=100_000.0)
    with open_store(written) as store:
        found = [flow for flow, _ in flows(store, "BTCUSD_PERP", None, None, settings)]
    seen = set()
    for flow in found:
        expected = by_hand(trades, flow.start_ns // 1000, flow.end_ns // 1000, settings.large_rule, "BTCUSD_PERP")
        assert groups(flow) == pytest.approx(groups(expected))
        assert flow.large is not None
        assert expected.large is not None
        np.testing.assert_array_equal(flow.large.contracts, expected.large.contracts)
        assert flow.large.contracts.min(initial=np.inf) >= 1_000, "100,000 USD"
        seen |= set(flow.brackets.tolist())
    assert len(seen) > 3


@pytest.mark.parametrize(("by", "amount"), [("value", 20_000.0), ("top", 7), ("portion", 0.4)])
def test_sql_finds_the_large_trades_that_the_rule_chooses(tmp_path: Path, by: LargeBy, amount: float) -> None:
    trades, settings = random_trades(hours=4), ModelSettings(kind="large_trades", large_by=by, large=amount)
    with open_store(write_history(tmp_path / "h.duckdb", trades, open_interest_every(5, 4))) as store:
        found = [flow for flow, _ in flows(store, "BTCUSDT", None, None, settings)]
    assert len(found) == 48
    for flow in found:
        expected = by_hand(trades, flow.start_ns // 1000, flow.end_ns // 1000, settings.large_rule)
        assert flow.large is not None
        assert expected.large is not None
        for name in ("bins", "buy", "contracts"):
            np.testing.assert_array_equal(getattr(flow.large, name), getattr(expected.large, name))


def test_a_trade_at_the_moment_of_open_interest_belongs_to_the_next_interval(tmp_path: Path) -> None:
    five = START_US + 300_000_000
    trades = Trades(
        np.array([five - 1000, five, five + 1000]), np.full(3, 60_000.0), np.array([1.0, 2.0, 4.0]), np.full(3, True)
    )
    with open_store(write_history(tmp_path / "h.duckdb", trades, open_interest_every(5, 0.2))) as store:
        volumes = [flow.volume for flow, _ in flows(store, "BTCUSDT", None, None, MODEL)]
    assert volumes == [1.0, 6.0]


def test_a_part_of_history_begins_where_the_interval_before_ended(tmp_path: Path) -> None:
    trades = random_trades(hours=4)
    with open_store(write_history(tmp_path / "h.duckdb", trades, open_interest_every(5, 4))) as store:
        whole = list(flows(store, "BTCUSDT", None, None, MODEL))
        part = list(flows(store, "BTCUSDT", START + timedelta(hours=1), START + timedelta(hours=2), MODEL))
    assert len(part) == 12
    for (a, _), (b, _) in zip(part, whole[12:24], strict=True):
        assert (a.start_ns, a.end_ns, groups(a)) == (b.start_ns, b.end_ns, groups(b))


def test_a_missing_value_makes_a_longer_interval(tmp_path: Path) -> None:
    trades = random_trades(hours=1)
    interest = open_interest_every(5, 1)
    del interest[START + timedelta(minutes=30)]
    with open_store(write_history(tmp_path / "h.duckdb", trades, interest)) as store:
        found = [flow for flow, _ in flows(store, "BTCUSDT", None, None, MODEL)]
    assert [round((f.end_ns - f.start_ns) / 60e9) for f in found] == [5] * 5 + [10] + [5] * 5
    assert sum(f.volume for f in found) == pytest.approx(trades.contracts.sum())
    # DuckDB groups it by five minutes all the same; of what is the same in both, the order would be left to chance.
    longer, known = groups(found[5]), groups(by_hand(trades, found[5].start_ns // 1000, found[5].end_ns // 1000))
    assert len(longer) == len(found[5].bins)
    assert longer == pytest.approx(known)


def test_brackets_that_change_inside_history_are_those_of_each_day(tmp_path: Path) -> None:
    """BTCUSDT had ten brackets on 2024-08-08 and has twelve from 2024-08-09."""
    trades = random_trades(hours=2, price=60_000)
    shift = int(datetime(2024, 8, 8, 23, tzinfo=UTC).timestamp()) * 1_000_000 - START_US
    later = Trades(trades.time_us + shift, trades.price, np.full(len(trades.price), 10.0), trades.buy)
    interest = {m + timedelta(microseconds=shift): v for m, v in open_interest_every(5, 2).items()}
    book = LiquidationBook(MODEL, "BTCUSDT")
    with open_store(write_history(tmp_path / "h.duckdb", later, interest)) as store:
        for flow, value in flows(store, "BTCUSDT", None, None, MODEL):
            assert len(flow.brackets) == 0 or flow.brackets.max() < len(book.brackets(flow.end_ns))
            book.step(flow, value)
    assert book.map().longs.sum() == pytest.approx(value)
