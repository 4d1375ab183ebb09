"""A simulated market as a model sees it, beside the truth."""

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from liqstrat.bench.regimes import Mix, Regime
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.flow import Flow, flow_from_trades
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.large import LargeTrades
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market import simulator
from liqstrat.market.simulator.market import DayLog, Market
from liqstrat.market.simulator.positions import Exit
from liqstrat.market.simulator.settings import Listing, listing_of
from liqstrat.market.simulator.tape import Trades, trades_of

#: Width of the price bins in which maps are compared.
WIDTH = 0.001
#: Width of those in which trades are counted: what models cut the former into.
_FINE_WIDTH = ModelSettings(bin_width=WIDTH).fine_width
START = datetime.combine(date(2024, 3, 1), time(), UTC)
_START_MS = round(START.timestamp()) * 1000
_HOUR_MS, _DAY_MS, _NS = 3_600_000, 86_400_000, 1_000_000


@dataclass(frozen=True, eq=False)
class BenchMarket:
    """One simulated market. Times are nanoseconds UTC, prices USDT, amounts contracts.

    `times` are those of the open-interest values `open_interest`; interval `i` ends at `times[i]` with prices `low[i]`,
    `high[i]`, `close[i]`, NaN without trades. Groups of trades, sorted by `interval`: `bin`, `buy`, `bracket`,
    `contracts`. Positions open at each of `hours`, which are the full hours of the second half: rows
    `held[i]:held[i + 1]` of `side` (+1, -1), `entry`, `size`, `liquidation`, `opened`.
    All liquidations in time order: `liquidated_at`, `liquidated_price`, `liquidated_size`, `liquidated_side`.
    """

    times: Ints
    open_interest: Floats
    low: Floats
    high: Floats
    close: Floats
    interval: Ints
    bin: Ints
    buy: Ints
    bracket: Ints
    contracts: Floats
    hours: Ints
    held: Ints
    side: Ints
    entry: Floats
    size: Floats
    liquidation: Floats
    opened: Ints
    liquidated_at: Ints
    liquidated_price: Floats
    liquidated_size: Floats
    liquidated_side: Ints

    def flows(self, until_ns: int | None = None, large_from: int = 1) -> Iterator[tuple[Flow, float]]:
        """What a model is fed with: each interval's flow and the open interest at its end.

        Trades of a notional in the bracket `large_from` or a higher one are taken for large.
        """
        bounds = np.searchsorted(self.interval, np.arange(len(self.times) + 1))
        usual = int(self.times[1] - self.times[0])
        for i, end in enumerate(self.times.tolist()):
            if until_ns is not None and end > until_ns:
                return
            rows = slice(int(bounds[i]), int(bounds[i + 1]))
            large = rows.start + np.flatnonzero(self.bracket[rows] >= large_from)
            flow = Flow(
                start_ns=end - usual if i == 0 else int(self.times[i - 1]),
                end_ns=end,
                bins=self.bin[rows],
                buy=self.buy[rows] > 0,
                brackets=self.bracket[rows],
                contracts=self.contracts[rows],
                low=float(self.low[i]),
                high=float(self.high[i]),
                close=float(self.close[i]),
                large=LargeTrades(self.bin[large], self.buy[large] > 0, self.contracts[large]),
            )
            yield flow, float(self.open_interest[i])

    def liquidations(self, until_ns: int | None = None) -> Liquidations:
        """What was liquidated, up to a moment."""
        end = len(self.liquidated_at) if until_ns is None else int(np.searchsorted(self.liquidated_at, until_ns))
        return Liquidations(
            self.liquidated_at[:end],
            self.liquidated_price[:end],
            self.liquidated_size[:end],
            self.liquidated_side[:end] > 0,
        )


def bench_market(regime: Regime, seed: int, days: int = 7, cache_folder: Path | None = None) -> BenchMarket:
    """Simulate `days` of a market, or take it from `cache_folder` where it was simulated before.

    What lies there is only taken if settings and simulator are the same as then.
    """
    if cache_folder is None:
        return _simulated(regime, seed, days)
    key = json.dumps([asdict(regime), seed, days, _version()], sort_keys=True, default=str)
    path = cache_folder / f"{regime.name}-{seed}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if path.exists():
        with np.load(path) as kept:
            return BenchMarket(**{field.name: kept[field.name] for field in fields(BenchMarket)})
    market = _simulated(regime, seed, days)
    cache_folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        np.savez_compressed(file, **{field.name: getattr(market, field.name) for field in fields(BenchMarket)})
    partial.rename(path)
    return market


