import { ask, Latest, tell } from "./api.js";
import { Chart } from "./heat-chart.js";
import { download, exportRows } from "./export.js";
import { amount, moment, percent, price } from "./format.js";
import { Growing } from "./growing.js";
import { around, LENGTH } from "./history.js";
import { LiveMode } from "./live-mode.js";
import { fillSymbols, NOTHING, showOrigin, State } from "./state.js";

const form = document.getElementById("controls");
const place = document.getElementById("state");
const slider = document.getElementById("known");
const sliderText = document.getElementById("known-text");
const latestButton = document.getElementById("latest");
const latest = new Latest(place);
const state = new State({
  data: "", symbol: "", model: "conserving", window: "7d", interval: "", side: "both", scale: "power", threshold: "0",
  run: "", layers: "candles,bubbles,swept,profile,oi,funding,sums", known: "", view: "", live: "",
});
const CANDLES = { "12h": "5m", "24h": "5m", "3d": "15m", "7d": "30m", "14d": "1h", "30d": "1h", "90d": "4h", "1y": "1d" };
let heat = null;
let live = null; // the moment of what is known, where the market is shown as it runs
let follows = true; // the slider stands at its end

const chart = new Chart(document.getElementById("chart"), document.getElementById("over"), {
  pointed: read,
  moved: (view) => state.set({ view: view ? view.map((one) => Number(one.toPrecision(10))).join("~") : "" }),
});
const least = () => (Number(state.get("threshold")) ? Math.round(10 ** (4 + Number(state.get("threshold")) / 20)) : 0);
chart.drawn = () => dispatchEvent(new CustomEvent("drawn", { detail: growing.trade }));
const growing = new Growing(state, { least, show: grown });
const mode = new LiveMode("heatmap", state, place, {
  began(symbol) {
    latest.stop();
    follows = true;
    growing.begin(symbol);
    showRecorded(null);
  },
  took: (message) => growing.take(message),
  left() {
    growing.end();
    live = null;
    load();
  },
});
const question = () => ({
  data: state.get("data"), symbol: state.get("symbol"), model: state.get("model"), window: state.get("window"),
  interval: state.get("interval"), side: state.get("side"), min_notional: least() || "",
});

async function load() {
  showThreshold();
  if (mode.on) return growing.change("anew");
  const found = await latest.run(async (signal) => {
    const answer = await ask("/liquidations/heatmap", question(), { signal });
    const range = { data: state.get("data"), symbol: state.get("symbol"), start_time: answer.start_time.slice(0, 19), end_time: answer.end_time.slice(0, 19) };
    const what = { length: CANDLES[state.get("window")], interval: answer.interval === "5m" ? "15m" : answer.interval, run: state.get("run") };
    return { answer, data: await around(range, what, signal) };
  });
  if (!found) return;
  heat = found.answer;
  heat.ms = heat.times.map(Date.parse);
  heat.step = LENGTH[heat.interval] * 60000;
  if (!heat.largest) tell(place, "Nothing is left of these maps: lower the threshold, or show both sides.");
  showOrigin(heat);
  showVerdict();
  chart.set(heat, found.data, state.quote);
  showRecorded(found.data);
  slider.max = heat.ms.length - 1;
  slider.disabled = latestButton.disabled = false;
  slide(state.get("known") ? Math.max(0, heat.ms.findLastIndex((time) => time <= Date.parse(`${state.get("known")}Z`))) : heat.ms.length - 1);
  read(null);
}

function showThreshold() {
  document.getElementById("threshold-text").textContent = least() ? `${amount(least())} ${state.quote}` : "none";
}

/** The market as it runs: what is drawn has grown. */
function grown(shown, data, { what, now }) {
  heat = shown;
  live = { now };
  if (what === "anew") {
    const index = Number(slider.value), kept = follows ? null : chart.heat?.ms[index];
    showOrigin(heat);
    if (heat.verdict) showVerdict();
    chart.set(heat, data, state.quote);
    slider.max = heat.ms.length - 1;
    slider.disabled = latestButton.disabled = false;
    slide(kept === null || kept === undefined ? heat.ms.length - 1 : Math.max(0, heat.ms.indexOf(kept)));
  } else {
    chart.data = data;
    if (!follows) return;
    chart.grow(now, { column: what === "column" });
    window.shown = chart.shown();
  }
  if (!chart.cross) read(null);
}

function slide(index) {
  slider.value = index;
  const last = index >= heat.ms.length - 1;
  follows = last;
  sliderText.textContent = `${moment(heat.ms[index])}${last ? " (latest)" : ""}`;
  slider.setAttribute("aria-valuetext", `${moment(heat.ms[index])} UTC`);
  state.set({ known: last ? "" : moment(heat.ms[index]).replace(" ", "T") });
  chart.knowUpTo(index, live && last ? live.now : null);
  window.shown = chart.shown();
}

function read(at) {
  const box = document.getElementById("readout");
  if (!heat) return;
  if (!at) {
    const index = Number(slider.value);
    box.replaceChildren(...pairs([["", `${heat.symbol} ${price(heat.prices[index])}`], ["map every", heat.interval], ["open interest", `${amount(heat.open_interest[index] * state.worth(heat.prices[index]))} ${state.quote}`], ["", "point at the picture to read its values"]]));
    return;
  }
  const rows = [["", moment(at.time)], ["price", price(at.price)], ["from price", percent(at.price / at.known - 1)], ["here", `${amount(at.notional)} ${state.quote}`], ["sum to price", `${amount(at.sum)} ${state.quote}`]];
  if (at.swept) rows.push([`run through by ${moment(at.swept.time).slice(5)}`, `${amount(at.swept.notional)} ${state.quote} of ${at.swept.side}s`]);
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

/** What is not on record cannot be shown. */
function showRecorded(data) {
  for (const [layer, name] of [["bubbles", "bubbles"], ["sums", "sums"], ["oi", "openInterest"], ["funding", "funding"]]) {
    const chip = document.querySelector(`[data-layer="${layer}"]`);
    chip.disabled = data !== null && !data[name].length;
    chip.title = chip.disabled ? "None on record here" : "";
  }
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
latestButton.addEventListener("click", () => slide(heat.ms.length - 1));
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
  if (mode.on && ["data", "symbol", "run"].includes(name)) return mode.set(true);
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
  await (mode.on ? mode.set(true) : load());
}
