"""The commands: parse, call, print."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console

from liqstrat import __version__, printing
from liqstrat.config import DEFAULT_CATALOG, DEFAULT_DATABASE, load_run_file, local_path, minutes_of, parse_time
from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.liquidation.settings import Kind, ModelSettings
from liqstrat.progress import ConsoleProgress

app = typer.Typer(
    name="liqstrat",
    help="Backtest strategies around the liquidation levels of Binance USDⓈ-M perpetuals.\n\n"
    "New here? `liqstrat demo` does everything once on a simulated market.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

#: Tables keep their columns when they are piped.
_PIPED_WIDTH = 140

out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
_err = Console(stderr=True, highlight=False)
_progress = ConsoleProgress(_err)


def main() -> None:
    """Run the command line: exit code 0 done, 1 failed, 2 wrong usage."""
    try:
        app()
    except LiqstratError as error:
        _err.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        _err.print("stopped; run the same command again to go on")
        sys.exit(1)


def _parsed[T](parse: Callable[[str], T]) -> Callable[[str | T], T]:
    """A reader of an option whose `ValueError` is wrong usage."""

    @wraps(parse)
    def read(text: str | T) -> T:
        if not isinstance(text, str):
            return text
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return read


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _kinds(text: str) -> list[Kind]:
    kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    for name in _names(text):
        if name not in kinds:
            raise ValueError(f'there is no model "{name}"{did_you_mean(name, kinds)}; expected of {", ".join(kinds)}')
    if not _names(text):
        raise ValueError(f"expected at least one model of {', '.join(kinds)}")
    return [kinds[name] for name in dict.fromkeys(_names(text))]


def _leverages(text: str) -> list[int]:
    try:
        return [int(part.strip().rstrip("x")) for part in text.split(",")]
    except ValueError:
        raise ValueError(f'"{text}" is not a list of leverages, expected for example 5,10,25') from None


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f'"{text}" is not one of {", ".join(names)}{did_you_mean(text, names)}')
        return text

    return parse


_moment = _parsed(parse_time)
_path = _parsed(local_path)

Symbol = Annotated[str, typer.Argument(help="The exchange's name of the market, as BTCUSDT.", metavar="SYMBOL")]
Database = Annotated[Any, typer.Option("--db", parser=_path, metavar="PATH", help="DuckDB file with the history.")]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="RUN.TOML", help="Run file whose [model] is taken; else the default.")
]
Warmup = Annotated[int, typer.Option(min=0, help="Days of history before, used to fill the book.")]


def _time_option(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, parser=_moment, metavar="TIME")


From = Annotated[datetime | None, _time_option("--from", help="First moment, UTC: 2024-03-01 or 2024-03-01T12:00.")]
To = Annotated[datetime | None, _time_option("--to", help="Up to this moment, UTC, itself not included.")]


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        out.print(f"liqstrat {__version__}")
        raise typer.Exit


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=2, max=60, help="Days of market to simulate.")] = 7,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 1,
) -> None:
    """Do the whole way once on a SIMULATED market and print where the reports are.

    Example: liqstrat demo
    """
    from liqstrat.demo import run_demo

    result = run_demo(Path(), days=days, seed=seed, progress=_progress)
    printing.print_demo(out, result)


@app.command()
def simulate(
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; new, or an earlier simulation.")],
    symbol: Annotated[str, typer.Option(help="Name of the market to imitate.")] = "BTCUSDT",
    days: Annotated[int, typer.Option(min=1, max=1500)] = 7,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 1,
    start: Annotated[datetime, _time_option("--start", help="First day, UTC.")] = datetime(2024, 3, 1, tzinfo=UTC),
) -> None:
    """Write a SIMULATED market with known positions, in the exchange archive's formats.

    Example: liqstrat simulate /tmp/market --symbol BTCUSDT --days 7 --seed 1 --start 2024-03-01
    """
    from liqstrat.market.simulator import simulate as run

    report = run(target, symbol, days=days, seed=seed, start=start.date(), progress=_progress)
    printing.print_simulation(out, report)


@app.command()
def download(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL…", help="The exchange's names, as BTCUSDT ETHUSDT.")],
    start: Annotated[datetime, _time_option("--from", help="First day, UTC.")],
    end: Annotated[
        datetime | None, _time_option("--to", help="Up to this day, itself not included; default today.")
    ] = None,
    kinds: Annotated[
        Any, typer.Option(parser=_parsed(_names), metavar="LIST", help="What to get.")
    ] = "aggTrades,metrics,fundingRate,klines,liquidationSnapshot",
    interval: Annotated[str, typer.Option(help="Length of the klines.")] = "1m",
    base_url: Annotated[
        str, typer.Option(help="Address of the archive or of a mirror.")
    ] = "https://data.binance.vision",
    target: Annotated[Path, typer.Option("--to-folder", help="Where to put the files.")] = Path("downloads"),
    workers: Annotated[int, typer.Option(min=1, max=32, help="Files at a time.")] = 4,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch again what the archive has corrected.")] = False,
) -> None:
    """Get history from the exchange's public archive, verified; what is there already stays.

    Example: liqstrat download BTCUSDT --from 2024-03-01 --to 2024-04-01
    """
    from liqstrat.market.download import download as run

    until = (end or datetime.now(UTC)).date()
    report = run(symbols, start.date(), until, target, kinds, base_url, interval, workers, _progress, refresh=refresh)
    printing.print_download(out, report)
    if report.failed or not (report.fetched or report.present):
        raise typer.Exit(1)


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of exchange archives, zipped or not.")],
    db: Database = DEFAULT_DATABASE,
) -> None:
    """Load exchange archive files into DuckDB; what is in already stays as it is.

    Example: liqstrat ingest downloads/ --db catalog/market.duckdb
    """
    from liqstrat.market.ingest import ingest as run

    report = run(paths, db, progress=_progress)
    printing.print_ingest(out, report, db)
    if report.refused:
        raise typer.Exit(1)


@app.command()
def brackets(
    source: Annotated[str, typer.Option("--from", metavar="FILE|URL", help="Answer of GET /fapi/v1/leverageBracket.")],
    as_of: Annotated[datetime, _time_option("--as-of", help="The day of which it is, UTC.")],
    db: Database = DEFAULT_DATABASE,
) -> None:
    """Load leverage brackets of any symbol, as they stood on a day; runs and maps use them from then on.

    Example: liqstrat brackets --from brackets.json --as-of 2024-03-01
    """
    from liqstrat.market.brackets import load_brackets

    printing.print_written(out, load_brackets(source, as_of.date(), db), "brackets", db)


@app.command()
def instruments(
    source: Annotated[
        str, typer.Option("--exchange-info", metavar="FILE|URL", help="Answer of GET /fapi/v1/exchangeInfo.")
    ],
    symbols: Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL…]", help="All without any.")] = None,
    as_of: Annotated[datetime | None, _time_option("--as-of", help="Its day, where it does not tell.")] = None,
    db: Database = DEFAULT_DATABASE,
) -> None:
    """Load price ticks, quantity steps and limits of markets.

    Example: liqstrat instruments BTCUSDT ETHUSDT --exchange-info exchangeInfo.json
    """
    from liqstrat.market.instruments import load_instruments

    day = as_of.date() if as_of else None
    printing.print_written(out, load_instruments(symbols or [], source, db, day), "instruments", db)


@app.command()
def inspect(
    symbol: Annotated[
        str | None, typer.Argument(help="One symbol, looked at closely; a summary of all without.")
    ] = None,
    db: Database = DEFAULT_DATABASE,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where anything is missing.")] = False,
) -> None:
    """Say what history there is: range, rows and missing days; of one symbol also gaps and what cannot be right.

    Example: liqstrat inspect BTCUSDT --strict
    """
    from liqstrat.market.inspect import inspect as run
    from liqstrat.market.quality import examine
    from liqstrat.market.store import open_store

    with open_store(db) as store:
        if symbol is None and not strict:
            printing.print_inspection(out, run(store), json=json)
            return
        found = [examine(store, name, progress=_progress) for name in ([symbol] if symbol else store.symbols())]
    printing.print_qualities(out, found, json=json)
    if strict and any(quality.has_gaps for quality in found):
        raise typer.Exit(1)


@app.command()
def catalog(
    symbol: Symbol,
    start: From = None,
    end: To = None,
    db: Database = DEFAULT_DATABASE,
    path: Annotated[
        Any, typer.Option("--catalog", parser=_path, metavar="PATH", help="Folder of the Nautilus catalog.")
    ] = DEFAULT_CATALOG,
) -> None:
    """Bring history into the Nautilus catalog: trades, 1m bars, funding, open interest and the instrument.

    Example: liqstrat catalog BTCUSDT --from 2024-03-01 --to 2024-04-01
    """
    from liqstrat.catalog.build import build_catalog
    from liqstrat.market.store import open_store

    with open_store(db) as store:
        report = build_catalog(store, symbol, path, start, end, progress=_progress)
    printing.print_catalog(out, report, path)


@app.command()
def price(
    entry: Annotated[float, typer.Argument(min=0, help="Entry price in USDT.")],
    leverage: Annotated[
        Any, typer.Option(parser=_parsed(_leverages), metavar="LIST", help="Leverages, as 5,10,25.")
    ] = "5,10,25,50,100,125",
    notional: Annotated[float, typer.Option(min=0, help="Size of the position in USDT.")] = 10_000,
    symbol: Annotated[str, typer.Option(help="Whose leverage brackets apply.")] = "BTCUSDT",
    at: Annotated[datetime | None, _time_option("--at", help="Whose day's brackets apply; default today.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Calculate where a position is liquidated, long and short.

    Example: liqstrat price 60000 --leverage 5,10,25,50,100,125 --notional 250000
    """
    from liqstrat.liquidation.brackets import brackets_for
    from liqstrat.liquidation.calculator import position_risks

    brackets = brackets_for(symbol.upper(), at or datetime.now(UTC))
    try:
        risks = position_risks(entry, leverage, brackets, notional)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    printing.print_risks(out, risks, entry, notional, symbol.upper(), brackets, json=json)


