import { ask, Latest, Refused, send, tell, worded } from "./api.js";
import { download } from "./export.js";
import { ink, Completion } from "./editor.js";
import { State } from "./state.js";

const area = document.getElementById("text");
const file = document.getElementById("file");
const told = document.getElementById("told");
const start = document.getElementById("start"), events = document.getElementById("events");
const latest = new Latest(document.getElementById("state"));
const state = new State({ file: "", data: "", symbol: "" });
const STUDY = /^\s*\[(sweep|walk_forward)\]/m;
let files = [], fresh = "", folder = "", errors = [], words = null, checking;

const kept = (name) => { try { return sessionStorage.getItem(`run ${name}`); } catch { return null; } };
const keep = (name, text) => { try { text === null ? sessionStorage.removeItem(`run ${name}`) : sessionStorage.setItem(`run ${name}`, text); } catch { /* nothing is kept then */ } };
const current = () => files.find((one) => one.name === file.value) ?? { name: "", text: fresh };
const shortName = () => (current().name.split("/").at(-1) || "my-run.toml").replace(/[^A-Za-z0-9_.-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "run.toml";

function open(name) {
  file.value = name;
  state.set({ file: name });
  area.value = kept(name) ?? current().text;
  area.scrollTop = 0;
  for (const id of ["start", "events", "save", "download"]) document.getElementById(id).disabled = false;
  paint();
  check();
}

function paint() {
  const bad = new Map(errors.map((one) => [one.line, one.text]));
  const lines = area.value.split("\n");
  document.getElementById("lines").replaceChildren(...lines.map((_, at) => {
    const span = document.createElement("span");
    span.textContent = `${at + 1}\n`;
    if (bad.has(at + 1)) span.className = "bad";
    return span;
  }));
  ink(document.getElementById("ink"), lines, bad);
  scroll();
  document.getElementById("revert").disabled = area.value === current().text;
}

function scroll() {
  document.getElementById("lines").scrollTop = area.scrollTop;
  const painted = document.getElementById("ink");
  painted.scrollTop = area.scrollTop;
  painted.scrollLeft = area.scrollLeft;
}

async function check() {
  const found = await latest.run((signal) => ask("/run-files/check", {}, {
    method: "POST", signal, body: JSON.stringify({ name: shortName(), text: area.value }), headers: { "Content-Type": "application/json" },
  }));
  if (!found) return;
  errors = found.errors;
  const fine = document.createElement("li");
  fine.className = "fine";
  const study = area.value.match(STUDY)?.[1];
  fine.append(...worded(`No errors.${study ? ` Started here it runs once; \`liqstrat ${study === "sweep" ? "sweep" : "walk-forward"} FILE\` does what [${study}] asks for.` : ""}`));
  document.getElementById("errors").replaceChildren(...(errors.length ? errors.map(errorLine) : [fine]));
  start.disabled = events.disabled = errors.length > 0;
  paint();
  window.shown = { errors };
}

function errorLine(one) {
  const li = document.createElement("li");
  if (one.line) {
    const jump = document.createElement("button");
    jump.type = "button";
    jump.textContent = `line ${one.line}`;
    jump.addEventListener("click", () => {
      const lines = area.value.split("\n"), from = lines.slice(0, one.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
      area.focus();
      area.setSelectionRange(from, from + lines[one.line - 1].length);
    });
    li.append(jump);
  }
  li.append(one.text);
  return li;
}

function changed() {
  keep(file.value, area.value === current().text ? null : area.value);
  start.disabled = events.disabled = true;
  paint();
  clearTimeout(checking);
  checking = setTimeout(check, 300);
}

async function run(kind) {
  if (start.disabled) return;
  start.disabled = events.disabled = true;
  try {
    const job = await send("/jobs", { name: shortName(), text: area.value, kind }), what = kind === "run" ? "Run" : "Study";
    told.textContent = job.state === "waiting" ? `${what} ${job.id} is queued.` : `${what} ${job.id} is started.`;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    told.textContent = error.message;
  }
  start.disabled = events.disabled = errors.length > 0;
  watch();
}

/** The file of the folder that has a name, if there is one. */
const there = (name) => files.find((one) => one.name === `${folder}/${name}`);

/** Ask for a name, and also whether to write over what is there; null where it is not to be saved. */
function asked() {
  const dialog = document.getElementById("dialog"), name = document.getElementById("dialog-name"), ok = document.getElementById("dialog-ok");
  const say = () => {
    const taken = there(name.value);
    document.getElementById("dialog-told").textContent = taken ? `${taken.name} is there already: what it holds now will be gone.` : `Into ${folder}/, where there is no such file yet.`;
    ok.textContent = taken ? "Write over it" : "Save";
    ok.classList.toggle("danger", Boolean(taken));
    ok.classList.toggle("primary", !taken);
  };
  name.value = shortName();
  name.oninput = say;
  say();
  dialog.returnValue = "";
  dialog.showModal();
  name.focus();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "ok" ? name.value : null), { once: true }));
}

async function save() {
  const name = await asked();
  if (name === null) return;
  try {
    const saved = await send("/run-files/save", { name, text: area.value, replaces: there(name)?.state ?? null });
    keep(file.value, null);
    keep(saved.name, null);
    await list();
    open(saved.name);
    told.textContent = `${saved.name} is saved${errors.length ? ", with its errors" : ""}.`;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    told.textContent = error.message;
    await list();
  }
}

/** The files there are now; what is being edited stays chosen. */
async function list() {
  ({ files, folder } = await ask("/run-files"));
  const chosen = file.value;
  file.replaceChildren(...files.map((one) => new Option(one.name, one.name)), new Option("a new one", ""));
  file.value = chosen;
}

const STATES = { waiting: "waits its turn", running: "runs", done: "done", failed: "failed", cancelled: "cancelled" };
let watching = false;
async function watch() {
  if (watching) return;
  watching = true;
  try {
    for (;;) {
      const { jobs } = await ask("/jobs");
      showJobs(jobs);
      if (!jobs.some((job) => job.state === "waiting" || job.state === "running")) break;
      await new Promise((done) => setTimeout(done, 500));
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    told.textContent = error.message;
  } finally {
    watching = false;
  }
}

function showJobs(jobs) {
  window.jobs = jobs;
  if (!jobs.length) return;
  const focused = document.activeElement?.dataset?.cancel;
  document.getElementById("jobs").replaceChildren(...jobs.map((job) => {
    const box = document.createElement("div"), head = document.createElement("div"), name = document.createElement("b"), state = document.createElement("span"), grow = document.createElement("span");
    box.className = "job";
    head.className = "job-head";
    name.textContent = `${job.id}  ${job.name}${job.kind === "events" ? ", its levels" : ""}`;
    state.className = job.state === "done" ? "gain" : job.state === "failed" ? "loss" : "muted";
    state.textContent = STATES[job.state];
    grow.className = "grow";
    head.append(name, state, grow);
    if (job.state === "waiting" || job.state === "running") {
      const cancel = document.createElement("button");
      cancel.type = "button";
      cancel.textContent = "Cancel";
      cancel.dataset.cancel = job.id;
      cancel.ariaLabel = `Cancel ${job.id}`;
      cancel.addEventListener("click", () => send(`/jobs/${job.id}/cancel`, {}).then(watch));
      head.append(cancel);
    }
    box.append(head);
    const task = job.tasks.at(-1);
    if (task && job.state === "running") box.append(bar(task));
    const made = job.run ?? job.study;
    if (made) {
      const link = document.createElement("a");
      link.href = `/results?${job.run ? "run" : "study"}=${encodeURIComponent(made)}`;
      link.textContent = `${job.run ? "Report" : "Study"}: ${made}`;
      box.append(link);
    }
    if (job.error && job.state === "failed") {
      const error = document.createElement("p");
      error.className = "error";
      error.textContent = job.error;
      box.append(error);
    }
    return box;
  }));
  if (focused) document.querySelector(`[data-cancel="${focused}"]`)?.focus();
}

function bar(task) {
  const box = document.createElement("div"), line = document.createElement("div"), name = document.createElement("span"), far = document.createElement("span"), progress = document.createElement("progress");
  line.className = "task";
  name.textContent = task.task;
  const done = Math.round(task.done).toLocaleString("en");
  far.textContent = task.total ? `${done} of ${Math.round(task.total).toLocaleString("en")} ${task.unit}` : `${done} ${task.unit}`;
  if (task.total) {
    progress.max = task.total;
    progress.value = task.done;
  }
  progress.ariaLabel = task.task;
  line.append(name, far);
  box.append(line, progress);
  return box;
}

function showWords() {
  const box = document.getElementById("words"), parts = [];
  const part = (title, names) => {
    const h3 = document.createElement("h3"), div = document.createElement("div");
    h3.textContent = title;
    div.append(...names.map(([name, more]) => {
      const code = document.createElement("code");
      code.textContent = name;
      if (more) code.title = `default ${more}`;
      return code;
    }));
    parts.push(h3, div);
  };
  for (const [name, params] of Object.entries(words.strategies)) {
    const [, inner] = name.match(/\((\w+)\)/) ?? [], own = new Set((words.strategies[inner] ?? []).map((one) => one.name));
    if (!inner) part(`params of ${name}`, params.map((one) => [one.name, one.default]));
    else if (inner === Object.keys(words.strategies)[0]) part(`besides, of ${name.split("(")[0]}(…)`, params.filter((one) => !own.has(one.name)).map((one) => [one.name, one.default]));
  }
  for (const [name, keys] of Object.entries(words.sections)) if (name && name !== "strategies") part(`[${name}]`, keys.map((key) => [key]));
  box.replaceChildren(...parts);
}

area.addEventListener("input", changed);
area.addEventListener("scroll", scroll, { passive: true });
area.addEventListener("keydown", (event) => {
  if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    save();
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run("run");
  }
});
file.addEventListener("change", () => open(file.value));
start.addEventListener("click", () => run("run"));
events.addEventListener("click", () => run("events"));
document.getElementById("revert").addEventListener("click", () => {
  keep(file.value, null);
  open(file.value);
});
document.getElementById("save").addEventListener("click", save);
document.getElementById("download").addEventListener("click", () => download(new Blob([area.value], { type: "application/toml" }), shortName()));
document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());

const found = await latest.run(() => Promise.all([ask("/run-files/words"), ask("/run-files/new").catch((error) => ({ text: `# ${error.message}\n` })), list()]));
if (found) {
  [words, { text: fresh }] = found;
  new Completion(area, document.getElementById("complete"), words, changed);
  showWords();
  open(files.some((one) => one.name === state.get("file")) ? state.get("file") : (files.find((one) => !STUDY.test(one.text)) ?? files[0])?.name ?? "");
  watch();
} else tell(document.getElementById("state"), "");
