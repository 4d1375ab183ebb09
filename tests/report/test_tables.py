import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.report.raster import rasterise
from liqstrat.report.tables import read_results


def test_a_real_run_is_read(demo_results: Path) -> None:
    results = read_results(demo_results)
    symbol = results.run.symbols[0]
    assert results.run.end > results.run.start
    assert results.positions["number"].to_pylist() == list(range(1, len(results.positions) + 1))
    for table in (results.equity, results.levels(symbol), results.last_map(symbol), results.candles(symbol)):
        assert len(table) > 0
    assert len(results.levels("NOSUCH")) == 0


def test_of_a_long_record_maps_are_read_evenly_and_whole(results: Path) -> None:
    symbol = read_results(results).run.symbols[0]
    every = read_results(results).levels(symbol)
    moments = every["time"].unique().to_pylist()
    whole = rasterise(every)
    assert whole is not None
    most_cells = whole.codes.size // 3
    some = read_results(results).levels(symbol, most_cells)
    shown = some["time"].unique().to_pylist()
    assert len(moments) // 5 < len(shown) <= len(moments) // 3
    assert shown == moments[:: round(len(moments) / len(shown))]
    rows = Counter(every["time"].to_pylist())
    assert len(some) == sum(rows[moment] for moment in shown)
    drawn, of_all = rasterise(some, most_cells=most_cells), rasterise(every, most_cells=most_cells)
    assert drawn is not None
    assert of_all is not None
    assert (drawn.step_ms, drawn.start_ms) == (of_all.step_ms, of_all.start_ms), "nothing is left out twice"


def test_maps_of_one_of_several_symbols_are_read(results: Path) -> None:
    path = results / "levels.parquet"
    rows = pq.read_table(path)
    other = pc.multiply(rows["price_low"], 0.05), pc.multiply(rows["price_high"], 0.05)
    place, names = rows.column_names.index, pa.array(["ETHUSDT"] * len(rows))
    cheap = rows.set_column(place("symbol"), "symbol", names)
    cheap = cheap.set_column(place("price_low"), "price_low", other[0])
    cheap = cheap.set_column(place("price_high"), "price_high", other[1])
    run = json.loads((results / "run.json").read_text())
    pq.write_table(pa.concat_tables([rows, cheap]).sort_by("time"), path)
    (results / "run.json").write_text(json.dumps({**run, "symbols": [*run["symbols"], "ETHUSDT"]}))
    both = read_results(results)
    assert both.levels(run["symbols"][0]).sort_by("price_low") == rows.select(
        ["time", "price_low", "price_high", "contracts"]
    ).sort_by("price_low")
    assert pc.max(both.levels("ETHUSDT")["price_high"]) == pc.max(other[1])
    assert len(both.levels("NOSUCH")) == 0


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
