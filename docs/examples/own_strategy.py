"""Run a strategy that lies in this folder, from a dictionary in place of a file."""

import liqstrat as lq

run = lq.run(
    {
        "name": "sweep",
        "symbols": ["BTCUSDT"],
        "from": "2024-03-02",
        "to": "2024-03-03",
        "strategies": [{"use": "buy_the_sweep:BuyTheSweep", "params": {"near": 0.004}}],
    }
)
print(run.trades[["side", "opened", "entry_price", "exit_price", "exit_role", "pnl"]])
print(f"{run.metrics['net_return']:+.2%} after costs; {run.report.path}")
