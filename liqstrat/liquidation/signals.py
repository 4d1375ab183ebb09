"""Signals: what the levels around price say to do, by rules that are written down here and nowhere else.

Every strong level, and every one that was run through lately, says at most one of four things:

    AVOID     a strong level stands nearer than `near`: who enters now stands in the way of its forced orders
    WAIT      a strong level stands between `near` and `watch`: what happens next is decided there
    REVERSAL  a strong level was run through no longer than `patience_minutes` ago, and price has come back from the
              extreme since by `turn` or more: its forced orders are done
    WITH      `run_levels` or more of one side, apart from each other, were run through within `run_minutes`, the last
              leg no slower than the one before it and than `pace`, price has not come back by `turn`, and the next one
              of that side stands within `watch`: a cascade, which goes on where the next one stands

A level is strong that holds `min_strength` of its side's contracts. `WITH` takes the place of the AVOID or WAIT of its
level. Rules know the price, the clusters and the sweeps of one moment, nothing else: what strategies, commands and
streams are told of the same moment is the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Literal

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.liquidation.clusters import Cluster
from liqstrat.moments import MINUTE_NS

Kind = Literal["AVOID", "REVERSAL", "WAIT", "WITH"]
Way = Literal["long", "short"]

#: Shorter legs are as quick as this one: what was noticed at one look happened in no time.
_LEAST_MINUTES = 1 / 12


@dataclass(frozen=True)
class Swept:
    """A cluster whose densest price was reached.

    time_ns: when that was noticed (nanoseconds, UTC). extreme: how far price has gone since, USDT: the lowest price for
    longs, the highest for shorts.
    """

    cluster: Cluster
    time_ns: int
    extreme: float

    def reaching(self, low: float, high: float) -> "Swept":
        """With an extreme that takes in a later low and high."""
        extreme = min(self.extreme, low) if self.cluster.side == "long" else max(self.extreme, high)
        return self if extreme == self.extreme else Swept(self.cluster, self.time_ns, extreme)


@dataclass(frozen=True)
class Signal:
    """What one level says.

    way: the side to be on for REVERSAL and WITH; for AVOID and WAIT the way in which the level's forced orders would
    push: "short" for longs below, which are sold. strength: from 0 to 1, see `signals`. distance: of the level from the
    price now, a signed fraction. swept: when and how far a level of REVERSAL was run through.
    """

    kind: Kind
    way: Way
    strength: float
    level: Cluster
    distance: float
    reason: str
    swept: Swept | None = None


@dataclass(frozen=True)
class SignalRules:
    """The parameters of the rules; distances are fractions of price.

    min_strength: least share of its side's contracts that a level must hold. full_strength: the share from which a
    level counts fully. near, watch: how near a level is to be avoided, and as far as which it is looked at. turn: how
    far price must have come back from an extreme. patience_minutes: how long after a sweep it may turn. run_levels,
    run_minutes: how many levels within which time are a run. pace: least speed of its last leg, fraction a minute.
    """

    min_strength: float = 0.03
    full_strength: float = 0.15
    near: float = 0.002
    watch: float = 0.01
    turn: float = 0.0025
    patience_minutes: float = 45.0
    run_levels: int = 2
    run_minutes: float = 30.0
    pace: float = 0.0002

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                raise LiqstratError(f"signals: {name} is {value!r}, expected a number from {least:g} to {most:g}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SignalRules":
        """The rules with some values over the default; `LiqstratError` names a wrong one and the nearest right name."""
        known = [one.name for one in fields(cls)]
        for name in values:
            if name not in known:
                raise LiqstratError(
                    f'signals: unknown parameter "{name}"{did_you_mean(name, known)}; expected of {", ".join(known)}'
                )
        return cls(**values)


#: Sweeps are remembered for two hours.
_BOUNDS: dict[str, tuple[float, float]] = {
    "min_strength": (0, 1),
    "full_strength": (1e-6, 1),
    "near": (0, 0.2),
    "watch": (1e-6, 0.2),
    "turn": (1e-6, 0.2),
    "patience_minutes": (1e-6, 120),
    "run_levels": (2, 16),
    "run_minutes": (1e-6, 120),
    "pace": (0, 0.1),
}


def signals(
    rules: SignalRules, price: float, clusters: Sequence[Cluster], consumed: Sequence[Swept], now_ns: int
) -> list[Signal]:
    """All that the levels say at `now_ns`, at the last `price`, the strongest first.

    clusters: those that stand, consumed: those that were run through lately, the latest last. The strength is a level's
    share of contracts by `full_strength`, at most 1, times how near it stands (AVOID, WAIT, WITH: 1 at price, 0 at
    `watch`) or how little time has passed (REVERSAL: 1 at once, 0 after `patience_minutes`). WITH counts the contracts
    of all levels that the run has taken.
    """
    runs = list(runs_of(rules, price, clusters, consumed, now_ns))
    taken = {id(run.level) for run in runs}
    standing = (one for one in zones_of(rules, price, clusters) if id(one.level) not in taken)
    found = [*runs, *standing, *reversals_of(rules, price, consumed, now_ns)]
    return sorted(found, key=lambda one: -one.strength)


def zones_of(rules: SignalRules, price: float, clusters: Sequence[Cluster]) -> Iterator[Signal]:
    """AVOID and WAIT: strong levels that stand near price, nearest first."""
    for cluster in clusters:
        gap = gap_to(cluster, price)
        if gap > rules.watch or cluster.strength < rules.min_strength:
            continue
        kind: Kind = "AVOID" if gap <= rules.near else "WAIT"
        held = f"{cluster.side}s with {cluster.strength:.0%} of their side's contracts"
        where = "price stands within" if gap == 0 else f"{gap:.2%} to"
        yield Signal(
            kind,
            "short" if cluster.side == "long" else "long",
            _weight(rules, cluster.strength) * (1 - gap / rules.watch),
            cluster,
            cluster.price / price - 1,
            f"{where} {held} at {cluster.price_low:.10g} to {cluster.price_high:.10g}",
        )


def reversals_of(rules: SignalRules, price: float, consumed: Sequence[Swept], now_ns: int) -> Iterator[Signal]:
    """REVERSAL: strong levels that were run through, and from which price has turned; the latest first."""
    for swept in reversed(consumed):
        cluster, age = swept.cluster, (now_ns - swept.time_ns) / MINUTE_NS
        if age > rules.patience_minutes or cluster.strength < rules.min_strength:
            continue
        if not has_turned(swept, price, rules.turn):
            continue
        yield Signal(
            "REVERSAL",
            cluster.side,
            _weight(rules, cluster.strength) * (1 - age / rules.patience_minutes),
            cluster,
            cluster.price / price - 1,
            f"{cluster.side}s swept to {swept.extreme:.10g}, back by {abs(price / swept.extreme - 1):.2%}",
            swept,
        )


def runs_of(
    rules: SignalRules, price: float, clusters: Sequence[Cluster], consumed: Sequence[Swept], now_ns: int
) -> Iterator[Signal]:
    """WITH: the next level of a run, at most one for each way."""
    for side in ("long", "short"):
        since = now_ns - round(rules.run_minutes * MINUTE_NS)
        strong = [one for one in consumed if one.cluster.strength >= rules.min_strength and one.cluster.side == side]
        run = _apart([one for one in strong if one.time_ns >= since])
        if len(run) < rules.run_levels or has_turned(run[-1], price, rules.turn):
            continue
        speed, before = _last_legs(run, now_ns)
        following = next_of_run(rules, run[-1].cluster, price, clusters)
        if following is None or speed < max(rules.pace, before):
            continue
        share = sum(one.cluster.strength for one in run)
        yield Signal(
            "WITH",
            "short" if side == "long" else "long",
            _weight(rules, share) * (1 - gap_to(following, price) / rules.watch),
            following,
            following.price / price - 1,
            f"{len(run)} levels of {side}s run through, the last leg at {speed:.2%} a minute; the next one stands at "
            f"{following.price:.10g}",
        )


def next_of_run(rules: SignalRules, last: Cluster, price: float, clusters: Sequence[Cluster]) -> Cluster | None:
    """The nearest strong level of the side of `last`, the last of a run: beyond it, and within `watch` of price."""
    down = last.side == "long"
    there = [
        one
        for one in clusters
        if one.side == last.side
        and one.strength >= rules.min_strength
        and (one.price < min(last.price_low, price) if down else one.price > max(last.price_high, price))
        and gap_to(one, price) <= rules.watch
    ]
    return min(there, key=lambda one: gap_to(one, price), default=None)


def has_turned(swept: Swept, price: float, turn: float) -> bool:
    """Whether price has come back from a sweep's extreme by the fraction `turn`."""
    if swept.cluster.side == "long":
        return price >= swept.extreme * (1 + turn)
    return price <= swept.extreme * (1 - turn)


