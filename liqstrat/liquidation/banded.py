"""A book with others of other settings beside it, whose maps tell how uncertain they are.

Where books differ the map is uncertain, and positions come in lumps (`lumps`). How much of that law a band must hold is
learnt by conformal prediction: of each interval in which price ran through something it is noted how far out, in the
law of what books expected there, the contracts lie that were liquidated. The band holds as much of the law as would
have held nine of ten of these, and no less than nine tenths of it: what is far from price is harder to know than what
price comes to, so that the latter can tell that a band must be wider, but not that it may be narrower.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from statistics import NormalDist

import numpy as np

from liqstrat.liquidation.band import LEVEL, others, wider
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.lumps import Band, chance
from liqstrat.liquidation.map import LiquidationMap, Profile
from liqstrat.liquidation.model import NOTHING, Consumed, Saved, Since
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.moments import HOUR_NS

#: Standard deviations of a normal law within which nine of ten lie.
_NINE_OF_TEN = NormalDist().inv_cdf((1 + LEVEL) / 2)
#: Fewer liquidations on record do not tell how large positions are, which is then taken to be a share of open interest.
FEWEST_LUMPS, _USUAL_LUMP = 30, 0.0005
#: A record with less than this share of what was expected leaves too much out to learn from.
_LEAST_SHARE = 0.15
#: Less than this part of a lump is hardly anything to be wrong about.
_HARDLY = 0.3
#: Intervals as the law has them that are believed in before there are others.
_BELIEVED = 50
#: However far off books were, there is some law.
_MOST_OUT = 3.5


class BandedBook:
    """A liquidation book whose maps have a band, see `LiquidationModel` and the module.

    record: liquidations that were known by `until_ns` (nanoseconds); of steps that end later nothing is learnt. Those
    of before the first step count for nothing either.
    """

    def __init__(
        self,
        settings: ModelSettings,
        symbol: str,
        loaded: Sequence[BracketTable] = (),
        record: Liquidations | None = None,
        until_ns: int = 0,
    ) -> None:
        self.settings, self.symbol = settings, symbol
        #: That of the map first.
        self._books = [LiquidationBook(one, symbol, loaded) for one in [settings, *others(settings)]]
        self._book = self._books[0]
        self.tiers = self._book.tiers
        self._until_ns = until_ns if record is not None else 0
        self._record = record
        #: Count, sum and sum of squares of single liquidations so far, contracts.
        self._sizes = np.zeros(3)
        #: Of each interval and side in which price reached something: its end, contracts liquidated, contracts expected
        #: by each book.
        self._reached: list[Floats] = []
        self._learnt: tuple[int, float] | None = None

    @property
    def open_interest(self) -> float:
        """Contracts, at the last step."""
        return self._book.open_interest

    @property
    def price(self) -> float:
        """USDT, the last one of the last step with trades; NaN before the first."""
        return self._book.price

    @property
    def time_ns(self) -> int:
        """End of the last step, 0 before the first."""
        return self._book.time_ns

    @property
    def seeded_share(self) -> float:
        """Of the book."""
        return self._book.seeded_share

    @property
    def lump(self) -> float:
        """Contracts of the position that a contract usually belongs to, by single liquidations, which are smaller."""
        count, contracts, squares = self._sizes.tolist()
        return squares / contracts if count >= FEWEST_LUMPS else _USUAL_LUMP * self.open_interest

    def brackets(self, time_ns: int) -> BracketTable:
        """The bracket table in force at `time_ns`."""
        return self._book.brackets(time_ns)

    def reaches(self, low: float, high: float) -> bool:
        """Whether prices from `low` to `high` may run through something of the map."""
        return self._book.reaches(low, high)

    def profile(self, span: float) -> Profile:
        """That of the map."""
        return self._book.profile(span)

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Work one interval with all books, and learn from what was liquidated in it."""
        since_ns = self.time_ns
        consumed = [book.step(flow, open_interest) for book in self._books]
        if 0 < since_ns < flow.end_ns <= self._until_ns:
            self._learn(consumed, since_ns, flow.end_ns)
        return consumed[0]

    def saved(self) -> Saved:
        """All that was learnt, see `LiquidationModel.saved`."""
        books = enumerate(self._books)
        kept = {f"{number}_{name}": values for number, book in books for name, values in book.saved().items()}
        reached = np.array(self._reached).reshape(-1, 2 + len(self._books))
        return {**kept, "sizes": self._sizes.copy(), "reached": reached}

    def restore(self, saved: Saved) -> None:
        """Become what was saved."""
        for number, book in enumerate(self._books):
            prefix = f"{number}_"
            book.restore({name.removeprefix(prefix): saved[name] for name in saved if name.startswith(prefix)})
        self._sizes, self._reached = saved["sizes"].copy(), list(saved["reached"])
        self._learnt = None

    def map(self, since: Since = NOTHING, *, span: float | None = None) -> LiquidationMap:
        """The book's, with its band."""
        levels = self._book.map(since, span=span)
        if isnan(self.price):
            return levels
        expected = np.stack([_on(levels, book.profile(None)) for book in self._books])
        if not isnan(since.low):
            # What price ran through since is gone from all of them; of a bin that it is in, the same part.
            whole, left = expected[0], np.stack([levels.longs.sum(axis=0), levels.shorts.sum(axis=0)])
            expected *= np.divide(left, whole, out=np.zeros_like(whole), where=whole > 0)
        known = int(self._sizes[0]), len(self._reached)
        band = Band(levels.first_bin, levels.width, wider(expected), self.lump, self._out(), *known)
        return replace(levels, band=band)

    def _learn(self, consumed: Sequence[Consumed], since_ns: int, end_ns: int) -> None:
        record = self._record
        assert record is not None
        rows = slice(*np.searchsorted(record.time_ns, [since_ns, end_ns]).tolist())
        contracts, long = record.contracts[rows], record.long[rows]
        self._sizes += len(contracts), contracts.sum(), (contracts**2).sum()
        for side, of in ((True, "longs"), (False, "shorts")):
            expected = np.array([getattr(one, of).sum() for one in consumed])
            if expected.mean() > _HARDLY * self.lump:
                self._reached.append(np.array([end_ns, contracts[long == side].sum(), *expected]))

    def _out(self) -> float:
        """See `Band.out`; by what was reached before this hour."""
        hour = self.time_ns // HOUR_NS
        if self._learnt is None or self._learnt[0] != hour:
            self._learnt = hour, self._learn_out(hour * HOUR_NS)
        return self._learnt[1]

    def _learn_out(self, before_ns: int) -> float:
        """How far out nine of ten lie."""
        believed = np.abs(_normal((np.arange(_BELIEVED) + 0.5) / _BELIEVED))
        seen = np.array([one for one in self._reached if one[0] <= before_ns]).reshape(-1, 2 + len(self._books))
        liquidated, expected = seen[:, 1], wider(seen[:, 2:].T)
        if liquidated.sum() < _LEAST_SHARE * seen[:, 2].sum():
            liquidated, expected = liquidated[:0], expected[:, :0]
        found = np.abs(_normal(chance(liquidated, expected, self.lump)))
        out = float(np.quantile(np.concatenate([believed, found]), LEVEL))
        return min(max(out, _NINE_OF_TEN), _MOST_OUT)


def _normal(chances: Floats) -> Floats:
    """Standard deviations from the middle of a normal law, within what it is told to."""
    from scipy.special import ndtri

    found: Floats = ndtri(np.clip(chances, 1e-6, 1 - 1e-6))
    return found


def _on(levels: LiquidationMap, profile: Profile) -> Floats:
    """A book's contracts on the bins of a map, `[side, bin]`."""
    bins = levels.longs.shape[1]
    found = np.zeros((2, bins))
    theirs = profile.first_bin + len(profile.longs)
    low, high = max(levels.first_bin, profile.first_bin), min(levels.first_bin + bins, theirs)
    if high > low:
        part = slice(low - profile.first_bin, high - profile.first_bin)
        found[:, low - levels.first_bin : high - levels.first_bin] = profile.longs[part], profile.shorts[part]
    return found
