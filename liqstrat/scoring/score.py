"""Models and baselines through the same figures on the same bands; see the package for what is estimated."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.grid import Ints
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.moments import DAY_NS, HOUR_NS, at_ns
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.intervals import Estimate
from liqstrat.scoring.reached import Reached
from liqstrat.scoring.side_by_side import may_be_best
from liqstrat.scoring.tables import Reliability, Tier, reliability_of, tiers_of
from liqstrat.scoring.trial import LEVEL, Row, Trial
from liqstrat.scoring.verdict import Added, Verdict, overall, verdict_on

#: Part of the days that are only learnt from, the first ones.
LEARNT_FROM = 1 / 4


@dataclass(frozen=True)
class Score:
    """Everything that `score` found. Times are UTC, amounts contracts.

    Days before `judged_from` are only learnt from, the `days` from then on are judged, each by what was learnt before
    it; `silent_days` of the whole had nothing on record. `liquidated` are all contracts recorded from `judged_from` on,
    `outside` the share of them that fell in no reached band; `empty[model]` is the share of the rest in bands where
    the map had nothing; `ratio[model]` is realised over predicted contracts. `recency` is what recency adds to
    distance, `added` what each model's map adds, at the level that allows for their number. `may_be_best`: of several
    models those that none of the others beats by more than chance, None with too few days.
    """

    start: datetime
    judged_from: datetime
    end: datetime
    every_hours: float
    days: int
    silent_days: int
    days_with_liquidations: int
    effective_days: float
    bands: int
    liquidations: int
    liquidated: float
    outside: float
    rows: list[Row]
    recency: Estimate
    added: dict[str, Added]
    tiers: dict[str, list[Tier]]
    reliability: dict[str, list[Reliability]]
    ratio: dict[str, float | None]
    empty: dict[str, float]
    verdicts: dict[str, Verdict]
    overall: Verdict
    may_be_best: list[str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; times as ISO text."""
        return {**asdict(self), **{name: getattr(self, name).isoformat() for name in ("start", "judged_from", "end")}}


def score(
    reached: Reached,
    liquidations: Liquidations,
    *,
    judged_from_ns: int | None = None,
    whole: bool = True,
    seed: int = 1,
    progress: Progress = SILENT,
) -> Score:
    """Score every model in `reached` against `liquidations`.

    judged_from_ns: begin of the part that is judged, by default after the first quarter of the days. whole: figures of
    parts, tiers and reliability too, not only what the verdict needs. Days without any liquidation on record are left
    out: nobody knows whether there was none or nobody looked. Raises `LiqstratError` where there is nothing to judge.
    """
    silent = len(np.unique(reached.day))
    reached = reached.part(np.isin(reached.day, liquidations.time_ns // DAY_NS))
    silent -= len(np.unique(reached.day))
    border = judged_from_ns if judged_from_ns is not None else _border(reached)
    band = reached.band_of(liquidations)
    observed = np.bincount(band[band >= 0], liquidations.contracts[band >= 0], minlength=len(reached))
    chosen = reached.begins[reached.window] >= border
    after = (liquidations.time_ns >= border) & (liquidations.time_ns < reached.ends[-1])
    recorded = float(liquidations.contracts[after].sum())
    if not observed[chosen].sum() > 0:
        raise LiqstratError(
            f"{int(after.sum())} liquidations were recorded in the judged part, from {at_ns(border)} on, "
            "none of them at a price that was reached there"
        )
    trial = Trial(reached, observed, chosen, seed, whole=whole)
    judged, models = trial.judged, list(reached.maps)
    level = 1 - (1 - LEVEL) / len(models)
    added = {name: trial.added(name, level) for name in models}
    verdicts = {name: verdict_on(one, trial.days_with, level) for name, one in added.items()}
    groups = trial.groups() if whole else {"all": np.ones(len(judged), dtype=np.bool_)}
    with progress.task("figures", total=len(groups), unit="groups") as done:
        rows = []
        for group, part in groups.items():
            rows += trial.rows(group, part, baselines_too=whole)
            done(1)
    predicted = {name: float((judged.maps[name].sum(axis=1) * judged.exposure).sum()) for name in models}
    return Score(
        start=at_ns(int(reached.begins[0])),
        judged_from=at_ns(border),
        end=at_ns(int(reached.ends[-1])),
        every_hours=float(np.median(reached.ends - reached.begins)) / HOUR_NS,
        days=len(trial.days),
        silent_days=silent,
        days_with_liquidations=trial.days_with,
        effective_days=trial.effective_days,
        bands=len(judged),
        liquidations=int(after.sum()),
        liquidated=recorded,
        outside=1 - float(trial.observed.sum()) / recorded,
        rows=rows,
        recency=trial.recency(),
        added=added,
        tiers={name: tiers_of(judged, name, trial.observed, trial.block) for name in models if whole},
        reliability={name: reliability_of(judged, name, trial.observed, trial.block) for name in models if whole},
        ratio={name: float(trial.observed.sum()) / total if total > 0 else None for name, total in predicted.items()},
        empty={name: trial.empty(name) for name in models},
        verdicts=verdicts,
        overall=overall(list(verdicts.values()), models),
        may_be_best=may_be_best(trial.losses()),
    )


def _border(reached: Reached) -> int:
    """The midnight after the first quarter of the days."""
    days: Ints = np.unique(reached.day)
    if len(days) < 2:
        raise LiqstratError(
            f"there are maps and recorded liquidations together on {len(days)} day{'s' if len(days) != 1 else ''}, "
            "expected at least 2: one to learn from and one to judge"
        )
    first = days[max(round(LEARNT_FROM * len(days)), 1)]
    return int(first) * DAY_NS
