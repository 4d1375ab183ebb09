import { ask, Latest, tell } from "./api.js";
import { colour, Drawing, FONT, label, moves, ticks, tierColour } from "./canvas.js";
import { amount, moment, percent, price } from "./format.js";
import { LiveMap } from "./live-map.js";
import { LiveMode } from "./live-mode.js";
import { fillSymbols, NOTHING, showOrigin, State } from "./state.js";
import { wordsOn } from "./words.js";

const form = document.getElementById("controls");
const place = document.getElementById("state");
const tip = document.getElementById("tip");
const canvas = document.getElementById("chart");
const latest = new Latest(place);
const state = new State({
  data: "", symbol: "", model: "conserving", timeframe: "14d", at: "", side: "both", scale: "linear", band: "", threshold: "0", off: "", view: "", live: "",
});
const LEFT = 58, RIGHT = 62, TOP = 14, BOTTOM = 34;
const SPAN = 0.15, FURTHEST = 0.6;

let map = null; // the answer
let bins = []; // { low, high, side, notional, by: {leverage: notional}, sum }
let tiers = [];
let view = null; // [low, high] in price
let pointed = null; // index into the bars drawn
let bars = [];
let live = null; // what messages have brought, where the market is shown as it runs
let about = null; // how the model of that was judged

/** The threshold's slider: nothing, then 10 K to 1 B by equal steps of the logarithm. */
const least = () => (Number(state.get("threshold")) ? Math.round(10 ** (4 + Number(state.get("threshold")) / 20)) : 0);

const mode = new LiveMode("map", state, place, {
  async began(symbol) {
    latest.stop();
    const mine = (live = new LiveMap());
    tiers = [];
    about = null;
    const found = await ask(`/live/${encodeURIComponent(symbol)}`).catch(() => null);
    if (live !== mine) return;
    about = found;
    grow();
  },
  took(message) {
    live.take(message);
    grow();
  },
  left() {
    live = null;
    tiers = [];
    load();
  },
});

/** Draw what messages have brought, once a frame, however many came. */
let asked = false;
function grow() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    if (!live?.whole) return;
    const off = switchedOff(), answer = live.answer({ side: state.get("side"), off, least: least() });
    const first = !tiers.length;
    tiers = answer.tiers;
    answer.verdict = about?.verdict ?? { words: "judging the model…", reason: "", better: false };
    take(answer, off, first);
  });
}

/** Whether there is a band of what is shown: it is of one model, and of all leverages together. */
const banded = (off) => state.get("band") === "on" && !mode.on && state.get("model") === "conserving" && !off.size;

const switchedOff = () => new Set(state.get("off").split(",").filter(Boolean));

async function load() {
  const threshold = least();
  document.getElementById("threshold-text").textContent = threshold ? `${amount(threshold)} ${state.quote}` : "none";
  if (mode.on) return grow();
  const off = switchedOff();
  const wanted = tiers.filter((tier) => !off.has(String(tier)));
  if (tiers.length && !wanted.length) {
    tell(place, "All leverage classes are switched off; switch one on above the picture.");
    return;
  }
  const answer = await latest.run((signal) => ask("/liquidations/map", {
    data: state.get("data"), symbol: state.get("symbol"), model: state.get("model"), timeframe: state.get("timeframe"),
    at: state.get("at"), side: state.get("side"), min_notional: threshold || "",
    leverage: off.size && tiers.length ? wanted.join(",") : "", band: banded(off) ? "true" : "",
  }, { signal }));
  if (!answer) return;
  const known = Object.keys(answer.settings.leverage_weights).map(Number).sort((a, b) => a - b);
  const first = !tiers.length;
  tiers = known;
  if (first && off.size) {
    load();
    return;
  }
  take(answer, off, true);
}

function take(answer, off, anew) {
  map = answer;
  bins = binned(answer);
  tell(place, answer.levels.length ? "" : "Nothing is left of this map: lower the threshold, or switch sides and leverage classes on.");
  showOrigin(answer);
  if (anew) showTiers(off);
  showSide(answer);
  drawing.ask();
  window.shown = { answer, bins };
}

