import { ask, Latest, Refused, send, tell } from "./api.js";
import { State } from "./state.js";

const form = document.getElementById("controls");
const place = document.getElementById("state");
const scroller = document.getElementById("scroller");
const table = document.getElementById("runs");
const latest = new Latest(place);
const state = new State({ filter: "", sort: "-created", columns: "short", run: "", compare: "", study: "", data: "", symbol: "" });
const WHAT = ["created", "symbols", "resolution"], FIGURES = ["trades", "net_return", "max_drawdown", "sharpe", "profit_factor", "win_rate", "exposure"];
// Where there is no room for all of the main figures, these go, one after the other.
const LESSER = ["resolution", "exposure", "win_rate", "profit_factor", "symbols", "created", "note", "tags"];
const SHARES = new Set(["net_return", "max_drawdown", "win_rate", "exposure", "cagr", "buy_and_hold"]);
const WORDS = new Set(["symbols", "strategies", "tags", "note", "resolution", "name", "config_hash", "data_hash"]);
const HEIGHT = 31, AROUND = 12;
const ROUND = new Intl.NumberFormat("en"), DIGITS = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
let rows = [], columns = [], known = [], ticked = new Set();
let rethemed = () => {}; // tells the page within of another theme
let lines = new Map(); // the rows of the table that have been made, by run

async function load() {
  const answer = await latest.run((signal) => ask("/runs", { filter: state.get("filter"), sort: state.get("sort") }, { signal }));
  if (!answer) return;
  rows = answer.runs;
  ticked = new Set([...ticked].filter((run) => rows.some((row) => row.run === run)));
  known = [...new Set(rows.flatMap(Object.keys))].filter((name) => name !== "run" && name !== "simulated");
  const simulated = rows.filter((row) => row.simulated).length;
  document.getElementById("count").textContent = `${rows.length.toLocaleString("en")} of ${answer.of.toLocaleString("en")} runs${simulated ? `, ${simulated.toLocaleString("en")} SIMULATED` : ""}`;
  if (!answer.of) tell(place, "There are no runs yet. Make one with `liqstrat backtest configs/fade.toml`, on the page Run, or with `liqstrat demo`; this page finds it then.");
  else if (!rows.length) tell(place, "No run fits this filter; take it away, or look at the names of all columns with All figures.");
  const left = Object.entries(answer.left_out);
  if (left.length) document.getElementById("count").textContent += `; ${left.length} left out: ${left[0][1]}`;
  document.getElementById("columns").replaceChildren(...known.map((name) => new Option(name)));
  table.hidden = !answer.of;
  layOut();
  chosen();
  undoable(answer.put_aside);
}

/** Choose the columns, and draw them. */
function layOut() {
  const all = state.get("columns") === "all", noted = ["tags", "note"].filter((name) => rows.some((row) => row[name]?.length));
  if (known.length) columns = all ? [...WHAT, ...known.filter((name) => !WHAT.includes(name))] : [...WHAT, ...FIGURES, ...noted];
  const draw = () => (head(), body(true));
  draw();
  const sorted = new Set(state.get("sort").split(","));
  for (const name of all ? [] : LESSER) {
    if (scroller.scrollWidth <= scroller.clientWidth) break;
    if (sorted.has(name) || (sorted.has(`-${name}`) && name !== "created")) continue;
    columns = columns.filter((one) => one !== name);
    draw();
  }
  // Columns stay as wide as they are while other rows scroll into view.
  const heads = [...table.tHead.rows[0].cells], wide = heads.map((th) => th.getBoundingClientRect().width);
  heads.forEach((th, at) => (th.style.minWidth = `${wide[at]}px`));
  window.shown = { rows, columns };
}

