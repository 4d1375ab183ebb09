"""The book fitted to what was liquidated."""

from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.calibrate_amounts import block_of as amounts_block
from liqstrat.cli.calibrate_amounts import print_amounts_calibration
from liqstrat.cli.options import Config, Database, Json, Symbol, Warmup, model_of, one_of, parsed, time_option
from liqstrat.cli.program import out, progress
from liqstrat.cli.shares import shares_table, together_text
from liqstrat.cli.text import new_table, print_json
from liqstrat.inputs import DEFAULT_DATABASE
from liqstrat.remarks import told_with_results

if TYPE_CHECKING:
    from liqstrat.calibration.calibrate import Calibration
    from liqstrat.scoring.mixture import Mixture


def calibrate(
    symbol: Symbol,
    start: Annotated[datetime, time_option("--from", help="First moment, UTC: 2024-03-01 or 2024-03-01T12:00.")],
    end: Annotated[datetime, time_option("--to", help="Up to this moment, UTC, itself not included.")],
    kind: Annotated[
        Any,
        typer.Option(
            parser=parsed(one_of("conserving", "ensemble")),
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
            parser=parsed(one_of("all", "some")),
            metavar="all|some",
            help="Whether all liquidations are recorded; default: all of a simulated market, some of a real one.",
        ),
    ] = None,
    source: Annotated[
        Any,
        typer.Option(
            "--by",
            parser=parsed(one_of("liquidations", "amounts", "open-interest")),
            metavar="liquidations|amounts|open-interest",
            help="What to fit to; default: the first of these that is recorded.",
        ),
    ] = None,
    target: Annotated[Path | None, typer.Option("--out", help="Write the [model] block to this file.")] = None,
    json: Json = False,
) -> None:
    """Fit the leverage mix, turnover and taker weight of the book to what was liquidated.

    Example: liqstrat calibrate BTCUSDT --from 2024-03-01 --to 2024-04-01 --out model.toml
    """
    from liqstrat.calibration.amounts_history import calibrate_amounts
    from liqstrat.calibration.block import write_block
    from liqstrat.calibration.history import calibrate_history
    from liqstrat.held import require_writable
    from liqstrat.market.store import open_store
    from liqstrat.scoring.amounts.history import recorded_by
    from liqstrat.scoring.mixture import fit_mixture

    if target:
        require_writable(target)
    settings, warmup = model_of(config), timedelta(days=warmup_days)
    with told_with_results() as told, open_store(db) as store:
        simulated = store.simulated(symbol)
        if kind == "ensemble":
            mixture = fit_mixture(store, symbol, start, end, settings, warmup, progress)
            print_mixture(symbol, mixture, simulated=simulated, json=json)
            block = mixture_block(symbol, mixture)
        elif (source or recorded_by(store, symbol)) == "amounts":
            fitted = calibrate_amounts(store, symbol, start, end, settings, warmup, progress)
            print_amounts_calibration(symbol, fitted, simulated=simulated, json=json)
            told(fitted.remarks)
            block = amounts_block(symbol, fitted)
        else:
            by = source.replace("-", " ") if source else None
            found = calibrate_history(
                store, symbol, start, end, settings, warmup, recorded=recorded, source=by, progress=progress
            )
            _print_calibration(symbol, found, simulated=simulated, json=json)
            block = block_of(symbol, found)
    if target:
        write_block(target, block)


def _print_calibration(symbol: str, found: "Calibration", *, simulated: bool, json: bool) -> None:
    if json:
        print_json(calibration_json(symbol, found, simulated))
        return
    out.print(f"{symbol}{' SIMULATED' if simulated else ''}: {source_text(found)}", markup=False, soft_wrap=True)
    out.print(shares_table(found.shares))
    for group in found.together:
        out.print(together_text(group), markup=False, soft_wrap=True)
    for one in found.flow:
        told = f"{one.low:g} to {one.high:g} not ruled out" if one.told else "the data do not tell; kept as it is"
        tried = ", ".join(f"{value:g}" for value in one.tried)
        out.print(f"{one.name} {one.value:g} ({told}; tried {tried})", markup=False, soft_wrap=True)
    out.print(verdict_text(found), markup=False, soft_wrap=True)
    out.print()
    out.print(block_of(symbol, found), markup=False, soft_wrap=True, end="")


