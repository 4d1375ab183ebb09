from datetime import UTC, datetime

import numpy as np
import pytest

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.clusters import find_clusters
from liqstrat.liquidation.flow import flow_from_trades
from liqstrat.liquidation.price import liquidation_price
from liqstrat.liquidation.settings import ModelSettings

BTC = brackets_for("BTCUSDT", datetime(2024, 3, 1, tzinfo=UTC))
HOUR = 3600 * 10**9


def book_with(entries: dict[float, float], leverage: dict[int, float]) -> LiquidationBook:
    """A book whose longs and shorts opened at `entries` (price to contracts), an hour apart, the last one now."""
    settings = ModelSettings(leverage=leverage, turnover=0.0, seed_spread=0.0, haste=0.0, unrest=0.0, patience=0.0)
    book = LiquidationBook(settings, "BTCUSDT")
    start, interest = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp()) * 10**9, 0.0
    for number, (price, contracts) in enumerate(entries.items()):
        prices, sizes, buy = np.full(100, price), np.full(100, 0.01), np.arange(100) % 2 == 0
        at = start + number * HOUR
        interest += contracts
        flow = flow_from_trades(at, at + HOUR, prices, sizes, buy, width=settings.fine_width, brackets=BTC)
        book.step(flow, interest)
    return book


def test_clusters_stand_at_the_liquidation_prices_with_their_size() -> None:
    book = book_with({60_000.0: 300.0, 60_500.0: 100.0}, {10: 1.0})
    clusters = {(c.side, round(c.contracts)): c for c in find_clusters(book.map())}
    assert set(clusters) == {("long", 300), ("short", 300), ("long", 100), ("short", 100)}
    for (side, contracts), cluster in clusters.items():
        entry = 60_000 if contracts == 300 else 60_500
        expected = float(liquidation_price(entry, 10, 0.01, side, BTC))  # type: ignore[arg-type]
        assert cluster.price_low <= expected <= cluster.price_high
        assert cluster.price_high / cluster.price_low < 1.005
        assert cluster.notional == pytest.approx(contracts * expected, rel=0.002)
        assert cluster.strength == pytest.approx(contracts / 400, rel=1e-6)
        assert cluster.leverage == {10: pytest.approx(1.0)}
        assert cluster.distance == pytest.approx(expected / 60_500 - 1, abs=0.001)
        assert cluster.age_hours == pytest.approx(1.0 if contracts == 300 else 0.0, abs=1e-6)


def test_the_leverage_mix_of_a_cluster_is_that_of_its_contracts() -> None:
    book = book_with({60_000.0: 100.0, 70_000.0: 100.0}, {10: 0.5, 5: 0.5})
    for cluster in find_clusters(book.map(), span=0.3):
        assert sum(cluster.leverage.values()) == pytest.approx(1.0)


def test_clusters_come_nearest_first_and_only_within_the_span() -> None:
    book = book_with({60_000.0: 100.0}, {5: 0.5, 10: 0.3, 50: 0.2})
    clusters = find_clusters(book.map(), span=0.15)
    distances = [abs(c.distance) for c in clusters]
    assert distances == sorted(distances)
    assert max(distances) < 0.15
    assert {tier for c in clusters for tier in c.leverage} == {10, 50}


def test_an_empty_map_has_no_clusters() -> None:
    assert not list(find_clusters(LiquidationBook(ModelSettings(), "BTCUSDT").map()))
