// Runs before the first paint, so that a chosen theme never flashes the other one. The page works without storage.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("daybook.theme");
  } catch {
    // Storage may be forbidden; the system's preference stands.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
