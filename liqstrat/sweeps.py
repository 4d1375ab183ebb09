"""What stood at a moment and what had been run through lately, out of DuckDB: what a strategy would have known then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isnan

from liqstrat.liquidation.clusters import Cluster, Clusters, find_clusters
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.signals import Signal, SignalRules, Swept, signals
from liqstrat.maps import map_known_at, require_history
from liqstrat.market.flow import flows, reached_since
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.moments import at_ns, nanoseconds
from liqstrat.progress import SILENT, Progress

#: How long a cluster that was run through is remembered, and fraction of price within which clusters are looked for:
#: as the levels of a replay do by default.
REMEMBERED = timedelta(hours=2)
SPAN = 0.2


@dataclass(frozen=True, eq=False)
class Standing:
    """The levels at a moment. map: all of it. clusters: where it is dense, nearest to price first. consumed: the
    clusters that price ran through in the two hours before, the latest last."""

    map: LiquidationMap
    clusters: Clusters
    consumed: Sequence[Swept]

    def signals(self, rules: SignalRules) -> list[Signal]:
        """What they say, the strongest first."""
        return signals(rules, self.map.price, self.clusters, self.consumed, self.map.time_ns)


def standing_at(
    store: Store, symbol: str, moment: datetime, settings: ModelSettings, warmup: timedelta, progress: Progress = SILENT
) -> Standing:
    """The levels of a symbol at `moment`: nothing that happened at or after is in them.

    The book is filled with up to `warmup` of history before. Raises `LiqstratError` where there is no open interest.
    """
    require_history(store, symbol, moment, warmup)
    settings = with_bin_width(store, symbol, settings, moment)
    book = new_model(settings, symbol, store.brackets(symbol))
    sweeps, oldest = Sweeps(lambda *swept: _when(store, symbol, *swept)), nanoseconds(moment - REMEMBERED)
    for flow, open_interest in flows(store, symbol, moment - warmup, moment, settings, progress):
        if flow.end_ns >= oldest:
            sweeps.run_through(flow.start_ns, flow.end_ns, flow.low, flow.high)
        book.step(flow, open_interest)
        if flow.end_ns >= oldest:
            sweeps.standing = list(find_clusters(book.map(span=SPAN), span=SPAN))
    known = map_known_at(store, book, moment, SPAN)
    if book.time_ns < known.time_ns:
        since = reached_since(store, symbol, at_ns(book.time_ns), moment)
        sweeps.run_through(book.time_ns, known.time_ns, since.low, since.high)
    recent = [one for one in sweeps.consumed if one.time_ns >= oldest]
    return Standing(known, find_clusters(known, span=SPAN), recent)


@dataclass(eq=False)
class Sweeps:
    """Follows which clusters of the last map price reached the heart of, and how far it went since.

    when: of a cluster that was reached in an interval (nanoseconds), the moment; by default the interval's end.
    standing: the clusters now, to be set after each map. consumed: those that were reached, the latest last.
    """

    when: Callable[[Cluster, int, int], int] = lambda cluster, start_ns, end_ns: end_ns
    standing: list[Cluster] = field(default_factory=list)
    consumed: list[Swept] = field(default_factory=list)

    def run_through(self, start_ns: int, end_ns: int, low: float, high: float) -> None:
        """Price went from `low` to `high` in `[start_ns, end_ns)`; NaN where nothing traded."""
        if isnan(low):
            return
        self.consumed = [one.reaching(low, high) for one in self.consumed]
        reached = [one for one in self.standing if (one.price >= low if one.side == "long" else one.price <= high)]
        found = [Swept(one, self.when(one, start_ns, end_ns), low if one.side == "long" else high) for one in reached]
        self.consumed += sorted(found, key=lambda one: one.time_ns)


def _when(store: Store, symbol: str, cluster: Cluster, start_ns: int, end_ns: int) -> int:
    """When price first came to the heart of a cluster; where there are no single trades, the interval's end."""
    if "trades" not in store.kinds():
        return end_ns
    trades = store.trades_sql(symbol, at_ns(start_ns), at_ns(end_ns))
    way = "<=" if cluster.side == "long" else ">="
    sql = f"select epoch_us(min(timestamp)) from ({trades}) where price::double {way} {cluster.price!r}"
    ((first,),) = store.connection.execute(sql).fetchall()
    return end_ns if first is None else int(first) * 1000
