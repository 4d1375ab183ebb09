"""Sweeps by a scheduler and workers that are processes of their own, in other folders, without a database."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import distributed
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.research.ledger import read_ledger
from liqstrat.run_file import load_run_file
from liqstrat.studies.study import open_study
from liqstrat.studies.sweep import sweep
from liqstrat.studies.walk_forward import walk_forward
from tests.shell import Shell

FILES = ("trials.parquet", "returns.parquet", "sweep.json", "best.toml")

OWN = """\
from liqstrat.strategies import LevelFade
from own_bounds import LEAST

class Mine(LevelFade):
    def on_price(self, price: float) -> None:
        if price > LEAST:
            super().on_price(price)
"""

RAISING = """\
from liqstrat.strategies import LevelFade

class Raising(LevelFade):
    def on_price(self, price: float) -> None:
        super().on_price(price)
        if self.params.turn > 0.0025:
            raise ValueError(f"{self.params.turn} is too much")
"""


class Cluster:
    """A scheduler, and workers that are added to it, each in a folder of its own with a copy of the catalog."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started = folder, []
        self._file = folder / "scheduler.json"
        self._start("dask_scheduler", folder, "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self._file))
        while not self._file.exists() or not self._file.read_text().endswith("}"):
            time.sleep(0.05)
        self.address = json.loads(self._file.read_text())["address"]

    def add(self, name: str, catalog: Path | None, *, nanny: bool = False) -> subprocess.Popen[bytes]:
        place = self.folder / name
        place.mkdir()
        kept = ["--nanny" if nanny else "--no-nanny"]
        if catalog is not None:
            shutil.copytree(catalog, place / "copy", ignore=shutil.ignore_patterns("prepared", "kept"))
        return self._start("dask_worker", place, self.address, "--nthreads", "1", "--name", name, *kept)

    def client(self, path: Path, out: Path) -> subprocess.Popen[str]:
        """A sweep that was given to the worker "one", which has begun."""
        command = [sys.executable, "-m", "liqstrat", "sweep", str(path), "--out", str(out), "--scheduler", self.address]
        client = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + 60
        while not (self.folder / "one" / "copy" / "prepared").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return client

    def process_of_worker(self) -> int:
        """Of the only one, also where a nanny looks after it."""
        with distributed.Client(self.address, set_as_default=False) as client:
            (found,) = client.run(os.getpid).values()
        return int(found)

    def log(self, name: str) -> str:
        """What a worker has said so far."""
        return (self.folder / name / "log").read_text()

    def lose_scheduler(self) -> None:
        self.started[0].kill()

    def _start(self, module: str, place: Path, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *words, "--no-dashboard"]
        environment = {**os.environ, "LIQSTRAT_CATALOG": "copy"}
        with (place / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in reversed(self.started):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    found = Cluster(tmp_path / "cluster")
    try:
        yield found
    finally:
        found.end()


@pytest.fixture
def here(
    study_file: Callable[..., Path], simulated_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Writes a run file whose database and catalog lie in the current folder, where no worker is."""
    monkeypatch.chdir(tmp_path)
    Path("market.duckdb").symlink_to(simulated_database)

    def write(more: str = "", **changed: str) -> Path:
        lines = study_file(more, **changed).read_text().splitlines()
        places = {"db = ": 'db = "market.duckdb"', "catalog = ": 'catalog = "nautilus"'}
        text = "\n".join(next((to for at, to in places.items() if line.startswith(at)), line) for line in lines)
        path = Path("small.toml")
        path.write_text(text)
        return path

    return write


@pytest.mark.slow
def test_a_cluster_makes_what_this_machine_makes(here: Callable[..., Path], cluster: Cluster) -> None:
    """By workers without a database, which are sent what is prepared, and the code of the strategy."""
    Path("own_strategy.py").write_text(OWN)
    Path("own_bounds.py").write_text("LEAST = 1.0\n")
    path = here(
        'controls = 1\n[walk_forward]\ntrain = "8h"\ntest = "4h"',
        **{"controls = 0": "", "LevelFade": "own_strategy:Mine"},
    )
    run = load_run_file(path)
    alone = [sweep(run, Path("alone"), path, workers=1), walk_forward(run, Path("alone"), path, 2, workers=1)]
    for name in ("one", "two"):
        cluster.add(name, Path("nautilus"))
    shared = sweep(run, Path("shared"), path, scheduler=cluster.address)
    walked = walk_forward(run, Path("shared"), path, 2, scheduler=cluster.address)
    for name in FILES:
        assert (shared / name).read_bytes() == (alone[0] / name).read_bytes(), name
    for name in ("walk_forward.json", "returns.parquet"):
        assert (walked / name).read_bytes() == (alone[1] / name).read_bytes(), name
    for name in ("one", "two"):
        assert list((cluster.folder / name / "copy" / "prepared").glob("*.prepared")), f"worker {name} had no part"
        assert not list((cluster.folder / name).rglob("*.duckdb"))


@pytest.mark.slow
@pytest.mark.parametrize("nanny", [False, True])
def test_a_worker_that_is_killed_loses_nothing(here: Callable[..., Path], cluster: Cluster, nanny: bool) -> None:
    """Another has its trials then, or the one that its nanny starts in its place."""
    path = here()
    alone = sweep(load_run_file(path), Path("alone"), path, workers=1)
    cluster.add("one", Path("nautilus"), nanny=nanny)
    out = Path("shared")
    study = open_study(load_run_file(path), out, path)
    with cluster.client(path, out) as client:
        # It replays its first trial now, and nobody else could have.
        os.kill(cluster.process_of_worker(), signal.SIGKILL)
        if not nanny:
            cluster.add("two", Path("nautilus"))
        _, said = client.communicate(timeout=120)
    assert client.returncode == 0, said
    assert "Traceback" not in said
    for name in FILES:
        assert (out / study.name / name).read_bytes() == (alone / name).read_bytes(), name
    assert sorted(read_ledger(out)["run"].to_pylist()) == [f"{study.name}/{number:05}" for number in range(6)]


@pytest.mark.slow
def test_an_error_in_a_strategy_is_a_sentence_here_and_no_noise_there(
    here: Callable[..., Path], cluster: Cluster, liqstrat: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an error holds of the engine would be freed by another thread, of which the engine complains."""
    # As often as anybody could look at what a worker does.
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PROFILE__INTERVAL", "1ms")
    Path("own_raising.py").write_text(RAISING)
    sweep(load_run_file(here()), Path("alone"), trials=1, workers=1)
    path = here(LevelFade="own_raising:Raising")
    worker = cluster.add("one", Path("nautilus"), nanny=True)
    done = liqstrat("sweep", str(path), "--scheduler", cluster.address)
    assert done.code == 1
    assert re.search(
        r"error: trial \d, with strategies.0.params.turn=0.003, venue.taker_fee=0.0\d+: strategy Rais", done.err
    )
    assert "ValueError: 0.003 is too much\n  own_raising.py (as sent):7 in on_price: raise ValueError" in done.err
    worker.terminate()
    worker.wait()
    assert "unsendable" not in cluster.log("one")


@pytest.mark.slow
def test_without_its_scheduler_a_sweep_ends_with_a_sentence(here: Callable[..., Path], cluster: Cluster) -> None:
    path = here()
    sweep(load_run_file(path), Path("alone"), path, trials=1, workers=1)
    cluster.add("one", Path("nautilus"))
    with cluster.client(path, Path("shared")) as client:
        cluster.lose_scheduler()
        _, said = client.communicate(timeout=120)
    assert client.returncode == 1, said
    assert "the scheduler is gone" in said
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert "ERROR" not in said


@pytest.mark.slow
def test_a_worker_says_what_it_lacks(here: Callable[..., Path], cluster: Cluster, liqstrat: Shell) -> None:
    path = here(**{"controls = 0": "controls = 0\ntrials = 1"})
    worker = cluster.add("bare", None)
    done = liqstrat("sweep", str(path), "--scheduler", cluster.address)
    assert done.code == 1
    assert ": copy: is no catalog with BTCUSDT from 2024-03-02 on: copy or mount the catalog's folder" in done.err
    worker.kill()
    cluster.add("broken", Path("nautilus"))
    broken = next((cluster.folder / "broken" / "copy" / "data" / "bars").rglob("2024-03-02*.parquet"))
    broken.write_bytes(broken.read_bytes()[:-1])
    done = liqstrat("sweep", str(path), "--scheduler", cluster.address)
    assert done.code == 1
    assert "copy: the files of BTCUSDT on 2024-03-02 are not whole: copy it again" in done.err
    folders = here(**{"controls = 0": 'controls = 0\nkeep = "folders"'})
    done = liqstrat("sweep", str(folders), "--scheduler", cluster.address)
    assert 'sweep.keep = "folders" takes workers of this machine' in done.err


def test_where_no_scheduler_is_that_is_said(study_file: Callable[..., Path], liqstrat: Shell) -> None:
    path = str(study_file())
    done = liqstrat("sweep", path, "--scheduler", "nowhere://1")
    assert done.code == 1
    assert '--scheduler "nowhere://1": no Dask scheduler answers there, expected its address, as tcp://' in done.err
    done = liqstrat("walk-forward", path, "--scheduler", "tcp://127.0.0.1:1", "--workers", "2")
    assert "--workers are those of this machine, --scheduler has its own: expected one of the two" in done.err


def test_without_dask_it_is_said_what_to_install(
    study_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(LiqstratError, match=r"--scheduler needs Dask: install liqstrat\[cluster\]"):
        sweep(load_run_file(study_file()), tmp_path / "results", scheduler="tcp://127.0.0.1:1")
