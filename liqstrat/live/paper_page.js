"use strict";

// How long ago the page was written, by this computer's clock: a session that is dead writes no more.
const fresh = document.getElementById("fresh");
const OLD_SECONDS = 15;

function tell() {
  const seconds = Math.max(0, Math.round((Date.now() - Number(fresh.dataset.written)) / 1000));
  const old = seconds > OLD_SECONDS;
  fresh.className = old ? "loss" : "muted";
  fresh.textContent = old ? `NOT RUNNING: what is here was written ${seconds} s ago` : `written ${seconds} s ago`;
  document.getElementById("state").hidden = old;
}

if (fresh && fresh.dataset.running === "true") {
  tell();
  setInterval(tell, 1000);
}
