"""The program: its name, where it prints, and how it shows that it is at work."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from liqstrat import __version__
from liqstrat.cli.terminal import SafeConsole
from liqstrat.progress import ConsoleProgress
from liqstrat.remarks import listen

#: Tables keep their columns when they are piped.
_PIPED_WIDTH = 140

out = SafeConsole(highlight=False, width=None if sys.stdout and sys.stdout.isatty() else _PIPED_WIDTH)
err = SafeConsole(stderr=True, highlight=False)
progress = ConsoleProgress(err)
listen(lambda text: err.print(f"note: {text}", markup=False, soft_wrap=True))

app = typer.Typer(
    name="liqstrat",
    help="Backtest strategies around the liquidation levels of Binance USDⓈ-M perpetuals.\n\n"
    "New here? `liqstrat demo` does everything once on a simulated market.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped (Ctrl-C), 143 ended (SIGTERM), 141 nobody reads.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    allow_files: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER", help="Let views of a database read files in there, as Parquet; may be repeated."
        ),
    ] = None,
) -> None:
    if version:
        out.print(f"liqstrat {__version__}")
        raise typer.Exit
    if allow_files:
        from liqstrat.market.connection import allow

        allow(allow_files)
