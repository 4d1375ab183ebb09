"""Studies: many runs of one run file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import Json, as_path, override, parsed
from liqstrat.cli.program import err, out, progress
from liqstrat.cli.terminal import shown
from liqstrat.cli.text import new_table, print_json
from liqstrat.errors import LiqstratError

if TYPE_CHECKING:
    from liqstrat.studies.study import Study

RunFilePath = Annotated[Path, typer.Argument(metavar="FILE.TOML", help="The run file, see configs/.")]
Results = Annotated[
    Any, typer.Option("--out", parser=as_path, metavar="PATH", help="Folder in which the results folder is made.")
]
Settings = Annotated[
    list[Any] | None,
    typer.Option("--set", parser=parsed(override), metavar="KEY=VALUE", help="A value over the run file's."),
]
WorkersOption = Annotated[int | None, typer.Option(min=1, max=256, help="Trials at a time; default: one a core.")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="A Dask scheduler whose workers run the trials, as tcp://10.0.0.1:8786, in place of this machine's.",
    ),
]

_SHOWN, _NOTES = 10, 8


def sweep(
    run_file: RunFilePath,
    results: Results = Path("results"),
    settings: Settings = None,
    trials: Annotated[int | None, typer.Option(min=1, help="How many, in place of the run file's.")] = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    json: Json = False,
) -> None:
    """Try the settings of a run file's [sweep]; stopped, the same command goes on where it was.

    Example: liqstrat sweep configs/fade-sweep.toml --trials 50
    """
    from liqstrat.run_file import load_run_file
    from liqstrat.studies.outcome import write_study
    from liqstrat.studies.study import open_study
    from liqstrat.studies.sweep import run_and_judge

    _require_one(workers, scheduler)
    over = dict(settings or [])
    run = load_run_file(run_file, over)
    study = open_study(run, results, run_file, trials)
    try:
        tried, judged = run_and_judge(study, workers, progress, scheduler=scheduler)
    except KeyboardInterrupt:
        _print_so_far(study)
        raise
    found = write_study(study, tried, judged, run, run_file.read_text(encoding="utf-8"), over)
    _print_sweep(study, found, json=json)


def walk_forward(
    run_file: RunFilePath,
    results: Results = Path("results"),
    settings: Settings = None,
    trials: Annotated[int | None, typer.Option(min=1, help="How many in each window.")] = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    json: Json = False,
) -> None:
    """Choose settings on each training window of a run file's [walk_forward], and trade them on the next.

    Example: liqstrat walk-forward configs/fade-sweep.toml
    """
    from liqstrat.inputs import read_json
    from liqstrat.run_file import load_run_file
    from liqstrat.studies.walk_forward import walk_forward as walk

    _require_one(workers, scheduler)
    run = load_run_file(run_file, dict(settings or []))
    try:
        folder = walk(run, results, run_file, trials, workers, progress, scheduler=scheduler)
    except KeyboardInterrupt:
        _print_how_to_go_on()
        raise
    found = read_json(folder / "walk_forward.json")
    if json:
        print_json({**found, "folder": str(folder)})
        return
    keys = list(run.sweep.over) if run.sweep else []
    table = new_table(
        f"{run.name}: {len(found['windows'])} windows{' SIMULATED' if found['simulated'] else ''}",
        ("window", "test from", "trained", "tested", "trades", *(_short(key, keys) for key in keys)),
    )
    for one in found["windows"]:
        figures = [one["trained"].get("net_return"), one["tested"].get("net_return")]
        shares = ["–" if value is None else f"{value:+.2%}" for value in figures]
        chosen = [_cell(one["settings"].get(key)) for key in keys]
        table.add_row(str(one["number"]), one["test_start"][:16], *shares, _cell(one["tested"].get("trades")), *chosen)
    out.print(table)
    for reason in dict.fromkeys(one["note"] for one in found["windows"] if not one["settings"]):
        err.print(f"note: {reason}", markup=False, soft_wrap=True)
    figures = found["figures"]
    out.print(f"out of sample: {figures['net_return']:+.2%}, {figures['trades']:,} trades on {figures['days']:,} days")
    _print_verdict(found["verdict"])
    _print_notes(found["notes"])
    out.print(f"page: {folder / 'walk_forward.html'}", markup=False, soft_wrap=True)


def holdout(
    run_file: RunFilePath,
    results: Results = Path("results"),
    settings: Settings = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Whether to write the report.")] = True,
    json: Json = False,
) -> None:
    """Open what a run file's [holdout] keeps from all others, for this choice of settings; every look is remembered.

    Example: liqstrat holdout results/fade-sweep-1a2b3c4d/best.toml
    """
    from liqstrat.cli.runs import figures_table
    from liqstrat.inputs import read_json
    from liqstrat.run_file import load_run_file
    from liqstrat.studies.holdout import open_holdout

    run = load_run_file(run_file, dict(settings or []))
    folder, look = open_holdout(run, results, run_file, progress, report=report)
    figures = read_json(folder / "metrics.json")
    if json:
        print_json(
            {
                "folder": str(folder),
                "look": look.number,
                "words": look.words,
                "before": look.figures,
                "held_out": figures,
            }
        )
        return
    simulated = " SIMULATED" if read_json(folder / "run.json")["simulated"] else ""
    columns = {"before": look.figures, f"held out{simulated}": figures}
    out.print(figures_table({name: shown for name, shown in columns.items() if shown}, run.quote))
    out.print(look.words, markup=False, soft_wrap=True)
    where = folder / "report.html" if report else folder
    out.print(f"{'report' if report else 'results'}: {where}", markup=False, soft_wrap=True)


def _require_one(workers: int | None, scheduler: str | None) -> None:
    if workers is not None and scheduler is not None:
        raise LiqstratError("--workers are those of this machine, --scheduler has its own: expected one of the two")


def _print_so_far(study: "Study") -> None:
    """What is best when it was stopped, and how to go on."""
    from liqstrat.studies.study import best_text

    with study.journal() as journal:
        ended = journal.ended()
    best = study.best(ended)
    told = [f"{len(ended):,} of {study.space.trials:,} trials", best_text(study, ended)]
    err.print("; ".join(filter(None, told)), markup=False)
    for key, value in best[0].settings.items() if best else ():
        err.print(f"  {key} = {value}", markup=False)
    _print_how_to_go_on()


def _print_how_to_go_on() -> None:
    err.print(f"to go on: {' '.join(['liqstrat', *map(_quoted, sys.argv[1:])])}", markup=False, soft_wrap=True)


def _quoted(word: str) -> str:
    from shlex import quote

    return quote(shown(word))


def _print_sweep(study: "Study", found: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json({**found, "folder": str(study.folder)})
        return
    objectives = study.space.settings.objective
    figures = list(dict.fromkeys([*objectives, "trades", "net_return", "max_drawdown", "sharpe"]))
    keys = study.space.keys
    table = new_table(
        f"{study.run.name}: best of {found['trials']:,} trials{' SIMULATED' if study.simulated else ''}",
        ("trial", *(_short(key, keys) for key in keys), *figures),
    )
    for one in found["best"][:_SHOWN]:
        values = [one["settings"][key] for key in keys] + [one["figures"].get(name) for name in figures]
        table.add_row(str(one["trial"]), *map(_cell, values))
    if found["best"]:
        out.print(table)
    else:
        out.print(found["none"], markup=False, soft_wrap=True)
    for reason in dict.fromkeys(found["refused"].values()):
        err.print(f"note: not run: {reason}", markup=False, soft_wrap=True)
    _print_verdict(found["verdict"])
    _print_notes(found["notes"])
    out.print(f"page: {study.folder / 'sweep.html'}", markup=False, soft_wrap=True)


def _print_notes(notes: list[str]) -> None:
    """What a reader must know of the history; the page has all of it."""
    for note in notes[:_NOTES]:
        out.print(f"note: {note}", markup=False, soft_wrap=True)
    if len(notes) > _NOTES:
        out.print(f"note: and {len(notes) - _NOTES:,} more, on the page", markup=False, soft_wrap=True)


def _print_verdict(verdict: dict[str, Any]) -> None:
    out.print(f"verdict: {verdict['words']}", markup=False)
    for reason in verdict["reasons"]:
        out.print(f"  {'+' if reason['speaks_for'] else '-'} {reason['text']}", markup=False, soft_wrap=True)
    for text in verdict["needed"]:
        out.print(f"  needed: {text}", markup=False, soft_wrap=True)
    if power := verdict.get("power"):
        out.print(f"  power: {power['text']}", markup=False, soft_wrap=True)


def _short(key: str, keys: list[str]) -> str:
    """The last part of a key, where that tells it from the others."""
    last = key.rsplit(".", 1)[-1]
    return last if [other.rsplit(".", 1)[-1] for other in keys].count(last) == 1 else key


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,.4g}" if isinstance(value, float) else shown(str(value))
