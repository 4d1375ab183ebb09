"""What was run and on what data, above the figures; definitions and versions below them."""

import json
from html import escape
from typing import Any

from liqstrat.report import cards, numbers
from liqstrat.report.tables import Run

_KINDS = {
    "trades": "trades",
    "open_interest": "open-interest values",
    "funding": "funding rates",
    "klines_1m": "one-minute candles",
    "liquidations": "liquidations",
    "liquidation_amounts": "amounts of liquidations",
}
_ASSUMPTIONS = (
    (
        "Levels",
        "estimates. The exchange publishes neither positions nor leverage: entry prices follow what traded, leverage "
        "follows an assumed mix, margin is taken as isolated. A map shows what could have been known at its moment.",
    ),
    (
        "Map and heatmap",
        "longs and shorts each sum to the open interest. Amounts are contracts valued at their liquidation price. "
        "What price runs through leaves the map.",
    ),
    ("P&L of a trade", "after its fees and funding. Times are UTC throughout."),
)


def heading_html(run: Run) -> str:
    """Name, period, strategies, data, settings and notes; says loudly when the data are simulated."""
    badge = '<span class="badge">SIMULATED</span>' if run.simulated else ""
    badge += '<span class="badge">PAPER</span>' if run.paper else ""
    days = (run.end - run.start).total_seconds()
    period = f"{numbers.moment(run.start)} to {numbers.moment(run.end)} UTC ({numbers.length(days)})"
    how = "trade by trade" if run.resolution == "tick" else f"on {escape(run.resolution)} bars"
    banner = (
        '<p class="banner"><b>SIMULATED data.</b> The market in this report was made by a program. '
        "Nothing here says anything about a real one.</p>"
        if run.simulated
        else ""
    )
    if run.paper:
        told = " · ".join(f"{escape(name)} {escape(text)}" for name, text in run.paper.items())
        banner += (
            '<p class="banner"><b>Paper session.</b> Traded on the market as it ran, on the simulated exchange of a '
            f"backtest: no order left for a real one. {told}</p>"
        )
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in run.notes)
    return (
        f"<header><h1>{escape(run.title)} {badge}</h1>"
        f'<p class="subtitle"><b>{escape(", ".join(run.symbols))}</b> · {period} · {how}{_tried(run)}</p>'
        f"{banner}{notes}"
        f'<div class="facts">{_strategies(run)}{_data(run)}{_model(run)}{_venue(run)}</div></header>'
    )


def small_print_html(run: Run) -> str:
    """Definitions, assumptions, versions and hashes, and the run file as it was resolved."""
    terms = [*cards.definitions(), *_ASSUMPTIONS]
    listed = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in terms)
    versions = " · ".join(f"{escape(name)} {escape(str(version))}" for name, version in run.versions.items())
    config = escape(json.dumps(run.config, indent=2, ensure_ascii=False))
    return (
        f"<footer><dl>{listed}</dl>"
        f"<p>Run <code>{escape(run.run)}</code>, created {escape(run.created)}</p>"
        f"<p>{versions}</p>"
        f"<p>Configuration <code>{escape(run.config_hash)}</code><br>Data <code>{escape(run.data_hash)}</code></p>"
        f"<details><summary>The run file as resolved</summary><pre><code>{config}</code></pre></details></footer>"
    )


def _tried(run: Run) -> str:
    """How much was tried: the best of many looks good by luck."""
    if not run.tried:
        return ""
    count = run.tried["configurations"]
    return f" · run {run.tried['run']:,} on this data, of {count:,} configuration{'' if count == 1 else 's'} tried"


def _strategies(run: Run) -> str:
    lines = []
    for strategy in run.config.get("strategies", []):
        params = ", ".join(f"{name} {value}" for name, value in strategy.get("params", {}).items())
        only = f" on {', '.join(strategy['symbols'])}" if strategy.get("symbols") else ""
        lines.append(f"<b>{escape(strategy['use'])}</b>{escape(only)} {_muted(params or 'with its defaults')}")
    return _fact("Strategies" if len(lines) > 1 else "Strategy", lines)


