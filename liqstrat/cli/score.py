"""Models held against what was really liquidated."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from liqstrat.cli.options import Config, Database, From, Json, Symbol, To, Warmup, kinds, model_of, one_of, parsed
from liqstrat.cli.program import out, progress
from liqstrat.cli.score_amounts import print_amounts
from liqstrat.cli.score_positions import print_positions
from liqstrat.cli.text import print_json
from liqstrat.errors import LiqstratError
from liqstrat.inputs import DEFAULT_DATABASE, minutes_of
from liqstrat.remarks import told_with_results

if TYPE_CHECKING:
    from liqstrat.liquidation.settings import ModelSettings
    from liqstrat.scoring.history import Scored
    from liqstrat.scoring.intervals import Estimate
    from liqstrat.scoring.positions import PositionsScore
    from liqstrat.scoring.trial import Row
    from liqstrat.scoring.verdict import Verdict


def score(
    symbol: Symbol,
    start: From = None,
    end: To = None,
    model: Annotated[
        Any, typer.Option(parser=parsed(kinds), metavar="LIST", help="conserving, large_trades, oi_candle, ensemble.")
    ] = None,
    config: Config = None,
    every: Annotated[
        Any, typer.Option(parser=parsed(minutes_of), metavar="LENGTH", help="How often maps are made: 5m … 1d.")
    ] = "1h",
    db: Database = DEFAULT_DATABASE,
    warmup_days: Warmup = 14,
    target: Annotated[Path | None, typer.Option("--out", help="Write a page with figures: page.html.")] = None,
    by: Annotated[
        Any,
        typer.Option(
            parser=parsed(one_of("prices", "amounts")),
            metavar="prices|amounts",
            help="Single liquidations, or amounts by interval; by default what is recorded.",
        ),
    ] = None,
    positions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Snapshots of real positions (CSV, Parquet), to hold distances against."),
    ] = None,
    json: Json = False,
    check_lookahead: Annotated[
        int, typer.Option(min=0, max=100, metavar="CUTS", help="Cut the data at so many moments; exit 1 on look-ahead.")
    ] = 0,
) -> None:
    """Score a model's maps against what was really liquidated, beside baselines that know little.

    Example: liqstrat score BTCUSDT --from 2024-03-01 --to 2024-03-31 --model conserving,oi_candle --out score.html
    """
    from liqstrat.market.store import open_store
    from liqstrat.pages import require_page, save_score_page
    from liqstrat.scoring.amounts.history import recorded_by, score_amounts
    from liqstrat.scoring.history import score_history

    if target is not None:
        require_page(target)
    settings = model_of(config)
    models = {kind: replace(settings, kind=kind) for kind in model or [settings.kind]}
    warmup, length = timedelta(days=warmup_days), timedelta(minutes=every)
    with told_with_results() as told:
        if positions is not None:
            held = _score_positions(positions, db, symbol, models, warmup)
            print_positions(held, json=json)
            told(held.remarks)
            return
        with open_store(db) as store:
            if (by or recorded_by(store, symbol)) == "amounts":
                if target is not None:
                    raise LiqstratError("--out: scores by amounts have no page; use --json for all figures")
                found = score_amounts(store, symbol, start, end, models, warmup=warmup, progress=progress)
                print_amounts(found, json=json)
                told(found.remarks)
                return
            scored = score_history(
                store, symbol, start, end, models, warmup=warmup, every=length, cuts=check_lookahead, progress=progress
            )
            if target is not None:
                save_score_page(store, scored, models, warmup, length, target, progress)
        _print_score(scored, json=json)
        told(scored.remarks)
    if target is not None and not json:
        out.print(f"page: {target}", markup=False, soft_wrap=True)
    if any(scored.lookahead.values()):
        raise typer.Exit(1)


def _score_positions(
    path: Path, db: Path, symbol: str, models: "dict[str, ModelSettings]", warmup: timedelta
) -> "PositionsScore":
    from liqstrat.market.store import open_store
    from liqstrat.scoring.positions import read_positions, score_positions

    held = read_positions(path, symbol)
    with open_store(db) as store:
        return score_positions(store, symbol, held, models, warmup=warmup, progress=progress)


_STYLE = {True: "green", False: "yellow"}


def _print_score(scored: "Scored", *, json: bool) -> None:
    """Tables of all models and baselines, the verdicts, and what the record leaves out."""
    if json:
        print_json(scored.to_json())
        return
    result = scored.score
    out.print(
        f"{scored.symbol}{' SIMULATED' if scored.simulated else ''}  judged {result.judged_from:%Y-%m-%d %H:%M} – "
        f"{result.end:%Y-%m-%d %H:%M} UTC ({result.days} days, learnt from since {result.start:%Y-%m-%d}): "
        f"{result.liquidations:,} liquidations, {result.liquidated:,.1f} contracts; {result.bands:,} reached bands",
        soft_wrap=True,
    )
    out.print(_whole(scored))
    out.print(_added(scored))
    for name in result.verdicts:
        out.print(_by_part(scored, name))
        if result.tiers.get(name):
            out.print(_by_leverage(scored, name))
    for name, verdict in [
        *result.verdicts.items(),
        *([("overall", result.overall)] if len(result.verdicts) > 1 else []),
    ]:
        out.print(f"{name}: {_words(verdict)} ({verdict.reason})", soft_wrap=True)
    for remark in scored.remarks:
        out.print(f"note: {remark}", markup=False, soft_wrap=True)
    for name, found in scored.lookahead.items():
        out.print(
            f"{name}: {found or 'no look-ahead found: maps are the same without what came after'}", soft_wrap=True
        )


def row_name(row: "Row") -> str:
    """A forecast's name, with the model whose map was shuffled."""
    return f"{row.name} {row.baseline_of}" if row.baseline_of else row.name


