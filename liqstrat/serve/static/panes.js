// The narrow panes under the heatmap: open interest, funding, what was liquidated.

import { colour, FONT } from "./canvas.js";
import { amount, percent } from "./format.js";

/** What each pane shows of the data up to a moment: a name, rows of [time, value…], and how it is drawn. */
export function panesOf(data, layers, until, quote) {
  const found = [];
  const known = (rows) => rows.filter(([time]) => time <= until);
  if (layers.has("oi") && data.openInterest.length) found.push({ name: "Open interest", unit: "contracts", kind: "line", rows: known(data.openInterest) });
  if (layers.has("funding") && data.funding.length) found.push({ name: "Funding", unit: "%", kind: "bars", rows: known(data.funding) });
  if (layers.has("sums") && data.sums.length) found.push({ name: "Liquidated", unit: quote, kind: "sides", rows: known(data.sums) });
  return found;
}

/** Pixels above what is drawn, for the pane's name. */
const NAME = 18;

const text = (pane, value) => (pane.unit === "%" ? percent(value / 100, 4) : amount(Math.abs(value)));

export function drawPane(context, pane, box, x, [from, to]) {
  const { left, top, wide, tall } = box;
  context.save();
  context.beginPath();
  context.rect(left, top, wide, tall);
  context.clip();
  const seen = pane.rows.filter(([time]) => time >= from && time <= to);
  const values = seen.flatMap((row) => row.slice(1));
  let low = Math.min(...values), high = Math.max(...values);
  if (pane.kind !== "line") [low, high] = [Math.min(0, low), Math.max(0, high)];
  if (!(high > low)) [low, high] = [low - 1, high + 1];
  const pad = (high - low) * 0.08;
  const y = (value) => top + NAME + (1 - (value - low + pad) / (high - low + 2 * pad)) * (tall - NAME - 4);
  if (pane.kind === "line") {
    context.strokeStyle = colour("accent");
    context.lineWidth = 1.5;
    context.beginPath();
    seen.forEach(([time, value], at) => context[at ? "lineTo" : "moveTo"](x(time), y(value)));
    context.stroke();
    context.lineWidth = 1;
  } else {
    for (const [time, value, other] of seen) {
      const end = Math.max(x(time) + 1, x(time + pane.step) - 1);
      for (const [one, ink] of pane.kind === "sides" ? [[value, "long"], [other, "short"]] : [[value, value < 0 ? "short" : "long"]]) {
        context.fillStyle = colour(ink);
        context.globalAlpha = 0.85;
        context.fillRect(x(time), Math.min(y(one), y(0)), pane.step ? end - x(time) : 2, Math.max(1, Math.abs(y(one) - y(0))));
      }
    }
    context.globalAlpha = 1;
  }
  context.restore();
  context.strokeStyle = colour("line");
  context.beginPath();
  context.moveTo(left, Math.round(top) + 0.5);
  context.lineTo(left + wide, Math.round(top) + 0.5);
  context.stroke();
  context.font = FONT;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillStyle = colour("muted");
  context.fillText(pane.unit === "%" ? pane.name : `${pane.name}, ${pane.unit}`, left + 6, top + 11);
  if (values.length) {
    context.fillText(text(pane, high), left + wide + 6, top + 11);
    if (tall > 40) context.fillText(text(pane, low), left + wide + 6, top + tall - 8);
  }
}
