"""A market in inverse contracts, from archive files to a score and a fit, by the commands."""

import json
import zipfile
from pathlib import Path

import pytest

from tests.inverse_market import SYMBOL, inverse_database
from tests.market.archive_files import rows
from tests.shell import Shell

DB = ("--db", "coin.duckdb")
RUN = f"""
name = "coin"
symbols = ["{SYMBOL}"]
from = 2024-03-01
to = 2024-03-02
[[strategies]]
use = "LevelFade"
"""


@pytest.fixture(scope="module")
def database(simulated_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inverse_database(simulated_archive, tmp_path_factory)


@pytest.fixture
def coin(liqstrat: Shell, database: Path, tmp_path: Path) -> Shell:
    """The commands, in a folder with `coin.duckdb`."""
    (tmp_path / "coin.duckdb").symlink_to(database)
    return liqstrat


def test_contracts_stay_contracts_and_are_worth_dollars(coin: Shell, tmp_path: Path) -> None:
    ((wholes, count),) = rows(
        tmp_path / "coin.duckdb", "select count(*) filter (quantity % 1 = 0), count(*) from aggtrades_history"
    )
    assert wholes == count > 10_000
    ((contracts, value),) = rows(
        tmp_path / "coin.duckdb",
        "select open_interest_contracts::double, open_interest_value::double from open_interest_history limit 1",
    )
    assert 30_000 < contracts * 100 / value < 100_000, "its value is in coin"
    seen = coin("inspect", SYMBOL, *DB).out
    assert "liquidations" in seen
    assert "levels can be estimated: 2024-03-01" in seen

    at = ("levels", SYMBOL, "--at", "2024-03-02T12:00", *DB)
    found, printed = json.loads(coin(*at, "--json").out), coin(*at)
    assert found["quote"] == "USD"
    assert sum(one["notional"] for one in found["bins"]) == pytest.approx(
        100 * sum(one["contracts"] for one in found["bins"])
    )
    assert [one["notional"] for one in found["clusters"]] == pytest.approx(
        [100 * one["contracts"] for one in found["clusters"]]
    )
    assert " USD" in printed.out
    assert "USDT" not in printed.out + printed.err

    assert coin("heatmap", SYMBOL, "--from", "2024-03-02", "--out", "maps.html", *DB).code == 0
    page = (tmp_path / "maps.html").read_text()
    assert "USD per" in page
    assert "USDT per" not in page


def test_single_liquidations_score_a_map_and_fit_its_leverage(coin: Shell, tmp_path: Path) -> None:
    scored = coin("score", SYMBOL, "--out", "score.html", *DB)
    assert scored.code == 0, scored.err
    assert "liquidations," in scored.out
    assert "USDT" not in scored.out + scored.err
    page = (tmp_path / "score.html").read_text()
    assert "area by USD:" in page
    assert " USDT" not in page
    fitted = coin("calibrate", SYMBOL, "--from", "2024-03-01", "--to", "2024-03-03", "--json", *DB)
    assert fitted.code == 0, fitted.err
    found = json.loads(fitted.out)
    assert (found["source"], found["observed"] > 100, found["explained"] > 0.5) == ("liquidations", True, True)


@pytest.mark.parametrize("command", ["backtest", "sweep", "paper"])
def test_a_replay_is_refused_in_one_line(liqstrat: Shell, tmp_path: Path, command: str) -> None:
    sweep = '[sweep.over]\n"model.turnover" = [0.1, 0.2]\n' if command == "sweep" else ""
    (tmp_path / "run.toml").write_text(RUN + sweep)
    refused = liqstrat(command, "run.toml")
    assert refused.code == 1
    assert len(refused.err.strip().splitlines()) == 1
    assert f'"{SYMBOL}" is a COIN-M contract' in refused.err


def test_price_tells_the_coin_and_its_brackets(liqstrat: Shell) -> None:
    printed = liqstrat("price", "50000", "--symbol", SYMBOL, "--leverage", "10", "--notional", "1000").out
    for words in ("1,000 USD, 10 contracts", "45,636.36", "55,333.33", "loss, BTC", "0.001912", "BTCUSD_PERP as of"):
        assert words in printed, words
    assert "USDT" not in printed
    assumed = liqstrat("price", "2000", "--symbol", "ETHUSD_PERP", "--leverage", "10").out
    assert "a typical mid-sized market's bracket" in assumed


def test_what_the_api_answers_of_coin_margined_markets(liqstrat: Shell, tmp_path: Path) -> None:
    """Forms of GET /dapi/v1/exchangeInfo, /dapi/v2/leverageBracket and /futures/data/openInterestHist, as documented at
    developers.binance.com; the figures are made up."""
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1", "maxQty": "1000"},
    ]
    market = {
        "symbol": "XYZUSD_PERP",
        "pair": "XYZUSD",
        "contractType": "PERPETUAL",
        "contractStatus": "TRADING",
        "contractSize": 50,
        "baseAsset": "XYZ",
        "quoteAsset": "USD",
        "marginAsset": "XYZ",
        "filters": filters,
    }
    (tmp_path / "info.json").write_text(json.dumps({"serverTime": 1709251200000, "symbols": [market]}))
    bracket = {"bracket": 1, "initialLeverage": 20, "qtyCap": 50, "qtylFloor": 0, "maintMarginRatio": 0.01, "cum": 0.0}
    (tmp_path / "2024-03-01.json").write_text(json.dumps([{"symbol": "XYZUSD_PERP", "brackets": [bracket]}]))
    interest = [
        {"pair": "XYZUSD", "contractType": "PERPETUAL", "sumOpenInterest": "2000", "sumOpenInterestValue": "1000.0",
         "timestamp": 1709251200000 + 300_000 * n}
        for n in range(3)
    ]  # fmt: skip
    (tmp_path / "interest.json").write_text(json.dumps(interest))
    candle = [1709251200000, "100", "101", "99", "100", "30", 1709251499999, "15", 3, "10", "5", "0"]
    (tmp_path / "klines_XYZUSD_PERP_5m.json").write_text(json.dumps([candle]))
    files = ("info.json", "2024-03-01.json", "interest.json", "klines_XYZUSD_PERP_5m.json")
    done = liqstrat("ingest", *files, "--json", *DB)
    assert done.code == 0, done.out
    printed = liqstrat("levels", "XYZUSD_PERP", *DB)
    assert printed.code == 0, printed.err
    assert "2,000.0 contracts (100.0 k USD)" in printed.out, "of 50 USD each, as the exchange says"
    ((status, size, margin),) = rows(
        tmp_path / "coin.duckdb", "select status, contract_size::double, margin_asset from instruments"
    )
    assert (status, size, margin) == ("TRADING", 50.0, "XYZ")


def test_real_files_of_the_archive_where_they_are(liqstrat: Shell, shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "real").rglob(f"{SYMBOL}-*.zip"))
    if not files:
        pytest.skip("no real COIN-M files beside the project")
    done = liqstrat("ingest", *map(str, files), *DB)
    assert done.code == 0, done.err
    assert liqstrat("levels", SYMBOL, *DB).code == 0


def test_the_files_made_here_are_of_the_archives_form(database: Path) -> None:
    folder = database.parent / "cm"
    with zipfile.ZipFile(next(folder.glob("*-liquidationSnapshot-*"))) as archive:
        (name,) = archive.namelist()
        assert name.startswith(SYMBOL)
        assert archive.read(name).startswith(
            b"time,side,order_type,time_in_force,original_quantity,price,average_price"
        )
