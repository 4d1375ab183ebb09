// What drawings share: a canvas as large as its place, colours of the theme, ticks, and moving about.

/** How wide a drawing is on paper, in pixels of a screen, and how high at most. */
const PAPER_WIDTH = 700, PAPER_HEIGHT = 560;

/** Draws into a canvas once a frame at most, when it was asked to or the theme changed, and with each new size. */
export class Drawing {
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.width = this.height = 0;
    let asked = false;
    const now = () => { if (this.width) draw(this.context, this.width, this.height); };
    this.ask = () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        // Not where it is sized, which empties it: on paper that would take away what lies below.
        this.context.clearRect(0, 0, this.width, this.height);
        now();
      });
    };
    const size = (width, height, ratio) => {
      [this.width, this.height] = [width, height];
      [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
      this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
      // At once: a new size empties a canvas, and this frame would show that.
      now();
    };
    const fit = () => {
      const { width, height } = canvas.parentElement.getBoundingClientRect();
      size(width, height, devicePixelRatio || 1);
    };
    new ResizeObserver(() => { if (!onPaper) fit(); }).observe(canvas.parentElement);
    addEventListener("theme", () => { colours = null; this.ask(); });
    addEventListener("beforeprint", () => {
      onPaper = true;
      if (this.width) size(PAPER_WIDTH, Math.min(this.height, PAPER_HEIGHT), 2);
    });
    addEventListener("afterprint", () => {
      onPaper = false;
      fit();
    });
  }
}

let colours = null, onPaper = false;
/** A colour of the theme by its name. */
export function colour(name) {
  colours ??= {};
  return (colours[name] ??= getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
}

export const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif';

/** Round numbers from low to high, about `count` of them. */
export function ticks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((part) => part * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high; at++) found.push(at * step);
  return found;
}

const MINUTE = 60000;
const STEPS = [5, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 7200, 10080, 20160, 43200].map((one) => one * MINUTE);

/** Moments at round times, with what to write at each. */
export function timeTicks(low, high, count) {
  const step = STEPS.find((one) => (high - low) / one <= count) ?? STEPS.at(-1);
  const found = [];
  for (let time = Math.ceil(low / step) * step; time <= high; time += step) {
    const text = new Date(time).toISOString();
    const midnight = time % (1440 * MINUTE) === 0;
    found.push({ time, midnight, text: midnight ? text.slice(5, 10) : text.slice(11, 16) });
  }
  return found;
}

/** Zoom by wheel and keys, move by dragging; positions are pixels within the canvas. */
export function moves(canvas, { zoom, pan, point, leave, reset, step }) {
  let from = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.003), ...place(event), event.shiftKey);
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    from = place(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (from) {
      pan(x - from[0], y - from[1], ...from);
      from = [x, y];
    }
    point(x, y);
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (from = null));
  canvas.addEventListener("pointerleave", () => leave());
  canvas.addEventListener("dblclick", () => reset());
  canvas.addEventListener("keydown", (event) => {
    const { width, height } = canvas.getBoundingClientRect();
    const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (keys[event.key] && event.shiftKey) pan(-keys[event.key][0] * 60, -keys[event.key][1] * 60, width / 2, height / 2);
    else if (keys[event.key]) step(...keys[event.key]);
    else if (event.key === "+" || event.key === "=") zoom(0.8, width / 2, height / 2, false);
    else if (event.key === "-" || event.key === "−") zoom(1.25, width / 2, height / 2, false);
    else if (event.key === "0" || event.key === "Home") reset();
    else if (event.key === "Escape") leave();
    else return;
    event.preventDefault();
  });
}

const TIERS = 8;
/** A colour for the nth of some tiers, cool to hot; no two have the same. */
export function tierColour(at, count) {
  const place = count > 1 ? (at * (TIERS - 1)) / (count - 1) : 4, low = Math.floor(place), part = place - low;
  const [from, to] = [low, Math.ceil(place)].map((one) => [1, 3, 5].map((digit) => parseInt(colour(`leverage-${one}`).slice(digit, digit + 2), 16)));
  return `rgb(${from.map((value, n) => Math.round(value + (to[n] - value) * part)).join(" ")})`;
}

/** A small label with a ground of its own. */
export function label(context, text, x, y, { align = "left", ground = colour("raised"), ink = colour("text") } = {}) {
  context.font = FONT;
  const wide = context.measureText(text).width + 10;
  const left = align === "left" ? x : align === "right" ? x - wide : x - wide / 2;
  context.fillStyle = ground;
  context.fillRect(left, y - 9, wide, 18);
  context.fillStyle = ink;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(text, left + 5, y + 0.5);
}
