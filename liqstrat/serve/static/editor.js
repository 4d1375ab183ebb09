// What makes a text area an editor of run files: colours, and completion of what may stand at a place.

/** Paint lines of TOML; those in `bad` are underlined, with what is wrong beside them. */
export function ink(place, lines, bad) {
  const fragment = document.createDocumentFragment();
  lines.forEach((line, at) => {
    const row = document.createElement("span");
    if (bad.has(at + 1)) row.className = "wrong";
    for (const [kind, text] of parts(line)) {
      if (!kind) row.append(text);
      else {
        const span = document.createElement("span");
        span.className = kind;
        span.textContent = text;
        row.append(span);
      }
    }
    fragment.append(row);
    if (bad.has(at + 1)) {
      const beside = document.createElement("span");
      beside.className = "beside";
      beside.textContent = `   ← ${bad.get(at + 1)}`;
      fragment.append(beside);
    }
    fragment.append("\n");
  });
  place.replaceChildren(fragment);
}

function parts(line) {
  const header = line.match(/^(\s*\[[^\]=]*\]+\s*)(#.*)?$/);
  if (header) return [["h", header[1]], ["c", header[2] ?? ""]];
  const found = [];
  const key = line.match(/^(\s*[A-Za-z0-9_."-]+\s*)(?==)/);
  let rest = line;
  if (key) {
    found.push(["k", key[1]]);
    rest = line.slice(key[1].length);
  }
  const token = /("(?:[^"\\]|\\.)*"?|'[^']*'?)|(#.*$)|(\b\d[\dT:.Z_e+-]*\b|\btrue\b|\bfalse\b)/g;
  let from = 0;
  for (const match of rest.matchAll(token)) {
    found.push(["", rest.slice(from, match.index)], [match[1] ? "s" : match[2] ? "c" : "n", match[0]]);
    from = match.index + match[0].length;
  }
  return [...found, ["", rest.slice(from)]];
}

/** Offers the keys and names that fit where the caret stands. */
export class Completion {
  constructor(area, list, words, changed) {
    Object.assign(this, { area, list, words, changed, offers: [], at: 0 });
    area.addEventListener("keydown", (event) => this.#key(event));
    area.addEventListener("input", () => this.#look(false));
    area.addEventListener("blur", () => setTimeout(() => this.#hide(), 120));
  }

  /** The section, the word before the caret, and what may stand there. */
  #place() {
    const before = this.area.value.slice(0, this.area.selectionStart), lines = before.split("\n"), line = lines.at(-1);
    const header = lines.findLast((one) => /^\s*\[/.test(one))?.match(/\[+\s*([\w.]+)/)?.[1] ?? "";
    const word = line.match(/[\w-]*$/)[0], lead = line.slice(0, line.length - word.length);
    const strategy = lines.findLast((one) => /^\s*use\s*=/.test(one))?.match(/"([\w()]+)"/)?.[1];
    const params = (this.words.strategies[strategy] ?? []).map((one) => one.name);
    let offers = [];
    if (/^\s*use\s*=\s*"$/.test(lead)) offers = Object.keys(this.words.strategies);
    else if (/^\s*kind\s*=\s*"$/.test(lead)) offers = ["conserving", "large_trades", "oi_candle", "ensemble"];
    else if (/^\s*resolution\s*=\s*"$/.test(lead)) offers = ["tick", "1m", "5m", "15m", "1h"];
    else if (/params\s*=\s*\{[^}]*$/.test(lead) || (header === "strategies.params" && !lead.trim())) offers = params;
    else if (/^\s*\[+$/.test(lead)) offers = Object.keys(this.words.sections).filter(Boolean);
    else if (!lead.trim()) offers = this.words.sections[header] ?? [];
    return { word, offers: offers.filter((one) => one.startsWith(word) && one !== word), lines, line };
  }

  #look(asked) {
    const { word, offers, lines, line } = this.#place();
    if (!offers.length || (!asked && !word)) return this.#hide();
    this.offers = offers.slice(0, 40);
    this.word = word;
    this.at = 0;
    const style = getComputedStyle(this.area), height = parseFloat(style.lineHeight);
    const canvas = (this.canvas ??= document.createElement("canvas").getContext("2d"));
    canvas.font = style.font;
    this.list.style.left = `${Math.min(12 + canvas.measureText(line.slice(0, line.length - word.length)).width - this.area.scrollLeft, this.area.clientWidth - 190)}px`;
    this.list.style.top = `${Math.min(10 + lines.length * height - this.area.scrollTop, this.area.clientHeight - 120)}px`;
    this.list.hidden = false;
    this.#paint();
  }

  #paint() {
    this.list.replaceChildren(...this.offers.map((offer, at) => {
      const li = document.createElement("li");
      li.role = "option";
      li.ariaSelected = String(at === this.at);
      li.textContent = offer;
      li.addEventListener("mousedown", (event) => { event.preventDefault(); this.at = at; this.#take(); });
      return li;
    }));
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  #take() {
    this.area.setRangeText(this.offers[this.at].slice(this.word.length), this.area.selectionStart, this.area.selectionStart, "end");
    this.#hide();
    this.changed();
  }

  #hide() {
    this.list.hidden = true;
  }

  #key(event) {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      this.#look(true);
    } else if (!this.list.hidden && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      this.at = (this.at + (event.key === "ArrowDown" ? 1 : -1) + this.offers.length) % this.offers.length;
      this.#paint();
    } else if (!this.list.hidden && ["Enter", "Tab"].includes(event.key) && !event.ctrlKey) {
      event.preventDefault();
      this.#take();
    } else if (event.key === "Escape") this.#hide();
  }
}
