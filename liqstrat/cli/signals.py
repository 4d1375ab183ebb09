"""What levels said at a moment."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import Config, Database, Json, Symbol, Warmup, model_of, override, parsed, time_option
from liqstrat.cli.program import out, progress
from liqstrat.cli.text import SIDE_STYLE, new_table, price_text, print_json
from liqstrat.inputs import DEFAULT_DATABASE
from liqstrat.moments import at_ns

if TYPE_CHECKING:
    from liqstrat.liquidation.signals import Signal, SignalRules
    from liqstrat.sweeps import Standing


def signals(
    symbol: Symbol,
    at: Annotated[datetime | None, time_option("--at", help="Moment, UTC; default the last open interest.")] = None,
    settings: Annotated[
        list[Any] | None,
        typer.Option(
            "--set", parser=parsed(override), metavar="KEY=VALUE", help="A parameter of the rules, as watch=0.02."
        ),
    ] = None,
    config: Config = None,
    db: Database = DEFAULT_DATABASE,
    warmup_days: Warmup = 14,
    json: Json = False,
) -> None:
    """Say what levels said at a moment, from what was known then: AVOID, WAIT, REVERSAL or WITH, and why.

    Example: liqstrat signals BTCUSDT --at 2024-03-05T12:00 --set watch=0.02
    """
    from liqstrat.liquidation.signals import SignalRules
    from liqstrat.maps import last_known
    from liqstrat.market.store import open_store
    from liqstrat.sweeps import standing_at

    rules, model = SignalRules.of(dict(settings or [])), model_of(config)
    with open_store(db) as store:
        moment = at or last_known(store, symbol)
        standing = standing_at(store, symbol, moment, model, timedelta(days=warmup_days), progress)
        simulated = store.simulated(symbol)
    found = standing.signals(rules)
    if json:
        print_json(_json(standing, rules, found, simulated=simulated))
    else:
        _print(standing, rules, found, simulated=simulated)


_STYLE = {"AVOID": "yellow", "WAIT": "dim", "REVERSAL": "cyan", "WITH": "magenta"}


def _print(standing: "Standing", rules: "SignalRules", found: Sequence["Signal"], *, simulated: bool) -> None:
    known = standing.map
    moment = at_ns(known.time_ns)
    out.print(
        f"{known.symbol}{' SIMULATED' if simulated else ''}  {moment:%Y-%m-%d %H:%M} UTC  "
        f"price {price_text(known.price)}"
    )
    if not found:
        far = f"no strong level stands within {rules.watch:.2%} of price, and none was run through lately"
        out.print(f"Nothing: {far}; --set watch=0.05 looks farther.", markup=False)
        return
    table = new_table("", ("kind", "side", "strength", "level", "distance", "why"))
    table.columns[-1].justify = "left"
    for one in found:
        table.add_row(
            f"[{_STYLE[one.kind]}]{one.kind}[/]",
            f"[{SIDE_STYLE[one.way]}]{one.way}[/]",
            f"{one.strength:.2f}",
            price_text(one.level.price),
            f"{one.distance:+.2%}",
            one.reason,
        )
    out.print(table)
    out.print("Side: to be on, for REVERSAL and WITH; that of the level's forced orders, for AVOID and WAIT.")


def _json(standing: "Standing", rules: "SignalRules", found: Sequence["Signal"], *, simulated: bool) -> dict[str, Any]:
    return {
        "symbol": standing.map.symbol,
        "simulated": simulated,
        "time": at_ns(standing.map.time_ns).isoformat(),
        "price": standing.map.price,
        "rules": asdict(rules),
        "signals": [asdict(one) for one in found],
    }
