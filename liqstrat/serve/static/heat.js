// The heatmap as a bitmap: even rows of price, one column a map, each pixel a colour of the scale.

import { colour } from "./canvas.js";

const TOP_SHARE = 0.985, MEDIAN_BRIGHT = 0.25, MOST_ROWS = 2000, SPREAD = 100;

/** 256 colours, as numbers for an image's pixels; the first is nothing. */
export function palette() {
  const stops = Array.from({ length: 10 }, (_, at) => colour(`heat-${at}`)).map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const colours = new Uint32Array(256);
  for (let at = 0; at < 256; at++) {
    const place = (at / 255) * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2), part = place - low;
    const [r, g, b] = stops[low].map((value, n) => Math.round(value + (stops[low + 1][n] - value) * part));
    colours[at] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return colours;
}

/** From amounts to 0…255, by what is known up to a column: the few highest share the end of the scale. */
export function scaleOf(heat, upTo, kind) {
  const sample = [];
  const columns = upTo + 1, step = Math.max(1, Math.floor((heat.notional.length * columns) / 40000));
  let at = 0;
  for (const row of heat.notional) for (let j = 0; j < columns; j++) if (at++ % step === 0 && row[j] > 0) sample.push(row[j]);
  if (!sample.length) return { highest: 1, code: () => 0, decode: () => 0 };
  sample.sort((a, b) => a - b);
  const highest = sample[Math.floor(TOP_SHARE * (sample.length - 1))], median = sample[sample.length >> 1];
  const power = kind === "linear" || median >= highest ? 1 : Math.min(1, Math.max(0.4, Math.log(MEDIAN_BRIGHT) / Math.log(median / highest)));
  const floor = highest / SPREAD;
  const code = kind === "log"
    ? (notional) => (notional <= 0 ? 0 : Math.min(255, Math.max(1, Math.round((255 * Math.log(notional / floor)) / Math.log(SPREAD)))))
    : (notional) => (notional <= 0 ? 0 : Math.min(255, Math.max(1, Math.round(255 * (notional / highest) ** power))));
  const decode = kind === "log" ? (share) => floor * SPREAD ** share : (share) => highest * share ** (1 / power);
  return { highest, code, decode };
}

/** Which bin each even row of price is in; rows as high as the lowest bin. */
export function rowsOf(edges) {
  const low = edges[0], high = edges.at(-1);
  let least = Infinity;
  for (let at = 1; at < edges.length; at++) least = Math.min(least, edges[at] - edges[at - 1]);
  const count = Math.min(MOST_ROWS, Math.max(1, Math.round((high - low) / least)));
  const bins = new Int32Array(count);
  let bin = 0;
  for (let row = 0; row < count; row++) {
    const middle = low + ((row + 0.5) / count) * (high - low);
    while (edges[bin + 1] <= middle) bin++;
    bins[row] = bin;
  }
  return { low, high, bins };
}

/** Paint the columns up to one into a canvas; those after it stay empty. */
export function paint(canvas, heat, upTo, scale, colours, rows = rowsOf(heat.price_edges)) {
  const wide = heat.times.length, tall = rows.bins.length;
  if (canvas.width !== wide || canvas.height !== tall) [canvas.width, canvas.height] = [wide, tall];
  const context = canvas.getContext("2d");
  const image = context.createImageData(wide, tall);
  const pixels = new Uint32Array(image.data.buffer);
  let before = -1, painted = 0;
  for (let row = 0; row < tall; row++) {
    const start = (tall - 1 - row) * wide;
    if (rows.bins[row] === before) pixels.copyWithin(start, painted, painted + wide);
    else {
      const notional = heat.notional[rows.bins[row]];
      for (let j = 0; j <= upTo; j++) pixels[start + j] = colours[scale.code(notional[j])];
      [before, painted] = [rows.bins[row], start];
    }
  }
  context.putImageData(image, 0, 0);
  return rows;
}

/** Paint one column anew. */
export function paintColumn(canvas, heat, column, scale, colours, rows) {
  const tall = rows.bins.length, context = canvas.getContext("2d"), image = context.createImageData(1, tall);
  const pixels = new Uint32Array(image.data.buffer);
  for (let row = 0; row < tall; row++) pixels[tall - 1 - row] = colours[scale.code(heat.notional[rows.bins[row]][column])];
  context.putImageData(image, column, 0);
}
