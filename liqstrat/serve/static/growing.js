// The heatmap as the market runs: messages are taken in as they come, and drawn once a frame, however many came.

import { ask } from "./api.js";
import { around } from "./history.js";
import { LiveHeat } from "./live-heat.js";

const RANK = ["again", "column", "anew"];
const SUMS = "15m";
const NOTHING_YET = { candles: [], openInterest: [], funding: [], sums: [], bubbles: [], trades: [] };
const day = (time) => new Date(time).toISOString().slice(0, 19);

export class Growing {
  #asked = null;

  /** least: the amount below which cells are empty, asked for each time. show: hears the heat, its data, and how much is new. */
  constructor(state, { least, show }) {
    Object.assign(this, { state, least, show });
  }

  begin(symbol) {
    this.live = new LiveHeat();
    this.symbol = symbol;
    this.heat = this.verdict = this.trade = null;
    this.before = NOTHING_YET;
  }

  end() {
    this.live = null;
  }

  take(message) {
    this.trade = message.trade_id ?? this.trade;
    const first = !this.live.columns.size;
    this.change(this.live.take(message));
    if (first && this.live.columns.size) this.#remember(this.live);
  }

  /** Draw with the next frame: "again", with a "column" that has changed, or all "anew". */
  change(what) {
    if (!this.live?.columns.size) return;
    if (this.#asked === null) requestAnimationFrame(() => this.#draw());
    this.#asked = RANK[Math.max(RANK.indexOf(what), RANK.indexOf(this.#asked ?? "again"))];
  }

  /** History goes with it, as far as it is in the database. */
  async #remember(live) {
    const about = await ask(`/live/${encodeURIComponent(this.symbol)}`).catch(() => null);
    const start = live.heat(0).ms[0], end = (live.last + 1) * 300_000;
    const range = { data: about?.data ?? this.state.get("data"), symbol: this.symbol, start_time: day(start), end_time: day(end) };
    const before = await around(range, { length: "5m", interval: SUMS, run: this.state.get("run") }).catch(() => null);
    if (live !== this.live || !before) return;
    live.remember(before.candles);
    this.before = before;
    this.about = about;
    this.change("anew");
  }

  #draw() {
    const what = this.#asked, { live } = this;
    this.#asked = null;
    if (!live?.columns.size) return;
    const grown = what === "column" && this.heat && live.refresh(this.heat, this.least());
    if (!this.heat || what === "anew" || (what === "column" && !grown)) {
      this.heat = Object.assign(live.heat(this.least()), { verdict: this.about?.verdict ?? null, model: this.about?.model ?? "", remarks: [] });
      this.#show("anew");
    } else this.#show(grown ? "column" : "again");
  }

  #show(what) {
    const { live, before, heat } = this, last = heat.ms.length - 1;
    if (live.price) heat.prices[last] = live.price;
    const bubbles = [...before.bubbles, ...live.bubbles], since = before.openInterest.at(-1)?.[0] ?? -Infinity;
    this.show(heat, {
      length: 300_000, sumStep: 900_000, bubbles, trades: before.trades, funding: before.funding,
      candles: [...live.candles.values()].sort((a, b) => a[0] - b[0]),
      openInterest: [...before.openInterest, ...heat.ms.map((time, at) => [time, heat.open_interest[at]]).filter(([time]) => time > since)],
      sums: summed(before.sums, live.bubbles),
    }, { what, now: Math.max(live.now ?? 0, heat.ms[last]) });
  }
}

/** Sums of history, and those of what was liquidated since. */
function summed(before, bubbles) {
  const found = new Map(before.map((row) => [row[0], [...row]]));
  for (const { time, notional, side } of bubbles) {
    const start = Math.floor(time / 900_000) * 900_000, row = found.get(start) ?? [start, 0, 0];
    row[side === "long" ? 1 : 2] += side === "long" ? notional : -notional;
    found.set(start, row);
  }
  return [...found.values()].sort((a, b) => a[0] - b[0]);
}
