// What of history is drawn with maps over time: candles, open interest, funding, liquidations, a run's trades.

import { ask, Refused } from "./api.js";

export const LENGTH = { "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440 };
const ms = (row) => Date.parse(row.time);

/** What there is of a range: `length` of candles and `interval` of sums, as 5m; `run`: a run's name, or nothing. */
export async function around(range, { length, interval, run }, signal) {
  const optional = (path, more) => ask(path, { ...range, ...more }, { signal }).catch((error) => {
    if (error instanceof Refused) return null;
    throw error;
  });
  const [candles, interest, funding, each, sums, trades] = await Promise.all([
    optional("/prices/klines", { interval: length, limit: 20000 }), optional("/data/open-interest"), optional("/data/funding"),
    optional("/liquidations/history", { limit: 5000, min_notional: 5000 }), optional("/liquidations/history", { aggregate: interval, limit: 20000 }),
    run ? ask(`/runs/${encodeURIComponent(run)}/trades`, {}, { signal }) : null,
  ]);
  return {
    length: LENGTH[length] * 60000,
    candles: (candles?.klines ?? []).map((row) => [ms(row), row.open, row.high, row.low, row.close]),
    openInterest: (interest?.open_interest ?? []).map((row) => [ms(row), row.contracts]),
    funding: (funding?.funding ?? []).map((row) => [ms(row), 100 * row.rate]),
    sums: bySide(sums?.liquidations ?? []),
    sumStep: LENGTH[interval] * 60000,
    bubbles: (each?.liquidations ?? []).map((row) => ({ time: ms(row), price: row.price, notional: row.notional, side: row.side })),
    trades: (trades?.rows ?? []).filter((row) => row.symbol === range.symbol).map((row) => ({
      opened: Date.parse(row.opened), closed: row.closed ? Date.parse(row.closed) : null, side: row.side, entry: row.entry_price, exit: row.exit_price, pnl: row.pnl,
    })),
  };
}

/** `[time, longs, minus shorts]` of each interval. */
function bySide(rows) {
  const found = new Map();
  for (const row of rows) {
    const known = found.get(row.time) ?? [ms(row), 0, 0];
    known[row.side === "long" ? 1 : 2] = row.side === "long" ? row.notional : -row.notional;
    found.set(row.time, known);
  }
  return [...found.values()];
}
