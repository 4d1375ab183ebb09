"""Maps over time, as a Plotly figure that can be changed like any other."""

import liqstrat as lq

heat = lq.History("catalog/market.duckdb").heatmap("BTCUSDT", "2024-03-02", "2024-03-03", every="1h")
figure = heat.figure()
figure.update_layout(height=500, title=f"{heat.symbol}, {heat.rows['time'].nunique()} maps")
# figure.show() shows it; a page that needs no network:
print(heat.save("heatmap.html"))
