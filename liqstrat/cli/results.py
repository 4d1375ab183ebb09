"""The runs of a folder: listed, named, put aside."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import Json, as_path, names, parsed
from liqstrat.cli.program import err, out
from liqstrat.cli.terminal import shown
from liqstrat.cli.text import print_json
from liqstrat.errors import LiqstratError

if TYPE_CHECKING:
    from liqstrat.research.listing import Listing, Row


def results(
    folder: Annotated[
        Any, typer.Argument(parser=as_path, metavar="FOLDER", help="Folder with the results folders of runs.")
    ] = Path("results"),
    where: Annotated[
        str | None,
        typer.Option("--filter", metavar="CONDITION", help='As "trades >= 30 and max_drawdown > -0.25".'),
    ] = None,
    runs: Annotated[
        list[str] | None, typer.Option("--run", metavar="NAME", help="Only this run; may be repeated.")
    ] = None,
    sort: Annotated[
        Any,
        typer.Option(parser=parsed(names), metavar="LIST", help="Columns; a minus before one: largest first."),
    ] = "-created",
    tag: Annotated[list[str] | None, typer.Option(metavar="WORD", help="Tag what is listed; may be repeated.")] = None,
    untag: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Take a tag off what is listed; may be repeated.")
    ] = None,
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help='Write a note on what is listed; "" takes it away.')
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Move what is listed to .trash in the folder.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Bring back what was pruned last.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Prune without asking.")] = False,
    json: Json = False,
) -> None:
    """List the runs of a folder with their figures; filter and sort them, tag them, put them aside.

    Example: liqstrat results --filter "trades >= 30 and sharpe > 1" --sort -sharpe --tag candidate
    """
    from liqstrat.research.expression import read_condition
    from liqstrat.research.listing import chosen, list_results, sort_rows
    from liqstrat.research.notes import annotate
    from liqstrat.research.notes import tag as set_tags
    from liqstrat.research.trash import prune as put_aside
    from liqstrat.research.trash import undo as bring_back

    if undo:
        _print_moved(folder, bring_back(folder), "brought back", json=json)
        return
    listing = list_results(folder)
    rows = chosen(listing, runs) if runs else listing.rows
    seen: list[str] = []
    if listing.rows:
        condition = read_condition(where, listing.columns) if where else None
        rows = [row for row in rows if condition is None or condition.holds(row)]
        rows = sort_rows(rows, sort, listing.columns)
        seen = [*(condition.names if condition else ()), *(key.removeprefix("-") for key in sort)]
    listed = [row["run"] for row in rows]
    if (tag or untag or prune or note is not None) and not (where or runs):
        raise LiqstratError('which runs? give --filter or --run, as --filter "trades == 0"')
    if prune:
        if listed and (yes or _asked(folder, listed)):
            put_aside(folder, listed)
            _print_moved(folder, listed, "moved to .trash, --undo brings them back:", json=json)
        elif not listed:
            _print_moved(folder, [], "moved", json=json)
        return
    if tag or untag:
        set_tags(folder, listed, tag or (), untag or ())
    if note is not None:
        annotate(folder, listed, note)
    if tag or untag or note is not None:
        after = {row["run"]: row for row in list_results(folder).rows}
        rows = [after[name] for name in listed]
    _print_listing(listing, rows, seen, json=json)


def _asked(folder: Path, listed: list[str]) -> bool:
    for name in listed:
        err.print(f"  {name}", markup=False, soft_wrap=True)
    try:
        if typer.confirm(f"Move {len(listed):,} of the runs in {shown(str(folder))} to its .trash?", err=True):
            return True
    except typer.Abort:
        raise LiqstratError("nobody answered, so nothing was moved; --yes goes on without asking") from None
    err.print("nothing was moved")
    return False


def _print_moved(folder: Path, moved: list[str], what: str, *, json: bool) -> None:
    if json:
        print_json({"folder": str(folder), what.split(" ")[0]: moved})
        return
    out.print(f"{len(moved):,} {what}", markup=False)
    for name in moved:
        out.print(f"  {name}", markup=False, soft_wrap=True)


_SHARES = ("net_return", "max_drawdown", "win_rate", "exposure")
_SHOWN = ("run", "created", "resolution", "trades", "net_return", "max_drawdown", "sharpe", "profit_factor", "win_rate")


def _print_listing(listing: "Listing", rows: "list[Row]", seen: list[str], *, json: bool) -> None:
    if json:
        plain = [{key: _plain(value) for key, value in row.items()} for row in rows]
        print_json({"folder": str(listing.folder), "runs": plain, "left_out": listing.left_out})
        return
    written = [name for name in ("tags", "note") if any(row[name] for row in rows)]
    columns = list(dict.fromkeys([*_SHOWN, *seen, *written]))
    # Rich takes seconds for tables of a thousand rows.
    table = [[name.replace("_", " ") for name in columns]]
    table += [[_cell(name, row.get(name)) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    left = [name in ("run", "tags", "note", "strategies", "symbols") for name in columns]
    for cells in table if rows else ():
        texts = [
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(cells, widths, left, strict=True)
        ]
        out.file.write("  ".join(texts).rstrip() + "\n")
    simulated = sum(bool(row["simulated"]) for row in rows)
    told = f"{len(rows):,} of {len(listing.rows):,} runs in {listing.folder}"
    out.print(f"{told}{f', {simulated:,} of them SIMULATED' if simulated else ''}", markup=False, soft_wrap=True)
    for name, why in listing.left_out.items():
        err.print(f"note: {name} is left out: {why}", markup=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, list):
        return shown(", ".join(map(str, value)))
    if isinstance(value, float):
        return f"{value:.2%}" if name in _SHARES else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else shown(str(value))