@cache
def _version() -> str:
    """Changes with the simulator's code, and with what is kept of a market."""
    digest = hashlib.sha256(" ".join([repr(_FINE_WIDTH), *(field.name for field in fields(BenchMarket))]).encode())
    for name in ("crowd", "market", "positions", "price", "settings", "tape"):
        digest.update((Path(simulator.__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()


def _simulated(regime: Regime, seed: int, days: int) -> BenchMarket:
    listing, settings = listing_of(regime.symbol), regime.settings
    seeds, tape_seed = np.random.SeedSequence([seed, zlib.crc32(regime.name.encode())]).spawn(2)
    begin_ms = _START_MS - settings.warmup_days * _DAY_MS
    market = Market(listing, settings, brackets_for(regime.symbol, START), seeds, begin_ms)
    market.warm_up(_START_MS)
    rng = np.random.default_rng(tape_seed)
    record = _Record(regime, listing, days)
    for day in range(days):
        market.log = log = DayLog()
        for hour in range(24):
            if regime.ends_with:
                market.crowd.take_leverage(_between(settings.leverage, regime.ends_with, (day + hour / 24) / days))
            market.run_hour()
        record.add(log, trades_of(log, market.crowd.usual_lots, settings, rng))
    return record.market()


def _between(first: Mix, last: Mix, share: float) -> Mix:
    """The mix on the way from `first` to `last`."""
    before, after = dict(first), dict(last)
    tiers = sorted(before.keys() | after.keys())
    return tuple((tier, (1 - share) * before.get(tier, 0.0) + share * after.get(tier, 0.0)) for tier in tiers)


class _Record:
    """Collects days into a `BenchMarket`."""

    def __init__(self, regime: Regime, listing: Listing, days: int) -> None:
        self._listing = listing
        self._brackets = brackets_for(regime.symbol, START)
        self._middle_ms = _START_MS + days * _DAY_MS // 2
        self._measured: list[tuple[int, float]] = []
        self._flows: list[Flow] = []
        self._held: list[tuple[int, npt.NDArray[np.void]]] = []
        self._liquidated: list[tuple[npt.NDArray[np.void], npt.NDArray[np.void]]] = []
        self._left: tuple[npt.NDArray[Any], ...] | None = None

    def add(self, log: DayLog, trades: Trades) -> None:
        listing = self._listing
        for measure in log.measures:
            self._measured.append((measure.time_ms, measure.lots * listing.step))
        times = np.array([measure.time_ms for measure in log.measures])
        columns: tuple[npt.NDArray[Any], ...] = (
            trades.times_ms,
            trades.ticks * listing.tick,
            trades.lots * listing.step,
            trades.buy,
        )
        if self._left:
            columns = tuple(np.concatenate(parts) for parts in zip(self._left, columns, strict=True))
        bounds = np.searchsorted(columns[0], times)
        for i, end in enumerate(times.tolist()):
            rows = slice(bounds[i - 1] if i else 0, bounds[i])
            start = (int(times[i - 1]) if i else end - 300_000) * _NS
            _, price, contracts, buy = (column[rows] for column in columns)
            self._flows.append(
                flow_from_trades(start, end * _NS, price, contracts, buy, width=_FINE_WIDTH, brackets=self._brackets)
            )
        self._left = tuple(column[bounds[-1] :] for column in columns)
        self._held += [(at, held) for at, held in log.held if at >= self._middle_ms and at % _HOUR_MS == 0]
        gone, ends = log.all_closed()
        chosen = ends["reason"] == Exit.LIQUIDATED
        self._liquidated.append((gone[chosen], ends[chosen]))

    def market(self) -> BenchMarket:
        listing, flows = self._listing, self._flows
        held = np.concatenate([positions for _, positions in self._held])
        gone, ends = (np.concatenate(parts) for parts in zip(*self._liquidated, strict=True))
        order = np.argsort(ends["time"], kind="stable")
        gone, ends = gone[order], ends[order]
        return BenchMarket(
            times=np.array([at for at, _ in self._measured]) * _NS,
            open_interest=np.array([contracts for _, contracts in self._measured]),
            low=np.array([flow.low for flow in flows]),
            high=np.array([flow.high for flow in flows]),
            close=np.array([flow.close for flow in flows]),
            interval=np.repeat(np.arange(len(flows)), [len(flow.bins) for flow in flows]),
            bin=np.concatenate([flow.bins for flow in flows]),
            buy=np.concatenate([flow.buy for flow in flows]).astype(np.int64),
            bracket=np.concatenate([flow.brackets for flow in flows]),
            contracts=np.concatenate([flow.contracts for flow in flows]),
            hours=np.array([at for at, _ in self._held]) * _NS,
            held=np.cumsum([0, *(len(positions) for _, positions in self._held)]),
            side=held["side"].astype(np.int64),
            entry=held["entry"] * listing.tick,
            size=held["lots"] * listing.step,
            liquidation=held["liquidation"].copy(),
            opened=held["opened"] * _NS,
            liquidated_at=ends["time"] * _NS,
            liquidated_price=ends["price"] * listing.tick,
            liquidated_size=gone["lots"] * listing.step,
            liquidated_side=gone["side"].astype(np.int64),
        )
