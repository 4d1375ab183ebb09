// Marks on the heatmap: levels that price ran through, real liquidations, a run's trades.

import { colour } from "./canvas.js";

const MOST_BUBBLES = 400;
/** A bin that loses so much of what it held from one map to the next was run through: all else takes little at a time. */
const LOST = 0.8;
/** How far from price something can be run through; maps end beyond, and what leaves them there was not. */
const REACH = 0.15;
/** Of what the largest holds, what is worth a mark. */
const LEAST = 0.04;

/** Levels that were run through, the largest first: `{time, low, high, price, notional, side}`; known at `time`. */
export function sweptOf({ notional, prices, price_edges: edges, ms }) {
  const found = [];
  for (let column = 1; column < ms.length; column++) {
    const low = Math.min(prices[column - 1], prices[column]) * (1 - REACH), high = Math.max(prices[column - 1], prices[column]) * (1 + REACH);
    let open = null;
    for (let bin = 0; bin <= notional.length; bin++) {
      const before = notional[bin]?.[column - 1] ?? 0, gone = before - (notional[bin]?.[column] ?? 0);
      if (before && gone >= LOST * before && edges[bin] > low && edges[bin] < high) {
        open ??= { time: ms[column], low: edges[bin], notional: 0, most: 0 };
        open.notional += gone;
        open.high = edges[bin + 1];
        if (gone > open.most) [open.most, open.price] = [gone, Math.sqrt(edges[bin] * edges[bin + 1])];
      } else if (open) {
        found.push({ ...open, side: open.price < prices[column - 1] ? "long" : "short" });
        open = null;
      }
    }
  }
  return found.sort((a, b) => b.notional - a.notional);
}

export function drawSwept(context, swept, x, y) {
  const largest = swept[0]?.notional ?? 1;
  for (const ground of [true, false]) {
    context.strokeStyle = colour(ground ? "plot" : "text");
    context.lineWidth = ground ? 4 : 1.5;
    context.beginPath();
    for (const one of swept) {
      if (one.notional < LEAST * largest) continue;
      const left = x(one.time), size = 2 + 3.5 * Math.sqrt(one.notional / largest), middle = y(one.price);
      context.moveTo(left - size, middle - size);
      context.lineTo(left + size, middle + size);
      context.moveTo(left - size, middle + size);
      context.lineTo(left + size, middle - size);
    }
    context.stroke();
  }
  context.lineWidth = 1;
}

export function drawBubbles(context, bubbles, x, y, [from, to]) {
  const seen = bubbles.filter((one) => one.time >= from && one.time <= to).sort((a, b) => b.notional - a.notional).slice(0, MOST_BUBBLES);
  const largest = seen[0]?.notional ?? 1;
  for (const one of seen) {
    context.beginPath();
    context.arc(x(one.time), y(one.price), 1.5 + 10 * Math.sqrt(one.notional / largest), 0, 2 * Math.PI);
    context.fillStyle = context.strokeStyle = colour(one.side);
    context.globalAlpha = 0.16;
    context.fill();
    context.globalAlpha = 0.6;
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** Entries as arrows, exits as squares, with a line between by gain or loss. */
export function drawTrades(context, trades, x, y, until) {
  for (const one of trades) {
    const closed = one.closed !== null && one.closed <= until;
    context.strokeStyle = context.fillStyle = closed ? colour(one.pnl > 0 ? "gain" : "loss") : colour("text");
    if (closed) {
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(x(one.opened), y(one.entry));
      context.lineTo(x(one.closed), y(one.exit));
      context.stroke();
      context.lineWidth = 1;
      context.fillRect(x(one.closed) - 3, y(one.exit) - 3, 6, 6);
    }
    const up = one.side === "long" ? 1 : -1, left = x(one.opened), top = y(one.entry);
    context.beginPath();
    context.moveTo(left, top);
    context.lineTo(left - 5, top + up * 9);
    context.lineTo(left + 5, top + up * 9);
    context.fill();
  }
}