def _data(run: Run) -> str:
    lines = []
    for part in run.data:
        kind = _KINDS.get(part["kind"], str(part["kind"]).removeprefix("klines_") + " candles")
        symbol = f"{part['symbol']} " if len(run.symbols) > 1 else ""
        period = f"{_day(part['start'])} to {_day(part['end'])}" if part.get("start") else ""
        lines.append(f'{escape(symbol)}{part["rows"]:,} {escape(kind)} <span class="nowrap">{_muted(period)}</span>')
    return _fact("Simulated data" if run.simulated else "Market data", lines)


def _model(run: Run) -> str:
    model = run.config.get("model", {})
    kind, formula = str(model.get("kind", "conserving")), str(model.get("formula", "exact"))
    lines = [
        f"<b>{escape(kind)}</b>, {escape(formula)} liquidation price, bins of {_widths(run)}",
        *(_muted(line) for line in _assumed(kind, model, run.quote)),
        *(_scored(one, len(run.symbols) > 1) for one in run.levels),
    ]
    return _fact("Model of the levels", lines)


def _assumed(kind: str, model: dict[str, Any], quote: str) -> list[str]:
    """What a kind of model takes for granted, in words."""
    mix = {int(tier): share for tier, share in (model.get("leverage") or {}).items()}
    total = sum(mix.values()) or 1.0
    shares = ", ".join(f"{tier}x {numbers.percent(mix[tier] / total, 0)}" for tier in sorted(mix))
    large, by = float(model.get("large", 0)), model.get("large_by")
    weight = float(model.get("taker_weight", 1))
    chosen = {
        "value": f"from {numbers.amount(large)} {quote} on",
        "top": f"the {large:.0f} largest of an interval",
        "portion": f"the largest that make {numbers.percent(large, 0)} of an interval",
    }
    lines = {
        "conserving": [
            f"{_share(model.get('turnover'))} of volume closes, takers weigh {weight:g} times",
            f"assumed leverage: {shares}",
        ],
        "oi_candle": [f"assumed leverage: {shares}"],
        "large_trades": [f"trades {chosen.get(str(by), '')}, levels at 1, 2, 4 and 10%"],
        "ensemble": [", ".join(f"{name} {share:g}" for name, share in (model.get("ensemble") or {}).items())],
    }
    return lines.get(kind, [])


def _widths(run: Run) -> str:
    """The relative widths of the price bins, by symbol where they differ."""
    widths = run.bin_width or dict.fromkeys(run.symbols, run.config.get("model", {}).get("bin_width"))
    if len(set(widths.values())) == 1:
        return _share(next(iter(widths.values())))
    return ", ".join(f"{_share(width)} ({escape(symbol)})" for symbol, width in widths.items())


def _scored(verdict: dict[str, Any], named: bool) -> str:
    """What scoring the levels against recorded liquidations allows to say of them."""
    symbol = f"{verdict['symbol']}: " if named else ""
    period = f", scored {_day(verdict['judged_from'])} to {_day(verdict['to'])}" if "judged_from" in verdict else ""
    colour = "gain" if verdict.get("better") else "caution"
    words = f'<b class="{colour}">{escape(str(verdict["words"]))}</b>'
    return f"levels {escape(symbol)}{words}{escape(period)} {_muted(str(verdict['reason']))}"


def _venue(run: Run) -> str:
    venue = run.config.get("venue", {})
    switched = [name for name in ("funding", "depth", "liquidation") if not venue.get(name, True)]
    lines = [
        f"{numbers.number(float(venue.get('balance', 0)), 0)} {run.quote} at the start, "
        f"{escape(str(venue.get('leverage', numbers.ABSENT)))}x leverage",
        f"fees {_share(venue.get('maker_fee'))} maker, {_share(venue.get('taker_fee'))} taker; "
        f"{escape(str(venue.get('latency_ms', numbers.ABSENT)))} ms latency",
    ]
    if switched:
        lines.append(f'<span class="loss">switched off: {", ".join(switched)}</span>')
    return _fact("Account and costs", lines)


def _fact(name: str, lines: list[str]) -> str:
    return f"<div><h3>{name}</h3>{''.join(f'<p>{line}</p>' for line in lines)}</div>" if lines else ""


def _share(value: Any) -> str:
    return numbers.ABSENT if value is None else f"{100 * float(value):.4g}%"


def _muted(text: str) -> str:
    return f'<span class="muted">{escape(text)}</span>' if text else ""


def _day(text: str) -> str:
    return str(text)[:10]
