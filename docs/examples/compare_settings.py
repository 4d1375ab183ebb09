"""Run one file with several values of a parameter, and compare."""

import liqstrat as lq

for turn in (0.002, 0.003, 0.004):
    settings = {"name": f"turn-{turn}", "strategies.0.params.turn": turn, "resolution": "5m"}
    lq.run("configs/fade.toml", settings, report=False)

table = lq.results("results").query("name.str.startswith('turn-')")
print(table[["name", "trades", "net_return", "max_drawdown", "fees"]].to_string(index=False))
