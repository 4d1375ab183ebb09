"""Maps held against amounts by interval, where the law of the amounts is known."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.flow import flow_from_bars
from liqstrat.market.archive.mapping import read_mapping
from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from liqstrat.scoring.amounts import way as ways
from liqstrat.scoring.amounts.history import AmountsScore, score_amounts
from liqstrat.scoring.amounts.predictors import Path as Candles
from liqstrat.scoring.amounts.predictors import predictors
from liqstrat.scoring.amounts.record import Amounts
from liqstrat.scoring.amounts.units import doubts
from liqstrat.scoring.amounts.way import walk
from tests.scoring.amounts.hours import SETTINGS, START, write_hours
from tests.shell import Shell

HOUR_US = 3_600_000_000


def scored(path: Path, warmup: int = 3) -> AmountsScore:
    with open_store(path) as store:
        return score_amounts(store, "BTCUSDT", None, None, {"conserving": SETTINGS}, warmup=timedelta(days=warmup))


@pytest.fixture(scope="module")
def by_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hours(tmp_path_factory.mktemp("map") / "h.duckdb", 52, by_map=True)


def test_a_map_that_is_the_law_adds_and_one_of_distance_alone_does_not(by_map: Path, tmp_path: Path) -> None:
    found = scored(by_map)
    whole = next(part for part in found.parts if part.name == "all")
    assert whole.strict
    assert whole.start >= START + timedelta(days=3)
    for gain in whole.gains["conserving"].values():
        assert gain.adds.value is not None
        assert gain.adds.value > 0.05
        assert gain.adds.above_zero
        assert gain.rank is not None
        assert gain.rank > 0.4
    assert found.words()["conserving"] == "adds to distance and recency, on both sides of the record"

    nothing = scored(write_hours(tmp_path / "n.duckdb", 52, by_map=False))
    for gain in next(part for part in nothing.parts if part.name == "all").gains["conserving"].values():
        assert gain.baseline > 0.4
        assert gain.adds.value == pytest.approx(0, abs=0.005)
        assert not gain.adds.above_zero
    assert nothing.words()["conserving"].startswith("too little to tell")


def test_the_command_prints_it_and_says_what_the_record_is(by_map: Path, liqstrat: Shell) -> None:
    command = ("score", "BTCUSDT", "--db", str(by_map), "--warmup-days", "3")
    told = liqstrat(*command).out
    assert "baseline that knows distance, volatility, volume, recency and the path inside the interval" in told
    assert "okx, record unknown" in told
    assert "rest on 5m candles" in told
    found = json.loads(liqstrat(*command, "--json").out)
    assert found["parts"][0]["gains"]["conserving"]["longs"]["adds"]["value"] > 0.05
    refused = liqstrat(*command, "--by", "prices")
    assert refused.code == 1
    assert "no liquidations of BTCUSDT" in refused.err
    refused = liqstrat("score", "BTCUSDT", "--db", str(by_map), "--from", "2024-04-10")
    assert refused.code == 1
    assert "fewer than 400 intervals" in refused.err


def test_units_that_cannot_be_are_doubted(by_map: Path, tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    shutil.copy(by_map, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("update liquidation_amounts_history set long_contracts = long_contracts * 60000")
        connection.execute("update open_interest_history set open_interest_contracts = open_interest_contracts * 60000")
    said = " ".join(scored(path).remarks)
    assert "intervals okx liquidated more than was traded, which cannot be: are the amounts in the unit" in said
    assert "days: is it in contracts, not in USD?" in said


@pytest.mark.parametrize(("amount", "doubted"), [(5.0, ""), (0.0, "of what was traded"), (300.0, "3 of 3 intervals")])
def test_amounts_of_hours_are_held_against_what_was_traded(amount: float, doubted: str) -> None:
    ends = (np.arange(3) + 1) * HOUR_US
    flat = np.full(36, 100.0)
    candles = Candles((np.arange(36) + 1) * 300_000_000, flat, flat, flat, np.full(36, 10.0), 300_000_000)
    amounts = Amounts("okx", HOUR_US, ends, np.full(3, amount), np.zeros(3), ("unknown",) * 3)
    way = ways.Way(ends, np.full(3, 2_000.0), {})
    said = list(doubts(amounts, candles, way))
    assert len(said) == bool(doubted)
    assert all(doubted in one for one in said)


def test_what_stood_in_the_way_is_of_the_map_before_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way by what steps report, and the way by maps asked before each, are the same."""
    rng = np.random.default_rng(3)
    close = 60_000 * np.exp(np.cumsum(rng.normal(0, 0.004, 300)))
    history = []
    for i, price in enumerate(close):
        bars = np.array([price * 1.003]), np.array([price * 0.997]), np.array([price]), np.array([50.0])
        brackets = LiquidationBook(SETTINGS, "BTCUSDT").brackets(i * 300 * 10**9)
        flow = flow_from_bars(
            i * 300 * 10**9, (i + 1) * 300 * 10**9, *bars, width=SETTINGS.fine_width, brackets=brackets
        )
        history.append((flow, 1000.0 + rng.normal(0, 5)))
    told = walk(history, {"book": LiquidationBook(SETTINGS, "BTCUSDT")})
    monkeypatch.setattr(ways, "_TELL", ())
    asked = walk(history, {"book": LiquidationBook(SETTINGS, "BTCUSDT")})
    assert told.contracts["book"].sum() > 100
    np.testing.assert_allclose(told.contracts["book"], asked.contracts["book"], atol=1e-6)
    ends = np.array([12, 24, 25]) * 300_000_000
    sums = told.within("book", ends, HOUR_US)
    np.testing.assert_allclose(sums[1], told.contracts["book"][12:24].sum(axis=0))
    np.testing.assert_allclose(sums[2], told.contracts["book"][13:25].sum(axis=0))