def _model_of(config: Path | None) -> ModelSettings:
    return load_run_file(config).model if config else ModelSettings()


@app.command()
def levels(
    symbol: Symbol,
    at: Annotated[datetime | None, _time_option("--at", help="Moment, UTC; default the last open interest.")] = None,
    config: Config = None,
    db: Database = DEFAULT_DATABASE,
    warmup_days: Warmup = 14,
    json: Annotated[bool, typer.Option("--json", help="Print JSON with every bin.")] = False,
) -> None:
    """Estimate the liquidation map at a moment, from what was known then.

    Example: liqstrat levels BTCUSDT --at 2024-03-05T12:00
    """
    from liqstrat.liquidation.clusters import find_clusters
    from liqstrat.maps import last_known, maps_at
    from liqstrat.market.store import open_store

    with open_store(db) as store:
        moment = at or last_known(store, symbol)
        (known,) = maps_at(store, symbol, [moment], _model_of(config), timedelta(days=warmup_days), _progress)
        simulated = store.simulated(symbol)
    printing.print_levels(out, known, find_clusters(known), simulated=simulated, json=json)


@app.command()
def heatmap(
    symbol: Symbol,
    target: Annotated[Path, typer.Option("--out", help=".parquet for the rows, .html for the picture.")],
    start: From = None,
    end: To = None,
    every: Annotated[
        Any, typer.Option(parser=_parsed(minutes_of), metavar="LENGTH", help="5m, 15m, 1h, 4h or 1d.")
    ] = "1h",
    config: Config = None,
    db: Database = DEFAULT_DATABASE,
    warmup_days: Warmup = 14,
) -> None:
    """Estimate liquidation maps over time and write them as rows or as a picture.

    Example: liqstrat heatmap BTCUSDT --from 2024-03-01 --to 2024-03-08 --every 1h --out heatmap.html
    """
    from liqstrat.maps import marks, period, save_heatmap
    from liqstrat.market.store import open_store

    with open_store(db) as store:
        first, last = period(store, symbol, start, end)
        moments, warmup = marks(first, last, every), timedelta(days=warmup_days)
        rows = save_heatmap(store, symbol, moments, _model_of(config), warmup, target, _progress)
    out.print(f"{target}: {len(moments):,} maps of {symbol}, {rows:,} rows")


