// Before anything is drawn, so that a page does not flash.
(() => {
  const kept = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  const light = kept ? kept === "light" : matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = light ? "light" : "dark";
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      const now = document.documentElement.dataset.theme === "light" ? "dark" : "light";
      document.documentElement.dataset.theme = now;
      try { localStorage.setItem("theme", now); } catch { /* nothing is kept then */ }
      dispatchEvent(new Event("theme"));
    });
  });
})();
