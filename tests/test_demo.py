"""The demo, and what it says to try next."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from liqstrat import demo
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


def test_the_rehearsal_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "liqstrat.demo", str(tmp_path / "aside")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["aside"]
    assert list(tmp_path.glob("aside/results/*/metrics.json"))


def test_a_rehearsal_that_is_interrupted_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # As where nothing is compiled yet.
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "demo.py"))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    def interrupted() -> None:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*/archive")) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert list(tmp_path.glob("*/archive")), "the rehearsal did not begin"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), demo._rehearsal():
        interrupted()
    assert list(tmp_path.iterdir()) == []
