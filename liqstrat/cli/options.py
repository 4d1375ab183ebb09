"""What several commands take, and how texts typed by a user are read."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from liqstrat.errors import did_you_mean
from liqstrat.inputs import local_path, nanoseconds_of, parse_time

if TYPE_CHECKING:
    from liqstrat.liquidation.settings import Kind, ModelSettings


def parsed[T](parse: Callable[[str], T]) -> Callable[[str | T], T]:
    """A reader of an option whose `ValueError` is wrong usage."""

    @wraps(parse)
    def read(text: str | T) -> T:
        if not isinstance(text, str):
            return text
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return read


def names(text: str) -> list[str]:
    """A list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def kinds(text: str) -> "list[Kind]":
    """Kinds of model, each once."""
    from liqstrat.liquidation.settings import Kind

    known: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    for name in names(text):
        if name not in known:
            raise ValueError(f'there is no model "{name}"{did_you_mean(name, known)}; expected of {", ".join(known)}')
    if not names(text):
        raise ValueError(f"expected at least one model of {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names(text))]


def venue_names(text: str) -> list[str]:
    """`binance,bybit`, each once."""
    from liqstrat.liquidation.contract import VENUES

    known = ("binance", *(venue.lower() for venue in VENUES))
    for name in names(text):
        if name not in known:
            raise ValueError(f'there is no venue "{name}"{did_you_mean(name, known)}; expected of {", ".join(known)}')
    if not names(text):
        raise ValueError(f"expected at least one venue of {', '.join(known)}")
    return list(dict.fromkeys(names(text)))


def leverages(text: str) -> list[int]:
    """`5,10x,25`."""
    try:
        return [int(part.strip().rstrip("x")) for part in text.split(",")]
    except ValueError:
        raise ValueError(f'"{text}" is not a list of leverages, expected for example 5,10,25') from None


def seeds(text: str) -> list[int]:
    """`11,12`."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f'"{text}" is not a list of seeds, expected for example 11,12') from None


def one_of(*known: str) -> Callable[[str], str]:
    """A reader of one of `known`."""

    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f'"{text}" is not one of {", ".join(known)}{did_you_mean(text, known)}')
        return text

    return parse


seconds = parsed(lambda text: nanoseconds_of(text) / 1e9)
as_moment = parsed(parse_time)
as_path = parsed(local_path)


def time_option(*flags: str, help: str) -> Any:
    """An option that is a moment in UTC."""
    return typer.Option(*flags, help=help, parser=as_moment, metavar="TIME")


def model_of(config: Path | None) -> "ModelSettings":
    """The model of a file, or the default."""
    from liqstrat.liquidation.settings import ModelSettings
    from liqstrat.run_file import load_model

    return load_model(config) if config else ModelSettings()


def override(text: str) -> tuple[str, Any]:
    """`key=value`, of a run file."""
    from liqstrat.run_file import parse_override

    return parse_override(text)


Symbol = Annotated[str, typer.Argument(help="The exchange's name of the market, as BTCUSDT.", metavar="SYMBOL")]
Database = Annotated[Any, typer.Option("--db", parser=as_path, metavar="PATH", help="DuckDB file with the history.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE.TOML", help="File whose [model] is taken; else the default."),
]
Warmup = Annotated[int, typer.Option(min=0, help="Days of history before, used to fill the book.")]
From = Annotated[datetime | None, time_option("--from", help="First moment, UTC: 2024-03-01 or 2024-03-01T12:00.")]
To = Annotated[datetime | None, time_option("--to", help="Up to this moment, UTC, itself not included.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

#: Of what follows the market as it runs.
DEFAULT_RECORDINGS = Path("recorded")
Recordings = Annotated[
    Any, typer.Option("--to-folder", parser=as_path, metavar="PATH", help="Where the recordings go.")
]
Length = Annotated[
    Any, typer.Option("--for", parser=seconds, metavar="LENGTH", help="Stop after so long, as 90s or 8h.")
]
RestUrl = Annotated[str, typer.Option(help="Address of the exchange's REST API.")]
StreamUrl = Annotated[str, typer.Option(help="Address of the exchange's market streams.")]
