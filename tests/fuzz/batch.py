"""Many mutated files into one database at once, and what is found there against what should be."""

import random
import resource
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from liqstrat.market.ingest import FileReport, ingest
from tests.fuzz.mutations import mutated
from tests.fuzz.oracle import NoReadingError, Rows, bybit_limits, entries, rows_of
from tests.fuzz.samples import KINDS, Sample, sample

_COLUMNS = {
    "aggtrades_history": "symbol, epoch_us(timestamp), agg_trade_id, price, quantity, side = 'sell'",
    "open_interest_history": (
        "symbol, epoch_us(timestamp), open_interest_contracts, open_interest_value, count_toptrader_long_short_ratio, "
        "sum_toptrader_long_short_ratio, count_long_short_ratio, sum_taker_long_short_vol_ratio"
    ),
    "funding_rate_history": "symbol, epoch_us(timestamp), funding_rate",
    "klines": "symbol, epoch_us(timestamp), open, high, low, close, volume",
    "liquidation_history": "symbol, epoch_us(timestamp), side, quantity, price, average_price, status",
}
_BRACKET = ("notionalFloor", "notionalCap", "maintMarginRatio", "cum", "initialLeverage")
_OF_MARKETS = ("brackets", "listings", "bybitLimits")
_REFERENCE = ("leverage_brackets", "instruments")
#: What a file of a few kilobytes may make the process grow by.
_MOST_MEMORY = 1_000_000_000


@dataclass(frozen=True)
class Made:
    """A mutated file: what it was made from, and where it lies."""

    one: Sample
    path: Path
    data: bytes