@app.command()
def score(
    symbol: Symbol,
    start: From = None,
    end: To = None,
    model: Annotated[
        Any, typer.Option(parser=_parsed(_kinds), metavar="LIST", help="conserving, large_trades, oi_candle, ensemble.")
    ] = None,
    config: Config = None,
    every: Annotated[
        Any, typer.Option(parser=_parsed(minutes_of), metavar="LENGTH", help="How often maps are made: 5m … 1d.")
    ] = "1h",
    db: Database = DEFAULT_DATABASE,
    warmup_days: Warmup = 14,
    target: Annotated[Path | None, typer.Option("--out", help="Write a page with figures: page.html.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    check_lookahead: Annotated[
        int, typer.Option(min=0, max=100, metavar="CUTS", help="Cut the data at so many moments; exit 1 on look-ahead.")
    ] = 0,
) -> None:
    """Score a model's maps against what was really liquidated, beside baselines that know little.

    Example: liqstrat score BTCUSDT --from 2024-03-01 --to 2024-03-31 --model conserving,oi_candle --out score.html
    """
    from liqstrat.market.store import open_store
    from liqstrat.printing.score import print_score
    from liqstrat.scoring.history import score_history
    from liqstrat.scoring.page import require_page, save_score_page

    if target is not None:
        require_page(target)
    settings = _model_of(config)
    models = {kind: replace(settings, kind=kind) for kind in model or [settings.kind]}
    warmup, length = timedelta(days=warmup_days), timedelta(minutes=every)
    with open_store(db) as store:
        scored = score_history(
            store, symbol, start, end, models, warmup=warmup, every=length, cuts=check_lookahead, progress=_progress
        )
        if target is not None:
            save_score_page(store, scored, models, warmup, length, target, _progress)
    print_score(out, scored, json=json)
    if target is not None and not json:
        out.print(f"page: {target}", markup=False, soft_wrap=True)
    if any(scored.lookahead.values()):
        raise typer.Exit(1)


@app.command()
def calibrate(
    symbol: Symbol,
    start: Annotated[datetime, _time_option("--from", help="First moment, UTC: 2024-03-01 or 2024-03-01T12:00.")],
    end: Annotated[datetime, _time_option("--to", help="Up to this moment, UTC, itself not included.")],
    kind: Annotated[
        Any,
        typer.Option(
            parser=_parsed(_one_of("conserving", "ensemble")),
            metavar="conserving|ensemble",
            help="Fit the book, or the weights of a mixture of models.",
        ),
    ] = "conserving",
    config: Config = None,
    db: Database = DEFAULT_DATABASE,
    warmup_days: Warmup = 14,
    recorded: Annotated[
        Any,
        typer.Option(
            parser=_parsed(_one_of("all", "some")),
            metavar="all|some",
            help="Whether all liquidations are recorded; default: all of a simulated market, some of a real one.",
        ),
    ] = None,
    source: Annotated[
        Any,
        typer.Option(
            "--by",
            parser=_parsed(_one_of("liquidations", "open-interest")),
            metavar="liquidations|open-interest",
            help="What to fit to; default: liquidations where any are recorded.",
        ),
    ] = None,
    target: Annotated[Path | None, typer.Option("--out", help="Write the [model] block to this file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit the leverage mix, turnover and taker weight of the book to what was liquidated.

    Example: liqstrat calibrate BTCUSDT --from 2024-03-01 --to 2024-04-01 --out model.toml
    """
    from liqstrat.calibration.block import write_block
    from liqstrat.calibration.history import calibrate_history
    from liqstrat.market.store import open_store
    from liqstrat.printing.calibration import block_of, mixture_block, print_calibration, print_mixture
    from liqstrat.scoring.mixture import fit_mixture

    settings, warmup = _model_of(config), timedelta(days=warmup_days)
    with open_store(db) as store:
        simulated = store.simulated(symbol)
        if kind == "ensemble":
            mixture = fit_mixture(store, symbol, start, end, settings, warmup, _progress)
            print_mixture(out, symbol, mixture, simulated=simulated, json=json)
            block = mixture_block(symbol, mixture)
        else:
            by = source.replace("-", " ") if source else None
            found = calibrate_history(
                store, symbol, start, end, settings, warmup, recorded=recorded, source=by, progress=_progress
            )
            print_calibration(out, symbol, found, simulated=simulated, json=json)
            block = block_of(symbol, found)
    if target:
        write_block(target, block)


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f'"{text}" is not a list of seeds, expected for example 11,12') from None


@app.command()
def bench_model(
    regimes: Annotated[
        Any, typer.Option(parser=_parsed(_names), metavar="LIST", help="Kinds of simulated market; default all.")
    ] = None,
    seeds: Annotated[
        Any, typer.Option(parser=_parsed(_seeds), metavar="LIST", help="Seeds; 1 and 2 were used to choose settings.")
    ] = "11,12",
    days: Annotated[int, typer.Option(min=2, max=60, help="Days a market; the second half is judged.")] = 7,
) -> None:
    """Judge every model on simulated markets, where all positions are known.

    Example: liqstrat bench-model --regimes usual,thin --seeds 11
    """
    from liqstrat.bench.judge import MODELS, judge
    from liqstrat.bench.regimes import REGIMES

    for name in regimes or ():
        if name not in REGIMES:
            known = ", ".join(REGIMES)
            raise typer.BadParameter(f'there is no regime "{name}"{did_you_mean(name, REGIMES)}; expected of {known}')
    verdicts = judge(MODELS, regimes or tuple(REGIMES), seeds, days=days, progress=_progress)
    printing.print_verdicts(out, verdicts)


@app.command()
def backtest(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.TOML", help="The run file, see configs/.")],
    results: Annotated[
        Any, typer.Option("--out", parser=_path, metavar="PATH", help="Folder in which the results folder is made.")
    ] = Path("results"),
) -> None:
    """Replay a run file and write its results and report.

    Example: liqstrat backtest configs/fade.toml
    """
    from liqstrat.backtest.runner import run_backtest

    folder = run_backtest(load_run_file(run_file), results, progress=_progress)
    printing.print_results(out, folder)
