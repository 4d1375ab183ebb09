"""What can be asked: parameters of questions, each checked, and none that is not known."""

from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from liqstrat.errors import did_you_mean
from liqstrat.inputs import minutes_of, parse_time
from liqstrat.liquidation.settings import Kind, ModelSettings
from liqstrat.serve.limits import MOST_LEVERAGES, MOST_WARMUP_DAYS

Side = Literal["both", "long", "short"]
Interval = Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d"]
Every = Literal["5m", "15m", "30m", "1h", "4h", "1d"]
Window = Literal["12h", "24h", "48h", "3d", "7d", "14d", "30d", "60d", "90d", "180d", "1y"]

_HOURS = {"12h": 12, "24h": 24, "48h": 48, "3d": 72, "7d": 168, "14d": 336, "30d": 720, "60d": 1440, "90d": 2160}
_HOURS |= {"180d": 4320, "1y": 8760}


def window_length(window: str) -> timedelta:
    """How long a window is."""
    return timedelta(hours=_HOURS[window])


def _kind(value: object) -> object:
    if isinstance(value, str) and value not in get_args(Kind):
        known = get_args(Kind)
        raise ValueError(
            f'there is no model "{value[:40]}"{did_you_mean(value, known)}; expected of {", ".join(known)}'
        )
    return value


def timeframe_length(text: str) -> timedelta:
    """Days of history, as 7 or "7d", or hours, as "12h"; raises `ValueError`."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in ("h", "d") else (text, "d")
    if not (number.isascii() and number.isdecimal() and len(number) <= 4):
        raise ValueError(f'"{text[:40]}" is not a timeframe, expected days as 7 or 7d, or hours as 12h')
    length = timedelta(hours=int(number)) if unit == "h" else timedelta(days=int(number))
    if not timedelta(hours=1) <= length <= timedelta(days=MOST_WARMUP_DAYS):
        raise ValueError(f'"{text}" is not from 1h to {MOST_WARMUP_DAYS}d')
    return length


def leverages(text: str) -> list[int]:
    """`5,10x,25`; raises `ValueError`."""
    parts = [part.strip().lower().removesuffix("x") for part in text.split(",")]
    if len(parts) > MOST_LEVERAGES:
        raise ValueError(f"{len(parts)} leverages, expected at most {MOST_LEVERAGES}")
    for part in parts:
        if not (part.isascii() and part.isdecimal() and 1 <= int(part[:9]) <= 150):
            raise ValueError(f'"{part[:40]}" is not a leverage from 1 to 150, expected a list like 5,10,25')
    return [int(part) for part in parts]


def weights(text: str) -> dict[int, float]:
    """`5:15,10:30`: shares by leverage; raises `ValueError`."""
    found: dict[int, float] = {}
    for part in text.split(","):
        leverage, _, share = part.partition(":")
        try:
            found[leverages(leverage)[0]] = float(share)
        except ValueError:
            raise ValueError(f'"{part[:40]}" is not a weight, expected leverage:share as in 5:15,10:30') from None
    if len(found) > MOST_LEVERAGES:
        raise ValueError(f"{len(found)} leverages, expected at most {MOST_LEVERAGES}")
    ModelSettings(leverage=found)  # raises for shares that make no sense
    return found


def _checked_list(text: str) -> str:
    leverages(text)
    return text


def _checked_timeframe(text: str) -> str:
    timeframe_length(text)
    return text


def _checked_weights(text: str) -> str:
    weights(text)
    return text


#: A leverage, a day and a time of it, in patterns.
_ONE = r"[1-9]|[1-9]\d|1[0-4]\d|150"
_DAY = r"(19[7-9]\d|20\d\d|21\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"([01]\d|2[0-3])(:[0-5]\d){1,2}Z?"

Moment = Annotated[
    datetime,
    BeforeValidator(parse_time),
    WithJsonSchema({"type": "string", "pattern": rf"^{_DAY}(T{_CLOCK})?$"}),
]


Symbol = Annotated[
    str,
    Field(pattern=r"^\w{1,40}(\.[A-Z]{1,20})?$", description="The market's name, as BTCUSDT or BTCUSDT.BYBIT."),
]
Model = Annotated[Kind, BeforeValidator(_kind), Field(description="conserving, large_trades, oi_candle or ensemble.")]
Timeframe = Annotated[
    str,
    AfterValidator(_checked_timeframe),
    WithJsonSchema({"type": "string", "pattern": r"^(([1-9]|[1-9]\d|[12]\d\d|3[0-5]\d|36[0-5])d?|[1-9]\d{0,2}h)$"}),
    Field(description="History before the first map that fills its book, as far as there is any: 7 or 7d, 12h."),
]
Leverages = Annotated[
    str,
    AfterValidator(_checked_list),
    WithJsonSchema({"type": "string", "pattern": rf"^({_ONE})(,({_ONE})){{0,9}}$"}),
]
Weights = Annotated[
    str,
    AfterValidator(_checked_weights),
    WithJsonSchema({"type": "string", "pattern": rf"^({_ONE}):[1-9]\d?(,({_ONE}):[1-9]\d?){{0,9}}$"}),
    Field(description="Shares of opened contracts by leverage, as 5:15,10:30; by default the model's."),
]


class Nothing(BaseModel):
    """A question without parameters."""

    model_config = ConfigDict(extra="forbid")


class OfData(Nothing):
    """A question about one of the databases."""

    data: Annotated[
        str | None, Field(max_length=200, description="Name of a database, see /symbols; by default the first.")
    ] = None


class OfSymbol(OfData):
    """A question about one market."""

    symbol: Symbol


class Between(OfSymbol):
    """A question about a time; from `start_time` up to `end_time`, itself not included."""

    start_time: Annotated[Moment | None, Field(description="UTC, as 2024-03-01 or 2024-03-01T12:00.")] = None
    end_time: Annotated[Moment | None, Field(description="UTC; by default as far as history reaches.")] = None


class OfMap(OfSymbol):
    """What maps are made of, and which part of them is wanted."""

    model: Model = "conserving"
    leverage_weights: Weights | None = None
    side: Annotated[Side, Field(description="Positions that would be liquidated.")] = "both"
    leverage: Annotated[Leverages | None, Field(description="Only these tiers, as 10,25.")] = None
    min_notional: Annotated[float, Field(ge=0, le=1e15, description="Leave out price bins that hold less.")] = 0.0

    @property
    def settings(self) -> ModelSettings:
        """The model."""
        if self.leverage_weights is None:
            return ModelSettings(kind=self.model)
        return ModelSettings(kind=self.model, leverage=weights(self.leverage_weights))

    @property
    def tiers(self) -> list[int] | None:
        """Leverages that are wanted; None for all."""
        return None if self.leverage is None else leverages(self.leverage)


def minutes(interval: str) -> timedelta:
    """How long an interval is."""
    return timedelta(minutes=minutes_of(interval))
