from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.report import tables
from liqstrat.report.tables import read_results


def test_a_real_run_is_read(demo_results: Path) -> None:
    results = read_results(demo_results)
    symbol = results.run.symbols[0]
    assert results.run.end > results.run.start
    assert results.positions["number"].to_pylist() == list(range(1, len(results.positions) + 1))
    for table in (results.equity, results.levels(symbol), results.last_map(symbol), results.candles(symbol)):
        assert len(table) > 0
    assert len(results.levels("NOSUCH")) == 0


def test_of_a_long_record_maps_are_read_evenly_and_whole(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    symbol = read_results(results).run.symbols[0]
    every = read_results(results).levels(symbol)
    moments = every["time"].unique().to_pylist()
    monkeypatch.setattr(tables, "MOST_MAPS", len(moments) // 3)
    some = read_results(results).levels(symbol)
    shown = some["time"].unique().to_pylist()
    assert len(moments) // 5 < len(shown) <= len(moments) // 3
    assert shown == moments[:: len(moments) // len(shown)]
    rows = Counter(every["time"].to_pylist())
    assert len(some) == sum(rows[moment] for moment in shown)


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "levels.parquet", "equity.parquet"])
def test_what_is_missing_is_named(results: Path, name: str) -> None:
    (results / name).unlink()
    with pytest.raises(LiqstratError, match=f"results: is not the results folder of a run: no {name}"):
        read_results(results)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(LiqstratError, match="nowhere: no such folder"):
        read_results(tmp_path / "nowhere")


def test_broken_json_is_named(results: Path) -> None:
    (results / "run.json").write_text('{"name": ')
    with pytest.raises(LiqstratError, match=r"run\.json: cannot be read as JSON"):
        read_results(results)


def test_a_missing_key_is_named(results: Path) -> None:
    (results / "run.json").write_text('{"name": "fade"}')
    with pytest.raises(LiqstratError, match=r"run\.json: no key run, created"):
        read_results(results)


def test_a_missing_column_is_named(results: Path) -> None:
    path = results / "positions.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["pnl"]), path)
    with pytest.raises(LiqstratError, match=r"positions\.parquet: no column pnl; found "):
        _ = read_results(results).positions


def test_a_file_that_is_no_parquet_is_named(results: Path) -> None:
    (results / "equity.parquet").write_text("time,equity")
    with pytest.raises(LiqstratError, match=r"equity\.parquet: cannot be read as Parquet"):
        _ = read_results(results).equity
