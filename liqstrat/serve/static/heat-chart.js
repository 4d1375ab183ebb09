// The heatmap's picture: the bitmap under candles, panes below, a profile at the right; the pointer on a canvas above.

import { colour, Drawing, FONT, label, moves, ticks, timeTicks } from "./canvas.js";
import { moment, price } from "./format.js";
import { paint, paintColumn, palette, rowsOf, scaleOf } from "./heat.js";
import { drawBubbles, drawSwept, drawTrades, sweptOf } from "./marks.js";
import { drawPane, panesOf } from "./panes.js";

const AXIS = 66, BOTTOM = 24, PROFILE = 120, PANE = 66;
const MOST_SWEPT = 80, NEAR = 7;
const LEAST_MARGIN = 0.025, MOST_MARGIN = 0.08, MARGIN_OF_RANGE = 0.45;

export class Chart {
  constructor(canvas, over, { pointed, moved }) {
    this.heat = this.data = this.view = this.cross = null;
    this.layers = new Set();
    this.kind = "power";
    this.bitmap = document.createElement("canvas");
    this.pointed = pointed;
    this.moved = moved;
    this.main = new Drawing(canvas, (context, width, height) => this.#draw(context, width, height));
    this.over = new Drawing(over, (context, width, height) => this.#drawOver(context, width, height));
    addEventListener("theme", () => this.#paint());
    moves(over, {
      zoom: (factor, x, y, shift) => this.#zoom(factor, x, y, shift),
      pan: (dx, dy) => this.#pan(dx, dy),
      point: (x, y) => this.#point(x, y),
      leave: () => this.#point(null),
      reset: () => { this.reset(); this.moved(null); },
      step: (across, down) => this.#step(across, down),
    });
  }

  /** quote: what amounts are in. */
  set(heat, data, quote) {
    this.quote = quote;
    this.heat = heat;
    this.data = data;
    this.rows = heat.price_edges.length ? rowsOf(heat.price_edges) : null;
    this.runThrough = sweptOf(heat);
    this.upTo = heat.ms.length - 1;
    this.cross = null;
  }

  /** Show nothing that came after a map; `now`: nor after that moment, where candles grow as the market runs. */
  knowUpTo(index, now = null) {
    this.upTo = index;
    this.#know(now);
    this.#paint();
  }

  /** More is known now, of the last map or but of price. */
  grow(now, { column }) {
    this.#know(now);
    if (column && this.scale && this.rows) paintColumn(this.bitmap, this.heat, this.upTo, this.scale, palette(), this.rows);
    this.ask();
  }

  #know(now) {
    this.until = now ?? this.heat.ms[this.upTo];
    this.candles = this.data.candles.filter(([time]) => (now === null ? time + this.data.length <= this.until : time < now));
    this.bubbles = this.data.bubbles.filter((one) => one.time < this.until);
    this.swept = this.runThrough.filter((one) => one.time <= this.until).slice(0, MOST_SWEPT);
    this.trades = this.data.trades.filter((one) => one.opened < this.until);
  }

  rescale(kind) {
    this.kind = kind;
    this.#paint();
  }

  reset() {
    this.view = null;
    this.ask();
  }

  ask() {
    this.main.ask();
    this.over.ask();
  }

  /** What is drawn, for who looks closer. */
  shown() {
    const times = [...this.candles.map(([time]) => time + this.data.length), ...this.bubbles.map((one) => one.time), ...this.swept.map((one) => one.time), this.heat.ms[this.upTo]];
    return {
      heat: this.heat, until: this.until, ending: this.candles.slice(-2), latest: Math.max(...times), candles: this.candles.length, bubbles: this.bubbles.length, swept: this.swept, trades: this.trades.length,
      panes: panesOf(this.data, this.layers, this.until, this.quote).map((pane) => ({ name: pane.name, latest: Math.max(...pane.rows.map(([time]) => time)) })), view: this.#range(),
    };
  }

  #paint() {
    if (!this.heat || !this.rows) return this.ask();
    this.scale = scaleOf(this.heat, this.upTo, this.kind);
    paint(this.bitmap, this.heat, this.upTo, this.scale, palette(), this.rows);
    this.ask();
  }

  #range() {
    if (this.view?.length === 4 && this.view[0] < this.view[1] && this.view[2] < this.view[3]) return this.view;
    const { ms, step, prices } = this.heat;
    const seen = this.candles?.length ? this.candles : [[0, 0, Math.max(...prices.slice(0, this.upTo + 1)), Math.min(...prices.slice(0, this.upTo + 1))]];
    const low = Math.min(...seen.map((one) => one[3])), high = Math.max(...seen.map((one) => one[2]));
    const margin = Math.min(Math.max(MARGIN_OF_RANGE * (high - low), LEAST_MARGIN * high), MOST_MARGIN * high);
    return [ms[0], ms.at(-1) + step, low - margin, high + margin];
  }

