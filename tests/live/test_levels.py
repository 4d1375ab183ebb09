"""Levels that go on as the market runs are those of history, message by message."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.clusters import find_clusters
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.signals import SignalRules
from liqstrat.live.begin import begin
from liqstrat.live.heat_feed import HeatFeed
from liqstrat.live.levels import LiveLevels
from liqstrat.live.map_feed import MapFeed
from liqstrat.market.store import open_store
from liqstrat.moments import at_ns
from liqstrat.sweeps import standing_at
from tests.live.conftest import cut_off
from tests.live.exchange import History

SYMBOL, WARMUP, RULES = "BTCUSDT", timedelta(days=14), SignalRules()
#: By default the width follows from the days before.
MODEL = ModelSettings(bin_width=0.001)
CUT = datetime(2024, 3, 2, 9, 57, tzinfo=UTC)


@pytest.fixture(scope="module")
def archived(simulated_archive: Path) -> History:
    return History.read(simulated_archive, SYMBOL)


@pytest.fixture
def live(simulated_database: Path, tmp_path: Path) -> LiveLevels:
    with open_store(cut_off(simulated_database, tmp_path / "cut.duckdb", CUT)) as store:
        return LiveLevels(begin(store, SYMBOL, MODEL, WARMUP, RULES))


def parts(archived: History, hours: float, most: int) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Trades in pieces as they come, each with the open interest that is published after it."""
    rng, begin_ms = random.Random(4), CUT.timestamp() * 1000
    trades = [one for one in archived.trades if begin_ms <= one["T"] < begin_ms + hours * 3.6e6]
    waiting = [one for one in archived.interest if one["timestamp"] >= begin_ms]
    found, at = [], 0
    while at < len(trades):
        piece = trades[at : at + rng.randint(1, most)]
        at += len(piece)
        known = []
        while waiting and waiting[0]["timestamp"] + 25_000 < piece[-1]["T"]:
            known.append(waiting.pop(0))
        found.append((piece, known))
    return found


def same(one: LiquidationMap, other: LiquidationMap) -> bool:
    assert (one.time_ns, one.price, one.open_interest) == (other.time_ns, other.price, other.open_interest)
    mine, theirs = one.columns(), other.columns()
    assert mine["price_low"].tolist() == theirs["price_low"].tolist()
    assert mine["side"].tolist() == theirs["side"].tolist()
    return np.allclose(mine["contracts"], theirs["contracts"], rtol=1e-9, atol=0)


def test_live_levels_are_those_of_history_at_any_moment(
    archived: History, live: LiveLevels, simulated_database: Path
) -> None:
    compared = swept = 0
    pieces = parts(archived, 2.5, 40)
    with open_store(simulated_database) as store:
        for number, (trades, known) in enumerate(pieces[:-1]):
            live.take_trades(trades)
            live.take_open_interest(known)
            live.step(complete=True)
            after = pieces[number + 1][0][0]["T"] * 1_000_000
            # Between a mark and the message of it, history knows what nobody could know then.
            late = live.now_ns // 300_000_000_000 * 300_000_000_000 > live.levels.known_at
            if number % 11 or late or after <= live.now_ns:
                continue
            standing = standing_at(store, SYMBOL, at_ns(live.now_ns + 1_000_000), MODEL, WARMUP)
            now = live.levels.map(0.2, live.now_ns + 1_000_000)
            assert same(now, standing.map)
            # What is two hours old is forgotten at each open interest here, and at any moment there.
            fresh = live.now_ns - 7.1e12
            consumed = [one for one in live.levels.consumed if one.time_ns >= fresh]
            expected = [one for one in standing.consumed if one.time_ns >= fresh]
            for mine, theirs in zip(consumed, expected, strict=True):
                assert (mine.cluster.price, mine.extreme) == (theirs.cluster.price, theirs.extreme)
                assert abs(mine.time_ns - theirs.time_ns) < 2e9
            assert [one.price for one in find_clusters(now)] == [one.price for one in standing.clusters]
            compared += 1
            swept += len(expected)
    assert compared > 20
    assert swept > 0


