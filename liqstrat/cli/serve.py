"""Pages and API."""

from pathlib import Path
from typing import Annotated, Any

import typer

from liqstrat.cli.options import as_path
from liqstrat.cli.program import err, out


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any that is free.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that others reach needs a token, which is printed.")
    ] = "127.0.0.1",
    catalog: Annotated[
        Any, typer.Option(parser=as_path, metavar="PATH", help="Folder with databases, also in its folders.")
    ] = Path("catalog"),
    results: Annotated[Any, typer.Option(parser=as_path, metavar="PATH", help="Folder with results folders.")] = Path(
        "results"
    ),
    configs: Annotated[Any, typer.Option(parser=as_path, metavar="PATH", help="Folder with run files.")] = Path(
        "configs"
    ),
    origins: Annotated[
        list[str] | None,
        typer.Option("--allow-origin", metavar="URL", help="A site whose pages may read the API; may be repeated."),
    ] = None,
) -> None:
    """Show maps, history and results in the browser, and answer programs (an API).

    Example: liqstrat serve --port 8080
    """
    from liqstrat.serve.start import serve as run

    def say(address: str) -> None:
        out.print(f"pages: {address}   API: {address.partition('?')[0]}docs", markup=False, soft_wrap=True)
        err.print("Ctrl-C ends it", markup=False)

    run((catalog, results, configs), host, port, tuple(origins or ()), say)