function head() {
  const [first] = state.get("sort").split(",");
  const tr = document.createElement("tr");
  const all = document.createElement("input");
  all.type = "checkbox";
  all.ariaLabel = "Tick all that are listed";
  all.checked = rows.length > 0 && rows.every((row) => ticked.has(row.run));
  all.addEventListener("change", () => {
    ticked = new Set(all.checked ? rows.map((row) => row.run) : []);
    body(true);
    chosen();
  });
  const corner = document.createElement("th");
  corner.append(all);
  tr.append(corner, ...["run", ...columns].map((name) => {
    const th = document.createElement("th"), button = document.createElement("button");
    const way = first === name ? "ascending" : first === `-${name}` ? "descending" : null;
    if (way) th.ariaSort = way;
    th.className = WORDS.has(name) || name === "run" ? "left" : "";
    button.type = "button";
    button.textContent = `${name.replaceAll("_", " ")}${way ? (way === "ascending" ? " ▲" : " ▼") : ""}`;
    button.addEventListener("click", () => {
      state.set({ sort: way === "descending" ? name : way === "ascending" ? `-${name}` : WORDS.has(name) || name === "run" ? name : `-${name}` });
      load().then(() => [...table.querySelectorAll("thead button")].find((one) => one.textContent.startsWith(name.replaceAll("_", " ")))?.focus());
    });
    th.append(button);
    return th;
  }));
  table.tHead.replaceChildren(tr);
}