def estimate_text(estimate: "Estimate", decimals: int = 2) -> str:
    """Value and interval."""
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.{decimals}f}"
    return f"{estimate.value:.{decimals}f} ({estimate.low:.{decimals}f} to {estimate.high:.{decimals}f})"


def _whole(scored: "Scored") -> Table:
    table = _table(
        "All reached bands, with 95 % intervals over days",
        ("forecast", "lift", "at equal distance", "rank", "bits over uniform", "adds to both"),
    )
    for row in scored.score.rows:
        if row.group == "all":
            table.add_row(row_name(row), *_figures(row), style="dim" if row.baseline else None)
    return table


def _added(scored: "Scored") -> Table:
    result = scored.score
    largest = next(iter(result.added.values()))
    level = f", {100 - 5 / len(result.added):.3g} % intervals for {len(result.added)} models"
    table = _table(
        f"What maps add, in bits{level if len(result.added) > 1 else ''}. Recency adds {estimate_text(result.recency)} "
        f"to distance. The largest day, {largest.largest_day}, holds {largest.largest_share:.0%} of the contracts",
        (
            "forecast",
            "to distance",
            "recency explains",
            "to both",
            "without largest day",
            "every contract alike",
            "days",
        ),
    )
    for name, added in result.added.items():
        explained = "–" if added.explained is None else f"{added.explained:.0%}"
        figures = (added.to_distance, added.to_both, added.without_largest, added.by_contracts)
        distance, both, rest, contracts = (estimate_text(one) for one in figures)
        days = "–" if added.days_needed is None else f"{added.days_needed:,}"
        table.add_row(name, distance, explained, both, rest, contracts, days)
    return table


def _by_part(scored: "Scored", name: str) -> Table:
    table = _table(
        f"{name}, by side and by distance from price",
        ("part", "bands", "contracts", "lift", "at equal distance", "rank", "bits over uniform", "adds to both"),
    )
    for row in scored.score.rows:
        if row.name == name and row.group != "all":
            table.add_row(row.group, f"{row.bands:,}", f"{row.contracts:,.1f}", *_figures(row))
    return table


def _by_leverage(scored: "Scored", name: str) -> Table:
    table = _table(
        f"{name}, by leverage (liquidated contracts attributed by the map's own shares)",
        ("leverage", "predicted", "attributed", "realised to usual", "lift"),
    )
    for tier in scored.score.tiers[name]:
        amounts = f"{tier.predicted:,.1f}", f"{tier.attributed:,.1f}"
        table.add_row(f"{tier.leverage}x", *amounts, estimate_text(tier.ratio), estimate_text(tier.lift))
    return table


def _figures(row: "Row") -> list[str]:
    return [estimate_text(one) for one in (row.lift, row.lift_at_equal_distance, row.rank, row.bits, row.adds)]


def _words(verdict: "Verdict") -> str:
    return f"[{_STYLE[verdict.better]}]{verdict.words}[/]"


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name in ("forecast", "part") else "right")
    return table
