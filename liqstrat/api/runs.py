"""Runs from Python: make one, load one, list all."""

import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from liqstrat.api.report import Report
from liqstrat.api.said import said
from liqstrat.backtest.account.returns import rolling_sharpe, window_days
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.inputs import read_json
from liqstrat.moments import column_ns
from liqstrat.research.listing import list_results, runs_in

#: A table's name, its file, and the column that its rows are indexed by.
_TABLES = {
    "trades": ("positions.parquet", None),
    "equity": ("equity.parquet", "time"),
    "orders": ("orders.parquet", None),
    "fills": ("fills.parquet", None),
    "funding": ("funding.parquet", None),
    "levels": ("levels.parquet", None),
    "map": ("map.parquet", None),
    "candles": ("candles.parquet", None),
    "plots": ("plots.parquet", None),
    "notes": ("notes.parquet", None),
}


class Run:
    """The results of a run: what is in its folder, read when it is asked for.

    Money is in USDT, quantities and contracts in base asset, times in UTC. Tables are pandas data frames, each a copy
    of one's own on first use; `run.arrow` has the same as Arrow tables, which are read without copying.

    Examples:
        >>> run = lq.load(folder)
        >>> run.name, run.simulated
        ('fade', True)
        >>> list(run.equity.columns)
        ['equity', 'balance', 'unrealized', 'notional']
        >>> len(run.trades) == run.arrow.trades.num_rows
        True
    """

    folder: Path

    def __init__(self, folder: Path) -> None:
        """Open a results folder; `load` says what is wrong with one that is none."""
        self.folder = folder

    @cached_property
    def about(self) -> dict[str, Any]:
        """`run.json`: the run file as resolved, versions, hashes of configuration and data, notes, verdicts."""
        return read_json(self.folder / "run.json")

    @property
    def name(self) -> str:
        """The name in the run file."""
        return str(self.about["name"])

    @property
    def simulated(self) -> bool:
        """Whether any of the history was SIMULATED."""
        return bool(self.about["simulated"])

    @property
    def notes(self) -> list[str]:
        """What a reader of the results must know, such as gaps in the history."""
        return list(self.about["notes"])

    @cached_property
    def metrics(self) -> "pd.Series[Any]":
        """The run's figures by name, None where one is not defined: `net_return`, `max_drawdown`, `sharpe`, ….

        Returns and drawdowns are fractions (0.1 is 10 %), money is USDT.
        """
        figures = {key: value for key, value in self._figures.items() if key != "by_strategy"}
        return pd.Series(figures, name=self.name, dtype=object)

    @cached_property
    def metrics_by_strategy(self) -> pd.DataFrame:
        """The same for each strategy: a row a strategy, a column a figure."""
        return pd.DataFrame.from_dict(self._figures.get("by_strategy", {}), orient="index")

    @property
    def trades(self) -> pd.DataFrame:
        """Round trips, a row each: when and at which price opened and closed, `pnl` (net of fees and funding), fees,
        funding, the level traded and what was known of it (`level_…`, missing where the strategy named none), how far
        price went against and for it (`mae`, `mfe`, shares of the entry price), what the first stop risked (USDT) and
        the profit by that (`r`). `closed` is missing where one was open at the end."""
        return self._frame("trades")

    @property
    def equity(self) -> pd.DataFrame:
        """The account by time: `equity`, `balance`, `unrealized`, and `notional`, the signed exposure."""
        return self._frame("equity")

    def rolling_sharpe(self, days: int | None = None) -> "pd.Series[float]":
        """The Sharpe ratio of the `days` before, at each full hour; by default of a fifth of the run, from two to
        thirty days. Empty where the run is shorter."""
        equity = self.arrow.table("equity")
        times = column_ns(equity["time"])
        at, ratio = rolling_sharpe(times, equity["equity"].to_numpy(), days or window_days(times))
        return pd.Series(ratio, index=pd.to_datetime(at, unit="ns", utc=True), name="sharpe")

    @property
    def orders(self) -> pd.DataFrame:
        """Orders, a row each, with what became of them."""
        return self._frame("orders")

    @property
    def fills(self) -> pd.DataFrame:
        """Fills, a row each: price, fee, whether maker or taker, and what depth cost (`slippage`)."""
        return self._frame("fills")

    @property
    def funding(self) -> pd.DataFrame:
        """Funding settled, positive where received."""
        return self._frame("funding")

    @property
    def levels(self) -> pd.DataFrame:
        """Maps over time: contracts by `time`, `symbol`, `side`, `price_low`, `price_high` and `leverage`."""
        return self._frame("levels")

    @property
    def map(self) -> pd.DataFrame:
        """The map at the end of the run."""
        return self._frame("map")

    @property
    def candles(self) -> pd.DataFrame:
        """Candles of the run by the time they open, at most some thousands a symbol."""
        return self._frame("candles")

    @property
    def plots(self) -> pd.DataFrame:
        """What strategies plotted: `time`, `strategy`, `symbol`, `name`, `value`. Their notes: `run.arrow.notes`."""
        return self._frame("plots")

    @cached_property
    def arrow(self) -> "ArrowTables":
        """The same tables as Arrow: `run.arrow.trades`, `run.arrow.levels`, …."""
        return ArrowTables(self.folder)

    @cached_property
    def report(self) -> Report:
        """The run's report: `run.report.show()` opens it, or shows it in a notebook."""
        return Report(self.folder)

    @cached_property
    def _figures(self) -> dict[str, Any]:
        return read_json(self.folder / "metrics.json")

    @cached_property
    def _frames(self) -> dict[str, pd.DataFrame]:
        return {}

    def _frame(self, name: str) -> pd.DataFrame:
        if name not in self._frames:
            frame = self.arrow.table(name).to_pandas()
            index = _TABLES[name][1]
            self._frames[name] = frame.set_index(index) if index else frame
        return self._frames[name]

    def __repr__(self) -> str:
        return f"<Run {self.name}{' SIMULATED' if self.simulated else ''} in {self.folder}>"


