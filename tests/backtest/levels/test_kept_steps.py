"""Levels that were worked beforehand are those of a model that is stepped as the run goes on, to the last bit."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest

from liqstrat import app
from liqstrat.app import Prepared, prepare, resolve_traders
from liqstrat.backtest.levels import kept_steps
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.replay import Replayed
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.catalog.kept import kept_folder
from liqstrat.config import RunFile
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.lumps import Band
from liqstrat.liquidation.map import LiquidationMap
from tests.backtest.runs import run_file, settled, wandering_market

_HOURS = 5.0


class Witness(LevelStrategy):
    """Writes down all that it can know of its levels, every `every` decisions, and trades on some of it."""

    class Params(StrategyParams):
        every: int = 1
        maps: bool = False

    params: Params
    seen: ClassVar[list[Any]] = []

    def on_begin(self) -> None:
        self.seen.clear()
        self._count = 0

    def on_levels(self) -> None:
        levels = self.levels
        self.seen.append((levels.known_at, levels.open_interest, levels.seeded_share, levels.price_time_ns))

    def on_price(self, price: float) -> None:
        self._count += 1
        if self._count % self.params.every:
            return
        found, levels = [asdict(one) for one in self.levels.clusters()], self.levels
        swept = [(asdict(one.cluster), one.time_ns, one.extreme) for one in levels.consumed]
        self.seen.append((price, found, levels.above(), levels.below(), swept, self.signals()))
        if self.params.maps:
            self.seen.append(_numbers(levels.map(0.2, self.clock.timestamp_ns())))
        if self.flat and swept:
            level = levels.consumed[-1].cluster
            self.enter("long", stop=price * 0.98, target=price * 1.02, level=level)


class Unhearing(Witness):
    """As a witness, but not told of new maps, so that nobody is."""

    on_levels = LevelStrategy.on_levels


def _numbers(levels: LiquidationMap | Band) -> dict[str, Any]:
    values = {name: getattr(levels, name) for name in levels.__dataclass_fields__}
    values |= {name: _numbers(value) for name, value in values.items() if isinstance(value, Band)}
    return {name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def _run(folder: Path, database: Path, changes: dict[str, Any]) -> RunFile:
    use = {"use": f"{__name__}:{changes.pop('use', 'Witness')}", "params": changes.pop("params", {})}
    return run_file(folder, database, hours=_HOURS, start_hours=1.5, **{"strategies": [use], **changes})


def _live(prepared: Prepared) -> Prepared:
    data = {symbol: replace(one, levels=None) for symbol, one in prepared.data.items()}
    return replace(prepared, data=data)


def _replayed(prepared: Prepared, folder: Path) -> tuple[list[Any], Replayed]:
    folder.mkdir()
    made = app.replay(prepared, resolve_traders(prepared.run), folder)
    return list(Witness.seen), made


@pytest.mark.parametrize(
    "changes",
    [
        {"params": {"decide_seconds": 20}},
        {"params": {"every": 40, "decide_seconds": 20, "maps": True}},
        {"resolution": "1m", "params": {"maps": True}},
        {"resolution": "1m", "use": "Unhearing"},
        {"resolution": "1m", "use": "Unhearing", "params": {"every": 11, "maps": True}},
        {"resolution": "5m", "use": "Unhearing", "venue": {"latency_ms": 60_000}},
        {"resolution": "5m", "params": {"every": 7}, "model": {"bin_width": 0.001, "kind": "ensemble"}},
        pytest.param({"resolution": "1m", "params": {"every": 9, "maps": True}, "band": True}, marks=pytest.mark.slow),
    ],
    ids=[
        "ticks",
        "ticks, seldom",
        "bars",
        "bars, told late",
        "bars, told late, seldom",
        "bars, told late, by orders too",
        "bars, seldom, a mixture",
        "bars, with a band",
    ],
)
def test_kept_levels_are_those_of_a_stepped_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """Whatever is asked, and however seldom; with the maps of the report, the ledger and the last map."""
    monkeypatch.setattr(kept_steps, "BLOCK", 16)
    prepared = prepare(_run(tmp_path, settled(wandering_market(tmp_path, _HOURS)), changes))
    assert prepared.data["BTCUSDT"].levels is not None

    kept, by_kept = _replayed(prepared, tmp_path / "kept")
    live, by_live = _replayed(_live(prepared), tmp_path / "live")

    assert len(kept) > 30
    assert kept == live
    assert any(one[4] for one in kept if len(one) == 6), "nothing was swept"
    assert by_kept.ledger == by_live.ledger
    assert [_numbers(one) for one in by_kept.maps] == [_numbers(one) for one in by_live.maps]
    tables = [pq.read_table(tmp_path / name / "levels.parquet") for name in ("kept", "live")]
    assert tables[0].num_rows
    assert tables[0].equals(tables[1])


def test_levels_that_are_gone_or_cannot_be_kept_are_stepped(tmp_path: Path) -> None:
    """As on a catalog that is copied without them, or that can only be read."""
    run = _run(tmp_path, settled(wandering_market(tmp_path, _HOURS)), {"resolution": "1m"})
    prepared = prepare(run)
    expected = _replayed(prepared, tmp_path / "kept")
    (file,) = kept_folder(run.data.catalog).glob("levels-*.arrow")
    whole = file.read_bytes()

    file.write_bytes(whole[: len(whole) // 2])
    assert _replayed(prepared, tmp_path / "torn")[1].ledger == expected[1].ledger
    assert Witness.seen == expected[0]

    again = prepare(run)
    assert file.read_bytes() == whole, "what is torn is made anew"
    file.unlink()
    assert _replayed(again, tmp_path / "gone")[0] == expected[0]

    file.mkdir()
    assert prepare(run).data["BTCUSDT"].levels is None


def test_levels_are_kept_once_for_all_strategies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And anew for another model; nothing is stepped where they are there."""
    database = settled(wandering_market(tmp_path, _HOURS))
    prepare(_run(tmp_path, database, {"resolution": "1m"}))

    def files() -> int:
        return len(list(kept_folder(tmp_path / "catalog").glob("levels-*.arrow")))

    with monkeypatch.context() as patched:
        patched.setattr(app, "write_steps", None)
        other = prepare(_run(tmp_path, database, {"resolution": "5m", "params": {"every": 3}}))
        patched.setattr(LiquidationBook, "step", None)
        assert len(_replayed(other, tmp_path / "replayed")[0]) > 30
        assert files() == 1
    prepare(_run(tmp_path, database, {"resolution": "1m", "model": {"bin_width": 0.001, "turnover": 0.2}}))
    assert files() == 2
    prepare(_run(tmp_path, database, {"resolution": "1m", "band": True}))
    assert files() == 3
