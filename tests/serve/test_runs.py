"""Results over the API: listed as by the command, changed only by who may, and never a path."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

import liqstrat as lq
from liqstrat.liquidation.contract import not_replayed
from liqstrat.market.store import open_store
from liqstrat.run_file import run_of_text
from liqstrat.serve.answers import ARROW
from liqstrat.serve.app import create_app
from tests.history import open_interest_every, random_trades, write_history
from tests.shell import Shell

HERE = "http://localhost"


@pytest.fixture
def house(folders: tuple[Path, Path], tmp_path: Path) -> Iterator[tuple[TestClient, Path, str]]:
    """A client, the results folder with two runs that a test may change, and the name of the first."""
    shutil.copytree(folders[1], tmp_path / "results")
    (first,) = (tmp_path / "results").glob("demo-*")
    shutil.copytree(first, tmp_path / "results" / "demo-second")
    app = create_app(folders[0], tmp_path / "results", tmp_path / "configs")
    with TestClient(app, base_url=HERE) as client:
        yield client, tmp_path / "results", first.name
    app.state.served.close()


def test_runs_are_listed_as_by_the_package(house: tuple[TestClient, Path, str]) -> None:
    client, results, first = house
    told = client.get("/runs?sort=run&filter=trades >= 0").json()
    assert [row["run"] for row in told["runs"]] == sorted([first, "demo-second"])
    table = lq.results(results)
    assert told["runs"][0]["net_return"] == pytest.approx(table["net_return"].iloc[0])
    assert client.get("/runs?filter=trades < 0").json()["runs"] == []
    refused = client.get("/runs?filter=trade > 3")
    assert (refused.status_code, 'did you mean "trades"' in refused.json()["detail"]) == (422, True)
    assert client.get("/runs?sort=sharp").status_code == 422


def test_a_run_and_its_tables(house: tuple[TestClient, Path, str]) -> None:
    client, results, first = house
    run = lq.load(results / first)
    told = client.get(f"/runs/{first}").json()
    assert told["metrics"]["net_return"] == run.metrics["net_return"]
    assert told["about"]["simulated"] is True
    trades = client.get(f"/runs/{first}/trades", headers={"Accept": ARROW})
    assert pa.ipc.open_stream(trades.content).read_all().num_rows == len(run.trades)
    rows = client.get(f"/runs/{first}/trades").json()["rows"]
    assert [row["pnl"] for row in rows] == pytest.approx(run.trades["pnl"].tolist())
    assert client.get(f"/runs/{first}/equity").json()["rows"][-1]["equity"] == run.equity["equity"].iloc[-1]
    report = client.get(f"/runs/{first}/report")
    assert report.text.startswith("<!doctype html>")
    assert report.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in report.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["%2e%2e", "..%2f..%2fetc%2fpasswd", ".trash", ".notes", "nothing", "%00"])
def test_a_name_is_never_a_path(house: tuple[TestClient, Path, str], name: str) -> None:
    client, _, _ = house
    for more in ("", "/report", "/trades"):
        assert client.get(f"/runs/{name}{more}").status_code in (404, 405, 422)
    body = {"runs": [name.replace("%2e", ".").replace("%2f", "/")]}
    assert client.post("/runs/delete", json=body).status_code == 404
    assert client.post("/runs/note", json={**body, "text": "x"}).status_code == 404


def test_notes_tags_and_the_trash(house: tuple[TestClient, Path, str]) -> None:
    client, results, first = house
    hostile = "<script>alert(1)</script>"
    assert client.post("/runs/note", json={"runs": ["demo-second"], "text": hostile}).status_code == 200
    assert client.post("/runs/tags", json={"runs": ["demo-second"], "add": ["a", "b"]}).status_code == 200
    client.post("/runs/tags", json={"runs": ["demo-second"], "remove": ["a"]})
    told = client.get("/runs/demo-second").json()
    assert (told["note"], told["tags"]) == (hostile, ["b"])
    assert client.post("/runs/tags", json={"runs": [first], "add": ["a,b"]}).status_code == 422
    gone = client.post("/runs/delete", json={"runs": [first, "demo-second"]}).json()
    assert sorted(gone["changed"]) == sorted([first, "demo-second"])
    assert client.get("/runs").json()["runs"] == []
    assert client.get("/runs").json()["put_aside"] == sorted([first, "demo-second"])
    assert len(client.post("/runs/undo", json={}).json()["changed"]) == 2
    assert (results / first / "run.json").is_file()
    assert client.get("/runs").json()["put_aside"] == []
    assert client.post("/runs/undo", json={}).status_code == 404


def test_only_pages_of_this_server_change_anything(house: tuple[TestClient, Path, str]) -> None:
    client, _, first = house
    body = {"runs": [first]}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert client.post("/runs/delete", json=body, headers=headers).status_code == 403
    plain = {"Content-Type": "text/plain"}
    assert client.post("/runs/delete", content=json.dumps(body), headers=plain).status_code == 415
    assert client.post("/runs/note", json={"runs": [first], "text": "x" * 900_000}).status_code == 413
    assert client.get("/runs").json()["of"] == 2


def test_runs_are_compared(house: tuple[TestClient, Path, str]) -> None:
    client, _, first = house
    told = client.get(f"/runs/compare?run={first}&run=demo-second").json()
    assert list(told["runs"]) == ["A", "B"]
    assert "What differs" in client.get(f"/runs/compare/page?run={first}&run=demo-second").text
    assert client.get(f"/runs/compare?run={first}").status_code == 422


RUN = """\
name = "posted"
symbols = ["BTCUSDT"]
from = 2024-03-02
to = 2024-03-02T06:00:00
resolution = "1h"
[data]
db = {db}
catalog = {catalog}
[[strategies]]
use = "LevelFade"
"""


def waited(client: TestClient, number: int, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        (job,) = [one for one in client.get("/jobs").json()["jobs"] if one["id"] == number]
        if job["state"] in states:
            return dict(job)
        time.sleep(0.05)
    raise TimeoutError(str(job))


@pytest.mark.slow
def test_a_run_is_started_queued_cancelled(house: tuple[TestClient, Path, str], folders: tuple[Path, Path]) -> None:
    client, results, _ = house
    database = json.dumps(str(folders[0] / "demo" / "market.duckdb"))
    text = RUN.format(db=database, catalog=json.dumps(str(results.parent / "nautilus")))
    first, second, third = (client.post("/jobs", json={"name": "a.toml", "text": text}).json()["id"] for _ in range(3))
    assert client.post(f"/jobs/{second}/cancel", json={}).json()["state"] == "cancelled"
    done = waited(client, first, "done", "failed")
    assert done["error"] is None
    assert client.get(f"/runs/{done['run']}").json()["about"]["name"] == "posted"
    waited(client, third, "running", "done")
    client.post(f"/jobs/{third}/cancel", json={})
    assert client.post("/jobs/99/cancel", json={}).status_code == 404
    nowhere = client.post("/jobs", json={"name": "a.toml", "text": text.replace("BTCUSDT", "ETHUSDT")}).json()
    failed = waited(client, nowhere["id"], "failed")
    assert failed["run"] is None
    assert "no history of ETHUSDT" in failed["error"]


def test_what_happens_at_levels_is_studied_and_listed(
    house: tuple[TestClient, Path, str], folders: tuple[Path, Path]
) -> None:
    client, results, _ = house
    database = json.dumps(str(folders[0] / "demo" / "market.duckdb"))
    text = RUN.format(db=database, catalog=json.dumps(str(results.parent / "nautilus")))
    text = text.replace("2024-03-02T06:00:00", "2024-03-03")
    begun = client.post("/jobs", json={"name": "a.toml", "text": text, "kind": "events"}).json()
    done = waited(client, begun["id"], "done", "failed")
    assert (done["error"], done["run"], done["kind"]) == (None, None, "events")
    (found,) = client.get("/studies").json()["studies"]
    assert (found["study"], found["kind"], found["symbols"]) == (done["study"], "events", ["BTCUSDT"])
    facts = json.loads((results / done["study"] / "events.json").read_text("utf-8"))
    assert found["touches"] == facts["touches"] == sum(not one for one in touched(results / done["study"]))
    assert found["verdict"]["words"] == "too little to tell"
    assert "what happens at liquidation levels" in client.get(f"/studies/{found['study']}/page").text
    (results / done["study"] / "events.json").write_text("{}", "utf-8")
    assert list(client.get("/studies").json()["left_out"]) == [done["study"]]


def touched(folder: Path) -> list[bool]:
    """Whether each touch of a study is a placebo's."""
    return list(pq.read_table(folder / "touches.parquet")["placebo"].to_pylist())