def gap_to(cluster: Cluster, price: float) -> float:
    """How far price is from a cluster's nearer edge, a fraction; 0 within it."""
    if price > cluster.price_high:
        return 1 - cluster.price_high / price
    return max(cluster.price_low / price - 1, 0.0)


def _weight(rules: SignalRules, share: float) -> float:
    return min(share / rules.full_strength, 1.0)


def _apart(consumed: Sequence[Swept]) -> list[Swept]:
    """Less those that are the rest of the one before: levels of which price had only reached the heart."""
    found: list[Swept] = []
    for one in consumed:
        if not found or not found[-1].cluster.price_low <= one.cluster.price <= found[-1].cluster.price_high:
            found.append(one)
    return found


def _last_legs(run: Sequence[Swept], now_ns: int) -> tuple[float, float]:
    """The speed of a run's last leg, from its last level but one to the extreme now, and of the leg before it, if any:
    fractions of price a minute."""
    last = abs(run[-1].extreme / run[-2].cluster.price - 1) / _minutes(run[-2].time_ns, now_ns)
    legs = [abs(b.cluster.price / a.cluster.price - 1) / _minutes(a.time_ns, b.time_ns) for a, b in pairwise(run[:-1])]
    return last, legs[-1] if legs else 0.0


def _minutes(begin_ns: int, end_ns: int) -> float:
    return max((end_ns - begin_ns) / MINUTE_NS, _LEAST_MINUTES)
