"""`liqstrat score` as a user types it, its page, and what a backtest's report says of its levels."""

import json
from pathlib import Path

import pytest

from liqstrat.report.tables import read_results
from tests.shell import Shell


def test_several_models_stand_in_one_table_with_baselines_and_verdicts(
    liqstrat: Shell, simulated_database: Path
) -> None:
    done = liqstrat("score", "BTCUSDT", "--db", str(simulated_database), "--model", "conserving,oi_candle")
    assert done.code == 0
    for said in (
        "BTCUSDT SIMULATED",
        "shuffled oi_candle",
        "volume profile",
        "recency explains",
        "conserving, by leverage",
        "conserving: too little to tell",
        "overall: too little to tell",
        "1 judged day are too few for an interval, 7 are needed",
        "every liquidation is on record",
    ):
        assert said in done.out


def test_json_holds_what_was_printed_and_a_run_file_sets_the_model(
    liqstrat: Shell, simulated_database: Path, tmp_path: Path
) -> None:
    run_file = tmp_path / "run.toml"
    run_file.write_text(
        'name = "x"\nsymbols = ["BTCUSDT"]\nfrom = 2024-03-01\nto = 2024-03-02\n'
        '[[strategies]]\nuse = "LevelFade"\n[model]\nkind = "oi_candle"\nbin_width = 0.002\n'
    )
    done = liqstrat(
        "score", "BTCUSDT", "--db", str(simulated_database), "--config", str(run_file), "--json", "--every", "4h"
    )
    told = json.loads(done.out)
    assert list(told["verdicts"]) == ["oi_candle"]
    assert told["every_hours"] == 4
    assert told["simulated"] is True
    assert told["judged_from"] == "2024-03-02T00:00:00+00:00"
    assert {row["name"] for row in told["rows"]} == {
        "oi_candle",
        "uniform",
        "distance",
        "distance and recency",
        "volume profile",
        "shuffled",
    }


def test_look_ahead_is_checked_on_the_database_itself(liqstrat: Shell, simulated_database: Path) -> None:
    done = liqstrat(
        "score", "BTCUSDT", "--db", str(simulated_database), "--model", "oi_candle", "--check-lookahead", "2"
    )
    assert done.code == 0
    assert "oi_candle: no look-ahead found" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--model", "conservng"], 2, 'did you mean "conserving"?'),
        (["--out", "page.png"], 1, "expected .html"),
        (["--from", "2024-03-02", "--to", "2024-03-01"], 1, "expected a time after --from"),
        (["--from", "2025-03-02", "--to", "2025-04-01"], 1, "those on record reach from 2024-03-01"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(
    liqstrat: Shell, simulated_database: Path, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = liqstrat("score", "BTCUSDT", "--db", str(simulated_database), *arguments)
    assert done.code == code
    assert said in " ".join(done.err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_a_backtest_says_on_its_report_what_its_levels_are_worth(demo_results: Path) -> None:
    (told,) = read_results(demo_results).run.levels
    assert (told["symbol"], told["words"]) == ("BTCUSDT", "too little to tell")
    assert told["reason"].startswith("liquidations on 1 judged day are too few")
    head = (demo_results / "report.html").read_text(encoding="utf-8").partition("<section")[0]
    assert 'levels <b class="caution">too little to tell</b>' in head
    assert told["reason"] in head
