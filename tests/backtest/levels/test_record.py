"""Recorded maps are coarse, but hold what the full maps hold."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from liqstrat.backtest.levels.record import RECORDED_WIDTH, coarse_rows, write_map
from liqstrat.liquidation.map import LiquidationMap
from tests.backtest.runs import replayed, run_file, wandering_market


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> LiquidationMap:
    folder = tmp_path_factory.mktemp("record")
    (last,) = replayed(run_file(folder, wandering_market(folder, hours=2), hours=2)).maps
    return last


def test_coarse_ranges_hold_the_same_contracts(full: LiquidationMap) -> None:
    rows = coarse_rows(full, span=0.5).to_pandas()
    widths = rows["price_high"] / rows["price_low"] - 1
    assert widths.max() <= RECORDED_WIDTH * 1.01
    # No two rows of a side and leverage overlap.
    assert not rows.duplicated(["side", "leverage", "price_low"]).any()
    for side, contracts in (("long", full.longs), ("short", full.shorts)):
        near = np.abs(full.middles / full.price - 1) <= 0.5
        by_tier = rows[rows["side"] == side].groupby("leverage")["contracts"].sum()
        for tier, expected in zip(full.tiers, contracts[:, near].sum(axis=1), strict=True):
            assert by_tier.get(int(tier), 0.0) == pytest.approx(expected, rel=0.01, abs=0.5)


def test_rows_stay_within_the_span_asked_for(full: LiquidationMap) -> None:
    rows = coarse_rows(full, span=0.02).to_pandas()
    assert rows["price_low"].min() >= full.price * (1 - 0.02 - 2 * RECORDED_WIDTH)
    assert rows["price_high"].max() <= full.price * (1 + 0.02 + 2 * RECORDED_WIDTH)


def test_the_last_map_is_written_in_full(full: LiquidationMap, tmp_path: Path) -> None:
    write_map(tmp_path / "map.parquet", [full])
    rows = pq.read_table(tmp_path / "map.parquet").to_pandas()
    assert rows["contracts"].sum() == pytest.approx(full.longs.sum() + full.shorts.sum())
    assert set(rows["price"]) == {full.price}
    write_map(tmp_path / "none.parquet", [])
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0