function binned({ levels }) {
  const found = new Map();
  for (const row of levels) {
    const key = `${row.side}${row.price_low}`;
    const worth = state.worth(Math.sqrt(row.price_low * row.price_high)), bounds = row.high == null ? null : [row.low * worth, row.high * worth];
    const bin = found.get(key) ?? { low: row.price_low, high: row.price_high, side: row.side, notional: 0, by: {}, bounds };
    bin.notional += row.notional;
    bin.by[row.leverage] = row.notional;
    found.set(key, bin);
  }
  const all = [...found.values()].sort((a, b) => a.low - b.low);
  let sum = 0;
  for (const bin of all) if (bin.side === "short") bin.sum = sum += bin.notional;
  sum = 0;
  for (const bin of all.toReversed()) if (bin.side === "long") bin.sum = sum += bin.notional;
  return all;
}

function range() {
  if (!view && state.get("view")) view = state.get("view").split("-").map(Number);
  return view && view[0] < view[1] ? view : [map.price * (1 - SPAN), map.price * (1 + SPAN)];
}

function draw(context, width, height) {
  context.fillStyle = colour("plot");
  context.fillRect(0, 0, width, height);
  if (!map) return;
  const [low, high] = range();
  const wide = width - LEFT - RIGHT, tall = height - TOP - BOTTOM;
  const x = (value) => LEFT + ((value - low) / (high - low)) * wide;
  const inside = bins.filter((bin) => bin.high > low && bin.low < high);
  bars = joined(inside, (high - low) / wide);
  const largest = Math.max(...bars.map((bar) => bar.bounds?.[1] ?? bar.notional), 1);
  const log = state.get("scale") === "log";
  const floor = log ? largest / 1e4 : 0;
  const share = log ? (notional) => Math.max(0, Math.log(notional / floor) / Math.log(largest / floor)) : (notional) => notional / largest;
  const y = (notional) => TOP + tall - share(notional) * tall * 0.94;
  const sums = (map.band?.sums ?? []).filter((one) => one.price >= low && one.price <= high && (state.get("side") === "both" || one.side === state.get("side")));
  const most = Math.max(...inside.map((bin) => bin.sum), ...sums.map((one) => one.notional_high), 1);
  const ySum = (notional) => TOP + tall - (notional / most) * tall * 0.94;
  axes({ context, width, height, low, high, x, y, ySum, largest, most, log, floor });
  context.save();
  context.beginPath();
  context.rect(LEFT, 0, wide, TOP + tall);
  context.clip();
  for (const side of ["long", "short"]) around(context, sums.filter((one) => one.side === side), side, x, ySum);
  bars.forEach((bar, at) => {
    const left = x(bar.low), right = Math.max(left + 1, x(bar.high) - (x(bar.high) - left > 3 ? 1 : 0));
    let below = 0;
    for (const [n, tier] of tiers.entries()) {
      const notional = bar.by[tier];
      if (!notional) continue;
      const from = log ? TOP + tall - (below / bar.notional) * share(bar.notional) * tall * 0.94 : y(below);
      const to = log ? TOP + tall - ((below + notional) / bar.notional) * share(bar.notional) * tall * 0.94 : y(below + notional);
      context.fillStyle = tierColour(n, tiers.length);
      context.globalAlpha = pointed === null || pointed === at ? 1 : 0.55;
      context.fillRect(left, to, right - left, from - to);
      below += notional;
    }
  });
  context.globalAlpha = 1;
  whiskers(context, x, y);
  for (const side of ["long", "short"]) curve(context, inside.filter((bin) => bin.side === side), side, x, ySum, TOP + tall);
  priceLine(context, x(map.price), tall);
  if (pointed !== null && bars[pointed]) {
    const bar = bars[pointed], at = x((bar.low + bar.high) / 2);
    context.strokeStyle = colour("muted");
    context.setLineDash([3, 3]);
    line(context, at, TOP, at, TOP + tall);
    context.setLineDash([]);
  }
  context.restore();
  if (pointed !== null && bars[pointed]) {
    const bar = bars[pointed];
    label(context, price((bar.low + bar.high) / 2), x((bar.low + bar.high) / 2), height - BOTTOM + 13, { align: "center" });
  }
  dispatchEvent(new CustomEvent("drawn", { detail: map.trade_id }));
}

