// What a page shows is in its address, so that a link holds all of it. Controls have the names of its parts.

import { ask } from "./api.js";
import { ago, moment } from "./format.js";

export class State {
  /** defaults: by name; what is at its default is left out of the address. */
  constructor(defaults) {
    this.defaults = defaults;
    this.values = { ...defaults };
    for (const [name, value] of new URLSearchParams(location.search)) if (name in defaults) this.values[name] = value;
  }

  get(name) {
    return this.values[name];
  }

  /** What amounts of the symbol are in. */
  get quote() {
    return this.#market?.quote ?? "";
  }

  /** What a contract of the symbol is worth at a price. */
  worth(price) {
    return this.#market?.contract_size ?? price;
  }

  get #market() {
    return this.markets?.get(this.values.symbol);
  }

  set(changes) {
    Object.assign(this.values, changes);
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(this.values)) if (value !== this.defaults[name] && value != null) query.set(name, value);
    history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
    for (const link of document.querySelectorAll("nav a")) carry(link, this.values);
  }

  /** Bind the controls of a form; `changed` hears the name of what was changed. */
  bind(form, changed) {
    for (const control of form.elements) {
      const name = control.name;
      if (!(name in this.defaults)) continue;
      if (control.type === "radio") control.checked = control.value === this.values[name];
      else control.value = this.values[name];
      control.addEventListener(control.type === "range" ? "input" : "change", () => {
        this.set({ [name]: control.value });
        changed(name);
      });
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    this.set({});
  }
}

/** A symbol and its data are kept from page to page. */
function carry(link, values) {
  const url = new URL(link.href);
  for (const name of ["data", "symbol"]) {
    if (values[name]) url.searchParams.set(name, values[name]);
    else url.searchParams.delete(name);
  }
  link.href = url.pathname + url.search;
}

/** Fill the selectors of data and symbol with what there is; false where there is nothing. */
export async function fillSymbols(form, state) {
  const { databases } = await ask("/symbols");
  const full = databases.filter((one) => one.symbols.length);
  document.body.classList.toggle("nothing", !full.length);
  if (!full.length) return false;
  const data = full.find((one) => one.data === state.get("data")) ?? full[0];
  options(form.elements.data, full.map((one) => one.data), data.data);
  const symbol = data.symbols.find((one) => one.symbol === state.get("symbol")) ?? data.symbols[0];
  options(form.elements.symbol, data.symbols.map((one) => one.symbol), symbol.symbol);
  for (const field of form.querySelectorAll('[data-only="many-data"]')) field.hidden = full.length < 2;
  state.markets = new Map(data.symbols.map((one) => [one.symbol, one]));
  state.set({ data: data.data, symbol: symbol.symbol });
  return true;
}

function options(select, names, chosen) {
  select.replaceChildren(...names.map((name) => new Option(name, name, name === chosen, name === chosen)));
}

/** SIMULATED or real, and how old, in the corner. */
export function showOrigin(answer) {
  const badge = document.getElementById("origin");
  badge.hidden = false;
  badge.textContent = answer.origin === "real" ? "REAL" : answer.origin;
  badge.classList.toggle("real", answer.origin === "real");
  const age = document.getElementById("age");
  // Of a market that never was there is no today.
  const since = answer.origin === "real" ? `, ${ago(answer.data_until)}` : "";
  age.textContent = !answer.data_until ? "as it runs" : answer.stale ? "being written to; as it was before" : `data until ${moment(answer.data_until)} UTC${since}`;
}

export const NOTHING = "There is no history here yet. Make one with `liqstrat ingest PATHS`, or see everything on simulated data with `liqstrat demo`; this page finds it then.";
