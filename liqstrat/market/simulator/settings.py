"""What can be chosen about a simulated market, and what it trades."""

from dataclasses import asdict, dataclass
from typing import Any

#: Shares of opened positions by leverage, before the cap of their notional's bracket.
DEFAULT_LEVERAGE: tuple[tuple[int, float], ...] = (
    (3, 0.08),
    (5, 0.16),
    (10, 0.31),
    (20, 0.21),
    (25, 0.06),
    (50, 0.10),
    (75, 0.02),
    (100, 0.04),
    (125, 0.02),
)


@dataclass(frozen=True)
class Listing:
    """What is traded: first price and price tick in USDT, quantity step in contracts (both as powers of ten),
    and the usual open interest in USDT."""

    price: float
    price_decimals: int
    quantity_decimals: int
    open_interest: float

    @property
    def tick(self) -> float:
        return 10.0**-self.price_decimals

    @property
    def step(self) -> float:
        return 10.0**-self.quantity_decimals


_LISTINGS = {
    "BTCUSDT": Listing(62_000, 1, 3, 1_240_000_000),
    "ETHUSDT": Listing(3_400, 2, 3, 800_000_000),
    "SOLUSDT": Listing(130, 3, 0, 300_000_000),
}
_GENERIC = Listing(10, 4, 1, 60_000_000)


def listing_of(symbol: str) -> Listing:
    """The terms of `symbol`, as in March 2024; generic ones for a symbol that has none of its own."""
    return _LISTINGS.get(symbol, _GENERIC)


@dataclass(frozen=True)
class Holders:
    """A group of agents: its share of those who open, and how long they hold on average if nothing intervenes."""

    name: str
    share: float
    mean_hours: float


DEFAULT_HOLDERS = (Holders("scalper", 0.2, 4), Holders("swing", 0.45, 48), Holders("holder", 0.35, 240))


@dataclass(frozen=True, kw_only=True)
class SimulationSettings:
    """The behaviour of a simulated market. Amounts are relative to the usual open interest, so that the same
    settings make a large market and a small one.

    Who is there:
      positions: open positions a side that make up the usual open interest
      size_spread: standard deviation of the logarithm of their sizes; largest: the largest, as a share of open interest
      leverage: shares of openings by leverage; holders: shares of openings by patience
      openings: contracts opened a day by those who come on their own, per contract of open interest; as many
        are opened or closed by those who take the other side
    How they behave:
      opener_takes, closer_takes: probability that who opens (closes by own decision) is the taker of the trade
      target_share, stop_share: shares that take profit, that have a stop; their distances are drawn evenly from
        target_range, stop_range, in units of the distance to liquidation or `reach`, whichever is smaller
      momentum, sentiment: how far demand leans to one side with recent returns, and by moods of its own
      absorbed: share of surplus flow taken by profitable holders of the other side who close, the rest opens
    How price moves (log price):
      volatility: a day's standard deviation of news, without what flow adds
      activity_spread: how much volatility and volume wander (standard deviation of the logarithm)
      trend, range_pull: drift a day of trends; pull a day to the anchor of ranges; mood_hours: how long each
        lasts; trend_share: how often it is a trend
      shocks, shock_size: number a day and standard deviation of sudden news
      home_pull: pull a day to the first price, which keeps a long simulation near it
      impact: move per open interest traded one way by agents; impact_seconds: how fast it is felt
      rebound, rebound_minutes: share of the impact that comes back, and how fast
    An edge, planted for tests of what looks for one (none by default):
      planted: how far price comes back after a cascade, in logarithm: 0.006 is 0.6 % up after longs were liquidated
      planted_after: what a cascade is: so much of the usual open interest liquidated on one side, net of the other,
        with older liquidations forgotten over planted_within minutes; then the count begins anew
      planted_minutes: how fast it comes back (e-folding)
    Market makers:
      churn: contracts a day they trade among themselves, per contract of open interest
      trades: into about how many aggregated trades a day that goes; those of agents come on top
    Mechanics: step_seconds of a step of the market; warmup_days of it run at warmup_step_seconds before the first
    day that is written, so that positions of all ages exist.
    """

    positions: int = 10_000
    size_spread: float = 1.9
    largest: float = 0.004
    leverage: tuple[tuple[int, float], ...] = DEFAULT_LEVERAGE
    holders: tuple[Holders, ...] = DEFAULT_HOLDERS
    openings: float = 0.25

    opener_takes: float = 0.65
    closer_takes: float = 0.5
    target_share: float = 0.6
    target_range: tuple[float, float] = (0.4, 2.5)
    stop_share: float = 0.75
    stop_range: tuple[float, float] = (0.3, 0.9)
    reach: float = 0.12
    momentum: float = 0.1
    sentiment: float = 0.05
    absorbed: float = 0.3

    volatility: float = 0.021
    activity_spread: float = 0.32
    trend: float = 0.03
    trend_share: float = 0.45
    range_pull: float = 6.0
    mood_hours: float = 9.0
    shocks: float = 2.0
    shock_size: float = 0.008
    home_pull: float = 0.1
    impact: float = 0.04
    impact_seconds: float = 45.0
    rebound: float = 0.5
    rebound_minutes: float = 40.0

    planted: float = 0.0
    planted_after: float = 0.001
    planted_within: float = 10.0
    planted_minutes: float = 20.0

    churn: float = 1.75
    trades: int = 150_000

    step_seconds: int = 10
    warmup_days: int = 15
    warmup_step_seconds: int = 100

    def __post_init__(self) -> None:
        for name, shares in (("leverage", [s for _, s in self.leverage]), ("holders", [h.share for h in self.holders])):
            if not shares or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
                raise ValueError(f"{name} has shares {shares}, expected shares of zero or more that sum to 1")
        if any(not 1 <= tier <= 150 for tier, _ in self.leverage):
            raise ValueError(f"leverage is {self.leverage}, expected whole numbers from 1 to 150")
        for name in ("step_seconds", "warmup_step_seconds"):
            seconds = getattr(self, name)
            if not 1 <= seconds <= 300 or 300 % seconds:
                raise ValueError(f"{name} is {seconds}, expected a divisor of 300")
        for name in ("opener_takes", "closer_takes", "target_share", "stop_share", "absorbed", "rebound"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a probability")
        for name in ("planted_after", "planted_within", "planted_minutes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a number above 0")
        if self.positions < 10 or self.trades < 1:
            raise ValueError(f"positions is {self.positions}, trades is {self.trades}, expected at least 10 and 1")

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the parameters that travel with the data."""
        return asdict(self)
