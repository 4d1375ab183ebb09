"""Runs: the demo's and those of run files."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from liqstrat.cli.options import as_path
from liqstrat.cli.program import out, progress
from liqstrat.cli.text import new_table

if TYPE_CHECKING:
    from liqstrat.demo import DemoResult


def demo(
    days: Annotated[int, typer.Option(min=2, max=60, help="Days of market to simulate.")] = 7,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 1,
) -> None:
    """Do the whole way once on a SIMULATED market and print where the reports are.

    Example: liqstrat demo
    """
    from liqstrat.demo import run_demo

    result = run_demo(Path(), days=days, seed=seed, progress=progress)
    _print_demo(result)


def backtest(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.TOML", help="The run file, see configs/.")],
    results: Annotated[
        Any, typer.Option("--out", parser=as_path, metavar="PATH", help="Folder in which the results folder is made.")
    ] = Path("results"),
) -> None:
    """Replay a run file and write its results and report.

    Example: liqstrat backtest configs/fade.toml
    """
    from liqstrat.backtest.runner import run_backtest
    from liqstrat.config import load_run_file

    folder = run_backtest(load_run_file(run_file), results, progress=progress)
    _print_results(folder)


_FIGURES = {
    "net_return": ("net return", "{:+.2%}"),
    "max_drawdown": ("max drawdown", "{:.2%}"),
    "sharpe": ("Sharpe", "{:.2f}"),
    "profit_factor": ("profit factor", "{:.2f}"),
    "win_rate": ("win rate", "{:.0%}"),
    "trades": ("trades", "{:,}"),
    "exposure": ("exposure", "{:.0%}"),
    "fees": ("fees, USDT", "{:,.2f}"),
    "funding": ("funding, USDT", "{:+,.2f}"),
    "slippage": ("slippage, USDT", "{:,.2f}"),
    "account_liquidations": ("liquidations of the account", "{:,}"),
}


def _print_results(folder: Path) -> None:
    run = json_module.loads((folder / "run.json").read_text())
    figures = json_module.loads((folder / "metrics.json").read_text())
    title = f"{run['name']}{' SIMULATED' if run['simulated'] else ''}"
    out.print(_figures_table({title: figures}))
    for note in run["notes"]:
        out.print(f"note: {note}", markup=False, soft_wrap=True)
    out.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def _print_demo(result: "DemoResult") -> None:
    out.print(_figures_table({f"{name} SIMULATED": figures for name, figures in result.figures.items()}))
    out.print("A simulated market with known positions; nothing here says anything about a real one.")
    for name, folder in result.folders.items():
        out.print(f"{name}: {folder / 'report.html'}", markup=False, soft_wrap=True)


def _figures_table(columns: dict[str, dict[str, Any]]) -> Table:
    table = new_table("", ("", *columns))
    for key, (label, form) in _FIGURES.items():
        values = [figures.get(key) for figures in columns.values()]
        table.add_row(label, *("–" if value is None else form.format(value) for value in values))
    return table
