"""Watching the market as it runs."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import (
    DEFAULT_RECORDINGS,
    Length,
    Recordings,
    RestUrl,
    StreamUrl,
    Warmup,
    as_path,
    model_of,
    override,
    parsed,
)
from liqstrat.cli.program import err, out, progress
from liqstrat.cli.record import Shown
from liqstrat.cli.text import new_table, price_text
from liqstrat.inputs import DEFAULT_DATABASE
from liqstrat.live.addresses import REST_URL, STREAM_URL

if TYPE_CHECKING:
    from rich.table import Table

    from liqstrat.liquidation.settings import ModelSettings
    from liqstrat.live.broadcast import Broadcaster
    from liqstrat.live.recorder import Settings
    from liqstrat.live.watching import Watching


def watch(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL…", help="The exchange's names, as BTCUSDT ETHUSDT.")],
    db: Annotated[
        Any, typer.Option("--db", parser=as_path, metavar="PATH", help="DuckDB file with the history before.")
    ] = DEFAULT_DATABASE,
    target: Recordings = DEFAULT_RECORDINGS,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="RUN.TOML", help="File whose [model] and [[alerts]] are taken."),
    ] = None,
    settings: Annotated[
        list[Any] | None,
        typer.Option(
            "--set", parser=parsed(override), metavar="KEY=VALUE", help="A parameter of signals, as watch=0.02."
        ),
    ] = None,
    redis: Annotated[
        str | None, typer.Option(metavar="URL", help="Redis that gets signals and maps, as redis://localhost:6379/0.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Serve pages and websockets there; 0 takes any that is free.")
    ] = None,
    warmup_days: Warmup = 14,
    length: Length = None,
    rest_url: RestUrl = REST_URL,
    stream_url: StreamUrl = STREAM_URL,
) -> None:
    """Keep the liquidation maps of markets up to date as they trade, and tell of signals; records all the while.

    Example: liqstrat watch BTCUSDT --port 8000 --redis redis://localhost:6379/0
    """
    from liqstrat.liquidation.signals import SignalRules
    from liqstrat.live.recorder import Settings
    from liqstrat.live.watching import Wanted, Watching
    from liqstrat.run_file import load_alerts

    recording = Settings(list(dict.fromkeys(symbols)), target, db, False, length, rest_url, stream_url)
    model = model_of(config)
    wanted = Wanted(
        recording,
        model,
        SignalRules.of(dict(settings or [])),
        timedelta(days=warmup_days),
        load_alerts(config) if config else [],
        redis,
        None if port is None else partial(_pages, recording, model, port),
    )
    watching = Watching(wanted, lambda text: err.print(f"note: {text}", markup=False, soft_wrap=True), progress)
    shown = Shown(lambda: _table(watching), lambda: _lines(watching))
    try:
        with shown:
            watching.run(lambda _: shown.show())
    finally:
        if watching.recorder.markets:
            out.print(_table(watching))


async def _pages(recording: "Settings", model: "ModelSettings", port: int, broadcaster: "Broadcaster") -> None:
    from liqstrat.serve.start import serve_besides
    from liqstrat.serve.watched import Watched

    db = recording.database
    assert db is not None, "there is a default"
    await serve_besides(
        (db.parent, Path("results"), Path("configs")),
        "127.0.0.1",
        port,
        lambda at: err.print(f"pages: {at}   websockets: {at}ws/map/SYMBOL", markup=False, soft_wrap=True),
        Watched(broadcaster.app, recording.symbols, db, model),
    )


def _lines(watching: "Watching") -> list[str]:
    return [
        f"{symbol}: price {price_text(one.live.levels.price)}, map of {one.live.age_minutes:.1f} minutes ago, "
        f"{one.signals:,} signals"
        for symbol, one in watching.watch.watched.items()
    ]


def _table(watching: "Watching") -> "Table":
    columns = ("symbol", "price", "next below", "next above", "map's age", "signals", "late trades", "missing")
    table = new_table("", columns)
    for symbol, one in watching.watch.watched.items():
        levels = one.live.levels
        below, above = levels.below(), levels.above()
        market = watching.recorder.markets.get(symbol)
        table.add_row(
            f"{symbol}{' SIMULATED' if one.live.simulated else ''}",
            price_text(levels.price),
            "–" if below is None else f"{price_text(below.price)} ({below.distance:+.2%})",
            "–" if above is None else f"{price_text(above.price)} ({above.distance:+.2%})",
            f"{one.live.age_minutes:.1f} min",
            f"{one.signals:,}",
            f"{one.live.late:,}",
            f"{market.behind:,}" if market else "–",
        )
    table.caption = watching.said()
    return table
