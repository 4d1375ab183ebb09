"""The runs of a results folder as rows: what each was and its figures.

A thousand folders are told apart from what was read before by the times and sizes of their files: `.index.json` keeps
what they said then, and is made anew where it is lost, broken or of another version.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.held import partial_file
from liqstrat.inputs import parse_time, read_json
from liqstrat.research.notes import Notes, read_notes

_INDEX = ".index.json"
_VERSION = 1
_FILES = ("run.json", "metrics.json")
#: A file changed so shortly before it was read may change again without a trace in its time.
_SETTLED_NS = 2_000_000_000
_TIMES = ("created", "start", "end")
_ABOUT = ("run", "name", "created", "simulated", "symbols", "start", "end", "resolution", "strategies")
_HASHES = ("config_hash", "data_hash")

Row = dict[str, Any]


@dataclass(frozen=True)
class Listing:
    """rows: the runs, the latest first; `run` is the name of a run's folder, times are datetimes, then the figures
    that are single values, hashes, tags and note. left_out: by folder, why it could not be read."""

    folder: Path
    rows: list[Row]
    left_out: dict[str, str]

    @property
    def columns(self) -> list[str]:
        """What rows have, in order."""
        return list(dict.fromkeys(key for row in self.rows for key in row))


def list_results(folder: Path) -> Listing:
    """All runs in a folder; raises `LiqstratError` where there is no such folder."""
    if not folder.is_dir():
        raise LiqstratError(f"{folder}: no such folder; expected one with the results folders of runs")
    index, found, left_out = _read_index(folder), {}, {}
    now, changed = time.time_ns(), False
    for path in runs_in(folder):
        state = _state(path)
        known = index.get(path.name)
        if known is not None and state is not None and known[0] == state:
            found[path.name] = known
            continue
        try:
            row = _row(path)
        except LiqstratError as error:
            left_out[path.name] = str(error)
            continue
        # What is not kept, because it is too young, is read again the next time.
        kept = state if state is not None and state == _state(path) and now - _youngest(state) > _SETTLED_NS else None
        changed = changed or kept is not None
        found[path.name] = [kept, row]
    if changed or index.keys() - found.keys():
        _write_index(folder, {name: known for name, known in found.items() if known[0] is not None})
    notes = read_notes(folder)
    rows = [_finished(row, notes.get(name, Notes())) for name, (_, row) in found.items()]
    rows.sort(key=lambda row: (row["created"], row["run"]), reverse=True)
    return Listing(folder, rows, left_out)


def runs_in(folder: Path) -> list[Path]:
    """The folders in `folder` that are those of runs, by name."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    # As text: thousands of paths cost more than looking at their files.
    return [folder / name for name in names if os.path.isfile(f"{folder}/{name}/run.json")]


def sort_rows(rows: list[Row], by: Iterable[str], known: Iterable[str]) -> list[Row]:
    """Rows by columns, the first decides; a minus before a name turns it round, what is undefined comes last."""
    known = list(known)
    for key in reversed(list(by)):
        name, down = key.removeprefix("-"), key.startswith("-")
        if name not in known:
            raise LiqstratError(
                f'there is no column "{name}"{did_you_mean(name, known)}; expected of {", ".join(known)}'
            )
        defined = [row for row in rows if row.get(name) is not None]
        defined.sort(key=lambda row: row[name], reverse=down)
        rows = defined + [row for row in rows if row.get(name) is None]
    return rows


def chosen(listing: Listing, runs: Iterable[str]) -> list[Row]:
    """The rows of runs by the names of their folders; raises `LiqstratError` for one that is not there."""
    by_name = {row["run"]: row for row in listing.rows}
    found = []
    for run in dict.fromkeys(runs):
        name = Path(run).name
        if name not in by_name:
            raise LiqstratError(f"{listing.folder}: there is no run {name}{did_you_mean(name, by_name)}")
        found.append(by_name[name])
    return found


def _row(path: Path) -> Row:
    run, figures = (read_json(path / name) for name in _FILES)
    try:
        about = {**run, "run": path.name, "strategies": [one["use"] for one in run["config"]["strategies"]]}
        for key in _TIMES:
            parse_time(run[key])
        single = {key: value for key, value in figures.items() if not isinstance(value, dict | list | str)}
        return {**{key: about[key] for key in _ABOUT}, **single, **{key: about[key] for key in _HASHES}}
    except (KeyError, TypeError, ValueError) as error:
        raise LiqstratError(f"{path / 'run.json'}: {error!r}, expected what a run writes") from None


def _finished(row: Row, notes: Notes) -> Row:
    moments = {key: parse_time(row[key]) for key in _TIMES}
    return {**row, **moments, "tags": notes.tags, "note": notes.note}


def _state(path: Path) -> list[int] | None:
    """What tells that files have changed; None where one is not there."""
    try:
        return list(_facts(path))
    except OSError:
        return None


def _facts(path: Path) -> Iterator[int]:
    for name in _FILES:
        stat = os.stat(f"{path}/{name}")
        yield from (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)


def _youngest(state: list[int]) -> int:
    return max(max(state[at], state[at + 1]) for at in range(0, len(state), 4))


def _read_index(folder: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            return {}
        return {name: [state, row] for name, (state, row) in content["runs"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write_index(folder: Path, runs: dict[str, list[Any]]) -> None:
    """A folder that cannot be written to is listed without one."""
    with suppress(LiqstratError, OSError), partial_file(folder / _INDEX) as partial:
        partial.write_text(json.dumps({"version": _VERSION, "runs": runs}), encoding="utf-8")
