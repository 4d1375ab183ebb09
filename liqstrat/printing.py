"""What the commands print: tables for people, JSON for programs."""

import json as json_module
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from liqstrat.liquidation.brackets import DEFAULT_SYMBOL, BracketTable
from liqstrat.liquidation.calculator import HIGH_RISK_BELOW, LOW_RISK_FROM, PositionRisk
from liqstrat.liquidation.clusters import Cluster
from liqstrat.liquidation.map import LiquidationMap

if TYPE_CHECKING:
    from liqstrat.bench.judge import Verdict
    from liqstrat.catalog import CatalogReport
    from liqstrat.demo import DemoResult
    from liqstrat.liquidation.agreement import Agreement
    from liqstrat.market.download import DownloadReport
    from liqstrat.market.ingest import IngestReport
    from liqstrat.market.inspect import KindSummary
    from liqstrat.market.quality import Quality
    from liqstrat.market.reference import Written
    from liqstrat.market.simulator import SimulationReport

_RISK_STYLE = {"high": "red", "medium": "yellow", "low": "green"}
_SIDE_STYLE = {"long": "green", "short": "red"}


def print_json(out: Console, value: object) -> None:
    out.print_json(json_module.dumps(value, default=str))


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
    table = _table(
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
    table = _table(
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


def print_simulation(out: Console, report: "SimulationReport") -> None:
    out.print(
        f"SIMULATED {report.symbol} {report.start:%Y-%m-%d} – {report.end:%Y-%m-%d} in {report.folder}: "
        f"{report.trades:,} trades, {report.liquidations:,} liquidations ({report.liquidated_share:.1%} of volume), "
        f"{report.volume_ratio:.1f} times the open interest a day, volatility {report.volatility:.0%} a year, "
        f"price {price_text(report.low)} to {price_text(report.high)}",
        markup=False,
        soft_wrap=True,
    )


def print_download(out: Console, report: "DownloadReport") -> None:
    columns = ("symbol", "kind", "fetched", "present", "missing", "failed", "MB", "not in the archive")
    table = _table(str(report.target), columns)
    for g in report.groups():
        gaps = ", ".join(f"{a}" if a == b else f"{a} … {b}" for a, b in g.gaps[:3]) + (" …" if len(g.gaps) > 3 else "")
        counts = (f"{n:,}" for n in (g.fetched, g.present, g.missing, g.failed))
        table.add_row(g.symbol, g.kind, *counts, f"{g.bytes / 1e6:,.1f}", gaps)
    out.print(table)
    for file in report.failed:
        out.print(f"failed: {file.file.path}: {file.reason}", markup=False, soft_wrap=True)


def print_ingest(out: Console, report: "IngestReport", database: Path) -> None:
    for file in report.files:
        if file.state == "refused" or file.reason:
            out.print(f"{file.state} {file.path}: {file.reason}", markup=False, soft_wrap=True)
    states = Counter(file.state for file in report.files)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no files found"
    if report.skipped:
        counts += f", {len(report.skipped)} left out that hold no history"
    rows = sum(file.rows for file in report.files if file.state in ("loaded", "replaced"))
    out.print(f"{database}: {counts}; {rows:,} rows in", markup=False)


def print_written(out: Console, written: "Written", what: str, database: Path) -> None:
    symbols = ", ".join(written.symbols[:5]) + (
        f" and {len(written.symbols) - 5} more" if len(written.symbols) > 5 else ""
    )
    out.print(
        f"{database}: {what} of {symbols} as of {written.as_of}: {written.rows:,} rows changed"
        + (f"; {written.remark}" if written.remark else ""),
        markup=False,
        soft_wrap=True,
    )


def print_inspection(out: Console, summaries: Sequence["KindSummary"], *, json: bool) -> None:
    if json:
        print_json(out, [asdict(s) for s in summaries])
        return
    table = _table("History (UTC)", ("symbol", "kind", "first", "last", "rows", "days missing", "origin"))
    for s in summaries:
        table.add_row(
            s.symbol,
            s.kind,
            f"{s.first:%Y-%m-%d %H:%M}",
            f"{s.last:%Y-%m-%d %H:%M}",
            f"{s.rows:,}",
            "–" if s.kind == "liquidations" else _days_text(s.days_missing),
            "SIMULATED" if s.origin == "simulated" else s.origin,
        )
    out.print(table)


def print_qualities(out: Console, qualities: Sequence["Quality"], *, json: bool) -> None:
    if json:
        print_json(out, [quality.to_json() for quality in qualities])
        return
    for quality in qualities:
        _print_quality(out, quality)


def _print_quality(out: Console, quality: "Quality") -> None:
    table = _table(
        f"{quality.symbol}{' SIMULATED' if quality.simulated else ''} (UTC)",
        ("kind", "first", "last", "rows", "gaps", "missing", "twice", "no value", "days missing", "origin"),
    )
    for kind in quality.kinds:
        counts = [kind.rows, kind.gaps, kind.missing, kind.twice, kind.without_value, len(kind.days_missing)]
        # Nobody can know how many liquidations are missing.
        known = [kind.kind != "liquidations" or i in (0, 3, 4) for i in range(len(counts))]
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
    for what, needed, ranges in (
        ("levels can be estimated", ["trades", "open interest"], quality.levels),
        ("a backtest has all it needs", ["trades", "open interest", "funding"], quality.whole),
    ):
        lacking = [kind for kind in needed if kind not in there]
        reason = f"no {' and no '.join(lacking)}" if lacking else f"{' and '.join(needed)} are never there together"
        shown = _first(ranges, _from_to, "more ranges")
        out.print(f"{what}: {'; '.join(shown) or f'nowhere, {reason}'}", soft_wrap=True)


_SHOWN = 5


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


_A_FEW_MINUTES = timedelta(minutes=10)


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


def print_catalog(out: Console, report: "CatalogReport", path: Path) -> None:
    rows = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in report.rows.items())
    out.print(
        f"{path}: {report.instrument_id} {report.start:%Y-%m-%d} – {report.end:%Y-%m-%d}, "
        f"{report.days_written} days written, {report.days_kept} kept as they were: {rows}",
        markup=False,
        soft_wrap=True,
    )
    for note in report.notes:
        out.print(f"note: {note}", markup=False, soft_wrap=True)


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


def print_verdicts(out: Console, verdicts: Sequence["Verdict"]) -> None:
    table = _table(
        "Agreement with the true map (SIMULATED markets): rank correlation, linear correlation, overlap",
        ("model", "regime", "seeds", "agreement", "share of the bound", "of the strict bound", "lowest share"),
    )
    models = list(dict.fromkeys(v.model for v in verdicts))
    regimes = list(dict.fromkeys(v.regime for v in verdicts))
    for model in models:
        own = [v for v in verdicts if v.model == model]
        rows = [(regime, [v for v in own if v.regime == regime]) for regime in regimes]
        for regime, these in [*rows, ("mean", own)] if len(regimes) > 1 else rows:
            columns = ([v.agreement for v in these], [v.share for v in these], [v.strict_share for v in these])
            lowest = min(figure for v in these for figure in _three(v.share))
            table.add_row(model, regime, str(len(these)), *(_means_text(column) for column in columns), f"{lowest:.2f}")
    out.print(table)
    out.print(
        "Bound: side, entry and size of every position known, leverage only by the mix. "
        "Strict bound: also which leverages price has run through since each position opened."
    )


def _three(agreement: "Agreement") -> tuple[float, float, float]:
    return agreement.rank, agreement.linear, agreement.overlap


def _means_text(agreements: Sequence["Agreement"]) -> str:
    return "  ".join(f"{sum(column) / len(column):.2f}" for column in zip(*map(_three, agreements), strict=True))


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


def _figures_table(columns: dict[str, dict[str, Any]]) -> Table:
    table = _table("", ("", *columns))
    for key, (label, form) in _FIGURES.items():
        values = [figures.get(key) for figures in columns.values()]
        table.add_row(label, *("–" if value is None else form.format(value) for value in values))
    return table


_TEXTS = ("", "side", "symbol", "kind", "risk", "origin", "model", "regime")


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name in _TEXTS else "right")
    return table


def price_text(price: float) -> str:
    """A price with as many decimals as its size deserves."""
    decimals = 2 if abs(price) >= 100 else 4 if abs(price) >= 1 else 6
    return f"{price:,.{decimals}f}"


def amount_text(amount: float) -> str:
    """A large amount in thousands (k), millions (M) or billions (B)."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(amount) >= size:
            return f"{amount / size:,.1f} {letter}"
    return f"{amount:,.0f}"
