// A map in sentences: which side holds more near price, and the nearest strong levels.

import { amount, percent, price } from "./format.js";

/** STRONG: of a side's contracts around price, what a cluster must hold to be called so. */
const NEAR = 0.1, STRONG = 0.05, EVEN = 1.15;

/** levels: rows of `side`, `price_low`, `price_high` and `notional`, which is in `quote`; at: the price. */
export function wordsOn({ levels, clusters, price: at }, quote) {
  return [imbalance(levels, at, quote), ...["long", "short"].flatMap((side) => nearest(clusters, side, quote))];
}

function imbalance(levels, at, quote) {
  const near = `Within ${100 * NEAR}% of price`, sums = { long: 0, short: 0 };
  for (const row of levels) if (Math.abs(Math.sqrt(row.price_low * row.price_high) / at - 1) <= NEAR) sums[row.side] += row.notional;
  const { long, short } = sums;
  if (!long && !short) return `${near} there is nothing.`;
  if (!long || !short) return `${near}: ${amount(long || short)} ${quote} of ${long ? "longs below" : "shorts above"}.`;
  const told = `${near}: ${amount(long)} ${quote} of longs below, ${amount(short)} of shorts above`;
  const ratio = Math.max(long, short) / Math.min(long, short);
  return ratio < EVEN ? `${told}: about even.` : `${told}: ${ratio.toFixed(1)} times as much ${long > short ? "below" : "above"}.`;
}

function nearest(clusters, side, quote) {
  const strong = clusters.filter((one) => one.side === side && one.strength >= STRONG).sort((a, b) => Math.abs(a.distance) - Math.abs(b.distance));
  if (!strong.length) return [];
  const [one] = strong, [tier, share] = Object.entries(one.leverage).sort((a, b) => b[1] - a[1])[0];
  return [`Nearest strong level ${side === "long" ? "below" : "above"}: ${price(one.price)} (${percent(one.distance)}), ${amount(one.notional)} ${quote} of ${side}s, mostly ${tier}x (${Math.round(100 * share)}%).`];
}
