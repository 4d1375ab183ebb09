"""The SIMULATED market under the name of one that is quoted in USDC."""

import shutil
from pathlib import Path

import duckdb
import pytest

from tests.once import made_once

SYMBOL = "BTCUSDC"


def usdc_database(database: Path, factory: pytest.TempPathFactory) -> Path:
    """A copy of a database, its symbol another."""

    def make(folder: Path) -> None:
        folder.mkdir()
        shutil.copy(database, folder / "market.duckdb")
        with duckdb.connect(str(folder / "market.duckdb")) as connection:
            named = "select table_name from duckdb_columns() where column_name = 'symbol'"
            for (table,) in connection.execute(named).fetchall():
                connection.execute(f"update {table} set symbol = '{SYMBOL}'")

    return made_once(factory, "usdc-database", make) / "market.duckdb"
