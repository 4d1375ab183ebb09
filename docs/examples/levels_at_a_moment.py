"""What would be liquidated if price came there, as it could have been known at a moment?"""

import liqstrat as lq

levels = lq.History("catalog/market.duckdb").levels("BTCUSDT", at="2024-03-02 12:00")
print(levels)
for cluster in sorted(levels.clusters, key=lambda one: -one.price):
    print(
        f"{cluster.side:5} {cluster.price_low:>10,.0f} – {cluster.price_high:>10,.0f} USDT  {cluster.notional:>15,.0f}"
    )

by_leverage = levels.bins.groupby(["side", "leverage"])["contracts"].sum().unstack()
print(by_leverage.round(1))
