"""Several processes at one catalog, some killed, and files that broke on the disk: it ends as if one had made it."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from liqstrat.catalog.build import CatalogReport, build_catalog
from liqstrat.catalog.day_files import checksum
from liqstrat.errors import LiqstratError
from liqstrat.market.store import open_store
from tests.history import START, open_interest_every, random_trades, write_history

pytestmark = pytest.mark.slow

DAYS = 3

# Forks before there are threads, so that not every process has to import all anew. A line names a catalog and the days
# from and to which each process builds; one that ends with a number of seconds is killed then.
SCRIPT = """
import os, signal, sys, time
from datetime import timedelta
from pathlib import Path
from liqstrat.catalog.build import build_catalog
from liqstrat.market.store import open_store
from tests.history import START

for line in sys.stdin:
    catalog, *builds = line.split()
    children = []
    for build in builds:
        first, last, dies = build.split(":")
        child = os.fork()
        if not child:
            try:
                with open_store(Path(sys.argv[1])) as store:
                    span = [START + timedelta(days=int(day)) for day in (first, last)]
                    report = build_catalog(store, "BTCUSDT", Path(catalog), *span)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(99)
            os._exit(report.days_written)
        children.append((child, float(dies or 0)))
    began = time.monotonic()
    for child, dies in children:
        if dies:
            time.sleep(max(began + dies - time.monotonic(), 0))
            os.kill(child, signal.SIGKILL)
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child, _ in children), flush=True)
"""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "market.duckdb"
    write_history(path, random_trades(24 * DAYS, a_minute=4), open_interest_every(60, 24 * DAYS - 1))
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    return path


def build(history: Path, catalog: Path, **span: Any) -> CatalogReport:
    with open_store(history) as store:
        return build_catalog(store, "BTCUSDT", catalog, **span)


def content(catalog: Path) -> dict[str, int]:
    """Every file of data, hidden ones too, and its checksum."""
    return {str(path.relative_to(catalog)): checksum(path) for path in (catalog / "data").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def right(history: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    catalog = tmp_path_factory.mktemp("right")
    build(history, catalog)
    return content(catalog)


@pytest.fixture(scope="module")
def processes(history: Path) -> Iterator[Callable[[Path, str], list[int]]]:
    """Lets processes build at once, and says how many days each of them wrote."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", SCRIPT, str(history)]
    threadless = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    environment = {**os.environ, **threadless, "PYTHONPATH": str(root)}
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment) as process:

        def run(catalog: Path, builds: str) -> list[int]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(catalog, builds, file=process.stdin, flush=True)
            return [int(code) for code in process.stdout.readline().split()]

        yield run
        process.communicate()


def test_any_number_of_builds_at_once(
    tmp_path: Path, right: dict[str, int], processes: Callable[[Path, str], list[int]]
) -> None:
    for number in range(2):
        catalog = tmp_path / str(number)
        written = processes(catalog, "0:3: 0:3: 0:1: 2:3: 1:3:")
        assert (len(written), sum(written)) == (5, DAYS)
        assert content(catalog) == right
        assert processes(catalog, "0:3: 1:2:") == [0, 0]


def test_killed_ones_among_them(
    tmp_path: Path, right: dict[str, int], processes: Callable[[Path, str], list[int]]
) -> None:
    chance, killed = random.Random(7), 0
    for number in range(3):
        catalog = tmp_path / str(number)
        for _ in range(2):
            moments = sorted(round(chance.uniform(0.02, 0.3), 3) for _ in range(2))
            codes = processes(catalog, f"0:3:{moments[0]} 1:3:{moments[1]}")
            killed += codes.count(-9)
            assert set(codes) <= {-9, 0, 1, 2, 3}
            # What is visible is whole.
            for path in (catalog / "data").rglob("[!.]*.parquet"):
                pq.read_table(path, page_checksum_verification=True)
        codes = processes(catalog, "0:3: 0:3:0.1 0:3:")
        assert codes[0] >= 0
        assert codes[2] >= 0
        assert content(catalog) == right
    assert killed >= 5


def test_a_complete_catalog_is_not_written_to(history: Path, tmp_path: Path) -> None:
    catalog = tmp_path / "nautilus"
    build(history, catalog)

    def touched() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (catalog, *catalog.rglob("*"))}

    before = touched()
    for span in ({}, {"start": START + timedelta(days=1)}, {"end": START + timedelta(hours=30)}):
        assert build(history, catalog, **span).days_written == 0
    assert touched() == before


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_catalog(history: Path, tmp_path: Path) -> None:
    catalog, other = tmp_path / "nautilus", tmp_path / "other.duckdb"
    build(history, catalog, end=START + timedelta(days=2))
    # Another file with the same history, so that its days are looked at.
    other.write_bytes(history.read_bytes())
    with read_only(catalog):
        for database in (history, other):
            assert build(database, catalog, end=START + timedelta(days=2)).days_written == 0
            with pytest.raises(
                LiqstratError, match=r"cannot be written \(Permission denied\), and 2024-03-03 is not in it"
            ):
                build(database, catalog)
    assert build(history, catalog).days_written == 1


def test_bits_that_flip_on_the_disk(history: Path, tmp_path: Path, right: dict[str, int]) -> None:
    catalog = tmp_path / "nautilus"
    build(history, catalog)
    files = sorted(path for path in (catalog / "data").rglob("*.parquet"))
    chance = random.Random(3)
    for path in [*files, *chance.choices(files, k=3)]:
        changed = bytearray(path.read_bytes())
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        assert build(history, catalog).days_written == (0 if "perpetual" in str(path) else 1), path
        assert content(catalog) == right


@pytest.mark.parametrize("damage", ["truncated", "empty", "gone", "a folder away"])
def test_files_that_are_damaged_otherwise(history: Path, tmp_path: Path, right: dict[str, int], damage: str) -> None:
    catalog = tmp_path / "nautilus"
    build(history, catalog)
    path = next((catalog / "data" / "trades").rglob("*.parquet"))
    whole = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        if damage == "a folder away":
            path.parent.rename(tmp_path / "away")
    assert build(history, catalog).days_written == (DAYS if damage == "a folder away" else 1)
    assert content(catalog) == right


@pytest.mark.parametrize(
    "text",
    ["", "null", '{"version": 3}', "\0" * 40, '{"version": 3, "days": {"x": 1}}', "\udcff", "half", "gone"],
)
def test_a_manifest_that_cannot_be_understood(history: Path, tmp_path: Path, right: dict[str, int], text: str) -> None:
    catalog = tmp_path / "nautilus"
    build(history, catalog)
    path = catalog / "manifest" / "BTCUSDT.json"
    if text == "gone":
        path.unlink()
    else:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if text == "half" else text.encode(errors="surrogateescape"))
    # Nothing is known of any day that is there.
    assert build(history, catalog, end=START + timedelta(days=1)).days_written == DAYS
    assert content(catalog) == right
    assert build(history, catalog).days_written == 0
