"""The SIMULATED market under the name of one that is quoted in USDC."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from liqstrat.market.ingest import ingest
from tests.once import made_once

SYMBOL = "BTCUSDC"
_BRACKET = {
    "bracket": 1, "notionalFloor": 0, "notionalCap": 50_000_000, "maintMarginRatio": 0.004, "cum": 0,
    "initialLeverage": 125,
}  # fmt: skip


def usdc_database(database: Path, factory: pytest.TempPathFactory) -> Path:
    """A copy of a database, its symbol another."""

    def make(folder: Path) -> None:
        folder.mkdir()
        shutil.copy(database, folder / "market.duckdb")
        with duckdb.connect(str(folder / "market.duckdb")) as connection:
            named = "select table_name from duckdb_columns() where column_name = 'symbol'"
            for (table,) in connection.execute(named).fetchall():
                connection.execute(f"update {table} set symbol = '{SYMBOL}'")
        (folder / "2024-01-01.json").write_text(json.dumps([{"symbol": SYMBOL, "brackets": [_BRACKET]}]))
        ingest([folder / "2024-01-01.json"], folder / "market.duckdb")

    return made_once(factory, "usdc-database", make) / "market.duckdb"
