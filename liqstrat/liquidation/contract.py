"""What a contract of a market is worth, and in which currency its margin is held."""

import re
from dataclasses import dataclass
from typing import Any

#: Kinds of symbol that are not quoted in what their name ends in: `BTCUSD_PERP`, `BTCUSD_240329`.
_INVERSE = re.compile(r"(?P<base>\w+?)USD_(?:PERP|\d{6})")
#: Venues besides Binance, as symbols name them behind a point: `BTCUSDT.BYBIT`, whose names of markets are its own.
VENUES = ("BYBIT",)
_BYBIT_INVERSE = re.compile(r"(?P<base>\w+?)USD")
_DELIVERY = re.compile(r"_\d{6}(?=[^\W_a-z]*$)")
_QUOTES = ("USDT", "FDUSD", "USDC", "BUSD", "USD1", "BTC")
_USUAL_QUOTE = "USDT"
#: What the linear contracts are quoted in whose formula holds, and that a run can be of.
KNOWN_QUOTES = ("USDT", "USDC")
#: US dollars that a contract of COIN-M is of; Binance, contract specifications of COIN-M futures.
_SIZES, _USUAL_SIZE = {"BTC": 100.0}, 10.0


@dataclass(frozen=True)
class Contract:
    """What one contract is. A linear one is one of the base asset, and pays in the currency of its price.

    quote: currency of prices, and of amounts as they are shown. margin: currency of margin, profit and brackets.
    size: of an inverse one, which is that much of `quote` and pays in the base asset; None of a linear one.
    """

    quote: str = _USUAL_QUOTE
    margin: str = _USUAL_QUOTE
    size: float | None = None

    @property
    def inverse(self) -> bool:
        return self.size is not None

    def worth(self, price: Any) -> Any:
        """What a contract is worth at `price` (a number or an array), in `quote`."""
        return price if self.size is None else price * 0 + self.size

    def held(self, price: Any) -> Any:
        """What a contract is worth at `price` in `margin`: by that brackets go."""
        return price if self.size is None else self.size / price

    def profit(self, contracts: Any, entry: Any, at: Any) -> Any:
        """What a position of `contracts` (short: negative) that was opened at `entry` has gained at `at`, in `margin`.

        Linear: contracts times the difference of prices. Inverse: contracts times their size times the difference of
        the prices' reciprocals, 1/entry - 1/at, as of Binance's COIN-M futures.
        """
        return contracts * (at - entry) if self.size is None else contracts * self.size * (1 / entry - 1 / at)


LINEAR = Contract()


def venue_of(symbol: str) -> str:
    """The exchange of a market: "binance", unless its symbol names another one."""
    return symbol.partition(".")[2].lower() or "binance"


def symbol_at(symbol: str, venue: str) -> str:
    """What a market that Binance calls `symbol` is called here at a venue."""
    return symbol if venue == "binance" else f"{symbol}.{venue.upper()}"


def contract_of(symbol: str) -> Contract:
    """What the name of a market says: `BTCUSDT`, `BTCUSDC`, `BTCUSD_PERP`; of Bybit `BTCUSDT.BYBIT`, `BTCUSD.BYBIT`,
    of which a contract is a dollar, and `BTCPERP.BYBIT`, which is quoted in USDC."""
    symbol, _, venue = symbol.partition(".")
    if venue == "BYBIT" and (bybit := _BYBIT_INVERSE.fullmatch(symbol)):
        return Contract("USD", bybit["base"], 1.0)
    if venue == "BYBIT" and symbol.endswith("PERP"):
        return Contract("USDC", "USDC")
    found = _INVERSE.fullmatch(symbol)
    if found:
        return Contract("USD", found["base"], _SIZES.get(found["base"], _USUAL_SIZE))
    name = _DELIVERY.sub("", symbol)
    quote = next((quote for quote in _QUOTES if name.endswith(quote) and name != quote), _USUAL_QUOTE)
    return Contract(quote, quote)


def replayable(symbol: object) -> str:
    """A symbol that a run can be of; raises `ValueError` for one that Nautilus or the account here does not take."""
    text = str(symbol)
    if not isinstance(symbol, str) or not re.fullmatch(r"[^\W_a-z]{2,}(_\w+)?(\.[A-Z]+)?", text):
        raise ValueError(f'"{text[:80]}" is not a symbol, expected one like BTCUSDT')
    if reason := not_replayed(text):
        raise ValueError(reason)
    return text


def not_replayed(symbol: str) -> str:
    """Why no run can be of a market, in a sentence that all commands say alike; empty where one can."""
    contract, venue = contract_of(symbol), symbol.partition(".")[2]
    if venue:
        what = f"a market of {venue.capitalize()}"
    elif contract.inverse:
        what = "a COIN-M contract"
    elif re.search(r"_[0-9]{6}", symbol):
        what = "a delivery contract"
    elif contract.quote not in KNOWN_QUOTES:
        what = f"quoted in {contract.quote}"
    elif not symbol.isascii():
        what = "spelled with letters beyond ASCII"
    else:
        return ""
    return (
        f'"{symbol}" is {what}: levels and scores take it, but backtests, sweeps and paper trading only '
        f"perpetuals of Binance in {' or '.join(KNOWN_QUOTES)}, as BTCUSDT"
    )
