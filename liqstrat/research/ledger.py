"""All that was tried, beside the results: nothing is ever taken out, whatever becomes of a run's folder.

`ledger/*.parquet` are its parts, each of one or more entries, written whole or not at all; `ledger/code/` has the code
of users' strategies by its hash. Any number of processes may write at once. Where there are many small parts they are
put together into one, which is in its place before they go: until then an entry stands in both and counts once.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from liqstrat.held import alone, partial_file, written
from liqstrat.remarks import remark
from liqstrat.research.code import Code, keep_code

_FOLDER = "ledger"
#: Parts of fewer entries, so many of which are put together.
_SMALL, _MOST_SMALL = 10_000, 64
_TOGETHER, _HOLDS = "together-", b"holds"
_TEXT = pa.string()
SCHEMA = pa.schema(
    [
        ("run", _TEXT),
        ("created", pa.timestamp("us", "UTC")),
        ("kind", _TEXT),
        ("parent", _TEXT),
        ("number", pa.int64()),
        ("variant", _TEXT),
        ("config_hash", _TEXT),
        ("data_hash", _TEXT),
        ("config", _TEXT),
        ("figures", _TEXT),
        ("code", pa.list_(pa.struct([("module", _TEXT), ("sha256", _TEXT)]))),
    ]
)
#: Of a configuration, what changes nothing in what is done.
_NAMES = ("name", "report", "data")


@dataclass(frozen=True)
class Entry:
    """A run, or a trial of a study.

    run: its name. kind: "run", or what else was tried. parent: the study that it is part of, "" without one. config,
    config_hash, data_hash: as in `run.json`; figures: as in `metrics.json`. code: of users' strategies.
    """

    run: str
    created: datetime
    config: dict[str, Any]
    config_hash: str
    data_hash: str
    figures: dict[str, Any]
    code: list[Code] = field(default_factory=list)
    kind: str = "run"
    parent: str = ""

    @property
    def variant(self) -> str:
        """What is the same for all that do the same: a hash of the configuration, but for names, and of the code."""
        kept = {key: value for key, value in self.config.items() if key not in _NAMES}
        kept["warmup_days"] = (self.config.get("data") or {}).get("warmup_days")
        told = [kept, [(one.module, one.sha256) for one in self.code]]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Tried:
    """The number of a run on its data, from 1, and how many configurations were tried on them so far."""

    run: int
    configurations: int


def append(results: Path, entries: Sequence[Entry]) -> list[Tried]:
    """Put entries into the ledger beside `results`, all of one call in one part; returns what each is on its data.

    They are in when this returns, also where the process is killed right after.
    """
    folder = results / _FOLDER
    with written(folder / ".lock"), alone(folder / ".lock", lambda _: None):
        known = read_ledger(results, ["kind", "data_hash", "number", "variant"]).to_pylist()
        for entry in entries:
            keep_code(folder / "code", entry.code)
        rows, tried = [], []
        for entry in entries:
            own = [row for row in known if row["data_hash"] == entry.data_hash]
            number = max((row["number"] for row in own if row["kind"] == entry.kind), default=0) + 1
            row = _row(entry, number)
            known.append(row)
            rows.append(row)
            tried.append(Tried(number, len({row["variant"] for row in own} | {entry.variant})))
        name = f"{min(entry.created for entry in entries):%Y%m%dT%H%M%S}-{os.urandom(6).hex()}.parquet"
        _write(folder / name, pa.Table.from_pylist(rows, schema=SCHEMA))
        _put_together(folder)
    return tried


def read_ledger(results: Path, columns: Iterable[str] | None = None) -> pa.Table:
    """All entries (see `SCHEMA`) by the time they were made; a part that cannot be read is left out with a remark."""
    names = SCHEMA.names if columns is None else list(columns)
    wanted = pa.schema([SCHEMA.field(name) for name in dict.fromkeys([*names, "created", "run"])])
    folder = results / _FOLDER
    while True:
        together = _together(folder)
        parts = _parts(folder, wanted)
        # Else parts were put together meanwhile: what was seen may have too much or too little.
        if parts is not None and _together(folder) == together:
            return pa.concat_tables(parts).sort_by([("created", "ascending"), ("run", "ascending")]).select(names)


def _parts(folder: Path, wanted: pa.Schema) -> list[pa.Table] | None:
    """The tables of all parts, less those that another holds; None where one went away meanwhile."""
    found, held = [wanted.empty_table()], _held(folder)
    for path in sorted(folder.glob("*.parquet")):
        if path.name in held:
            continue
        try:
            found.append(pq.read_table(path, columns=wanted.names).cast(wanted))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError) as error:
            remark(f"{path}: is left out of the ledger: it cannot be read: {str(error).splitlines()[0]}")
    return found


def _together(folder: Path) -> set[Path]:
    return set(folder.glob(f"{_TOGETHER}*.parquet"))


def _held(folder: Path) -> set[str]:
    """The names of parts whose entries are in another one, too."""
    found: set[str] = set()
    for path in _together(folder):
        with suppress(OSError, ValueError):
            metadata = pq.read_schema(path).metadata or {}
            found |= set(json.loads(metadata.get(_HOLDS, b"[]")))
    return found


def _put_together(folder: Path) -> None:
    """Write many small parts as one, and remove them then; only for who has the lock.

    Whoever is killed in between leaves both, which count once; who comes next removes what is held twice.
    """
    held = _held(folder)
    for name in held:
        (folder / name).unlink(missing_ok=True)
    parts = sorted(folder.glob("*.parquet"))
    if len(parts) < _MOST_SMALL:
        return
    tables = {}
    for path in parts:
        # What cannot be read stays as it is, and is told of by who reads.
        with suppress(OSError, ValueError, KeyError):
            if pq.read_metadata(path).num_rows < _SMALL:
                tables[path] = pq.read_table(path, columns=SCHEMA.names).cast(SCHEMA)
    if len(tables) < _MOST_SMALL // 2:
        return
    holds = json.dumps([path.name for path in tables]).encode()
    table = pa.concat_tables(tables.values()).replace_schema_metadata({_HOLDS: holds})
    _write(folder / f"{_TOGETHER}{os.urandom(6).hex()}.parquet", table)
    for path in tables:
        path.unlink(missing_ok=True)


def _write(part: Path, table: pa.Table) -> None:
    """Write a part so that it stays."""
    with partial_file(part) as partial, partial.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


def configurations(results: Path, data_hash: str) -> int:
    """How many configurations were tried on these data, in runs and in trials."""
    rows = read_ledger(results, ["kind", "data_hash", "variant"]).to_pylist()
    return len({row["variant"] for row in rows if row["data_hash"] == data_hash and row["kind"] in ("run", "trial")})


def _row(entry: Entry, number: int) -> dict[str, Any]:
    return {
        **{key: getattr(entry, key) for key in ("run", "created", "kind", "parent", "config_hash", "data_hash")},
        "number": number,
        "variant": entry.variant,
        "config": json.dumps(entry.config, default=str),
        "figures": json.dumps(entry.figures, allow_nan=False),
        "code": [{"module": code.module, "sha256": code.sha256} for code in entry.code],
    }
