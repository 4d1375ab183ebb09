"""The hold-out: the end of history, opened for a choice that was written down before.

The choice goes into the ledger before anything is replayed: a look counts, whatever becomes of it.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from liqstrat.app import Booked, codes, data_hash, run_backtest
from liqstrat.backtest.account.results import config_hash
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.inputs import parse_time
from liqstrat.market.store import open_store
from liqstrat.moments import nanoseconds
from liqstrat.progress import SILENT, Progress
from liqstrat.research.ledger import Entry, append, read_ledger
from liqstrat.run_file import place_in

CHOICE, OPENED = "choice", "holdout"


@dataclass(frozen=True)
class Look:
    """What was there before this look.

    number: of looks at any of this time, this one included. before: the choices that were looked at. seen: runs and
    trials that were replayed over some of it. figures: what the same choice made before the hold-out, if that was run.
    """

    number: int
    before: list[str]
    seen: int
    figures: dict[str, Any] | None

    @property
    def words(self) -> str:
        """How much this look is worth."""
        seen = f"; {self.seen:,} other runs and trials went into this time" if self.seen else ""
        if self.number == 1:
            return f"the first look at this hold-out{seen}"
        others = ", ".join(self.before[-3:])
        return (
            f"look {self.number} at this hold-out, after {others}{seen}: who has seen it may have chosen by it, and it "
            "tells less of what is to come each time"
        )


def open_holdout(
    run: RunFile, out: Path, path: Path | None = None, progress: Progress = SILENT, *, report: bool = True
) -> tuple[Path, Look]:
    """Replay a run over what it holds out, after writing its choice into the ledger of `out`; its results and the look.

    Raises `LiqstratError` where nothing is held out.
    """
    held = run.held_out
    if held is None:
        raise LiqstratError(
            f'{place_in(path)}: nothing is held out; expected a [holdout], as last = "60d", since the first sweep'
        )
    code = codes(run)
    with open_store(run.data.db, files=run.data.allow_files) as store:
        data = data_hash(store, held)
    created = datetime.now(UTC)
    name = f"{run.name}-choice-{created:%Y%m%dT%H%M%S}"
    choice = Entry(name, created, _config(held), config_hash(held), data, {}, code, kind=CHOICE)
    look = _look(out, run, held, code)
    append(out, [choice])
    booked = Booked(OPENED, name)
    folder = run_backtest(held, out, progress, report=report, booked=booked, notes=[f"HOLD-OUT: {look.words}"])
    return folder, look


def _look(out: Path, run: RunFile, held: RunFile, code: list[Any]) -> Look:
    """What the ledger knows of this time."""
    begin, end = nanoseconds(held.start), nanoseconds(held.end)
    seen_variant = Entry("", datetime.now(UTC), _config(run.seen), "", "", {}, code).variant
    before, seen, figures = [], 0, None
    for row in read_ledger(out, ["run", "kind", "config", "variant", "figures"]).to_pylist():
        config = json.loads(row["config"])
        if row["variant"] == seen_variant and row["kind"] in ("run", "trial"):
            figures = json.loads(row["figures"])
        first, last = (nanoseconds(parse_time(config[key])) for key in ("from", "to"))
        if first >= end or last <= begin or not set(config["symbols"]) & set(held.symbols):
            continue
        if row["kind"] == CHOICE:
            before.append(row["run"])
        elif row["kind"] != OPENED:
            seen += 1
    return Look(len(before) + 1, before, seen, figures)


def _config(run: RunFile) -> dict[str, Any]:
    return run.model_dump(mode="json", by_alias=True)
