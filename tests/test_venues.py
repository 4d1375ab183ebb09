"""Maps of several venues, and of their sum in dollars."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.together import together
from liqstrat.maps import map_of_venues, maps_at
from liqstrat.market.store import open_store
from tests.history import START, open_interest_every, random_trades, write_history
from tests.shell import Shell

BYBIT = "BTCUSDT.BYBIT"
SYMBOLS = ["BTCUSDT", BYBIT, "BTCUSD_PERP"]
AT = START + timedelta(hours=5)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two linear markets and an inverse one, whose prices lie close."""
    path = tmp_path_factory.mktemp("venues") / "h.duckdb"
    for number, (symbol, interest) in enumerate(zip(SYMBOLS, (1_000.0, 400.0, 200_000.0), strict=True), 1):
        trades = random_trades(6, seed=number)
        write_history(path, trades, open_interest_every(5, 6, interest, seed=number), symbol)
    return path


def test_the_sum_is_that_of_each_in_dollars_bin_by_bin(database: Path) -> None:
    settings, warmup = ModelSettings(), timedelta(days=1)
    with open_store(database) as store:
        maps = map_of_venues(store, SYMBOLS, AT, settings, warmup)
        (alone,) = maps_at(store, "BTCUSDT", [AT], settings, warmup)
    np.testing.assert_array_equal(maps[0].longs, alone.longs)
    whole = together("BTC", maps)
    assert {one.width for one in maps} == {whole.width}
    for name in ("longs", "shorts"):
        expected = {}
        for one in maps:
            worth = (getattr(one, name).sum(axis=0) * one.contract.worth(one.middles)).tolist()
            for number, amount in enumerate(worth, one.first_bin):
                expected[number] = expected.get(number, 0.0) + amount
        found = dict(enumerate(getattr(whole, name).sum(axis=0).tolist(), whole.first_bin))
        assert {number: amount for number, amount in found.items() if amount} == pytest.approx(
            {number: amount for number, amount in expected.items() if amount}
        )
    assert whole.open_interest == pytest.approx(sum(one.open_interest * one.contract.worth(one.price) for one in maps))
    assert maps[2].open_interest * 100 == maps[2].open_interest * maps[2].contract.worth(maps[2].price)


def test_levels_of_one_venue_and_of_both(database: Path, liqstrat: Shell) -> None:
    command = ("levels", "BTCUSDT", "--db", str(database), "--at", f"{AT:%Y-%m-%dT%H:%M}")
    one = liqstrat("levels", BYBIT, *command[2:])
    assert one.code == 0, one.err
    assert BYBIT in one.out
    assert f"note: {BYBIT}: no leverage brackets are known, so it is taken to have those of BTCUSDT; " in one.err
    printed = liqstrat(*command, "--venues", "binance,bybit").out
    assert "BTCUSDT at binance + bybit" in printed
    assert f"{BYBIT}: " in printed
    assert "% of all" in printed
    found = json.loads(liqstrat(*command, "--venues", "binance,bybit", "--json").out)
    assert found["quote"] == "USD"
    assert list(found["venues"]) == ["BTCUSDT", BYBIT]
    parts = [json.loads(liqstrat("levels", symbol, *command[2:], "--json").out) for symbol in ("BTCUSDT", BYBIT)]
    notional = [sum(row["notional"] for row in one["bins"]) for one in (found, *parts)]
    # Each market alone has bins of its own width.
    assert notional[0] == pytest.approx(notional[1] + notional[2], rel=0.01)


def test_what_cannot_be_is_said(database: Path, liqstrat: Shell) -> None:
    wrong = liqstrat("levels", "BTCUSDT", "--db", str(database), "--venues", "binance,bibit")
    assert 'did you mean "bybit"' in " ".join(wrong.err.replace("│", " ").split())
    missing = liqstrat("levels", "ETHUSDT", "--db", str(database), "--venues", "bybit")
    assert missing.code == 1
    assert "no history of ETHUSDT.BYBIT" in missing.err


def test_inspect_tells_no_gap_by_numbers_that_are_ours(database: Path, liqstrat: Shell) -> None:
    assert "gap in trades" not in liqstrat("inspect", BYBIT, "--db", str(database)).out


@pytest.mark.parametrize("command", ["backtest", "sweep", "paper"])
def test_a_run_of_another_venue_is_refused_in_the_words_of_inspect(
    database: Path, liqstrat: Shell, tmp_path: Path, command: str
) -> None:
    run = f'name = "x"\nsymbols = ["{BYBIT}"]\nfrom = 2024-03-01\nto = 2024-03-02\n[[strategies]]\nuse = "LevelFade"\n'
    sweep = '[sweep.over]\n"model.turnover" = [0.1, 0.2]\n' if command == "sweep" else ""
    (tmp_path / "run.toml").write_text(run + sweep)
    refused = liqstrat(command, "run.toml")
    assert refused.code == 1
    assert len(refused.err.strip().splitlines()) == 1
    said = (
        f'"{BYBIT}" is a market of Bybit: levels and scores take it, but backtests, sweeps and paper trading only '
        "perpetuals of Binance in USDT or USDC, as BTCUSDT"
    )
    assert refused.err.strip().endswith(said)
    inspected = liqstrat("inspect", BYBIT, "--db", str(database)).out
    assert f"a backtest has all it needs: nowhere, {said}\n" in inspected
    assert "levels can be estimated: 2024" in inspected
