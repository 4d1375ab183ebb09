"""What trades made before costs, and what they paid."""

import liqstrat as lq

run = lq.run("configs/fade.toml", {"resolution": "5m"})
closed = run.trades.dropna(subset="closed")
fees, slippage = run.fills["fee"].sum(), run.fills["slippage"].sum()
costs = {"fees": -fees, "slippage": -slippage, "funding": run.funding["amount"].sum()}
for name, amount in costs.items():
    print(f"{name:10} {amount:+12,.2f} USDT")
print(closed.groupby("exit_role")[["pnl", "fees"]].agg(["count", "sum"]).round(2))
