"use strict";

const plots = [...document.querySelectorAll(".plot")];
const MINUTE = 60000;

// Plotly counts time in milliseconds, and answers with text in UTC once somebody has zoomed.
const milliseconds = (time) => (typeof time === "number" ? time : Date.parse(time.replace(" ", "T") + "Z"));
const clock = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
const grouped = (value) => value.toLocaleString("en-US", Math.abs(value) >= 1000 ? { maximumFractionDigits: 1 } : { maximumSignificantDigits: 6 });
const short = (value) => {
  const [size, letter] = [[1e9, " B"], [1e6, " M"], [1e3, " K"]].find(([size]) => value >= size) || [1, ""];
  return (value / size).toLocaleString("en-US", { maximumSignificantDigits: 3 }) + letter;
};

// Figures are written in dark colours; here is what stands for each of them in a light page.
const light = JSON.parse(document.getElementById("light").textContent);
const dark = Object.fromEntries(Object.entries(light).map(([one, other]) => [other, one]));
let shown = "dark";

const hex = (parts) => `#${parts.map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
const numbers = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

function other(colour, colours) {
  const faint = /^rgba\((\d+),(\d+),(\d+),(.+)\)$/.exec(colour);
  if (!faint) return colours[colour] ?? colour;
  const found = colours[hex(faint.slice(1, 4))];
  return found ? `rgba(${numbers(found)},${faint[4]})` : colour;
}

// Takes the colours of the other theme wherever they stand in a figure.
function repaint(part, colours) {
  for (const [key, value] of Object.entries(part)) {
    if (typeof value === "string") {
      if (value.length < 32) part[key] = other(value, colours);
    } else if (value instanceof Object && !ArrayBuffer.isView(value) && typeof value.at?.(-1) !== "number") repaint(value, colours);
  }
}

function paintAll(theme) {
  if (theme === shown) return;
  shown = theme;
  for (const plot of plots) {
    for (const part of [plot.data, plot.layout]) repaint(part, theme === "light" ? light : dark);
    Plotly.redraw(plot);
  }
}

function draw(plot) {
  const spec = JSON.parse(document.getElementById(plot.dataset.spec).textContent);
  if (shown === "light") repaint(spec, light);
  const zooms = plot.dataset.scrollZoom === "true";
  if (zooms) {
    for (const trace of spec.data) {
      if (trace.type === "heatmap") Object.assign(trace, { hoverinfo: "none", hovertemplate: "" });
    }
  }
  Plotly.newPlot(plot, spec.data, spec.layout, {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    scrollZoom: zooms,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    toImageButtonOptions: { filename: document.title, scale: 2 },
  });
  const readout = document.querySelector(`.readout[data-for="${plot.id.slice("plot-".length)}"]`);
  if (readout) plot.on("plotly_hover", (event) => read(plot, readout, event.points));
  plot.on("plotly_relayout", () => fitToView(plot));
  fitToView(plot);
}

// Shows the finest candles that are readable in the stretch of time in view, and larger markers the shorter it is.
function fitToView(plot) {
  const lengths = plot.data.map((trace, index) => [index, trace.meta?.candle_minutes]).filter(([, length]) => length);
  if (!lengths.length) return;
  const [from, to] = plot.layout.xaxis.range.map(milliseconds);
  const most = plot.clientWidth / 3.2;
  const [chosen] = lengths.find(([, length]) => (to - from) / (length * MINUTE) <= most) || lengths.at(-1);
  if (plot.data[chosen].visible !== true)
    Plotly.restyle(plot, { visible: lengths.map(([index]) => index === chosen) }, lengths.map(([index]) => index));
  plot.wholeSpan ??= to - from;
  const markers = plot.data.map((trace, index) => [index, trace.meta]).filter(([, meta]) => meta?.full_size);
  const sizes = markers.map(([, meta]) => Math.min(meta.full_size, meta.size * Math.sqrt(plot.wholeSpan / (to - from))));
  if (markers.some(([index], i) => Math.abs(plot.data[index].marker.size - sizes[i]) > 0.5))
    Plotly.restyle(plot, { "marker.size": sizes }, markers.map(([index]) => index));
}

// Writes what stands under the pointer, and the candle there, into the line above the heatmap.
function read(plot, readout, points) {
  const point = points.find((one) => one.data.type === "heatmap");
  if (!point) return;
  const time = milliseconds(point.x);
  const candle = candleAt(plot, time);
  const [amount, ...bounds] = amountsAt(plot, point).map(short);
  const side = candle ? (point.y < candle.close ? "longs" : "shorts") : "positions";
  const between = bounds.length ? `, 90 % band ${bounds.join(" to ")}` : "";
  const level = point.z ? `about ${amount} ${point.data.meta.unit} of ${side}${between}` : "not recorded";
  const parts = [`${clock(time - point.data.dx / 2)} UTC`, `${grouped(point.y)}: ${level}`];
  if (candle) parts.push(["open", "high", "low", "close"].map((name) => `${name[0].toUpperCase()} ${grouped(candle[name])}`).join("  "));
  readout.textContent = parts.join("   ·   ");
}

// What the pictures of a cell say: what is expected, and with a band the least and the most.
function amountsAt(plot, point) {
  return plot.data.filter((one) => one.type === "heatmap").map((one) => one.meta.amounts[codeAt(one.z, point.pointIndex)]);
}

// A byte of a picture, as it was sent where it is not drawn.
const sent = new WeakMap();
function codeAt(z, [row, column]) {
  if (!z.bdata) return z[row][column];
  if (!sent.has(z)) sent.set(z, atob(z.bdata));
  return sent.get(z).charCodeAt(row * Number(String(z.shape).split(",")[1]) + column);
}

function candleAt(plot, time) {
  const trace = plot._fullData.find((one) => one.type === "candlestick" && one.visible === true);
  if (!trace) return null;
  const half = (trace.meta.candle_minutes * MINUTE) / 2;
  let index = -1;
  for (let low = 0, high = trace.x.length - 1; low <= high; ) {
    const middle = (low + high) >> 1;
    if (trace.x[middle] - half <= time) [index, low] = [middle, middle + 1];
    else high = middle - 1;
  }
  if (index < 0 || time >= trace.x[index] + half) return null;
  return Object.fromEntries(["open", "high", "low", "close"].map((name) => [name, trace[name][index]]));
}

function sortBy(header) {
  const table = header.closest("table");
  const column = header.cellIndex;
  const upwards = header.getAttribute("aria-sort") === "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", upwards ? "ascending" : "descending");
  const value = (row) => row.cells[column].dataset.value;
  const order = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const difference = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
    return upwards ? difference : -difference;
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => order(value(a), value(b))));
}

// Brings a trade into view on its heatmap, with at least two hours around it and a frame around its level.
function showTrade(button) {
  const plot = document.getElementById(button.dataset.plot);
  const [from, to, ...prices] = ["from", "to", "entry", "exit", "levelLow", "levelHigh"]
    .filter((name) => button.dataset[name])
    .map((name) => Number(button.dataset[name]));
  const around = Math.max(to - from, 120 * MINUTE);
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const margin = Math.max((high - low) / 2, high * 0.006);
  const [y0, y1] = [button.dataset.levelLow, button.dataset.levelHigh].map(Number);
  const frame = { type: "rect", x0: from - around / 2, x1: to, y0, y1, line: { color: getComputedStyle(plot).getPropertyValue("--accent"), width: 2, dash: "dash" } };
  Plotly.relayout(plot, {
    "xaxis.range": [from - around, to + around],
    "yaxis.range": [low - margin, high + margin],
    shapes: button.dataset.levelLow ? [frame] : [],
  });
  plot.closest("section").scrollIntoView({ behavior: "smooth" });
}

const root = document.documentElement;
shown = root.dataset.theme;
for (const plot of plots) draw(plot);
addEventListener("theme", () => paintAll(root.dataset.theme));
document.addEventListener("click", (event) => {
  const header = event.target.closest("th[data-sortable]");
  const trade = event.target.closest("button.show");
  if (header) sortBy(header);
  if (trade) showTrade(trade);
});
let closed = [];
addEventListener("beforeprint", () => {
  paintAll("light");
  // Nobody opens anything on paper.
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const details of closed) details.open = true;
  plots.forEach((plot) => Plotly.relayout(plot, { width: 700 }));
});
addEventListener("afterprint", () => {
  paintAll(root.dataset.theme);
  for (const details of closed) details.open = false;
  plots.forEach((plot) => Plotly.relayout(plot, { width: null, autosize: true }));
});
