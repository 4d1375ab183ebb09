"""Runs side by side: what differs in what was run, in figures, and in trades. The first run is what others are held
against."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from liqstrat.errors import LiqstratError
from liqstrat.report.tables import Results, read_results
from liqstrat.research.days import DRAWS, LEAST_DAYS, Difference, block_days, by_day, differences

_LETTERS = "ABCDEFGHIJ"
#: Trades of two runs that are opened within so much of each other are the same one.
SAME_TRADE = pd.Timedelta(minutes=1)
#: What a run was made with, apart from where its data lie.
_PLACES = ("data.db", "data.catalog", "data.allow_files", "name", "report")


@dataclass(frozen=True)
class Compared:
    """A run among others.

    letter: what it is called. differences: its figures against those of the first run, by name, over `days` days that
    both have; empty for the first. only: its trades, as rows of `positions.parquet`, that no other run has.
    """

    letter: str
    results: Results
    differences: dict[str, Difference]
    days: int
    only: pa.Table

    @property
    def title(self) -> str:
        return f"{self.letter}  {self.results.run.run}"


@dataclass(frozen=True)
class Comparison:
    """unlike: by section (configuration, data, versions), the keys in which runs differ, with the value of each run."""

    runs: list[Compared]
    unlike: dict[str, dict[str, list[Any]]]
    warnings: list[str]

    @property
    def figures(self) -> list[str]:
        """The single figures that any of the runs has."""
        found = {
            key: None
            for one in self.runs
            for key, value in one.results.metrics.items()
            if not isinstance(value, dict | list | str)
        }
        return list(found)

    def to_json(self) -> dict[str, Any]:
        """All facts, for a program."""
        return {
            "runs": {one.letter: _about(one.results) for one in self.runs},
            "warnings": self.warnings,
            "differs": self.unlike,
            "figures": {name: [one.results.metrics.get(name) for one in self.runs] for name in self.figures},
            "against_first": {
                one.letter: {"days": one.days, **{name: asdict(found) for name, found in one.differences.items()}}
                for one in self.runs[1:]
            },
            "intervals": how(max((one.days for one in self.runs[1:]), default=0)),
            "only": {
                one.letter: {"trades": len(one.only), "of": len(one.results.positions), "pnl": _pnl(one.only)}
                for one in self.runs
            },
        }


def compare(folders: list[Path]) -> Comparison:
    """Hold runs against the first of them; raises `LiqstratError` for fewer than two, or a folder that is none."""
    if not 2 <= len(folders) <= len(_LETTERS):
        raise LiqstratError(f"{len(folders)} results folders, expected 2 to {len(_LETTERS)}")
    if twice := {str(folder) for folder in folders if [one.resolve() for one in folders].count(folder.resolve()) > 1}:
        raise LiqstratError(f"{', '.join(sorted(twice))} is given more than once")
    results = [read_results(folder) for folder in folders]
    days = [by_day(one.equity, one.positions) for one in results]
    frames = [one.positions.to_pandas() for one in results]
    runs = []
    for i, one in enumerate(results):
        found, both = differences(days[i], days[0]) if i else ({}, len(days[0].day))
        others = [frame for j, frame in enumerate(frames) if j != i]
        runs.append(
            Compared(_LETTERS[i], one, found, both, one.positions.filter(pa.array(unmatched(frames[i], others))))
        )
    unlike = {
        "configuration": _unlike([_flat(one.run.config) for one in results]),
        "data": _unlike([_data(one) for one in results]),
        "versions": _unlike([dict(one.run.versions) for one in results]),
    }
    return Comparison(runs, unlike, _warnings(results, unlike))


def unmatched(trades: pd.DataFrame, others: list[pd.DataFrame]) -> "pd.Series[bool]":
    """Which of `trades` no other run has: of the same symbol and side, opened within `SAME_TRADE`, each other's
    nearest."""
    alone = pd.Series(True, index=trades.index, dtype=bool)
    for other in others:
        there, back = _nearest(trades, other), _nearest(other, trades)
        found = there.dropna().astype(int)
        mutual = back.reindex(found.to_numpy()).to_numpy() == found.index.to_numpy()
        alone[found.index[mutual]] = False
    return alone


def how(days: int) -> str:
    """How intervals are made, in words."""
    if days < LEAST_DAYS:
        return f"none: {days} day{'' if days == 1 else 's'} in common, {LEAST_DAYS} are needed"
    return (
        f"95 %, by the stationary bootstrap of {days} days, paired, in stretches of {block_days(days)} days on "
        f"average, {DRAWS:,} draws"
    )


def _nearest(trades: pd.DataFrame, other: pd.DataFrame) -> "pd.Series[Any]":
    """The row of `other` that is nearest in time to each of `trades`, missing where none is near."""
    if trades.empty or other.empty:
        return pd.Series(index=trades.index, dtype=float)
    keys = ["symbol", "side"]
    left = trades[["opened", *keys]].assign(row=trades.index).sort_values("opened")
    right = other[["opened", *keys]].assign(found=other.index).sort_values("opened")
    merged = pd.merge_asof(left, right, on="opened", by=keys, direction="nearest", tolerance=SAME_TRADE)
    return merged.set_index("row")["found"]


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    """A configuration by dotted keys, as `--set` takes them; places left out."""
    if key in _PLACES:
        return {}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {key: value}
    found: dict[str, Any] = {}
    for name, part in items:
        found |= _flat(part, f"{key}.{name}" if key else str(name))
    return found


def _data(results: Results) -> dict[str, Any]:
    run = results.run
    rows = {f"{part['symbol']} {part['kind']}": f"{part['rows']:,} rows" for part in run.data}
    return {"data_hash": run.data_hash, "simulated": run.simulated, **rows}


def _unlike(sides: list[dict[str, Any]]) -> dict[str, list[Any]]:
    keys = dict.fromkeys(key for side in sides for key in side)
    found = {key: [side.get(key) for side in sides] for key in keys}
    return {key: values for key, values in found.items() if len({json.dumps(one, default=str) for one in values}) > 1}


def _warnings(results: list[Results], unlike: dict[str, dict[str, list[Any]]]) -> list[str]:
    config, found = unlike["configuration"], []
    if len({one.run.simulated for one in results}) > 1:
        found.append("some of these runs are SIMULATED and some are not: they say nothing of each other")
    if len({one.run.quote for one in results}) > 1:
        found.append(f"accounts are in {', '.join(one.run.quote for one in results)}: amounts are not of one currency")
    if "data_hash" in unlike["data"]:
        found.append("the data differ: what differs in the figures may come of that")
    if costs := [key for key in config if key.startswith("venue.")]:
        found.append(f"account or costs differ: {', '.join(costs)}")
    if {(one.run.start, one.run.end) for one in results} != {(results[0].run.start, results[0].run.end)}:
        found.append("the periods differ: figures are of each run's own, differences of the days in common")
    if "resolution" in config:
        found.append(f"what was replayed differs: {', '.join(map(str, config['resolution']))}")
    return found


def _about(results: Results) -> dict[str, Any]:
    run = results.run
    return {
        "folder": str(results.folder),
        "name": run.name,
        "run": run.run,
        "simulated": run.simulated,
        "start": run.start.isoformat(),
        "end": run.end.isoformat(),
        "config_hash": run.config_hash,
        "data_hash": run.data_hash,
    }


def _pnl(trades: pa.Table) -> float:
    return round(float(sum(trades["pnl"].to_pylist())), 8)