/** Only rows in view are made: thousands of them would be slow. `anew`: also those that have been. */
function body(anew = false) {
  if (anew) lines = new Map();
  const first = Math.max(0, Math.floor(scroller.scrollTop / HEIGHT) - AROUND);
  const last = Math.min(rows.length, first + Math.ceil(scroller.clientHeight / HEIGHT) + 2 * AROUND);
  const focused = document.activeElement?.dataset?.key;
  table.tBodies[0].replaceChildren(spacer(first), ...rows.slice(first, last).map(made), spacer(rows.length - last));
  if (focused) table.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function spacer(count) {
  const tr = document.createElement("tr"), td = document.createElement("td");
  tr.hidden = !count;
  td.colSpan = columns.length + 2;
  td.style.height = `${count * HEIGHT}px`;
  td.style.padding = "0";
  tr.append(td);
  return tr;
}

function made(row) {
  const known = lines.get(row.run) ?? line(row);
  known.className = row.run === state.get("run") ? "open" : "";
  lines.set(row.run, known);
  return known;
}

function line(row) {
  const tr = document.createElement("tr");
  const tick = document.createElement("input");
  tick.type = "checkbox";
  tick.checked = ticked.has(row.run);
  tick.ariaLabel = `Tick ${row.run}`;
  tick.dataset.key = `tick ${row.run}`;
  tick.addEventListener("change", () => {
    if (tick.checked) ticked.add(row.run);
    else ticked.delete(row.run);
    chosen();
  });
  const open = document.createElement("button");
  open.type = "button";
  open.textContent = row.run;
  open.title = [row.tags?.join(", "), row.note].filter(Boolean).join("\n");
  open.dataset.key = `open ${row.run}`;
  open.addEventListener("click", () => show(row.run));
  const name = cell(open, "left name");
  if (row.simulated) {
    const mark = document.createElement("span");
    mark.className = "pill simulated";
    mark.textContent = "SIMULATED";
    name.append(" ", mark);
  }
  tr.append(cell(tick), name, ...columns.map((column) => value(column, row[column])));
  return tr;
}

function cell(content, kind = "") {
  const td = document.createElement("td");
  td.className = kind;
  td.append(content);
  return td;
}

function value(column, content) {
  if (column === "tags") {
    const td = cell("", "left");
    td.replaceChildren(...(content ?? []).map((tag) => {
      const pill = document.createElement("span");
      pill.className = "pill";
      pill.textContent = tag;
      return pill;
    }));
    return td;
  }
  if (column === "note") {
    const td = cell(content || "", "note");
    td.title = content || "";
    return td;
  }
  if (content == null) return cell("–", "muted");
  if (Array.isArray(content)) return cell(content.join(", "), "left");
  if (["created", "start", "end"].includes(column)) return cell(content.slice(0, 16).replace("T", " "));
  if (typeof content === "number") {
    const shown = SHARES.has(column) ? `${(100 * content).toFixed(2)}%` : (Number.isInteger(content) ? ROUND : DIGITS).format(content);
    return cell(shown.replace("-", "−"), column === "net_return" ? (content > 0 ? "gain" : content < 0 ? "loss" : "") : "");
  }
  return cell(String(content).slice(0, 60), WORDS.has(column) ? "left" : "");
}

function chosen() {
  const count = ticked.size;
  for (const id of ["tag", "note", "delete"]) document.getElementById(id).disabled = !count;
  const compare = document.getElementById("compare");
  compare.disabled = count < 2 || count > 10;
  compare.title = compare.disabled ? "Tick two to ten runs" : "";
  document.getElementById("ticked").textContent = count ? `${count.toLocaleString("en")} ticked` : "Tick runs to compare, tag, note or delete them";
}

/** What was deleted last can be brought back, also after a reload, and then what was deleted before that. */
function undoable(runs) {
  const undo = document.getElementById("undo");
  undo.hidden = !runs.length;
  undo.textContent = `Undo: bring ${runs.length.toLocaleString("en")} back`;
  undo.title = runs.length > 8 ? `${runs.slice(0, 8).join("\n")}\n…` : runs.join("\n");
}

function show(run, focus = true) {
  state.set({ run, compare: "", study: "" });
  const box = document.getElementById("inside"), row = rows.find((one) => one.run === run);
  box.hidden = !run;
  if (run) {
    document.getElementById("inside-title").textContent = run;
    document.getElementById("inside-note").textContent = row?.note ?? "";
    const heat = document.getElementById("inside-heat");
    heat.hidden = !row;
    if (row) heat.href = `/heatmap?symbol=${encodeURIComponent(row.symbols[0])}&run=${encodeURIComponent(run)}`;
    frame(`/runs/${encodeURIComponent(run)}/report`);
    if (focus) box.scrollIntoView({ behavior: "smooth", block: "start" });
  }
  body();
}

function compare(runs) {
  state.set({ run: "", study: "", compare: runs.join(",") });
  document.getElementById("inside").hidden = false;
  document.getElementById("inside-title").textContent = `${runs.length} runs compared`;
  document.getElementById("inside-note").textContent = "";
  document.getElementById("inside-heat").hidden = true;
  frame(`/runs/compare/page?${new URLSearchParams(runs.map((run) => ["run", run]))}`);
  document.getElementById("inside").scrollIntoView({ behavior: "smooth", block: "start" });
  body();
}

async function loadStudies() {
  const { studies } = await ask("/studies");
  document.getElementById("studies").hidden = !studies.length;
  document.querySelector("#study-rows tbody").replaceChildren(...studies.map((one) => {
    const tr = document.createElement("tr"), open = document.createElement("button");
    open.type = "button";
    open.textContent = one.study;
    open.addEventListener("click", () => showStudy(one.study));
    const name = cell(open, "left name"), [objective] = one.objective;
    if (one.simulated) {
      const mark = document.createElement("span");
      mark.className = "pill simulated";
      mark.textContent = "SIMULATED";
      name.append(" ", mark);
    }
    const walk = one.kind === "walk_forward", events = one.kind === "events", result = walk ? "net_return" : objective;
    const settings = walk ? "" : Object.entries(one.best?.settings ?? {}).map(([key, value]) => `${key.split(".").at(-1)} = ${value}`).join(", ");
    const kind = walk ? `walk forward, ${one.windows} ${one.windows === 1 ? "window" : "windows"}` : events ? `events, ${one.touches.toLocaleString("en")} touches` : "sweep";
    tr.append(
      name, cell(kind, "left"), cell(one.trials?.toLocaleString("en") ?? "–"), cell(one.objective.map((key) => key.replaceAll("_", " ")).join(", ") || "–"),
      value(result, one.figures[result]), cell(settings || (walk ? "chosen anew for each window" : events ? `${one.start.slice(0, 10)} to ${one.end.slice(0, 10)}` : "–"), "left"), cell(one.verdict.words ?? "", "left"),
    );
    return tr;
  }));
}

function showStudy(study) {
  state.set({ run: "", compare: "", study });
  document.getElementById("inside").hidden = false;
  document.getElementById("inside-title").textContent = study;
  document.getElementById("inside-note").textContent = "";
  document.getElementById("inside-heat").hidden = true;
  frame(`/studies/${encodeURIComponent(study)}/page`);
  document.getElementById("inside").scrollIntoView({ behavior: "smooth", block: "start" });
  body();
}

/** A page of its own within this one, in the theme of this one; made anew, so that a way back leads to pages. */
function frame(address) {
  const before = document.getElementById("frame"), anew = before.cloneNode();
  const themed = () => `${address}#${document.documentElement.dataset.theme}`;
  anew.src = document.getElementById("inside-open").href = themed();
  rethemed = () => {
    anew.contentWindow.location.replace(themed());
    document.getElementById("inside-open").href = themed();
  };
  before.replaceWith(anew);
}

/** Ask for a text; null where it was not given. */
function text(title, told, before) {
  const dialog = document.getElementById("dialog"), area = document.getElementById("dialog-text");
  document.getElementById("dialog-title").textContent = title;
  document.getElementById("dialog-told").textContent = told;
  area.value = before;
  dialog.returnValue = "";
  dialog.showModal();
  area.focus();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "ok" ? area.value : null), { once: true }));
}

