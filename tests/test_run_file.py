"""Values set over a run file's, runs out of dictionaries, and files that have nothing but a model."""

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.run_file import load_model, load_run_file, parse_override, run_from

RUN: dict[str, Any] = {
    "name": "fade",
    "symbols": ["BTCUSDT"],
    "from": "2024-03-03",
    "to": date(2024, 3, 8),
    "strategies": [{"use": "LevelFade", "params": {"risk": 0.01}}, {"use": "LevelMagnet"}],
}


@pytest.mark.parametrize(
    ("typed", "key", "value"),
    [
        ("model.turnover=0.2", "model.turnover", 0.2),
        ("resolution = 1m", "resolution", "1m"),
        ('name="a b"', "name", "a b"),
        ("from=2024-03-04", "from", date(2024, 3, 4)),
        ("symbols=['BTCUSDT', 'ETHUSDT']", "symbols", ["BTCUSDT", "ETHUSDT"]),
        ("model.leverage={ 10 = 1.0 }", "model.leverage", {"10": 1.0}),
        ("data.db=/tmp/my-market.duckdb", "data.db", "/tmp/my-market.duckdb"),
        ("venue.funding=false", "venue.funding", False),
    ],
)
def test_a_setting_is_a_key_and_a_value_of_toml_or_a_plain_word(typed: str, key: str, value: object) -> None:
    assert parse_override(typed) == (key, value)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("turnover", "expected key=value"),
        ("=3", "expected key=value"),
        ("a..b=3", "expected key=value"),
        ("symbols=[1, 2", r"is not a value of TOML"),
        ("name=two words", r"is not a value of TOML"),
        ("a=1\nb=2", "more than one setting"),
    ],
)
def test_what_is_no_setting_is_said(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_override(typed)


def test_settings_go_over_the_file_and_make_tables_that_are_not_there() -> None:
    run = run_from(
        RUN,
        {
            "strategies.0.params.risk": 0.02,
            "strategies.1.use": "RandomEntry",
            "model.leverage.10": 1.0,
            "venue.balance": 5000,
            "to": "2024-03-04T12:00",
        },
    )
    assert run.strategies[0].params == {"risk": 0.02}
    assert run.strategies[1].use == "RandomEntry"
    assert dict(run.model.leverage) == {10: 1.0}
    assert run.venue.balance == 5000
    assert run.end == datetime(2024, 3, 4, 12, tzinfo=UTC)
    assert RUN["strategies"][0]["params"] == {"risk": 0.01}, "the caller's dictionary is changed"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"model.turnver": 0.2}, 'set model.turnver: unknown key "model.turnver" (did you mean "turnover"?)'),
        ({"modle.turnover": 0.2}, 'set modle.turnover: unknown key "modle" (did you mean "model"?)'),
        ({"model.turnover": 9}, "set model.turnover: model: turnover is 9.0, expected 0 to 5"),
        ({"resolution": "3m"}, "set resolution: resolution is '3m': "),
        (
            {"strategies.2.use": "X"},
            'set strategies.2.use: "2" is no entry of "strategies", expected its number: 0 to 1',
        ),
        ({"strategies.use": "X"}, '"use" is no entry of "strategies"'),
        ({"name.first": "X"}, "set name.first: \"name\" is 'fade'"),
        ({"to": "2024-03-01"}, "the run: to is 2024-03-01 00:00, expected a time after from (2024-03-03 00:00)"),
    ],
)
def test_a_wrong_setting_is_named_by_its_key(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(LiqstratError) as error:
        run_from(RUN, overrides)
    assert said in str(error.value)


def test_a_fault_of_the_file_keeps_its_line_beside_settings(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('name = "fade"\nsymbols = ["BTCUSDT"]\nfrom = 2024-03-03\nto = 2024-03-04\nvenu = 3\n')
    with pytest.raises(LiqstratError) as error:
        load_run_file(path, {"strategies": [{"use": "LevelFade"}]})
    assert str(error.value).startswith(f'{path}:5: unknown key "venu" (did you mean "venue"?)')


def test_a_model_comes_from_a_run_file_and_from_a_file_with_nothing_else(tmp_path: Path) -> None:
    block = "[model]\nturnover = 0.3\nleverage = { 10 = 0.5, 50 = 0.5 }\n"
    run = 'name = "x"\nsymbols = ["BTCUSDT"]\nfrom = 2024-03-03\nto = 2024-03-04\nstrategies = [{ use = "A" }]\n'
    models = []
    for name, text in (("run.toml", run + block), ("model.toml", block)):
        (tmp_path / name).write_text(text)
        models.append(load_model(tmp_path / name))
    assert models[0] == models[1]
    assert models[0].turnover == 0.3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[modle]\nturnover = 0.3\n", ':1: unknown key "modle" (did you mean "model"?); expected one of model'),
        ("[model]\nturnver = 0.3\n", ':2: unknown key "model.turnver" (did you mean "turnover"?)'),
        ('name = "x"\n[model]\n', '"symbols" is missing'),
        ("", ': "model" is missing'),
    ],
)
def test_a_wrong_model_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "model.toml"
    path.write_text(text)
    with pytest.raises(LiqstratError) as error:
        load_model(path)
    assert said in str(error.value)


