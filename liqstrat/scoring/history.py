"""Score models on a symbol's history: from the database to all that is printed and drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.moments import at_ns, nanoseconds
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.evidence import Recorded, gather_history, require_liquidations
from liqstrat.scoring.lookahead import Difference, find_lookahead, model_maker
from liqstrat.scoring.score import Score, score

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Scored:
    """A score with what stands beside it. `lookahead` has the first difference of each model that was checked, None
    where there was none, and is empty where none was."""

    symbol: str
    simulated: bool
    score: Score
    recorded: Recorded
    remarks: list[str]
    lookahead: dict[str, Difference | None]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "symbol": self.symbol,
            "simulated": self.simulated,
            **self.score.to_json(),
            "remarks": self.remarks,
            "lookahead": {name: found and str(found) for name, found in self.lookahead.items()},
        }


def score_history(
    store: Store,
    symbol: str,
    start: datetime | None,
    end: datetime | None,
    models: Mapping[str, ModelSettings],
    *,
    warmup: timedelta,
    every: timedelta,
    cuts: int = 0,
    progress: Progress = SILENT,
) -> Scored:
    """Score `models` from `start` to `end`; None is as far as liquidations are on record.

    cuts: at how many random moments models are checked for look-ahead. Raises `LiqstratError` where there is nothing to
    score with.
    """
    first, last = _range(store, symbol, start, end)
    found = require_liquidations(store, symbol, first, last)
    models = {name: with_bin_width(store, symbol, one, first) for name, one in models.items()}
    reached = gather_history(store, symbol, first, last, models, warmup, every, progress)
    result = score(reached, found.liquidations, progress=progress)
    checked = {name: _check(store, symbol, first, last, one, cuts, progress) for name, one in models.items() if cuts}
    remarks = found.remarks() + _remarks(result) + store.remarks
    return Scored(symbol, store.simulated(symbol), result, found, remarks, checked)


def _range(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Whole days, as far as they are not given."""
    span = store.span(symbol, "liquidations") or store.span(symbol, "open_interest")
    if start is None or end is None:
        if span is None:
            raise LiqstratError(
                f"{store.path}: neither liquidations nor open interest of {symbol} to score levels with"
            )
        start = start or span[0].replace(hour=0, minute=0, second=0, microsecond=0)
        end = end or span[1].replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    if end <= start:
        raise LiqstratError(f"--to is {end:%Y-%m-%d %H:%M}, expected a time after --from ({start:%Y-%m-%d %H:%M})")
    return start, end


def _check(
    store: Store, symbol: str, start: datetime, end: datetime, settings: ModelSettings, cuts: int, progress: Progress
) -> Difference | None:
    """Look-ahead of a model, flows included: those of the cut data are asked of the database anew."""

    def source(until_ns: int | None) -> Any:
        until = end if until_ns is None else at_ns(until_ns)
        return flows(store, symbol, start, min(until, end), settings)

    span = nanoseconds(start + (end - start) / 10), nanoseconds(end)
    maker = model_maker(settings, symbol, store.brackets(symbol))
    return find_lookahead(maker, source, span, cuts=cuts, progress=progress)


def _remarks(result: Score) -> list[str]:
    said = []
    best = result.may_be_best
    if best is not None:
        worse = [name for name in result.verdicts if name not in best]
        told = f"{', '.join(worse)} worse by more than chance" if worse else "none worse by more than chance"
        said.append(f"Side by side, {', '.join(best)} may be the best, {told} (model confidence set, 5 %).")
    if result.silent_days:
        said.append(f"{result.silent_days} days without any liquidation on record are left out.")
    if result.outside >= 0.005:
        said.append(
            f"{result.outside:.1%} of the liquidated contracts fell where the map of the window's begin could say "
            "nothing (mostly positions opened within the window); they count for nobody."
        )
    if result.effective_days < result.days_with_liquidations / 2:
        said.append(
            f"Most was liquidated on few days: the {result.days_with_liquidations} judged days with liquidations weigh "
            f"like {result.effective_days:.1f} equal ones, so intervals are rough."
        )
    return said
