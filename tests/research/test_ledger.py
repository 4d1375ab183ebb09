"""The ledger: nothing that was tried is lost, whoever writes at once and whatever is killed."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import liqstrat as lq
from liqstrat.report.heading import heading_html
from liqstrat.report.tables import read_results
from liqstrat.research.code import code_of
from liqstrat.research.ledger import Entry, Tried, append, read_ledger
from liqstrat.strategies import resolve_strategy
from tests.research.conftest import RUNS, folder_of

START = datetime(2026, 1, 1, tzinfo=UTC)

WRITE = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from liqstrat.research.ledger import Entry, append
print("ready", flush=True)
sys.stdin.readline()
for i in range(int(sys.argv[2])):
    config = {"strategies": [sys.argv[3], i]}
    append(Path(sys.argv[1]), [Entry(f"{sys.argv[3]}-{i}", datetime.now(UTC), config, "c", "d", {"trades": i})])
    print(i, flush=True)
    time.sleep(float(sys.argv[4]))
"""


def entry(number: int, data: str = "d", name: str = "n", kind: str = "run", **config: object) -> Entry:
    made = START + timedelta(seconds=number)
    return Entry(f"run-{number}", made, {"name": name, **config}, "c", data, {"trades": number}, kind=kind)


def writer(folder: Path, count: int, name: str, pause: float = 0.1) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITE, str(folder), str(count), name, str(pause)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_runs_are_counted_on_their_data_and_configurations_once(tmp_path: Path) -> None:
    made = [
        append(tmp_path, [entry(1, turn=1)]),
        append(tmp_path, [entry(2, turn=2)]),
        append(tmp_path, [entry(3, turn=1, name="another")]),
        append(tmp_path, [entry(4, data="other", turn=1)]),
        append(tmp_path, [entry(5, kind="trial", turn=3), entry(6, kind="trial", turn=4)]),
        append(tmp_path, [entry(7, turn=1)]),
    ]
    assert made == [
        [Tried(1, 1)],
        [Tried(2, 2)],
        [Tried(3, 2)],
        [Tried(1, 1)],
        [Tried(1, 3), Tried(2, 4)],
        [Tried(4, 4)],
    ]
    table = read_ledger(tmp_path)
    assert table["run"].to_pylist() == [f"run-{i}" for i in range(1, 8)]
    assert [json.loads(text)["trades"] for text in table["figures"].to_pylist()] == list(range(1, 8))


def test_a_part_that_is_broken_hides_no_other(tmp_path: Path) -> None:
    append(tmp_path, [entry(1)])
    (tmp_path / "ledger" / "0.parquet").write_bytes(b"PAR1 torn")
    assert append(tmp_path, [entry(2)]) == [Tried(2, 1)]
    assert len(read_ledger(tmp_path)) == 2


def test_two_write_at_once_and_one_is_killed(tmp_path: Path) -> None:
    lasting, killed = writer(tmp_path, 8, "lasting"), writer(tmp_path, 100_000, "killed")
    go(lasting)
    go(killed)
    assert killed.stdout is not None
    said = [killed.stdout.readline() for _ in range(4)]
    assert lasting.wait(120) == 0
    killed.send_signal(signal.SIGKILL)
    killed.wait(60)
    told = len(said) + len(killed.stdout.read().splitlines())
    table = read_ledger(tmp_path).to_pandas()
    assert sorted(table["number"]) == list(range(1, len(table) + 1))
    runs = set(table["run"])
    assert {f"lasting-{i}" for i in range(8)} <= runs
    assert {f"killed-{i}" for i in range(told)} <= runs, "what was said to be in is in"
    assert append(tmp_path, [entry(1)])[0].run == len(table) + 1, "nobody is locked out"


def test_a_run_says_which_it_is(three_runs: Path) -> None:
    table = read_ledger(three_runs).to_pandas()
    for number, name in enumerate(RUNS, 1):
        folder = folder_of(three_runs, name)
        about = json.loads((folder / "run.json").read_text())
        assert about["tried"] == {"run": number, "configurations": number}
        row = table[table["run"] == folder.name].iloc[0]
        assert (row["config_hash"], row["data_hash"]) == (about["config_hash"], about["data_hash"])
        assert json.loads(row["figures"]) == json.loads((folder / "metrics.json").read_text())
        assert row["code"].size == 0, "the package's own strategies are told by its version"
    heading = heading_html(read_results(folder_of(three_runs, "dearer")).run)
    assert "run 3 on this data, of 3 configurations tried" in heading


