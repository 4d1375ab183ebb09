"""Studies drawn anew from the days of one, each with its verdict: how often it would say "edge".

Days are drawn in stretches (the stationary bootstrap of Politis and Romano 1994), for all trials and controls the same
ones, into histories as long as this and longer. On each, the best trial is chosen again, and every test made again, by
the rules that made this verdict. Days as they are would hold luck twice, once as it was and once as it is drawn. So it
is taken out before:

- Controls of a kind differ by their seeds only: all are given the Sharpe ratio that they have on average.
- Trials are drawn towards each other by the part of their spread that is luck (James and Stein 1961), and are moved
  together so that the best of a drawn history of as many days has on average the Sharpe ratio that the best had here.

How large the edge is remains what it was here, with the luck that the days themselves have had.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.research.days import LEAST_DAYS
from liqstrat.research.edge import EDGE, Against, Evidence, words_on
from liqstrat.research.histories import (
    DRAWS,
    SEED,
    counts_of,
    deflated_of,
    orders_of,
    overfitting_of,
    sharpes_of,
    superiority_of,
)
from liqstrat.research.luck import POWER, block_of
from liqstrat.research.power import OF_GROWTH, Drawn, Power

#: How much longer than this one histories are drawn, until one is long enough.
_TIMES = (1, 1.5, 2, 3, 5, 10, 20)


@dataclass(frozen=True, eq=False)
class Observed:
    """The days of a study, `[day, trial]`, and `[day, control]` of each kind of control.

    best: the trial chosen. candidates: those that could be. configurations: as many as were ever tried on these data.
    trades: of the best. objective: what chooses the best; unless it is of growth, the Sharpe ratio of days is taken.
    """

    returns: Floats
    best: int
    candidates: Ints
    configurations: int
    trades: int
    objective: str = "sharpe"
    controls: Mapping[str, Floats] = field(default_factory=dict)


def announced(seen: Observed, length: int | None = None) -> Power | None:
    """How often a study of `length` days (default: as many as there are), and of more, would say "edge"; None with
    fewer than a week of days, or where the best trial's returns do not change."""
    days, own = len(seen.returns), seen.returns[:, seen.best]
    if days < LEAST_DAYS or np.ptp(own) == 0:
        return None
    block = block_of(own)
    length = length or days
    world, told = _without_luck(seen, block), []
    for times in _TIMES:
        told.append(_drawn(world, round(length * times), block))
        if told[-1].words.get(EDGE, 0.0) >= POWER:
            break
    return Power(
        days=length,
        probability=told[0].words.get(EDGE, 0.0),
        needed_days=_needed(told),
        by_days=told,
        controls={kind: found.shape[1] for kind, found in seen.controls.items()},
        objective=seen.objective,
        block_days=block,
    )


def _needed(told: list[Drawn]) -> int | None:
    """Between the last history that was too short and the first that was not, as their shares are."""
    shares = [one.words.get(EDGE, 0.0) for one in told]
    if shares[-1] < POWER:
        return None
    return int(np.ceil(np.interp(POWER, shares[-2:], [one.days for one in told[-2:]])))


def _without_luck(seen: Observed, block: int) -> Observed:
    """Days that hold no more luck of choosing, and of seeds, than the draws will add."""
    days = len(seen.returns)
    counts = counts_of(orders_of(days, days, block), days)
    own, drawn = sharpes_of(np.ones((1, days)), seen.returns)[0], sharpes_of(counts, seen.returns)
    apart = np.nan_to_num(drawn - own)
    luck = ((apart - apart.mean(axis=1, keepdims=True)) ** 2).sum(axis=1).mean()
    spread = float(np.nansum((own - np.nanmean(own)) ** 2))
    kept = max(0.0, 1 - luck / spread) if spread > 0 else 1.0
    closer = replace(seen, returns=_moved(seen.returns, (kept - 1) * (own - np.nanmean(own))))
    best = np.take_along_axis(sharpes_of(counts, closer.returns), _best(closer, counts)[:, np.newaxis], axis=1)
    level = np.full(len(own), own[seen.best] - np.nanmean(best))
    return replace(
        seen,
        returns=_moved(closer.returns, level),
        controls={kind: _alike(found) for kind, found in seen.controls.items() if found.shape[1]},
    )


def _alike(returns: Floats) -> Floats:
    """With the Sharpe ratio that they have on average."""
    own = sharpes_of(np.ones((1, len(returns))), returns)[0]
    return _moved(returns, np.nanmean(own) - own) if np.isfinite(own).any() else returns


def _moved(returns: Floats, by: Floats) -> Floats:
    """With Sharpe ratios by so much higher; what does not change stays."""
    found: Floats = returns + np.nan_to_num(by) * returns.std(axis=0)
    return found


def _drawn(world: Observed, length: int, block: int) -> Drawn:
    """What verdicts on histories of so many days say."""
    days = len(world.returns)
    orders = orders_of(days, length, block)
    counts = counts_of(orders, days)
    sharpes, best = sharpes_of(counts, world.returns), _best(world, counts)
    told = deflated_of(world.returns[orders, best[:, np.newaxis]], sharpes, world.configurations, block)
    loses, chance = overfitting_of(orders, world.returns), superiority_of(counts, world.returns)
    own = np.take_along_axis(_scores(world, counts, world.returns), best[:, np.newaxis], axis=1)
    beaten = {kind: own > _scores(world, counts, found) for kind, found in world.controls.items()}
    trades = np.random.default_rng(SEED).poisson(world.trades * length / days, DRAWS)
    words = Counter(
        words_on(
            Evidence(
                days=length,
                trades=int(trades[at]),
                configurations=world.configurations,
                deflated=told[at],
                overfitting=loses[at],
                superiority=chance[at],
                **{kind: Against.of(found[at].tolist()) for kind, found in beaten.items()},
            )
        )
        for at in range(DRAWS)
    )
    return Drawn(length, {word: count / DRAWS for word, count in words.most_common()})


def _scores(world: Observed, counts: Floats, returns: Floats) -> Floats:
    """The objective of drawn histories; of what does not trade zero."""
    if world.objective in OF_GROWTH:
        found: Floats = counts @ np.log1p(np.maximum(returns, -1 + 1e-9))
        return found
    return np.nan_to_num(sharpes_of(counts, returns))


def _best(world: Observed, counts: Floats) -> Ints:
    found: Ints = world.candidates[_scores(world, counts, world.returns[:, world.candidates]).argmax(axis=1)]
    return found
