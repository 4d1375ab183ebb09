"""Getting history: simulated, fetched, loaded, and brought into the catalog."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import Database, From, Json, Symbol, To, as_path, names, parsed, time_option
from liqstrat.cli.program import out, progress
from liqstrat.cli.text import new_table, price_text, print_json
from liqstrat.inputs import DEFAULT_CATALOG, DEFAULT_DATABASE

if TYPE_CHECKING:
    from liqstrat.catalog.build import CatalogReport
    from liqstrat.market.download import DownloadReport
    from liqstrat.market.ingest import IngestReport
    from liqstrat.market.reference import Written
    from liqstrat.market.simulator import SimulationReport


def simulate(
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; new, or an earlier simulation.")],
    symbol: Annotated[str, typer.Option(help="Name of the market to imitate.")] = "BTCUSDT",
    days: Annotated[int, typer.Option(min=1, max=1500)] = 7,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 1,
    start: Annotated[datetime, time_option("--start", help="First day, UTC.")] = datetime(2024, 3, 1, tzinfo=UTC),
    json: Json = False,
) -> None:
    """Write a SIMULATED market with known positions, in the exchange archive's formats.

    Example: liqstrat simulate /tmp/market --symbol BTCUSDT --days 7 --seed 1 --start 2024-03-01
    """
    from liqstrat.market.simulator import simulate as run

    report = run(target, symbol, days=days, seed=seed, start=start.date(), progress=progress)
    _print_simulation(report, json=json)


def download(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL…", help="The exchange's names, as BTCUSDT ETHUSDT.")],
    start: Annotated[datetime, time_option("--from", help="First day, UTC.")],
    end: Annotated[
        datetime | None, time_option("--to", help="Up to this day, itself not included; default today.")
    ] = None,
    kinds: Annotated[
        Any, typer.Option(parser=parsed(names), metavar="LIST", help="What to get.")
    ] = "aggTrades,metrics,fundingRate,klines,liquidationSnapshot",
    interval: Annotated[str, typer.Option(help="Length of the klines.")] = "1m",
    base_url: Annotated[
        str, typer.Option(help="Address of the archive or of a mirror.")
    ] = "https://data.binance.vision",
    target: Annotated[Path, typer.Option("--to-folder", help="Where to put the files.")] = Path("downloads"),
    workers: Annotated[int, typer.Option(min=1, max=32, help="Files at a time.")] = 4,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch again what the archive has corrected.")] = False,
    json: Json = False,
) -> None:
    """Get history from the exchange's public archive, verified; what is there already stays.

    Example: liqstrat download BTCUSDT --from 2024-03-01 --to 2024-04-01
    """
    from liqstrat.market.download import download as run

    until = (end or datetime.now(UTC)).date()
    report = run(symbols, start.date(), until, target, kinds, base_url, interval, workers, progress, refresh=refresh)
    _print_download(report, json=json)
    if report.failed or not (report.fetched or report.present):
        raise typer.Exit(1)


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of exchange archives, zipped or not.")],
    db: Database = DEFAULT_DATABASE,
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE.TOML", help="Which columns hold what, of tables that are not the exchange's."),
    ] = None,
    json: Json = False,
) -> None:
    """Load exchange archive files into DuckDB; what is in already stays as it is.

    Example: liqstrat ingest downloads/ --db catalog/market.duckdb
    """
    from liqstrat.market.archive.mapping import read_mapping
    from liqstrat.market.ingest import ingest as run

    report = run(paths, db, progress, read_mapping(mapping) if mapping else None)
    _print_ingest(report, db, json=json)
    if report.refused:
        raise typer.Exit(1)


def brackets(
    source: Annotated[str, typer.Option("--from", metavar="FILE|URL", help="Answer of GET /fapi/v1/leverageBracket.")],
    as_of: Annotated[datetime, time_option("--as-of", help="The day of which it is, UTC.")],
    db: Database = DEFAULT_DATABASE,
    json: Json = False,
) -> None:
    """Load leverage brackets of any symbol, as they stood on a day; runs and maps use them from then on.

    Example: liqstrat brackets --from brackets.json --as-of 2024-03-01
    """
    from liqstrat.market.brackets import load_brackets

    _print_written(load_brackets(source, as_of.date(), db), "brackets", db, json=json)


def instruments(
    source: Annotated[
        str, typer.Option("--exchange-info", metavar="FILE|URL", help="Answer of GET /fapi/v1/exchangeInfo.")
    ],
    symbols: Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL…]", help="All without any.")] = None,
    as_of: Annotated[datetime | None, time_option("--as-of", help="Its day, where it does not tell.")] = None,
    db: Database = DEFAULT_DATABASE,
    json: Json = False,
) -> None:
    """Load price ticks, quantity steps and limits of markets.

    Example: liqstrat instruments BTCUSDT ETHUSDT --exchange-info exchangeInfo.json
    """
    from liqstrat.market.instruments import load_instruments

    day = as_of.date() if as_of else None
    _print_written(load_instruments(symbols or [], source, db, day), "instruments", db, json=json)


def catalog(
    symbol: Symbol,
    start: From = None,
    end: To = None,
    db: Database = DEFAULT_DATABASE,
    path: Annotated[
        Any, typer.Option("--catalog", parser=as_path, metavar="PATH", help="Folder of the Nautilus catalog.")
    ] = DEFAULT_CATALOG,
    json: Json = False,
) -> None:
    """Bring history into the Nautilus catalog: trades, 1m bars, funding, open interest and the instrument.

    Example: liqstrat catalog BTCUSDT --from 2024-03-01 --to 2024-04-01
    """
    from liqstrat.catalog.build import build_catalog
    from liqstrat.market.store import open_store

    with open_store(db) as store:
        report = build_catalog(store, symbol, path, start, end, progress=progress)
    _print_catalog(report, path, json=json)


def _print_simulation(report: "SimulationReport", *, json: bool) -> None:
    if json:
        print_json({**asdict(report), "simulated": True})
        return
    out.print(
        f"SIMULATED {report.symbol} {report.start:%Y-%m-%d} – {report.end:%Y-%m-%d} in {report.folder}: "
        f"{report.trades:,} trades, {report.liquidations:,} liquidations ({report.liquidated_share:.1%} of volume), "
        f"{report.volume_ratio:.1f} times the open interest a day, volatility {report.volatility:.0%} a year, "
        f"price {price_text(report.low)} to {price_text(report.high)}",
        markup=False,
        soft_wrap=True,
    )


def _print_download(report: "DownloadReport", *, json: bool) -> None:
    if json:
        print_json({"groups": [asdict(group) for group in report.groups()], **asdict(report)})
        return
    columns = ("symbol", "kind", "fetched", "present", "missing", "failed", "MB", "not in the archive")
    table = new_table(str(report.target), columns)
    for g in report.groups():
        gaps = ", ".join(f"{a}" if a == b else f"{a} … {b}" for a, b in g.gaps[:3]) + (" …" if len(g.gaps) > 3 else "")
        counts = (f"{n:,}" for n in (g.fetched, g.present, g.missing, g.failed))
        table.add_row(g.symbol, g.kind, *counts, f"{g.bytes / 1e6:,.1f}", gaps)
    out.print(table)
    for file in report.failed:
        out.print(f"failed: {file.file.path}: {file.reason}", markup=False, soft_wrap=True)


def _print_ingest(report: "IngestReport", database: Path, *, json: bool) -> None:
    if json:
        print_json({"database": database, **asdict(report)})
        return
    for file in report.files:
        if file.state == "refused" or file.reason:
            out.print(f"{file.state} {file.path}: {file.reason}", markup=False, soft_wrap=True)
    states = Counter(file.state for file in report.files)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no files found"
    if report.skipped:
        counts += f", {len(report.skipped)} left out that hold no history"
    rows = sum(file.rows for file in report.files if file.state in ("loaded", "replaced"))
    out.print(f"{database}: {counts}; {rows:,} rows in", markup=False)


def _print_written(written: "Written", what: str, database: Path, *, json: bool) -> None:
    if json:
        print_json({"database": database, "what": what, **asdict(written)})
        return
    symbols = ", ".join(written.symbols[:5]) + (
        f" and {len(written.symbols) - 5} more" if len(written.symbols) > 5 else ""
    )
    out.print(
        f"{database}: {what} of {symbols} as of {written.as_of}: {written.rows:,} rows changed"
        + (f"; {written.remark}" if written.remark else ""),
        markup=False,
        soft_wrap=True,
    )


def _print_catalog(report: "CatalogReport", path: Path, *, json: bool) -> None:
    if json:
        told = {name: value for name, value in vars(report).items() if name != "instrument"}
        print_json({"catalog": path, **told})
        return
    rows = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in report.rows.items())
    out.print(
        f"{path}: {report.instrument_id} {report.start:%Y-%m-%d} – {report.end:%Y-%m-%d}, "
        f"{report.days_written} days written, {report.days_kept} kept as they were: {rows}",
        markup=False,
        soft_wrap=True,
    )
    for note in report.notes:
        out.print(f"note: {note}", markup=False, soft_wrap=True)
