"""One run, from its run file to its results folder."""

import hashlib
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from liqstrat.backtest.account.equity import EquityCurve, equity_curve, prices_at
from liqstrat.backtest.account.facts import data_facts, gaps, lost_trades, require_history
from liqstrat.backtest.account.metrics import as_json, metrics_of
from liqstrat.backtest.account.results import config_hash, versions, write_account, write_candles, write_json
from liqstrat.backtest.levels.feeds import OpenInterestSeries
from liqstrat.backtest.levels.record import LevelsRecord, write_map
from liqstrat.backtest.levels.warmup import warm_up
from liqstrat.backtest.replay import Replayed, SymbolData, Trader, nanoseconds, replay
from liqstrat.backtest.strategy import make_params
from liqstrat.catalog.build import build_catalog
from liqstrat.catalog.instruments import instrument_id
from liqstrat.catalog.minutes import MINUTE_NS, read_minutes
from liqstrat.catalog.open_interest import read_open_interest
from liqstrat.config import RunFile
from liqstrat.market.store import Store, open_store
from liqstrat.market.width import with_bin_width
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.run_verdict import verdict_on_run
from liqstrat.strategies import resolve_strategy

#: History before the start that the fill model looks at.
_BEFORE = timedelta(hours=1)
_CENT = 0.01


def run_backtest(run: RunFile, out: Path, progress: Progress = SILENT, *, report: bool = True) -> Path:
    """Replay a run and write its results and report to a new folder in `out`; returns that folder.

    report: whether to write the page; the results are the same without.
    The folder appears when it is complete. Raises `LiqstratError` for what the user can put right, like an unknown
    strategy or parameter or history that is not there; errors inside a strategy are raised as they are.
    """
    traders = resolve_traders(run)
    with open_store(run.data.db, files=run.data.allow_files) as store:
        require_history(store, run)
        data = {symbol: prepare(store, symbol, run, progress) for symbol in run.symbols}
        about = _about(store, run, data)
        warmup = timedelta(days=run.data.warmup_days)
        about["levels"] = [
            verdict_on_run(store, symbol, data[symbol].model, run.start, run.end, warmup, progress)
            for symbol in run.symbols
        ]
    created = datetime.now(UTC)
    name = _free_name(out, f"{run.name}-{created:%Y%m%dT%H%M%S}-{_short_hash(about)}")
    partial = out / f".{name}.partial"
    partial.mkdir(parents=True)
    try:
        every_ns = run.levels_minutes * MINUTE_NS
        with LevelsRecord(partial / "levels.parquet", every_ns, run.report.span) as record:
            replayed = replay(run, traders, data, record, progress)
        curve = _account(run, data, replayed)
        write_account(partial, replayed.ledger, curve)
        write_json(partial / "metrics.json", _metrics(run, traders, data, replayed, curve))
        minutes = {symbol: data[symbol].minutes for symbol in run.symbols}
        write_candles(partial, minutes, nanoseconds(run.start), nanoseconds(run.end))
        write_map(partial / "map.parquet", replayed.maps)
        about["notes"] += _notes_after(replayed)
        write_json(partial / "run.json", {"name": run.name, "run": name, "created": created.isoformat(), **about})
        if report:
            _write_report(partial)
        partial.rename(out / name)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return out / name


def resolve_traders(run: RunFile) -> list[Trader]:
    """The run's strategies with checked parameters; one that is used again gets a number to its name."""
    seen: Counter[str] = Counter()
    traders = []
    for settings in run.strategies:
        strategy = resolve_strategy(settings.use)
        name = strategy.__name__
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name}-{seen[name]}"
        params = make_params(strategy, settings.use, settings.params)
        traders.append(Trader(label, strategy, params, settings.symbols or run.symbols))
    return traders


def prepare(store: Store, symbol: str, run: RunFile, progress: Progress = SILENT) -> SymbolData:
    """Bring the catalog up to the run, fill the book, and read what the replay needs of a symbol."""
    catalog = run.data.catalog
    report = build_catalog(store, symbol, catalog, run.start - _BEFORE, run.end, progress=progress)
    known = read_open_interest(catalog, symbol, run.start, run.end)
    times = known["time"].cast(pa.int64()).to_numpy() * 1000
    model = with_bin_width(store, symbol, run.model, run.start)
    return SymbolData(
        model=model,
        minutes=read_minutes(catalog, symbol, run.start - _BEFORE, run.end),
        open_interest=OpenInterestSeries(instrument_id(symbol), times, known["contracts"].to_numpy()),
        warm=warm_up(store, symbol, run, model, progress),
        funding=report.rows.get("funding", 0) > 0,
        brackets=store.brackets(symbol),
        notes=report.notes,
    )


