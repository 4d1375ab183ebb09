"""The liquidation map at a moment, and maps over time."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import (
    Config,
    Database,
    From,
    Json,
    Symbol,
    To,
    Warmup,
    model_of,
    parsed,
    time_option,
    venue_names,
)
from liqstrat.cli.program import out, progress
from liqstrat.cli.text import SIDE_STYLE, amount_text, new_table, price_text, print_json
from liqstrat.errors import LiqstratError
from liqstrat.inputs import DEFAULT_DATABASE, minutes_of
from liqstrat.liquidation.contract import symbol_at
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
    venues: Annotated[
        Any,
        typer.Option(parser=parsed(venue_names), metavar="LIST", help="One map of several, in USD: binance,bybit."),
    ] = None,
    with_band: Annotated[
        bool, typer.Option("--band", help="Also how uncertain it is, by 24 books of other settings (takes longer).")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON with every bin.")] = False,
) -> None:
    """Estimate the liquidation map at a moment, from what was known then.

    Example: liqstrat levels BTCUSDT --at 2024-03-05T12:00
    """
    from liqstrat.liquidation.clusters import find_clusters
    from liqstrat.liquidation.together import together
    from liqstrat.maps import band_words, last_known, map_of_venues, maps_at
    from liqstrat.market.store import open_store

    if with_band and venues:
        raise LiqstratError("--band is of one market's map, leave out --venues")
    symbols = [symbol_at(symbol, venue) for venue in venues] if venues else [symbol]
    with open_store(db) as store:
        moment = at or min(last_known(store, one) for one in symbols)
        warmup, settings = timedelta(days=warmup_days), model_of(config)
        if with_band:
            maps = list(maps_at(store, symbol, [moment], settings, warmup, progress, banded=True))
        else:
            maps = map_of_venues(store, symbols, moment, settings, warmup, progress)
        simulated = any(store.simulated(one) for one in symbols)
    known = together(f"{symbol} at {' + '.join(venues)}", maps) if venues else maps[0]
    clusters, parts = find_clusters(known), maps if venues else []
    if json:
        print_json(_levels_json(known, clusters, parts, simulated))
        return
    _print_levels(known, clusters, parts, simulated=simulated)
    if known.band is not None:
        out.print(band_words(known.band), soft_wrap=True)


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
    with_band: Annotated[
        bool, typer.Option("--band", help="Also the least and the most that may stand there (takes longer).")
    ] = False,
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
        rows = save_heatmap(store, symbol, moments, model_of(config), warmup, target, progress, banded=with_band)
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


def _print_levels(
    levels: "LiquidationMap",
    clusters: Sequence["Cluster"],
    parts: Sequence["LiquidationMap"],
    *,
    simulated: bool,
) -> None:
    """parts: the markets that `levels` is the sum of, if it is one."""
    moment = at_ns(levels.time_ns)
    worth = f"{amount_text(levels.open_interest * levels.contract.worth(levels.price))} {levels.contract.quote}"
    interest = worth if parts else f"{levels.open_interest:,.1f} contracts ({worth})"
    out.print(
        f"{levels.symbol}{' SIMULATED' if simulated else ''}  {moment:%Y-%m-%d %H:%M} UTC  "
        f"price {price_text(levels.price)}  open interest {interest}"
    )
    for one in parts:
        held = one.open_interest * one.contract.worth(one.price)
        out.print(
            f"{one.symbol}: {one.open_interest:,.1f} contracts at {price_text(one.price)}, {amount_text(held)} "
            f"{one.contract.quote}, {held / levels.open_interest:.0%} of all",
            soft_wrap=True,
        )
    columns = ["side", "from", "to", "distance", "contracts", levels.contract.quote, "mostly", "age", "share"]
    if parts:
        columns.remove("contracts")
    if levels.band is not None:
        columns.insert(5, "90 % band")
    table = new_table("Clusters (estimated)", tuple(columns))
    for c in sorted(clusters, key=lambda c: -c.price):
        tier, part = max(c.leverage.items(), key=lambda item: item[1])
        table.add_row(
            f"[{SIDE_STYLE[c.side]}]{c.side}[/]",
            price_text(c.price_low),
            price_text(c.price_high),
            f"{c.distance:+.2%}",
            *([] if parts else [f"{c.contracts:,.1f}"]),
            *([] if c.band is None else ["{:,.1f} – {:,.1f}".format(*c.band)]),
            amount_text(c.notional),
            f"{tier}x ({part:.0%})",
            f"{c.age_hours:,.0f} h",
            f"{c.strength:.0%}",
        )
    out.print(table)
    out.print(f"Share: of {'all dollars' if parts else 'the contracts'} of that side within 20 % of price.")
    if levels.seeded_share >= 0.01:
        out.print(
            f"{levels.seeded_share:.0%} of the open interest was open before the history used; "
            "it is assumed to have been opened at its first prices."
        )


def _levels_json(
    levels: "LiquidationMap",
    clusters: Sequence["Cluster"],
    parts: Sequence["LiquidationMap"],
    simulated: bool,
) -> dict[str, Any]:
    bins: dict[tuple[str, float], dict[str, Any]] = {}
    for side, low, high, leverage, contracts in _rows(levels):
        entry = bins.setdefault(
            (side, low),
            {"side": side, "price_low": low, "price_high": high, "contracts": 0.0, "notional": 0.0, "by_leverage": {}},
        )
        entry["contracts"] += contracts
        entry["notional"] += contracts * levels.contract.worth((low * high) ** 0.5)
        entry["by_leverage"][str(leverage)] = contracts
    if levels.band is not None:
        for one in bins.values():
            one["band"] = list(levels.band.between(one["side"], one["price_low"], one["price_high"]))
    return {
        "symbol": levels.symbol,
        "simulated": simulated,
        "time": at_ns(levels.time_ns).isoformat(),
        "price": levels.price,
        "open_interest": levels.open_interest,
        "quote": levels.contract.quote,
        **({"venues": {one.symbol: one.open_interest for one in parts}} if parts else {}),
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
    names = ("side", "price_low", "price_high", "leverage", "contracts")
    return zip(*(columns[name].tolist() for name in names), strict=True)