/** Between which bounds each bar lies. */
function whiskers(context, x, y) {
  context.strokeStyle = colour("text");
  // Alike on all bars, which are a bit wider the higher their price.
  const widths = bars.map((bar) => x(bar.high) - x(bar.low)).sort((one, other) => one - other);
  const cap = Math.min((widths[widths.length >> 1] ?? 0) / 4, 5);
  for (const bar of bars) {
    if (!bar.bounds) continue;
    const middle = x((bar.low + bar.high) / 2);
    const [least, most] = bar.bounds.map((notional) => Math.round(y(notional)) + 0.5);
    context.globalAlpha = cap > 1.5 ? 0.6 : 0.3;
    line(context, middle, least, middle, most);
    if (cap > 1.5) for (const end of [least, most]) line(context, middle - cap, end, middle + cap, end);
  }
  context.globalAlpha = 1;
}

/** Between which bounds a sum lies. */
function around(context, sums, side, x, y) {
  if (!sums.length) return;
  context.beginPath();
  for (const one of sums) context.lineTo(x(one.price), y(one.notional_high));
  for (const one of sums.toReversed()) context.lineTo(x(one.price), y(one.notional_low));
  context.closePath();
  context.globalAlpha = 0.16;
  context.fillStyle = colour(side);
  context.fill();
  context.globalAlpha = 1;
}

/** Bins joined until bars are three pixels wide. */
function joined(inside, perPixel) {
  const found = [];
  for (const bin of inside) {
    const last = found.at(-1);
    if (last && last.side === bin.side && bin.high - last.low <= 3 * perPixel) {
      last.high = bin.high;
      last.notional += bin.notional;
      // As if the bins of a bar were wrong together: no band of theirs is wider.
      if (bin.bounds) last.bounds = last.bounds.map((notional, at) => notional + bin.bounds[at]);
      for (const [tier, notional] of Object.entries(bin.by)) last.by[tier] = (last.by[tier] ?? 0) + notional;
      last.sum = Math.max(last.sum, bin.sum);
    } else found.push({ ...bin, by: { ...bin.by } });
  }
  return found;
}

function curve(context, part, side, x, y, bottom) {
  if (!part.length) return;
  context.beginPath();
  if (side === "short") {
    context.moveTo(x(part[0].low), y(part[0].sum - part[0].notional));
    for (const bin of part) context.lineTo(x(bin.high), y(bin.sum));
  } else {
    context.moveTo(x(part.at(-1).high), y(part.at(-1).sum - part.at(-1).notional));
    for (const bin of part.toReversed()) context.lineTo(x(bin.low), y(bin.sum));
  }
  context.strokeStyle = colour(side);
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.stroke();
  context.lineTo(side === "short" ? x(part.at(-1).high) : x(part[0].low), bottom);
  context.lineTo(side === "short" ? x(part[0].low) : x(part.at(-1).high), bottom);
  context.globalAlpha = 0.08;
  context.fillStyle = colour(side);
  context.fill();
  context.globalAlpha = 1;
  context.lineWidth = 1;
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(Math.round(x1) + 0.5, y1);
  context.lineTo(Math.round(x2) + 0.5, y2);
  context.stroke();
}

function axes({ context, width, height, low, high, x, y, ySum, largest, most, log, floor }) {
  context.font = FONT;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.strokeStyle = colour("grid");
  const levels = log ? [1, 10, 100, 1000, 10000].map((n) => floor * n) : ticks(0, largest, 6);
  for (const value of levels) {
    const at = Math.round(y(value)) + 0.5;
    context.beginPath();
    context.moveTo(LEFT, at);
    context.lineTo(width - RIGHT, at);
    context.stroke();
    context.fillStyle = colour("muted");
    context.textAlign = "right";
    context.fillText(amount(value), LEFT - 7, at);
  }
  context.textAlign = "left";
  context.fillStyle = colour("muted");
  for (const value of ticks(0, most, 6)) context.fillText(amount(value), width - RIGHT + 7, ySum(value));
  context.textAlign = "center";
  for (const value of ticks(low, high, (width - LEFT - RIGHT) / 90)) context.fillText(value.toLocaleString("en", { maximumSignificantDigits: 7 }), x(value), height - BOTTOM + 13);
  context.fillText(`price, ${state.quote}`, LEFT + (width - LEFT - RIGHT) / 2, height - 7);
  context.textAlign = "left";
  context.fillText(state.quote, 8, 8);
  context.textAlign = "right";
  context.fillText("sum", width - 8, 8);
}