async function change(path, content) {
  try {
    await send(path, content);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    document.getElementById("ticked").textContent = error.message;
    return false;
  }
  await load();
  return true;
}

document.getElementById("compare").addEventListener("click", () => compare([...ticked]));
document.getElementById("tag").addEventListener("click", async () => {
  const runs = [...ticked], before = [...new Set(rows.filter((row) => ticked.has(row.run)).flatMap((row) => row.tags))];
  const given = await text("Tags", "With commas between; what you take out here is taken off.", before.join(", "));
  if (given === null) return;
  const add = given.split(",").map((one) => one.trim()).filter(Boolean);
  await change("/runs/tags", { runs, add, remove: before.filter((one) => !add.includes(one)) });
});
document.getElementById("note").addEventListener("click", async () => {
  const runs = [...ticked];
  const given = await text("Note", `On ${runs.length === 1 ? runs[0] : `${runs.length} runs`}; an empty one is taken away.`, rows.find((row) => ticked.has(row.run))?.note ?? "");
  if (given !== null) await change("/runs/note", { runs, text: given });
});
document.getElementById("delete").addEventListener("click", async () => {
  const runs = [...ticked];
  if (runs.includes(state.get("run"))) show("");
  ticked.clear();
  if (await change("/runs/delete", { runs })) document.getElementById("undo").focus();
});
document.getElementById("undo").addEventListener("click", async () => {
  await change("/runs/undo", {});
});
document.getElementById("inside-close").addEventListener("click", () => {
  document.getElementById("frame").removeAttribute("src");
  rethemed = () => {};
  document.getElementById("inside").hidden = true;
  state.set({ run: "", compare: "", study: "" });
  body();
});
scroller.addEventListener("scroll", () => requestAnimationFrame(() => body()), { passive: true });
addEventListener("theme", () => rethemed());
let across = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === across || !rows.length) return;
  across = innerWidth;
  layOut();
});
let waiting;
form.elements.filter.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    state.set({ filter: form.elements.filter.value });
    load();
  }, 350);
});
state.bind(form, (name) => name !== "filter" && load());
await Promise.all([load(), loadStudies()]);
if (state.get("study")) showStudy(state.get("study"));
if (state.get("run")) show(state.get("run"), false);
if (state.get("compare")) compare(state.get("compare").split(","));
