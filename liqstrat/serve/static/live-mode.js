// The switch of a page between history and the market as it runs, and the line that says how fresh what it shows is.

import { ask, Refused, tell } from "./api.js";
import { Live } from "./live.js";

const clock = (time) => new Date(time).toISOString().slice(11, 19);
const MENDED_MS = 15_000;

export class LiveMode {
  #live = null;
  #turn = 0;

  /** took: hears messages. left: is called when history is to be shown again. */
  constructor(kind, state, place, { began, took, left }) {
    Object.assign(this, { kind, state, place, began, took, left });
    this.button = document.getElementById("live");
    this.line = document.getElementById("fresh");
    this.aloud = document.getElementById("fresh-aloud");
    this.button.addEventListener("click", () => this.set(!this.on));
  }

  get on() {
    return this.state.get("live") === "1";
  }

  /** Turn it on, also anew for another symbol, or off. */
  async set(on) {
    const turn = ++this.#turn;
    this.#live?.stop();
    this.#live = null;
    this.state.set({ live: on ? "1" : "" });
    this.button.setAttribute("aria-pressed", String(on));
    for (const one of document.querySelectorAll("[data-still] :is(input, select, button), button[data-still]")) one.disabled = on;
    document.body.classList.toggle("is-live", on);
    this.line.hidden = !on;
    this.line.replaceChildren();
    this.market = { time: null, known: null, behind: false };
    tell(this.place, "");
    if (!on) return this.left();
    const symbol = this.state.get("symbol");
    const reason = await this.#refusal(symbol);
    if (turn !== this.#turn) return;
    if (reason) return tell(this.place, reason);
    this.began(symbol);
    this.#live = new Live(this.kind, symbol, { took: (message) => this.#hear(message), told: (status) => this.#show(status) });
    this.#live.start();
  }

  async #refusal(symbol) {
    try {
      const { symbols } = await ask("/live");
      if (symbols.includes(symbol)) return "";
      if (symbols.length) return `${symbol} is not watched here; there is ${symbols.join(", ")}.`;
      return `No market is watched here. Start \`liqstrat watch ${symbol} --port 8001\` and open the address that it prints: it has these pages, with the market as it runs.`;
    } catch (error) {
      if (error instanceof Refused) return error.message;
      throw error;
    }
  }

  #hear(message) {
    const { market } = this;
    if (message.type === "column") market.known = message.time;
    else {
      market.time = message.time ?? market.time;
      market.known = message.known_at ?? market.known;
      market.behind = message.behind ?? market.behind;
    }
    this.took(message);
  }

  #show(status) {
    const ago = (at) => `${Math.max(0, Math.round((Date.now() - at) / 1000))} s`;
    const { time, known, behind } = this.market;
    const of = time ? `price of ${clock(time)}` : "no price yet";
    const made = known && time ? `open interest of ${clock(known).slice(0, 5)}, ${Math.max(0, Math.floor((Date.parse(time) - Date.parse(known)) / 60000))} min before it` : "";
    const [kind, head, ...rest] = {
      opening: ["wait", "Connecting"],
      waiting: ["wait", "Connected", "waiting for the market", of],
      live: ["good", "Live", `heard ${ago(status.heard)} ago`, of, made, ...(behind ? ["trades are missing and asked for"] : []), ...(status.cuts && Date.now() - status.since < MENDED_MS ? [`the connection is back (${status.cuts} ${status.cuts === 1 ? "cut" : "cuts"} so far)`] : [])],
      stale: ["weak", "STALE", `nothing heard for ${ago(status.heard)}`, of, made],
      lost: ["bad", "NOT CONNECTED", status.reason, `trying again in ${Math.max(0, Math.ceil((status.again - Date.now()) / 1000))} s`, of],
      refused: ["bad", "Refused", status.reason],
    }[status.state];
    const strong = document.createElement("b");
    strong.textContent = head;
    this.line.className = `fresh ${kind}`;
    this.line.replaceChildren(strong, ...rest.filter(Boolean).map((text) => ` · ${text}`));
    if (this.said !== status.state) this.aloud.textContent = `${head} ${status.reason}`;
    this.said = status.state;
    window.live = Object.assign(status, this.market);
  }
}
