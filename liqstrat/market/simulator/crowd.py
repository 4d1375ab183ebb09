"""The agents of a simulated market: who comes, on which side, how large, with how much leverage and patience."""

import math

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.price import liquidation_price
from liqstrat.market.simulator.positions import POSITION, Floats, Ints, Newcomers, at_rest
from liqstrat.market.simulator.price import DAY_MS, Move
from liqstrat.market.simulator.settings import Listing, SimulationSettings

_SENTIMENT_HOURS = 10.0
_PREMIUM_HOURS = 8.0
#: How strongly openings answer to an open interest away from its usual amount.
_CALLING = 3.0
#: Who takes more leverage holds for a shorter time, by the root of it; at this one as long as the settings say.
_USUAL_LEVERAGE = 10.0

_NONE = Newcomers(np.zeros(0, dtype=POSITION), np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_), np.empty(0))


class Crowd:
    """Draws the decisions of agents. Amounts are in lots (quantity steps)."""

    def __init__(
        self, listing: Listing, settings: SimulationSettings, brackets: BracketTable, rng: np.random.Generator
    ) -> None:
        self._listing, self._settings, self._brackets, self._rng = listing, settings, brackets, rng
        self.usual_lots = round(listing.open_interest / listing.price / listing.step)
        mean = self.usual_lots / settings.positions
        self._typical = math.log(mean) - settings.size_spread**2 / 2
        self._largest = max(1, round(settings.largest * self.usual_lots))
        self._mean = max(mean, 1.0)
        self.take_leverage(settings.leverage)
        self._patience_ms = np.array([h.mean_hours * 3_600_000 for h in settings.holders])
        self._patience_bounds = np.cumsum([h.share for h in settings.holders])[:-1]
        self._sentiment = 0.0
        self._leaning = 0.0

    def take_leverage(self, shares: tuple[tuple[int, float], ...]) -> None:
        """From now on agents open with these shares of leverage."""
        self._tiers = np.array([tier for tier, _ in shares])
        self._tier_bounds = np.cumsum([share for _, share in shares])[:-1]

    @property
    def premium(self) -> float:
        """How much of the last hours' demand was for longs, more than half: from -0.5 to 0.5."""
        return self._leaning

    def demand(self, move: Move, momentum: float, open_lots: int) -> tuple[Ints, Ints]:
        """Sides (+1, -1) and lots of those who come to open of their own accord in this step."""
        settings, rng, seconds = self._settings, self._rng, move.length_ms / 1000
        kept = math.exp(-seconds / (_SENTIMENT_HOURS * 3600))
        self._sentiment *= kept
        self._sentiment += settings.sentiment * math.sqrt(1 - kept**2) * rng.standard_normal()
        lean = min(max(settings.momentum * math.tanh(momentum) + self._sentiment, -0.4), 0.4)
        self._leaning += (lean - self._leaning) * -math.expm1(-seconds / (_PREMIUM_HOURS * 3600))
        called = math.exp(_CALLING * (1 - open_lots / self.usual_lots)) * move.activity
        expected = settings.openings * settings.positions * move.length_ms / DAY_MS * min(called, 20.0)
        count = rng.poisson(expected)
        return np.where(rng.random(count) < 0.5 + lean, 1, -1), self._sizes(count)

    def counterparties(self, surplus: int) -> tuple[Ints, Ints]:
        """Sides and lots of those who open against a `surplus` of buying (positive) or selling: exactly as much."""
        missing = abs(surplus)
        if not missing:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        sizes = self._sizes(4 + int(2 * missing / self._mean))
        while sizes.sum() < missing:
            sizes = np.concatenate((sizes, self._sizes(2 * len(sizes))))
        reached = np.cumsum(sizes)
        last = int(np.searchsorted(reached, missing))
        sizes = sizes[: last + 1]
        sizes[-1] -= reached[last] - missing
        return np.full(last + 1, -1 if surplus > 0 else 1), sizes

    def newcomers(self, side: Ints, lots: Ints, move: Move) -> Newcomers:
        """Positions of `side` and `lots` that open at the close of `move`, with their leverage and plans."""
        count, entry = len(side), move.close
        if not count:
            return _NONE
        notional = lots * self._listing.step * entry * self._listing.tick
        tier = self._tiers[np.searchsorted(self._tier_bounds, self._rng.random(count), side="right")]
        leverage = np.minimum(tier, self._brackets.max_leverage[self._brackets.index_of(notional)])
        price = entry * self._listing.tick
        liquidation = liquidation_price(price, leverage, lots * self._listing.step, side, self._brackets)
        records = np.zeros(count, dtype=POSITION)
        records["side"], records["lots"], records["entry"] = side, lots, entry
        records["leverage"], records["liquidation"] = leverage, liquidation
        records["opened"] = at_rest(move, count, self._rng)
        return self._with_plans(records)

    def _sizes(self, count: int) -> Ints:
        drawn = self._rng.lognormal(self._typical, self._settings.size_spread, count)
        return np.clip(np.rint(drawn), 1, self._largest).astype(np.int64)

    def _with_plans(self, records: npt.NDArray[np.void]) -> Newcomers:
        settings, rng, count = self._settings, self._rng, len(records)
        side, entry = records["side"].astype(np.float64), records["entry"].astype(np.float64)
        # Price reaches a liquidation price when it trades there or beyond: the next tick outwards.
        burns = -side * np.ceil(-side * records["liquidation"] / self._listing.tick - 1e-6)
        room = np.minimum(np.abs(entry - burns), settings.reach * entry)
        chance = rng.random((5, count))
        stop = entry - side * np.maximum(np.rint(room * _between(settings.stop_range, chance[0])), 2)
        protected = (chance[1] < settings.stop_share) & ((stop - burns) * side > 0)
        losing = np.where(protected, stop, burns)
        gain = np.maximum(np.rint(room * _between(settings.target_range, chance[2])), 2)
        winning = entry + side * np.where(chance[3] < settings.target_share, gain, np.inf)
        patience = self._patience_ms[np.searchsorted(self._patience_bounds, chance[4], side="right")]
        patience = patience * np.sqrt(_USUAL_LEVERAGE / records["leverage"])
        return Newcomers(
            records,
            lower=np.minimum(losing, winning),
            upper=np.maximum(losing, winning),
            protected=protected,
            expires=records["opened"] + patience * rng.standard_exponential(count),
        )


def _between(bounds: tuple[float, float], share: Floats) -> Floats:
    return bounds[0] + (bounds[1] - bounds[0]) * share
