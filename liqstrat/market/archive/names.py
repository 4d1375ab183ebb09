"""What the name of an archive file says: `BTCUSDT-aggTrades-2024-03-01.zip`, `BTCUSDT-1m-2024-03.zip`."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import PurePath

from liqstrat.liquidation.contract import VENUES
from liqstrat.market.archive.layout import RefusedError

# Some contracts have a day of delivery, and one was called ETH_250627USDT.
_SYMBOL = re.compile(r"(?=.{5})[^\W_a-z]{2,}(_\d{6}[^\W_a-z]*|(?<=USD)_PERP)?")
_VENUE = re.compile(rf"\.({'|'.join(VENUES)})$")
# Only what ends in a currency that contracts are paid in: other words can be in capitals too.
_SYMBOL_INSIDE = re.compile(
    r"(?<![^\W_])[^\W_a-z]+(?:USD_PERP|USD(?=_\d{6})|USDT|USDC|BUSD|FDUSD|USD1|ETHBTC)(?:_\d{6})?(?![^\W_])"
)
_DATE_INSIDE = re.compile(r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)(?!\d)")
_PERIOD = re.compile(r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2}))?")
_INTERVAL = re.compile(r"\d+[smhdw]|1mo")
_FORMATS = ("aggTrades", "metrics", "fundingRate", "liquidationSnapshot", "openInterestHist")
# Words of a name; a folder can be called so for other reasons.
_OTHER_WORDS = {
    "trades": "single trades; aggTrades are what is loaded",
    "bookTicker": "best bids and offers, which are not used",
    "bookDepth": "order book depth, which is not used",
}
# Only the archive's folder tells these from klines of trades: the names are the same.
_OTHERS = {
    "markPriceKlines": "klines of mark prices, not of trades",
    "indexPriceKlines": "klines of index prices, not of trades",
    "premiumIndexKlines": "klines of the premium, not of trades",
}
_EXPECTED = "expected a name like BTCUSDT-aggTrades-2024-03-01.zip"


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """symbol; format: a layout's name, or None where the name leaves it open; interval of klines or open interest.

    period: the day, or the month, that the file is named for, from its first day up to but without `period[1]`.
    """

    symbol: str
    format: str | None
    interval: str | None
    period: tuple[date, date] | None = None


def parse_name(path: PurePath) -> ArchiveName:
    """What `path` is called, and lies in; raises `RefusedError` for other markets and other kinds of data."""
    symbol, *rest = _stem(path).split("-")
    word = rest[0] if rest else ""
    check_market(path)
    check_symbol(symbol, _EXPECTED)
    for other in (word, *path.parts[:-1]):
        if other in _OTHERS or (other == word and word in _OTHER_WORDS):
            raise RefusedError(f"holds {_OTHERS.get(other) or _OTHER_WORDS[other]}")
    return ArchiveName(
        symbol=symbol,
        format=word if word in _FORMATS else None,
        interval=word if _INTERVAL.fullmatch(word) else None,
        period=_period("-".join(rest[1:])),
    )


def check_market(path: PurePath) -> None:
    """Raise `RefusedError` for a file that is of the spot market by its name or folder."""
    if re.match(r"spot\b", path.name, re.IGNORECASE) or "spot" in path.parts[:-1]:
        raise RefusedError("is spot market data by its name; expected USDⓈ-M futures")


def check_symbol(symbol: str, expected: str = "expected one as BTCUSDT") -> None:
    """Raise `RefusedError` for what is no symbol, or one of another market."""
    if not _SYMBOL.fullmatch(_VENUE.sub("", symbol)):
        raise RefusedError(f'"{symbol}" is not a symbol; {expected}')


def symbol_inside(path: PurePath) -> str | None:
    """The symbol anywhere in a name, as in `aggTrades-BTCUSDT-2024-03-01.json` or `klines_BTCUSDT_1m.json`."""
    found = _SYMBOL_INSIDE.search(_stem(path))
    return found[0] if found else None


def date_inside(path: PurePath) -> date | None:
    """The date anywhere in a name, as in `2024-03-01.json`; None where there is none, or a month only."""
    found = _DATE_INSIDE.search(_stem(path))
    try:
        return date(*(int(part) for part in found.groups())) if found else None
    except ValueError:
        return None


def _period(named: str) -> tuple[date, date] | None:
    found = _PERIOD.fullmatch(named)
    if not found:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        first = date(year or 0, month or 0, day or 1)
        after = first + timedelta(days=1) if day else (first + timedelta(days=31)).replace(day=1)
    except (ValueError, OverflowError):
        return None
    return first, after


def symbol_of(path: PurePath) -> str | None:
    """The symbol that a name starts with, if it does."""
    symbol = _stem(path).split("-")[0]
    return symbol if _SYMBOL.fullmatch(symbol) else None


def _stem(path: PurePath) -> str:
    return path.name.split(".", 1)[0]
