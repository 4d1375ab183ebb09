"""The liquidation map at a moment, and maps over time."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import Config, Database, From, Json, Symbol, To, Warmup, model_of, parsed, time_option
from liqstrat.cli.program import out, progress
from liqstrat.cli.text import SIDE_STYLE, amount_text, new_table, price_text, print_json
from liqstrat.inputs import DEFAULT_DATABASE, minutes_of
from liqstrat.moments import at_ns

if TYPE_CHECKING:
    from liqstrat.liquidation.clusters import Cluster
    from liqstrat.liquidation.map import LiquidationMap


def levels(
    symbol: Symbol,
    at: Annotated[datetime | None, time_option("--at", help="Moment, UTC; default the last open interest.")] = None,
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
        (known,) = maps_at(store, symbol, [moment], model_of(config), timedelta(days=warmup_days), progress)
        simulated = store.simulated(symbol)
    _print_levels(known, find_clusters(known), simulated=simulated, json=json)


def heatmap(
    symbol: Symbol,
    target: Annotated[Path, typer.Option("--out", help=".parquet for the rows, .html for the picture.")],
    start: From = None,
    end: To = None,
    every: Annotated[
        Any, typer.Option(parser=parsed(minutes_of), metavar="LENGTH", help="5m, 15m, 1h, 4h or 1d.")
    ] = "1h",
    config: Config = None,
    db: Database = DEFAULT_DATABASE,
    warmup_days: Warmup = 14,
    json: Json = False,
) -> None:
    """Estimate liquidation maps over time and write them as rows or as a picture.

    Example: liqstrat heatmap BTCUSDT --from 2024-03-01 --to 2024-03-08 --every 1h --out heatmap.html
    """
    from liqstrat.maps import marks, period
    from liqstrat.market.store import open_store
    from liqstrat.pages import save_heatmap

    with open_store(db) as store:
        first, last = period(store, symbol, start, end, every)
        moments, warmup = marks(first, last, every), timedelta(days=warmup_days)
        rows = save_heatmap(store, symbol, moments, model_of(config), warmup, target, progress)
        simulated = store.simulated(symbol)
    late = start is not None and start != first
    notes = [f"there is no open interest before; the first map is of {first:%Y-%m-%d %H:%M}"] if late else []
    if json:
        facts = {"file": target, "symbol": symbol, "simulated": simulated, "maps": len(moments), "rows": rows}
        print_json({**facts, "start": first.isoformat(), "end": moments[-1].isoformat(), "notes": notes})
        return
    out.print(f"{target}: {len(moments):,} maps of {symbol}, {rows:,} rows", markup=False, soft_wrap=True)
    for note in notes:
        out.print(f"note: {note}", markup=False, soft_wrap=True)


def _print_levels(levels: "LiquidationMap", clusters: Sequence["Cluster"], *, simulated: bool, json: bool) -> None:
    if json:
        print_json(_levels_json(levels, clusters, simulated))
        return
    moment = at_ns(levels.time_ns)
    out.print(
        f"{levels.symbol}{' SIMULATED' if simulated else ''}  {moment:%Y-%m-%d %H:%M} UTC  "
        f"price {price_text(levels.price)}  open interest {levels.open_interest:,.1f} contracts "
        f"({amount_text(levels.open_interest * levels.contract.worth(levels.price))} {levels.contract.quote})"
    )
    columns = ("side", "from", "to", "distance", "contracts", levels.contract.quote, "mostly", "age", "share")
    table = new_table("Clusters (estimated)", columns)
    for c in sorted(clusters, key=lambda c: -c.price):
        tier, part = max(c.leverage.items(), key=lambda item: item[1])
        table.add_row(
            f"[{SIDE_STYLE[c.side]}]{c.side}[/]",
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


def _levels_json(levels: "LiquidationMap", clusters: Sequence["Cluster"], simulated: bool) -> dict[str, Any]:
    bins: dict[tuple[str, float], dict[str, Any]] = {}
    for side, low, high, leverage, contracts in _rows(levels):
        entry = bins.setdefault(
            (side, low),
            {"side": side, "price_low": low, "price_high": high, "contracts": 0.0, "notional": 0.0, "by_leverage": {}},
        )
        entry["contracts"] += contracts
        entry["notional"] += contracts * levels.contract.worth((low * high) ** 0.5)
        entry["by_leverage"][str(leverage)] = contracts
    return {
        "symbol": levels.symbol,
        "simulated": simulated,
        "time": at_ns(levels.time_ns).isoformat(),
        "price": levels.price,
        "open_interest": levels.open_interest,
        "quote": levels.contract.quote,
        "seeded_share": levels.seeded_share,
        "without_liquidation_price": {
            "long": float(levels.long_unplaced.sum()),
            "short": float(levels.short_unplaced.sum()),
        },
        "bins": sorted(bins.values(), key=lambda b: (b["side"], b["price_low"])),
        "clusters": [asdict(c) for c in clusters],
    }


def _rows(levels: "LiquidationMap") -> Iterable[tuple[str, float, float, int, float]]:
    columns = levels.columns()
    return zip(*(columns[name].tolist() for name in columns), strict=True)