def test_open_interest_waits_for_the_trades_of_before(archived: History, live: LiveLevels) -> None:
    (trades, _), *_ = parts(archived, 1.0, 2000)
    mark = next(one for one in archived.interest if one["timestamp"] > trades[0]["T"] + 60_000)
    early = [one for one in archived.trades if trades[0]["T"] <= one["T"] < mark["timestamp"]]
    before = live.levels.known_at
    live.clock_ms = mark["timestamp"] + 60_000
    live.take_open_interest([mark])
    assert live.step(complete=False) == 0
    live.take_trades(early[:-10])
    assert live.step(complete=False) == 0, "trades are known to be missing"
    live.take_trades(early[-10:])
    assert live.step(complete=True) == 1
    assert live.levels.known_at == mark["timestamp"] * 1_000_000 > before


def test_who_has_the_whole_map_and_all_that_is_gone_has_the_map(archived: History, live: LiveLevels) -> None:
    feed = MapFeed(live)
    held = {"long": {}, "short": {}}
    kinds = set()

    def take(message: dict[str, Any] | None) -> None:
        if message is None:
            return
        kinds.add(message["type"])
        if message["type"] == "map":
            for side in held:
                held[side] = {(tier, place): contracts for tier, place, contracts in message[side]}
        for side in held if message["type"] == "gone" else ():
            held[side].update({(tier, place): contracts for tier, place, contracts in message[side]})

    take(feed.whole())
    seq = feed.seq
    for number, (trades, known) in enumerate(parts(archived, 3.0, 60)):
        live.take_trades(trades)
        live.take_open_interest(known)
        message = feed.whole() if live.step(complete=True) else feed.change()
        assert message is None or message["seq"] == (seq := seq + 1)
        take(message)
        if number % 20 == 0:
            standing = feed.snapshot()
            assert standing["quote"] == "USDT"
            now = live.map()
            for side, contracts in (("long", now.longs), ("short", now.shorts)):
                left = {key: value for key, value in held[side].items() if value}
                assert left == {(tier, place): value for tier, place, value in standing[side]}
                shift = standing["first_bin"] - now.first_bin
                for (tier, place), value in left.items():
                    assert value == pytest.approx(contracts[tier, place + shift], abs=1e-6)
    assert kinds == {"map", "gone", "price"}


def test_the_first_candle_has_what_history_has_of_it(
    archived: History, simulated_database: Path, tmp_path: Path
) -> None:
    with open_store(cut_off(simulated_database, tmp_path / "cut.duckdb", CUT)) as store:
        begun = begin(store, SYMBOL, MODEL, WARMUP, RULES)
    feed = HeatFeed(SYMBOL, begun.maps, begun.candle, simulated=True)
    start = CUT.replace(minute=55)
    first, cut, end = (one.timestamp() * 1000 for one in (start, CUT, start + timedelta(minutes=5)))
    prices = [float(one["p"]) for one in archived.trades if first <= one["T"] < end]
    assert feed.candles.changed() == []
    feed.candles.take([one for one in archived.trades if cut <= one["T"] < end])
    whole = [[start.isoformat(), prices[0], max(prices), min(prices), prices[-1]]]
    assert feed.snapshot()["candles"] == whole
    assert feed.candles.changed() == whole
    feed.liquidation(1234.567, "long", 60_000.0, int(cut))
    fell = {"time": CUT.isoformat(), "price": 60_000.0, "notional": 1234.57, "side": "long"}
    assert (feed.snapshot()["liquidations"], feed.snapshot()["quote"]) == ([fell], "USDT")


def test_levels_need_open_interest_and_trades_to_begin_with(simulated_database: Path, tmp_path: Path) -> None:
    database = cut_off(simulated_database, tmp_path / "a.duckdb", CUT)
    with duckdb.connect(str(database)) as connection:
        connection.execute("delete from aggtrades_history")
    with open_store(database) as store, pytest.raises(LiqstratError, match="no trades of BTCUSDT"):
        begin(store, SYMBOL, MODEL, WARMUP, RULES)
