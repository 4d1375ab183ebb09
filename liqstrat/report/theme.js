// Before anything is drawn, so that a page does not flash: the theme that its address ends with, or its reader's own.
(() => {
  const light = matchMedia("(prefers-color-scheme: light)");
  const choose = () => {
    const [asked] = /light|dark/.exec(location.hash) ?? [];
    document.documentElement.dataset.theme = asked ?? (light.matches ? "light" : "dark");
    dispatchEvent(new Event("theme"));
  };
  addEventListener("hashchange", choose);
  light.addEventListener("change", choose);
  choose();
})();