def test_predictors_of_an_hour_by_hand() -> None:
    """Two hours of five-minute candles after a day at 100: the second makes a new low of 98, in two candles."""
    count = 12 * 24 * 9
    low, high, close = np.full(count, 100.0), np.full(count, 100.5), np.full(count, 100.2)
    low[-5], close[-5], low[-4] = 99.0, 99.5, 98.0
    candles = Candles((np.arange(count) + 1) * 300_000_000, high, low, close, np.ones(count), 300_000_000)
    ends = np.array([count - 12, count]) * 300_000_000
    known = predictors(candles, ends, HOUR_US, long=True)
    np.testing.assert_allclose(known.excursion, [np.log(100.2 / 100), np.log(100.2 / 98)])
    scaled = np.log1p(np.array([np.log(100 / 98), np.log(100 / 99) + np.log(99 / 98)]) / 1e-4)
    assert known.path[1, 2] == pytest.approx(scaled[1])
    assert known.path[0, 3:].sum() == 0
    beyond = known.hourly[1, 18:26]
    np.testing.assert_allclose(beyond[::2], scaled[0])
    np.testing.assert_allclose(beyond[1::2], 1)


@pytest.mark.slow
def test_real_hours_of_four_years_take_seconds_and_the_default_adds_on_both_sides(
    shared_data: Path, tmp_path: Path, liqstrat: Shell
) -> None:
    real = shared_data / "real"
    if not real.is_dir():
        pytest.skip("no real liquidations beside the project")
    (tmp_path / "m.toml").write_text(
        'symbol = "BTCUSDT"\ntime = "t"\n[klines]\n[open_interest]\ncontracts = "oi_btc_end"\nvalue = "oi_usd_end"\n'
        '[liquidations]\nlong = "liq_long_btc"\nshort = "liq_short_btc"\nunit = "contracts"\nvenues = "binance"\n'
    )
    path = real / "BTCUSDT_binance_1h_20200313_20240426.parquet"
    report = ingest([path], tmp_path / "h.duckdb", mapping=read_mapping(tmp_path / "m.toml"))
    assert [file.rows for file in report.files] == [36_116] * 3
    found = json.loads(liqstrat("score", "BTCUSDT", "--db", str(tmp_path / "h.duckdb"), "--json").out)
    whole = {part["record"]: part for part in found["parts"] if part["name"] == "all"}
    for record, least in (("complete", 0.02), ("thinned", 0.008)):
        for gain in whole[record]["gains"]["conserving"].values():
            assert gain["adds"]["low"] > least
