import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from liqstrat.bench.market import BenchMarket
from liqstrat.calibration.block import model_block
from liqstrat.calibration.calibrate import Calibration, calibrate
from liqstrat.calibration.days import half_way
from liqstrat.cli.calibrate import source_text, verdict_text
from liqstrat.cli.shares import together_text
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.run_file import load_model, load_run_file
from tests.calibration.lives import SINCE_NS, Lives, lives, thinned
from tests.calibration.markets import EVEN, HIGH, LOW, MIDDLE, NONE, TIERS, history_of, wide_market

pytestmark = pytest.mark.slow

RUN = 'name = "x"\nsymbols = ["BTCUSDT"]\nfrom = 2024-03-03\nto = 2024-03-08\n[[strategies]]\nuse = "LevelFade"\n'


@pytest.fixture(scope="module")
def low() -> BenchMarket:
    return wide_market(LOW, days=6)


@pytest.fixture(scope="module")
def fitted(low: BenchMarket) -> Calibration:
    return calibrate(history_of(low), low.liquidations(), "BTCUSDT", EVEN, recorded="all", flow_settings=False)


@pytest.fixture(scope="module")
def short() -> BenchMarket:
    return wide_market(HIGH, seed=3, days=2)


def shares_of(found: Calibration) -> list[float]:
    assert [one.leverage for one in found.shares] == list(TIERS)
    return [one.share for one in found.shares]


def test_a_mix_of_low_leverage_is_recovered_within_five_points(fitted: Calibration) -> None:
    assert shares_of(fitted) == pytest.approx([share for _, share in LOW], abs=0.05)
    for one, (_, true) in zip(fitted.shares, LOW, strict=True):
        assert one.low - 0.01 <= true <= one.high + 0.01
    assert fitted.held_out is not None


@pytest.fixture(scope="module")
def high() -> list[float]:
    """The shares that are found on a market of high leverage."""
    market = wide_market(HIGH, days=4)
    found = calibrate(history_of(market), market.liquidations(), "BTCUSDT", EVEN, recorded="all", flow_settings=False)
    return shares_of(found)


def test_a_mix_of_high_leverage_is_found(high: list[float]) -> None:
    assert high == pytest.approx([share for _, share in HIGH], abs=0.1)
    wrong = np.abs(np.array(high) - [share for _, share in HIGH])
    assert wrong.mean() < 0.6 * np.mean([abs(0.25 - share) for _, share in HIGH])