class ArrowTables:
    """The tables of a results folder as `pyarrow.Table`, each read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def table(self, name: str) -> pa.Table:
        """A table by its name; raises `LiqstratError` where the folder lacks it or it cannot be read."""
        if name not in _TABLES:
            raise LiqstratError(f'there is no table "{name}"{did_you_mean(name, _TABLES)}; expected of {self!r}')
        path = self._folder / _TABLES[name][0]
        try:
            return pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise LiqstratError(f"{path}: cannot be read as Parquet: {error}") from None

    def __getattr__(self, name: str) -> pa.Table:
        if name not in _TABLES:
            raise AttributeError(f'there is no table "{name}"{did_you_mean(name, _TABLES)}; expected of {self!r}')
        return self.table(name)

    def __dir__(self) -> list[str]:
        return [*_TABLES, "table"]

    def __repr__(self) -> str:
        return ", ".join(_TABLES)


def run(
    run: str | Path | Mapping[str, Any] | RunFile,
    overrides: Mapping[str, Any] | None = None,
    *,
    out: str | Path = "results",
    report: bool = True,
    progress: bool = True,
) -> Run:
    """Replay a run file, or a dictionary that has what one has, and return its results.

    Args:
        run: path of a run file, a dictionary, or a `RunFile`.
        overrides: values over its own, by their keys with dots between.
        out: the folder in which the results folder is made.
        report: whether to write the report; `Run.report` writes it later, too.
        progress: whether to say on standard error how far it is, as the command line does.

    Raises `LiqstratError`, with the sentence of the command line, for what can be put right: an unknown key, strategy
    or parameter, or history that is not there. Errors inside a strategy are raised as they are.

    Examples:
        >>> run = lq.run("configs/fade.toml", {"strategies.0.params.turn": 0.003, "resolution": "5m"})
        >>> run.about["config"]["strategies"][0]["params"]
        {'turn': 0.003}
        >>> gained = run.equity["equity"].iloc[-1] / 100_000 - 1
        >>> f"{run.metrics['net_return']:.4%}" == f"{gained:.4%}"
        True
    """
    from liqstrat.app import run_backtest
    from liqstrat.run_file import load_run_file, run_from

    if isinstance(run, RunFile):
        run = run.model_dump(by_alias=True)
    settings = run_from(run, overrides) if isinstance(run, Mapping) else load_run_file(Path(run), overrides)
    return Run(run_backtest(settings, Path(out), progress=said(progress), report=report))


def load(folder: str | Path) -> Run:
    """The results in a folder that a run has written; raises `LiqstratError` where it is none.

    Examples:
        >>> lq.load(folder).metrics["trades"] == len(lq.load(folder).trades.dropna(subset="closed"))
        True
    """
    folder = Path(folder)
    if not folder.is_dir():
        near = did_you_mean(folder.name, [path.name for path in runs_in(folder.parent)])
        raise LiqstratError(f"{folder}: no such folder{near}; expected the results folder of a run, as in results/")
    missing = [name for name in ("run.json", "metrics.json") if not (folder / name).is_file()]
    if missing:
        raise LiqstratError(f"{folder}: is not the results folder of a run: no {', '.join(missing)} in it")
    return Run(folder)


def results(folder: str | Path = "results") -> pd.DataFrame:
    """All runs in a folder as a table: a row a run, the latest first; what it was and its figures.

    Columns: `name`, `created`, `simulated`, `symbols`, `start`, `end`, `resolution`, `strategies`, then the figures of
    `Run.metrics` that are single numbers, hashes, `tags`, `note`, and `folder`, to be given to `load`. A folder that
    cannot be read is left out with a warning. Raises `LiqstratError` where `folder` is none.

    Examples:
        >>> table = lq.results("results")
        >>> table[["name", "resolution", "strategies"]].iloc[0].tolist()
        ['fade', '5m', 'LevelFade']
    """
    listing = list_results(Path(folder))
    for name, why in listing.left_out.items():
        warnings.warn(f"{listing.folder / name} is left out: {why}", stacklevel=2)
    return pd.DataFrame([_row(listing.folder, row) for row in listing.rows])


def _row(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    joined = {key: ", ".join(row[key]) for key in ("symbols", "strategies")}
    moments = {key: pd.Timestamp(row[key]) for key in ("created", "start", "end")}
    return {
        **{key: value for key, value in row.items() if key != "run"},
        **joined,
        **moments,
        "folder": str(folder / row["run"]),
    }
