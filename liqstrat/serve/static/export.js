// Files of what is shown.

import { Refused } from "./api.js";

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** The rows of an answer in another form, as a file. */
export async function exportRows(path, params, media, name) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== "" && value != null));
  const response = await fetch(`${path}?${query}`, { headers: { Accept: media } });
  if (!response.ok) throw new Refused((await response.json()).detail);
  download(await response.blob(), name);
}