def test_a_new_run_file_is_of_a_market_that_is_there(
    house: tuple[TestClient, Path, str], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    client, _, _ = house
    text = client.get("/run-files/new").json()["text"]
    assert client.post("/run-files/check", json={"name": "a.toml", "text": text}).json()["errors"] == []
    run = run_of_text(text, "a.toml")
    assert run.data.db == folders[0] / "demo" / "market.duckdb"
    with open_store(run.data.db) as store:
        span = store.span("BTCUSDT", "open_interest")
    assert span is not None
    assert span[0] <= run.start < run.end <= span[1]
    with TestClient(create_app(tmp_path / "none", tmp_path / "results"), base_url=HERE) as empty:
        text = empty.get("/run-files/new").json()["text"]
        assert text.startswith("# There is no history here yet")
        assert client.post("/run-files/check", json={"name": "a.toml", "text": text}).json()["errors"] == []


def test_a_new_run_file_is_of_no_market_that_runs_refuse(tmp_path: Path) -> None:
    path = tmp_path / "catalog" / "market.duckdb"
    path.parent.mkdir()
    for symbol in ("AVAXUSDT.BYBIT", "BTCUSD_PERP", "ETHUSDT"):
        write_history(path, random_trades(hours=4), open_interest_every(5, 4), symbol)
    with TestClient(create_app(path.parent, tmp_path / "results"), base_url=HERE) as client:
        assert 'symbols = ["ETHUSDT"]' in client.get("/run-files/new").json()["text"]


def test_errors_of_a_run_file_have_their_lines(house: tuple[TestClient, Path, str]) -> None:
    client, _, _ = house

    def errors(text: str) -> Any:
        return client.post("/run-files/check", json={"name": "a.toml", "text": text}).json()["errors"]

    good = RUN.format(db='"x"', catalog='"y"')
    assert errors(good) == []
    (one,) = errors(good.replace("resolution", "resolutoin"))
    assert one["line"] == 5
    assert 'did you mean "resolution"' in one["text"]
    (broken,) = errors(good.replace('"posted"', "posted"))
    assert broken["line"] == 1
    (strategy,) = errors(good.replace("LevelFade", "LevelFad"))
    assert strategy["line"] == 10
    assert 'did you mean "LevelFade"' in strategy["text"]
    (market,) = errors(good.replace("BTCUSDT", "BTCUSDT.BYBIT"))
    assert market["line"] == 2
    assert not_replayed("BTCUSDT.BYBIT") in market["text"]
    refused = client.post("/jobs", json={"name": "a.toml", "text": "name = 1"})
    assert refused.status_code == 422
    assert client.post("/run-files/check", json={"name": "../a.toml", "text": ""}).status_code == 422


@pytest.mark.slow
def test_studies_are_listed_with_their_pages(
    house: tuple[TestClient, Path, str], folders: tuple[Path, Path], liqstrat: Shell
) -> None:
    client, results, _ = house
    assert client.get("/studies").json() == {"studies": [], "left_out": {}}
    database = json.dumps(str(folders[0] / "demo" / "market.duckdb"))
    text = RUN.format(db=database, catalog=json.dumps(str(results.parent / "nautilus")))
    text += '[sweep]\nmethod = "grid"\nobjective = "net_return"\n'
    text += '[sweep.over]\n"strategies.0.params.turn" = [0.002, 0.004]\n'
    run_file = results.parent / "sweep.toml"
    run_file.write_text(text, encoding="utf-8")
    liqstrat("sweep", str(run_file), "--out", str(results), "--workers", "1")
    (found,) = client.get("/studies").json()["studies"]
    assert (found["kind"], found["name"], found["trials"], found["simulated"]) == ("sweep", "posted", 2, True)
    assert found["figures"] == found["best"]["figures"]
    assert found["verdict"]["words"]
    assert "Sweep of posted" in client.get(f"/studies/{found['study']}/page").text
    assert client.get("/studies/..%2f..%2fetc/page").status_code == 404
    assert client.get(f"/studies/{client.get('/runs').json()['runs'][0]['run']}/page").status_code == 404
    walk = '[walk_forward]\ntrain = "2h"\ntest = "1h"\n'
    run_file.write_text(text + walk, encoding="utf-8")
    liqstrat("walk-forward", str(run_file), "--out", str(results), "--workers", "1")
    walked, swept = client.get("/studies").json()["studies"]
    assert (walked["kind"], walked["windows"], walked["best"]) == ("walk_forward", 4, None)
    assert walked["trials"] == 8
    assert walked["figures"]["net_return"] is not None
    assert swept == found
    assert "Walk forward of posted" in client.get(f"/studies/{walked['study']}/page").text


def test_run_files_are_saved_in_their_folder_and_over_none_unasked(folders: tuple[Path, Path], tmp_path: Path) -> None:
    configs, text = tmp_path / "configs", 'name = "mine"\n[[strategies]]\nuse = "LevelFade"\n'
    with TestClient(create_app(*folders, configs), base_url=HERE) as client:

        def save(name: str, text: str, **more: str) -> Any:
            return client.post("/run-files/save", json={"name": name, "text": text, **more})

        first = save("mine.toml", text)
        assert first.json()["name"] == str(configs / "mine.toml")
        assert (configs / "mine.toml").read_bytes() == text.encode()
        listed = {one["name"]: one for one in client.get("/run-files").json()["files"]}
        assert listed[str(configs / "mine.toml")] == first.json()
        refused = save("mine.toml", "# other\r\n")
        assert refused.status_code == 422
        assert "is there already, nothing was written" in refused.json()["detail"]
        # Somebody else has written it since it was seen.
        (configs / "mine.toml").write_text(text + "# theirs\n")
        assert "has been changed since" in save("mine.toml", "", replaces=first.json()["state"]).json()["detail"]
        assert (configs / "mine.toml").read_text() == text + "# theirs\n"
        (seen,) = [one for one in client.get("/run-files").json()["files"] if one["name"].endswith("mine.toml")]
        assert save("mine.toml", "# other\r\n", replaces=seen["state"]).status_code == 200
        assert (configs / "mine.toml").read_bytes() == b"# other\r\n"
        outside = tmp_path / "outside.toml"
        outside.write_text("theirs")
        (configs / "link.toml").symlink_to(outside)
        for name in ("../outside.toml", "..%2foutside.toml", "/tmp/a.toml", "a/b.toml", ".hidden.toml", "a.txt", "a"):
            assert save(name, text).status_code == 422, name
        assert save("link.toml", text).status_code == 422
        assert outside.read_text() == "theirs"
        (configs / "folder.toml").mkdir()
        assert save("folder.toml", text).status_code == 422
        assert sorted(path.name for path in configs.iterdir()) == ["folder.toml", "link.toml", "mine.toml"]
