"""Small files in the archive's formats, and plain looks into the database that they are loaded into."""

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from liqstrat.market.ingest import FileReport, IngestReport

DAY_MS = 1_709_251_200_000  # 2024-03-01
TRADES_HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
KLINES_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
METRICS_HEADER = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio"
)
FUNDING_HEADER = "calc_time,funding_interval_hours,last_funding_rate"


class ArchiveWriter:
    """Writes lines as a file of the archive below `root`; a zip (with `.CHECKSUM`) when the name says so."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, name: str, lines: Iterable[str], *, folder: str = "archive", comment: bytes = b"") -> Path:
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(lines) + "\n"
        if path.suffix != ".zip":
            path.write_bytes(text.encode())
            return path
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{path.stem}.csv", text)
            archive.comment = comment
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(f"{name}.CHECKSUM").write_text(f"{digest}  {name}\n")
        return path


def trade_lines(count: int, first_id: int = 1, price: str = "60000.1", day: int = 1) -> list[str]:
    """Trades of a day of March 2024, a second apart, takers buying and selling in turn."""
    begin = DAY_MS + (day - 1) * 86_400_000
    return [
        f"{first_id + i},{price},0.0{i % 9 + 1},{10 * i},{10 * i + 1},{begin + 1000 * i},{str(i % 2 == 1).lower()}"
        for i in range(count)
    ]


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a plain DuckDB session in a far time zone finds."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'America/New_York'")
        return connection.execute(sql).fetchall()


def states(report: IngestReport) -> list[str]:
    return [file.state for file in report.files]


def only(report: IngestReport) -> FileReport:
    (file,) = report.files
    return file
