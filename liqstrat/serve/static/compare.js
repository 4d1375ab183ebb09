import { ask, Latest, tell } from "./api.js";
import { colour, Drawing, FONT, label, ticks } from "./canvas.js";
import { amount, moment, percent, price } from "./format.js";
import { fillSymbols, NOTHING, showOrigin, State } from "./state.js";

const form = document.getElementById("controls");
const place = document.getElementById("state");
const quads = document.getElementById("quads");
const latest = new Latest(place);
const state = new State({ data: "", symbol: "", timeframe: "14d", at: "", height: "share", span: "0.1" });
const NAMES = { conserving: "Conserving book", ensemble: "Ensemble", oi_candle: "OI and candle", large_trades: "Large trades" };
const TOP = 20, BOTTOM = 22, LEFT = 54, RIGHT = 8;
let answer = null, drawings = [], pointed = null;

async function load() {
  const found = await latest.run((signal) => ask("/liquidations/compare-models", {
    data: state.get("data"), symbol: state.get("symbol"), timeframe: state.get("timeframe"), at: state.get("at"),
  }, { signal }));
  if (!found) return;
  answer = found;
  showOrigin(answer);
  document.getElementById("told").textContent = `${answer.symbol} at ${price(answer.price)}, as known at ${moment(answer.time)} UTC`;
  build();
  window.shown = answer;
}

function build() {
  drawings = [];
  quads.replaceChildren(...answer.models.map((one, at) => {
    const box = document.createElement("section"), head = document.createElement("div"), title = document.createElement("h2");
    box.className = "panel quad";
    head.className = "panel-head";
    title.textContent = NAMES[one.model];
    const stage = document.createElement("div"), canvas = document.createElement("canvas");
    stage.className = "stage small";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `What would be liquidated, by price, of the model ${NAMES[one.model]}; arrow keys move the pointer`);
    canvas.tabIndex = 0;
    stage.append(canvas);
    const words = document.createElement("span");
    words.className = `verdict ${one.verdict.better ? "good" : "weak"}`;
    words.textContent = one.verdict.words;
    head.append(title, words);
    box.append(head, stage, facts(one, at));
    const drawing = new Drawing(canvas, (context, width, height) => draw(context, width, height, one));
    drawings.push(drawing);
    canvas.addEventListener("pointermove", (event) => {
      const { left, width } = canvas.getBoundingClientRect(), [low, high] = range();
      pointed = low + ((event.clientX - left - LEFT) / (width - LEFT - RIGHT)) * (high - low);
      redraw();
    });
    canvas.addEventListener("pointerleave", () => { pointed = null; redraw(); });
    canvas.addEventListener("keydown", (event) => {
      const [low, high] = range(), step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) pointed = Math.min(high, Math.max(low, (pointed ?? answer.price) + (step * (high - low)) / 200));
      else if (event.key === "Escape") pointed = null;
      else return;
      event.preventDefault();
      redraw();
    });
    return box;
  }));
}

const redraw = () => drawings.forEach((one) => one.ask());
const range = () => [answer.price * (1 - Number(state.get("span"))), answer.price * (1 + Number(state.get("span")))];
const inView = (model) => model.levels.filter((row) => row.price_high > range()[0] && row.price_low < range()[1]);

function facts(one, at) {
  const list = document.createElement("dl");
  list.className = "facts";
  const lift = one.verdict.lift_at_equal_distance;
  const number = (value) => (value == null ? "–" : value.toFixed(2).replace("-", "−"));
  const strongest = one.largest[0];
  for (const [name, value, more] of [
    ["agrees with the first", at ? `rank ${number(one.agreement.rank)}, overlap ${one.agreement.overlap == null ? "–" : percent(one.agreement.overlap, 0).slice(1)}` : "the first"],
    ["lift at equal distance", lift && lift[0] != null ? `${number(lift[0])}${lift[1] == null ? "" : ` (${number(lift[1])} to ${number(lift[2])})`}` : "not scored", one.verdict.reason],
    ["largest level", strongest ? `${price(strongest.price)} (${percent(strongest.distance)}), ${amount(strongest.notional)} ${answer.quote}` : "none"],
  ]) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    if (more) dd.title = more;
    list.append(dt, dd);
  }
  return list;
}

function draw(context, width, height, model) {
  context.fillStyle = colour("plot");
  context.fillRect(0, 0, width, height);
  const [low, high] = range(), wide = width - LEFT - RIGHT, tall = height - TOP - BOTTOM;
  const rows = inView(model), kind = state.get("height");
  const total = (one) => inView(one).reduce((sum, row) => sum + row.notional, 0) || 1;
  const most = (one) => Math.max(...inView(one).map((row) => row.notional), 1);
  const largest = kind === "own" ? most(model) : kind === "notional" ? Math.max(...answer.models.map(most)) : total(model) * Math.max(...answer.models.map((one) => most(one) / total(one)));
  const text = kind === "share" ? (notional) => `${((100 * notional) / total(model)).toFixed(1)}%` : amount;
  const x = (value) => LEFT + ((value - low) / (high - low)) * wide, y = (notional) => TOP + tall * (1 - notional / largest);
  context.font = FONT;
  context.textBaseline = "middle";
  const unit = kind === "share" ? total(model) : 1;
  for (const value of ticks(0, largest / unit, 4).map((one) => one * unit)) {
    context.fillStyle = colour("grid");
    context.fillRect(LEFT, Math.round(y(value)), wide, 1);
    context.fillStyle = colour("muted");
    context.textAlign = "right";
    context.fillText(text(value), LEFT - 6, y(value));
  }
  context.textAlign = "center";
  for (const value of ticks(low, high, wide / 90)) context.fillText(value.toLocaleString("en", { maximumSignificantDigits: 7 }), x(value), height - BOTTOM / 2);
  for (const row of rows) {
    context.fillStyle = colour(row.side);
    const left = Math.max(LEFT, x(row.price_low));
    context.fillRect(left, y(row.notional), Math.max(1, x(row.price_high) - left - 0.4), TOP + tall - y(row.notional));
  }
  context.fillStyle = colour("text");
  context.fillRect(Math.round(x(answer.price)), TOP, 1, tall);
  if (pointed === null || pointed < low || pointed > high) return;
  const here = rows.filter((row) => pointed >= row.price_low && pointed < row.price_high).reduce((sum, row) => sum + row.notional, 0);
  context.globalAlpha = 0.5;
  context.fillRect(Math.round(x(pointed)), TOP, 1, tall);
  context.globalAlpha = 1;
  label(context, `${price(pointed)}  ${percent(pointed / answer.price - 1)}  ${amount(here)} ${answer.quote}`, x(pointed) > width / 2 ? x(pointed) - 6 : x(pointed) + 6, 11, { align: x(pointed) > width / 2 ? "right" : "left" });
}

state.bind(form, async (name) => {
  if (name === "height" || name === "span") return redraw();
  if (name === "data") await fillSymbols(form, state);
  load();
});
const there = await latest.run(() => fillSymbols(form, state));
if (there) await load();
else if (there === false) tell(place, NOTHING);
