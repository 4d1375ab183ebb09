"""Trading on paper, and holding it against a backtest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import (
    DEFAULT_RECORDINGS,
    Json,
    Length,
    Recordings,
    RestUrl,
    StreamUrl,
    as_path,
    one_of,
    override,
    parsed,
    seconds,
)
from liqstrat.cli.program import err, out, progress
from liqstrat.cli.record import Shown
from liqstrat.cli.text import new_table, price_text, print_json
from liqstrat.live.addresses import REST_URL, STREAM_URL

if TYPE_CHECKING:
    from rich.table import Table

    from liqstrat.live.paper import Paper

_Settings = Annotated[
    list[Any] | None,
    typer.Option("--set", parser=parsed(override), metavar="KEY=VALUE", help="A value over the run file's."),
]
_Session = Annotated[
    Any,
    typer.Option("--session", parser=as_path, metavar="FOLDER", help="Where the session is kept; default paper/NAME."),
]


def paper(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.TOML", help="The run file of a backtest.")],
    session: _Session = None,
    target: Recordings = DEFAULT_RECORDINGS,
    settings: _Settings = None,
    at_end: Annotated[
        Any,
        typer.Option(
            "--on-stop", parser=parsed(one_of("keep", "close")), metavar="WORD", help="keep or close positions."
        ),
    ] = "keep",
    late: Annotated[
        Any, typer.Option(parser=seconds, metavar="LENGTH", help="What comes later than that is not acted upon.")
    ] = 10.0,
    length: Length = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Whether to write a report at the end.")] = True,
    rest_url: RestUrl = REST_URL,
    stream_url: StreamUrl = STREAM_URL,
) -> None:
    """Trade a run file on paper, on the market as it runs; no order leaves for an exchange. Records all the while.

    Started again, it goes on where it was. What it does now is on a page, `session.html` in its folder.

    Example: liqstrat paper configs/fade.toml --on-stop close
    """
    from liqstrat.ending import note
    from liqstrat.errors import LiqstratError
    from liqstrat.live.paper import Paper, Wanted
    from liqstrat.live.paper_page import PAGE
    from liqstrat.live.recorder import Settings
    from liqstrat.run_file import load_run_file

    run = load_run_file(run_file, dict(settings or []))
    recording = Settings(run.symbols, target, run.data.db, False, length, rest_url, stream_url)
    wanted = Wanted(run, session or Path("paper") / run.name, recording, round(late * 1000), at_end == "close")
    trading = Paper(wanted, lambda text: err.print(f"note: {text}", markup=False, soft_wrap=True), progress)
    err.print(f"page: {wanted.folder / PAGE}", markup=False, soft_wrap=True)
    shown = Shown(lambda: _table(trading), lambda: _lines(trading))
    with shown:
        replayed = trading.trade(lambda _: shown.show())
    out.print(_table(trading))
    out.print(f"session: {wanted.folder}; hold it against a backtest: liqstrat parity {run_file}", soft_wrap=True)
    if report:
        try:
            out.print(f"report: {trading.report(replayed, progress)}", markup=False, soft_wrap=True)
        except LiqstratError as error:
            err.print(f"note: there is no report: {error}", markup=False, soft_wrap=True)
    for number in trading.asked:
        note(number)


def _lines(trading: "Paper") -> list[str]:
    now = trading.journal.now
    return (
        [f"equity {now['equity']} {now['currency']}, {len(now['positions'])} positions, {now['orders']:,} orders"]
        if now
        else []
    )


def _table(trading: "Paper") -> "Table":
    table = new_table("", ("time", "equity", "positions", "orders", "fills", "lag"))
    now = trading.journal.now
    if now:
        held = ", ".join(f"{one['side']} {one['contracts']} {one['symbol']}" for one in now["positions"])
        table.add_row(
            now["time"][:19],
            price_text(float(now["equity"])),
            held or "none",
            f"{now['orders']:,}",
            f"{now['fills']:,}",
            f"{trading.feed.lag_seconds:.1f} s",
        )
    table.caption = (
        f"{trading.feed.late_slices:,} times too late to act, {trading.feed.late_trades:,} trades came too late"
    )
    return table


def parity(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.TOML", help="The run file of the session.")],
    session: _Session = None,
    settings: _Settings = None,
    json: Json = False,
) -> None:
    """Replay a session on paper as a backtest, and tell what differs, and why.

    Example: liqstrat parity configs/fade.toml --session paper/fade
    """
    from liqstrat.live.parity import compare
    from liqstrat.live.parity_page import write_parity_page
    from liqstrat.run_file import load_run_file

    run = load_run_file(run_file, dict(settings or []))
    folder = session or Path("paper") / run.name
    found = compare(run, folder, progress)
    page = write_parity_page(found, run.name, folder, run.quote)
    if json:
        print_json({**found.as_json(), "page": str(page)})
    else:
        table = new_table(
            f"{run.name}{' SIMULATED' if found.simulated else ''}", ("", "on paper", "backtest", "differ")
        )
        for name, (ours, theirs, differ) in found.counts().items():
            table.add_row(name, f"{ours:,}", f"{theirs:,}", f"{differ:,}")
        table.add_row("equity at the end", f"{found.equity[0]:,.2f}", f"{found.equity[1]:,.2f}", "")
        out.print(table)
        for line in [*found.words(), f"page: {page}"]:
            out.print(line, markup=False, soft_wrap=True)
    if not found.equal:
        raise typer.Exit(1)
