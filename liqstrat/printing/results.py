"""The figures of runs, printed."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from liqstrat.printing.text import new_table

if TYPE_CHECKING:
    from liqstrat.demo import DemoResult


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


def print_results(out: Console, folder: Path) -> None:
    run = json_module.loads((folder / "run.json").read_text())
    figures = json_module.loads((folder / "metrics.json").read_text())
    title = f"{run['name']}{' SIMULATED' if run['simulated'] else ''}"
    out.print(_figures_table({title: figures}))
    for note in run["notes"]:
        out.print(f"note: {note}", markup=False, soft_wrap=True)
    out.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def print_demo(out: Console, result: "DemoResult") -> None:
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