NAN, INF = float("nan"), float("inf")
HOSTILE = {
    "shares of nan": {"model.leverage": {10: NAN, 20: 1.0}},
    "shares that overflow": {"model.leverage": {10: 1e308, 20: 1e308}},
    "weights of nan": {"model.ensemble": {"conserving": NAN}},
    **{f"{key} of {value}": {f"model.{key}": value} for key in ("turnover", "haste", "large") for value in (NAN, INF)},
    "a bin of nan": {"model.bin_width": NAN},
    "a balance of nan": {"venue.balance": NAN},
    "a depth of nan": {"venue.depth_share": NAN},
    "a span of nan": {"report.span": NAN},
    "a time beyond the last": {"to": "9999-12-31T23:59:59-10:00"},
    "a time before the first": {"from": "0001-01-01T00:00:00+10:00"},
    "a time of the year 9999": {"to": "9999-12-31"},
    "a path with half a letter": {"data.db": "a\ud800.duckdb"},
    "a path that ends early": {"data.db": "a\0.duckdb"},
    "a path as the symbol": {"symbols": ["../../X"]},
    "a symbol in small letters": {"symbols": ["btcusdt"]},
    "a symbol beyond ASCII": {"symbols": ["\u5e01\u5b89\u4eba\u751fUSDT"]},
    "a COIN-M contract": {"symbols": ["BTCUSD_PERP"]},
    "a delivery contract": {"symbols": ["BTCUSDT_240329"]},
    "no symbol": {"symbols": [{}]},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_would_break_a_run_later_is_refused_when_it_is_read(case: str) -> None:
    ((key, _),) = HOSTILE[case].items()
    with pytest.raises(LiqstratError) as error:
        run_from(RUN, HOSTILE[case])
    assert "\n" not in str(error.value)
    assert key.split(".")[-1] in str(error.value)


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("\u5e01\u5b89\u4eba\u751fUSDT", "is spelled with letters beyond ASCII: levels and scores take it, but"),
        ("BTCUSDT_240329", "is a delivery contract: levels and scores take it, but backtests"),
        ("ETH_250627USDT", "is a delivery contract"),
        ("BTCUSD_PERP", "is a COIN-M contract"),
        ("BTCUSDT.BYBIT", "is a market of Bybit"),
        ("BTCFDUSD", "is quoted in FDUSD: .* perpetuals of Binance in USDT or USDC, as BTCUSDT"),
    ],
)
def test_markets_that_are_not_replayed_are_told_as_such(symbol: str, said: str) -> None:
    with pytest.raises(LiqstratError, match=said):
        run_from(RUN, {"symbols": [symbol]})


@pytest.mark.parametrize(
    "text", ["a = " + "9" * 5000, "a = " + "[" * 5000, "a = 1\n" * 2, "\udcff", "# " + "x" * 1_100_000]
)
def test_a_file_that_is_no_toml_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    for load in (load_run_file, load_model):
        with pytest.raises(LiqstratError, match=r"run\.toml: is ") as error:
            load(path)
        assert "\n" not in str(error.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_no_run_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.toml")
    for path in (tmp_path / "run.toml", tmp_path):
        with pytest.raises(LiqstratError, match="is no file"):
            load_run_file(path)
