"""What an entry is asked for with, checked: where it waits and for how long, its stop, and its targets by share."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite
from numbers import Real
from typing import Literal, Never, cast

from liqstrat.errors import LiqstratError
from liqstrat.inputs import nanoseconds_of

Side = Literal["long", "short"]
#: Price (USDT), and the share of the position that leaves there.
Target = tuple[float, float]
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Plan:
    """An entry: at the market, or (`at`) by a limit that waits there for `expires_ns`, None for as long as it takes.

    The shares of `targets` add up to at most 1; what they leave over ends at the stop.
    """

    side: Side
    stop: float
    targets: tuple[Target, ...]
    at: float | None = None
    expires_ns: int | None = None

    @property
    def simple(self) -> bool:
        """At the market, with one target for all of it."""
        return self.at is None and len(self.targets) == 1 and self.targets[0][1] > 1 - _ROUNDING

    def ahead(self, price: float) -> bool:
        """Whether `price` lies between the stop and every target."""
        up = 1 if self.side == "long" else -1
        return up * self.stop < up * price and all(up * price < up * target for target, _ in self.targets)


def make_plan(
    side: str,
    stop: float | None,
    target: float | None = None,
    targets: Sequence[Target] | None = None,
    at: float | None = None,
    expires: str | None = None,
) -> Plan:
    """The arguments of `enter`, checked; `LiqstratError` names the one that is wrong."""
    if side not in ("long", "short"):
        _wrong(f'side is {side!r}, expected "long" or "short"')
    if stop is None:
        _wrong("stop is missing, expected a price: an entry has a stop, which its size follows from")
    if target is not None and targets is not None:
        _wrong("target and targets are both given, expected one of them")
    _price("stop", stop)
    if target is not None:
        targets = [(_price("target", target), 1.0)]
    if at is not None:
        _price("at", at)
    if expires is not None and at is None:
        _wrong("expires is given without at: an order at the market does not wait")
    wait = None if expires is None else _duration(expires)
    return Plan(cast(Side, side), float(stop), _shares(targets or (), side), at, wait)


def in_steps(total: int, weights: Sequence[float]) -> list[int]:
    """`total` steps in whole ones by weight, which add up to it; what rounding leaves goes where most is missing."""
    whole = sum(weights)
    exact = [total * weight / whole for weight in weights]
    parts = [floor(part + _ROUNDING) for part in exact]
    missing = sorted(range(len(weights)), key=lambda number: parts[number] - exact[number])
    for number in missing[: total - sum(parts)]:
        parts[number] += 1
    return parts


def _shares(targets: Sequence[Target], side: str) -> tuple[Target, ...]:
    """The targets, nearest first."""
    for one in targets:
        if not isinstance(one, Sequence) or len(one) != 2:
            _wrong(f"targets has {one!r}, expected pairs of a price and a share, such as (61_000, 0.5)")
        _price("targets", one[0])
        if not 0 < one[1] <= 1:
            _wrong(f"targets has the share {one[1]!r}, expected one above 0 and up to 1")
    if (total := sum(share for _, share in targets)) > 1 + _ROUNDING:
        _wrong(f"targets has shares that add up to {total:.10g}, expected at most 1")
    return tuple(sorted(((float(price), float(share)) for price, share in targets), reverse=side == "short"))


def _price(name: str, price: float) -> float:
    if isinstance(price, bool) or not isinstance(price, Real) or not isfinite(price) or price <= 0:
        _wrong(f"{name} is {price!r}, expected a price above 0 (USDT)")
    return float(price)


def _duration(text: str) -> int:
    try:
        return nanoseconds_of(text)
    except ValueError as error:
        _wrong(f"expires is {error}")


def _wrong(what: str) -> Never:
    raise LiqstratError(f"enter: {what}")
