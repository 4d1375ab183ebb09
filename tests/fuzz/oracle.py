"""The right rows of a file, found by plain Python: nothing of the package, no SQL.

A file that has no right reading, because a cell is no number or two rows contradict each other, has None: it must be
refused. One that has may be refused all the same, by name, but where it is taken these must be the rows.
"""

import gzip
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

from tests.fuzz.samples import HEADERS

#: By table, the rows: symbol first, then the values that are compared.
Rows = dict[str, list[tuple[Any, ...]]]

_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NONE = re.compile(r"[+-]?(nan|NaN|NAN|inf|Inf|INF|infinity|Infinity|null|NULL|None)")
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})?")
_FIRST_MS, _LAST_MS = 1_546_300_800_000, 4_102_444_800_000
_EIGHTH = Decimal("0.00000001")
_MINUTE_US, _DAY_US = 60_000_000, 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NoReadingError(Exception):
    """The file has no right rows."""


def require(condition: object) -> None:
    if not condition:
        raise NoReadingError


def rows_of(kind: str, symbol: str, name: str, data: bytes) -> Rows | None:
    """The right rows of a file of the kind, called `name`; None where it has none."""
    try:
        if name.endswith(".zip"):
            data = _unpacked(data, symbol)
        if name.endswith(".gz"):
            data = _inflated(data)
        text = data.decode("utf-8").removeprefix("\ufeff")
        if name.endswith((".json", ".jsonl")):
            return _of_json(kind, symbol, text)
        return _of_csv(kind, symbol, name, text)
    except (NoReadingError, UnicodeError):
        return None


