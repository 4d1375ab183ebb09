"""History and maps from Python."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa

from liqstrat.api.events import Events
from liqstrat.api.said import said
from liqstrat.errors import LiqstratError
from liqstrat.events.study import study_events
from liqstrat.inputs import DEFAULT_DATABASE, minutes_of, parse_time
from liqstrat.liquidation.clusters import Clusters, find_clusters
from liqstrat.liquidation.contract import Contract
from liqstrat.liquidation.lumps import Band
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.signals import Signal, SignalRules
from liqstrat.maps import (
    PICTURE_SPAN,
    candle_length,
    last_known,
    levels_rows,
    maps_at,
    marks,
    period,
    picture_rows,
)
from liqstrat.market.inspect import inspect
from liqstrat.market.store import Store, open_store
from liqstrat.report.heatmap import heatmap_figure, write_heatmap_page
from liqstrat.report.levels_map import map_figure
from liqstrat.run_file import load_model, model_from
from liqstrat.sweeps import standing_at

Time = str | datetime
#: A file with a `[model]`, its keys as a dictionary, or its settings; None is the default model.
Model = str | Path | Mapping[str, Any] | ModelSettings | None


class History:
    """A DuckDB file with market history. It is opened for each call and closed again, so that others can write to it.

    Times are `datetime` or text as 2024-03-05 12:00; without a zone they are UTC.

    Examples:
        >>> h = lq.History("catalog/market.duckdb")
        >>> h.symbols
        ['BTCUSDT']
        >>> {"trades", "open_interest"} <= set(h.summary()["kind"])
        True
    """

    def __init__(self, db: str | Path = DEFAULT_DATABASE, *, allow_files: Iterable[str | Path] = ()) -> None:
        """Open a file; raises `LiqstratError` where it is none with history.

        allow_files: folders that views of the file may read, as Parquet beside it.
        """
        self.path = Path(db)
        self._files = [Path(folder) for folder in allow_files]
        with self._open():
            pass

    @property
    def symbols(self) -> list[str]:
        """Symbols with history of any kind."""
        with self._open() as store:
            return store.symbols()

    def summary(self, symbol: str | None = None) -> pd.DataFrame:
        """What there is, a row a symbol and kind: range, rows, missing days, and whether it is SIMULATED (`origin`)."""
        with self._open() as store:
            return pd.DataFrame([asdict(one) for one in inspect(store, symbol)])

    def candles(
        self, symbol: str, start: Time | None = None, end: Time | None = None, interval: str = "1h"
    ) -> pd.DataFrame:
        """Candles by the time they open, from `start` up to `end`, itself not included; prices in USDT.

        Examples:
            >>> len(lq.History().candles("BTCUSDT", "2024-03-01", "2024-03-02", "4h"))
            6
        """
        with self._open() as store:
            table = store.klines(symbol, _time(start), _time(end), interval=interval)
        return table.to_pandas().set_index("time")

    def levels(
        self,
        symbol: str,
        at: Time | None = None,
        *,
        model: Model = None,
        band: bool = False,
        warmup_days: int = 14,
        progress: bool = True,
    ) -> "Levels":
        """The liquidation map at a moment (the last open interest, by default), from what was known then.

        band: also how uncertain it is, by 24 books of other settings, which take as much longer. Raises `LiqstratError`
        for an unknown symbol, or where there is no open interest by then.

        Examples:
            >>> levels = lq.History().levels("BTCUSDT", at="2024-03-02 12:00")
            >>> nearest = levels.clusters[0]
            >>> nearest.side in ("long", "short"), nearest.price_low < nearest.price < nearest.price_high
            (True, True)
            >>> longs = levels.bins.query("side == 'long'")["contracts"].sum()
            >>> bool(abs(longs + levels.map.long_unplaced.sum() - levels.map.open_interest) < 1e-6)
            True
        """
        warmup, settings = timedelta(days=warmup_days), _model(model)
        with self._open() as store:
            moment = _time(at) or last_known(store, symbol)
            (known,) = maps_at(store, symbol, [moment], settings, warmup, said(progress), banded=band)
            return Levels(known, simulated=store.simulated(symbol))

    def signals(
        self,
        symbol: str,
        at: Time | None = None,
        *,
        rules: Mapping[str, Any] | SignalRules | None = None,
        model: Model = None,
        warmup_days: int = 14,
        progress: bool = True,
    ) -> list[Signal]:
        """What the levels said at a moment (the last open interest, by default), the strongest first: AVOID, WAIT,
        REVERSAL or WITH, as a strategy would have been told then; see `liqstrat.Signal`.

        rules: parameters over the default, see `liqstrat.SignalRules`.

        Examples:
            >>> said = lq.History().signals("BTCUSDT", at="2024-03-02 12:00", rules={"watch": 0.05})
            >>> {one.kind for one in said} <= {"AVOID", "WAIT", "REVERSAL", "WITH"}
            True
            >>> [one.strength for one in said] == sorted((one.strength for one in said), reverse=True)
            True
        """
        chosen = rules if isinstance(rules, SignalRules) else SignalRules.of(rules or {})
        warmup, settings = timedelta(days=warmup_days), _model(model)
        with self._open() as store:
            moment = _time(at) or last_known(store, symbol)
            return standing_at(store, symbol, moment, settings, warmup, said(progress)).signals(chosen)

    def events(
        self,
        symbol: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        every: str = "15m",
        seed: int = 1,
        model: Model = None,
        warmup_days: int = 14,
        progress: bool = True,
    ) -> Events:
        """What happens when price reaches levels, beside placebos equally far: how often it comes, whether positions
        are liquidated, and which way price goes; see `liqstrat.events` for what is counted.

        Examples:
            >>> found = lq.History().events("BTCUSDT", "2024-03-01", "2024-03-03", progress=False)
            >>> len(found.touches.query("not placebo")) == found.study.touches
            True
            >>> found.figures.columns.tolist()
            ['touches', 'value', 'placebo', 'difference', 'low', 'high']
        """
        try:
            minutes = minutes_of(every)
        except ValueError as error:
            raise LiqstratError(f"every: {error}") from None
        warmup, settings, first, last = timedelta(days=warmup_days), _model(model), _time(start), _time(end)
        with self._open() as store:
            study = study_events(
                store,
                symbol,
                first,
                last,
                settings,
                warmup=warmup,
                every_minutes=minutes,
                seed=seed,
                progress=said(progress),
            )
        return Events(study)

    def maps(
        self,
        symbol: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        every: str = "1h",
        model: Model = None,
        warmup_days: int = 14,
        progress: bool = True,
    ) -> "Iterator[Levels]":
        """The maps at moments from `start` up to `end`, as they come; None is as far as open interest reaches.

        Examples:
            >>> maps = lq.History().maps("BTCUSDT", "2024-03-02", "2024-03-02 08:00", every="4h")
            >>> [f"{one.time:%H:%M}" for one in maps]
            ['00:00', '04:00', '08:00']
        """
        warmup, settings = timedelta(days=warmup_days), _model(model)
        with self._open() as store:
            simulated, moments = store.simulated(symbol), _moments(store, symbol, start, end, every)
            for known in maps_at(store, symbol, moments, settings, warmup, said(progress)):
                yield Levels(known, simulated=simulated)

    def heatmap(
        self,
        symbol: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        every: str = "1h",
        model: Model = None,
        band: bool = False,
        warmup_days: int = 14,
        progress: bool = True,
    ) -> "Heatmap":
        """Maps over time, as far as 20 % around price, to be looked at; see `maps` for all that is in them.

        band: also the least and the most that may stand there, which takes longer.

        Examples:
            >>> heat = lq.History().heatmap("BTCUSDT", "2024-03-02", "2024-03-02 12:00", every="1h")
            >>> heat.rows.columns.tolist()
            ['time', 'price_low', 'price_high', 'contracts']
            >>> heat.rows["time"].nunique()
            13
            >>> type(heat.figure()).__name__
            'Figure'
        """
        warmup, settings = timedelta(days=warmup_days), _model(model)
        with self._open() as store:
            moments = _moments(store, symbol, start, end, every)
            maps = maps_at(store, symbol, moments, settings, warmup, said(progress), PICTURE_SPAN, banded=band)
            levels = picture_rows(maps)
            candles = store.klines(symbol, moments[0], moments[-1], interval=candle_length(moments))
            known: dict[str, Any] = {"simulated": store.simulated(symbol), "contract": store.contract(symbol)}
            return Heatmap(symbol, levels, candles, moments[0], moments[-1], **known)

    def _open(self) -> Store:
        return open_store(self.path, files=self._files)

    def __repr__(self) -> str:
        return f"<History {self.path}>"


class Levels:
    """The liquidation map of one symbol at one moment.

    map: all of it as arrays, see `liqstrat.liquidation.map.LiquidationMap`. simulated: whether the history was.
    """

    def __init__(self, map: LiquidationMap, *, simulated: bool) -> None:
        self.map, self.simulated = map, simulated

    @property
    def time(self) -> datetime:
        """The moment, UTC."""
        moment: datetime = pd.Timestamp(self.map.time_ns, tz="UTC").to_pydatetime(warn=False)
        return moment

    @property
    def price(self) -> float:
        """The last price known then."""
        return self.map.price

    @property
    def band(self) -> Band | None:
        """What may stand there, None where that was not asked for: `liqstrat.liquidation.lumps.Band`."""
        return self.map.band

    @cached_property
    def clusters(self) -> Clusters:
        """Where the map is dense, nearest to price first: `liqstrat.Cluster`."""
        return find_clusters(self.map)

    @cached_property
    def arrow(self) -> pa.Table:
        """Contracts by `time`, `side`, `price_low`, `price_high` and `leverage`."""
        return levels_rows(self.map)

    @cached_property
    def bins(self) -> pd.DataFrame:
        """The same as a data frame."""
        return self.arrow.to_pandas()

    def figure(self) -> go.Figure:
        """What contracts are worth (USDT) by price and leverage, with sums from the price outwards."""
        return go.Figure(map_figure(self.arrow, self.price, simulated=self.simulated, contract=self.map.contract))

    def __repr__(self) -> str:
        mark = " SIMULATED" if self.simulated else ""
        return f"<Levels {self.map.symbol}{mark} {self.time:%Y-%m-%d %H:%M} UTC, {len(self.clusters)} clusters>"


class Heatmap:
    """Maps of one symbol over time, both sides and all leverages together, with candles.

    arrow: rows of `time`, `price_low`, `price_high` and `contracts`. candles: `time`, `open`, `high`, `low`, `close`.
    """

    def __init__(
        self,
        symbol: str,
        arrow: pa.Table,
        candles: pa.Table,
        start: datetime,
        end: datetime,
        *,
        simulated: bool,
        contract: Contract,
    ) -> None:
        self.symbol, self.arrow, self.start, self.end, self.simulated = symbol, arrow, start, end, simulated
        self._candles, self._contract = candles, contract

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The maps as a data frame."""
        return self.arrow.to_pandas()

    @cached_property
    def candles(self) -> pd.DataFrame:
        """The candles that are drawn, by the time they open."""
        return self._candles.to_pandas().set_index("time")

    def figure(self) -> go.Figure:
        """The picture, for Plotly; colour is what a price bin's contracts are worth, USDT as a rule."""
        return go.Figure(heatmap_figure(self.arrow, self._candles, simulated=self.simulated, contract=self._contract))

    def save(self, path: str | Path) -> Path:
        """Write it as a page that needs no network; returns its path."""
        title = f"{self.symbol} liquidation heatmap {self.start:%Y-%m-%d} – {self.end:%Y-%m-%d}"
        known: dict[str, Any] = {"simulated": self.simulated, "contract": self._contract}
        return write_heatmap_page(self.arrow, self._candles, title=title, out=Path(path), **known)

    def __repr__(self) -> str:
        mark = " SIMULATED" if self.simulated else ""
        return f"<Heatmap {self.symbol}{mark} {self.start:%Y-%m-%d %H:%M} – {self.end:%Y-%m-%d %H:%M} UTC>"


def _time(value: Time | None) -> datetime | None:
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise LiqstratError(str(error)) from None


def _moments(store: Store, symbol: str, start: Time | None, end: Time | None, every: str) -> list[datetime]:
    """The moments from `start` up to `end`, as far as there is something to know."""
    try:
        minutes = minutes_of(every)
    except ValueError as error:
        raise LiqstratError(str(error)) from None
    return marks(*period(store, symbol, _time(start), _time(end), minutes), minutes)


def _model(model: Model) -> ModelSettings:
    if model is None:
        return ModelSettings()
    if isinstance(model, ModelSettings):
        return model
    return model_from(model) if isinstance(model, Mapping) else load_model(Path(model))
