"""Size classes: positions of one notional bracket, which share a highest leverage and a maintenance margin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.liquidations import Liquidations

#: Classes with fewer than this many liquidations, or this share of them, are joined to the one below.
_FEWEST, _SMALLEST = 30, 0.01
#: A book of this name gets the one bracket it is given, and none that is shipped.
BOOK = "ONE BRACKET"


@dataclass(frozen=True, eq=False)
class SizeClass:
    """Positions of a notional above `floor`, up to the next class; `table` has the one bracket that they are in.

    `capped[effective, chosen]` is 1 where those who choose tier `chosen` get tier `effective`.
    """

    floor: float
    table: BracketTable
    capped: Floats


def size_classes(liquidations: Liquidations, tiers: Ints, brackets: BracketTable) -> list[SizeClass]:
    """The brackets in which enough was liquidated, lowest first; without any liquidation the lowest two."""
    notional = liquidations.contracts * brackets.contract.held(liquidations.price)
    bracket = brackets.index_of(notional)
    counts = np.bincount(bracket, minlength=2) if len(notional) else np.array([_FEWEST, _FEWEST])
    above = np.cumsum(counts[::-1])[::-1]
    top = max(int(np.flatnonzero(above >= max(_FEWEST, _SMALLEST * counts.sum())).max(initial=0)), 0)
    return [_size_class(i, notional[np.minimum(bracket, top) == i], tiers, brackets) for i in range(top + 1)]


def _size_class(number: int, notional: Floats, tiers: Ints, brackets: BracketTable) -> SizeClass:
    floor = float(brackets.floors[number])
    usual = float(np.exp(np.log(notional).mean())) if len(notional) else max(2 * floor, float(brackets.caps[0]) / 2)
    allowed = max(int(np.searchsorted(tiers, brackets.max_leverage[number], side="right")) - 1, 0)
    capped = np.zeros((len(tiers), len(tiers)))
    capped[np.minimum(np.arange(len(tiers)), allowed), np.arange(len(tiers))] = 1.0
    return SizeClass(floor, _alone(brackets, number, usual), capped)


def _alone(brackets: BracketTable, number: int, notional: float) -> BracketTable:
    """A table of one bracket whose middle, as the book reckons it, is `notional`."""
    return BracketTable(
        symbol=BOOK,
        as_of=brackets.as_of,
        floors=np.zeros(1),
        caps=np.array([2 * notional]),
        rates=brackets.rates[number : number + 1],
        amounts=brackets.amounts[number : number + 1],
        max_leverage=np.array([150]),
        contract=brackets.contract,
    )


def class_of(classes: Sequence[SizeClass], price: Floats, contracts: Floats) -> Ints:
    """The class of each position."""
    floors = np.array([one.floor for one in classes])
    notional: Floats = contracts * classes[0].table.contract.held(price)
    return np.maximum(np.searchsorted(floors, notional, side="left") - 1, 0)
