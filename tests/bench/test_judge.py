import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from liqstrat.bench.judge import Verdict, calibrated, fixed, judge, maps_of, mean_agreement, mix_known
from liqstrat.bench.market import START, BenchMarket, bench_market
from liqstrat.bench.regimes import Regime
from liqstrat.bench.truth import bounds, moments
from liqstrat.cli.bench import print_verdicts
from liqstrat.liquidation.agreement import Agreement
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.settings import ModelSettings
from tests.shell import Shell
from tests.small_regime import small_regime

pytestmark = pytest.mark.slow

SMALL = small_regime(step_seconds=60)


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def market(cache_folder: Path) -> BenchMarket:
    return bench_market(SMALL, seed=1, days=2, cache_folder=cache_folder)


def test_a_market_is_simulated_once_and_is_the_same_afterwards(market: BenchMarket, cache_folder: Path) -> None:
    (path,) = cache_folder.glob("*.npz")
    written = path.stat().st_mtime_ns
    again = bench_market(SMALL, seed=1, days=2, cache_folder=cache_folder)
    assert path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(market.open_interest, again.open_interest)
    other = replace(SMALL, settings=replace(SMALL.settings, churn=1.0))
    assert not np.array_equal(bench_market(other, seed=1, days=1).contracts, again.contracts)


def test_the_true_map_holds_what_stands_within_the_span(market: BenchMarket) -> None:
    moment = next(moments(market))
    rows = slice(int(market.held[0]), int(market.held[1]))
    open_longs = market.size[rows][market.side[rows] > 0].sum()
    known = market.open_interest[market.times == moment.time_ns]
    assert open_longs == pytest.approx(float(known[0]))
    assert 0.2 * open_longs < moment.contracts[0].sum() <= open_longs


def test_nothing_open_has_a_liquidation_price_that_was_reached(market: BenchMarket) -> None:
    """So leaving out leverages that price has run through makes the bound better, never worse."""
    truth = list(moments(market))
    known = list(bounds(market, brackets_for("BTCUSDT", START), dict(SMALL.settings.leverage)))
    plain = mean_agreement(truth, [bound.plain for bound in known])
    alive = mean_agreement(truth, [bound.alive for bound in known])
    assert alive.rank > plain.rank
    assert alive.overlap > plain.overlap
    assert mean_agreement(truth, [moment.contracts for moment in truth]).linear == pytest.approx(1)


def test_the_conserving_book_is_better_than_what_is_usual(market: BenchMarket) -> None:
    truth = list(moments(market))
    found = {
        kind: mean_agreement(truth, maps_of(ModelSettings(kind=kind), "BTCUSDT", market, truth))
        for kind in ("conserving", "large_trades", "oi_candle")
    }
    assert found["conserving"].rank > found["oi_candle"].rank > found["large_trades"].rank
    assert found["conserving"].overlap > found["oi_candle"].overlap > found["large_trades"].overlap


def test_the_table_has_every_model_and_both_bounds(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    regimes: dict[str, Regime] = {"small": SMALL}
    monkeypatch.setattr("liqstrat.bench.judge.REGIMES", regimes)
    models = {"book": fixed(ModelSettings()), "book, mix known": mix_known(ModelSettings())}
    verdicts = judge(models, ["small"], [1], days=2, cache_folder=cache_folder)
    assert [v.model for v in verdicts] == ["bound", "strict bound", "book", "book, mix known"]
    assert verdicts[0].share.linear == pytest.approx(1)
    assert verdicts[1].strict_share.linear == pytest.approx(1)
    assert all(0 < v.agreement.overlap < 1 for v in verdicts)


def test_a_market_with_too_few_liquidations_is_judged_with_the_settings_as_they_are() -> None:
    market = bench_market(SMALL, seed=1, days=1)
    few = replace(market, liquidated_at=market.liquidated_at + 10**18)
    assert calibrated(ModelSettings())(SMALL, few) == ModelSettings()


def test_verdicts_are_printed_as_a_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    empty, good = Agreement(np.nan, np.nan, np.nan), Agreement(0.9, 0.8, 0.7)
    verdicts = [
        Verdict(model, regime, 11, good, good, good if model == "book" else empty)
        for model in ("book", "other")
        for regime in ("usual", "thin")
    ]
    print_verdicts(verdicts, json=True)
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [one["model"] for one in told] == ["book", "book", "other", "other"]
    assert told[0]["share"] == {"rank": 0.9, "linear": 0.8, "overlap": 0.7}
    assert told[2]["strict_share"]["rank"] is None
    assert all(one["simulated"] for one in told)
    print_verdicts(verdicts, json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["book", "mean", "2", *["0.90", "0.80", "0.70"] * 3, "0.70"] in lines


def test_an_unknown_regime_is_wrong_usage(liqstrat: Shell) -> None:
    done = liqstrat("bench-model", "--regimes", "usual,thinn")
    assert (done.code, 'there is no regime "thinn" (did you mean "thin"?)' in " ".join(done.err.split())) == (2, True)
