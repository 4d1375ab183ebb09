// A market's map out of messages: whole first, then what price takes out of it.

import { amount, percent, price } from "./format.js";

const NEAR = 0.1, STRONG = 0.05, EVEN = 1.15;

export class LiveMap {
  take(message) {
    if (message.type === "map") {
      this.whole = message;
      this.held = new Map();
    } else if (!this.whole) return;
    for (const side of ["long", "short"]) {
      for (const [tier, bin, contracts] of message[side] ?? []) {
        const key = `${side} ${tier} ${bin}`;
        if (contracts) this.held.set(key, [side, tier, bin, contracts]);
        else this.held.delete(key);
      }
    }
    if (message.clusters) this.clusters = message.clusters;
    if (message.price) this.last = message;
  }

  /** The map as the API's answer has one, less what is not wanted. */
  answer({ side, off, least }) {
    const { whole, last } = this, edges = whole.price_low;
    const rows = [], sums = new Map();
    for (const [one, tier, bin, contracts] of this.held.values()) {
      const leverage = whole.leverages[tier];
      if ((side !== "both" && side !== one) || off.has(String(leverage))) continue;
      const low = edges[bin], high = edges[bin + 1], usdt = contracts * Math.sqrt(low * high);
      rows.push({ side: one, leverage, price_low: low, price_high: high, usdt });
      sums.set(`${one}${low}`, (sums.get(`${one}${low}`) ?? 0) + usdt);
    }
    const levels = rows.filter((row) => sums.get(`${row.side}${row.price_low}`) >= least);
    const clusters = this.clusters
      .filter((one) => side === "both" || side === one.side)
      .map((one) => ({ ...one, distance: one.price / last.price - 1 }));
    return {
      symbol: whole.symbol, origin: whole.simulated ? "SIMULATED" : "real", price: last.price, time: last.time, trade_id: last.trade_id,
      tiers: whole.leverages, levels, clusters, words: words(levels, last.price, clusters),
    };
  }
}

/** As the API says it of a map of history. */
function words(levels, at, clusters) {
  const sums = { long: 0, short: 0 };
  for (const row of levels) if (Math.abs(Math.sqrt(row.price_low * row.price_high) / at - 1) <= NEAR) sums[row.side] += row.usdt;
  const { long, short } = sums, ratio = Math.max(long, short) / Math.min(long, short);
  const told = `Within 10% of price: ${amount(long)} USDT of longs below, ${amount(short)} of shorts above`;
  const found = [ratio < EVEN ? `${told}: about even.` : long && short ? `${told}: ${ratio.toFixed(1)} times as much ${long > short ? "below" : "above"}.` : `${told}.`];
  for (const side of ["long", "short"]) {
    const strong = clusters.filter((one) => one.side === side && one.strength >= STRONG).sort((a, b) => Math.abs(a.distance) - Math.abs(b.distance));
    if (!strong.length) continue;
    const [tier, share] = Object.entries(strong[0].leverage).sort((a, b) => b[1] - a[1])[0];
    found.push(`Nearest strong level ${side === "long" ? "below" : "above"}: ${price(strong[0].price)} (${percent(strong[0].distance)}), ${amount(strong[0].notional)} USDT of ${side}s, mostly ${tier}x (${Math.round(100 * share)}%).`);
  }
  return found;
}