  #layout(width, height) {
    const panes = this.data ? panesOf(this.data, this.layers, this.until, this.quote) : [];
    const profile = this.layers.has("profile") && width > 560 ? PROFILE : 0;
    const wide = width - AXIS - profile, tall = height - BOTTOM - panes.length * PANE;
    return { panes, profile, wide, tall };
  }

  #axes(width, height) {
    const { wide, tall } = this.#layout(width, height);
    const [from, to, low, high] = this.#range();
    return {
      x: (time) => ((time - from) / (to - from)) * wide, y: (value) => tall - ((value - low) / (high - low)) * tall,
      time: (x) => from + (x / wide) * (to - from), price: (y) => low + ((tall - y) / tall) * (high - low),
    };
  }

  #draw(context, width, height) {
    context.fillStyle = colour("plot");
    context.fillRect(0, 0, width, height);
    if (!this.heat || this.until === undefined) return;
    const { panes, wide, tall } = this.#layout(width, height);
    const { x, y } = this.#axes(width, height);
    const [from, to, low, high] = this.#range();
    context.save();
    context.beginPath();
    context.rect(0, 0, wide, tall);
    context.clip();
    context.fillStyle = colour("unknown");
    context.fillRect(0, 0, wide, tall);
    if (this.rows) this.#image(context, x, y, from, to, low, high);
    this.#grid(context, wide, tall, x, y);
    if (this.layers.has("candles")) this.#candles(context, x, y, from, to);
    if (this.layers.has("swept")) drawSwept(context, this.swept, x, y);
    if (this.layers.has("bubbles")) drawBubbles(context, this.bubbles, x, y, [from, to]);
    drawTrades(context, this.trades, x, y, this.until);
    if (this.upTo < this.heat.ms.length - 1) this.#border(context, x(this.until), tall, wide);
    context.restore();
    panes.forEach((pane, at) => {
      pane.step = pane.kind === "sides" ? this.data.sumStep : 0;
      drawPane(context, pane, { left: 0, top: tall + at * PANE, wide, tall: PANE }, x, [from, to]);
    });
    this.#labels(context, width, height, wide, tall, x, y);
    this.#legend(context, wide);
    this.drawn?.();
  }

  /** Only what is in view is copied: the whole of a large picture takes a slow machine many times as long. */
  #image(context, x, y, from, to, low, high) {
    const { ms, step } = this.heat, { rows, bitmap } = this;
    const first = Math.max(0, Math.floor((from - ms[0]) / step)), last = Math.min(this.upTo + 1, Math.ceil((to - ms[0]) / step));
    const count = rows.bins.length, each = (rows.high - rows.low) / count;
    const top = Math.max(0, Math.floor((rows.high - high) / each)), bottom = Math.min(count, Math.ceil((rows.high - low) / each));
    if (last <= first || bottom <= top) return;
    const left = x(ms[0] + first * step), right = x(ms[0] + last * step);
    const above = y(rows.high - top * each), below = y(rows.high - bottom * each);
    context.imageSmoothingEnabled = false;
    context.drawImage(bitmap, first, top, last - first, bottom - top, left, above, right - left, below - above);
  }

  #grid(context, wide, tall, x, y) {
    const [from, to, low, high] = this.#range();
    context.strokeStyle = colour("text");
    context.globalAlpha = 0.07;
    context.beginPath();
    for (const { time } of timeTicks(from, to, wide / 90)) { context.moveTo(Math.round(x(time)) + 0.5, 0); context.lineTo(Math.round(x(time)) + 0.5, tall); }
    for (const value of ticks(low, high, tall / 56)) { context.moveTo(0, Math.round(y(value)) + 0.5); context.lineTo(wide, Math.round(y(value)) + 0.5); }
    context.stroke();
    context.globalAlpha = 1;
  }

  #candles(context, x, y, from, to) {
    const length = this.data.length, body = Math.max(1, (x(from + length) - x(from)) * 0.66);
    for (const rising of [true, false]) {
      context.fillStyle = colour(rising ? "up" : "down");
      for (const [time, open, high, low, close] of this.candles) {
        if (close >= open !== rising || time + length < from || time > to) continue;
        const middle = x(time + length / 2);
        context.fillRect(middle - 0.5, y(high), 1, Math.max(1, y(low) - y(high)));
        if (body > 1.5) context.fillRect(middle - body / 2, y(Math.max(open, close)), body, Math.max(1, Math.abs(y(open) - y(close))));
      }
    }
  }

  #border(context, at, tall, wide) {
    context.fillStyle = colour("page");
    context.globalAlpha = 0.35;
    context.fillRect(at, 0, wide - at, tall);
    context.globalAlpha = 1;
    context.strokeStyle = colour("warning");
    context.setLineDash([5, 4]);
    context.beginPath();
    context.moveTo(Math.round(at) + 0.5, 0);
    context.lineTo(Math.round(at) + 0.5, tall);
    context.stroke();
    context.setLineDash([]);
    if (at < wide - 80) label(context, "not known yet", at + 6, 14, { ink: colour("warning") });
  }

  #labels(context, width, height, wide, tall, x, y) {
    const [from, to, low, high] = this.#range();
    context.font = FONT;
    context.textBaseline = "middle";
    context.textAlign = "left";
    const now = this.heat.prices[this.upTo], near = (value) => Math.abs(y(value) - y(now)) < 17;
    for (const value of ticks(low, high, tall / 56)) {
      context.fillStyle = colour("muted");
      if (y(value) > 8 && y(value) < tall - 6 && !near(value)) context.fillText(value.toLocaleString("en", { maximumSignificantDigits: 7 }), wide + 7, y(value));
    }
    context.textAlign = "center";
    for (const { time, text, midnight } of timeTicks(from, to, wide / 90)) {
      context.fillStyle = colour(midnight ? "text" : "muted");
      if (x(time) > 20 && x(time) < wide - 16) context.fillText(text, x(time), height - BOTTOM / 2);
    }
    if (now > low && now < high) label(context, price(now), wide + 2, y(now), { ground: colour("accent"), ink: colour("on-accent") });
  }

  #legend(context, wide) {
    if (!this.scale || wide < 420) return;
    const colours = palette(), left = wide - 190, top = 12;
    context.fillStyle = colour("plot");
    context.globalAlpha = 0.8;
    context.fillRect(left - 8, top - 8, 190, 32);
    context.globalAlpha = 1;
    for (let at = 0; at < 174; at++) {
      const ink = colours[Math.round((at / 173) * 255)];
      context.fillStyle = `rgb(${ink & 255} ${(ink >> 8) & 255} ${(ink >> 16) & 255})`;
      context.fillRect(left + at, top - 3, 1.2, 7);
    }
    context.font = FONT;
    context.fillStyle = colour("text");
    context.textBaseline = "middle";
    const size = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 2 });
    const end = `${size.format(this.scale.decode(1))}+ ${this.quote}`, middle = size.format(this.scale.decode(0.5));
    context.textAlign = "left";
    context.fillText("0", left, top + 14);
    // In the middle where there is room, else left of it.
    const free = 174 - context.measureText(end).width - 12 - context.measureText(middle).width;
    context.fillText(middle, left + Math.min(87 - context.measureText(middle).width / 2, free), top + 14);
    context.textAlign = "right";
    context.fillText(end, left + 174, top + 14);
  }

  #drawOver(context, width, height) {
    if (!this.heat || this.until === undefined) return;
    const { profile, wide, tall } = this.#layout(width, height);
    const { x, y } = this.#axes(width, height);
    const column = this.cross ? this.cross.column : this.upTo;
    if (profile && this.rows) this.#profile(context, width, profile, tall, y, column);
    if (!this.cross) return;
    context.strokeStyle = colour("text");
    context.globalAlpha = 0.55;
    context.setLineDash([3, 3]);
    context.beginPath();
    const at = Math.round(x(this.cross.time)) + 0.5, across = Math.round(y(this.cross.price)) + 0.5;
    context.moveTo(at, 0);
    context.lineTo(at, height - BOTTOM);
    context.moveTo(0, across);
    context.lineTo(width, across);
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
    label(context, price(this.cross.price), wide + 2, across);
    label(context, moment(this.cross.time).slice(5), at, height - BOTTOM / 2, { align: "center" });
  }

  /** The map of one column as bars at the right, longer for more. */
  #profile(context, width, profile, tall, y, column) {
    const { price_edges: edges, notional, prices } = this.heat, [, , low, high] = this.#range();
    const left = width - profile;
    context.fillStyle = colour("plot");
    context.fillRect(left, 0, profile, tall);
    let largest = 1;
    const seen = [];
    for (let at = 0; at < notional.length; at++) {
      if (edges[at + 1] < low || edges[at] > high) continue;
      largest = Math.max(largest, notional[at][column]);
      seen.push(at);
    }
    for (const at of seen) {
      const long = notional[at][column] && edges[at] < prices[column];
      context.fillStyle = colour(long ? "long" : "short");
      const top = y(edges[at + 1]), bottom = y(edges[at]);
      context.fillRect(left, top, (notional[at][column] / largest) * (profile - 8), Math.max(0.7, bottom - top - 0.3));
    }
    context.fillStyle = colour("text");
    context.fillRect(left, y(prices[column]), profile, 1);
    label(context, this.cross ? `map at ${moment(this.heat.ms[column]).slice(5)}` : "map as known", width - 2, 11, { align: "right", ink: colour("muted") });
  }

  #zoom(factor, x, y, shift) {
    if (!this.heat) return;
    const { width, height } = this.main, { wide } = this.#layout(width, height), axes = this.#axes(width, height);
    let [from, to, low, high] = this.#range();
    if (shift || x > wide) {
      const middle = axes.price(y);
      [low, high] = [middle - (middle - low) * factor, middle + (high - middle) * factor];
    } else {
      const middle = axes.time(x);
      [from, to] = [middle - (middle - from) * factor, middle + (to - middle) * factor];
    }
    this.#show(from, to, low, high);
  }

  #pan(dx, dy) {
    if (!this.heat) return;
    const { width, height } = this.main, { wide, tall } = this.#layout(width, height), [from, to, low, high] = this.#range();
    const across = (-dx / wide) * (to - from), up = (dy / tall) * (high - low);
    this.#show(from + across, to + across, low + up, high + up);
  }

  #show(from, to, low, high) {
    const { ms, step } = this.heat, whole = ms.at(-1) + step - ms[0];
    if (to - from < 4 * step || to - from > whole * 1.6 || high - low < high * 1e-4 || high > low * 5 || low <= 0) return;
    const out = Math.max(ms[0] - whole * 0.3 - from, 0) - Math.max(to - ms.at(-1) - step - whole * 0.3, 0);
    this.view = [from + out, to + out, low, high];
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.moved(this.view), 200);
    this.ask();
  }

  #point(x, y) {
    const { width, height } = this.main;
    const { wide, tall } = this.#layout(width, height);
    if (x === null || !this.heat || x > wide || y > tall) {
      if (this.cross) { this.cross = null; this.pointed(null); this.over.ask(); }
      return;
    }
    const axes = this.#axes(width, height);
    this.#cross(axes.time(x), axes.price(y));
  }

  #cross(time, value) {
    const { ms, step, price_edges: edges, notional, prices } = this.heat;
    const column = Math.min(Math.max(Math.floor((time - ms[0]) / step), 0), this.upTo);
    const bin = edges.findLastIndex((edge) => edge <= value), known = prices[column];
    let sum = 0;
    for (let at = 0; at < notional.length; at++) {
      const middle = (edges[at] + edges[at + 1]) / 2;
      if ((value < known && middle >= value && middle <= known) || (value >= known && middle <= value && middle >= known)) sum += notional[at][column];
    }
    const candle = this.candles.findLast(([opened]) => opened <= time && time < opened + this.data.length);
    this.cross = { time, price: value, column };
    const { width, height } = this.main, axes = this.#axes(width, height);
    const swept = this.layers.has("swept") && this.swept.find((one) => Math.abs(axes.x(one.time) - axes.x(time)) < NEAR && axes.y(one.high) - NEAR < axes.y(value) && axes.y(value) < axes.y(one.low) + NEAR);
    this.pointed({ time, price: value, known, swept, notional: notional[bin]?.[column] ?? 0, sum, candle });
    this.over.ask();
  }

  #step(across, down) {
    if (!this.heat) return;
    const { ms, step, prices } = this.heat, [, , low, high] = this.#range();
    const from = this.cross ?? { time: ms[this.upTo] + step / 2, price: prices[this.upTo] };
    this.#cross(Math.min(Math.max(from.time + across * step, ms[0]), ms[this.upTo] + step / 2), from.price - (down * (high - low)) / 60);
  }

  /** A picture of what is shown, with a line that says what it is. */
  picture(told) {
    const { canvas } = this.main, copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext("2d"), ratio = devicePixelRatio || 1;
    context.drawImage(canvas, 0, 0);
    context.drawImage(this.over.canvas, 0, 0);
    context.scale(ratio, ratio);
    label(context, told, 8, 16);
    return new Promise((done) => copy.toBlob(done, "image/png"));
  }
}
