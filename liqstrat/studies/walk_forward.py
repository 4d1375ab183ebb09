"""Walking forward: settings chosen on each training window are traded on the time that follows it.

What was chosen has not seen the days that it is judged by. A position may still be held when a training window ends, so
that what follows resembles it: the test begins after the embargo, or later, after the longest time the chosen settings
held one.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from liqstrat.app import codes, data_hash
from liqstrat.backtest.account.results import config_hash, write_json
from liqstrat.calibration.history import calibrate_history
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file, require_writable
from liqstrat.inputs import read_json
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.store import Store, open_store
from liqstrat.progress import SILENT, Progress
from liqstrat.research.edge import is_enough
from liqstrat.research.ledger import Entry, append, read_ledger
from liqstrat.run_file import place_in, run_from
from liqstrat.studies.checks import KINDS, control, is_decided, is_default, stages
from liqstrat.studies.errands import run_all
from liqstrat.studies.journal import Tried
from liqstrat.studies.rounds import run_study
from liqstrat.studies.space import space_of
from liqstrat.studies.study import Study, open_study, why_none
from liqstrat.studies.trial import Outcome, Task
from liqstrat.studies.walked import Step, Walked, write_walk
from liqstrat.studies.windows import Window, windows_of
from liqstrat.studies.workers import Workers, working

WALK, TEST = "walk_forward", "test"


@dataclass(frozen=True)
class _Chosen:
    """A window with its study, and what was best in it, if anything was."""

    window: Window
    study: Study
    trials: int
    best: Tried | None
    note: str


def walk_forward(
    run: RunFile,
    out: Path,
    path: Path | None = None,
    trials: int | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
    *,
    scheduler: str | None = None,
) -> Path:
    """Walk a run forward as its `[sweep]` and `[walk_forward]` say; what comes of it is in a folder in `out`.

    trials: of each window, in place of the run file's. workers: processes at a time (default: one a core).
    scheduler: address of a Dask scheduler whose workers run them. Interrupted, it goes on where it was.
    `path` is where the run is from, for errors.
    """
    if run.walk_forward is None:
        raise LiqstratError(f"{path or 'the run'}: there is no [walk_forward] in it, which says how history is cut")
    windows = windows_of(run, run.walk_forward, place_in(path, "walk_forward"))
    space_of(run, path)
    if run.walk_forward.calibrate and len(run.symbols) > 1:
        where = place_in(path, "walk_forward", "calibrate")
        raise LiqstratError(f"{where}: walk_forward.calibrate takes a run of one symbol, not {', '.join(run.symbols)}")
    if run.walk_forward.calibrate and run.model.kind != "conserving":
        where = place_in(path, "walk_forward", "calibrate")
        raise LiqstratError(
            f'{where}: walk_forward.calibrate fits the conserving book; model.kind is "{run.model.kind}", '
            'expected "conserving"'
        )
    with open_store(run.data.db, files=run.data.allow_files) as store:
        data, simulated = data_hash(store, run.seen), any(store.simulated(symbol) for symbol in run.symbols)
    folder = out / f"{run.name}-walk-forward-{_key(run, data, trials)}"
    require_writable(folder / "walk_forward.json")
    with working(workers, scheduler) as hands:
        chosen = [_choose(run, window, folder, out, path, trials, hands, progress) for window in windows]
        walked = _test(run, chosen, folder, data, simulated, hands, progress)
    _into_ledger(walked, chosen, out)
    write_walk(walked, out)
    return folder


def _choose(
    run: RunFile,
    window: Window,
    folder: Path,
    results: Path,
    path: Path | None,
    trials: int | None,
    hands: Workers,
    progress: Progress,
) -> _Chosen:
    """Sweep a training window."""
    training, note = run.during(window.train_start, window.train_end), ""
    if run.walk_forward is not None and run.walk_forward.calibrate:
        kept = folder / ".study" / f"calibrated-{window.number:03}.json"
        model, note = _calibrated(training, kept, progress)
        training = training.model_copy(update={"model": model})
    study = open_study(training, folder / ".study", path, trials, results)
    tried = run_study(study, hands, progress)
    best = next(iter(study.best(tried)), None)
    held = timedelta(seconds=(best.figures.get("longest_held_seconds") or 0) if best else 0)
    told = "; ".join(text for text in (note, why_none(study, tried)) if text)
    return _Chosen(window.later(held), study, len(tried), best, told)


def _calibrated(run: RunFile, kept: Path, progress: Progress) -> tuple[ModelSettings, str]:
    """The model fitted to a training window, or the run's own where there is too little to fit to or the fit is no
    better on days that it has not seen; as in the file `kept`, if that is there, and then it is."""
    if kept.exists():
        known = read_json(kept)
        return run_from({**run.model_dump(by_alias=True), "model": known["model"]}).model, str(known["note"])
    model, note = _fitted(run, progress)
    told = run.model_copy(update={"model": model}).model_dump(mode="json")["model"]
    with partial_file(kept) as partial:
        write_json(partial, {"model": told, "note": note})
    return model, note


def _fitted(run: RunFile, progress: Progress) -> tuple[ModelSettings, str]:
    with open_store(run.data.db, files=run.data.allow_files) as store:
        try:
            found = calibrate_history(
                store,
                run.symbols[0],
                run.start,
                # Open interest of the very end is the first thing that a test sees.
                run.end - timedelta(microseconds=1),
                run.model,
                timedelta(days=run.data.warmup_days),
                progress=progress,
            )
        except LiqstratError as error:
            return run.model, f"not calibrated: {error}"
    if not found.better:
        return run.model, "not calibrated: days left out of the fit do not speak for it over the run's own model"
    return replace(found.settings, bin_width=run.model.bin_width), "calibrated"


def _test(
    run: RunFile,
    chosen: list[_Chosen],
    folder: Path,
    data: str,
    simulated: bool,
    hands: Workers,
    progress: Progress,
) -> Walked:
    """Trade what was chosen on each test window; then what chance and placebo levels make of the same."""
    with open_store(run.data.db, files=run.data.allow_files) as store:
        tasks = {one.window.number: _task(store, one) for one in chosen if one.best is not None}
    wanted = {f"{number}": task for number, task in tasks.items()}
    own = run_all(wanted, folder / ".study" / "tests.jsonl", f"tests {run.name}", hands, progress)
    walked = _walked(run, chosen, folder, data, simulated, own, {})
    made: dict[str, Outcome] = {}
    kinds = _kinds(run, walked)
    for seeds in stages(run.sweep) if run.sweep else ():
        controls = {
            name: one
            for kind in kinds
            for number, task in tasks.items()
            for name, one in _controls(task, own[f"{number}"], f"{number} {kind}", seeds).items()
        }
        made |= run_all(controls, folder / ".study" / "controls.jsonl", f"controls {run.name}", hands, progress)
        walked = _walked(run, chosen, folder, data, simulated, own, made)
        kinds = [kind for kind in kinds if run.sweep and not is_decided(walked.beaten(kind), run.sweep)]
    return walked


def _kinds(run: RunFile, walked: Walked) -> Sequence[str]:
    """The kinds of controls that are run: none that nobody asked for, where there can be no verdict."""
    is_asked = run.sweep is not None and not is_default(run.sweep)
    return KINDS if is_asked or is_enough(walked.figures["days"], walked.figures["trades"]) else ()


def _walked(
    run: RunFile,
    chosen: list[_Chosen],
    folder: Path,
    data: str,
    simulated: bool,
    own: Mapping[str, Outcome],
    made: Mapping[str, Outcome],
) -> Walked:
    steps = [
        Step(
            one.window,
            one.trials,
            one.best.settings if one.best else {},
            one.best.figures if one.best else {},
            own.get(f"{one.window.number}"),
            {name.split(" ", 1)[1]: found for name, found in made.items() if name.startswith(f"{one.window.number} ")},
            one.note,
            asdict(one.study.run.model) if run.walk_forward and run.walk_forward.calibrate else {},
        )
        for one in chosen
    ]
    return Walked(run, folder, data, simulated, steps)


def _task(store: Store, one: _Chosen) -> Task:
    tested = one.study.run.during(one.window.test_start, one.window.test_end)
    settings = one.best.settings if one.best else {}
    return Task(tested.model_dump(by_alias=True), settings, data_hash(store, tested))


def _controls(task: Task, own: Outcome, name: str, seeds: range) -> dict[str, Task]:
    """Of a window and a kind, by `<window> <kind> <seed>`; a window without trades has no entries by chance."""
    if not own.figures:
        return {}
    settings = control(name.split()[1], run_from(task.values, task.settings), own.figures)
    if settings is None:
        return {}
    return {f"{name} {seed}": replace(task, settings={**task.settings, **settings(seed)}) for seed in seeds}


def _key(run: RunFile, data: str, trials: int | None) -> str:
    """Another run, sweep, cut, data or code is another walk."""
    sections = [one.model_dump(mode="json") for one in (run.sweep, run.walk_forward) if one is not None]
    told = [config_hash(run.seen), sections, data, trials, [one.sha256 for one in codes(run)]]
    return hashlib.sha256(json.dumps(told, default=repr, sort_keys=True).encode()).hexdigest()[:8]


def _into_ledger(walked: Walked, chosen: list[_Chosen], results: Path) -> None:
    """Put the tests and the walk itself into the ledger, unless they are in it."""
    known = set(read_ledger(results, ["run"])["run"].to_pylist())
    created, name = datetime.now(UTC), walked.folder.name
    run, code = walked.run, codes(walked.run)
    entries = []
    for step, one in zip(walked.steps, chosen, strict=True):
        if step.tested is None or step.tested.reason:
            continue
        tested = run_from(
            one.study.run.during(step.window.test_start, step.window.test_end).model_dump(by_alias=True), step.settings
        )
        config = tested.model_dump(mode="json", by_alias=True)
        entry = Entry(
            f"{name}/{step.window.number:03}",
            created,
            config,
            config_hash(tested),
            walked.data_hash,
            step.tested.figures,
            code,
            TEST,
            name,
        )
        entries.append(entry)
    sections = {WALK: run.walk_forward.model_dump(mode="json") if run.walk_forward else {}}
    config = {**run.seen.model_dump(mode="json", by_alias=True), **sections, "over": repr(run.sweep)}
    entries.append(Entry(name, created, config, config_hash(run.seen), walked.data_hash, walked.figures, code, WALK))
    new = [entry for entry in entries if entry.run not in known]
    if new:
        append(results, new)
