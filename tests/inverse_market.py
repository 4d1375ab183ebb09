"""A SIMULATED market in inverse contracts, made of one in linear ones: the same prices, amounts in contracts."""

import csv
import io
import zipfile
from pathlib import Path

import pytest

from liqstrat.market.ingest import ingest
from tests.once import made_once

SYMBOL = "BTCUSD_PERP"
_SIZE = 100
#: Columns of amounts, and that of the price by which they become contracts, by kind of file.
_AMOUNTS = {
    "aggTrades": (("quantity",), "price"),
    "liquidationSnapshot": (("original_quantity", "last_fill_quantity", "accumulated_fill_quantity"), "price"),
}


def inverse_database(archive: Path, factory: pytest.TempPathFactory) -> Path:
    """A database of BTCUSD_PERP, made of archive files of BTCUSDT."""

    def make(folder: Path) -> None:
        report = ingest([inverse_archive(archive, folder / "cm")], folder / "coin.duckdb")
        assert not report.refused, report.refused[0].reason

    return made_once(factory, "inverse-database", make) / "coin.duckdb"


def inverse_archive(source: Path, target: Path) -> Path:
    """Archive files of BTCUSD_PERP in `target`, made of those of BTCUSDT anywhere below `source`."""
    for path in sorted(source.rglob("BTCUSDT-*.zip")):
        _, kind, *rest = path.stem.split("-")
        if kind not in (*_AMOUNTS, "metrics"):
            continue
        with zipfile.ZipFile(path) as archive:
            comment, (member,) = archive.comment, archive.namelist()
            rows = list(csv.DictReader(io.TextIOWrapper(archive.open(member))))
        for row in rows:
            _convert(kind, row)
        name = f"{SYMBOL}-{kind}-{'-'.join(rest)}"
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        target.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.csv", text.getvalue())
            archive.comment = comment
    return target


def _convert(kind: str, row: dict[str, str]) -> None:
    if kind == "metrics":
        contracts, value = float(row["sum_open_interest"]), float(row["sum_open_interest_value"])
        row.update(
            symbol=SYMBOL,
            sum_open_interest=f"{round(value / _SIZE)}",
            sum_open_interest_value=f"{contracts:.8f}",
        )
        return
    names, price = _AMOUNTS[kind]
    for name in names:
        row[name] = str(max(round(float(row[name]) * float(row[price]) / _SIZE), 1))
