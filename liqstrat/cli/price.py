"""Where a position is liquidated."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import Json, leverages, parsed, time_option
from liqstrat.cli.program import out
from liqstrat.cli.text import SIDE_STYLE, new_table, price_text, print_json

if TYPE_CHECKING:
    from liqstrat.liquidation.brackets import BracketTable
    from liqstrat.liquidation.calculator import PositionRisk


def price(
    entry: Annotated[float, typer.Argument(min=0, help="Entry price.")],
    leverage: Annotated[
        Any, typer.Option(parser=parsed(leverages), metavar="LIST", help="Leverages, as 5,10,25.")
    ] = "5,10,25,50,100,125",
    notional: Annotated[float, typer.Option(min=0, help="Its worth, in the currency of prices.")] = 10_000,
    symbol: Annotated[str, typer.Option(help="Whose leverage brackets apply.")] = "BTCUSDT",
    at: Annotated[datetime | None, time_option("--at", help="Whose day's brackets apply; default today.")] = None,
    json: Json = False,
) -> None:
    """Calculate where a position is liquidated, long and short.

    Inverse contracts, as BTCUSD_PERP, have their size in USD and margin and losses in the coin.

    Example: liqstrat price 60000 --leverage 5,10,25,50,100,125 --notional 250000
    """
    from liqstrat.liquidation.brackets import brackets_for
    from liqstrat.liquidation.calculator import position_risks, require_contract

    require_contract(symbol.upper())
    brackets = brackets_for(symbol.upper(), at or datetime.now(UTC))
    try:
        risks = position_risks(entry, leverage, brackets, notional)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _print_risks(risks, entry, notional, symbol.upper(), brackets, json=json)


_RISK_STYLE = {"high": "red", "medium": "yellow", "low": "green"}


def _print_risks(
    risks: Sequence["PositionRisk"],
    entry: float,
    notional: float,
    symbol: str,
    brackets: "BracketTable",
    *,
    json: bool,
) -> None:
    from liqstrat.liquidation.calculator import HIGH_RISK_BELOW, LOW_RISK_FROM

    quote, margin = brackets.contract.quote, brackets.contract.margin
    source = {"symbol": symbol, "brackets": brackets.symbol, "as_of": brackets.as_of.isoformat()}
    if json:
        units = {"quote": quote, "margin": margin}
        print_json({**source, **units, "entry": entry, "notional": notional, "positions": [asdict(r) for r in risks]})
        return
    size = "" if brackets.contract.size is None else f", {notional / brackets.contract.size:,.10g} contracts"
    table = new_table(
        f"{symbol}: {notional:,.0f} {quote}{size} opened at {price_text(entry)}, isolated margin",
        ("leverage", "side", "liquidated at", "distance", quote, f"loss, {margin}", "maintenance", "amount", "risk"),
    )
    for r in risks:
        too_high = r.leverage > r.allowed_leverage
        table.add_row(
            f"{r.leverage}x" + (" *" if too_high else ""),
            f"[{SIDE_STYLE[r.side]}]{r.side}[/]",
            price_text(r.liquidation_price) if r.liquidation_price else "never",
            f"{r.distance:.2%}" if r.distance is not None else "–",
            price_text(r.distance_quote) if r.distance_quote is not None else "–",
            price_text(r.loss) if r.loss is not None else "–",
            f"{r.maintenance_rate:.2%}",
            price_text(r.maintenance_amount) if brackets.contract.inverse else f"{r.maintenance_amount:,.0f}",
            f"[{_RISK_STYLE[r.risk]}]{r.risk}[/]",
        )
    out.print(table)
    out.print(
        f"Risk by distance: high under {HIGH_RISK_BELOW:.0%}, low from {LOW_RISK_FROM:.0%}, else medium. "
        f"Brackets: {_bracket_source(symbol, brackets)}."
    )
    if any(r.leverage > r.allowed_leverage for r in risks):
        out.print(f"* the exchange allows {risks[0].allowed_leverage}x at most for this notional")


def _bracket_source(symbol: str, brackets: "BracketTable") -> str:
    from liqstrat.liquidation.brackets import DEFAULT_SYMBOL

    if brackets.symbol == DEFAULT_SYMBOL:
        what = "bracket, of any size, is" if brackets.contract.inverse else f"({brackets.as_of}) are"
        return f"{symbol} has none here; a typical mid-sized market's {what} assumed"
    if brackets.symbol != symbol:
        return f"{symbol} has none here; those of {brackets.symbol} ({brackets.as_of}) are assumed"
    return f"{brackets.symbol} as of {brackets.as_of}"
