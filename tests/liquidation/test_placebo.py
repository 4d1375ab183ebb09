from datetime import UTC, datetime

import numpy as np
import pytest

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.flow import Flow, flow_from_bars
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import Since
from liqstrat.liquidation.placebo import Placebo
from liqstrat.liquidation.settings import ModelSettings

SETTINGS = ModelSettings(turnover=0.3)
STEP_NS = 300_000_000_000
START_NS = 1_709_251_200_000_000_000
BRACKETS = brackets_for("BTCUSDT", datetime(2024, 3, 1, tzinfo=UTC))


def flows(count: int, seed: int = 1) -> list[Flow]:
    """Bars of a price that wanders."""
    rng = np.random.default_rng(seed)
    close = 60_000 * np.exp(np.cumsum(rng.normal(0, 0.003, count)))
    found = []
    for i, price in enumerate(close.tolist()):
        before = close[i - 1] if i else price
        low, high = min(before, price) * 0.999, max(before, price) * 1.001
        bar = [np.array([value]) for value in (high, low, price, rng.lognormal(5, 1))]
        end = START_NS + (i + 1) * STEP_NS
        found.append(flow_from_bars(end - STEP_NS, end, *bar, width=SETTINGS.fine_width, brackets=BRACKETS))
    return found


def stepped(model: Placebo | LiquidationBook, steps: list[Flow]) -> list[LiquidationMap]:
    maps = []
    for flow in steps:
        model.step(flow, 80_000.0)
        maps.append(model.map())
    return maps


def placebo(seed: int = 1) -> Placebo:
    return Placebo(LiquidationBook(SETTINGS, "BTCUSDT"), seed)


def by_distance(maps: list[LiquidationMap]) -> np.ndarray:
    """Contracts of both sides by distance from price, in steps of a percent."""
    total = np.zeros(15)
    for one in maps:
        away = np.abs(np.log(one.middles / one.price))
        contracts = one.longs.sum(axis=0) + one.shorts.sum(axis=0)
        total += np.histogram(away, bins=np.arange(16) / 100, weights=contracts)[0]
    return total / len(maps)


def test_levels_are_as_far_from_price_as_the_models_and_elsewhere() -> None:
    steps = flows(4000)
    shown, real = stepped(placebo(), steps)[800:], stepped(LiquidationBook(SETTINGS, "BTCUSDT"), steps)[800:]
    ratio = by_distance(shown) / by_distance(real)
    assert (ratio[1:] > 0.6).all()
    assert (ratio[1:] < 1.6).all()

    def at(one: LiquidationMap) -> np.ndarray:
        return np.histogram(
            one.middles / one.price, bins=np.linspace(0.9, 1.1, 60), weights=one.longs.sum(0) + one.shorts.sum(0)
        )[0]

    alike = [np.corrcoef(at(a), at(b))[0, 1] for a, b in zip(shown[::50], real[::50], strict=True)]
    assert np.mean(alike) < 0.6


def test_the_guess_that_history_begins_with_is_not_taken_for_levels_of_other_times() -> None:
    """Its clusters are as wide as a tenth of price: stops beyond them are never reached."""
    steps = flows(800)
    real = stepped(LiquidationBook(SETTINGS, "BTCUSDT"), steps)
    first_half_day = {one.seeded_share for one in real[:144]}
    shown = [one for one in stepped(placebo(), steps) if one.longs.sum() > 0]
    assert len(shown) > 200
    assert all(one.seeded_share not in first_half_day for one in shown)


def test_what_price_ran_through_is_gone() -> None:
    for one in stepped(placebo(), flows(900))[530:]:
        assert one.longs.sum() > 0
        assert not one.longs[:, one.low_edges > one.price].any()
        assert not one.shorts[:, one.high_edges < one.price].any()
    model = placebo()
    stepped(model, flows(900))
    price = model.price
    ran = model.map(Since(low=price * 0.97, high=price * 1.03))
    assert not ran.longs[:, ran.low_edges >= price * 0.97].any()
    assert not ran.shorts[:, ran.high_edges <= price * 1.03].any()
    assert model.map().longs.sum() > ran.longs.sum() > 0
    assert model.reaches(price * 0.9, price * 1.1)


def test_the_future_plays_no_part_and_the_seed_does() -> None:
    steps = flows(1200)
    other = [*steps[:700], *flows(1200, seed=2)[700:]]
    assert [one.longs.tobytes() for one in stepped(placebo(), steps)[:700]] == [
        one.longs.tobytes() for one in stepped(placebo(), other)[:700]
    ]
    assert stepped(placebo(1), steps)[-1].longs.tobytes() != stepped(placebo(2), steps)[-1].longs.tobytes()


def test_there_is_nothing_to_show_before_there_are_other_times() -> None:
    model = placebo()
    (*_, last) = stepped(model, flows(48))
    assert last.longs.size == 0
    assert not model.reaches(1.0, 1e9)
    assert last.open_interest == pytest.approx(80_000)
