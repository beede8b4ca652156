/** Keyboard: one letter per action, switched off in the help dialog for those whom single letters disturb (WCAG 2.1.4); and what this browser remembers. */
const STORED = "daybook.keys";

/** Calls `actions[key]` for a plain key press outside of text fields and open dialogs. */
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
    if (/** @type {Element} */ (event.target).closest("input, textarea, select, [contenteditable], dialog")) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || !enabled()) return;
    event.preventDefault();
    action();
  });
}

export function enabled() {
  return read(STORED) !== "off";
}

export function enable(on) {
  write(STORED, on ? null : "off");
}

const THEMES = ["system", "light", "dark"];

export function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

/** The next of system, light, dark; remembered in this browser. */
export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  write("daybook.theme", next === "system" ? null : next);
  return next;
}

/** What this browser remembers; null where nothing is stored or storage is forbidden. */
export function read(name, storage = () => localStorage) {
  try {
    return storage().getItem(name);
  } catch {
    return null;
  }
}

export function write(name, value, storage = () => localStorage) {
  try {
    if (value === null) storage().removeItem(name);
    else storage().setItem(name, value);
  } catch {
    // Without storage a choice lasts until the page is left.
  }
}
