// Questions to the API, and what is said while and where they are not answered.

export class Refused extends Error {}

/** The answer to a question, as JSON; throws `Refused` with the server's sentence. */
export async function ask(path, params = {}, options = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== "" && value != null));
  const url = query.size ? `${path}?${query}` : path;
  let response;
  try {
    response = await fetch(url, { headers: { Accept: "application/json" }, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer; is liqstrat serve still running?");
  }
  const content = await response.json().catch(() => ({ detail: `The server answered ${response.status}.` }));
  if (!response.ok) throw new Refused(content.detail);
  content.stale = response.headers.get("Liqstrat-Stale");
  return content;
}

/** Send something to be changed. */
export const send = (path, body, method = "POST") =>
  ask(path, {}, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

/** Runs the latest of several calls: one that is overtaken is given up. */
export class Latest {
  #controller = null;

  constructor(state) {
    this.state = state;
  }

  /** Give up what is under way. */
  stop() {
    this.#controller?.abort();
    this.#controller = null;
    this.state?.classList.remove("busy");
  }

  /** What takes longer than a moment says how far it is. */
  async #showProgress(controller) {
    const box = document.createElement("p"), began = Date.now() - 1000;
    while (!controller.done && !controller.signal.aborted) {
      const { tasks } = await ask("/under-way").catch(() => ({ tasks: [] }));
      if (controller.done || controller.signal.aborted || !this.state?.classList.contains("busy")) break;
      box.textContent = `${tasks.length ? far(tasks[0]) : "reading"}, ${Math.round((Date.now() - began) / 1000)} s`;
      if (!box.isConnected) this.state.replaceChildren(box);
      await new Promise((done) => setTimeout(done, 300));
    }
    box.remove();
  }

  /** What `work` gives, or undefined where another call came after; errors are told in the state's place. */
  async run(work) {
    this.#controller?.abort();
    const controller = (this.#controller = new AbortController());
    const late = setTimeout(() => this.state?.classList.add("busy"), 150);
    const telling = setTimeout(() => this.#showProgress(controller), 1000);
    try {
      const found = await work(controller.signal);
      if (controller.signal.aborted) return undefined;
      tell(this.state, "");
      return found;
    } catch (error) {
      if (error.name === "AbortError" || controller.signal.aborted) return undefined;
      if (!(error instanceof Refused)) throw error;
      tell(this.state, error.message);
      return undefined;
    } finally {
      clearTimeout(late);
      clearTimeout(telling);
      controller.done = true;
      if (this.#controller === controller) this.state?.classList.remove("busy");
    }
  }
}

/** How far a piece of work is, in words. */
export function far({ task, done, total, unit }) {
  const count = Math.round(done).toLocaleString("en");
  return `${task}: ${count}${total ? ` of ${Math.round(total).toLocaleString("en")}` : ""} ${unit}`;
}

/** Say a sentence in place of a picture; what stands in backticks is code. */
export function tell(state, sentence) {
  if (!state) return;
  state.replaceChildren();
  state.classList.toggle("told", sentence !== "");
  if (!sentence) return;
  const box = document.createElement("div");
  box.append(...worded(sentence));
  state.append(box);
}

/** The parts of a sentence; what stands in backticks is code. */
export function worded(sentence) {
  return sentence.split("`").map((part, at) => {
    if (at % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}
