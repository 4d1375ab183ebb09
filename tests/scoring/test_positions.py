"""Distances to liquidation of a map against those of positions that are known."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import maps_at
from liqstrat.market.store import open_store
from liqstrat.scoring.positions import read_positions, score_positions
from tests.history import START, open_interest_every, random_trades, write_history
from tests.shell import Shell

HEADER = "snapshot,coin,side,size,liquidation_price,mark\n"
MODELS = {"conserving": ModelSettings(bin_width=0.001)}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_history(tmp_path / "h.duckdb", random_trades(hours=8), open_interest_every(5, 8))


def written(path: Path, *rows: str) -> Path:
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


def test_quantiles_are_by_notional_and_what_nothing_liquidates_is_far(database: Path, tmp_path: Path) -> None:
    at = "2024-03-01T06:00:00"
    held = read_positions(
        written(
            tmp_path / "p.csv",
            f"{at},BTC,long,2,54000,60000",  # 10 %
            f"{at},BTC,short,1,63000,60000",  # 5 %
            f"{at},BTC,long,1,,60000",
            f"{at},ETH,long,100,1000,3000",
        ),
        "BTCUSDT",
    )
    assert len(held) == 3
    with open_store(database) as store:
        found = score_positions(store, "BTCUSDT", held, MODELS, warmup=timedelta(hours=4))
        (levels,) = maps_at(store, "BTCUSDT", [START + timedelta(hours=6)], MODELS["conserving"], timedelta(hours=4))
    both = found.real["both"]
    assert both.notional == 240_000
    assert both.quantiles == (
        pytest.approx(0.05),
        pytest.approx(0.05),
        pytest.approx(0.05),
        pytest.approx(0.1),
        pytest.approx(0.1),
    )
    assert both.far == 0.25
    assert found.real["longs"].quantiles[-1] is None
    median = found.models["conserving"]["longs"].quantiles[3]
    assert median is not None
    away = np.abs(levels.middles / levels.price - 1)
    nearer, with_it = (levels.longs[:, away <= median * edge].sum() / levels.longs.sum() for edge in (0.999, 1.001))
    assert nearer < 0.5 <= with_it
    assert 0 < found.apart["conserving"] <= 1


def test_a_map_whose_positions_are_shown_is_not_apart(database: Path, tmp_path: Path) -> None:
    moment = START + timedelta(hours=6)
    with open_store(database) as store:
        (levels,) = maps_at(store, "BTCUSDT", [moment], MODELS["conserving"], timedelta(hours=4))
        lines = [
            f"{moment:%Y-%m-%d %H:%M:%S},BTCUSDT,{side},{size},{price},{levels.price}"
            for side, contracts in (("long", levels.longs), ("short", levels.shorts))
            for price, size in zip(levels.middles, contracts.sum(axis=0), strict=True)
            if size > 0
        ]
        held = read_positions(written(tmp_path / "p.csv", *lines), "BTCUSDT")
        found = score_positions(store, "BTCUSDT", held, MODELS, warmup=timedelta(hours=4))
    assert found.apart["conserving"] == pytest.approx(0, abs=0.01)
    for one, other in zip(found.real["both"].quantiles, found.models["conserving"]["both"].quantiles, strict=True):
        assert one == pytest.approx(other, abs=0.002)


def test_what_is_odd_about_positions_is_said(database: Path, tmp_path: Path) -> None:
    at = "2024-03-01T06:00:00"
    rows = [f"{at},BTC,long,2,54000,60000,7", f"{at},BTC,long,2,54000,60000,8", f"{at},BTC,long,1,54000000,60000,9"]
    path = tmp_path / "p.csv"
    path.write_text(HEADER.replace("mark", "mark,account") + "\n".join([*rows, rows[0]]) + "\n")
    held = read_positions(path, "BTCUSDT")
    assert (len(held), held.twice) == (3, 1)
    with open_store(database) as store:
        found = score_positions(store, "BTCUSDT", held, MODELS, warmup=timedelta(hours=4))
    said = " ".join(found.remarks)
    assert "1 rows stand there twice and count once." in said
    assert "There are no shorts among the positions" in said
    assert "20% of the notional has its liquidation price beyond mark" in said
    same = read_positions(written(tmp_path / "q.csv", *(row.rpartition(",")[0] for row in rows[:2])), "BTCUSDT")
    assert (len(same), same.twice) == (2, 0), "without accounts two may be alike"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("2024-03-01T06:00:00,BTC,up,2,54000,60000", 'line 2: side is "up", expected long or short'),
        ("2024-03-01T06:00:00,BTC,long,x,54000,60000", 'line 2: size is "x", expected a number'),
        ("2024-03-01T06:00:00,SOL,long,1,54000,60000", "has no position of BTCUSDT; it has SOL"),
        ("2024-03-01T06:00:00,BTC,long,0,54000,60000", 'line 2: size is "0", expected a number above 0'),
        ("2024-03-01T06:00:00,BTC,long,1,54000,nan", 'line 2: mark is "", expected a number above 0'),
    ],
)
def test_a_wrong_file_is_told_by_its_line(tmp_path: Path, row: str, expected: str) -> None:
    with pytest.raises(LiqstratError) as error:
        read_positions(written(tmp_path / "p.csv", row), "BTCUSDT")
    assert expected in str(error.value)


def test_the_command_prints_both(database: Path, tmp_path: Path, liqstrat: Shell) -> None:
    path = written(tmp_path / "p.csv", "2024-03-01T06:00:00,BTC,long,2,54000,60000")
    command = ("score", "BTCUSDT", "--positions", str(path), "--db", str(database), "--warmup-days", "0")
    told = liqstrat(*command).out
    assert "1 positions in 1 snapshots" in told
    assert "a bound from one side, no truth" in told
    assert json.loads(liqstrat(*command, "--json").out)["real"]["longs"]["quantiles"][3] == pytest.approx(0.1)


@pytest.mark.slow
def test_real_positions_are_read_by_notional(shared_data: Path) -> None:
    """Quantiles of all snapshots as they were counted elsewhere: 7, 11, 20, 45 and 94 %."""
    path = shared_data / "real" / "hyperliquid_positions_2026-02.parquet"
    if not path.is_file():
        pytest.skip("no real positions beside the project")
    from liqstrat.scoring.positions import _of_positions, _sides

    held = read_positions(path, "BTCUSDT")
    found = _sides(*_of_positions(held, np.ones(len(held), dtype=np.bool_)))["both"]
    np.testing.assert_allclose(found.quantiles, [0.07, 0.11, 0.20, 0.45, 0.94], atol=0.01)
