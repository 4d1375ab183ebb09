"""Files that people built long ago, with older versions of DuckDB too: every read works, and none changes them."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.ingest import ingest
from liqstrat.market.store import Store, open_store
from tests.market import existing_files
from tests.market.archive_files import DAY_MS, ArchiveWriter, only
from tests.market.existing_files import OLD_VERSIONS

START = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def current_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("current") / "market.duckdb"
    existing_files.write(str(path), "decimal")
    return path


def answers(store: Store) -> dict[str, Any]:
    """What every read of the file says."""
    later = START + timedelta(hours=1)
    kinds = ("trades", "open_interest", "funding", "klines_5m", "klines_15m", "liquidations")
    settings = ModelSettings()
    return {
        "symbols": store.symbols(),
        "kinds": store.kinds(),
        "simulated": store.simulated("BTCUSDT"),
        "spans": [store.span("BTCUSDT", kind) for kind in kinds],
        "trades": store.trades("BTCUSDT").read_all(),
        "some trades": store.trades("BTCUSDT", START + timedelta(seconds=30), later).read_all(),
        "open interest": store.open_interest("BTCUSDT", later),
        "funding": store.funding("BTCUSDT"),
        "candles": [store.klines("BTCUSDT", None, later, interval) for interval in ("1m", "5m", "15m", "1h")],
        "liquidations": store.liquidations("BTCUSDT"),
        "digits": (store.price_decimals("BTCUSDT"), store.quantity_decimals("BTCUSDT")),
        "fingerprint": store.fingerprint("BTCUSDT", START, later),
        "brackets": (store.brackets("BTCUSDT"), store.instrument("BTCUSDT")),
        "flows": [flow.contracts.sum() for flow, _ in flows(store, "BTCUSDT", START, later, settings)],
    }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def right(current_file: Path) -> dict[str, Any]:
    with open_store(current_file) as store:
        return answers(store)


@pytest.mark.parametrize("shape", existing_files.SHAPES)
def test_every_shape_reads_the_same(tmp_path: Path, right: dict[str, Any], shape: str) -> None:
    path = tmp_path / "market.duckdb"
    existing_files.write(str(path), shape)
    check(path, right)


@pytest.mark.parametrize("version", OLD_VERSIONS)
def test_files_of_older_versions_read_the_same(
    old_files: Callable[[str], Path], right: dict[str, Any], version: str
) -> None:
    for shape in ("decimal", "double", "zoned", "keyed", "rough"):
        check(old_files(version) / f"{shape}.duckdb", right)


def check(path: Path, right: dict[str, Any]) -> None:
    """The file at `path` gives the right answers, and is byte for byte what it was."""
    before = digest(path)
    path.chmod(0o444)
    with open_store(path) as store:
        found = answers(store)
    assert found["trades"].num_rows == 3600
    assert [name for name in right if found[name] != right[name]] == []
    assert digest(path) == before
    assert not path.with_name(path.name + ".wal").exists()


def test_several_readers_at_once(current_file: Path) -> None:
    script = (
        "from liqstrat.market.store import open_store\n"
        f"with open_store({str(current_file)!r}) as store:\n"
        "    print('open', flush=True)\n"
        "    input()\n"
        "    print(store.trades('BTCUSDT').read_all().num_rows)\n"
    )
    command = [sys.executable, "-c", script]
    readers = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(2)]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
    with open_store(current_file) as store:
        assert store.trades("BTCUSDT").read_all().num_rows == 3600
    assert [reader.communicate("\n")[0] for reader in readers] == ["3600\n"] * 2


def test_an_old_file_can_be_added_to(
    old_files: Callable[[str], Path], write_archive: ArchiveWriter, tmp_path: Path
) -> None:
    path = tmp_path / "mine.duckdb"
    shutil.copy(old_files(OLD_VERSIONS[0]) / "zoned.duckdb", path)
    lines = [f"{i},61000.5,0.25,1,1,{DAY_MS + 10_000 * (i - 1)},true" for i in range(3596, 3606)]
    file = only(ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.zip", lines)], path))
    assert (file.state, file.rows) == ("loaded", 5)
    with open_store(path) as store:
        trades = store.trades("BTCUSDT").read_all()
        assert trades["id"].to_pylist() == list(range(1, 3606))
        assert trades["time"][-1].as_py() == START + timedelta(seconds=10 * 3604)


READS = {
    "aggtrades_history": lambda store: store.trades("BTCUSDT"),
    "open_interest_history": lambda store: store.open_interest("BTCUSDT"),
    "funding_rate_history": lambda store: store.funding("BTCUSDT"),
    "klines_5m_history": lambda store: store.klines("BTCUSDT", interval="5m"),
    "liquidation_history": lambda store: store.liquidations("BTCUSDT"),
}


@pytest.mark.parametrize("table", READS)
def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path, current_file: Path, table: str) -> None:
    path = tmp_path / "mine.duckdb"
    shutil.copy(current_file, path)
    column = {"open_interest_history": "open_interest_contracts", "funding_rate_history": "funding_rate"}
    name = column.get(table, "high" if "klines" in table else "price")
    with duckdb.connect(str(path)) as connection:
        connection.execute(f'alter table {table} rename column {name} to "{name}s"')
    with open_store(path) as store, pytest.raises(LiqstratError) as error:
        READS[table](store)
    for words in (str(path), f"table {table} has no column {name}", f'did you mean "{name}s"'):
        assert words in str(error.value)
