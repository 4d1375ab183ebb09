"""`liqstrat results`: what it lists is what the folders hold, now."""

import io
import json
import os
from pathlib import Path

import pytest

from liqstrat.research.listing import list_results
from tests.research.conftest import RUNS, folder_of
from tests.shell import Shell


def listed(liqstrat: Shell, runs: Path, *arguments: str) -> list[dict[str, object]]:
    done = liqstrat("results", str(runs), *arguments, "--json")
    assert (done.code, done.err) == (0, "")
    return list(json.loads(done.out)["runs"])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_row_has_what_the_folder_says(liqstrat: Shell, runs: Path) -> None:
    rows = listed(liqstrat, runs)
    assert [row["name"] for row in rows] == [*reversed(RUNS)], "the latest first"
    for row in rows:
        folder = runs / str(row["run"])
        figures, about = (json.loads((folder / f"{name}.json").read_text()) for name in ("metrics", "run"))
        for key in ("trades", "net_return", "max_drawdown", "fees"):
            assert row[key] == figures[key]
        assert (row["config_hash"], row["data_hash"]) == (about["config_hash"], about["data_hash"])
        assert [row[key] for key in ("created", "start", "end")] == [about[key] for key in ("created", "start", "end")]
        assert row["strategies"] == ["LevelFade"]


def test_the_table_is_filtered_and_sorted(liqstrat: Shell, runs: Path) -> None:
    fees = [row["fees"] for row in listed(liqstrat, runs, "--sort", "-fees")]
    assert fees == sorted(fees, reverse=True)
    assert fees == list(reversed([row["fees"] for row in listed(liqstrat, runs, "--sort", "fees")]))
    middle = sorted(fees)[1]
    assert [row["fees"] for row in listed(liqstrat, runs, "--filter", f"fees > {middle}")] == fees[:1]
    done = liqstrat("results", str(runs), "--filter", "name == 'dearer'", "--sort", "exposure")
    head, row, told = done.out.splitlines()
    assert head.split()[:2] == ["run", "created"]
    assert head.split()[-2:] == ["name", "exposure"], "what was asked about is shown"
    assert row.startswith("dearer-")
    assert told == f"1 of 3 runs in {runs}, 1 of them SIMULATED"


def test_undefined_figures_come_last_either_way(liqstrat: Shell, runs: Path) -> None:
    path = folder_of(runs, "base") / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "win_rate": None}))
    for way in ("win_rate", "-win_rate"):
        assert listed(liqstrat, runs, "--sort", way)[-1]["name"] == "base"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--filter", "shape > 1"], 'there is no figure "shape" (did you mean "sharpe"?)'),
        (["--sort", "tradse"], 'there is no column "tradse" (did you mean "trades"?)'),
        (["--run", "nothing"], "there is no run nothing"),
        (["--prune"], "which runs?"),
        (["--undo"], "nothing was pruned here"),
        (["--run", "x", "--tag", "a,b"], "there is no run x"),
    ],
)
def test_what_is_wrong_is_one_line(liqstrat: Shell, runs: Path, arguments: list[str], said: str) -> None:
    done = liqstrat("results", str(runs), *arguments)
    assert done.code == 1
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_no_such_folder_and_an_empty_one(liqstrat: Shell, tmp_path: Path) -> None:
    assert "nowhere: no such folder" in liqstrat("results", "nowhere").err
    assert "0 of 0 runs" in liqstrat("results", str(tmp_path), "--filter", "trades > 3").out


def test_the_index_is_never_stale(runs: Path) -> None:
    """Also where a file keeps its size and the time that it says it was changed."""
    old = 1_700_000_000_000_000_000
    for path in [*runs.glob("*/run.json"), *runs.glob("*/metrics.json")]:
        os.utime(path, ns=(old, old))
    before = {row["name"]: row["trades"] for row in list_results(runs).rows}
    path = folder_of(runs, "base") / "metrics.json"
    text = path.read_text().replace(f'"trades": {before["base"]}', f'"trades": {before["base"] + 1}', 1)
    assert list_results(runs).rows
    path.write_text(text)
    os.utime(path, ns=(old, old))
    assert {row["name"]: row["trades"] for row in list_results(runs).rows} == {**before, "base": before["base"] + 1}


def test_what_is_read_from_the_index_is_what_was_there(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liqstrat.research.listing._SETTLED_NS", -1)
    first = list_results(runs)
    assert (runs / ".index.json").exists()
    monkeypatch.setattr("liqstrat.research.listing._row", None)
    assert list_results(runs) == first
    (runs / ".index.json").write_text("{broken")
    monkeypatch.undo()
    assert list_results(runs) == first


def test_a_folder_that_cannot_be_read_is_told(liqstrat: Shell, runs: Path) -> None:
    (folder_of(runs, "base") / "metrics.json").write_text("{")
    done = liqstrat("results", str(runs))
    assert "2 of 2 runs" in done.out
    assert "base-" in done.err
    assert "is left out" in done.err


def test_tags_and_notes_lie_beside_the_results(liqstrat: Shell, runs: Path) -> None:
    folder = folder_of(runs, "wider")
    before = contents(folder)
    rows = listed(liqstrat, runs, "--run", folder.name, "--tag", "good", "--tag", "twice", "--note", "look at 3 pm")
    assert (rows[0]["tags"], rows[0]["note"]) == (["good", "twice"], "look at 3 pm")
    assert [row["name"] for row in listed(liqstrat, runs, "--filter", "'good' in tags")] == ["wider"]
    assert "look at 3 pm" in liqstrat("results", str(runs)).out
    listed(liqstrat, runs, "--filter", "'good' in tags", "--untag", "good", "--note", "")
    (row,) = listed(liqstrat, runs, "--run", folder.name)
    assert (row["tags"], row["note"]) == (["twice"], "")
    assert contents(folder) == before


def test_what_is_pruned_comes_back(liqstrat: Shell, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.parent.name: contents(path.parent) for path in runs.glob("*/run.json")}
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert "nothing was moved" in liqstrat("results", str(runs), "--filter", "name == 'base'", "--prune").err
    assert len(listed(liqstrat, runs)) == 3
    first = liqstrat("results", str(runs), "--filter", "name == 'base'", "--prune", "--yes")
    assert first.out.splitlines()[0].startswith("1 moved to .trash")
    assert "base-" in first.out
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert liqstrat("results", str(runs), "--filter", "trades >= 0", "--prune").code == 0
    assert listed(liqstrat, runs) == []
    assert liqstrat("results", str(runs), "--undo").out.startswith("2 brought back")
    assert {row["name"] for row in listed(liqstrat, runs)} == {"wider", "dearer"}
    assert liqstrat("results", str(runs), "--undo").out.startswith("1 brought back")
    assert {path.parent.name: contents(path.parent) for path in runs.glob("*/run.json")} == before


def test_nobody_to_ask_moves_nothing(liqstrat: Shell, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    done = liqstrat("results", str(runs), "--filter", "trades >= 0", "--prune")
    assert (done.code, "nobody answered" in done.err) == (1, True)
    assert len(listed(liqstrat, runs)) == 3


def test_what_comes_back_overwrites_nothing(liqstrat: Shell, runs: Path) -> None:
    folder = folder_of(runs, "base")
    assert liqstrat("results", str(runs), "--run", folder.name, "--prune", "--yes").code == 0
    folder.mkdir()
    assert "nothing was brought back" in liqstrat("results", str(runs), "--undo").err
    folder.rmdir()
    assert liqstrat("results", str(runs), "--undo").code == 0
    assert len(listed(liqstrat, runs)) == 3
