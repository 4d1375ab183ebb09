// Before anything is drawn, so that a page does not flash.
(() => {
  const light = matchMedia("(prefers-color-scheme: light)");
  let chosen = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  const show = () => {
    document.documentElement.dataset.theme = chosen ?? (light.matches ? "light" : "dark");
    dispatchEvent(new Event("theme"));
  };
  light.addEventListener("change", show);
  show();
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      chosen = document.documentElement.dataset.theme === "light" ? "dark" : "light";
      try { localStorage.setItem("theme", chosen); } catch { /* nothing is kept then */ }
      show();
    });
  });
})();
