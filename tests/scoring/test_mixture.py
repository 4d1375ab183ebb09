"""Weights of a mixture, fitted to liquidations."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.store import open_store
from liqstrat.moments import DAY_NS, HOUR_NS
from liqstrat.scoring.mixture import fit_mixture, fitted_weights, judged_mixture
from liqstrat.scoring.reached import Reached


def drawn(first: float, days: int = 15, seed: int = 3) -> tuple[Reached, np.ndarray]:
    """Hours of 20 bands, two maps by chance, and contracts liquidated in proportion to their mixture."""
    rng = np.random.default_rng(seed)
    hours = days * 24
    maps = rng.gamma(0.5, 1.0, (2, hours, 20))
    maps /= maps.sum(axis=2, keepdims=True).mean()
    mixed = first * maps[0] + (1 - first) * maps[1]
    observed = np.stack([rng.multinomial(40, row / row.sum()) for row in mixed]).ravel().astype(float)
    begins = np.arange(hours) * HOUR_NS + 20_000 * DAY_NS
    group, places = np.repeat(2 * np.arange(hours), 20), np.tile(np.arange(20), hours)
    contracts = {kind: maps[i].reshape(-1, 1) for i, kind in enumerate(("conserving", "oi_candle"))}
    ones = np.ones(hours * 20)
    tiers = dict.fromkeys(contracts, np.array([1]))
    return (
        Reached(begins, begins + HOUR_NS, group, places, 0.01 * ones, ones, ones, ones, contracts, tiers, 0.001),
        observed,
    )


@pytest.mark.parametrize("first", [0.0, 0.3, 0.7])
def test_the_weights_that_made_the_places_are_found(first: float) -> None:
    reached, observed = drawn(first)
    predicted = np.hstack(list(reached.maps.values()))
    assert fitted_weights(predicted, reached.window, observed)[0] == pytest.approx(first, abs=0.03)


@pytest.mark.parametrize(("first", "kind"), [(0.5, "ensemble"), (1.0, "conserving")])
def test_a_mixture_is_recommended_where_it_gains_on_days_it_has_not_seen(first: float, kind: str) -> None:
    reached, observed = drawn(first)
    settings = ModelSettings(kind="ensemble", ensemble={"conserving": 0.5, "oi_candle": 0.5})
    found = judged_mixture(reached, observed, reached.day < reached.day[0] + 8, settings)
    assert found.settings.kind == kind
    assert found.better == (kind == "ensemble")
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.days == 7


def test_two_days_are_too_few(simulated_database: Path) -> None:
    start = datetime(2024, 3, 1, tzinfo=UTC)
    with (
        open_store(simulated_database) as store,
        pytest.raises(LiqstratError, match="on 2 days of the range"),
    ):
        fit_mixture(store, "BTCUSDT", start, start + timedelta(days=2), ModelSettings(), timedelta(0))