def _about(store: Store, run: RunFile, data: dict[str, SymbolData]) -> dict[str, Any]:
    """What `run.json` tells of the run before it is replayed."""
    start, end = nanoseconds(run.start), nanoseconds(run.end)
    since = run.start - timedelta(days=run.data.warmup_days)
    notes = []
    for symbol in run.symbols:
        notes += [*data[symbol].warm.notes, *data[symbol].notes]
        notes += lost_trades(store, symbol, since, run.end)
        notes += gaps(symbol, data[symbol].minutes, data[symbol].open_interest.times, start, end)
        if run.venue.funding and not data[symbol].funding:
            notes.append(f"{symbol}: there are no funding rates, so none is settled")
    notes += store.remarks
    prints = "".join(
        f"{store.fingerprint(symbol, since, run.end)}{store.instrument(symbol, run.end) or ''}"
        for symbol in run.symbols
    )
    return {
        "simulated": any(store.simulated(symbol) for symbol in run.symbols),
        "versions": versions(),
        "config": run.model_dump(mode="json", by_alias=True),
        "config_hash": config_hash(run),
        "data_hash": hashlib.sha256(prints.encode()).hexdigest(),
        "symbols": run.symbols,
        "bin_width": {symbol: data[symbol].model.width for symbol in run.symbols},
        "start": run.start.isoformat(),
        "end": run.end.isoformat(),
        "resolution": run.resolution,
        "data": data_facts(store, run),
        "notes": notes,
    }


def _account(run: RunFile, data: dict[str, SymbolData], replayed: Replayed) -> EquityCurve:
    """The account minute by minute; it must end with the equity that the engine has.

    Not with its balance: there, what an open position paid for depth is a fee paid, here it is part of its price.
    """
    minutes = {symbol: data[symbol].minutes for symbol in run.symbols}
    curve = equity_curve(replayed.ledger, run.venue.balance, minutes, run.start, run.end)
    equity = replayed.balance
    for symbol, (contracts, cost) in replayed.held.items():
        equity += contracts * float(prices_at(minutes[symbol], curve.times[-1:])[0]) - cost
    if abs(float(curve.equity[-1]) - equity) > _CENT:
        raise RuntimeError(f"the fills add up to {curve.equity[-1]} USDT, the engine has {equity}")
    return curve


def _metrics(
    run: RunFile, traders: list[Trader], data: dict[str, SymbolData], replayed: Replayed, curve: EquityCurve
) -> dict[str, Any]:
    minutes = {symbol: data[symbol].minutes for symbol in run.symbols}
    by_strategy = {}
    for trader in traders:
        part = replayed.ledger.of(trader.label)
        own = equity_curve(part, run.venue.balance, minutes, run.start, run.end)
        by_strategy[trader.label] = as_json(metrics_of(part, own, run.venue.balance))
    figures = as_json(metrics_of(replayed.ledger, curve, run.venue.balance))
    return {**figures, "account_liquidations": len(replayed.liquidations), "by_strategy": by_strategy}


def _notes_after(replayed: Replayed) -> list[str]:
    notes = [f"the account was liquidated on {moment:%Y-%m-%d %H:%M:%S}" for moment in replayed.liquidations]
    notes += [f"{label}: {count} entries were too small to be sent" for label, count in replayed.too_small.items()]
    still = [trip for trip in replayed.ledger.trips if trip.closed_ns is None]
    if still:
        notes.append(f"{len(still)} position(s) were open at the end, valued at the last price")
    return notes


def _short_hash(about: dict[str, Any]) -> str:
    return hashlib.sha256((about["config_hash"] + about["data_hash"]).encode()).hexdigest()[:8]


def _free_name(out: Path, name: str) -> str:
    """The name, with a number to it where two equal runs are made within a second."""
    number, free = 1, name
    while (out / free).exists() or (out / f".{free}.partial").exists():
        number += 1
        free = f"{name}-{number}"
    return free


def _write_report(folder: Path) -> None:
    from liqstrat.report.report import write_report

    write_report(folder)