def calibration_json(symbol: str, found: "Calibration", simulated: bool) -> dict[str, Any]:
    """All that was found, as plain values."""
    return {
        "symbol": symbol,
        "simulated": simulated,
        "better": found.better,
        "verdict": verdict_text(found),
        **asdict(found),
        "model": block_of(symbol, found),
    }


def block_of(symbol: str, found: "Calibration") -> str:
    """The recommended `[model]` block."""
    from liqstrat.calibration.block import model_block

    remarks = [f"{symbol}: {source_text(found)}.", verdict_text(found)]
    return model_block(found.settings, remarks)


def source_text(found: "Calibration") -> str:
    """What it was fitted to."""
    if found.source == "open interest":
        return (
            f"no liquidations used: fitted to falls of open interest in {found.observed:,} intervals, which is weaker "
            "and often says nothing"
        )
    how = "all that happened" if found.recorded == "all" else "an unknown part of what happened"
    return f"fitted to {found.observed:,} recorded liquidations, taken as {how}"


def verdict_text(found: "Calibration") -> str:
    """Whether to use the fit."""
    if found.stray:
        return (
            f"Only {found.explained:.0%} of the liquidations stand where the book has something: they cannot tell its "
            "leverage, the default is recommended."
        )
    if found.source == "open interest":
        return "Falls of open interest cannot be scored on days left out: the default is recommended."
    if not found.agree:
        return f"Fits from other starts end {found.apart:.2f} apart, the data do not tell: the default is recommended."
    from liqstrat.calibration.days import LEAST_GAIN

    held = found.held_out
    if held is None or held.low is None:
        return "There are not enough days to judge the fit on days it has not seen: the default is recommended."
    gain = (
        f"Half way to the fit maps score {held.gain:+.3f} bits ({held.low:+.3f} to {held.high:+.3f}) over the default's"
    )
    days = f"on {held.days} days left out of the fit"
    if held.better:
        return f"{gain} {days}: better, half way is recommended."
    how = "not better" if held.gain <= 0 else "no better than chance could do"
    if held.low > 0:
        far = f"{held.day:+.3f} within a day, worse" if held.day < 0 else "but the fit hardly changes the map"
        how = "too little" if held.gain < LEAST_GAIN else far
    return f"{gain} {days}: {how}, the default is recommended."


def print_mixture(symbol: str, found: "Mixture", *, simulated: bool, json: bool) -> None:
    if json:
        block = mixture_block(symbol, found)
        print_json({"symbol": symbol, "simulated": simulated, "better": found.better, **asdict(found), "model": block})
        return
    table = new_table(f"{symbol}{' SIMULATED' if simulated else ''}: mixture of models", ("model", "weight"))
    for kind, weight in found.weights.items():
        table.add_row(kind, f"{weight:.3f}")
    out.print(table)
    out.print(mixture_text(found), markup=False, soft_wrap=True)
    out.print()
    out.print(mixture_block(symbol, found), markup=False, soft_wrap=True, end="")


def mixture_block(symbol: str, found: "Mixture") -> str:
    """The recommended `[model]` block."""
    from liqstrat.calibration.block import model_block

    return model_block(found.settings, [f"{symbol}: weights of a mixture.", mixture_text(found)])


def mixture_text(found: "Mixture") -> str:
    """Whether to mix."""
    gain = found.over_best
    if gain.value is None or gain.low is None or gain.high is None:
        return f"{found.days} later days are too few to judge a mixture by: {found.best} alone is recommended."
    told = (
        f"{gain.value:+.3f} bits per liquidated contract ({gain.low:+.3f} to {gain.high:+.3f}) over {found.best} alone"
    )
    words = (
        "the mixture is recommended" if found.better else f"no better than chance could do, {found.best} is recommended"
    )
    return f"{told}, on {found.days} later days: {words}."
