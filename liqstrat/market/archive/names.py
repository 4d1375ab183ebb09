"""What the name of an archive file says: `BTCUSDT-aggTrades-2024-03-01.zip`, `BTCUSDT-1m-2024-03.zip`."""

import re
from dataclasses import dataclass
from pathlib import PurePath

from liqstrat.market.archive.layout import RefusedError

_SYMBOL = re.compile(r"[^\W_a-z]{5,}(_\d{6})?")
_COIN_MARGINED = re.compile(r"[A-Z0-9]+USD(_PERP|_\d{6})")
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
    """symbol; format: a layout's name, or None where the name leaves it open; interval of klines or open interest."""

    symbol: str
    format: str | None
    interval: str | None


def parse_name(path: PurePath) -> ArchiveName:
    """What `path` is called, and lies in; raises `RefusedError` for other markets and other kinds of data."""
    symbol, *rest = _stem(path).split("-")
    word = rest[0] if rest else ""
    if symbol.upper() == "SPOT" or "spot" in path.parts[:-1]:
        raise RefusedError("is spot market data by its name; expected USDⓈ-M futures")
    if _COIN_MARGINED.fullmatch(symbol):
        raise RefusedError(f"{symbol} is a COIN-M contract; expected USDⓈ-M futures, as BTCUSDT")
    if not _SYMBOL.fullmatch(symbol):
        raise RefusedError(f'"{symbol}" is not a symbol; {_EXPECTED}')
    for other in (word, *path.parts[:-1]):
        if other in _OTHERS or (other == word and word in _OTHER_WORDS):
            raise RefusedError(f"holds {_OTHERS.get(other) or _OTHER_WORDS[other]}")
    return ArchiveName(
        symbol=symbol,
        format=word if word in _FORMATS else None,
        interval=word if _INTERVAL.fullmatch(word) else None,
    )


def symbol_of(path: PurePath) -> str | None:
    """The symbol that a name starts with, if it does."""
    symbol = _stem(path).split("-")[0]
    return symbol if _SYMBOL.fullmatch(symbol) else None


def _stem(path: PurePath) -> str:
    return path.name.split(".", 1)[0]
