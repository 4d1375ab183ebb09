"""Real files beside the project, by the commands. Nothing of them is in the project; where they are not, it is said."""

import json
from pathlib import Path

import pytest

from liqstrat.market.ingest import ingest
from tests.market.archive_files import states
from tests.shell import Shell

#: What nobody put beside the project, by the names that such files have: small files of ours stand for them.
ABSENT = {
    "exports of Coinalyze, CryptoQuant or Coinglass": (
        ("*coinalyze*", "*cryptoquant*", "*coinglass*"), "tests/market/test_amounts.py",
    ),
    "COIN-M files of the archive": (("*USD_PERP*.zip",), "tests/test_inverse_whole_way.py"),
    "trades or candles of Bybit's archive": (
        ("[A-Z]*USDT????-??-??.csv.gz", "[A-Z]*_[0-9]*_????-??-??_????-??-??.csv.gz"), "tests/market/test_bybit.py",
    ),
    "answers of Bybit's API (open interest, risk limits) or liquidations of its stream": (
        ("*bybit*.json", "*bybit*.jsonl"), "tests/market/test_bybit.py",
    ),
    "trades quoted in USDC": (("*USDC-aggTrades*",), "tests/test_usdc_whole_way.py"),
}  # fmt: skip
HOURS = """
symbol = "{symbol}"
time = "t"
[klines]
[open_interest]
contracts = "{contracts}"
[liquidations]
long = "liq_long_btc"
short = "liq_short_btc"
unit = "contracts"
venues = "{venue}"
"""


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Path:
    folder = shared_data / "real"
    if not folder.is_dir():
        pytest.skip("no real liquidations beside the project")
    return folder


def ingest_candles(liqstrat: Shell, folder: Path, candles: Path, contracts: str) -> list[int]:
    """Take candles and the open interest in the column `contracts` into h.duckdb; returns the rows of each kind."""
    (folder / "m.toml").write_text(
        f'symbol = "BTCUSDT"\ntime = "t"\n[klines]\n[open_interest]\ncontracts = "{contracts}"\nknown = "start"\n'
    )
    done = liqstrat("ingest", str(candles), "--mapping", "m.toml", "--db", "h.duckdb", "--json")
    assert done.code == 0, done.out
    return [file["rows"] for file in json.loads(done.out)["files"]]


@pytest.mark.parametrize("what", ABSENT)
def test_files_of_others_go_in_where_they_are(shared_data: Path, tmp_path: Path, what: str) -> None:
    patterns, ours = ABSENT[what]
    files = sorted(path for pattern in patterns for path in shared_data.rglob(pattern))
    if not files:
        pytest.skip(f"no real {what} beside the project; made by hand in {ours}")
    assert set(states(ingest(files, tmp_path / "h.duckdb"))) == {"loaded"}


def test_hours_of_candles_and_open_interest_every_four_go_the_whole_way(
    shared_data: Path, liqstrat: Shell, tmp_path: Path
) -> None:
    """Without single trades: levels, a heatmap, a run and its report."""
    folders = [str(shared_data / name) for name in ("openInterest", "funding", "klines")]
    assert liqstrat("ingest", *folders).code == 0
    seen = liqstrat("inspect", "BTCUSDT").out
    assert "a backtest has all it needs: 2026-02-20 00:00 – 2026-03-19 20:00" in seen
    assert "open interest every 240 minutes" in seen
    found = liqstrat("levels", "BTCUSDT", "--json")
    assert json.loads(found.out)["open_interest"] > 50_000
    assert "rest on 1h candles" in found.err
    assert "every five minutes" not in found.err
    assert liqstrat("heatmap", "BTCUSDT", "--from", "2026-03-10", "--out", "maps.html").code == 0
    (tmp_path / "run.toml").write_text(
        'name = "hours"\nsymbols = ["BTCUSDT"]\nfrom = 2026-03-01\nto = 2026-03-08\nresolution = "1h"\n'
        '[data]\nwarmup_days = 7\n[[strategies]]\nuse = "RandomEntry"\n'
    )
    done = liqstrat("backtest", "run.toml")
    assert done.code == 0, done.err
    assert next((tmp_path / "results").glob("hours-*/report.html")).stat().st_size > 100_000


@pytest.mark.slow
def test_hours_of_two_venues_stand_in_one_file_and_add_up(real: Path, liqstrat: Shell, tmp_path: Path) -> None:
    """Of Bybit's hours a map adds to distance and recency in either stretch, as docs/real-markets.md has it."""
    sets = {
        "BTCUSDT": ("BTCUSDT_binance_1h_20200313_20240426", "oi_btc_end", "binance"),
        "BTCUSDT.BYBIT": ("BTCUSDT_bybit_1h_202012_202404", "oi_btc", "bybit"),
    }
    for symbol, (name, contracts, venue) in sets.items():
        (tmp_path / "m.toml").write_text(HOURS.format(symbol=symbol, contracts=contracts, venue=venue))
        done = liqstrat("ingest", str(real / f"{name}.parquet"), "--mapping", "m.toml", "--db", "h.duckdb")
        assert done.code == 0, done.err
    scored = json.loads(liqstrat("score", "BTCUSDT.BYBIT", "--db", "h.duckdb", "--json").out)
    whole = {part["record"]: part["gains"]["conserving"] for part in scored["parts"] if part["name"] == "all"}
    for record, longs, shorts in (("complete", 0.054, 0.047), ("thinned", 0.031, 0.033)):
        found = [whole[record][side]["adds"]["value"] for side in ("longs", "shorts")]
        assert found == pytest.approx([longs, shorts], abs=0.0006), record
    at = ("levels", "BTCUSDT", "--at", "2024-01-15", "--db", "h.duckdb", "--json")
    both = json.loads(liqstrat(*at, "--venues", "binance,bybit").out)
    assert list(both["venues"]) == ["BTCUSDT", "BTCUSDT.BYBIT"]
    alone = json.loads(liqstrat(*at).out)
    assert both["open_interest"] > alone["open_interest"] * alone["price"]


@pytest.mark.slow
def test_maps_are_held_against_positions_of_a_venue_that_shows_them(
    real: Path, liqstrat: Shell, tmp_path: Path
) -> None:
    """As docs/real-markets.md has it, in percent of price."""
    ingest_candles(liqstrat, tmp_path, real / "BTCUSDT_binance_5m_20251201_20260219.parquet", "oi_btc")
    positions = real / "hyperliquid_positions_2026-02.parquet"
    done = liqstrat("score", "BTCUSDT", "--positions", str(positions), "--db", "h.duckdb", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["positions"], found["snapshots"]) == (16_571, 94)
    held, ours = (part["both"]["quantiles"] for part in (found["real"], found["models"]["conserving"]))
    assert held == pytest.approx([0.071, 0.108, 0.198, 0.448, 0.939], abs=0.0006)
    assert ours == pytest.approx([0.041, 0.058, 0.099, 0.189, 0.304], abs=0.0006)


def test_candles_of_five_minutes_with_open_interest_by_the_hour_step_the_book_between(
    real: Path, liqstrat: Shell, tmp_path: Path
) -> None:
    """The month of the recording in batches, which has neither intervals nor single orders, and is not read."""
    candles = real / "BTCUSDT_binance_5m_202301_klines_oi1h.parquet"
    assert ingest_candles(liqstrat, tmp_path, candles, "oi_btc_at_t") == [5760, 474]
    found = liqstrat("levels", "BTCUSDT", "--at", "2023-01-16T12:40", "--db", "h.duckdb")
    assert found.code == 0, found.err
    assert "the book goes on every five minutes" in found.err
