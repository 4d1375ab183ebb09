"""Recording the market as it runs."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import DEFAULT_RECORDINGS, Length, Recordings, RestUrl, StreamUrl, as_path
from liqstrat.cli.program import err, out
from liqstrat.cli.text import new_table
from liqstrat.live.addresses import REST_URL, STREAM_URL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.table import Table

    from liqstrat.live.recorder import Recorder

_PLAIN_EVERY_SECONDS = 60.0


def record(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL…", help="The exchange's names, as BTCUSDT ETHUSDT.")],
    target: Recordings = DEFAULT_RECORDINGS,
    db: Annotated[
        Any,
        typer.Option(
            "--db", parser=as_path, metavar="PATH", help="Load each day into this DuckDB file when it is over."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all-liquidations", help="Record the liquidations of all other markets, too.")
    ] = False,
    length: Length = None,
    rest_url: RestUrl = REST_URL,
    stream_url: StreamUrl = STREAM_URL,
) -> None:
    """Record trades, liquidations, open interest, funding and candles as they happen, until it is stopped.

    No key is needed. What a broken connection loses of trades is asked for again; started again, it goes on where it
    was. `liqstrat ingest` loads the recordings.

    Example: liqstrat record BTCUSDT ETHUSDT --to-folder recorded --db catalog/market.duckdb
    """
    from liqstrat.live.recorder import Recorder, Settings

    settings = Settings(list(dict.fromkeys(symbols)), target, db, everything, length, rest_url, stream_url)
    recorder = Recorder(settings, lambda text: err.print(f"note: {text}", markup=False, soft_wrap=True))
    shown = Shown(lambda: _table(recorder), lambda: _lines(recorder))
    try:
        with shown:
            recorder.run(lambda _: shown.show())
    finally:
        if recorder.markets:
            out.print(_table(recorder))
            out.print(f"recordings: {target}; load them with: liqstrat ingest {target}", soft_wrap=True)


class Shown:
    """A table that is drawn again each second on a terminal, else lines once a minute."""

    def __init__(self, table: "Callable[[], Table]", lines: "Callable[[], Iterable[str]]") -> None:
        from rich.live import Live

        self._table, self._lines = table, lines
        self._live = Live(console=err, refresh_per_second=2, transient=True) if err.is_terminal else None
        self._last = time.monotonic()

    def __enter__(self) -> None:
        if self._live:
            self._live.start()

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self) -> None:
        """To be called each second."""
        if self._live:
            self._live.update(self._table())
        elif time.monotonic() - self._last >= _PLAIN_EVERY_SECONDS:
            self._last = time.monotonic()
            for line in self._lines():
                err.print(line, soft_wrap=True, markup=False)


def _lines(recorder: "Recorder") -> "Iterator[str]":
    for symbol, market in recorder.markets.items():
        yield f"{symbol}: {market.state.trades:,} trades, {market.state.liquidations:,} liquidations"


def _table(recorder: "Recorder") -> "Table":
    from liqstrat.live.status import lines

    columns = ("symbol", "trades", "a minute", "asked for again", "late", "missing", "liquidations", "price", "lag")
    table = new_table("", columns)
    for line in lines(recorder):
        table.add_row(*line)
    connection = recorder.connection
    table.caption = (
        f"{connection.cuts:,} cuts, {recorder.gaps.count:,} gaps that stay, {connection.odd:,} odd messages"
        + ("" if connection.alive else "; NOT CONNECTED")
    )
    return table
