"""What a results folder holds, read and checked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from liqstrat.errors import LiqstratError
from liqstrat.inputs import read_json
from liqstrat.liquidation.contract import KNOWN_QUOTES
from liqstrat.report.raster import MOST_CELLS
from liqstrat.report.recorded import read_maps

_MOMENT = pa.timestamp("us", "UTC")
_COLUMNS = {
    "equity.parquet": ("time", "equity", "notional"),
    "positions.parquet": (
        *("strategy", "symbol", "side", "opened", "closed", "quantity", "entry_price", "exit_price", "pnl", "fees"),
        *("funding", "return", "exit_role", "level_side", "level_low", "level_high", "level_notional", "reason"),
    ),
    "levels.parquet": ("time", "symbol", "price_low", "price_high", "contracts"),
    "map.parquet": ("symbol", "side", "price_low", "price_high", "leverage", "contracts", "price"),
    "candles.parquet": ("symbol", "time", "open", "high", "low", "close"),
}
#: What is there besides in runs whose levels have a band.
_OF_BAND = {"map.parquet": ("low", "high"), "positions.parquet": ("level_contracts", "level_least", "level_most")}
#: Tables that runs of before lack.
_TEXT = pa.string()
_LATER_TABLES = {
    "plots.parquet": {"time": _MOMENT, "strategy": _TEXT, "symbol": _TEXT, "name": _TEXT, "value": pa.float64()},
    "notes.parquet": {"time": _MOMENT, "strategy": _TEXT, "symbol": _TEXT, "price": pa.float64(), "text": _TEXT},
}
_RUN_KEYS = (
    *("name", "run", "created", "simulated", "versions", "config", "config_hash", "data_hash", "symbols", "start"),
    *("end", "resolution", "data", "notes"),
)
#: Keys that runs of before lack.
_LATER_KEYS = ("levels", "bin_width", "tried", "quote", "paper")


@dataclass(frozen=True)
class Run:
    """What was run and on what data, as `run.json` says; `levels` holds the verdict on the levels of each symbol,
    `bin_width` the relative width of its price bins, `tried` which run it was and of how many configurations, `quote`
    the currency of the account. `paper` has words on a session on paper; of a backtest it is empty."""

    name: str
    run: str
    created: str
    simulated: bool
    versions: dict[str, str]
    config: dict[str, Any]
    config_hash: str
    data_hash: str
    symbols: list[str]
    start: datetime
    end: datetime
    resolution: str
    data: list[dict[str, Any]]
    notes: list[str]
    levels: list[dict[str, Any]] = field(default_factory=list)
    bin_width: dict[str, float] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    quote: str = "USDT"
    paper: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        title = str(self.config.get("report", {}).get("title") or self.name)
        return f"{title}, paper session" if self.paper else title

    @property
    def span(self) -> float:
        """Fraction of price around it within which levels were recorded."""
        return float(self.config.get("report", {}).get("span") or 0.2)


@dataclass(frozen=True)
class Results:
    """A results folder; tables are read when they are asked for.

    metrics: the run's figures, null where they are not defined; `by_strategy` holds the same for each strategy.
    """

    folder: Path
    run: Run
    metrics: dict[str, Any]

    @cached_property
    def equity(self) -> pa.Table:
        """`time`, `equity` and `notional` (signed exposure), USDT, by time."""
        return self._table("equity.parquet").sort_by("time")

    @cached_property
    def positions(self) -> pa.Table:
        """One row a round trip, by the time it was opened; `number` counts them from 1."""
        rows = self._table("positions.parquet").sort_by("opened")
        return rows.append_column("number", pa.array(range(1, len(rows) + 1), pa.int64()))

    def positions_of(self, symbol: str) -> pa.Table:
        return self.positions.filter(pc.field("symbol") == symbol)

    def levels(self, symbol: str, most_cells: int = MOST_CELLS) -> pa.Table:
        """Maps over time that a picture of `most_cells` shows: `time`, `price_low`, `price_high`, `contracts`."""
        with self._checked("levels.parquet") as (path, _):
            return read_maps(path, symbol, most_cells, alone=self.run.symbols == [symbol])

    def last_map(self, symbol: str) -> pa.Table:
        """The map at the end: `side`, `price_low`, `price_high`, `leverage`, `contracts`, `price`; `low`, `high` with a
        band."""
        return self._table("map.parquet", pc.field("symbol") == symbol)

    def candles(self, symbol: str) -> pa.Table:
        """`time` (open), `open`, `high`, `low`, `close`, by time."""
        return self._table("candles.parquet", pc.field("symbol") == symbol).sort_by("time")

    def plots(self, symbol: str) -> pa.Table:
        """What strategies plotted on a symbol: `time`, `strategy`, `name`, `value`, by time."""
        return self._later("plots.parquet", symbol)

    def notes(self, symbol: str) -> pa.Table:
        """Notes of strategies on a symbol: `time`, `strategy`, `price`, `text`, by time."""
        return self._later("notes.parquet", symbol)

    def _later(self, name: str, symbol: str) -> pa.Table:
        if not (self.folder / name).is_file():
            return pa.schema(list(_LATER_TABLES[name].items())).empty_table()
        return self._table(name, pc.field("symbol") == symbol)

    def _table(self, name: str, rows: pc.Expression | None = None) -> pa.Table:
        with self._checked(name) as (path, present):
            more = [column for column in _OF_BAND.get(name, ()) if column in present]
            return pq.read_table(path, columns=[*_wanted(name), *more], filters=rows)

    @contextmanager
    def _checked(self, name: str) -> Iterator[tuple[Path, list[str]]]:
        """The path of a table that has all its columns, and the columns there are; `LiqstratError` where it has not, or
        cannot be read."""
        path, wanted = self.folder / name, _wanted(name)
        try:
            with pq.ParquetFile(path) as file:
                present = file.schema_arrow.names
            missing = [column for column in wanted if column not in present]
            if missing:
                raise LiqstratError(
                    f"{path}: no column {', '.join(missing)}; found {', '.join(present) or 'none'}, "
                    f"expected {', '.join(wanted)}"
                )
            yield path, present
        except (OSError, pa.ArrowInvalid) as error:
            raise LiqstratError(f"{path}: cannot be read as Parquet: {error}") from None


def _wanted(name: str) -> tuple[str, ...]:
    return _COLUMNS.get(name) or tuple(_LATER_TABLES[name])


def read_results(folder: Path) -> Results:
    """Open a results folder; raises `LiqstratError` that names what is missing or broken."""
    if not folder.is_dir():
        raise LiqstratError(f"{folder}: no such folder; expected the results folder of a run, as in results/")
    wanted = ("run.json", "metrics.json", *_COLUMNS)
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise LiqstratError(f"{folder}: is not the results folder of a run: no {', '.join(missing)} in it")
    raw, metrics = read_json(folder / "run.json"), read_json(folder / "metrics.json")
    absent = [key for key in _RUN_KEYS if key not in raw]
    if absent:
        raise LiqstratError(f"{folder / 'run.json'}: no key {', '.join(absent)}")
    values = {key: raw[key] for key in (*_RUN_KEYS, *_LATER_KEYS) if key in raw}
    for key in ("start", "end"):
        values[key] = _moment(folder / "run.json", key, raw[key])
    # It stands in labels all over a page.
    if (quote := values.get("quote", KNOWN_QUOTES[0])) not in KNOWN_QUOTES:
        raise LiqstratError(f"{folder / 'run.json'}: quote is {quote!r}, expected {' or '.join(KNOWN_QUOTES)}")
    return Results(folder, Run(**values), metrics)


def _moment(path: Path, key: str, text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise LiqstratError(f"{path}: {key} is {text!r}, expected an ISO time") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
