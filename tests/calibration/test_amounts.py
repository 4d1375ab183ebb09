"""The mix from liquidated amounts by interval, on markets whose law is known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from liqstrat.calibration.amounts import COMPLETE, THINNED, AmountsPosterior, Seen, fit_seen
from liqstrat.calibration.mix import starting_mix
from liqstrat.liquidation.settings import ModelSettings
from tests.scoring.amounts.hours import SETTINGS, write_hours
from tests.shell import Shell

TIERS, CENTRE = starting_mix(ModelSettings())
#: Much more of high leverage than the default has.
HIGH = CENTRE * TIERS / (CENTRE * TIERS).sum()


def drawn(mix: np.ndarray, power: float, count: int = 4_000) -> Seen:
    """Intervals in which some tiers were reached, and what that liquidated, times noise."""
    rng = np.random.default_rng(5)
    reached = rng.lognormal(2.0, 1.5, (count, len(TIERS))) * (rng.random((count, len(TIERS))) < 0.4)
    side = rng.integers(0, 2, count)
    expected = np.array([0.4, 0.25])[side] * (reached @ mix + 0.1) ** power
    outcome = np.log1p(expected * rng.lognormal(0, 0.4, count))
    return Seen(outcome, reached, side, np.sort(rng.integers(0, 40, count)))


def test_gradients_are_those_of_the_value() -> None:
    seen = drawn(HIGH, 0.7, 300)
    posterior = AmountsPosterior(seen, TIERS, CENTRE, THINNED)
    point = posterior.start() + np.linspace(-0.3, 0.3, len(TIERS) + 3)
    for i, slope in enumerate(posterior.gradient(point)):
        step = np.eye(len(point))[i] * 1e-5
        assert slope == pytest.approx((posterior.value(point + step) - posterior.value(point - step)) / 2e-5, rel=1e-3)


@pytest.mark.parametrize(("level", "power"), [(COMPLETE, 1.0), (THINNED, 0.6)])
def test_the_mix_is_found_also_where_the_record_is_thinned(level: object, power: float) -> None:
    fit = fit_seen(drawn(HIGH, power), TIERS, CENTRE, level)  # type: ignore[arg-type]
    away, before = (float(np.abs(mix - HIGH).sum()) / 2 for mix in (fit.shares, CENTRE))
    assert away < 0.15 < 0.3 < before
    low, high = np.quantile(fit.allowing, [0.025, 0.975], axis=0)
    assert ((low < HIGH) & (high > HIGH)).all()
    assert fit.explained > 0.7


def test_a_thinned_record_that_is_taken_for_complete_is_explained_worse() -> None:
    """So the record's kind matters: a power of one cannot follow it."""
    seen = drawn(HIGH, 0.6)
    assert fit_seen(seen, TIERS, CENTRE, THINNED).explained > fit_seen(seen, TIERS, CENTRE, COMPLETE).explained + 0.01


RANGE = ("--from", "2024-03-03", "--to", "2024-05-10", "--warmup-days", "3")


@pytest.mark.slow
def test_the_command_recommends_what_scores_better_in_weeks_left_out(liqstrat: Shell, tmp_path: Path) -> None:
    mix = dict(zip(TIERS.tolist(), HIGH.tolist(), strict=True))
    write_hours(tmp_path / "h.duckdb", 70, by_map=True, settings=replace(SETTINGS, leverage=mix))
    command = ("calibrate", "BTCUSDT", *RANGE, "--db", "h.duckdb")
    found = json.loads(liqstrat(*command, "--json").out)
    assert found["better"], found["verdict"]
    assert found["adds"]["low"] > 0
    away = sum(abs(one["share"] - mix[one["leverage"]]) for one in found["shares"]) / 2
    before = float(np.abs(CENTRE - HIGH).sum()) / 2
    assert away < 0.25 < 0.3 < before
    assert (found["source"], found["record"]) == ("amounts", "unknown")
    printed = liqstrat(*command, "--out", "model.toml").out
    assert "the fit is recommended" in printed
    assert "How complete the record is, is not known" in printed
    assert "[model]" in (tmp_path / "model.toml").read_text()


@pytest.mark.slow
def test_distance_alone_recommends_nothing(liqstrat: Shell, tmp_path: Path) -> None:
    write_hours(tmp_path / "h.duckdb", 70, by_map=False, venues="binance+bybit")
    told = liqstrat("calibrate", "BTCUSDT", *RANGE, "--db", "h.duckdb").out
    assert "the default is recommended" in told
    assert "Amounts are of several venues" in told


def test_too_little_is_said(liqstrat: Shell, tmp_path: Path) -> None:
    write_hours(tmp_path / "h.duckdb", 8, by_map=False)
    refused = liqstrat("calibrate", "BTCUSDT", *RANGE, "--db", "h.duckdb", "--by", "amounts")
    assert refused.code == 1
    assert "take a longer range" in refused.err


@pytest.mark.slow
def test_real_amounts_of_several_venues_are_said_to_be_such(shared_data: Path, liqstrat: Shell, tmp_path: Path) -> None:
    real = shared_data / "real"
    if not real.is_dir():
        pytest.skip("no real liquidations beside the project")
    head = 'symbol = "BTCUSDT"\ntime = "t"\n'
    (tmp_path / "k.toml").write_text(f'{head}[klines]\n[open_interest]\ncontracts = "oi_btc"\nknown = "start"\n')
    told = 'long = "liq_long_usd"\nshort = "liq_short_usd"\nunit = "usd"\nvenues = "binance+bybit+okx"\n'
    (tmp_path / "l.toml").write_text(f"{head}[liquidations]\n{told}")
    for name, mapping in (
        ("BTCUSDT_binance_5m_20251201_20260219", "k.toml"),
        ("BTC_3venues_liquidations_1h_20251204_20260219", "l.toml"),
    ):
        assert liqstrat("ingest", str(real / f"{name}.parquet"), "--mapping", mapping, "--db", "h.duckdb").code == 0
    done = liqstrat("calibrate", "BTCUSDT", "--from", "2025-12-05", "--to", "2026-02-19", "--db", "h.duckdb")
    assert done.code == 0, done.err
    assert "Amounts are of several venues" in done.out
    assert "the default is recommended" in done.out
