// Before anything is drawn, so that a page does not flash.
(() => {
  const light = matchMedia("(prefers-color-scheme: light)");
  let chosen = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  const put = (theme) => {
    document.documentElement.dataset.theme = theme;
    dispatchEvent(new Event("theme"));
  };
  const show = () => put(chosen ?? (light.matches ? "light" : "dark"));
  light.addEventListener("change", show);
  show();
  // Paper is light.
  addEventListener("beforeprint", () => put("light"));
  addEventListener("afterprint", show);
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      chosen = document.documentElement.dataset.theme === "light" ? "dark" : "light";
      try { localStorage.setItem("theme", chosen); } catch { /* nothing is kept then */ }
      show();
    });
  });
})();
