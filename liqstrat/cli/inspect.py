"""What history there is and what is wrong with it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import Database, Json
from liqstrat.cli.program import out, progress
from liqstrat.cli.text import new_table, price_text, print_json
from liqstrat.inputs import DEFAULT_DATABASE

if TYPE_CHECKING:
    from liqstrat.market.inspect import KindSummary
    from liqstrat.market.quality import Quality


def inspect(
    symbol: Annotated[
        str | None, typer.Argument(help="One symbol, looked at closely; a summary of all without.")
    ] = None,
    db: Database = DEFAULT_DATABASE,
    json: Json = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where anything is missing.")] = False,
) -> None:
    """Say what history there is: range, rows and missing days; of one symbol also gaps and what cannot be right.

    Example: liqstrat inspect BTCUSDT --strict
    """
    from liqstrat.market.inspect import inspect as run
    from liqstrat.market.quality import examine
    from liqstrat.market.store import open_store

    with open_store(db) as store:
        if symbol is None and not strict:
            _print_inspection(run(store), json=json)
            return
        found = [examine(store, name, progress=progress) for name in ([symbol] if symbol else store.symbols())]
    _print_qualities(found, json=json)
    if strict and any(quality.has_gaps for quality in found):
        raise typer.Exit(1)


_SHOWN = 5


_A_FEW_MINUTES = timedelta(minutes=10)


def _print_inspection(summaries: Sequence["KindSummary"], *, json: bool) -> None:
    if json:
        print_json([asdict(s) for s in summaries])
        return
    table = new_table("History (UTC)", ("symbol", "kind", "first", "last", "rows", "days missing", "origin"))
    for s in summaries:
        table.add_row(
            s.symbol,
            s.kind,
            f"{s.first:%Y-%m-%d %H:%M}",
            f"{s.last:%Y-%m-%d %H:%M}",
            f"{s.rows:,}",
            "–" if s.kind.startswith("liquidation") else _days_text(s.days_missing),
            "SIMULATED" if s.origin == "simulated" else s.origin,
        )
    out.print(table)


def _print_qualities(qualities: Sequence["Quality"], *, json: bool) -> None:
    if json:
        print_json([quality.to_json() for quality in qualities])
        return
    for quality in qualities:
        _print_quality(quality)


def _print_quality(quality: "Quality") -> None:
    table = new_table(
        f"{quality.symbol}{' SIMULATED' if quality.simulated else ''} (UTC)",
        ("kind", "first", "last", "rows", "gaps", "missing", "twice", "no value", "days missing", "origin"),
    )
    for kind in quality.kinds:
        counts = [kind.rows, kind.gaps, kind.missing, kind.twice, kind.without_value, len(kind.days_missing)]
        # Nobody can know how many liquidations are missing.
        known = [not kind.kind.startswith("liquidation") or i in (0, 3, 4) for i in range(len(counts))]
        table.add_row(
            kind.kind,
            f"{kind.first:%Y-%m-%d %H:%M}",
            f"{kind.last:%Y-%m-%d %H:%M}",
            *(f"{count:,}" if told else "–" for count, told in zip(counts, known, strict=True)),
            "SIMULATED" if kind.origin == "simulated" else kind.origin,
        )
    out.print(table)
    for line in _flaws(quality):
        out.print(line, markup=False, soft_wrap=True)
    there = {kind.kind.replace("_", " ") for kind in quality.kinds}
    prices = "trades" if "trades" in quality.rests_on else "trades or candles"
    for what, needed, ranges in (
        ("levels can be estimated", [prices, "open interest"], quality.levels),
        ("a backtest has all it needs", [prices, "open interest", "funding"], quality.whole),
    ):
        lacking = [kind for kind in needed if kind not in there and not (kind == prices and quality.rests_on)]
        reason = f"no {' and no '.join(lacking)}" if lacking else f"{' and '.join(needed)} are never there together"
        if "funding" in needed and quality.not_replayed:
            reason = quality.not_replayed
        shown = _first(ranges, _from_to, "more ranges")
        out.print(f"{what}: {'; '.join(shown) or f'nowhere, {reason}'}", soft_wrap=True)
    if quality.levels:
        out.print(_foundation(quality), soft_wrap=True)


def _foundation(quality: "Quality") -> str:
    """What levels are made of, and how often."""
    step = next(kind.step for kind in quality.kinds if kind.kind == "open_interest")
    every = f" every {step.total_seconds() / 60:,.10g} minutes" if step else ""
    return f"levels rest on {', else '.join(quality.rests_on)}, and open interest{every}"


def _flaws(quality: "Quality") -> Iterator[str]:
    """What the table only counts, line by line."""
    for kind in quality.kinds:
        if kind.days_missing:
            yield f"days without {kind.kind}: {_days_text(kind.days_missing, _SHOWN)}"
        largest = sorted(sorted(kind.largest, key=lambda gap: -gap.missing)[:_SHOWN], key=lambda gap: gap.start)
        for gap in largest:
            yield f"gap in {kind.kind}: {_from_to(gap)}, {gap.missing:,} missing"
        if kind.gaps > len(largest):
            rest = kind.missing - sum(gap.missing for gap in largest)
            yield f"gaps in {kind.kind}: {kind.gaps - len(largest):,} smaller ones, {rest:,} missing"
    yield from _first(
        quality.quiet, lambda still: f"no trades, though no id is missing: {_from_to(still)}", "more silences"
    )
    yield from _first(
        quality.still,
        lambda still: f"open interest stood still: {_from_to(still)}, {still.values:,} times {still.contracts:,.3f}",
        "more times that open interest stood still",
    )
    yield from _first(
        quality.contradictions,
        lambda found: (
            f"open interest is {found.least:,.3f} and {found.largest:,.3f} contracts at "
            f"{found.time:%Y-%m-%d %H:%M:%S}; neither is taken"
        ),
        "more moments with different values of open interest",
    )
    yield from _first(
        quality.spikes,
        lambda spike: (
            f"open interest is {spike.contracts:,.3f} contracts at {spike.time:%Y-%m-%d %H:%M:%S}, "
            f"and {spike.before:,.3f} before and after"
        ),
        "more such values of open interest",
    )
    yield from _first(
        quality.outliers,
        lambda outlier: (
            f"price {price_text(outlier.price)} at {outlier.time:%Y-%m-%d %H:%M:%S} lies far from "
            f"{price_text(outlier.low)} to {price_text(outlier.high)} around it"
        ),
        "more such prices",
        quality.outlier_count,
    )


def _first[T](found: Sequence[T], told: Callable[[T], str], rest: str, count: int | None = None) -> list[str]:
    """Texts for the first few of what was found, and one that counts the others."""
    lines = [told(one) for one in found[:_SHOWN]]
    more = (len(found) if count is None else count) - len(lines)
    return [*lines, f"{more:,} {rest}"] if more > 0 else lines


def _from_to(stretch: Any) -> str:
    form = "%Y-%m-%d %H:%M" if stretch.end - stretch.start >= _A_FEW_MINUTES else "%Y-%m-%d %H:%M:%S"
    return f"{stretch.start:{form}} – {stretch.end:{form}}"


def _days_text(days: Sequence[date], most: int = 1) -> str:
    """How many, and the first stretches of them: `4: 2024-03-01 – 2024-03-03, 2024-03-07`."""
    if not days:
        return "none"
    stretches: list[list[date]] = []
    for day in days:
        if stretches and day - stretches[-1][-1] == timedelta(days=1):
            stretches[-1].append(day)
        else:
            stretches.append([day])
    shown = [f"{s[0]}" if len(s) == 1 else f"{s[0]} – {s[-1]}" for s in stretches[:most]]
    return f"{len(days):,}: {', '.join(shown)}" + (", …" if len(stretches) > most else "")
