import { ask, Latest, Refused, tell } from "./api.js";
import { Chart } from "./heat-chart.js";
import { download, exportRows } from "./export.js";
import { amount, moment, percent, price } from "./format.js";
import { fillSymbols, NOTHING, showOrigin, State } from "./state.js";

const form = document.getElementById("controls");
const place = document.getElementById("state");
const slider = document.getElementById("known");
const sliderText = document.getElementById("known-text");
const latest = new Latest(place);
const state = new State({
  data: "", symbol: "", model: "conserving", window: "7d", interval: "", side: "both", scale: "power", threshold: "0",
  run: "", layers: "candles,bubbles,profile,oi,funding,sums", known: "", view: "",
});
const CANDLES = { "12h": "5m", "24h": "5m", "3d": "15m", "7d": "30m", "14d": "1h", "30d": "1h", "90d": "4h", "1y": "1d" };
const LENGTH = { "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440 };
let heat = null;

const chart = new Chart(document.getElementById("chart"), document.getElementById("over"), {
  pointed: read,
  moved: (view) => state.set({ view: view ? view.map((one) => Number(one.toPrecision(10))).join("~") : "" }),
});
const least = () => (Number(state.get("threshold")) ? Math.round(10 ** (4 + Number(state.get("threshold")) / 20)) : 0);
const question = () => ({
  data: state.get("data"), symbol: state.get("symbol"), model: state.get("model"), window: state.get("window"),
  interval: state.get("interval"), side: state.get("side"), min_usdt: least() || "",
});

async function load() {
  document.getElementById("threshold-text").textContent = least() ? `${amount(least())} USDT` : "none";
  const found = await latest.run(async (signal) => {
    const answer = await ask("/liquidations/heatmap", question(), { signal });
    const length = CANDLES[state.get("window")];
    const range = { data: state.get("data"), symbol: state.get("symbol"), start_time: answer.start_time.slice(0, 19), end_time: answer.end_time.slice(0, 19) };
    const optional = (path, more) => ask(path, { ...range, ...more }, { signal }).catch((error) => {
      if (error instanceof Refused) return null;
      throw error;
    });
    const [candles, interest, funding, each, sums, trades] = await Promise.all([
      optional("/prices/klines", { interval: length, limit: 20000 }), optional("/data/open-interest"), optional("/data/funding"),
      optional("/liquidations/history", { limit: 5000, min_usdt: 5000 }), optional("/liquidations/history", { aggregate: answer.interval === "5m" ? "15m" : answer.interval, limit: 20000 }),
      state.get("run") ? ask(`/runs/${encodeURIComponent(state.get("run"))}/trades`, {}, { signal }) : null,
    ]);
    return { answer, data: dataOf({ candles, length, interest, funding, each, sums, trades, answer }) };
  });
  if (!found) return;
  heat = found.answer;
  heat.ms = heat.times.map(Date.parse);
  heat.step = LENGTH[heat.interval] * 60000;
  if (!heat.largest) tell(place, "Nothing is left of these maps: lower the threshold, or show both sides.");
  showOrigin(heat);
  showVerdict();
  chart.set(heat, found.data);
  slider.max = heat.ms.length - 1;
  slider.disabled = document.getElementById("latest").disabled = false;
  slide(state.get("known") ? Math.max(0, heat.ms.findLastIndex((time) => time <= Date.parse(`${state.get("known")}Z`))) : heat.ms.length - 1);
  read(null);
}

function dataOf({ candles, length, interest, funding, each, sums, trades }) {
  const ms = (row) => Date.parse(row.time);
  const bySide = new Map();
  for (const row of sums?.liquidations ?? []) {
    const known = bySide.get(row.time) ?? [ms(row), 0, 0];
    known[row.side === "long" ? 1 : 2] = row.side === "long" ? row.usdt : -row.usdt;
    bySide.set(row.time, known);
  }
  return {
    length: LENGTH[length] * 60000,
    candles: (candles?.klines ?? []).map((row) => [ms(row), row.open, row.high, row.low, row.close]),
    openInterest: (interest?.open_interest ?? []).map((row) => [ms(row), row.contracts]),
    funding: (funding?.funding ?? []).map((row) => [ms(row), 100 * row.rate]),
    sums: [...bySide.values()],
    sumStep: LENGTH[sums?.aggregate] * 60000,
    bubbles: (each?.liquidations ?? []).map((row) => ({ time: ms(row), price: row.price, usdt: row.usdt, side: row.side })),
    trades: (trades?.rows ?? []).filter((row) => row.symbol === state.get("symbol")).map((row) => ({
      opened: Date.parse(row.opened), closed: row.closed ? Date.parse(row.closed) : null, side: row.side, entry: row.entry_price, exit: row.exit_price, pnl: row.pnl,
    })),
  };
}

function slide(index) {
  slider.value = index;
  const last = index >= heat.ms.length - 1;
  sliderText.textContent = `${moment(heat.ms[index])}${last ? " (latest)" : ""}`;
  slider.setAttribute("aria-valuetext", `${moment(heat.ms[index])} UTC`);
  state.set({ known: last ? "" : moment(heat.ms[index]).replace(" ", "T") });
  chart.knowUpTo(index);
  window.shown = chart.shown();
}

function read(at) {
  const box = document.getElementById("readout");
  if (!heat) return;
  if (!at) {
    const index = Number(slider.value);
    box.replaceChildren(...pairs([["", `${heat.symbol} ${price(heat.prices[index])}`], ["map every", heat.interval], ["open interest", `${amount(heat.open_interest[index] * heat.prices[index])} USDT`], ["", "point at the picture to read its values"]]));
    return;
  }
  const rows = [["", moment(at.time)], ["price", price(at.price)], ["from price", percent(at.price / at.known - 1)], ["here", `${amount(at.usdt)} USDT`], ["sum to price", `${amount(at.sum)} USDT`]];
  if (at.candle) rows.push(["O H L C", at.candle.slice(1).map(price).join("  ")]);
  box.replaceChildren(...pairs(rows));
}

function pairs(rows) {
  return rows.map(([name, value]) => {
    const span = document.createElement("span"), bold = document.createElement("b");
    bold.textContent = value;
    span.append(name ? `${name} ` : "", bold);
    return span;
  });
}

function showVerdict() {
  const { words, reason } = heat.verdict;
  document.getElementById("verdict").textContent = `This model: ${words} (${reason}). Levels are estimates. ${heat.remarks.join(" ")}`;
}

function showLayers() {
  const on = new Set(state.get("layers").split(","));
  for (const chip of document.querySelectorAll("[data-layer]")) chip.setAttribute("aria-pressed", String(on.has(chip.dataset.layer)));
  chart.layers = on;
  chart.ask();
}

for (const chip of document.querySelectorAll("[data-layer]")) {
  chip.addEventListener("click", () => {
    const on = new Set(state.get("layers").split(",").filter(Boolean));
    if (!on.delete(chip.dataset.layer)) on.add(chip.dataset.layer);
    state.set({ layers: [...on].join(",") });
    showLayers();
  });
}
slider.addEventListener("input", () => slide(Number(slider.value)));
document.getElementById("latest").addEventListener("click", () => slide(heat.ms.length - 1));
document.getElementById("png").addEventListener("click", async () => {
  if (heat) download(await chart.picture(`${heat.symbol} ${heat.origin} ${moment(heat.ms[Number(slider.value)])} UTC, ${heat.model}, estimated`), `${heat.symbol}-heatmap.png`);
});
for (const [id, media] of [["csv", "text/csv"], ["parquet", "application/vnd.apache.parquet"]]) {
  document.getElementById(id).addEventListener("click", () => heat && exportRows("/liquidations/heatmap", question(), media, `${heat.symbol}-heatmap.${id}`));
}

let waiting;
state.bind(form, async (name) => {
  if (name === "scale") return chart.rescale(state.get("scale"));
  if (["data", "symbol", "window"].includes(name)) {
    state.set({ view: "", known: "" });
    chart.reset();
  }
  if (name === "data") await fillSymbols(form, state);
  clearTimeout(waiting);
  waiting = setTimeout(load, name === "threshold" ? 150 : 0);
});
chart.kind = state.get("scale");
if (state.get("view")) chart.view = state.get("view").split("~").map(Number);
showLayers();
const there = await latest.run(() => fillSymbols(form, state));
if (there === false) tell(place, NOTHING);
if (there) {
  const runs = await ask("/runs").catch(() => ({ runs: [] }));
  form.elements.run.append(...runs.runs.filter((run) => run.symbols.includes(state.get("symbol"))).map((run) => new Option(run.run, run.run)));
  form.elements.run.value = state.get("run");
  await load();
}