function priceLine(context, at, tall) {
  context.strokeStyle = colour("text");
  context.setLineDash([5, 4]);
  line(context, at, TOP, at, TOP + tall);
  context.setLineDash([]);
  label(context, `price ${price(map.price)}`, at, TOP + 8, { align: "center" });
}

function point(index) {
  pointed = index;
  tip.hidden = index === null || !bars[index];
  if (!tip.hidden) {
    const bar = bars[index];
    const middle = Math.sqrt(bar.low * bar.high);
    const rows = tiers.filter((tier) => bar.by[tier]).map((tier) => [`${tier}x`, amount(bar.by[tier]), tierColour(tiers.indexOf(tier), tiers.length)]).reverse();
    tip.replaceChildren(bold(`${price(bar.low)} – ${price(bar.high)}`), list([
      ["distance", percent(middle / map.price - 1)],
      [`${bar.side}s here`, `${amount(bar.notional)} ${state.quote}`],
      ...(bar.bounds ? [["90 % band", bar.bounds.map((notional) => amount(notional)).join(" – ")]] : []),
      ["sum to price", `${amount(bar.sum)} ${state.quote}`],
      ...sumBand(bar),
      ...rows,
    ]));
    const [low, high] = range();
    const x = LEFT + ((middle - low) / (high - low)) * (drawing.width - LEFT - RIGHT);
    tip.style.left = `${x > drawing.width / 2 ? x - tip.offsetWidth - 14 : x + 14}px`;
    tip.style.top = "34px";
  }
  drawing.ask();
}

/** Between which bounds the sum from price to a bar's far edge lies. */
function sumBand(bar) {
  const edge = bar.side === "long" ? bar.low : bar.high;
  const found = map.band?.sums.find((one) => one.side === bar.side && Math.abs(one.price / edge - 1) < 1e-6);
  return found ? [["its band", `${amount(found.notional_low)} – ${amount(found.notional_high)}`]] : [];
}

function bold(text) {
  const one = document.createElement("b");
  one.textContent = text;
  return one;
}

function list(rows) {
  const dl = document.createElement("dl");
  for (const [name, value, ink] of rows) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    if (ink) {
      const mark = document.createElement("i");
      mark.style.background = ink;
      dt.append(mark);
    }
    dt.append(name);
    dd.textContent = value;
    dl.append(dt, dd);
  }
  return dl;
}

function showTiers(off) {
  const box = document.getElementById("tiers");
  const focused = document.activeElement?.dataset?.tier;
  box.replaceChildren(...tiers.map((tier, at) => {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "chip";
    chip.dataset.tier = tier;
    chip.setAttribute("aria-pressed", String(!off.has(String(tier))));
    const mark = document.createElement("i");
    mark.style.background = tierColour(at, tiers.length);
    chip.append(mark, `${tier}x`);
    chip.addEventListener("click", () => {
      if (off.has(String(tier))) off.delete(String(tier));
      else off.add(String(tier));
      state.set({ off: [...off].join(",") });
      showTiers(off);
      load();
    });
    return chip;
  }));
  if (focused) box.querySelector(`[data-tier="${focused}"]`)?.focus();
}

