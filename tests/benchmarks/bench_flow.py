"""Flow by SQL: trades grouped by interval, price bin, taker side and notional bracket."""

from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.store import open_store
from tests.benchmarks.measure import Place, Row, best_of
from tests.benchmarks.tape import SYMBOL

_REACH = 5.0


def measure(place: Place) -> list[Row]:
    """The flow of the whole history against the plainest question that reads price and quantity of every trade."""
    with open_store(place.database) as store:
        rows = store.trades_sql(SYMBOL)
        plain = f"select count(*), sum(price::double * quantity::double) from ({rows})"
        seconds = best_of(
            {
                "yardstick": lambda: store.connection.execute(plain).fetchall(),
                "ours": lambda: [None for _ in flows(store, SYMBOL, None, None, ModelSettings())],
            },
            place.repeats,
        )
    ratio = seconds["ours"] / seconds["yardstick"]
    rates = (
        f"{place.trades / seconds['ours'] / 1e6:.0f}M against {place.trades / seconds['yardstick'] / 1e6:.0f}M trades/s"
    )
    return [
        Row(
            "flow by SQL (price bin, taker side, notional bracket, 5 min)",
            "`select count(*), sum(price*quantity)`",
            f"≤ {_REACH:.0f} × its time",
            f"{ratio:.1f} × ({rates})",
            ratio <= _REACH,
        )
    ]
