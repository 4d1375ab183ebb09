// A market's maps over time out of messages: a day of columns first, then further ones, with candles and liquidations.

const STEP_MS = 300_000, MOST_COLUMNS = 576;

export class LiveHeat {
  constructor() {
    this.columns = new Map(); // by number of the step
    this.candles = new Map(); // by the time they begin
    this.bubbles = [];
  }

  /** Take a message in; says whether the picture is to be made "anew", in one "column" or only drawn "again". */
  take(message) {
    if (message.type === "heatmap") {
      this.columns.clear();
      this.last = undefined;
      this.symbol = message.symbol;
      this.origin = message.simulated ? "SIMULATED" : "real";
      this.height = message.height;
      for (const one of message.columns) this.#put(one);
      for (const one of message.candles) this.#candle(one);
      const known = new Set(this.bubbles.map(({ time, price, notional }) => `${time} ${price} ${notional}`));
      for (const one of message.liquidations) {
        const bubble = bubbleOf(one);
        if (!known.has(`${bubble.time} ${bubble.price} ${bubble.notional}`)) this.bubbles.push(bubble);
      }
      return "anew";
    }
    if (message.type === "column") {
      this.height = message.height;
      return this.#put(message);
    }
    if (message.type === "candle") {
      message.candles.forEach((one) => this.#candle(one));
      this.now = Date.parse(message.time);
      this.price = message.price;
    } else if (message.type === "liquidation") this.bubbles.push(bubbleOf(message));
    return "again";
  }

  /** Candles of history, `[time, open, high, low, close]`: what is known of them stands where live ones began later. */
  remember(candles) {
    for (const [time, open, high, low, close] of candles) {
      const live = this.candles.get(time);
      this.candles.set(time, live ? [time, open, Math.max(high, live[2]), Math.min(low, live[3]), live[4]] : [time, open, high, low, close]);
    }
  }

  #put(column) {
    const at = Math.floor(Date.parse(column.time) / STEP_MS), known = this.columns.has(at);
    this.columns.set(at, { ...column, first: Math.round(Math.log(column.price_low) / Math.log1p(this.height)) });
    this.last = Math.max(this.last ?? at, at);
    this.price = this.columns.get(this.last).price;
    while (this.columns.size > MOST_COLUMNS) this.columns.delete(Math.min(...this.columns.keys()));
    return known && at === this.last ? "column" : "anew";
  }

  #candle([time, ...rest]) {
    const at = Date.parse(time), known = this.candles.get(at);
    // One that began before we listened is known from history, but for how it goes on.
    this.candles.set(at, known ? [at, known[1], Math.max(known[2], rest[1]), Math.min(known[3], rest[2]), rest[3]] : [at, ...rest]);
  }

  /** The maps as the API's answer has them, in even columns and rows; cells of less than `least` are empty. */
  heat(least) {
    const first = Math.min(...this.columns.keys()), count = this.last - first + 1;
    let low = Infinity, high = -Infinity;
    for (const { first: from, contracts } of this.columns.values()) {
      low = Math.min(low, from);
      high = Math.max(high, from + contracts.length);
    }
    const edges = Array.from({ length: high - low + 1 }, (_, at) => (1 + this.height) ** (low + at));
    const heat = {
      symbol: this.symbol, origin: this.origin, interval: "5m", step: STEP_MS, first: low, largest: 0,
      ms: Array.from({ length: count }, (_, at) => (first + at) * STEP_MS), price_edges: edges,
      notional: Array.from({ length: high - low }, () => new Array(count).fill(0)), prices: new Array(count), open_interest: new Array(count),
    };
    heat.times = heat.ms;
    let before = this.columns.get(first);
    for (let at = 0; at < count; at++) {
      // Where no open interest came there is no map, but price goes on from the one before.
      before = this.columns.get(first + at) ?? { ...before, contracts: [] };
      this.#fill(heat, at, before, least);
    }
    return heat;
  }

  /** Write the last column into what `heat` has given; false where it does not fit in. */
  refresh(heat, least) {
    const column = this.columns.get(this.last), offset = column.first - heat.first;
    if (offset < 0 || offset + column.contracts.length > heat.notional.length) return false;
    const at = heat.ms.length - 1;
    for (const row of heat.notional) row[at] = 0;
    this.#fill(heat, at, column, least);
    return true;
  }

  #fill(heat, at, { first, contracts, price, open_interest }, least) {
    heat.prices[at] = price;
    heat.open_interest[at] = open_interest;
    contracts.forEach((one, row) => {
      const place = first - heat.first + row, notional = one * Math.sqrt(heat.price_edges[place] * heat.price_edges[place + 1]);
      heat.notional[place][at] = notional >= Math.max(least, 0.5) ? notional : 0;
      heat.largest = Math.max(heat.largest, heat.notional[place][at]);
    });
  }
}

const bubbleOf = ({ time, price, notional, side }) => ({ time: Date.parse(time), price, notional, side });