function showSide(answer) {
  const words = document.getElementById("words");
  const none = state.get("band") === "on" && !answer.band && !mode.on ? ["There is no band here: it is of the model conserving, and of all leverages together."] : [];
  const told = [...wordsOn(answer, state.quote), ...(answer.band ? [answer.band.words] : none)];
  words.replaceChildren(...[`${answer.symbol} at ${price(answer.price)}, as known at ${moment(answer.time)} UTC.`, ...told].map(paragraph));
  const rows = answer.clusters.toSorted((a, b) => b.price - a.price).map((one) => {
    const [tier] = Object.entries(one.leverage).sort((a, b) => b[1] - a[1])[0];
    const worth = one.notional / one.contracts, bounds = one.band?.map((contracts) => amount(contracts * worth)).join(" – ");
    return row([[price(one.price), one.side], [percent(one.distance)], [amount(one.notional), null, bounds], [`${tier}x`]]);
  });
  document.querySelector("#clusters tbody").replaceChildren(...rows);
  document.getElementById("quote").textContent = state.quote;
  const trust = document.getElementById("verdict");
  const verdict = paragraph(answer.verdict.words);
  verdict.className = answer.verdict.better ? "good" : "weak";
  const notes = [answer.verdict.reason];
  if (answer.seeded_share >= 0.01) notes.push(`${Math.round(100 * answer.seeded_share)}% of the open interest was open before the history used: where it stands is a guess.`);
  notes.push("Levels are estimates: who holds which position, and at which leverage, is not published.");
  trust.replaceChildren(verdict, ...notes.map(paragraph));
}

function paragraph(text) {
  const one = document.createElement("p");
  one.textContent = text.slice(0, 1).toUpperCase() + text.slice(1);
  return one;
}

function row(cells) {
  const tr = document.createElement("tr");
  for (const [text, kind, below] of cells) {
    const td = document.createElement("td");
    td.textContent = text;
    if (below) {
      const small = document.createElement("small");
      small.textContent = below;
      td.append(small);
    }
    if (kind) td.className = kind;
    tr.append(td);
  }
  return tr;
}

function show(low, high) {
  const least = map.price * (1 - FURTHEST), most = map.price * (1 + FURTHEST);
  const wide = Math.min(Math.max(high - low, map.price * 0.004), most - least);
  const start = Math.min(Math.max(low, least), most - wide);
  view = [start, start + wide];
  state.set({ view: view.map((one) => Number(one.toPrecision(7))).join("-") });
  drawing.ask();
}

const drawing = new Drawing(canvas, draw);
const at = (x) => {
  const [low, high] = range();
  return low + ((x - LEFT) / (drawing.width - LEFT - RIGHT)) * (high - low);
};
moves(canvas, {
  zoom(factor, x) {
    if (!map) return;
    const [low, high] = range(), middle = at(x);
    show(middle - (middle - low) * factor, middle + (high - middle) * factor);
    point(null);
  },
  pan(dx) {
    if (!map) return;
    const [low, high] = range(), by = (-dx / (drawing.width - LEFT - RIGHT)) * (high - low);
    show(low + by, high + by);
  },
  point(x) {
    if (!map) return;
    const value = at(x);
    const index = bars.findIndex((bar) => value >= bar.low && value < bar.high);
    if (index !== pointed) point(index < 0 ? null : index);
  },
  leave: () => point(null),
  reset() {
    view = null;
    state.set({ view: "" });
    point(null);
  },
  step(across) {
    if (!bars.length || !across) return;
    const nearest = bars.findIndex((bar) => bar.high > map.price);
    point(pointed === null ? Math.max(nearest, 0) : Math.min(Math.max(pointed + across, 0), bars.length - 1));
  },
});

let waiting;
state.bind(form, async (name) => {
  if (name === "scale") return drawing.ask();
  if (name === "data" || name === "symbol") {
    view = null;
    state.set({ view: "", at: "" });
    form.elements.at.value = "";
    if (name === "data") await fillSymbols(form, state);
  }
  if (mode.on && (name === "data" || name === "symbol")) return mode.set(true);
  clearTimeout(waiting);
  waiting = setTimeout(load, name === "threshold" ? 120 : 0);
});
const there = await latest.run(() => fillSymbols(form, state));
if (there) await (mode.on ? mode.set(true) : load());
else if (there === false) tell(place, NOTHING);
