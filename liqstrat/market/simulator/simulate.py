"""Simulate a market day by day into a folder that looks like the exchange's archive."""

import json
import re
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file, written
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.market.simulator import archive_tables, truth
from liqstrat.market.simulator.archive_writer import ArchiveWriter
from liqstrat.market.simulator.market import DayLog, Market
from liqstrat.market.simulator.positions import Exit
from liqstrat.market.simulator.price import DAY_MS
from liqstrat.market.simulator.settings import Listing, SimulationSettings, listing_of
from liqstrat.market.simulator.tape import Trades, trades_of
from liqstrat.progress import SILENT, Progress

MARK = "SIMULATED.json"
_KINDS = ("aggTrades", "metrics", "fundingRate", "klines/1m", "liquidationSnapshot", "truth")
_FIRST_ID = 1_000_001


@dataclass(frozen=True)
class SimulationReport:
    """What was made. Contracts are in base asset; `volatility` is that of 5-minute returns, annualised (0.6 = 60 %);
    `volume_ratio` is contracts traded a day per contract of open interest, `liquidated_share` of volume."""

    folder: Path
    symbol: str
    start: datetime
    end: datetime
    files: int
    trades: int
    contracts: float
    open_interest: float
    volume_ratio: float
    volatility: float
    liquidations: int
    liquidated_share: float
    low: float
    high: float


def simulate(
    out: Path,
    symbol: str = "BTCUSDT",
    days: int = 7,
    seed: int = 1,
    start: date = date(2024, 3, 1),
    settings: SimulationSettings | None = None,
    progress: Progress = SILENT,
) -> SimulationReport:
    """Simulate `days` of `symbol` from 00:00 UTC of `start` and write them below `out`, day by day.

    Agents open longs and shorts, hold, take profit, are stopped or liquidated; their orders push price, so that
    liquidations can set off more of them. Every contract is one long and one short at all times. Market makers trade
    among themselves without changing open interest. Days run before `start`, so that positions of all ages exist.

    Written are `aggTrades`, `metrics`, `fundingRate`, `klines/1m` and `liquidationSnapshot` in the exchange archive's
    names and layouts, with checksums; the zips' comment and `SIMULATED.json` say that it is simulated, and how.
    `truth/<symbol>-positions-<day>.parquet` holds all open positions at every hour, `…-closed-<day>.parquet` every
    position that closed, when and why: prices and notional at entry in USDT, contracts in base asset. The same
    arguments give the same bytes. A simulation of another symbol below `out` stays, an earlier one of this goes.

    How it behaves by default, measured on six weeks of BTCUSDT, seeds 1 to 6 (real ones for scale):
      volume a day 3.2 to 4.1 times the open interest on average of a week, 2.5 to 6.2 on single days (2 to 5);
      open interest 15,000 to 22,000 BTC, a day changes it by 4.5 % (median), at most 16 %;
      volatility of 5-minute returns, annualised, 48 to 57 % by week; of seed 1 36 to 82 % by day (40 to 80 %);
      liquidations 0.8 to 1.6 % of volume (of order 1 %), 600 to 1,200 a day, most on few days;
      270,000 aggregated trades a day, 40 % in the same millisecond as the one before (13 to 50 %); sizes have a median
      of 0.08 and a mean of 0.27 BTC, the largest 85 (0.03, 0.22, 46 in minutes that were looked at);
      takers' net buying and the return of the same 5 minutes correlate by 0.3 to 0.45 (of seed 1);
      7 days take 22 seconds of processor time, part of it on a second core.

    Raises `LiqstratError` for arguments out of range, and for an `out` that holds something else than simulations.
    """
    settings = settings or SimulationSettings()
    _check(symbol, days, seed, start)
    parameters = {
        "symbol": symbol,
        "days": days,
        "seed": seed,
        "start": start.isoformat(),
        "listing": asdict(listing_of(symbol)),
        "settings": settings.as_json(),
    }
    with written(out):
        _claim(out, symbol, parameters)
        with ArchiveWriter(out, symbol, parameters) as writer:
            run = _Run(symbol, seed, start, settings, writer)
            _live(run, start, days, progress)
    return run.report(out, start, days)


def _live(run: "_Run", start: date, days: int, progress: Progress) -> None:
    """Day after day; while one is lived through, the one before is written."""
    with progress.task("simulate", total=days * 24, unit="hours") as step, ThreadPoolExecutor(1) as aside:
        under_way: Future[None] | None = None
        for day in range(days):
            opening, log = run.live_through_day(step)
            if under_way:
                under_way.result()
            under_way = aside.submit(run.write, start + timedelta(days=day), opening, log)
        if under_way:
            under_way.result()