def run_batch(seed: int, count: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Mutate `count` files and load them: how many ended how, and what is wrong, with the seed to see it again."""
    before = _memory()
    made = _make(seed, count, folder / "all")
    reports = ingest([one.path for one in made], folder / "all.duckdb").files
    found = _found(folder / "all.duckdb")
    wrong = [text for one, report in zip(made, reports, strict=True) if (text := _wrong_report(one, report))]
    for one, report in zip(made, reports, strict=True):
        if report.state != "refused" and one.one.kind in _OF_MARKETS:
            wrong.append(_wrong_reference(one, folder / "all.duckdb"))
    wrong += [_alone(one, folder / "alone") for one in _suspects(made, reports, found)]
    if (grown := _memory() - before) > _MOST_MEMORY:
        wrong.append(f"memory has grown by {grown:,} bytes")
    return Counter(report.state for report in reports), [f"seed {seed}, {text}" for text in wrong if text]


def _make(seed: int, count: int, folder: Path) -> list[Made]:
    made = []
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        one = sample(rng, rng.choice(KINDS), f"F{number:05}USDT")
        name, data = mutated(rng, one)
        path = folder / str(number) / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        made.append(Made(one, path, data))
    return made


def _alone(made: Made, folder: Path) -> str:
    """What is wrong with a file that is loaded by itself."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    database = folder / "alone.duckdb"
    (report,) = ingest([made.path], database).files
    if report.state == "refused":
        return f"{made.path}: is refused and leaves a database" if database.exists() else ""
    if made.one.kind in _OF_MARKETS:
        return ""
    right = rows_of(made.one.kind, made.one.symbol, made.path.name, made.data)
    found = _found(database)
    if right is None:
        return f"{made.path}: is taken, and has no right rows; found {list(found)[:3]}"
    if _counted(right) != found:
        missing, more = _counted(right) - found, found - _counted(right)
        shown = f"({list(missing)[:2]}), {len(more)} too many ({list(more)[:2]})"
        return f"{made.path}: {len(missing)} rows are missing {shown}"
    return ""


def _wrong_report(made: Made, report: FileReport) -> str:
    reason = report.reason
    if report.state == "refused" and not reason:
        return f"{made.path}: is refused without a reason"
    if "fault of this program" in reason or "Traceback" in reason or len(reason) > 1000 or "\n" in reason:
        return f"{made.path}: {report.state} with {reason[:300]!r}"
    return ""


def _suspects(made: Sequence[Made], reports: Sequence[FileReport], found: Counter[tuple[Any, ...]]) -> list[Made]:
    """The files whose symbol has other rows than it should have, to be looked at one by one: some share a symbol."""
    taken = [
        one
        for one, report in zip(made, reports, strict=True)
        if report.state != "refused" and one.one.kind not in _OF_MARKETS
    ]
    right = {one.path: rows_of(one.one.kind, one.one.symbol, one.path.name, one.data) for one in taken}
    expected: Counter[tuple[Any, ...]] = Counter()
    for rows in right.values():
        expected += _counted(rows or {})
    odd = {row[1:2] for row in (expected - found) + (found - expected)}
    symbols = {
        one.path: {row[1:2] for row in _counted(right[one.path] or {})}
        | {(one.one.symbol,), (f"{one.one.symbol}.BYBIT",)}
        for one in taken
    }
    of_odd = [one for one in taken if right[one.path] is None or symbols[one.path] & odd]
    known = set().union(*symbols.values())
    # Rows of a symbol that no file is of, or a table that none is for, can be of any.
    return of_odd if odd <= known else list(made)


def _counted(rows: Rows) -> Counter[tuple[Any, ...]]:
    return Counter((table, *row) for table, of_it in rows.items() for row in of_it)


def _found(database: Path) -> Counter[tuple[Any, ...]]:
    if not database.exists():
        return Counter()
    found: Counter[tuple[Any, ...]] = Counter()
    with duckdb.connect(str(database), read_only=True) as connection:
        for (table,) in connection.execute("select table_name from duckdb_tables()").fetchall():
            columns = _COLUMNS.get("klines" if table.startswith("klines_") else table)
            if columns:
                found.update((table, *row) for row in connection.execute(f"select {columns} from {table}").fetchall())
            elif table not in ("ingest_ledger", *_REFERENCE):
                found[(table,)] += 1
    return found


def _wrong_reference(made: Made, database: Path) -> str:
    """Of brackets and listings: every value that is kept is that of the document, and can be."""
    try:
        listed = entries(made.data.decode("utf-8-sig"))
    except (NoReadingError, UnicodeError):
        return f"{made.path}: is taken, and is no JSON"
    if made.one.kind == "listings":
        listed = listed[0]["symbols"]
    by_symbol: dict[str, list[Any]] = {}
    for entry in listed if made.one.kind != "bybitLimits" else []:
        if isinstance(entry, dict):
            by_symbol.setdefault(str(entry.get("symbol") or entry.get("pair")), []).append(entry)
    of_it = f"where symbol like '%{made.one.symbol}%'"
    with duckdb.connect(str(database), read_only=True) as connection:
        if made.one.kind == "listings":
            sql = f"select symbol, price_tick, quantity_step, min_quantity from instruments {of_it}"
            kept = connection.execute(sql).fetchall()
            return "".join(_wrong_listing(made, by_symbol.get(symbol, []), *values) for symbol, *values in kept)
        sql = f"select symbol, floor, cap, rate, amount, max_leverage from leverage_brackets {of_it}"
        kept = connection.execute(sql).fetchall()
    for symbol in {row[0] for row in kept}:
        if made.one.kind == "bybitLimits":
            if {row[1:] for row in kept if row[0] == symbol} != bybit_limits(listed[0], symbol):
                return f"{made.path}: risk limits of {symbol} are not those of the document"
            continue
        told = {tuple(Decimal(str(one[key])) for key in _BRACKET) for one in by_symbol[symbol][0]["brackets"]}
        if {row[1:] for row in kept if row[0] == symbol} != told:
            return f"{made.path}: brackets of {symbol} are not those of the document"
    return ""


def _wrong_listing(made: Made, of_it: list[Any], tick: Decimal, step: Decimal, least: Decimal | None) -> str:
    told: dict[str, Any] = {}
    for entry in of_it[-1:]:
        for one in entry["filters"]:
            if isinstance(one, dict):
                told |= {key: one[key] for key in ("tickSize", "stepSize", "minQty") if key in one}
    right = tick > 0 and step > 0 and Decimal(str(told["tickSize"])) == tick and Decimal(str(told["stepSize"])) == step
    if right and (least is None or (least >= 0 and Decimal(str(told["minQty"])) == least)):
        return ""
    return f"{made.path}: has a listing with {tick}, {step}, {least}, and not {told}"


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
