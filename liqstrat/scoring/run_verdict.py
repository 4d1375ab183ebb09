"""The verdict on a run's levels: a small piece of plain data that stands in `run.json` and on the report."""

from datetime import datetime, timedelta
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.evidence import gather_history, recorded
from liqstrat.scoring.intervals import Estimate
from liqstrat.scoring.score import Score, score
from liqstrat.scoring.verdict import NOT_SCORED

_EVERY = timedelta(hours=1)


def verdict_on_run(
    store: Store,
    symbol: str,
    settings: ModelSettings,
    start: datetime,
    end: datetime,
    warmup: timedelta,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """What can be said of the maps of a run from `start` to `end`, scored from the begin of its warm-up on.

    The model is stepped once more, over flows grouped by SQL, rather than scored from what the run recorded: those maps
    begin with the run, are cut off around price and as seldom as the report wants them, while the same words must come
    out here and from `liqstrat score`. It costs a second or two a month. Nothing of it reaches a strategy.
    """
    about = {"symbol": symbol, "model": settings.kind, "from": (start - warmup).isoformat(), "to": end.isoformat()}
    try:
        found = recorded(store, symbol, start - warmup, end)
        if not found.rows:
            raise LiqstratError("no liquidations of this time are on record to hold the levels against")
        models: dict[str, ModelSettings] = {settings.kind: with_bin_width(store, symbol, settings, start)}
        reached = gather_history(store, symbol, start - warmup, end, models, timedelta(0), _EVERY, progress)
        result = score(reached, found.liquidations, whole=False)
    except LiqstratError as error:
        return {**about, "words": NOT_SCORED, "better": False, "reason": str(error)}
    return {**about, **_of(result, settings.kind), "record": found.remarks()}


def _of(result: Score, name: str) -> dict[str, Any]:
    verdict = result.verdicts[name]
    row = next(row for row in result.rows if row.name == name)
    return {
        "words": verdict.words,
        "better": verdict.better,
        "reason": verdict.reason,
        "days": result.days,
        "judged_from": result.judged_from.isoformat(),
        "lift_at_equal_distance": _numbers(row.lift_at_equal_distance),
        "bits_over_distance_and_recency": _numbers(row.adds),
        "explained_by_recency": result.added[name].explained,
        "days_needed": result.added[name].days_needed,
    }


def _numbers(estimate: Estimate) -> list[float | None]:
    """Value, low and high."""
    return [estimate.value, estimate.low, estimate.high]
