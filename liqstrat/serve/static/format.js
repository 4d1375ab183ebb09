// Numbers and times as people read them.

const SIZES = [[1e9, "B"], [1e6, "M"], [1e3, "K"]];

export function amount(value) {
  const [size, letter] = SIZES.find(([one]) => Math.abs(value) >= one * 0.9995) ?? [1, ""];
  const scaled = value / size;
  const digits = Math.abs(scaled) >= 99.95 || !letter ? 0 : Math.abs(scaled) >= 9.995 ? 1 : 2;
  return scaled.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) + (letter && ` ${letter}`);
}

export function price(value) {
  const size = Math.abs(value);
  const digits = size >= 10000 ? 1 : size >= 100 ? 2 : size >= 1 ? 4 : Math.max(6, 4 - Math.floor(Math.log10(size || 1)));
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function percent(share, digits = 2) {
  return `${share > 0 ? "+" : share < 0 ? "−" : ""}${(100 * Math.abs(share)).toFixed(digits)}%`;
}

/** `2024-03-01 12:05`, UTC. */
export const moment = (time) => new Date(time).toISOString().slice(0, 16).replace("T", " ");

export function ago(time) {
  const minutes = (Date.now() - Date.parse(time)) / 60000;
  if (minutes < 120) return `${Math.max(0, Math.round(minutes))} min ago`;
  if (minutes < 2880) return `${Math.round(minutes / 60)} h ago`;
  return `${Math.round(minutes / 1440).toLocaleString("en")} days ago`;
}
