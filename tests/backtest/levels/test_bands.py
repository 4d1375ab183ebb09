"""Strategies are told between which bounds a level lies, by what was known when the run began."""

from pathlib import Path
from typing import Any, ClassVar

import duckdb
import numpy as np
import pytest

from liqstrat.app import run_backtest
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.errors import LiqstratError
from liqstrat.market.schema import create_tables
from liqstrat.report.markers import level_text
from liqstrat.report.tables import read_results
from liqstrat.run_file import run_from
from tests.backtest.runs import run_file, settled, wandering_market

_START_HOURS, _HOURS = 1.0, 2.5
#: Wide bins: of bounds, not of maps, is what is looked at.
_MODEL = {"bin_width": 0.002, "bin_parts": 1}


class LooksAtLows(LevelStrategy):
    seen: ClassVar[list[tuple[float, float, float]]] = []

    def on_levels(self) -> None:
        self.seen += [(one.low, one.contracts, one.high) for one in self.levels.clusters()]


def market(folder: Path, later: float) -> Path:
    """A market with liquidations on record, whose sizes are `later` times as large from the start of the run on."""
    folder.mkdir()
    database = wandering_market(folder, _HOURS)
    with duckdb.connect(str(database)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_tables(connection, "liquidations")
        connection.execute(
            f"""
            insert into liquidation_history by name
            select timestamp '2024-03-01' + to_seconds(90 * i + 1) as timestamp, 'BTCUSDT' as symbol,
                   if(i % 2 = 0, 'sell', 'buy') as side, 60000 as price,
                   (1 + i % 5) * if(i * 90 < {_START_HOURS * 3600}, 1.0, {later}) as quantity
            from range({round(_HOURS * 40)}) as _(i)
            """
        )
    return settled(database)


def seen(folder: Path, database: Path, **changes: Any) -> list[tuple[float, float, float]]:
    LooksAtLows.seen.clear()
    strategies = [{"use": f"{__name__}:LooksAtLows"}]
    settings: dict[str, Any] = {"strategies": strategies, "band": True, "resolution": "1m", "model": _MODEL, **changes}
    run_backtest(run_file(folder, database, hours=_HOURS, start_hours=_START_HOURS, **settings), folder, report=False)
    return list(LooksAtLows.seen)


def test_bounds_are_around_a_level_alike_on_ticks_and_bars_and_know_nothing_of_later(tmp_path: Path) -> None:
    database = market(tmp_path / "a", 1.0)
    on_bars = seen(tmp_path / "a", database)
    assert len(on_bars) > 50
    assert all(low < contracts < high for low, contracts, high in on_bars)
    np.testing.assert_allclose(seen(tmp_path / "a", database, resolution="tick"), on_bars, rtol=1e-9)
    assert seen(tmp_path / "b", market(tmp_path / "b", 30.0)) == on_bars


class TradesOnce(LevelStrategy):
    def on_price(self, price: float) -> None:
        if self.flat and not self.entered:
            level = self.levels.clusters()[0]
            self.entered = bool(self.enter("long", stop=price * 0.99, target=price * 1.01, level=level))

    def on_begin(self) -> None:
        self.entered = False


def test_results_have_the_bounds_of_the_last_map_and_of_levels_that_were_traded(tmp_path: Path) -> None:
    database = market(tmp_path / "a", 1.0)
    settings: dict[str, Any] = {"strategies": [{"use": f"{__name__}:TradesOnce"}], "resolution": "1m", "model": _MODEL}
    for band in (True, False):
        run = run_file(tmp_path, database, hours=_HOURS, start_hours=_START_HOURS, band=band, **settings)
        results = read_results(run_backtest(run, tmp_path, report=True))
        (trade,) = results.positions.to_pylist()
        levels = results.last_map("BTCUSDT")
        page = (results.folder / "report.html").read_text()
        assert ('"name":"90 % band"' in page) is band
        assert ("low" in levels.column_names) is band
        if not band:
            assert trade["level_least"] is None
            continue
        assert trade["level_least"] < trade["level_contracts"] < trade["level_most"]
        bins = levels.group_by(["side", "price_low"]).aggregate([("contracts", "sum"), ("low", "max"), ("high", "max")])
        low, held, high = (bins[name].to_numpy() for name in ("low_max", "contracts_sum", "high_max"))
        dense = held > held.max() / 10
        assert ((low < held) & (held < high))[dense].all()
        assert level_text(trade).count(" to ") == 1


def test_a_level_without_bounds_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LiqstratError, match="levels have no band, expected band = true in the run file"):
        seen(tmp_path / "a", market(tmp_path / "a", 1.0), band=False)


def test_a_run_whose_levels_can_have_no_band_is_refused() -> None:
    values = {"name": "a", "symbols": ["BTCUSDT"], "from": "2024-03-01", "to": "2024-03-02", "band": True}
    values["strategies"] = [{"use": "LevelFade"}]
    with pytest.raises(LiqstratError, match='only kind "conserving" has one, not "oi_candle"'):
        run_from({**values, "model": {"kind": "oi_candle"}})
    with pytest.raises(LiqstratError, match="band is true, expected false with a control"):
        run_from({**values, "control": "placebo"})
