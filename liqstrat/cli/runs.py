"""Runs: the demo's and those of run files."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from liqstrat.cli.options import From, Json, To, as_path, override, parsed
from liqstrat.cli.program import out, progress
from liqstrat.cli.text import new_table, print_json
from liqstrat.remarks import told_with_results

if TYPE_CHECKING:
    from liqstrat.demo import DemoResult


def demo(
    days: Annotated[int, typer.Option(min=2, max=60, help="Days of market to simulate.")] = 7,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 1,
    json: Json = False,
) -> None:
    """Do the whole way once on a SIMULATED market and print where the reports are.

    Example: liqstrat demo
    """
    from liqstrat.demo import run_demo

    print_demo(run_demo(Path(), days=days, seed=seed, progress=progress), json=json)


def backtest(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.TOML", help="The run file, see configs/.")],
    results: Annotated[
        Any, typer.Option("--out", parser=as_path, metavar="PATH", help="Folder in which the results folder is made.")
    ] = Path("results"),
    settings: Annotated[
        list[Any] | None,
        typer.Option(
            "--set",
            parser=parsed(override),
            metavar="KEY=VALUE",
            help="A value over the run file's, as strategies.0.params.turn=0.003; as often as you like.",
        ),
    ] = None,
    start: From = None,
    end: To = None,
    resolution: Annotated[
        str | None, typer.Option(help="What is replayed: tick, 1m, 5m, 15m or 1h.", metavar="LENGTH")
    ] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Whether to write the report.")] = True,
    json: Json = False,
) -> None:
    """Replay a run file and write its results and report.

    Example: liqstrat backtest configs/fade.toml --set strategies.0.params.turn=0.003 --resolution 1m
    """
    from liqstrat.app import run_backtest
    from liqstrat.run_file import load_run_file

    chosen = {"from": start, "to": end, "resolution": resolution}
    over = {**dict(settings or []), **{key: value for key, value in chosen.items() if value is not None}}
    run = load_run_file(run_file, over)
    with told_with_results() as told:
        folder = run_backtest(run, results, progress=progress, report=report)
        told(_print_results(folder, json=json))


_FIGURES = {
    "net_return": ("net return", "{:+.2%}"),
    "max_drawdown": ("max drawdown", "{:.2%}"),
    "sharpe": ("Sharpe", "{:.2f}"),
    "profit_factor": ("profit factor", "{:.2f}"),
    "win_rate": ("win rate", "{:.0%}"),
    "trades": ("trades", "{:,}"),
    "exposure": ("exposure", "{:.0%}"),
    "fees": ("fees, {quote}", "{:,.2f}"),
    "funding": ("funding, {quote}", "{:+,.2f}"),
    "slippage": ("slippage, {quote}", "{:,.2f}"),
    "account_liquidations": ("liquidations of the account", "{:,}"),
}


def _print_results(folder: Path, *, json: bool) -> list[str]:
    """The notes that it has printed."""
    run = _facts(folder)
    notes: list[str] = run["notes"]
    if json:
        print_json(run)
        return notes
    title = f"{run['name']}{' SIMULATED' if run['simulated'] else ''}"
    out.print(figures_table({title: run["metrics"]}, run["quote"]))
    if tried := run["tried"]:
        count = tried["configurations"]
        told = f"run {tried['run']:,} on this data, of {count:,} configuration{'' if count == 1 else 's'} tried"
        out.print(told, markup=False, soft_wrap=True)
    for note in notes:
        out.print(f"note: {note}", markup=False, soft_wrap=True)
    where = f"report: {run['report']}" if run["report"] else f"results: {folder}"
    out.print(where, markup=False, soft_wrap=True)
    return notes


def _facts(folder: Path) -> dict[str, Any]:
    """What there is to tell of a run."""
    run = json_module.loads((folder / "run.json").read_text(encoding="utf-8"))
    figures = json_module.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    report = folder / "report.html"
    kept = {key: run[key] for key in ("name", "simulated", "symbols", "start", "end", "resolution", "notes")}
    return {
        **kept,
        "quote": run.get("quote", "USDT"),
        "tried": run.get("tried"),
        "folder": str(folder),
        "report": str(report) if report.exists() else None,
        "metrics": figures,
    }


def print_demo(result: "DemoResult", *, json: bool) -> None:
    if json:
        runs = {name: _facts(folder) for name, folder in result.folders.items()}
        print_json({"simulated": True, "database": str(result.database), "runs": runs, "next": result.next_commands})
        return
    out.print(figures_table({f"{name} SIMULATED": figures for name, figures in result.figures.items()}))
    out.print("A simulated market with known positions; nothing here says anything about a real one.")
    for name, folder in result.folders.items():
        out.print(f"{name}: {folder / 'report.html'}", markup=False, soft_wrap=True)
    out.print("\nWhat to try next:")
    for command in result.next_commands:
        out.print(f"  {command}", markup=False, soft_wrap=True)


def figures_table(columns: dict[str, dict[str, Any]], quote: str = "USDT") -> Table:
    table = new_table("", ("", *columns))
    for key, (label, form) in _FIGURES.items():
        values = [figures.get(key) for figures in columns.values()]
        table.add_row(label.format(quote=quote), *("–" if value is None else form.format(value) for value in values))
    return table
