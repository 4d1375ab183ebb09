"""Liquidation levels as a Nautilus indicator: fed with trades or bars and open interest, asked for clusters."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf, isfinite, isnan, nan
from typing import Any

from nautilus_trader.model import Bar, QuoteTick, TradeTick

from liqstrat.backtest.levels.interval import BarInterval, Interval, TradeInterval, Trades
from liqstrat.backtest.levels.steps import LiveSteps, Steps
from liqstrat.liquidation.clusters import Cluster, Clusters, find_clusters
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import LiquidationModel, Since
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.signals import Signal, SignalRules, Swept, signals
from liqstrat.moments import MINUTE_NS


class LiquidationLevels:
    """Where open positions of one symbol would be liquidated, as far as it can be known at any time.

    Follows Nautilus's indicator protocol. It hears of every trade (or bar), keeps the liquidation book, and closes an
    interval of it when open interest becomes known (`handle_open_interest`); in between, levels that price has run
    through are left out. Several strategies may share one.

    span: fraction of price, on either side, within which clusters are looked for.
    interval: gathers what trades between two values of open interest (default: the single trades handed in).
    recent_minutes: how long a cluster that was run through stays in `consumed`.
    """

    #: The clusters as the interval began, less what was run through since; None as long as nobody had to know.
    _found: Clusters | None
    #: Of these, the ones whose densest price has not been reached.
    _standing: Sequence[Cluster]

    def __init__(
        self,
        settings: ModelSettings,
        symbol: str,
        *,
        span: float = 0.2,
        interval: Interval | None = None,
        recent_minutes: int = 120,
    ) -> None:
        self.symbol = symbol
        self.settings = settings
        self.span = span
        self._recent_ns = recent_minutes * MINUTE_NS
        self._interval: Interval = interval or TradeInterval()
        #: Say that all market data stamped up to and at a moment (nanoseconds) has arrived.
        self.settle: Callable[[int], None] = self._interval.settle
        # Straight to list.append where these are wanted: they run once a trade or bar.
        self.handle_trade_tick: Callable[[TradeTick], None] = _ignore
        self.handle_bar: Callable[[Bar], None] = _ignore
        if isinstance(self._interval, TradeInterval):
            self.handle_trade_tick = self._interval.receive
        elif isinstance(self._interval, BarInterval):
            self.handle_bar = self._interval.receive
        #: Tell of open interest that has become known; nothing where `handle_open_interest` is called for each value.
        self._told: Callable[[], None] = _nothing
        self.reset()

    @property
    def name(self) -> str:
        return f"LiquidationLevels({self.symbol})"

    @property
    def initialized(self) -> bool:
        """Whether there is a map: open interest is known, and a price."""
        self._told()
        return self._initialized

    @property
    def known_at(self) -> int:
        """When open interest was last known (nanoseconds, UTC): what the map is made of. 0 before the first."""
        self._told()
        return self._known_at

    @property
    def swept_lately(self) -> bool:
        """Whether a cluster is remembered that price ran through; nobody looks for that."""
        return bool(self._swept)

    @property
    def has_inputs(self) -> bool:
        return not isnan(self.price)

    def reset(self) -> None:
        """Forget everything."""
        self._steps: Steps = LiveSteps(new_model(self.settings, self.symbol), self.span)
        self._interval.clear()
        self._swept: list[Swept] = []
        self._begin_interval()

    def warm_up(self, book: LiquidationModel, since: Trades | None = None) -> None:
        """Start from a book stepped through history, and the trades between its last step and now."""
        self.go_on(LiveSteps(book, self.span), since)

    def go_on(self, steps: Steps, since: Trades | None = None) -> None:
        """Start from where `steps` are, and the trades between the last of them and now."""
        self.reset()
        self._steps = steps
        if since is not None:
            self._interval.put_before(since)
        self._begin_interval()

    def follow(self, told: Callable[[], None], settle: Callable[[int], None]) -> None:
        """Have `told` called whenever somebody looks: it tells of open interest, in place of who hears of it."""
        self._told, self.settle = told, settle

    def look(self) -> None:
        """Notice what has traded, and which clusters that ran through."""
        self._look()

    def handle_quote_tick(self, quote: QuoteTick) -> None:
        """Quotes say nothing about positions."""

    def handle_open_interest(self, contracts: float, time_ns: int) -> None:
        """Close the interval that ends at `time_ns` with `contracts` open; trades at `time_ns` belong to the next.

        A value that is not later than the last one says nothing new and changes nothing.
        """
        if time_ns <= self._known_at:
            return
        oldest = time_ns - self._recent_ns
        self._swept = [swept for swept in self.consumed if swept.time_ns >= oldest]
        self._steps.advance(self._interval, contracts, time_ns)
        self._begin_interval()

    def pass_over(self, count: int, contracts: float, time_ns: int) -> None:
        """Go on by several values of open interest, the last of which is `contracts` at `time_ns`.

        Only where steps are kept, no cluster was run through lately, and none is before the last one becomes known.
        """
        self._steps.advance(self._interval, contracts, time_ns, count)  # type: ignore[call-arg]
        self._begin_interval()

    @property
    def price(self) -> float:
        """The last price, USDT; NaN before the first trade."""
        self._look()
        last = self._interval.last
        return self._steps.price if isnan(last) else last

    @property
    def price_time_ns(self) -> int:
        """When something last traded (nanoseconds, UTC); with bars, when the last one that traded closed."""
        self._look()
        return self._interval.time_ns or self._steps.time_ns

    @property
    def open_interest(self) -> float:
        """Contracts open (base asset) as last known; NaN before the first value."""
        self._told()
        return self._steps.open_interest or nan

    @property
    def seeded_share(self) -> float:
        """Part of the map that was open when history began: where it stands is a guess."""
        self._told()
        return self._steps.seeded_share

    def map(self, span: float | None = None, now_ns: int | None = None) -> LiquidationMap:
        """The map now, less what price has run through since open interest was last known; see `LiquidationModel.map`
        for `span`. It is stamped with `now_ns`, or with when open interest was last known."""
        self._look()
        return self.seen(span, now_ns)

    def seen(self, span: float | None = None, now_ns: int | None = None) -> LiquidationMap:
        """The map as it was when somebody looked last. To look changes when clusters count as run through, so who only
        watches a strategy must not do it."""
        low, high, last = self._interval.low, self._interval.high, self._interval.last
        reached = (low, high) if isfinite(low) else (nan, nan)
        return self._steps.map(Since(now_ns, *reached, self._steps.price if isnan(last) else last), span)

    def clusters(self) -> Clusters:
        """The clusters now, nearest to price first. Their `distance` is from the price at which they were found."""
        self._look()
        found = self._found_at_first() if self._found is None else self._found
        if self._ran_into_one(found):
            self._found = found = find_clusters(self.map(self.span), span=self.span)
            self._found_low, self._found_high = self._interval.low, self._interval.high
        return found

    def above(self, price: float | None = None) -> Cluster | None:
        """The nearest cluster above `price` (default: the last), with its distance from there."""
        return self._nearest(price, above=True)

    def below(self, price: float | None = None) -> Cluster | None:
        """The nearest cluster below `price` (default: the last), with its distance from there."""
        return self._nearest(price, above=False)

    @property
    def consumed(self) -> list[Swept]:
        """Clusters that price ran through lately, the latest last."""
        self._look()
        low, high = self._interval.low, self._interval.high
        return [swept.reaching(low, high) for swept in self._swept] if self._swept else []

    def signals(self, rules: SignalRules, now_ns: int) -> list[Signal]:
        """What the levels say now, the strongest first; see `liqstrat.liquidation.signals`."""
        return signals(rules, self.price, self.clusters(), self.consumed, now_ns)

    def _begin_interval(self) -> None:
        self._known_at = self._steps.time_ns
        self._initialized = self._steps.open_interest > 0
        self._found_low, self._found_high = inf, -inf
        self._found, self._knows_hearts = None, False

    def _found_at_first(self) -> Clusters:
        """Find the clusters as the interval began: the book has not changed since."""
        found = self._steps.clusters()
        self._found = self._standing = found
        self._next_long, self._next_short, self._knows_hearts = found.next_long, found.next_short, True
        return found

    def _look(self) -> None:
        """Notice new trades, and which clusters of the last map they reached the heart of.

        The nearest on each side that still stand tell when to look closer.
        """
        self._told()
        if not self._interval.look():
            return
        low, high = self._interval.low, self._interval.high
        if not self._knows_hearts:
            # Where the nearest hearts are is known much sooner than all clusters.
            self._next_long, self._next_short = self._steps.hearts()
            self._knows_hearts = True
        if low > self._next_long and high < self._next_short:
            return
        if self._found is None:
            self._found_at_first()
        swept = [c for c in self._standing if (c.price >= low if c.side == "long" else c.price <= high)]
        now = self._interval.time_ns
        self._swept += [Swept(c, now, low if c.side == "long" else high) for c in swept]
        self._standing = [cluster for cluster in self._standing if cluster not in swept]
        self._next_long = max((c.price for c in self._standing if c.side == "long"), default=-inf)
        self._next_short = min((c.price for c in self._standing if c.side == "short"), default=inf)

    def _ran_into_one(self, found: Clusters) -> bool:
        """Whether lows or highs since the clusters were found took something out of them."""
        low, high = self._interval.low, self._interval.high
        if low >= self._found_low and high <= self._found_high:
            return False
        return any(
            low < min(c.price_high, self._found_low) if c.side == "long" else high > max(c.price_low, self._found_high)
            for c in found
        )

    def _nearest(self, price: float | None, *, above: bool) -> Cluster | None:
        origin = self.price if price is None else price
        found = self.clusters()
        prices = found.prices
        there = [at for at, there in enumerate(prices) if (there > origin if above else there < origin)]
        if not there:
            return None
        nearest = found[min(there, key=lambda at: abs(prices[at] - origin))]
        return replace(nearest, distance=nearest.price / origin - 1)


def _ignore(data: Any) -> None:
    """What the levels do not live on."""


def _nothing() -> None:
    """Where open interest is told of as it comes."""