def _inflated(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except Exception:
        raise NoReadingError from None


def _unpacked(data: bytes, symbol: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (inside,) = (info for info in archive.infolist() if not info.is_dir())
            require(inside.filename.lower().endswith(".csv"))
            return archive.read(inside)
    except NoReadingError:
        raise
    except Exception:
        raise NoReadingError from None


# Cells ----------------------------------------------------------------------------------------------------------------


def _whole(cell: str) -> int:
    require(re.fullmatch(r"[0-9]{1,18}", cell))
    return int(cell)


def _decimal(cell: str, whole_digits: int = 10) -> Decimal:
    require(_NUMBER.fullmatch(cell) and len(cell) < 100)
    value = Decimal(cell)
    require(abs(value) < Decimal(10) ** whole_digits)
    rounded = value.quantize(_EIGHTH, ROUND_HALF_UP)
    require(abs(value - rounded) <= abs(value) * Decimal("2.1e-15"))  # or else digits would be lost
    return rounded


def _optional(cell: str, whole_digits: int = 20) -> Decimal | None:
    return None if cell == "" or _NONE.fullmatch(cell) else _decimal(cell, whole_digits)


def _volume(cell: str) -> Decimal:
    value = _decimal(cell, 20)
    require(0 <= value < 10**13)
    return value


def _ratio(cell: str) -> float | None:
    if cell == "" or _NONE.fullmatch(cell):
        return None
    require(_NUMBER.fullmatch(cell) and len(cell) < 100 and 0 <= float(cell) <= 10**9)
    return float(cell)


def _ms(cell: str) -> int:
    """Microseconds of an epoch time in milliseconds."""
    value = _whole(cell)
    require(_FIRST_MS <= value < _LAST_MS)
    return value * 1000


def _ms_or_us(cell: str) -> int:
    value = _whole(cell)
    if value >= _FIRST_MS * 1000:
        require(value < _LAST_MS * 1000)
        return value
    return _ms(cell)


def _moment(cell: str) -> int:
    found = _MOMENT.fullmatch(cell)
    require(found)
    assert found is not None
    try:
        at = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
    except ValueError:
        # One more hour than a day has is the midnight after.
        require(found[2] == "24:00:00" and not (found[3] or "").strip(".0"))
        try:
            at = datetime.fromisoformat(f"{found[1]}T00:00:00+00:00") + timedelta(days=1)
        except (ValueError, OverflowError):
            raise NoReadingError from None
    require(2019 <= at.year < 2100)
    return _us(at) + int((found[3] or ".0")[1:].ljust(6, "0"))


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


# Rows of each kind: time in microseconds first ------------------------------------------------------------------------


def _trade(cells: Sequence[str]) -> tuple[Any, ...] | None:
    id_, price, quantity, _, _, time, maker = cells
    require(maker in ("true", "True", "TRUE", "false", "False", "FALSE"))
    values = (_ms_or_us(time), _whole(id_), _decimal(price), _decimal(quantity), maker.lower() == "true")
    require(values[2] > 0 and values[3] >= 0)
    return values if values[3] else None


def _interest(symbol: str) -> Any:
    def row(cells: Sequence[str]) -> tuple[Any, ...]:
        require(cells[1] == symbol)
        sums = [None if value is None else value or None for value in map(_optional, cells[2:4])]
        require(all(value is None or 0 < value < 10**13 for value in sums))
        return (_moment(cells[0]), *sums, *map(_ratio, cells[4:]))

    return row


def _rate(cells: Sequence[str]) -> tuple[Any, ...]:
    time, hours, rate = cells
    require(_whole(hours) <= 24 and abs(_decimal(rate)) <= 1)
    return _ms(time), _decimal(rate)


def _candle(cells: Sequence[str]) -> tuple[Any, ...]:
    *_, end, quote, count, taker, taker_quote, _ = cells
    opened, *values = _prices_and_volume(cells[:6])
    _volume(quote), _volume(taker), _volume(taker_quote)
    require(opened % _MINUTE_US == 0 and 0 < _ms(end) - opened + 1000 <= _MINUTE_US)
    return opened, *values, _whole(count)


def _prices_and_volume(cells: Sequence[str]) -> tuple[Any, ...]:
    begin, *prices, volume = cells
    first, high, low, last = map(_decimal, prices)
    require(min(first, high, low, last) > 0 and high >= max(first, low, last) and low <= min(first, last))
    return _ms(begin), first, high, low, last, _volume(volume)


def _liquidation(cells: Sequence[str]) -> tuple[Any, ...] | None:
    time, side, _, _, quantity, price, average, status, *_ = cells
    require(re.fullmatch(r"[A-Za-z_]\w*", side, re.ASCII) and side.lower() in ("buy", "sell"))
    require(status == "" or re.fullmatch(r"[A-Za-z_]\w*", status, re.ASCII))
    values = (
        _ms(time),
        side.lower(),
        _decimal(quantity),
        _decimal(price),
        _optional(average, 10) or None,
        status or None,
    )
    require(values[2] >= 0 and values[3] > 0 and (values[4] is None or values[4] > 0))
    return values if values[2] else None


# CSV ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Kind:
    table: str
    width: int


_CSV = {
    "aggTrades": _Kind("aggtrades_history", 7),
    "metrics": _Kind("open_interest_history", 8),
    "fundingRate": _Kind("funding_rate_history", 3),
    "1m": _Kind("klines_1m_history", 12),
    "liquidationSnapshot": _Kind("liquidation_history", 10),
}


def _of_csv(kind: str, symbol: str, name: str, text: str) -> Rows:
    if kind == "bybitTrades":
        return _bybit_trades(text)
    if kind == "bybitMinutes":
        return _bybit_minutes(symbol, text)
    known = _CSV[kind]
    readers = {
        "aggTrades": _trade, "metrics": _interest(symbol), "fundingRate": _rate, "1m": _candle,
        "liquidationSnapshot": _liquidation,
    }  # fmt: skip
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line]
    require(lines)
    if [cell.strip().strip('"').lower() for cell in lines[0].split(",")] == HEADERS[kind].split(","):
        lines = lines[1:]
    require(lines or kind == "liquidationSnapshot")
    read = [readers[kind](_cells(line, known.width)) for line in lines]
    rows = [row for row in read if row is not None]
    require(rows or not read)
    if kind == "1m":
        require(any(row[5] for row in rows) or not sum(row[6] for row in rows))
        rows = [row[:6] for row in rows]
    if kind == "metrics":
        rows = _known(rows, name)
    _hold_against_name(kind, name, [row[0] for row in rows])
    return {known.table: [(symbol, *row) for row in _once(kind, rows)]}


def _cells(line: str, width: int) -> list[str]:
    cells = ["" if cell == '""' else cell for cell in line.split(",")]
    while len(cells) > width and not cells[-1]:
        cells.pop()
    require(len(cells) == width)
    return cells


def _period(name: str) -> tuple[int, int]:
    found = re.search(r"-([0-9]{4})-([0-9]{2})(?:-([0-9]{2}))?\.", name)
    assert found is not None
    year, month, day = int(found[1]), int(found[2]), int(found[3] or 1)
    after = date(year, month, day) + timedelta(days=1) if found[3] else date(year + month // 12, month % 12 + 1, 1)
    return tuple(_us(datetime(d.year, d.month, d.day, tzinfo=UTC)) for d in (date(year, month, day), after))  # type: ignore[return-value]


def _hold_against_name(kind: str, name: str, times: Sequence[int]) -> None:
    first, after = _period(name)
    if kind == "fundingRate":
        after += _MINUTE_US
    within = [t for t in times if first - _MINUTE_US <= t and (t <= after if kind == "metrics" else t < after)]
    require(within or not times)


def _known(rows: list[tuple[Any, ...]], name: str) -> list[tuple[Any, ...]]:
    """Each value at the moment when it was known: at its label, or five minutes after it."""
    five = 5 * _MINUTE_US
    times = [row[0] for row in rows]
    first, last = min(times), max(times)
    begin, end = _period(name)
    if end - begin > _DAY_US:
        begin, end = first // _DAY_US * _DAY_US, -(-last // _DAY_US) * _DAY_US
    ends = first == begin + five or last == end
    starts = first == begin or last == end - five
    if ends and not starts:
        return rows
    if first == begin + five and starts:
        twice = {t for t in times if t % _DAY_US == 0 and times.count(t) == 2}
        if len(twice) > 1:
            twice = {t for t in twice if len({row[1] for row in rows if row[0] == t and row[1] is not None}) > 1}
        if len(twice) == 1:
            return _with_seam(rows, twice.pop(), five)
    return [(row[0] + five, *row[1:]) for row in rows]


def _with_seam(rows: list[tuple[Any, ...]], seam: int, five: int) -> list[tuple[Any, ...]]:
    rising = rows[0][0] <= rows[-1][0]
    at_seam = [i for i, row in enumerate(rows) if row[0] == seam]
    later = at_seam[1] if rising else at_seam[0]
    return [(row[0] + (five if row[0] > seam or i == later else 0), *row[1:]) for i, row in enumerate(rows)]


def _once(kind: str, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Each row once; of several of one moment the one that says most, and none where they contradict each other."""
    found: dict[Any, list[tuple[Any, ...]]] = {}
    for row in dict.fromkeys(rows):
        key = {"aggTrades": row[1], "liquidationSnapshot": row}.get(kind, row[0])
        found.setdefault(key, []).append(row)
    kept = []
    for several in found.values():
        if len(several) > 1:
            require(kind in ("metrics", "1m"))
            one = (_one_interest if kind == "metrics" else _one_candle)(several)
            kept += [one] if one else []
        else:
            kept += several
    require(kept or not found)
    return kept


def _one_interest(several: list[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    if any(len({row[i] for row in several if row[i] is not None}) > 1 for i in (1, 2)):
        return None
    return max(several, key=lambda row: row[1] is not None)


def _one_candle(several: list[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    most = max(row[5] for row in several)
    largest = [row for row in several if row[5] == most]
    if len({row[1] for row in several}) > 1 or (
        len({row[5] for row in several}) == 1 and len({row[4] for row in several}) > 1
    ):
        return None
    one = largest[0]
    if max(row[2] for row in several) > one[2] or min(row[3] for row in several) < one[3]:
        return None
    return one


# Bybit ----------------------------------------------------------------------------------------------------------------

_BILLION = 10**9
_OF_BYBIT = re.compile(r"[A-Z0-9]{5,}")
_BYBIT_JSON = ("bybitInterest", "bybitLiquidations", "bybitCandles", "bybitRates")


def _bybit_symbol(cell: str) -> str:
    require(_OF_BYBIT.fullmatch(cell))
    return f"{cell}.BYBIT"


def _bybit_trades(text: str) -> Rows:
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line]
    require(lines and text[:1] not in ("\n", "\r"))
    header = [cell.strip().strip('"').lower() for cell in lines[0].split(",")]
    known = HEADERS["bybitTrades"].lower().split(",")
    require(header in (known, [*known, "rpi"]))
    rows, matches, symbols = [], [], set()
    for line in lines[1:]:
        time, name, side, size, price, _, match, *_ = _cells(line, len(header))
        at, quantity, paid = _decimal(time), _decimal(size), _decimal(price)
        require(1_546_300_800 <= at <= 4_102_444_799 and paid > 0 and quantity >= 0)
        require(side in ("Buy", "Sell") and re.fullmatch(r"[0-9a-fA-F-]{1,64}", match))
        symbol = _bybit_symbol(name)
        if quantity:
            symbols.add(symbol)
            matches.append(match)
            rows.append((int((at * 1_000_000).quantize(Decimal(1), ROUND_HALF_UP)), at, quantity, paid, side == "Sell"))
    require(rows and len(symbols) == 1 and len(set(matches)) == len(matches))
    (symbol,) = symbols
    first = _us(datetime(2019, 1, 1, tzinfo=UTC)) // _DAY_US
    kept, numbers = [], dict.fromkeys({us // _DAY_US for us, *_ in rows}, 0)
    for us, _, quantity, paid, sold in sorted(rows, key=lambda row: row[1]):
        numbers[us // _DAY_US] += 1
        number = (us // _DAY_US - first) * _BILLION + numbers[us // _DAY_US]
        kept.append((symbol, us, number, paid, quantity, sold))
    return {"aggtrades_history": kept}


def _bybit_minutes(symbol: str, text: str) -> Rows:
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line]
    rows = []
    for line in lines:
        cell, *prices, volume = _cells(line, 6)
        require(re.fullmatch(r"[0-9]{4}\.[0-9]{2}\.[0-9]{2} [0-9]{2}:[0-9]{2}", cell))
        try:
            at = datetime.strptime(f"{cell}+0300", "%Y.%m.%d %H:%M%z")
        except ValueError:
            raise NoReadingError from None
        require(2019 <= at.year < 2100)
        first, high, low, last = map(_decimal, prices)
        require(min(first, high, low, last) > 0 and high >= max(first, low, last) and low <= min(first, last))
        rows.append((_us(at), first, high, low, last, _volume(volume)))
    require(rows)
    steps = Counter(after - before for before, after in pairwise(sorted(row[0] for row in rows)) if after > before)
    if steps:
        usual = max(steps, key=lambda step: (steps[step], step))
        require(usual == _MINUTE_US)
    return {"klines_1m_history": [(f"{symbol}.BYBIT", *row) for row in _once("1m", rows)]}


def _of_bybit(kind: str, listed: Sequence[Any]) -> Rows:
    if kind == "bybitCandles":
        return _bybit_candles(listed)
    read = {"bybitInterest": _bybit_interest, "bybitRates": _bybit_rates}.get(kind, _bybit_orders)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for entry in listed:
        require(isinstance(entry, dict))
        for symbol, row in read(entry):
            rows.setdefault(symbol, [])
            if row is not None:
                rows[symbol].append(row)
    require(any(rows.values()))
    like, table = {
        "bybitInterest": ("metrics", "open_interest_history"),
        "bybitRates": ("fundingRate", "funding_rate_history"),
        "bybitLiquidations": ("liquidationSnapshot", "liquidation_history"),
    }[kind]
    kept = {symbol: _once(like, of_it) if of_it else [] for symbol, of_it in rows.items()}
    return {table: [(symbol, *row) for symbol, of_it in kept.items() for row in of_it]}


def _bybit_interest(entry: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    require("retCode" in entry and isinstance(entry.get("result"), dict))
    listed, symbol = entry["result"].get("list"), entry["result"].get("symbol")
    require(isinstance(listed, list) and listed and isinstance(symbol, str))
    for one in listed:
        require(isinstance(one, dict) and {"openInterest", "timestamp"} <= one.keys())
        if one.get("singleOpenInterest") in (None, ""):
            require(isinstance(one["openInterest"], str))
            contracts: Decimal | None = _decimal(one["openInterest"], 20) / 2
            require(contracts == _decimal(f"{contracts:f}", 20))
        else:
            contracts = _optional(_cell(one["singleOpenInterest"]))
        require(contracts is None or 0 <= contracts < 10**13)
        yield _bybit_symbol(symbol), (_ms(_cell(one["timestamp"])), contracts or None, None, None, None, None, None)


def _bybit_rates(entry: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    require("retCode" in entry and isinstance(entry.get("result"), dict))
    listed = entry["result"].get("list")
    require(isinstance(listed, list) and listed)
    for one in listed:
        require(isinstance(one, dict) and {"symbol", "fundingRate", "fundingRateTimestamp"} <= one.keys())
        yield (
            _bybit_symbol(_cell(one["symbol"])),
            _rate([_cell(one["fundingRateTimestamp"]), "8", _cell(one["fundingRate"])]),
        )


_LENGTHS_MS = {
    1_000: "1s", **{60_000 * n: f"{n}m" for n in (1, 3, 5, 15, 30)},
    **{3_600_000 * n: f"{n}h" for n in (1, 2, 4, 6, 8, 12)}, **{86_400_000 * n: f"{n}d" for n in (1, 3)},
    604_800_000: "1w", **{86_400_000 * n: "1mo" for n in range(28, 32)},
}  # fmt: skip


def _bybit_candles(listed: Sequence[Any]) -> Rows:
    """Candles as long as the shortest step of their answer, of those that were over when it was asked for."""
    found: list[tuple[int, str, tuple[Any, ...]]] = []
    for entry in listed:
        require(isinstance(entry, dict) and "retCode" in entry and isinstance(entry.get("result"), dict))
        result = entry["result"]
        several, symbol = result.get("list"), result.get("symbol")
        require(isinstance(several, list) and several and isinstance(symbol, str) and result.get("category") != "spot")
        require(all(isinstance(one, list) and len(one) == 7 for one in several))
        starts = sorted({_ms(_cell(one[0])) // 1000 for one in several})
        step = min((b - a for a, b in pairwise(starts)), default=0)
        asked = _cell(entry.get("time"))
        over = _ms(asked) // 1000 if asked and not _NONE.fullmatch(asked) else None
        for one in several:
            name, row = _bybit_symbol(symbol), _prices_and_volume(list(map(_cell, one[:6])))
            if step and (over is None or row[0] // 1000 + step - 1 < over):
                found.append((step, name, row))
    require(found)
    counts = Counter(step for step, *_ in found)
    usual = max(counts, key=lambda step: (counts[step], step))
    require(usual in _LENGTHS_MS)
    fits = {step for step in counts if _LENGTHS_MS.get(step) == _LENGTHS_MS[usual]}
    require(all(step in fits or (step < usual and step not in _LENGTHS_MS) for step in counts))
    require(usual > 86_400_000 or all(row[0] // 1000 % usual == 0 for *_, row in found))
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for _, symbol, row in found:
        rows.setdefault(symbol, []).append(row)
    kept = {symbol: _once("1m", of_it) for symbol, of_it in rows.items()}
    table = f"klines_{_LENGTHS_MS[usual]}_history"
    return {table: [(symbol, *row) for symbol, of_it in kept.items() for row in of_it]}


def _bybit_orders(entry: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    topic, data = entry.get("topic"), entry.get("data")
    require(isinstance(topic, str) and topic.startswith(("allLiquidation.", "liquidation.")))
    assert isinstance(topic, str)
    keys = ("s", "T", "S", "v", "p") if topic.startswith("all") else ("symbol", "updatedTime", "side", "size", "price")
    several = data if isinstance(data, list) else [data]
    require(several)
    for one in several:
        require(isinstance(one, dict) and set(keys) <= one.keys())
        symbol, time, side, size, price = (one[key] for key in keys)
        require(isinstance(side, str) and side in ("Buy", "Sell"))
        order = [_cell(time), "sell" if side == "Buy" else "buy", "", "", _cell(size), _cell(price), "", "", "", ""]
        yield _bybit_symbol(_cell(symbol)), _liquidation(order)


def bybit_limits(document: Any, symbol: str) -> set[tuple[Decimal, ...]]:
    """Floor, cap, rate, amount and leverage of each risk limit of a symbol; amounts as told, else by the rates."""
    floor, before, amount, rows = Decimal(0), Decimal(0), Decimal(0), set()
    limits = [one for one in document["result"]["list"] if f"{one['symbol']}.BYBIT" == symbol]
    for one in sorted(limits, key=lambda one: Decimal(str(one["riskLimitValue"]))):
        rate, leverage = (Decimal(str(one[key])) for key in ("maintenanceMargin", "maxLeverage"))
        if Decimal(str(one.get("initialMargin") or 0)) * leverage > 10:
            rate /= 100
        amount += floor * (rate - before)
        told = one.get("mmDeduction")
        cap, kept = Decimal(str(one["riskLimitValue"])), amount if told in (None, "") else Decimal(str(told))
        rows.add((floor, cap, rate, kept, Decimal(int(leverage))))
        floor, before = cap, rate
    return rows


# JSON -----------------------------------------------------------------------------------------------------------------

_KEYS = {
    "trades": ("a", "p", "q", "f", "l", "T", "m"),
    "openInterestHist": ("timestamp", "symbol", "sumOpenInterest", "sumOpenInterestValue"),
    "funding": ("fundingTime", "symbol", "fundingRate"),
    "forceOrder": ("s", "T", "S", "q", "p", "ap", "X"),
}
_SYMBOL = re.compile(r"(?=.{5})[^\W_a-z]{2,}(_\d{6}[^\W_a-z]*|(?<=USD)_PERP)?")


def _of_json(kind: str, symbol: str, text: str) -> Rows:
    listed = list(map(_inside, filter(_is_entry, entries(text))))
    require(listed)
    if kind in ("brackets", "listings", "bybitLimits"):
        raise NoReadingError  # looked at by `reference`
    if kind in _BYBIT_JSON:
        return _of_bybit(kind, listed)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for entry in listed:
        name, row = _json_row(kind, symbol, entry)
        require(_SYMBOL.fullmatch(name))
        rows.setdefault(name, [])
        if row is not None:
            rows[name].append(row)
    require(any(rows.values()))
    as_csv, table = {
        "trades": ("aggTrades", "aggtrades_history"),
        "openInterestHist": ("metrics", "open_interest_history"),
        "funding": ("fundingRate", "funding_rate_history"),
        "forceOrder": ("liquidationSnapshot", "liquidation_history"),
        "candles": ("1m", "klines_1m_history"),
    }[kind]
    if kind == "candles":
        candles = rows[symbol]
        require(any(row[5] for row in candles) or not sum(row[6] for row in candles))
        rows = {symbol: [row[:6] for row in candles]}
    kept = {name: _once(as_csv, of_it) if of_it else [] for name, of_it in rows.items()}
    return {table: [(name, *row) for name, of_it in kept.items() for row in of_it]}


def _json_row(kind: str, symbol: str, entry: Any) -> tuple[str, tuple[Any, ...] | None]:
    if kind == "candles":
        require(isinstance(entry, list) and len(entry) == 12)
        return symbol, _candle([*map(_cell, entry[:11]), ""])
    require(isinstance(entry, dict))
    if kind == "forceOrder":
        require(entry.get("e") == "forceOrder" and isinstance(entry.get("o"), dict))
        entry = entry["o"]
    require(all(key in entry for key in _KEYS[kind]))
    cells = {key: "" if key in ("f", "l") else _cell(entry[key]) for key in _KEYS[kind]}
    if kind == "trades":
        require("M" not in entry and "" not in entry)
        return symbol, _trade(list(cells.values()))
    if kind == "openInterestHist":
        sums = [
            None if v is None else v or None
            for v in map(_optional, (cells["sumOpenInterest"], cells["sumOpenInterestValue"]))
        ]
        require(all(value is None or 0 < value < 10**13 for value in sums))
        return cells["symbol"], (_ms(cells["timestamp"]), *sums, None, None, None, None)
    if kind == "funding":
        return cells["symbol"], _rate([cells["fundingTime"], "8", cells["fundingRate"]])
    order = [cells["T"], cells["S"], "", "", cells["q"], cells["p"], cells["ap"], cells["X"], "", ""]
    return cells["s"], _liquidation(order)


def _cell(value: Any) -> str:
    require(value is None or isinstance(value, str | bool))
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else value
    return "" if text == '""' else text


def parsed(text: str) -> Any:
    """JSON with its numbers as texts."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        raise ValueError from None


def entries(text: str) -> list[Any]:
    """What a JSON text is a list of, by itself or line by line."""
    try:
        return _unfolded(parsed(text))
    except ValueError:
        pass
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    found: list[Any] = []
    for number, line in enumerate(lines):
        try:
            found += _unfolded(parsed(line))
        except ValueError:
            require(number and number == len(lines) - 1)  # the last may be cut
    return found


def _unfolded(document: Any) -> list[Any]:
    if isinstance(document, list) and (not document or any(e is None or isinstance(e, dict | list) for e in document)):
        return document
    return [document]


def _is_entry(entry: Any) -> bool:
    return not (isinstance(entry, dict) and "result" in entry and "id" in entry)


def _inside(entry: Any) -> Any:
    data = entry.get("data") if isinstance(entry, dict) else None
    return data if isinstance(data, dict) and "stream" in entry else entry
