"""Runs, from a run file to a results folder, in three calls: `prepare`, `replay`, `write`; `run_backtest` does all.

What was prepared can be replayed again by other strategies: `prepare` reads everything that a run needs of the database
once, and nothing after it opens one.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from liqstrat.backtest.account.facts import data_facts, gaps, lost_trades, require_history
from liqstrat.backtest.account.results import (
    config_hash,
    versions,
    write_account,
    write_candles,
    write_json,
    write_sketch,
)
from liqstrat.backtest.account.trades import courses
from liqstrat.backtest.levels.feeds import OpenInterestSeries
from liqstrat.backtest.levels.interval import Tape
from liqstrat.backtest.levels.kept_steps import open_steps, write_recorded, write_steps
from liqstrat.backtest.levels.record import LevelsRecord, write_map
from liqstrat.backtest.levels.tape import TapeInterval, read_tape
from liqstrat.backtest.levels.warmup import warm_up
from liqstrat.backtest.markets import read_rates
from liqstrat.backtest.measured import measure, notes_on
from liqstrat.backtest.params import make_params
from liqstrat.backtest.replay import Replayed, Source, SymbolData, Trader, bar_tape, kept_levels
from liqstrat.backtest.replay import replay as _replay
from liqstrat.catalog.build import build_catalog
from liqstrat.catalog.candles import minutes_before
from liqstrat.catalog.instruments import instrument_id
from liqstrat.catalog.kept import Answer, Kept, kept_folder
from liqstrat.catalog.minutes import MinuteBars, read_minutes
from liqstrat.catalog.open_interest import read_open_interest
from liqstrat.config import RunFile
from liqstrat.held import partial_folder, require_writable
from liqstrat.liquidation.flow_arrays import Arrays, flow_arrays
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.carried import OLDEST, carried
from liqstrat.market.flow import flows, told_between
from liqstrat.market.store import Store, open_store
from liqstrat.market.width import with_bin_width
from liqstrat.moments import MINUTE_NS, column_us, microseconds, nanoseconds
from liqstrat.progress import SILENT, Progress
from liqstrat.remarks import remark
from liqstrat.research.code import Code, code_of
from liqstrat.research.ledger import Entry, append
from liqstrat.scoring.run_verdict import verdict_on_run
from liqstrat.strategies import resolve_strategy

#: History before the start that the fill model looks at.
_BEFORE = timedelta(hours=1)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run, and what its replay and its results need of the history; reusable for runs that differ in strategies only.

    data: by symbol. about: what `run.json` tells of the run before it is replayed.
    """

    run: RunFile
    data: dict[str, SymbolData]
    about: dict[str, Any]

    @property
    def minutes(self) -> dict[str, MinuteBars]:
        """By symbol, the bars of each minute."""
        return {symbol: data.minutes for symbol, data in self.data.items()}


@dataclass(frozen=True)
class Booked:
    """As what a run stands in the ledger: its kind, and what it is a part of."""

    kind: str = "run"
    parent: str = ""


