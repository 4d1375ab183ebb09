"""Which columns of a foreign table hold what: told by a small TOML file, or known of a vendor's export."""

import re
import tomllib
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.market.candles import length_of

Unit = Literal["contracts", "usd"]
Record = Literal["complete", "thinned", "unknown"]
Moment = Literal["start", "end"]

_LARGEST = 100_000
_VENUES = r"[a-z0-9_]+(\+[a-z0-9_]+)*"
_TOP = ("symbol", "time", "step", "times_are", "klines", "open_interest", "liquidations")
_KLINES = ("open", "high", "low", "close", "volume", "taker_buy_volume")
_SECTIONS: dict[str, tuple[str, ...]] = {
    "klines": _KLINES,
    "open_interest": ("contracts", "value", "known"),
    "liquidations": ("long", "short", "unit", "venues", "record"),
}


@dataclass(frozen=True, slots=True)
class Amounts:
    """Columns of liquidations by side. venues: names in lower case with `+` between. record: None where not told."""

    long: str
    short: str
    unit: Unit
    venues: str
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """symbol: None where rows or the file's name say it. time: the column with a moment of UTC, epoch or ISO.

    step: length of a row in seconds, None for the usual one. times_are: whether `time` is a row's start or end.
    klines: our names to theirs. open_interest: columns of contracts and of value (either may be missing), and whether
    values are of a row's start or its end.
    """

    time: str
    symbol: str | None = None
    step: int | None = None
    times_are: Moment = "start"
    klines: Dictionary[str, str] | None = None
    open_interest: tuple[str, str | None, Moment] | None = None
    liquidations: Amounts | None = None

    @property
    def kinds(self) -> list[str]:
        """What is to be read."""
        return [name for name in _SECTIONS if getattr(self, name) is not None]


def read_mapping(path: Path) -> Mapping:
    """The mapping in a TOML file; raises `LiqstratError` with the key, what was found and what was expected."""
    try:
        raw = tomllib.loads(path.read_bytes()[:_LARGEST].decode())
    except OSError as error:
        raise LiqstratError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise LiqstratError(f"{path}: is not TOML: {error}") from None
    return _Reader(path, raw).mapping()


@dataclass(frozen=True)
class _Reader:
    path: Path
    raw: dict[str, Any]

    def mapping(self) -> Mapping:
        self._known(self.raw, _TOP, "")
        for name, keys in _SECTIONS.items():
            if name in self.raw:
                if not isinstance(self.raw[name], dict):
                    raise self._error(name, self.raw[name], f"a table [{name}] with {', '.join(keys)}")
                self._known(self.raw[name], keys, f"{name}.")
        step = self._text(self.raw, "step", None)
        found = Mapping(
            time=self._text(self.raw, "time"),
            symbol=self._text(self.raw, "symbol", None),
            step=None if step is None else self._length(step),
            times_are=self._one_of(self.raw, "times_are", get_args(Moment), "start"),
            klines=self._klines(),
            open_interest=self._open_interest(),
            liquidations=self._liquidations(),
        )
        if not found.kinds:
            raise LiqstratError(f"{self.path}: says of no kind what holds it, expected [{'], ['.join(_SECTIONS)}]")
        return found

    def _klines(self) -> dict[str, str] | None:
        section = self.raw.get("klines")
        if section is None:
            return None
        needed = {name: self._text(section, name, name) for name in _KLINES[:-1]}
        taker = self._text(section, "taker_buy_volume", None)
        return needed if taker is None else {**needed, "taker_buy_volume": taker}

    def _open_interest(self) -> tuple[str, str | None, Moment] | None:
        section = self.raw.get("open_interest")
        if section is None:
            return None
        known: Moment = self._one_of(section, "known", get_args(Moment), "end")
        return self._text(section, "contracts"), self._text(section, "value", None), known

    def _liquidations(self) -> Amounts | None:
        section = self.raw.get("liquidations")
        if section is None:
            return None
        venues = self._text(section, "venues")
        if not re.fullmatch(_VENUES, venues):
            raise self._error("venues", venues, "names of exchanges in lower case with + between, as binance+bybit+okx")
        record = self._one_of(section, "record", get_args(Record), None)
        unit: Unit = self._one_of(section, "unit", get_args(Unit))
        return Amounts(self._text(section, "long"), self._text(section, "short"), unit, venues, record)

    def _length(self, text: str) -> int:
        try:
            return round(length_of(text).total_seconds())
        except LiqstratError as error:
            raise LiqstratError(f"{self.path}: step is {error}") from None

    def _known(self, values: dict[str, Any], keys: Sequence[str], before: str) -> None:
        for name in values:
            if name not in keys:
                hint = did_you_mean(name, keys)
                raise LiqstratError(f"{self.path}: there is no key {before}{name}{hint}; expected {', '.join(keys)}")

    def _text(self, values: dict[str, Any], name: str, otherwise: Any = ...) -> Any:
        value = values.get(name, otherwise)
        if value is ...:
            section = next((f"{key}." for key in _SECTIONS if self.raw.get(key) is values), "")
            raise LiqstratError(f"{self.path}: has no key {section}{name}")
        if value is not None and not isinstance(value, str):
            raise self._error(name, value, "a text")
        return value

    def _one_of(self, values: dict[str, Any], name: str, known: Sequence[str], otherwise: Any = ...) -> Any:
        value = self._text(values, name, otherwise)
        if value is not None and value not in known:
            raise self._error(name, value, f"one of {', '.join(known)}")
        return value

    def _error(self, name: str, found: object, expected: str) -> LiqstratError:
        return LiqstratError(f"{self.path}: {name} is {found!r}, expected {expected}")


#: Columns by which exports of vendors are known. Where one says both contracts and USD, contracts are taken.
_EXPORTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], Unit], ...] = (
    ("CryptoQuant", ("start_time", "datetime", "date"), ("long_liquidations", "short_liquidations"), "contracts"),
    (
        "CryptoQuant",
        ("start_time", "datetime", "date"),
        ("long_liquidations_usd", "short_liquidations_usd"),
        "usd",
    ),
    ("Coinglass", ("time", "t"), ("long_liquidation_usd", "short_liquidation_usd"), "usd"),
    ("Coinglass", ("time", "t"), ("aggregated_long_liquidation_usd", "aggregated_short_liquidation_usd"), "usd"),
    ("Coinalyze", ("t",), ("l", "s"), "contracts"),
)


def export_of(columns: Sequence[str]) -> tuple[str, Mapping] | None:
    """Whose export has these columns, and what they hold; venues are left open (empty). None for no known one."""
    for vendor, times, (long, short), unit in _EXPORTS:
        time = next((name for name in times if name in columns), None)
        if time is not None and long in columns and short in columns:
            return vendor, Mapping(time, liquidations=Amounts(long, short, unit, ""))
    return None
