// A market's map out of messages: whole first, then what price takes out of it.

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
      const low = edges[bin], high = edges[bin + 1], notional = contracts * Math.sqrt(low * high);
      rows.push({ side: one, leverage, price_low: low, price_high: high, notional });
      sums.set(`${one}${low}`, (sums.get(`${one}${low}`) ?? 0) + notional);
    }
    const levels = rows.filter((row) => sums.get(`${row.side}${row.price_low}`) >= least);
    const clusters = this.clusters
      .filter((one) => side === "both" || side === one.side)
      .map((one) => ({ ...one, distance: one.price / last.price - 1 }));
    return {
      symbol: whole.symbol, origin: whole.simulated ? "SIMULATED" : "real", price: last.price, time: last.time, trade_id: last.trade_id,
      tiers: whole.leverages, levels, clusters,
    };
  }
}
