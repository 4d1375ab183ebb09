import { ask, Latest, Refused, tell } from "./api.js";
import { colour, Drawing, FONT, moves, ticks, timeTicks } from "./canvas.js";
import { amount, moment, price } from "./format.js";
import { fillSymbols, NOTHING, showOrigin, State } from "./state.js";

const form = document.getElementById("controls");
const place = document.getElementById("state");
const latest = new Latest(place);
const state = new State({ data: "", symbol: "", window: "7d", until: "", interval: "1h", measure: "notional", model: "conserving" });
const MINUTES = { "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440 };
const RIGHT = 62, BOTTOM = 24, PRICE_SHARE = 0.36;
let shown = null, pointed = null;

async function load() {
  const found = await latest.run(async (signal) => {
    const { data, symbol, window: length, interval } = state.values;
    // The expectation's maps say where the window lies; a market without open interest has none.
    const maps = await ask("/liquidations/heatmap", { data, symbol, window: length, interval, end_time: state.get("until"), model: state.get("model") || "conserving" }, { signal });
    const range = { data, symbol, start_time: maps.start_time.slice(0, 19), end_time: maps.end_time.slice(0, 19) };
    const [sums, each, candles] = await Promise.all([
      ask("/liquidations/history", { ...range, aggregate: interval, limit: 20000 }, { signal }),
      ask("/liquidations/history", { ...range, limit: 20000 }, { signal }),
      ask("/prices/klines", { ...range, interval, limit: 20000 }, { signal }).catch((error) => { if (error instanceof Refused) return { klines: [] }; throw error; }),
    ]);
    return { maps, sums, each, candles };
  });
  if (!found) return;
  const step = MINUTES[state.get("interval")] * 60000;
  const expected = expectation(found.maps, found.candles.klines);
  const bars = new Map();
  const bar = (time) => bars.get(time) ?? bars.set(time, { time, long: { notional: 0, count: 0 }, short: { notional: 0, count: 0 } }).get(time);
  for (const row of found.sums.liquidations) bar(Date.parse(row.time))[row.side] = row;
  for (const [time, one] of expected) bar(time).expected = one;
  shown = { step, bars: [...bars.values()].sort((a, b) => a.time - b.time), candles: found.candles.klines.map((row) => [Date.parse(row.time), row.high, row.low, row.close]), from: Date.parse(found.maps.start_time), to: Date.parse(found.maps.end_time) };
  pointed = null;
  showOrigin(found.maps);
  if (!found.sums.recorded) tell(place, "No liquidations of this time are on record. `liqstrat record` writes down what the exchange sends, and `liqstrat ingest` loads liquidationSnapshot files of the archive.");
  showSums(found);
  read();
  drawing.ask();
  window.shown = { ...shown, recorded: found.sums.recorded, origin: found.maps.origin };
}

/** Of each interval: what stood, when it began, between price and what price then reached, by side. */
function expectation(maps, candles) {
  const found = new Map();
  const at = new Map(maps.times.map((time, index) => [Date.parse(time), index]));
  for (const row of candles) {
    const time = Date.parse(row.time), column = at.get(time);
    if (column === undefined) continue;
    const known = maps.prices[column], sums = { long: 0, short: 0 };
    maps.notional.forEach((cells, bin) => {
      const middle = Math.sqrt(maps.price_edges[bin] * maps.price_edges[bin + 1]);
      if (middle < known && middle >= row.low) sums.long += cells[column];
      else if (middle > known && middle <= row.high) sums.short += cells[column];
    });
    found.set(time, sums);
  }
  return found;
}

function draw(context, width, height) {
  context.fillStyle = colour("plot");
  context.fillRect(0, 0, width, height);
  if (!shown) return;
  const { from, to, step, bars, candles } = shown, wide = width - RIGHT, split = (height - BOTTOM) * PRICE_SHARE;
  const x = (time) => ((time - from) / (to - from || 1)) * wide;
  priceLine(context, x, candles, wide, split, step);
  const measure = state.get("measure"), hopes = state.get("model") && measure === "notional";
  const most = (side) => Math.max(...bars.map((bar) => Math.max(bar[side][measure], hopes ? (bar.expected?.[side] ?? 0) : 0)), 1e-9);
  const up = most("long"), down = most("short"), top = split + 14, bottom = height - BOTTOM;
  const middle = top + ((bottom - top) * up) / (up + down), each = (bottom - top) / (up + down);
  const y = (value) => middle - value * each;
  context.font = FONT;
  context.textBaseline = "middle";
  context.textAlign = "left";
  for (const value of ticks(-down, up, 6)) {
    context.fillStyle = colour("grid");
    context.fillRect(0, Math.round(y(value)), wide, 1);
    context.fillStyle = colour("muted");
    context.fillText(measure === "notional" ? amount(Math.abs(value)) : Math.abs(value), wide + 6, y(value));
  }
  context.save();
  context.beginPath();
  context.rect(0, top - 2, wide, bottom - top + 4);
  context.clip();
  for (const bar of bars) {
    const left = x(bar.time) + 0.5, broad = Math.max(1, x(bar.time + step) - x(bar.time) - 1);
    for (const [side, sign] of [["long", 1], ["short", -1]]) {
      const tall = bar[side][measure] * each;
      context.fillStyle = colour(side);
      if (tall) context.fillRect(left, sign > 0 ? middle - tall : middle, broad, Math.max(1, tall));
      if (!hopes || !bar.expected?.[side]) continue;
      context.strokeStyle = colour("text");
      context.globalAlpha = 0.55;
      const hoped = Math.min(bar.expected[side] * each, bottom - top);
      context.strokeRect(left + 0.5, sign > 0 ? middle - hoped : middle, Math.max(1, broad - 1), hoped);
      context.globalAlpha = 1;
    }
  }
  context.restore();
  for (const { time, text } of timeTicks(from, to, wide / 90)) {
    context.fillStyle = colour("muted");
    context.textAlign = "center";
    if (x(time) > 16 && x(time) < wide - 10) context.fillText(text, x(time), height - BOTTOM / 2);
  }
  if (pointed === null || !bars[pointed]) return;
  context.fillStyle = colour("text");
  context.globalAlpha = 0.12;
  context.fillRect(x(bars[pointed].time), 0, Math.max(2, x(bars[pointed].time + step) - x(bars[pointed].time)), height - BOTTOM);
  context.globalAlpha = 1;
}

function priceLine(context, x, candles, wide, split, step) {
  if (!candles.length) return;
  const low = Math.min(...candles.map((one) => one[2])), high = Math.max(...candles.map((one) => one[1]));
  const y = (value) => 10 + (1 - (value - low) / (high - low || 1)) * (split - 20);
  context.font = FONT;
  context.textBaseline = "middle";
  context.textAlign = "left";
  for (const value of ticks(low, high, 4)) {
    context.fillStyle = colour("grid");
    context.fillRect(0, Math.round(y(value)), wide, 1);
    context.fillStyle = colour("muted");
    context.fillText(value.toLocaleString("en", { maximumSignificantDigits: 7 }), wide + 6, y(value));
  }
  context.fillStyle = colour("accent");
  context.globalAlpha = 0.25;
  for (const [time, top, bottom] of candles) context.fillRect(x(time), y(top), Math.max(1, x(time + step) - x(time)), Math.max(1, y(bottom) - y(top)));
  context.globalAlpha = 1;
  context.strokeStyle = colour("accent");
  context.lineWidth = 1.5;
  context.beginPath();
  candles.forEach(([time, , , close], at) => context[at ? "lineTo" : "moveTo"](x(time + step), y(close)));
  context.stroke();
  context.lineWidth = 1;
}

function showSums({ sums, each, maps }) {
  const total = (side, name) => shown.bars.reduce((sum, bar) => sum + bar[side][name], 0);
  const words = [];
  for (const side of ["long", "short"]) words.push(`${side === "long" ? "Longs" : "Shorts"}: ${total(side, "count").toLocaleString("en")} liquidations, ${amount(total(side, "notional"))} ${state.quote}.`);
  if (state.get("model")) {
    const hoped = shown.bars.reduce((sum, bar) => sum + (bar.expected?.long ?? 0) + (bar.expected?.short ?? 0), 0);
    words.push(`The map held ${amount(hoped)} ${state.quote} where price went, ${(hoped / Math.max(1, total("long", "notional") + total("short", "notional"))).toFixed(2)} times what is on record.`);
    words.push(`This model: ${maps.verdict.words}.`);
  }
  document.getElementById("words").replaceChildren(...words.map(paragraph));
  document.getElementById("record").replaceChildren(...(maps.verdict.record ?? [maps.verdict.reason]).map(paragraph));
  const rows = each.liquidations.toSorted((a, b) => b.notional - a.notional).slice(0, 10).map((row) => {
    const tr = document.createElement("tr");
    for (const [text, kind] of [[row.time.slice(5, 16).replace("T", " ")], [price(row.price), row.side], [amount(row.notional)]]) {
      const td = document.createElement("td");
      td.textContent = text;
      td.className = kind ?? "";
      tr.append(td);
    }
    return tr;
  });
  document.querySelector("#largest tbody").replaceChildren(...rows);
  document.getElementById("quote").textContent = state.quote;
  document.getElementById("expected-key").hidden = !state.get("model") || state.get("measure") !== "notional";
}

function paragraph(text) {
  const one = document.createElement("p");
  one.textContent = text;
  return one;
}

function read() {
  const bar = shown?.bars[pointed], box = document.getElementById("readout");
  if (!bar) {
    box.textContent = "Point at a bar to read it.";
    return;
  }
  const parts = [moment(bar.time), ...["long", "short"].map((side) => `${side}s ${amount(bar[side].notional)} ${state.quote} (${bar[side].count})`)];
  if (bar.expected && state.get("model")) parts.push(`the map held ${amount(bar.expected.long)} and ${amount(bar.expected.short)}`);
  box.replaceChildren(...parts.map((part) => {
    const span = document.createElement("span");
    span.textContent = part;
    return span;
  }));
}

function point(index) {
  pointed = index;
  read();
  drawing.ask();
}

const canvas = document.getElementById("chart");
const drawing = new Drawing(canvas, draw);
moves(canvas, {
  zoom() {}, pan() {},
  point(x) {
    if (!shown) return;
    const time = shown.from + (x / (drawing.width - RIGHT)) * (shown.to - shown.from);
    const index = shown.bars.findIndex((bar) => time >= bar.time && time < bar.time + shown.step);
    point(index < 0 ? null : index);
  },
  leave: () => point(null),
  reset() {},
  step(across) {
    if (shown && across) point(Math.min(Math.max((pointed ?? (across > 0 ? -1 : shown.bars.length)) + across, 0), shown.bars.length - 1));
  },
});
state.bind(form, async (name) => {
  if (name === "measure" && shown) {
    document.getElementById("expected-key").hidden = !state.get("model") || state.get("measure") !== "notional";
    return drawing.ask();
  }
  if (name === "data") await fillSymbols(form, state);
  load();
});
const there = await latest.run(() => fillSymbols(form, state));
if (there) await load();
else if (there === false) tell(place, NOTHING);