def test_what_comes_after_the_history_changes_nothing(short: BenchMarket) -> None:
    history = history_of(short)
    cut = history[: len(history) * 3 // 4]
    until = cut[-1][0].end_ns
    chosen = {"recorded": "all", "flow_settings": False}
    whole = calibrate(cut, short.liquidations(), "BTCUSDT", EVEN, **chosen)
    known = calibrate(cut, short.liquidations(until), "BTCUSDT", EVEN, **chosen)
    assert shares_of(whole) == shares_of(known)
    assert whole.observed == known.observed < len(short.liquidations().price)


def test_only_liquidations_since_the_start_count_and_what_was_before_fills_the_book(short: BenchMarket) -> None:
    history = history_of(short)
    middle = history[len(history) // 2][0].end_ns
    found = calibrate(
        history, short.liquidations(), "BTCUSDT", EVEN, since_ns=middle, recorded="all", flow_settings=False
    )
    assert found.held_out is None
    assert not found.better
    times = short.liquidations().time_ns
    assert found.observed == ((times >= middle) & (times < history[-1][0].end_ns)).sum()


def test_tiers_that_cannot_be_told_apart_are_named_with_their_sum(short: BenchMarket) -> None:
    settings = replace(EVEN, leverage={10: 0.3, 50: 0.3, 100: 0.2, 125: 0.2})
    found = calibrate(history_of(short), short.liquidations(), "BTCUSDT", settings, recorded="all", flow_settings=False)
    (group,) = (group for group in found.together if 125 in group.tiers)
    assert {100, 125} <= set(group.tiers)
    assert group.low < group.share < group.high
    assert "cannot tell" in together_text(group)
    assert "100x from 125x" in together_text(group)


def test_without_liquidations_open_interest_is_fitted_to_called_weaker_and_not_recommended(short: BenchMarket) -> None:
    found = calibrate(history_of(short), NONE, "BTCUSDT", EVEN)
    assert found.source == "open interest"
    assert "weaker" in source_text(found)
    assert found.settings == EVEN != found.fitted
    assert "cannot be scored" in verdict_text(found)
    told = calibrate(history_of(short), short.liquidations(), "BTCUSDT", EVEN, recorded="all", flow_settings=False)
    assert sum(one.high - one.low for one in found.shares) > sum(one.high - one.low for one in told.shares)


def test_too_few_liquidations_are_counted_in_the_error(short: BenchMarket) -> None:
    some = short.liquidations()
    few = Liquidations(some.time_ns[:7], some.price[:7], some.contracts[:7], some.long[:7])
    with pytest.raises(LiqstratError, match="7 liquidations of BTCUSDT in the range, expected at least 100"):
        calibrate(history_of(short), few, "BTCUSDT", EVEN)
    with pytest.raises(LiqstratError, match=r"no liquidations .* 10 values of open interest, expected at least 288"):
        calibrate(history_of(short)[:10], NONE, "BTCUSDT", EVEN)
    with pytest.raises(LiqstratError, match="no open interest of BTCUSDT"):
        calibrate([], NONE, "BTCUSDT", EVEN)


def test_liquidations_at_random_prices_and_times_recommend_no_fit(short: BenchMarket) -> None:
    rng = np.random.default_rng(5)
    real = short.liquidations()
    order = rng.permutation(len(real.price))
    shuffled = Liquidations(
        np.sort(rng.integers(short.times[0], short.times[-1], len(order))),
        real.price[order],
        real.contracts[order],
        rng.random(len(order)) < 0.5,
    )
    found = calibrate(history_of(short), shuffled, "BTCUSDT", EVEN, recorded="all", flow_settings=False)
    assert not found.better
    assert found.settings == EVEN
    assert "stand where the book has something" in verdict_text(found)


def test_the_block_is_what_a_run_file_takes(tmp_path: Path, fitted: Calibration) -> None:
    block = model_block(fitted.settings, ["one remark", "another"])
    assert tomllib.loads(block)["model"]["turnover"] == fitted.settings.turnover
    file, alone = tmp_path / "run.toml", tmp_path / "model.toml"
    file.write_text(RUN + block)
    alone.write_text(block)
    model = load_run_file(file).model
    assert load_model(file) == load_model(alone) == model
    assert dict(model.leverage) == pytest.approx(dict(fitted.settings.leverage), abs=1e-4)
    assert replace(model, leverage=dict(fitted.settings.leverage)) == fitted.settings


def test_turnover_and_taker_weight_are_tried_and_kept_unless_another_is_far_more_likely(short: BenchMarket) -> None:
    found = calibrate(history_of(short), short.liquidations(), "BTCUSDT", ModelSettings(), recorded="all")
    assert [one.name for one in found.flow] == ["turnover", "taker_weight"]
    for one in found.flow:
        assert one.value in one.tried
        assert one.tried[0] <= one.low <= one.high <= one.tried[-1]


@pytest.fixture(scope="module")
def other() -> Lives:
    """Positions live by another law than the book's holders, and price does not care for them."""
    return lives(dict(LOW), 2, days=10)


@pytest.fixture(scope="module")
def told(other: Lives) -> Calibration:
    known = thinned(other.liquidations)
    return calibrate(other.history, known, "BTCUSDT", EVEN, since_ns=SINCE_NS, recorded="some", flow_settings=False)


def test_a_thinned_record_of_another_mechanism_is_told_within_the_intervals(told: Calibration) -> None:
    for one, (_, true) in zip(told.shares, LOW, strict=True):
        assert one.low <= true <= one.high
    assert sum(abs(one.share - true) for one, (_, true) in zip(told.shares, LOW, strict=True)) < 0.3
    assert told.agree


@pytest.fixture(scope="module")
def better() -> Calibration:
    """Of a mix that lies amid the default's, all on record."""
    market = lives(dict(MIDDLE), 33)
    return calibrate(
        market.history, market.liquidations, "BTCUSDT", EVEN, since_ns=SINCE_NS, recorded="all", flow_settings=False
    )


def test_half_way_is_recommended_where_it_scores_better_on_days_left_out(better: Calibration) -> None:
    assert better.better
    assert better.settings == half_way(EVEN, better.fitted)
    for one in better.shares:
        assert better.settings.leverage[one.leverage] == pytest.approx((one.share + one.default) / 2, abs=1e-3)
    assert "better, half way is recommended" in verdict_text(better)


def test_fits_that_end_apart_gain_little_or_change_little_are_not_recommended(better: Calibration) -> None:
    held = better.held_out
    assert held is not None
    for changed, said in (
        (replace(better, apart=0.2), "end 0.20 apart"),
        (replace(better, held_out=replace(held, gain=-0.001, low=-0.002)), "not better"),
        (replace(better, held_out=replace(held, low=-0.001)), "no better than chance"),
        (replace(better, held_out=replace(held, gain=0.009, low=0.001)), "too little"),
        (replace(better, held_out=replace(held, day=-0.1)), "-0.100 within a day, worse"),
        (replace(better, held_out=replace(held, change=0.039)), "hardly changes the map"),
        (replace(better, held_out=None), "not enough days"),
    ):
        assert not changed.better
        assert said in verdict_text(changed)
        assert "the default is recommended" in verdict_text(changed)


def test_a_map_that_is_better_near_price_only_is_not_recommended() -> None:
    """Large ones are careful and a third is on cross margin, which no mix of these tiers tells: the fit's hourly maps
    score .034 bits better on days left out, and agree with the truth by .027 less."""
    market = lives(dict(MIDDLE), 77, bigger=True, cross=0.33)
    known = thinned(market.liquidations)
    found = calibrate(market.history, known, "BTCUSDT", EVEN, since_ns=SINCE_NS, flow_settings=False)
    assert found.agree
    assert not found.better
    assert found.settings == EVEN
    assert "no better than chance" in verdict_text(found)
