// What is wrong with the screen as it is drawn now: text that is cut off, covered or outside, holes in rows, small targets.
() => {
  const wrong = [];
  const say = (what, element) => wrong.push(`${what}: <${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${element.textContent.trim().slice(0, 60)}`);
  const style = (element) => getComputedStyle(element);
  const clipped = (element) => style(element).position === "absolute" && style(element).clipPath !== "none";
  const hidden = (element) => element.closest(".hidden, [hidden], .readout") || clipped(element) || (element.closest("thead") && clipped(element.closest("thead")));
  const drawn = (element) => element.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true }) && !hidden(element);
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`page is ${document.documentElement.scrollWidth} wide on ${innerWidth}`);

  const shows = document.querySelector("dialog[open]") ?? document.body;
  const texts = [];
  const walker = document.createTreeWalker(shows, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!node.data.trim() || !drawn(parent)) continue;
    if (/^[a-z]+(-[a-z]+)*(\.[\w+-]+)+$/.test(node.data.trim())) say("a key instead of a text", parent);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.width > 0.5 && box.height > 0.5) texts.push({ box, parent });
  }
  for (const { box, parent } of texts) {
    if (box.left < -1 || box.right > innerWidth + 1) say("outside of the window", parent);
    for (let around = parent; around && around !== document.body; around = around.parentElement) {
      const { overflowX, overflowY, display } = style(around);
      if (around.matches(".scroll, dialog") || display === "inline") continue;
      const room = around.getBoundingClientRect();
      const cut = (overflowX !== "visible" && (box.left < room.left - 1 || box.right > room.right + 1)) || (overflowY !== "visible" && (box.top < room.top - 2 || box.bottom > room.bottom + 2));
      if (cut) say("cut off", parent);
      if (around.matches(".panel, .card, .tip, dialog") && (box.left < room.left - 1 || box.right > room.right + 1)) say("beyond its panel", parent);
    }
  }
  const rows = texts.toSorted((a, b) => a.box.top - b.box.top);
  rows.forEach((one, index) => {
    for (const other of rows.slice(index + 1)) {
      if (other.box.top > one.box.bottom) break;
      if (one.parent.closest(".topbar") || other.parent.closest(".topbar, .scroll") || one.parent.closest(".scroll")) continue;
      const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const high = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      if (wide > 1.5 && high > 4) say(`covers “${other.parent.textContent.trim().slice(0, 40)}”`, one.parent);
    }
  });
  for (const grid of document.querySelectorAll(".grid, .cards")) {
    const lines = new Map();
    for (const part of [...grid.children].flatMap((child) => (style(child).display === "contents" ? [...child.children] : child))) {
      const box = part.getBoundingClientRect();
      lines.set(box.top, Math.max(lines.get(box.top) ?? 0, box.right));
    }
    const edge = grid.getBoundingClientRect().right;
    for (const right of lines.values()) if (edge - right > 3) say(`a hole of ${Math.round(edge - right)} px at the end of a row`, grid);
  }
  for (const target of shows.querySelectorAll("a[href], button, select, summary, input")) {
    if (!drawn(target) || target.closest(".scroll, .skip, [popover]") || target.matches(".skip")) continue;
    const { width, height } = target.getBoundingClientRect();
    if (width < 23.5 || height < 23.5) say(`a target of ${Math.round(width)} × ${Math.round(height)}`, target);
  }
  return [...new Set(wrong)];
}
