"""The demo, and what it says to try next."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from liqstrat.cli.runs import print_demo
from liqstrat.demo import DemoResult
from liqstrat.run_file import load_run_file
from tests.shell import Shell

pytestmark = pytest.mark.slow


def test_the_demo_leads_on_to_commands_that_work(liqstrat: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = liqstrat("demo", "--days", "2", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["simulated"] is True
    assert set(told["runs"]) == {"fade", "magnet", "random"}
    for name, run in told["runs"].items():
        assert "SIMULATED" in Path(run["report"]).read_text()
        mine = load_run_file(Path(told["database"]).with_name(f"{name}.toml"))
        config = json.loads((Path(run["folder"]) / "run.json").read_text())["config"]
        assert mine.model_dump(mode="json", by_alias=True) == config
    assert len(told["next"]) == 4
    for command in told["next"]:
        program, *arguments = shlex.split(command)
        assert program == "liqstrat"
        tried = liqstrat(*arguments)
        assert tried.code == 0, f"{command}: {tried.err}"
        assert "SIMULATED" in tried.out or Path("heatmap.html").exists()

    database = Path(told["database"])
    print_demo(
        DemoResult(
            database,
            {name: database.with_name(f"{name}.toml") for name in told["runs"]},
            {name: Path(run["folder"]) for name, run in told["runs"].items()},
            {name: run["metrics"] for name, run in told["runs"].items()},
        ),
        json=False,
    )
    printed = capsys.readouterr().out
    assert "fade SIMULATED" in printed
    assert told["runs"]["random"]["report"] in printed
    assert printed.splitlines()[-4:] == [f"  {command}" for command in told["next"]]


def test_the_rehearsal_runs_and_leaves_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "liqstrat.demo"], cwd=tmp_path, check=True, capture_output=True)
    assert list(tmp_path.iterdir()) == []