def run_backtest(
    run: RunFile,
    out: Path,
    progress: Progress = SILENT,
    *,
    report: bool = True,
    prepared: Prepared | None = None,
    booked: Booked | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Replay a run and write its results, and its report unless told not to, to a new folder in `out`; returns that.

    prepared: of another run that asks the same of history, see `with_run`. booked: as what it goes into the ledger.
    notes: what its reader must know besides. The folder appears when it is complete. Raises `LiqstratError` for what
    the user can put right, like an unknown strategy or parameter, history that is not there, or an error inside a
    strategy.
    """
    if run.holdout is not None:
        remark(f"{run.name}: what is after {run.seen.end:%Y-%m-%d %H:%M} is held out; `liqstrat holdout` opens it")
        run = run.seen
    traders, code = resolve_traders(run), codes(run)
    require_writable(out / run.name)
    prepared = prepare(run, progress) if prepared is None else with_run(prepared, run)
    prepared.about["notes"] = [*notes, *prepared.about["notes"]]
    created = datetime.now(UTC)
    name = f"{run.name}-{created:%Y%m%dT%H%M%S}-{_short_hash(prepared.about)}"
    with partial_folder(out / name) as (partial, folder):
        replayed = replay(prepared, traders, partial, progress)
        write(prepared, traders, replayed, partial, folder.name, created)
        _record(out, partial, code, booked or Booked())
        if report:
            _write_report(partial)
    return folder


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


def codes(run: RunFile) -> list[Code]:
    """The code of the user's own among the strategies."""
    return [one for settings in run.strategies for one in code_of(resolve_strategy(settings.use))]


def prepare(run: RunFile, progress: Progress = SILENT, *, keep_levels: bool = True) -> Prepared:
    """Bring the catalog up to the run, fill the books, judge the levels, and read what the replay needs.

    keep_levels: work the levels beforehand and keep them, which pays where they are replayed more than once.
    """
    with open_store(run.data.db, files=run.data.allow_files) as store:
        require_history(store, run)
        data = {symbol: prepare_symbol(store, symbol, run, progress) for symbol in run.symbols}
        if keep_levels:
            kept = _kept(run, store)
            data = {one: replace(data[one], levels=_levels(run, one, data[one], kept, progress)) for one in data}
        about = _about(store, run, data)
        about["levels"] = [_verdict(store, symbol, run, data[symbol].model, progress) for symbol in run.symbols]
    return Prepared(run, data, about)


def prepare_symbol(store: Store, symbol: str, run: RunFile, progress: Progress = SILENT) -> SymbolData:
    """What the replay needs of one symbol; its history is in the catalog then."""
    catalog, kept = run.data.catalog, _kept(run, store)
    report = build_catalog(store, symbol, catalog, run.start - _BEFORE, run.end, progress=progress)
    model = with_bin_width(store, symbol, run.model, run.start)
    listing = store.instrument(symbol, run.end)
    return SymbolData(
        instrument=report.instrument,
        model=model,
        minutes=read_minutes(catalog, symbol, run.start - _BEFORE, run.end),
        open_interest=_open_interest(store, symbol, run),
        warm=warm_up(store, symbol, run, model, kept, progress),
        funding=report.rows.get("funding", 0) > 0,
        brackets=store.brackets(symbol),
        most_quantity=listing.max_quantity if listing else None,
        flows=_flows(store, symbol, run, model, kept, progress),
        before=minutes_before(store, symbol, run.start - _warmup(run), run.start - _BEFORE),
        rates=read_rates(store, symbol, run.start, run.end),
        notes=report.notes,
    )


def _open_interest(store: Store, symbol: str, run: RunFile) -> OpenInterestSeries:
    """The run's, carried on where values are far apart, as `flows` does."""
    known = read_open_interest(run.data.catalog, symbol, run.start, run.end)
    times, contracts = column_us(known["time"]), known["contracts"].to_numpy()
    if told_between(store, symbol, run.start, run.end):
        before = store.open_interest(symbol, run.start - OLDEST, run.start)
        times = np.concatenate((column_us(before["time"])[-1:], times))
        contracts = np.concatenate((before["contracts"].to_numpy()[-1:], contracts))
        times, contracts, own = carried(times, contracts, microseconds(run.end) - 1)
        inside = times >= microseconds(run.start)
        return OpenInterestSeries(instrument_id(symbol), times[inside] * 1000, contracts[inside], own=own[inside])
    return OpenInterestSeries(instrument_id(symbol), times * 1000, contracts)


def replay(
    prepared: Prepared,
    traders: Sequence[Trader],
    folder: Path,
    progress: Progress = SILENT,
    *,
    source: Source | None = None,
) -> Replayed:
    """Replay what was prepared; the maps of the run are recorded in `folder` while it goes on.

    source: of market data; the catalog, where it is left out.
    """
    run = prepared.run
    every_ns = run.levels_minutes * MINUTE_NS
    kept = [file for symbol in run.symbols if (file := kept_levels(run, prepared.data[symbol])) is not None]
    if len(kept) == len(run.symbols):
        write_recorded(folder / "levels.parquet", kept)
        return _replay(run, traders, prepared.data, None, progress, source=source)
    with LevelsRecord(folder / "levels.parquet", every_ns, run.report.span) as record:
        return _replay(run, traders, prepared.data, record, progress, source=source)


def with_run(prepared: Prepared, run: RunFile) -> Prepared:
    """What was prepared, for another run that asks the same of history and of the model."""
    about = {**prepared.about, "config": _config(run), "config_hash": config_hash(run)}
    return Prepared(run, prepared.data, about)


def write(
    prepared: Prepared,
    traders: Sequence[Trader],
    replayed: Replayed,
    folder: Path,
    name: str,
    created: datetime,
    last: Mapping[str, float] | None = None,
) -> None:
    """Write the tables and facts of a replay, which its report is made from, into `folder`; `last`: see `measure`."""
    run = prepared.run
    minutes = prepared.minutes
    figures, curve = measure(run, minutes, traders, replayed, last)
    write_account(folder, replayed.ledger, curve, courses(replayed.ledger, minutes, nanoseconds(run.end)))
    write_json(folder / "metrics.json", figures)
    write_candles(folder, minutes, nanoseconds(run.start), nanoseconds(run.end))
    write_map(folder / "map.parquet", replayed.maps)
    write_sketch(folder, replayed.journal.sketch)
    if replayed.journal.lines:
        text = "".join(f"{line}\n" for line in replayed.journal.lines)
        (folder / "log.txt").write_text(text, encoding="utf-8")
    notes = [*prepared.about["notes"], *notes_on(replayed, run.quote)]
    head = {"name": run.name, "run": name, "created": created.isoformat()}
    write_json(folder / "run.json", {**head, **prepared.about, "notes": notes})


def _flows(
    store: Store, symbol: str, run: RunFile, model: ModelSettings, kept: Kept, progress: Progress
) -> Arrays | None:
    """Of a run of bars, the flow of its intervals by single trades, or by candles with what takers bought."""
    if run.bar_minutes is None:
        return None

    def make() -> Answer:
        history = flows(store, symbol, run.start, run.end, model, progress)
        return {**flow_arrays([flow for flow, _ in history if len(flow.contracts)])}

    asked = {"symbol": symbol, "model": asdict(model), "from": run.start, "to": run.end}
    return kept.ask("flows", asked, make)


def _levels(run: RunFile, symbol: str, data: SymbolData, kept: Kept, progress: Progress) -> str | None:
    """The name of the file of the run's levels, worked now unless it is kept; None where there is none.

    A placebo's are other ones with each seed, for which the room would not be worth it.
    """
    if run.control is not None or not (data.open_interest.times > data.warm.book.time_ns).any():
        return None
    every_ns, span, since = run.levels_minutes * MINUTE_NS, run.report.span, run.start - _warmup(run)

    def make(path: Path) -> None:
        tape: Tape
        if run.bar_minutes:
            tape = bar_tape(run, data, with_flows=True)
        else:
            tape = TapeInterval(read_tape(run.data.catalog, symbol, run.start, run.end))
        book, known = deepcopy(data.warm.book), data.open_interest
        with progress.task(f"levels {symbol}", total=len(known.times), unit="steps") as step:
            write_steps(path, book, data.warm.since, tape, known, span=span, every_ns=every_ns, step=partial(step, 1))

    asked = {"symbol": symbol, "model": asdict(data.model), "since": since, "from": run.start, "to": run.end}
    about = {**asked, "bars": run.bar_minutes is not None, "span": span, "every": every_ns, "band": run.band}
    path = kept.file("levels", about, lambda path: open_steps(path, span=span, every_ns=every_ns) is not None, make)
    return None if path is None else path.name


def data_hash(store: Store, run: RunFile) -> str:
    """SHA-256 of what the database says of the run's symbols in its time and its warm-up."""
    since = run.start - _warmup(run)

    def make() -> Answer:
        return {symbol: store.fingerprint(symbol, since, run.end) for symbol in run.symbols}

    known = _kept(run, store).ask("hash", {"symbols": run.symbols, "from": since, "to": run.end}, make)
    prints = "".join(f"{known[symbol]}{store.instrument(symbol, run.end) or ''}" for symbol in run.symbols)
    return hashlib.sha256(prints.encode()).hexdigest()


def _config(run: RunFile) -> dict[str, Any]:
    return run.model_dump(mode="json", by_alias=True)


def _about(store: Store, run: RunFile, data: dict[str, SymbolData]) -> dict[str, Any]:
    """What `run.json` tells of the run before it is replayed."""
    start, end, facts = nanoseconds(run.start), nanoseconds(run.end), _facts(store, run)
    notes = []
    for symbol in run.symbols:
        notes += [*data[symbol].warm.notes, *data[symbol].notes]
        notes += facts["lost"][symbol]
        interest = data[symbol].open_interest
        told = interest.times if interest.own is None else interest.times[interest.own]
        notes += gaps(symbol, data[symbol].minutes, told, start, end)
        if run.venue.funding and not data[symbol].funding:
            notes.append(f"{symbol}: there are no funding rates, so none is settled")
    notes += store.remarks
    return {
        "simulated": any(store.simulated(symbol) for symbol in run.symbols),
        "versions": versions(),
        "config": _config(run),
        "config_hash": config_hash(run),
        "data_hash": data_hash(store, run),
        "symbols": run.symbols,
        "quote": run.quote,
        "bin_width": {symbol: data[symbol].model.width for symbol in run.symbols},
        "start": run.start.isoformat(),
        "end": run.end.isoformat(),
        "resolution": run.resolution,
        "data": facts["data"],
        "notes": notes,
    }


def _facts(store: Store, run: RunFile) -> Answer:
    """What a pass over all rows tells: notes on lost trades by symbol, and what there is of each kind."""
    since = run.start - _warmup(run)

    def make() -> Answer:
        return {
            "lost": {symbol: lost_trades(store, symbol, since, run.end) for symbol in run.symbols},
            "data": data_facts(store, run),
        }

    asked = {"symbols": run.symbols, "since": since, "from": run.start, "to": run.end}
    return _kept(run, store).ask("facts", asked, make)


def _verdict(store: Store, symbol: str, run: RunFile, model: ModelSettings, progress: Progress) -> Answer:
    warmup = _warmup(run)
    asked = {"symbol": symbol, "model": asdict(model), "from": run.start, "to": run.end, "warmup": warmup}
    return _kept(run, store).ask(
        "verdict", asked, lambda: verdict_on_run(store, symbol, model, run.start, run.end, warmup, progress)
    )


def _warmup(run: RunFile) -> timedelta:
    return timedelta(days=run.data.warmup_days)


def _kept(run: RunFile, store: Store) -> Kept:
    return Kept(kept_folder(run.data.catalog), store)


def _short_hash(about: dict[str, Any]) -> str:
    return hashlib.sha256((about["config_hash"] + about["data_hash"]).encode()).hexdigest()[:8]


def _record(out: Path, folder: Path, code: list[Code], booked: Booked) -> None:
    """Put a run into the ledger, and what it is among all that was tried into its `run.json`."""
    run, figures = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("run.json", "metrics.json"))
    created = datetime.fromisoformat(run["created"])
    unique = list({one.module: one for one in code}.values())
    entry = Entry(
        run["run"], created, run["config"], run["config_hash"], run["data_hash"], figures, unique, **asdict(booked)
    )
    (tried,) = append(out, [entry])
    write_json(folder / "run.json", {**run, "tried": asdict(tried)})


def _write_report(folder: Path) -> None:
    from liqstrat.report.report import write_report

    write_report(folder)
