"""Liquidation prices and maps, printed."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from liqstrat.liquidation.brackets import DEFAULT_SYMBOL, BracketTable
from liqstrat.liquidation.calculator import HIGH_RISK_BELOW, LOW_RISK_FROM, PositionRisk
from liqstrat.liquidation.clusters import Cluster
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.printing.text import amount_text, new_table, price_text, print_json

_RISK_STYLE = {"high": "red", "medium": "yellow", "low": "green"}


_SIDE_STYLE = {"long": "green", "short": "red"}


def print_risks(
    out: Console,
    risks: Sequence[PositionRisk],
    entry: float,
    notional: float,
    symbol: str,
    brackets: BracketTable,
    *,
    json: bool,
) -> None:
    source = {"symbol": symbol, "brackets": brackets.symbol, "as_of": brackets.as_of.isoformat()}
    if json:
        print_json(out, {**source, "entry": entry, "notional": notional, "positions": [asdict(r) for r in risks]})
        return
    table = new_table(
        f"{symbol}: {notional:,.0f} USDT opened at {price_text(entry)}, isolated margin",
        ("leverage", "side", "liquidated at", "distance", "USDT", "maintenance", "amount", "risk"),
    )
    for r in risks:
        too_high = r.leverage > r.allowed_leverage
        table.add_row(
            f"{r.leverage}x" + (" *" if too_high else ""),
            f"[{_SIDE_STYLE[r.side]}]{r.side}[/]",
            price_text(r.liquidation_price) if r.liquidation_price else "never",
            f"{r.distance:.2%}" if r.distance is not None else "–",
            price_text(r.distance_usdt) if r.distance_usdt is not None else "–",
            f"{r.maintenance_rate:.2%}",
            f"{r.maintenance_amount:,.0f}",
            f"[{_RISK_STYLE[r.risk]}]{r.risk}[/]",
        )
    out.print(table)
    out.print(
        f"Risk by distance: high under {HIGH_RISK_BELOW:.0%}, low from {LOW_RISK_FROM:.0%}, else medium. "
        f"Brackets: {_bracket_source(symbol, brackets)}."
    )
    if any(r.leverage > r.allowed_leverage for r in risks):
        out.print(f"* the exchange allows {risks[0].allowed_leverage}x at most for this notional")


def _bracket_source(symbol: str, brackets: BracketTable) -> str:
    if brackets.symbol == DEFAULT_SYMBOL:
        return f"{symbol} has none here; a typical mid-sized market's ({brackets.as_of}) are assumed"
    return f"{brackets.symbol} as of {brackets.as_of}"


def print_levels(
    out: Console, levels: LiquidationMap, clusters: Sequence[Cluster], *, simulated: bool, json: bool
) -> None:
    if json:
        print_json(out, _levels_json(levels, clusters, simulated))
        return
    moment = datetime.fromtimestamp(levels.time_ns / 1e9, UTC)
    out.print(
        f"{levels.symbol}{' SIMULATED' if simulated else ''}  {moment:%Y-%m-%d %H:%M} UTC  "
        f"price {price_text(levels.price)}  open interest {levels.open_interest:,.1f} contracts "
        f"({amount_text(levels.open_interest * levels.price)} USDT)"
    )
    table = new_table(
        "Clusters (estimated)", ("side", "from", "to", "distance", "contracts", "USDT", "mostly", "age", "share")
    )
    for c in sorted(clusters, key=lambda c: -c.price):
        tier, part = max(c.leverage.items(), key=lambda item: item[1])
        table.add_row(
            f"[{_SIDE_STYLE[c.side]}]{c.side}[/]",
            price_text(c.price_low),
            price_text(c.price_high),
            f"{c.distance:+.2%}",
            f"{c.contracts:,.1f}",
            amount_text(c.notional),
            f"{tier}x ({part:.0%})",
            f"{c.age_hours:,.0f} h",
            f"{c.strength:.0%}",
        )
    out.print(table)
    out.print("Share: of that side's contracts within 20 % of price.")
    if levels.seeded_share >= 0.01:
        out.print(
            f"{levels.seeded_share:.0%} of the open interest was open before the history used; "
            "it is assumed to have been opened at its first prices."
        )


def _levels_json(levels: LiquidationMap, clusters: Sequence[Cluster], simulated: bool) -> dict[str, Any]:
    bins: dict[tuple[str, float], dict[str, Any]] = {}
    for side, low, high, leverage, contracts in _rows(levels):
        entry = bins.setdefault(
            (side, low),
            {"side": side, "price_low": low, "price_high": high, "contracts": 0.0, "notional": 0.0, "by_leverage": {}},
        )
        entry["contracts"] += contracts
        entry["notional"] += contracts * (low * high) ** 0.5
        entry["by_leverage"][str(leverage)] = contracts
    return {
        "symbol": levels.symbol,
        "simulated": simulated,
        "time": datetime.fromtimestamp(levels.time_ns / 1e9, UTC).isoformat(),
        "price": levels.price,
        "open_interest": levels.open_interest,
        "seeded_share": levels.seeded_share,
        "without_liquidation_price": {
            "long": float(levels.long_unplaced.sum()),
            "short": float(levels.short_unplaced.sum()),
        },
        "bins": sorted(bins.values(), key=lambda b: (b["side"], b["price_low"])),
        "clusters": [asdict(c) for c in clusters],
    }


def _rows(levels: LiquidationMap) -> Iterable[tuple[str, float, float, int, float]]:
    columns = levels.columns()
    return zip(*(columns[name].tolist() for name in columns), strict=True)
