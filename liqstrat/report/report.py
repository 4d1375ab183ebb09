"""A run's report: one HTML file from its results folder alone."""

from html import escape
from pathlib import Path

from liqstrat.liquidation.contract import contract_of
from liqstrat.report.candles import read_candles
from liqstrat.report.cards import cards_html, strategies_html
from liqstrat.report.drawings import draw
from liqstrat.report.equity import equity_figure
from liqstrat.report.heading import heading_html, small_print_html
from liqstrat.report.heatmap import heatmap_figure, heatmap_html
from liqstrat.report.levels_map import map_figure
from liqstrat.report.numbers import moment
from liqstrat.report.page import plot_html, write_page
from liqstrat.report.raster import MOST_CELLS
from liqstrat.report.rolling import rolling_figure
from liqstrat.report.spec import Spec
from liqstrat.report.tables import Results, read_results
from liqstrat.report.tearsheet import tearsheet_html
from liqstrat.report.trade_table import trades_html


def write_report(folder: Path) -> Path:
    """Write `report.html` into the results folder `folder` and return its path.

    The same results give the same bytes. Raises `LiqstratError` where the folder is not that of a run.
    """
    results = read_results(folder)
    run = results.run
    heatmaps = {symbol: _heatmap(results, symbol) for symbol in run.symbols}
    plots = {symbol: f"plot-heatmap-{symbol}" for symbol, figure in heatmaps.items() if figure is not None}
    sections = [_section("Equity", _equity(results)), _rolling(results), tearsheet_html(results.metrics, run.quote)]
    for symbol, figure in heatmaps.items():
        sections += [_heatmap_section(symbol, figure), _map_section(results, symbol)]
    sections.append(_section("Trades", trades_html(results.positions.to_pylist(), plots, run.quote), "trades"))
    title = f"{run.title} SIMULATED" if run.simulated else run.title
    head = heading_html(run) + cards_html(results.metrics, run.quote) + strategies_html(results.metrics)
    return write_page(folder / "report.html", title, head + "".join(sections) + small_print_html(run))


def _section(heading: str, content: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{escape(heading)}</h2>{content}</section>'


def _empty(text: str) -> str:
    return f'<p class="empty">{escape(text)}</p>'


def _equity(results: Results) -> str:
    if not len(results.equity):
        return _empty("No equity was recorded.")
    balance = results.run.config.get("venue", {}).get("balance")
    start = None if balance is None else float(balance)
    figure = equity_figure(results.equity, start, simulated=results.run.simulated, quote=results.run.quote)
    return plot_html("equity", figure, "Equity, drawdown and position over time")


def _rolling(results: Results) -> str:
    """The Sharpe ratio of a moving window; an empty text where the run is hardly longer than that."""
    figure = rolling_figure(results.equity, simulated=results.run.simulated)
    if figure is None:
        return ""
    days = figure["layout"]["meta"]["days"]
    how = f'<p class="how">Of the hourly returns of the {days} days before; where it wanders, so does the edge.</p>'
    return _section("Rolling Sharpe", how + plot_html("rolling", figure, "Rolling Sharpe over time"))


def _heatmap(results: Results, symbol: str) -> Spec | None:
    most_cells = MOST_CELLS // len(results.run.symbols)
    levels, candles = results.levels(symbol, most_cells), results.candles(symbol)
    if not len(levels) and not len(candles):
        return None
    figure = heatmap_figure(
        levels,
        candles,
        results.positions_of(symbol),
        simulated=results.run.simulated,
        most_cells=most_cells,
        contract=contract_of(symbol),
    )
    draw(figure, results.plots(symbol), results.notes(symbol), read_candles(candles))
    return figure


def _heatmap_section(symbol: str, figure: Spec | None) -> str:
    heading = f"{symbol} liquidation heatmap"
    if figure is None:
        return _section(heading, _empty("Neither levels nor candles were recorded."))
    levels = any(trace["type"] == "heatmap" for trace in figure["data"])
    missing = "" if levels else _empty("No levels were recorded: there was no open interest yet, or none near price.")
    if left_out := figure["layout"]["meta"]["left_out"]:
        missing += _empty(f"{left_out} more plots of strategies are in plots.parquet.")
    return _section(heading, missing + heatmap_html(f"heatmap-{symbol}", figure, heading))


def _map_section(results: Results, symbol: str) -> str:
    heading = f"{symbol} liquidation map at the end, {moment(results.run.end)} UTC"
    levels = results.last_map(symbol)
    if not len(levels):
        return _section(heading, _empty("The map is empty."))
    price = levels["price"][0].as_py()
    contract = contract_of(symbol)
    figure = map_figure(levels, price, span=results.run.span, simulated=results.run.simulated, contract=contract)
    how = (
        f'<p class="how">{contract.quote} that would be liquidated at each price, by assumed leverage. '
        "The curves add it up from the current price outwards: what a move to there would liquidate in all.</p>"
    )
    return _section(heading, how + plot_html(f"map-{symbol}", figure, heading))