class _Run:
    """One simulation: the market, and what continues from day to day."""

    def __init__(
        self, symbol: str, seed: int, start: date, settings: SimulationSettings, writer: ArchiveWriter
    ) -> None:
        self._symbol, self._settings, self._writer = symbol, settings, writer
        self._listing: Listing = listing_of(symbol)
        begin = datetime.combine(start, time(), UTC)
        self._begin_ms = round(begin.timestamp() * 1000)
        seeds = np.random.SeedSequence([seed, zlib.crc32(symbol.encode())])
        market_seeds, tape_seed = seeds.spawn(2)
        self._rng = np.random.default_rng(tape_seed)
        warmup_ms = self._begin_ms - settings.warmup_days * DAY_MS
        self._market = Market(self._listing, settings, brackets_for(symbol, begin), market_seeds, warmup_ms)
        self._market.warm_up(self._begin_ms)
        self._next_id = self._next_single = _FIRST_ID
        self._totals = _Totals()

    def live_through_day(self, step: Callable[[float], None]) -> tuple[int, DayLog]:
        """The next day of the market: its opening price in ticks, and what happened."""
        opening = self._market.price.ticks
        self._market.log = log = DayLog()
        for _ in range(24):
            self._market.run_hour()
            step(1)
        # As in the archive, a day's first value is that of 00:05, and its last that of the midnight after.
        log.measures = [*log.measures[1:], self._market.measure()]
        return opening, log

    def write(self, day: date, opening: int, log: DayLog) -> None:
        """Put a day into the archive; the market may meanwhile go on."""
        trades = trades_of(log, self._market.crowd.usual_lots, self._settings, self._rng)
        self._write_files(day, opening, log, trades)
        self._next_id += len(trades)
        self._next_single += int(trades.singles.sum())
        self._totals.add(log, trades)

    def _write_files(self, day: date, opening: int, log: DayLog, trades: Trades) -> None:
        symbol, listing, writer = self._symbol, self._listing, self._writer
        day_ms = log.moves[0].start_ms
        ratios = archive_tables.taker_ratios(trades, [m.time_ms for m in log.measures])
        writer.table(
            "aggTrades",
            "aggTrades",
            day,
            archive_tables.aggregated_trades(trades, listing, self._next_id, self._next_single),
        )
        writer.table("metrics", "metrics", day, archive_tables.metrics(log.measures, symbol, listing, ratios))
        writer.table("fundingRate", "fundingRate", day, archive_tables.funding_rates(log.funding, self._rng))
        writer.table("klines/1m", "1m", day, archive_tables.klines(trades, listing, day_ms, opening))
        writer.table(
            "liquidationSnapshot", "liquidationSnapshot", day, archive_tables.liquidations(log, trades, listing)
        )
        writer.parquet("positions", day, truth.open_positions(log.held, listing))
        writer.parquet("closed", day, truth.closed_positions(log, listing))
        self._totals.files += len(writer.publish())

    def report(self, out: Path, start: date, days: int) -> SimulationReport:
        totals, listing = self._totals, self._listing
        begin = datetime.combine(start, time(), UTC)
        closes = np.log(np.array(totals.measured_ticks))
        interest = float(np.mean(totals.measured_lots))
        return SimulationReport(
            folder=out,
            symbol=self._symbol,
            start=begin,
            end=begin + timedelta(days=days),
            files=totals.files,
            trades=totals.trades,
            contracts=totals.lots * listing.step,
            open_interest=interest * listing.step,
            volume_ratio=totals.lots / days / interest,
            volatility=float(np.diff(closes).std() * np.sqrt(365 * 288)),
            liquidations=totals.liquidations,
            liquidated_share=totals.liquidated_lots / totals.lots,
            low=totals.low * listing.tick,
            high=totals.high * listing.tick,
        )


class _Totals:
    """Sums over days, for the report."""

    def __init__(self) -> None:
        self.files = self.trades = self.lots = self.liquidations = self.liquidated_lots = 0
        self.low, self.high = 2**62, 0
        self.measured_ticks: list[int] = []
        self.measured_lots: list[int] = []

    def add(self, log: DayLog, trades: Trades) -> None:
        self.trades += len(trades)
        self.lots += int(trades.lots.sum())
        self.low, self.high = min(self.low, int(trades.ticks.min())), max(self.high, int(trades.ticks.max()))
        self.measured_ticks += [m.ticks for m in log.measures]
        self.measured_lots += [m.lots for m in log.measures]
        for gone, ends in log.closed:
            liquidated = ends["reason"] == Exit.LIQUIDATED
            self.liquidations += int(liquidated.sum())
            self.liquidated_lots += int(gone["lots"][liquidated].sum())


def _check(symbol: str, days: int, seed: int, start: date) -> None:
    if not re.fullmatch(r"[A-Z0-9]{5,20}", symbol):
        raise LiqstratError(f'symbol is "{symbol}", expected the exchange\'s form, such as BTCUSDT')
    if days < 1:
        raise LiqstratError(f"days is {days}, expected 1 or more")
    if seed < 0:
        raise LiqstratError(f"seed is {seed}, expected 0 or more")
    if start.year < 2010:
        raise LiqstratError(f"start is {start.isoformat()}, expected a day from 2010 on")


def _claim(out: Path, symbol: str, parameters: dict[str, Any]) -> None:
    """Take `out` for this simulation: it must be new, empty, or from an earlier one, whose files of `symbol` go."""
    mark = out / MARK
    if out.exists() and not out.is_dir():
        raise LiqstratError(f"{out} is a file, expected a folder to write a simulated market to")
    if out.exists() and any(out.iterdir()) and not mark.is_file():
        raise LiqstratError(
            f"{out} exists and holds no {MARK}, so it is no earlier simulation: it is not overwritten. "
            "Give another folder, or remove it yourself."
        )
    out.mkdir(parents=True, exist_ok=True)
    known = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else {"markets": {}}
    for kind in _KINDS:
        for old in (out / kind).glob(f"{symbol}-*"):
            old.unlink()
    known["markets"][symbol] = parameters
    text = json.dumps({"simulated": True, "markets": known["markets"]}, indent=2, sort_keys=True)
    with partial_file(mark) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