def test_the_code_of_a_user_is_kept_with_what_it_imports(
    simulated_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    strategy = "import kept_helper\nfrom liqstrat import LevelStrategy\n\n\nclass Kept(LevelStrategy):\n    pass\n"
    Path("kept_strategy.py").write_text(strategy)
    Path("kept_helper.py").write_text("SIZE = 1\n")
    Path("kept_unused.py").write_text("SIZE = 2\n")
    before = [(one.module, one.source.decode()) for one in code_of(resolve_strategy("kept_strategy:Kept"))]
    assert before == [("kept_helper", "SIZE = 1\n"), ("kept_strategy", strategy)]
    values = {
        "name": "kept",
        "symbols": ["BTCUSDT"],
        "from": "2024-03-02",
        "to": "2024-03-02T02:00",
        "resolution": "1h",
        "data": {"db": str(simulated_database), "catalog": "nautilus"},
        "strategies": [{"use": "kept_strategy:Kept"}],
    }
    lq.run(values, report=False, progress=False)
    (row,) = read_ledger(Path("results")).to_pylist()
    kept = {one["module"]: Path(f"results/ledger/code/{one['sha256']}.py").read_text() for one in row["code"]}
    assert kept == dict(before)
    Path("kept_helper.py").write_text("SIZE = 3\n")
    time.sleep(0.01)
    run = lq.run(values, report=False, progress=False)
    assert run.about["tried"] == {"run": 2, "configurations": 2}, "other code is another configuration"


def test_many_small_parts_become_one_and_every_entry_counts_once(tmp_path: Path) -> None:
    for number in range(70):
        append(tmp_path, [entry(number, turn=number)])
    folder = tmp_path / "ledger"
    assert len(list(folder.glob("*.parquet"))) < 10
    assert read_ledger(tmp_path)["run"].to_pylist() == [f"run-{number}" for number in range(70)]
    assert append(tmp_path, [entry(70, turn=0)]) == [Tried(71, 70)]


@pytest.mark.slow
def test_who_is_killed_while_parts_are_put_together_leaves_no_entry_twice(tmp_path: Path) -> None:
    """As if killed after the new part was in its place: the old ones are there still."""
    for number in range(63):
        append(tmp_path, [entry(number)])
    folder = tmp_path / "ledger"
    before = {path.name: path.read_bytes() for path in folder.glob("*.parquet")}
    append(tmp_path, [entry(63)])
    assert len(list(folder.glob("*.parquet"))) == 1
    for name, content in before.items():
        (folder / name).write_bytes(content)
    assert read_ledger(tmp_path)["run"].to_pylist() == [f"run-{number}" for number in range(64)]
    append(tmp_path, [entry(64)])
    assert len(list(folder.glob("*.parquet"))) == 2
    assert len(read_ledger(tmp_path)) == 65


@pytest.mark.slow
def test_two_put_parts_together_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    """Each writes so many that parts become one several times, now by one of them and now by the other."""
    both = [writer(tmp_path, 100, name, 0.0) for name in ("one", "other")]
    for process in both:
        go(process)
    assert [process.wait(120) for process in both] == [0, 0]
    table = read_ledger(tmp_path).to_pandas()
    assert sorted(table["run"]) == sorted(f"{name}-{i}" for name in ("one", "other") for i in range(100))
    assert sorted(table["number"]) == list(range(1, 201)), "each has its own number"
    assert list((tmp_path / "ledger").glob("together-*.parquet")), "they were put together"


@pytest.mark.slow
def test_who_reads_while_parts_are_put_together_misses_nothing(tmp_path: Path) -> None:
    append(tmp_path, [entry(-1)])
    process = writer(tmp_path, 150, "w", 0.0)
    go(process)
    seen = 0
    while process.poll() is None:
        found = read_ledger(tmp_path, ["run"])["run"].to_pylist()
        assert len(found) == len(set(found)) >= seen
        seen = len(found)
    assert len(read_ledger(tmp_path)) == 151
