"""The commands as a user types them: exit codes, one clear error, no noise."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from liqstrat.cli import COMMANDS
from tests.shell import Shell

#: What takes long to import.
HEAVY = ("numba", "nautilus_trader", "duckdb", "pandas", "plotly", "numpy", "pyarrow", "pydantic")


def test_the_program_starts_as_a_process_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-m", "liqstrat", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("liqstrat ")
    assert done.stderr == ""


@pytest.mark.parametrize("program", ["import liqstrat.cli", "import liqstrat", "import liqstrat.config"])
def test_nothing_heavy_is_imported_before_it_is_needed(program: str) -> None:
    spare = HEAVY[:5] if "config" in program else HEAVY
    code = f"{program}, sys; print([name for name in {spare} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_it_does_with_an_example(liqstrat: Shell, command: str) -> None:
    done = liqstrat(command, "--help")
    assert done.code == 0
    assert f"Example: liqstrat {command}" in " ".join(done.out.split())


def test_price_prints_a_table_and_json(liqstrat: Shell) -> None:
    done = liqstrat("price", "60000", "--leverage", "10", "--at", "2024-03-01")
    assert (done.code, done.err) == (0, "")
    assert "54,216.87" in done.out
    assert "65,737.05" in done.out
    positions = json.loads(liqstrat("price", "60000", "--leverage", "10", "--json").out)["positions"]
    assert [p["side"] for p in positions] == ["long", "short"]


def test_small_prices_are_shown(liqstrat: Shell) -> None:
    done = liqstrat("price", "0.00001234", "--leverage", "20", "--symbol", "1000SATSUSDT")
    assert "0.00001178" in done.out
    assert "0.00001289" in done.out
    assert "0.00000010000" in liqstrat("price", "1e-7").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["price", "lots"],
        ["price", "60000", "--leverage", "ten"],
        ["levels"],
        ["levels", "BTCUSDT", "--at", "noon"],
        ["nothing"],
    ],
)
def test_wrong_usage_is_exit_code_2(liqstrat: Shell, arguments: list[str]) -> None:
    assert liqstrat(*arguments).code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inspect"], "market.duckdb"),
        (["levels", "BTCUSDT"], "market.duckdb"),
        (["backtest", "nowhere.toml"], "nowhere.toml: cannot be read"),
    ],
)
def test_what_fails_is_one_message_and_exit_code_1(
    liqstrat: Shell, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = liqstrat(*arguments)
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert said in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []
