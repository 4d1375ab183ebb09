// A websocket to a market that is watched: a snapshot first, then what changes. What was missed is never guessed: after a
// gap or a cut there is a new snapshot.

const STALE_MS = 10_000, GIVE_UP_MS = 30_000, FIRST_WAIT_MS = 500, LONGEST_WAIT_MS = 10_000, UNKNOWN = 4404;

export class Live {
  #socket = null;
  #seq = null;
  #wait = FIRST_WAIT_MS;
  #timers = [];

  /** took: hears each message in order. told: hears `status` whenever that is another, and each second. */
  constructor(kind, symbol, { took, told }) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.url = `${scheme}://${location.host}/ws/${kind}/${encodeURIComponent(symbol)}`;
    this.took = took;
    this.told = told;
    this.status = { state: "opening", since: Date.now(), heard: Date.now(), again: null, reason: "", cuts: 0, seq: null };
  }

  start() {
    this.#timers = [setInterval(() => this.#tick(), 1000)];
    this.#open();
  }

  stop() {
    this.#timers.forEach(clearTimeout);
    this.#drop();
  }

  #open() {
    const socket = (this.#socket = new WebSocket(this.url));
    this.#seq = null;
    socket.onmessage = (event) => socket === this.#socket && this.#hear(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.#socket && this.#lost(event);
  }

  #hear(message) {
    if (message.type === "cut") {
      this.status.reason = message.reason;
      return;
    }
    if (message.seq !== undefined) {
      if (this.#seq !== null && message.seq !== this.#seq + 1) {
        this.#again(`messages ${this.#seq + 1} to ${message.seq - 1} are missing`);
        return;
      }
      const first = this.#seq === null;
      this.#seq = this.status.seq = message.seq;
      this.took(message);
      // A snapshot says what the server knows, not that it hears the exchange.
      if (first) return this.status.state === "stale" ? undefined : this.#become("waiting", "");
    } else this.took(message);
    this.status.heard = Date.now();
    this.#wait = FIRST_WAIT_MS;
    this.#become("live", "");
  }

  #lost(event) {
    if (event.code === UNKNOWN) {
      this.stop();
      this.#become("refused", this.status.reason || event.reason);
    } else this.#again(this.status.reason || (this.status.state === "opening" ? "the server does not answer" : "the connection was cut"));
  }

  /** Come again, later each time that it does not help. */
  #again(reason) {
    this.#drop();
    if (this.status.state !== "lost") this.status.cuts += 1;
    this.status.again = Date.now() + this.#wait;
    this.#timers[1] = setTimeout(() => this.#open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT_MS);
    this.#become("lost", reason);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #tick() {
    const { state, heard } = this.status, silent = Date.now() - heard;
    if (["live", "waiting"].includes(state) && silent >= STALE_MS) this.#become("stale", "");
    else {
      if (state === "stale" && silent >= GIVE_UP_MS && silent % GIVE_UP_MS < 1000) {
        // The server may be gone without a word: a new connection tells.
        this.#drop();
        this.#open();
      }
      this.told(this.status);
    }
  }

  #become(state, reason) {
    const { status } = this;
    if (status.state === state && status.reason === reason) return;
    if (status.state !== state) status.since = Date.now();
    Object.assign(status, { state, reason });
    this.told(status);
  }
}
