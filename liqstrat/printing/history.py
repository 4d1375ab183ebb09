"""What was simulated, fetched and loaded, printed."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from liqstrat.printing.text import new_table, price_text

if TYPE_CHECKING:
    from liqstrat.catalog.build import CatalogReport
    from liqstrat.market.download import DownloadReport
    from liqstrat.market.ingest import IngestReport
    from liqstrat.market.reference import Written
    from liqstrat.market.simulator import SimulationReport


def print_simulation(out: Console, report: "SimulationReport") -> None:
    out.print(
        f"SIMULATED {report.symbol} {report.start:%Y-%m-%d} – {report.end:%Y-%m-%d} in {report.folder}: "
        f"{report.trades:,} trades, {report.liquidations:,} liquidations ({report.liquidated_share:.1%} of volume), "
        f"{report.volume_ratio:.1f} times the open interest a day, volatility {report.volatility:.0%} a year, "
        f"price {price_text(report.low)} to {price_text(report.high)}",
        markup=False,
        soft_wrap=True,
    )


def print_download(out: Console, report: "DownloadReport") -> None:
    columns = ("symbol", "kind", "fetched", "present", "missing", "failed", "MB", "not in the archive")
    table = new_table(str(report.target), columns)
    for g in report.groups():
        gaps = ", ".join(f"{a}" if a == b else f"{a} … {b}" for a, b in g.gaps[:3]) + (" …" if len(g.gaps) > 3 else "")
        counts = (f"{n:,}" for n in (g.fetched, g.present, g.missing, g.failed))
        table.add_row(g.symbol, g.kind, *counts, f"{g.bytes / 1e6:,.1f}", gaps)
    out.print(table)
    for file in report.failed:
        out.print(f"failed: {file.file.path}: {file.reason}", markup=False, soft_wrap=True)


def print_ingest(out: Console, report: "IngestReport", database: Path) -> None:
    for file in report.files:
        if file.state == "refused" or file.reason:
            out.print(f"{file.state} {file.path}: {file.reason}", markup=False, soft_wrap=True)
    states = Counter(file.state for file in report.files)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no files found"
    if report.skipped:
        counts += f", {len(report.skipped)} left out that hold no history"
    rows = sum(file.rows for file in report.files if file.state in ("loaded", "replaced"))
    out.print(f"{database}: {counts}; {rows:,} rows in", markup=False)


def print_written(out: Console, written: "Written", what: str, database: Path) -> None:
    symbols = ", ".join(written.symbols[:5]) + (
        f" and {len(written.symbols) - 5} more" if len(written.symbols) > 5 else ""
    )
    out.print(
        f"{database}: {what} of {symbols} as of {written.as_of}: {written.rows:,} rows changed"
        + (f"; {written.remark}" if written.remark else ""),
        markup=False,
        soft_wrap=True,
    )


def print_catalog(out: Console, report: "CatalogReport", path: Path) -> None:
    rows = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in report.rows.items())
    out.print(
        f"{path}: {report.instrument_id} {report.start:%Y-%m-%d} – {report.end:%Y-%m-%d}, "
        f"{report.days_written} days written, {report.days_kept} kept as they were: {rows}",
        markup=False,
        soft_wrap=True,
    )
    for note in report.notes:
        out.print(f"note: {note}", markup=False, soft_wrap=True)
